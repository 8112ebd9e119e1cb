/* Our addresses on the interface, routes, and the host's addresses as candidates.
 *
 * The interface has the member's two addresses; one route per family leads the
 * network's prefix into it. Behind each lies an `unreachable` route: when the
 * interface goes away, packets for members end there and not, in clear, at the
 * default router. It goes only when the daemon is told to stop.
 *
 * The prefix is checked against the host's other routes at each start, because a
 * machine moves: a laptop's café may use the overlay's prefix. */
#include "overlay_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

#define HOST_ADDRS_MAX 64

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

/* Address, route and backstop of one family. */
static int set_family(struct overlay *o, const struct prefix *p, const struct tn_addr *own)
{
    struct nl *nl = &o->t->nl;
    int err = nl_addr_add(nl, o->t->ifname, own, p->bits);

    if (!err)
        err = nl_backstop_add(nl, &p->addr, p->bits);
    if (!err)
        err = nl_route_add(nl, o->t->ifname, &p->addr, p->bits, own, 0);
    return err;
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
        return 0;
    }
    if (err)
        return why_set(w, err, "cannot set the IPv6 address and route of %s: %s", o->t->ifname,
                       strerror(-err));
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

void overlay_set_candidates(struct overlay *o)
{
    struct tn_cand_wire v4[TN_CANDLIST_SEND_MAX], v6[TN_CANDLIST_SEND_MAX];
    struct tn_cand_wire list[TN_CANDLIST_SEND_MAX];
    struct nl_addr found[HOST_ADDRS_MAX];
    uint32_t count, count4 = 0, count6 = 0;
    int err = nl_addr_list(&o->t->nl, o->t->ifname, found, HOST_ADDRS_MAX, &count);

    if (err) {
        log_warn("cannot read this host's addresses: %s", strerror(-err));
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct tn_cand_wire c = {.origin = TN_CAND_HOST, .addr = found[i].addr};

        c.addr.port = o->t->udp.port;
        if (!is_candidate(o, &c.addr))
            continue;
        if (tn_addr_is_v4(&c.addr) && count4 < TN_CANDLIST_SEND_MAX)
            v4[count4++] = c;
        else if (!tn_addr_is_v4(&c.addr) && count6 < TN_CANDLIST_SEND_MAX)
            v6[count6++] = c;
    }
    tn_node_set_candidates(o->t->node, list, pick(v4, count4, v6, count6, list), tund_now());
}
