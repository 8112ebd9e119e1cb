/* relayload: pairs of sockets, the first of which sends through a relay to the second. How a pair is
 * made known to the relay is its kind's affair; then all is the same for both kinds. */
#ifndef TUND_BENCH_RELAYLOAD_H
#define TUND_BENCH_RELAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"

#define LOAD_HEAD_MAX 16
#define LOAD_PAIRS_MAX 64

struct load_pair {
    int from, to;                   /* UDP sockets; `from` is connected to the relay */
    uint8_t head[LOAD_HEAD_MAX];    /* what stands before each payload on its way to the relay */
    size_t head_len;
    size_t arrives_len;             /* of a datagram when it comes out, header included */
};

/* Both make pairs of datagrams with `payload` bytes; they do not return on failure. */
void load_pairs_tund(struct load_pair *pair, unsigned count, const char *url,
                     const struct tn_addr *local, size_t payload);
void load_pairs_turn(struct load_pair *pair, unsigned count, const struct tn_addr *server,
                     const struct tn_addr *local, size_t payload);

/* Without a relay: each `to` is in the namespace at the path `netns`, at the address `there`. */
void load_pairs_straight(struct load_pair *pair, unsigned count, const char *netns,
                         const struct tn_addr *there, const struct tn_addr *local, size_t payload);

/* So many idle members, or allocations, until standard input ends; prints "ready" when they are there.
 * Each has an address of its own, `local` and those after it, since one source gets few handshakes. */
void load_idle_tund(unsigned count, const char *url, const struct tn_addr *local);
void load_idle_turn(unsigned count, const struct tn_addr *server, const struct tn_addr *local);

#endif
