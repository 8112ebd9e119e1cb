/* Cryptokey routing (paper, 2): which peer owns an inner address. A
 * path-compressed binary trie for each family, in nodes of the caller. */
#ifndef TN_WG_ALLOWED_H
#define TN_WG_ALLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"

#define TN_ALLOWED_NONE UINT32_MAX /* no peer, no node */

struct tn_prefix {
    uint8_t ip[16]; /* network order; IPv4 uses the first 4, the rest is zero */
    uint8_t family; /* 4 or 6 */
    uint8_t cidr;   /* 0..32 or 0..128 */
};

struct tn_allowed_node {
    uint8_t ip[16];
    uint32_t child[2];
    uint32_t peer; /* TN_ALLOWED_NONE: only a fork */
    uint32_t next; /* list of the peer's prefixes; of the free nodes */
    uint32_t prev;
    uint8_t cidr;
    uint8_t family; /* 0: on the free list */
};

struct tn_allowed {
    struct tn_allowed_node *node;
    uint32_t node_cap;
    uint32_t *head; /* first prefix of each peer */
    uint32_t peer_cap;
    uint32_t root[2]; /* IPv4, IPv6 */
    uint32_t free;       /* list of those given back */
    uint32_t fresh;      /* from here on none was ever taken: their memory is untouched */
    uint32_t free_count; /* of both kinds */
};

/* n prefixes need at most 2 n nodes. head: one uint32_t for each of peer_cap peers. */
void tn_allowed_init(struct tn_allowed *t, struct tn_allowed_node *node, uint32_t node_cap,
                     uint32_t *head, uint32_t peer_cap);

/* Gives the prefix (bits beyond cidr are ignored) to a peer, away from any other that has it.
 * TN_EINVAL, TN_ENOSPC. */
TN_MUST_CHECK int tn_allowed_insert(struct tn_allowed *t, const struct tn_prefix *p,
                                    uint32_t peer);
/* TN_ENOENT when this peer does not have exactly this prefix. */
TN_MUST_CHECK int tn_allowed_remove(struct tn_allowed *t, const struct tn_prefix *p,
                                    uint32_t peer);
void tn_allowed_remove_by_peer(struct tn_allowed *t, uint32_t peer);

/* Owner of the longest matching prefix, or TN_ALLOWED_NONE. */
uint32_t tn_allowed_lookup4(const struct tn_allowed *t, const uint8_t ip[4]);
uint32_t tn_allowed_lookup6(const struct tn_allowed *t, const uint8_t ip[16]);

/* Owner of exactly this prefix, or TN_ALLOWED_NONE. */
uint32_t tn_allowed_owner(const struct tn_allowed *t, const struct tn_prefix *p);

/* Walks a peer's prefixes, newest first: *at begins as TN_ALLOWED_NONE. False at the end. Nothing
 * may be inserted or removed meanwhile. */
bool tn_allowed_next(const struct tn_allowed *t, uint32_t peer, uint32_t *at,
                     struct tn_prefix *out);

#endif
