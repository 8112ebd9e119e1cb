/* Choice and check of the overlay's prefix.
 *
 * A clash is a route of the host that shares an address with the prefix: our
 * route would take traffic away from it, or it from ours. Default routes are no
 * clash, being what every other prefix is taken from; the two halves (0/1 and
 * 128/1) that other tunnels use as a default neither. Unreachable routes are
 * none: they are backstops, our own among them.
 *
 * Prefixes are compared as mapped addresses: an IPv4 prefix of n bits is one of
 * 96 + n. */
#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/member/cert.h"
#include "log.h"

#define CHOOSE_TRIES 512

static unsigned mapped_bits(const struct tn_addr *a, uint8_t bits)
{
    return tn_addr_is_v4(a) ? 96u + bits : bits;
}

static bool same_bits(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static void clear_host_bits(uint8_t ip[16], unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        ip[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
}

struct prefix prefix_v4(const uint8_t ip[4], uint8_t bits)
{
    struct prefix p = {.addr = tn_addr_v4(ip, 0), .bits = bits};

    clear_host_bits(p.addr.ip, 96u + bits);
    return p;
}

struct prefix prefix_v6(const uint8_t ip[16], uint8_t bits)
{
    struct prefix p = {.addr = tn_addr_v6(ip, 0), .bits = bits};

    clear_host_bits(p.addr.ip, bits);
    return p;
}

const char *prefix_text(const struct prefix *p, char out[PREFIX_TEXT_LEN])
{
    char addr[ADDR_TEXT_LEN];

    snprintf(out, PREFIX_TEXT_LEN, "%s/%u", addr_ip_text(&p->addr, addr), p->bits);
    return out;
}

bool prefix_contains(const struct prefix *p, const struct tn_addr *a)
{
    return same_bits(p->addr.ip, a->ip, mapped_bits(&p->addr, p->bits));
}

/* Of which private range is the whole prefix? */
static bool is_private(const struct prefix *p)
{
    static const struct {
        uint8_t ip[4], bits;
    } range[] = {{{10, 0, 0, 0}, 8}, {{172, 16, 0, 0}, 12}, {{192, 168, 0, 0}, 16}, {{100, 64, 0, 0}, 10}};

    for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
        struct prefix r = prefix_v4(range[i].ip, range[i].bits);

        if (p->bits >= r.bits && prefix_contains(&r, &p->addr))
            return true;
    }
    return false;
}

int prefix_parse(const char *text, struct prefix *out, struct why *w)
{
    char ip_text[INET_ADDRSTRLEN], right[PREFIX_TEXT_LEN], extra;
    struct prefix p;
    uint8_t ip[4];
    unsigned bits;

    if (sscanf(text, "%15[0-9.]/%3u%c", ip_text, &bits, &extra) != 2 ||
        inet_pton(AF_INET, ip_text, ip) != 1)
        return why_set(w, -EINVAL, "%s is no IPv4 prefix: write it like 10.77.0.0/20", text);
    if (bits < TN_CERT_IPV4_BITS_MIN || bits > TN_CERT_IPV4_BITS_MAX)
        return why_set(w, -EINVAL, "%s: a network's prefix has %d to %d bits", text,
                       TN_CERT_IPV4_BITS_MIN, TN_CERT_IPV4_BITS_MAX);
    p = prefix_v4(ip, (uint8_t)bits);
    if (memcmp(p.addr.ip + 12, ip, 4) != 0)
        return why_set(w, -EINVAL, "%s has host bits set: did you mean %s?", text,
                       prefix_text(&p, right));
    if (!is_private(&p))
        return why_set(w, -EINVAL, "%s is not private: take one within 10.0.0.0/8, 172.16.0.0/12, "
                       "192.168.0.0/16 or 100.64.0.0/10", text);
    *out = p;
    return 0;
}

bool prefix_host(const struct prefix *p, uint32_t n, uint8_t ip[4])
{
    uint32_t size = (uint32_t)1 << (32 - p->bits);

    if (n == 0 || n >= size - 1)
        return false;
    tn_put_be32(ip, tn_get_be32(p->addr.ip + 12) + n);
    return true;
}

uint32_t prefix_host_number(const struct prefix *p, const uint8_t ip[4])
{
    struct tn_addr a = tn_addr_v4(ip, 0);

    return prefix_contains(p, &a) ? tn_get_be32(ip) - tn_get_be32(p->addr.ip + 12) : 0;
}

/* ---- routes ---- */

static void keep_route(void *ctx, const struct nl_route *route)
{
    struct prefix_routes *r = ctx;
    struct nl_route *row;

    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;

        row = realloc(r->row, cap * sizeof(*row));
        if (!row) {
            r->no_memory = true;
            return;
        }
        r->row = row;
        r->cap = cap;
    }
    r->row[r->count++] = *route;
}

int prefix_routes_read(struct prefix_routes *r, struct why *w)
{
    struct nl nl;
    int err;

    *r = (struct prefix_routes){0};
    err = nl_open(&nl);
    if (!err) {
        err = nl_route_each(&nl, keep_route, r);
        nl_close(&nl);
    }
    if (!err && r->no_memory)
        err = -ENOMEM;
    if (err) {
        prefix_routes_free(r);
        return why_set(w, err, "cannot read this host's routes: %s", strerror(-err));
    }
    return 0;
}

void prefix_routes_free(struct prefix_routes *r)
{
    free(r->row);
    *r = (struct prefix_routes){0};
}

const struct nl_route *prefix_clash(const struct prefix *p, const struct prefix_routes *r,
                                    const char *own_ifname)
{
    bool v4 = tn_addr_is_v4(&p->addr);

    for (size_t i = 0; i < r->count; i++) {
        const struct nl_route *route = &r->row[i];
        uint8_t shorter = route->bits < p->bits ? route->bits : p->bits;

        if (route->v4 != v4 || route->bits <= 1 || route->type != RTN_UNICAST)
            continue;
        if (own_ifname && strcmp(route->ifname, own_ifname) == 0)
            continue;
        if (same_bits(route->prefix.ip, p->addr.ip, mapped_bits(&p->addr, shorter)))
            return route;
    }
    return NULL;
}

int prefix_check(const struct prefix *p, const struct prefix_routes *r, const char *own_ifname,
                 struct why *w)
{
    const struct nl_route *route = prefix_clash(p, r, own_ifname);
    char ours[PREFIX_TEXT_LEN], theirs[PREFIX_TEXT_LEN];
    struct prefix other;

    if (!route)
        return 0;
    other = (struct prefix){.addr = route->prefix, .bits = route->bits};
    return why_set(w, -EADDRINUSE, "the overlay's prefix %s clashes with this host's route to %s%s%s",
                   prefix_text(p, ours), prefix_text(&other, theirs), route->ifname[0] ? " via " : "",
                   route->ifname);
}

int prefix_choose(struct prefix *out, const struct prefix_routes *r, const uint8_t seed[32],
                  struct why *w)
{
    static const struct {
        uint8_t ip[4], bits;
    } pool[] = {{{10, 0, 0, 0}, 8}, {{172, 16, 0, 0}, 12}};
    struct tn_rng rng;

    tn_rng_init(&rng, seed);
    for (size_t i = 0; i < sizeof(pool) / sizeof(pool[0]); i++) {
        for (int k = 0; k < CHOOSE_TRIES; k++) {
            uint32_t pick = tn_rng_below(&rng, (uint32_t)1 << (PREFIX_DEFAULT_BITS - pool[i].bits));
            struct prefix p;
            uint8_t ip[4];

            tn_put_be32(ip, tn_get_be32(pool[i].ip) | pick << (32 - PREFIX_DEFAULT_BITS));
            p = prefix_v4(ip, PREFIX_DEFAULT_BITS);
            if (!prefix_clash(&p, r, NULL)) {
                *out = p;
                return 0;
            }
        }
    }
    return why_set(w, -EADDRNOTAVAIL, "this host has routes to all of 10.0.0.0/8 and 172.16.0.0/12: "
                   "choose the network's prefix yourself with --prefix");
}
