/* Our addresses on the interface, routes, and the host's addresses as candidates.
 *
 * The interface has the member's two addresses; one route per family leads the
 * network's prefix into it. Behind each lies an `unreachable` route: when the
 * interface goes away, packets for members end there and not, in clear, at the
 * default router. It goes only when the daemon is told to stop.
 *
 * A device takes datagrams of 1024 bytes. Its two addresses have routes of their own, with the
 * MTU that fits, so TCP and whoever else asks the routes sends what arrives. IPv6 keeps its
 * 1280 bytes, which the node sends in fragments; TCP is told to stay below that. So does any other member
 * while the path to it carries less than the interface's MTU.
 *
 * The prefix is checked against the host's other routes at each start, because a
 * machine moves: a laptop's café may use the overlay's prefix. */
#include "overlay_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "log.h"

#define HOST_ADDRS_MAX 64
#define IP6_TCP_LEN 60 /* headers of IPv6 and TCP */

static bool is_device(const struct tn_card *card)
{
    return (card->cert.flags & TN_CERT_DEVICE) != 0;
}

static int check_clash(struct overlay *o, struct why *w)
{
    struct prefix_routes routes;
    int err = prefix_routes_read(&routes, w);

    if (err)
        return err;
    err = prefix_check(&o->prefix4, &routes, o->t->ifname, w);
    if (!err)
        err = prefix_check(&o->prefix6, &routes, o->t->ifname, w);
    prefix_routes_free(&routes);
    return err;
}

/* What a device takes, through this interface. */
static uint32_t device_mtu(const struct overlay *o)
{
    return o->t->mtu < TN_DEVICE_MTU ? o->t->mtu : TN_DEVICE_MTU;
}

/* A prefix to which packets of up to mtu bytes go through the interface; 0: the interface's. */
static int add_route(struct overlay *o, const struct tn_addr *prefix, uint8_t bits,
                     const struct tn_addr *own, uint32_t mtu)
{
    bool split = !tn_addr_is_v4(prefix) && mtu && mtu < TN_IP6_MIN_MTU;

    return nl_route_add(&o->t->nl, o->t->ifname, prefix, bits, own, split ? TN_IP6_MIN_MTU : mtu,
                        split ? mtu - IP6_TCP_LEN : 0);
}

/* Address, route and backstop of one family. */
static int set_family(struct overlay *o, const struct prefix *p, const struct tn_addr *own)
{
    struct nl *nl = &o->t->nl;
    int err = nl_addr_add(nl, o->t->ifname, own, p->bits);

    if (!err)
        err = nl_backstop_add(nl, &p->addr, p->bits);
    if (!err)
        err = add_route(o, &p->addr, p->bits, own, is_device(&o->self.card) ? device_mtu(o) : 0);
    return err;
}

/* One address of a member gets a route with that MTU, or (0) loses the one it may have. */
static void route_address(struct overlay *o, const struct tn_member *m, const struct tn_addr *to,
                          const struct tn_addr *own, uint32_t mtu)
{
    uint8_t bits = tn_addr_is_v4(to) ? 32 : 128;
    int err;

    if (mtu)
        err = add_route(o, to, bits, own, mtu);
    else
        err = nl_route_del(&o->t->nl, o->t->ifname, to, bits);
    if (err && !(!mtu && (err == -ESRCH || err == -ENOENT)))
        log_warn("the route of %s cannot be changed: %s", m->card.cert.name, strerror(-err));
}

static void route_member(struct overlay *o, const struct tn_member *m, uint32_t mtu)
{
    struct tn_addr a4 = tn_card_address4(&m->card), a6 = tn_card_address6(&m->card);
    struct tn_addr own4 = tn_card_address4(&o->self.card), own6 = tn_card_address6(&o->self.card);

    if (!o->net_up || !memcmp(m->card.identity, o->self.card.identity, sizeof(m->card.identity)))
        return;
    route_address(o, m, &a4, &own4, mtu);
    if (!o->no_ipv6)
        route_address(o, m, &a6, &own6, mtu);
}

void overlay_net_member(struct overlay *o, uint32_t member)
{
    const struct tn_member *m = tn_node_member(o->t->node, member);

    if (m && m->left)
        route_member(o, m, 0);
    else if (m && is_device(&m->card))
        route_member(o, m, device_mtu(o));
}

/* The kernel forgets what it was told by ICMP as well, because the route is a new one: so TCP grows again. */
void overlay_net_mtu(struct overlay *o, uint32_t peer)
{
    const struct tn_member *m;
    struct tn_peer_info info;

    if (!tn_node_peer_info(o->t->node, peer, &info))
        return;
    tn_wipe(info.psk, sizeof(info.psk));
    m = tn_node_member(o->t->node, info.member);
    if (!m || info.is_device)
        return;
    log_info("%s: packets of up to %u bytes pass in one piece", m->card.cert.name, (unsigned)info.mtu);
    route_member(o, m, info.mtu < o->t->mtu ? info.mtu : 0);
}

int overlay_net_start(struct overlay *o, struct why *w)
{
    const struct tn_cert *cert = &o->self.card.cert;
    struct tn_addr a4 = tn_card_address4(&o->self.card), a6 = tn_card_address6(&o->self.card);
    int err;

    o->prefix4 = prefix_v4(cert->ipv4, cert->ipv4_bits);
    o->prefix6 = prefix_v6(cert->ipv6, 64);
    err = check_clash(o, w);
    if (err)
        return err;
    err = nl_link_up(&o->t->nl, o->t->ifname, o->t->mtu);
    if (err)
        return why_set(w, err, "cannot bring %s up: %s", o->t->ifname, strerror(-err));
    o->net_up = true;
    err = set_family(o, &o->prefix4, &a4);
    if (err)
        return why_set(w, err, "cannot set the IPv4 address and route of %s: %s", o->t->ifname,
                       strerror(-err));
    err = set_family(o, &o->prefix6, &a6);
    if (err == -EOPNOTSUPP || err == -EACCES || err == -EAFNOSUPPORT) {
        log_warn("this host has no IPv6 (%s): members are reached by their IPv4 addresses only",
                 strerror(-err));
        o->no_ipv6 = true;
        err = 0;
    }
    if (err)
        return why_set(w, err, "cannot set the IPv6 address and route of %s: %s", o->t->ifname,
                       strerror(-err));
    for (uint32_t i = 0; tn_node_member(o->t->node, i); i++)
        overlay_net_member(o, i);
    return 0;
}

static void drop_backstop(struct overlay *o, const struct prefix *p)
{
    int err = nl_backstop_del(&o->t->nl, &p->addr, p->bits);
    char text[PREFIX_TEXT_LEN];

    if (err && err != -ESRCH && err != -ENOENT)
        log_warn("cannot remove the unreachable route to %s: %s", prefix_text(p, text),
                 strerror(-err));
}

void overlay_net_stop(struct overlay *o)
{
    if (!o->net_up)
        return;
    o->net_up = false;
    /* addresses and the routes through the interface go with it */
    drop_backstop(o, &o->prefix4);
    drop_backstop(o, &o->prefix6);
}

/* ---- candidates ---- */

static bool is_candidate(const struct overlay *o, const struct tn_addr *a)
{
    return tn_addr_is_probeable(a) && !prefix_contains(&o->prefix4, a) &&
           !prefix_contains(&o->prefix6, a);
}

/* Half of the places for each family, as long as the other needs its half. */
static uint8_t pick(const struct tn_cand_wire *v4, uint32_t count4, const struct tn_cand_wire *v6,
                    uint32_t count6, struct tn_cand_wire out[TN_CANDLIST_SEND_MAX])
{
    uint32_t half = TN_CANDLIST_SEND_MAX / 2;
    uint32_t take4 = count4 < half ? count4 : half;
    uint32_t take6 = count6 < TN_CANDLIST_SEND_MAX - take4 ? count6 : TN_CANDLIST_SEND_MAX - take4;

    take4 = count4 < TN_CANDLIST_SEND_MAX - take6 ? count4 : TN_CANDLIST_SEND_MAX - take6;
    memcpy(out, v4, take4 * sizeof(*out));
    memcpy(out + take4, v6, take6 * sizeof(*out));
    return (uint8_t)(take4 + take6);
}

bool overlay_net_hosts(const struct overlay *o, struct tn_addr *out, uint32_t cap, uint32_t *count)
{
    struct nl_addr found[HOST_ADDRS_MAX];
    uint32_t found_count, kept = 0;
    int err = nl_addr_list(&o->t->nl, o->t->ifname, found, HOST_ADDRS_MAX, &found_count);

    if (err) {
        log_warn("cannot read this host's addresses: %s", strerror(-err));
        return false;
    }
    for (uint32_t i = 0; i < found_count && kept < cap; i++) {
        struct tn_addr a = found[i].addr;

        a.port = o->t->udp.port; /* one without a port is no candidate */
        if (is_candidate(o, &a))
            out[kept++] = a;
    }
    *count = kept;
    return true;
}

void overlay_set_candidates(struct overlay *o)
{
    struct tn_cand_wire v4[TN_CANDLIST_SEND_MAX], v6[TN_CANDLIST_SEND_MAX];
    struct tn_cand_wire list[TN_CANDLIST_SEND_MAX];
    struct tn_addr host[HOST_ADDRS_MAX], mapped;
    uint32_t count, count4 = 0, count6 = 0;

    if (!overlay_net_hosts(o, host, HOST_ADDRS_MAX, &count))
        return;
    if (overlay_portmap_candidate(o, &mapped) && is_candidate(o, &mapped))
        v4[count4++] = (struct tn_cand_wire){.origin = TN_CAND_MAPPED, .addr = mapped};
    for (uint32_t i = 0; i < count; i++) {
        struct tn_cand_wire c = {.origin = TN_CAND_HOST, .addr = host[i]};

        if (tn_addr_is_v4(&c.addr) && count4 < TN_CANDLIST_SEND_MAX)
            v4[count4++] = c;
        else if (!tn_addr_is_v4(&c.addr) && count6 < TN_CANDLIST_SEND_MAX)
            v6[count6++] = c;
    }
    tn_node_set_candidates(o->t->node, list, pick(v4, count4, v6, count6, list), tund_now());
}
