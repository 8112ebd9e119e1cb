/* Peers: slots in the caller's array, found by public key through an open
 * hash table (linear probing, keyed, so that nobody can aim at one run), and
 * by receiver index: its low bits are the slot, the rest is random. */
#include "node.h"

#include <string.h>

#include "node_via.h"

static uint32_t hash_key(const struct tn_node *n, const uint8_t pub[32])
{
    uint8_t h[4];

    tn_blake2s(h, sizeof h, n->table_key, sizeof n->table_key, pub, 32);
    return ((uint32_t)h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16 | (uint32_t)h[3] << 24) &
           (n->mem.peer_table_len - 1);
}

void tn_table_insert(struct tn_node *n, uint32_t peer)
{
    uint32_t i = hash_key(n, n->mem.peers[peer].hs.remote_static);

    while (n->mem.peer_table[i] != TN_NO_PEER)
        i = (i + 1) & (n->mem.peer_table_len - 1);
    n->mem.peer_table[i] = peer;
}

/* Removal by moving back what the gap would hide (Knuth, 6.4, algorithm R). */
void tn_table_remove(struct tn_node *n, uint32_t peer)
{
    uint32_t mask = n->mem.peer_table_len - 1;
    uint32_t i = hash_key(n, n->mem.peers[peer].hs.remote_static);
    uint32_t gap;

    while (n->mem.peer_table[i] != peer)
        i = (i + 1) & mask;
    gap = i;
    for (;;) {
        uint32_t home;

        i = (i + 1) & mask;
        if (n->mem.peer_table[i] == TN_NO_PEER)
            break;
        home = hash_key(n, n->mem.peers[n->mem.peer_table[i]].hs.remote_static);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            n->mem.peer_table[gap] = n->mem.peer_table[i];
            gap = i;
        }
    }
    n->mem.peer_table[gap] = TN_NO_PEER;
}

uint32_t tn_node_peer_find(const struct tn_node *n, const uint8_t pub[32])
{
    uint32_t i = hash_key(n, pub);

    for (; n->mem.peer_table[i] != TN_NO_PEER; i = (i + 1) & (n->mem.peer_table_len - 1)) {
        uint32_t peer = n->mem.peer_table[i];

        if (!memcmp(n->mem.peers[peer].hs.remote_static, pub, 32))
            return peer;
    }
    return TN_NO_PEER;
}

const struct tn_peer *tn_peer_look(const struct tn_node *n, uint32_t peer)
{
    if (peer >= n->mem.peer_cap || !n->mem.peers[peer].used)
        return NULL;
    return &n->mem.peers[peer];
}

struct tn_peer *tn_peer_at(struct tn_node *n, uint32_t peer)
{
    if (peer >= n->mem.peer_cap || !n->mem.peers[peer].used)
        return NULL;
    return &n->mem.peers[peer];
}

uint32_t tn_peer_new_index(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint32_t index;

    do
        index = (tn_rng_u32(&n->rng) & ~n->slot_mask) | peer;
    while (tn_keys_find(&p->keys, index) || tn_noise_is_waiting(&p->hs, index));
    return index;
}

/* The lowest. The search goes on from where it ended, so that many peers are not looked at for each. */
static uint32_t free_slot(struct tn_node *n)
{
    while (n->first_free < n->mem.peer_cap && n->mem.peers[n->first_free].used)
        n->first_free++;
    return n->first_free < n->mem.peer_cap ? n->first_free : TN_NO_PEER;
}

int tn_node_peer_add(struct tn_node *n, const uint8_t pub[32], struct tn_now now, uint32_t *peer)
{
    uint32_t slot = tn_node_peer_find(n, pub);
    struct tn_peer *p;

    if (slot != TN_NO_PEER)
        return TN_EEXIST;
    slot = free_slot(n);
    if (slot == TN_NO_PEER)
        return TN_ENOSPC;
    p = &n->mem.peers[slot];
    memset(p, 0, sizeof *p);
    p->used = true;
    p->paths = n->mem.paths ? &n->mem.paths[slot] : NULL;
    p->added_us = now.us;
    p->reachable = true;
    p->heap_at = TN_NO_PEER;
    p->member = TN_NO_PEER;
    p->mtu = n->mtu;
    tn_noise_init(&p->hs, &n->local, pub, NULL);
    tn_keys_init(&p->keys);
    tn_timers_init(&p->timers);
    tn_cookie_maker_init(&p->cookie, pub);
    tn_table_insert(n, slot);
    tn_sched_update(n, slot);
    *peer = slot;
    return 0;
}

void tn_node_peer_remove(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p)
        return;
    tn_via_forget(n, peer);
    tn_sched_remove(n, peer);
    tn_table_remove(n, peer);
    tn_allowed_remove_by_peer(&n->allowed, peer);
    tn_frag_forget(&n->frags, peer);
    tn_wipe(p, sizeof *p);
    p->heap_at = TN_NO_PEER;
    if (peer < n->first_free)
        n->first_free = peer;
}

void tn_node_peer_set_psk(struct tn_node *n, uint32_t peer, const uint8_t psk[32])
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (p)
        tn_noise_set_psk(&p->hs, psk);
}

void tn_node_peer_set_endpoint(struct tn_node *n, uint32_t peer, const struct tn_addr *a)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p)
        return;
    p->endpoint = *a;
    p->has_endpoint = true;
}

void tn_node_peer_set_keepalive(struct tn_node *n, uint32_t peer, uint16_t s, struct tn_now now)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p)
        return;
    p->keepalive_s = s;
    tn_timers_set_persistent(&p->timers, s, now.us);
    tn_sched_update(n, peer);
}

int tn_node_allowed_add(struct tn_node *n, uint32_t peer, const uint8_t *ip, bool v4,
                        uint8_t bits)
{
    struct tn_prefix prefix = {.family = v4 ? 4 : 6, .cidr = bits};

    if (!tn_peer_at(n, peer))
        return TN_ENOENT;
    memcpy(prefix.ip, ip, v4 ? 4 : 16);
    return tn_allowed_insert(&n->allowed, &prefix, peer);
}

int tn_node_allowed_remove(struct tn_node *n, uint32_t peer, const uint8_t *ip, bool v4,
                           uint8_t bits)
{
    struct tn_prefix prefix = {.family = v4 ? 4 : 6, .cidr = bits};

    if (!tn_peer_at(n, peer))
        return TN_ENOENT;
    memcpy(prefix.ip, ip, v4 ? 4 : 16);
    return tn_allowed_remove(&n->allowed, &prefix, peer);
}

void tn_node_allowed_clear(struct tn_node *n, uint32_t peer)
{
    if (tn_peer_at(n, peer))
        tn_allowed_remove_by_peer(&n->allowed, peer);
}

void tn_node_allowed_each(const struct tn_node *n, uint32_t peer,
                          void (*cb)(void *ctx, const uint8_t ip[16], bool v4, uint8_t bits),
                          void *ctx)
{
    uint32_t at = TN_ALLOWED_NONE;
    struct tn_prefix prefix;

    while (tn_allowed_next(&n->allowed, peer, &at, &prefix))
        cb(ctx, prefix.ip, prefix.family == 4, prefix.cidr);
}

uint32_t tn_node_peer_cap(const struct tn_node *n)
{
    return n->mem.peer_cap;
}

const char *tn_path_kind_name(enum tn_path_kind k)
{
    static const char *const name[] = {
        [TN_PATH_NONE] = "none",
        [TN_PATH_RELAY] = "relay",
        [TN_PATH_DIRECT] = "direct",
        [TN_PATH_MEMBER] = "member",
    };

    return name[k];
}
