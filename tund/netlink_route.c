/* How it works: routes through the TUN carry our own protocol number, so that
 * `ip route show proto 116` lists them and nobody else's route is ever deleted.
 * The backstop is an `unreachable` route with a metric that every other
 * route beats: it decides only when the route through the TUN is gone. */
#include "netlink.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink_msg.h"

struct route_request {
    uint16_t type, flags;
    uint8_t kind; /* RTN_* */
    const struct tn_addr *prefix;
    uint8_t bits;
    uint32_t ifindex, metric, mtu, mss;
    const struct tn_addr *prefer_src;
};

static void add_ip(struct nl_msg *m, uint16_t type, const struct tn_addr *a)
{
    bool v4 = tn_addr_is_v4(a);

    nl_msg_attr(m, type, v4 ? a->ip + 12 : a->ip, v4 ? 4 : 16);
}

static int change_route(struct nl *n, const struct route_request *r)
{
    bool v4 = tn_addr_is_v4(r->prefix);
    struct rtmsg body = {.rtm_family = v4 ? AF_INET : AF_INET6,
                         .rtm_dst_len = r->bits,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = NL_PROTOCOL,
                         .rtm_scope = v4 && r->ifindex ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                         .rtm_type = r->kind};
    struct nl_msg m;
    size_t metrics;

    if (r->bits > (v4 ? 32 : 128))
        return -EINVAL;
    if (r->type == RTM_DELROUTE)
        body.rtm_scope = RT_SCOPE_NOWHERE; /* any */
    nl_msg_init(&m, r->type, r->flags, &body, sizeof body);
    add_ip(&m, RTA_DST, r->prefix);
    if (r->ifindex)
        nl_msg_attr_u32(&m, RTA_OIF, r->ifindex);
    if (r->metric)
        nl_msg_attr_u32(&m, RTA_PRIORITY, r->metric);
    if (r->prefer_src)
        add_ip(&m, RTA_PREFSRC, r->prefer_src);
    if (r->mtu) {
        metrics = nl_msg_begin(&m, RTA_METRICS);
        nl_msg_attr_u32(&m, RTAX_MTU, r->mtu);
        if (r->mss)
            nl_msg_attr_u32(&m, RTAX_ADVMSS, r->mss);
        nl_msg_end(&m, metrics);
    }
    return nl_call(n, &m);
}

int nl_route_add(struct nl *n, const char *ifname, const struct tn_addr *prefix, uint8_t bits,
                 const struct tn_addr *prefer_src, uint32_t mtu, uint32_t mss)
{
    struct route_request r = {.type = RTM_NEWROUTE,
                              .flags = NLM_F_CREATE | NLM_F_REPLACE,
                              .kind = RTN_UNICAST,
                              .prefix = prefix,
                              .bits = bits,
                              .ifindex = nl_link_index(ifname),
                              .mtu = mtu,
                              .mss = mss,
                              .prefer_src = prefer_src};

    return r.ifindex ? change_route(n, &r) : -ENODEV;
}

int nl_route_del(struct nl *n, const char *ifname, const struct tn_addr *prefix, uint8_t bits)
{
    struct route_request r = {.type = RTM_DELROUTE,
                              .kind = RTN_UNICAST,
                              .prefix = prefix,
                              .bits = bits,
                              .ifindex = nl_link_index(ifname)};

    return r.ifindex ? change_route(n, &r) : -ENODEV;
}

int nl_backstop_add(struct nl *n, const struct tn_addr *prefix, uint8_t bits)
{
    struct route_request r = {.type = RTM_NEWROUTE,
                              .flags = NLM_F_CREATE | NLM_F_REPLACE,
                              .kind = RTN_UNREACHABLE,
                              .prefix = prefix,
                              .bits = bits,
                              .metric = NL_BACKSTOP_METRIC};

    return change_route(n, &r);
}

int nl_backstop_del(struct nl *n, const struct tn_addr *prefix, uint8_t bits)
{
    struct route_request r = {.type = RTM_DELROUTE,
                              .kind = RTN_UNREACHABLE,
                              .prefix = prefix,
                              .bits = bits,
                              .metric = NL_BACKSTOP_METRIC};

    return change_route(n, &r);
}

/* ---- asking for one ---- */

struct way_out {
    uint32_t ifindex;
    struct tn_addr source;
};

static void on_way_out(void *ctx, const struct nlmsghdr *h)
{
    struct way_out *w = ctx;
    const struct rtmsg *body = NLMSG_DATA(h);
    const struct rtattr *attr[RTA_MAX + 1];

    if (h->nlmsg_type != RTM_NEWROUTE)
        return;
    nl_attrs(h, sizeof *body, attr, RTA_MAX);
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof *body))
        return;
    w->ifindex = nl_attr_u32(attr[RTA_OIF]);
    if (!nl_attr_addr(attr[RTA_PREFSRC], body->rtm_family, &w->source))
        memset(&w->source, 0, sizeof w->source);
}

int nl_route_get(struct nl *n, const struct tn_addr *to, const struct tn_addr *from, uint32_t mark,
                 uint32_t *ifindex, struct tn_addr *source)
{
    bool v4 = tn_addr_is_v4(to);
    uint8_t bits = v4 ? 32 : 128;
    struct rtmsg body = {.rtm_family = v4 ? AF_INET : AF_INET6,
                         .rtm_dst_len = bits,
                         .rtm_src_len = from ? bits : 0};
    struct way_out w = {0};
    struct nl_msg m;
    int err;

    if (from && tn_addr_is_v4(from) != v4)
        return -EINVAL;
    nl_msg_init(&m, RTM_GETROUTE, 0, &body, sizeof body);
    add_ip(&m, RTA_DST, to);
    if (from)
        add_ip(&m, RTA_SRC, from);
    if (mark)
        nl_msg_attr_u32(&m, RTA_MARK, mark);
    err = nl_ask(n, &m, on_way_out, &w);
    if (err)
        return err;
    *ifindex = w.ifindex;
    *source = w.source;
    return w.ifindex ? 0 : -ENETUNREACH;
}

/* ---- listing ---- */

struct listing {
    void (*cb)(void *ctx, const struct nl_route *r);
    void *ctx;
};

static bool is_listed(const struct rtmsg *body)
{
    if (body->rtm_flags & RTM_F_CLONED)
        return false;
    return body->rtm_type == RTN_UNICAST || body->rtm_type == RTN_UNREACHABLE ||
           body->rtm_type == RTN_BLACKHOLE || body->rtm_type == RTN_PROHIBIT;
}

static void on_route(void *ctx, const struct nlmsghdr *h)
{
    const struct rtmsg *body = NLMSG_DATA(h);
    const struct rtattr *attr[RTA_TABLE + 1];
    const struct listing *l = ctx;
    const uint8_t zero[16] = {0};
    struct nl_route r = {0};
    bool v4;

    if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof *body) ||
        !is_listed(body) || (body->rtm_family != AF_INET && body->rtm_family != AF_INET6))
        return;
    v4 = body->rtm_family == AF_INET;
    nl_attrs(h, sizeof *body, attr, RTA_TABLE);
    if (!nl_attr_addr(attr[RTA_DST], body->rtm_family, &r.prefix))
        r.prefix = v4 ? tn_addr_v4(zero, 0) : tn_addr_v6(zero, 0);
    r.v4 = v4;
    r.bits = body->rtm_dst_len;
    r.type = body->rtm_type;
    r.protocol = body->rtm_protocol;
    r.table = attr[RTA_TABLE] ? nl_attr_u32(attr[RTA_TABLE]) : body->rtm_table;
    r.ifindex = nl_attr_u32(attr[RTA_OIF]);
    if (!r.ifindex || !if_indextoname(r.ifindex, r.ifname))
        r.ifname[0] = 0;
    r.metric = nl_attr_u32(attr[RTA_PRIORITY]);
    if (!nl_attr_addr(attr[RTA_GATEWAY], body->rtm_family, &r.gateway))
        memset(&r.gateway, 0, sizeof r.gateway);
    l->cb(l->ctx, &r);
}

int nl_route_each(struct nl *n, void (*cb)(void *ctx, const struct nl_route *r), void *ctx)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct listing l = {.cb = cb, .ctx = ctx};

    for (size_t i = 0; i < sizeof families; i++) {
        struct rtmsg body = {.rtm_family = families[i]};
        struct nl_msg m;
        int err;

        nl_msg_init(&m, RTM_GETROUTE, 0, &body, sizeof body);
        err = nl_dump(n, &m, on_route, &l);
        if (err)
            return err;
    }
    return 0;
}

/* ---- the default gateway ---- */

struct search {
    bool v4, found;
    const char *skip_ifname;
    struct nl_route best;
};

static void consider(void *ctx, const struct nl_route *r)
{
    struct search *s = ctx;

    if (r->v4 != s->v4 || r->bits || r->type != RTN_UNICAST || r->table != RT_TABLE_MAIN ||
        !r->ifindex || tn_addr_is_zero(&r->gateway) ||
        (s->skip_ifname && strcmp(r->ifname, s->skip_ifname) == 0) ||
        (s->found && r->metric >= s->best.metric))
        return;
    s->found = true;
    s->best = *r;
}

int nl_gateway(struct nl *n, bool v4, const char *skip_ifname, struct tn_addr *gateway,
               uint32_t *ifindex)
{
    struct search s = {.v4 = v4, .skip_ifname = skip_ifname};
    int err = nl_route_each(n, consider, &s);

    if (err)
        return err;
    if (!s.found)
        return -ENOENT;
    *gateway = s.best.gateway;
    *ifindex = s.best.ifindex;
    return 0;
}
