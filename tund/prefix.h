/* The overlay's IPv4 prefix: chosen at random among the private ones, and never
 * one that the host has a route to already. */
#ifndef TUND_PREFIX_H
#define TUND_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"
#include "netlink.h"
#include "why.h"

#define PREFIX_DEFAULT_BITS 20 /* 4094 members */
#define PREFIX_TEXT_LEN 64

struct prefix {
    struct tn_addr addr; /* the first address; port 0 */
    uint8_t bits;        /* in its own family */
};

/* "10.77.0.0/20": IPv4, from RFC 1918 or RFC 6598, 8 to 30 bits, no host bits set. -EINVAL. */
TN_MUST_CHECK int prefix_parse(const char *text, struct prefix *out, struct why *w);
const char *prefix_text(const struct prefix *p, char out[PREFIX_TEXT_LEN]);
struct prefix prefix_v4(const uint8_t ip[4], uint8_t bits); /* host bits are cleared */
struct prefix prefix_v6(const uint8_t ip[16], uint8_t bits);
bool prefix_contains(const struct prefix *p, const struct tn_addr *a);
/* Address number n within an IPv4 prefix; false where that is not a host's. */
bool prefix_host(const struct prefix *p, uint32_t n, uint8_t ip[4]);
/* The number that prefix_host takes, or 0 when the address is not in the prefix. */
uint32_t prefix_host_number(const struct prefix *p, const uint8_t ip[4]);

/* The host's routes, as read once. */
struct prefix_routes {
    struct nl_route *row;
    size_t count, cap;
    bool no_memory;
};
TN_MUST_CHECK int prefix_routes_read(struct prefix_routes *r, struct why *w);
void prefix_routes_free(struct prefix_routes *r);

/* The first route that overlaps, or NULL. Default routes (and their halves, 0/1) and unreachable ones
 * do not count, nor do those through own_ifname (may be NULL). */
const struct nl_route *prefix_clash(const struct prefix *p, const struct prefix_routes *r,
                                    const char *own_ifname);
/* -EADDRINUSE with a sentence that names the route. */
TN_MUST_CHECK int prefix_check(const struct prefix *p, const struct prefix_routes *r,
                               const char *own_ifname, struct why *w);
/* A free one of PREFIX_DEFAULT_BITS in 10/8, else in 172.16/12. `seed` is random. -EADDRNOTAVAIL. */
TN_MUST_CHECK int prefix_choose(struct prefix *out, const struct prefix_routes *r,
                                const uint8_t seed[32], struct why *w);

#endif
