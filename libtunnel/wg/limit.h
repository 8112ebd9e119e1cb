/* How much handshake work strangers get: a token bucket for each source, and a
 * detector for "under load" (paper, 5.3 and 6.5). */
#ifndef TN_WG_LIMIT_H
#define TN_WG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../crypto/crypto.h"

#define TN_LIMIT_PER_SECOND 20u
#define TN_LIMIT_BURST 5u
#define TN_LIMIT_WAYS 4u /* entries in one set of the table */

/* One source: an IPv4 address or an IPv6 /64. */
struct tn_limit_entry {
    uint8_t source[8];
    uint64_t full_us; /* when its bucket is full again; in the past: the entry is free */
};

/* A hash table of fixed size, keyed so that nobody can aim at one set. A source whose bucket has
 * filled up again is the same as one never seen, so its entry is free: nothing ever has to be
 * collected. Where a set is full of busy sources a new one is refused. */
struct tn_limit {
    struct tn_limit_entry *entry;
    uint32_t sets;
    uint8_t key[32];
    uint8_t last_source[8]; /* and its set: it is asked for many times in a row, when it counts */
    uint32_t last_set;
};

/* count is rounded down to a multiple of TN_LIMIT_WAYS; at least TN_LIMIT_WAYS. 1024 entries serve
 * 4096 sources a second. */
void tn_limit_init(struct tn_limit *l, struct tn_limit_entry *entry, uint32_t count,
                   struct tn_rng *rng);
/* Takes one token of `from`. Where its address was not proven by a cookie, a forger can spend the
 * tokens of those whom he names. */
bool tn_limit_allow(struct tn_limit *l, const struct tn_addr *from, uint64_t now_us);
/* What tn_limit_allow would say, and nothing is taken. */
bool tn_limit_has(struct tn_limit *l, const struct tn_addr *from, uint64_t now_us);

/* Counts handshake messages; under load while more than `per_second` come, and one second after. */
struct tn_load {
    uint32_t per_second;
    uint64_t full_us;
    uint64_t until_us;
};

void tn_load_init(struct tn_load *l, uint32_t per_second);
/* Call for each initiation or response that arrives; true: ask for a cookie. */
bool tn_load_on_handshake(struct tn_load *l, uint64_t now_us);
/* The same meter as a plain budget: true for at most `per_second`, and a quarter second's worth at once. */
bool tn_load_take(struct tn_load *l, uint64_t now_us);
bool tn_load_has(const struct tn_load *l, uint64_t now_us); /* what tn_load_take would say */
bool tn_load_is_high(const struct tn_load *l, uint64_t now_us);

#endif
