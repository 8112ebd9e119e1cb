/* rtnetlink, as much as an overlay node needs: own addresses and routes, the
 * host's addresses for candidates, and news of changes. Requests are made one
 * at a time on a blocking socket of the network namespace in which nl_open was
 * called (the kernel answers at once; a receive timeout of 2 s is the backstop).
 * All functions return 0 or a negative errno. Prefixes and addresses are
 * struct tn_addr without a port; IPv4 is mapped, `bits` counts in its own family. */
#ifndef TUND_NETLINK_H
#define TUND_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

struct nl {
    int fd;
    uint32_t seq;
};

TN_MUST_CHECK int nl_open(struct nl *n);
void nl_close(struct nl *n);

/* ---- links ---- */

/* mtu 0 leaves it alone. */
TN_MUST_CHECK int nl_link_up(struct nl *n, const char *ifname, uint32_t mtu);
/* The kernel shall not give the link an IPv6 link-local address: as for a WireGuard interface of
 * the kernel, there is nobody to solicit. -EAFNOSUPPORT or -EINVAL where there is no IPv6. */
TN_MUST_CHECK int nl_link_no_link_local(struct nl *n, const char *ifname);
/* 0 where there is no such link. */
uint32_t nl_link_index(const char *ifname);

/* ---- addresses ---- */

/* Idempotent: an address that is there already is no error. IPv6 comes without duplicate address
 * detection: the address is certified, and a TUN has no neighbours. No prefix route is made for
 * either family; use nl_route_add. */
TN_MUST_CHECK int nl_addr_add(struct nl *n, const char *ifname, const struct tn_addr *a,
                              uint8_t bits);
TN_MUST_CHECK int nl_addr_del(struct nl *n, const char *ifname, const struct tn_addr *a,
                              uint8_t bits);

struct nl_addr {
    struct tn_addr addr;
    uint8_t bits;
    uint32_t ifindex;
    char ifname[16];
    uint32_t flags; /* IFA_F_* of linux/if_addr.h */
    uint8_t scope;  /* RT_SCOPE_* of linux/rtnetlink.h */
};
/* The host's addresses that a peer could reach: of links that are up, without loopback and
 * link-local addresses, without tentative, deprecated or duplicate ones, and without those of
 * `skip_ifname` (our own TUN; may be NULL) and of other TUN and WireGuard interfaces. Links with a
 * default route come first, and of one link IPv6 privacy addresses before the stable ones. *count
 * is how many were written, at most cap. */
TN_MUST_CHECK int nl_addr_list(struct nl *n, const char *skip_ifname, struct nl_addr *out,
                               uint32_t cap, uint32_t *count);

/* ---- routes ---- */

/* A route to the prefix through the link, in the main table. Idempotent. mtu 0: the link's. mss: how
 * much TCP asks to be sent in one segment; 0: as much as the MTU holds. */
TN_MUST_CHECK int nl_route_add(struct nl *n, const char *ifname, const struct tn_addr *prefix,
                               uint8_t bits, const struct tn_addr *prefer_src, uint32_t mtu,
                               uint32_t mss);
TN_MUST_CHECK int nl_route_del(struct nl *n, const char *ifname, const struct tn_addr *prefix,
                               uint8_t bits);

#define NL_BACKSTOP_METRIC 4000000000u
/* An `unreachable` route behind (metric NL_BACKSTOP_METRIC) the route through the TUN: while the TUN
 * is away, packets for the overlay end here and not at the default router. Idempotent. */
TN_MUST_CHECK int nl_backstop_add(struct nl *n, const struct tn_addr *prefix, uint8_t bits);
TN_MUST_CHECK int nl_backstop_del(struct nl *n, const struct tn_addr *prefix, uint8_t bits);

struct nl_route {
    struct tn_addr prefix; /* zero with bits 0 is a default route */
    bool v4;
    uint8_t bits;
    uint8_t type;     /* RTN_* of linux/rtnetlink.h */
    uint8_t protocol; /* RTPROT_*; NL_PROTOCOL is ours */
    uint32_t table;
    uint32_t ifindex; /* 0: none (unreachable, several next hops) */
    char ifname[16];
    uint32_t metric;
    struct tn_addr gateway; /* all zero: none, or of the other family */
};
#define NL_PROTOCOL 116
/* Calls back with each unicast or unreachable route of both families, whatever its table; the
 * kernel's own local and broadcast entries are left out. The callback must not use `n`. */
TN_MUST_CHECK int nl_route_each(struct nl *n, void (*cb)(void *ctx, const struct nl_route *r),
                                void *ctx);

/* The default gateway of a family: of the main table's default routes the one with the lowest metric
 * that has a gateway and does not lead through `skip_ifname` (may be NULL). -ENOENT: there is none. */
TN_MUST_CHECK int nl_gateway(struct nl *n, bool v4, const char *skip_ifname, struct tn_addr *gateway,
                             uint32_t *ifindex);

/* How a datagram to `to` would leave now: by which interface, and with which source address (zero where the kernel
 * does not say). `from` is the source that it has, NULL where the kernel is to choose. mark 0: none. */
TN_MUST_CHECK int nl_route_get(struct nl *n, const struct tn_addr *to, const struct tn_addr *from,
                               uint32_t mark, uint32_t *ifindex, struct tn_addr *source);

/* ---- news ---- */

struct nl_monitor; /* heap; freed by nl_monitor_stop when its handles have closed */

/* Calls back once, NL_DEBOUNCE_MS after the first of a burst of changes to links, addresses or
 * routes of either family, other than those of `skip_ifname` (may be NULL). */
#define NL_DEBOUNCE_MS 200
TN_MUST_CHECK int nl_monitor_start(struct nl_monitor **out, uv_loop_t *loop,
                                   const char *skip_ifname, void (*cb)(void *ctx), void *ctx);
void nl_monitor_stop(struct nl_monitor *m); /* NULL is fine */

#endif
