/* How it works: own addresses are set with NOPREFIXROUTE (routes are our own affair)
 * and, for IPv6, NODAD. The list for candidates joins two dumps, links and addresses,
 * and sorts what is left; which links have a default route is asked of the routes. */
#include "netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink_msg.h"

#define LINKS_MAX 64
#define ADDRS_MAX 128

/* ---- own addresses ---- */

static int change_addr(struct nl *n, uint16_t type, uint16_t flags, const char *ifname,
                       const struct tn_addr *a, uint8_t bits)
{
    bool v4 = tn_addr_is_v4(a);
    const uint8_t *ip = v4 ? a->ip + 12 : a->ip;
    size_t len = v4 ? 4 : 16;
    struct ifaddrmsg body = {.ifa_family = v4 ? AF_INET : AF_INET6,
                             .ifa_prefixlen = bits,
                             .ifa_scope = RT_SCOPE_UNIVERSE,
                             .ifa_index = nl_link_index(ifname)};
    struct nl_msg m;

    if (!body.ifa_index)
        return -ENODEV;
    nl_msg_init(&m, type, flags, &body, sizeof body);
    nl_msg_attr(&m, IFA_LOCAL, ip, len);
    nl_msg_attr(&m, IFA_ADDRESS, ip, len);
    if (type == RTM_NEWADDR)
        nl_msg_attr_u32(&m, IFA_FLAGS, IFA_F_NOPREFIXROUTE | (v4 ? 0 : IFA_F_NODAD));
    return nl_call(n, &m);
}

int nl_addr_add(struct nl *n, const char *ifname, const struct tn_addr *a, uint8_t bits)
{
    return change_addr(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifname, a, bits);
}

int nl_addr_del(struct nl *n, const char *ifname, const struct tn_addr *a, uint8_t bits)
{
    return change_addr(n, RTM_DELADDR, 0, ifname, a, bits);
}

/* ---- the host's addresses ---- */

struct link {
    uint32_t ifindex;
    char ifname[16];
    bool has_default;
};

struct listing {
    const char *skip_ifname;
    struct link link[LINKS_MAX];
    uint32_t link_count;
    struct nl_addr addr[ADDRS_MAX];
    uint32_t addr_count;
};

static bool is_tunnel(const struct rtattr *linkinfo)
{
    static const char *const kinds[] = {"tun", "wireguard"};
    const struct rtattr *attr[IFLA_INFO_KIND + 1];
    const struct rtattr *kind;

    if (!linkinfo)
        return false;
    nl_attrs_nested(linkinfo, attr, IFLA_INFO_KIND);
    kind = attr[IFLA_INFO_KIND];
    for (size_t i = 0; kind && i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i]);

        if (RTA_PAYLOAD(kind) >= len && !memcmp(RTA_DATA(kind), kinds[i], len) &&
            (RTA_PAYLOAD(kind) == len || !((const char *)RTA_DATA(kind))[len]))
            return true;
    }
    return false;
}

static void on_link(void *ctx, const struct nlmsghdr *h)
{
    const struct ifinfomsg *body = NLMSG_DATA(h);
    const struct rtattr *attr[IFLA_LINKINFO + 1];
    struct listing *l = ctx;
    struct link *link;
    size_t len;

    if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *body))
        return;
    nl_attrs(h, sizeof *body, attr, IFLA_LINKINFO);
    if (!(body->ifi_flags & IFF_UP) || (body->ifi_flags & IFF_LOOPBACK) || !attr[IFLA_IFNAME] ||
        is_tunnel(attr[IFLA_LINKINFO]) || l->link_count == LINKS_MAX)
        return;
    link = &l->link[l->link_count];
    memset(link, 0, sizeof *link);
    len = RTA_PAYLOAD(attr[IFLA_IFNAME]);
    if (len >= sizeof link->ifname)
        len = sizeof link->ifname - 1;
    memcpy(link->ifname, RTA_DATA(attr[IFLA_IFNAME]), len);
    link->ifindex = (uint32_t)body->ifi_index;
    if (!l->skip_ifname || strcmp(link->ifname, l->skip_ifname))
        l->link_count++;
}

static void on_default_route(void *ctx, const struct nl_route *r)
{
    struct listing *l = ctx;

    if (r->bits || r->type != RTN_UNICAST)
        return;
    for (uint32_t i = 0; i < l->link_count; i++) {
        if (l->link[i].ifindex == r->ifindex)
            l->link[i].has_default = true;
    }
}

static const struct link *find_link(const struct listing *l, uint32_t ifindex)
{
    for (uint32_t i = 0; i < l->link_count; i++) {
        if (l->link[i].ifindex == ifindex)
            return &l->link[i];
    }
    return NULL;
}

static bool is_reachable(const struct tn_addr *a)
{
    if (tn_addr_is_v4(a))
        return a->ip[12] != 0 && a->ip[12] != 127 && a->ip[12] < 224 &&
               !(a->ip[12] == 169 && a->ip[13] == 254);
    /* 2000::/3 and fc00::/7: neither ::1, nor fe80::/10, nor multicast. */
    return (a->ip[0] & 0xe0) == 0x20 || (a->ip[0] & 0xfe) == 0xfc;
}

static void on_addr(void *ctx, const struct nlmsghdr *h)
{
    const uint32_t useless = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;
    const struct ifaddrmsg *body = NLMSG_DATA(h);
    const struct rtattr *attr[IFA_FLAGS + 1];
    struct listing *l = ctx;
    const struct link *link;
    struct nl_addr a = {0};

    if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *body))
        return;
    nl_attrs(h, sizeof *body, attr, IFA_FLAGS);
    link = find_link(l, body->ifa_index);
    a.flags = attr[IFA_FLAGS] ? nl_attr_u32(attr[IFA_FLAGS]) : body->ifa_flags;
    /* IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's. */
    if (!nl_attr_addr(attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS], body->ifa_family,
                      &a.addr))
        return;
    if (!link || (a.flags & useless) || !is_reachable(&a.addr) || l->addr_count == ADDRS_MAX)
        return;
    a.bits = body->ifa_prefixlen;
    a.scope = body->ifa_scope;
    a.ifindex = link->ifindex;
    memcpy(a.ifname, link->ifname, sizeof a.ifname);
    l->addr[l->addr_count++] = a;
}

/* Lower is better; see nl_addr_list. */
static int rank(const struct listing *l, const struct nl_addr *a)
{
    const struct link *link = find_link(l, a->ifindex);

    return (link && link->has_default ? 0 : 2) + (a->flags & IFA_F_TEMPORARY ? 0 : 1);
}

/* Insertion keeps the kernel's order among equals. */
static void sort_addrs(struct listing *l)
{
    for (uint32_t i = 1; i < l->addr_count; i++) {
        struct nl_addr a = l->addr[i];
        uint32_t at = i;

        for (; at && rank(l, &l->addr[at - 1]) > rank(l, &a); at--)
            l->addr[at] = l->addr[at - 1];
        l->addr[at] = a;
    }
}

static int fill(struct nl *n, struct listing *l)
{
    struct ifinfomsg link_body = {.ifi_family = AF_UNSPEC};
    struct ifaddrmsg addr_body = {.ifa_family = AF_UNSPEC};
    struct nl_msg m;
    int err;

    nl_msg_init(&m, RTM_GETLINK, 0, &link_body, sizeof link_body);
    err = nl_dump(n, &m, on_link, l);
    if (!err)
        err = nl_route_each(n, on_default_route, l);
    if (err)
        return err;
    nl_msg_init(&m, RTM_GETADDR, 0, &addr_body, sizeof addr_body);
    return nl_dump(n, &m, on_addr, l);
}

int nl_addr_list(struct nl *n, const char *skip_ifname, struct nl_addr *out, uint32_t cap,
                 uint32_t *count)
{
    struct listing *l = calloc(1, sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    l->skip_ifname = skip_ifname;
    err = fill(n, l);
    if (!err) {
        sort_addrs(l);
        *count = l->addr_count < cap ? l->addr_count : cap;
        memcpy(out, l->addr, *count * sizeof *out);
    }
    free(l);
    return err;
}
