/* A node's memory and life, and the settings that concern all of it. */
#include "node.h"

#include <string.h>

#include "node_via.h"

_Static_assert(TN_LIMIT_ENTRIES >= TN_LIMIT_WAYS && TN_LIMIT_ENTRIES % TN_LIMIT_WAYS == 0, "whole sets of the table");

/* Above this many handshakes a second, strangers are asked for a cookie. */
#define LOAD_PER_SECOND 500
/* Who sends by the relay is a member, and has no address that a cookie could prove. */
#define RELAYED_PER_SECOND 1000
/* Cookies, whoever asks; each costs about a handshake's tenth. */
#define REPLIES_PER_SECOND 2000

size_t tn_node_sizeof(void)
{
    return sizeof(struct tn_node);
}

size_t tn_peer_sizeof(void)
{
    return sizeof(struct tn_peer);
}

size_t tn_paths_sizeof(void)
{
    return sizeof(struct tn_paths);
}

static bool memory_is_sane(const struct tn_node_memory *m)
{
    if (!m->peer_cap || m->peer_cap > 1u << 20)
        return false;
    if (m->peer_table_len & (m->peer_table_len - 1) || m->peer_table_len < 2 * m->peer_cap)
        return false;
    if (m->members && !m->paths)
        return false;
    return m->peers && m->peer_heap && m->peer_table && m->allowed && m->allowed_head;
}

static uint32_t mask_for(uint32_t count)
{
    uint32_t mask = 0;

    while (mask < count - 1)
        mask = mask << 1 | 1;
    return mask;
}

/* The peers' memory is not touched before it is used: a fresh mapping is zero, and `used` decides. */
int tn_node_init(struct tn_node *n, const struct tn_node_memory *mem,
                 const struct tn_node_config *cfg)
{
    if (!memory_is_sane(mem) || cfg->mtu < 576)
        return TN_EINVAL;
    if (tn_crypto_init())
        return TN_ESTATE;
    memset(n, 0, sizeof *n);
    n->mem = *mem;
    n->mtu = cfg->mtu;
    for (uint32_t i = 0; i < mem->peer_cap; i++) {
        if (mem->peers[i].used)
            mem->peers[i].used = false;
    }
    for (uint32_t i = 0; i < mem->peer_table_len; i++)
        mem->peer_table[i] = TN_NO_PEER;
    n->slot_mask = mask_for(mem->peer_cap);
    tn_rng_init(&n->rng, cfg->rng_seed);
    tn_rng_bytes(&n->rng, n->table_key, sizeof n->table_key);
    tn_load_init(&n->load, LOAD_PER_SECOND);
    tn_load_init(&n->relay_load, RELAYED_PER_SECOND);
    tn_limit_init(&n->limit, n->limit_entry, TN_LIMIT_ENTRIES, &n->rng);
    tn_load_init(&n->reply_load, REPLIES_PER_SECOND);
    tn_limit_init(&n->reply_limit, n->reply_entry, TN_LIMIT_ENTRIES, &n->rng);
    tn_stamp_init(&n->stamp, cfg->stamp_ns);
    tn_stamp_extend(&n->stamp, cfg->stamp_ceiling_ns);
    tn_allowed_init(&n->allowed, mem->allowed, mem->allowed_cap, mem->allowed_head, mem->peer_cap);
    tn_frag_init(&n->frags, mem->fragments, mem->fragment_cap);
    tn_sched_init(n);
    tn_via_init(n);
    n->lan_at_us = TN_NEVER;
    n->keepalive_us = cfg->keepalive_us;
    n->pays_for_bytes = cfg->pays_for_bytes;
    return 0;
}

void tn_node_wipe(struct tn_node *n)
{
    struct tn_node_memory mem = n->mem;

    for (uint32_t i = 0; i < mem.peer_cap; i++) {
        if (!mem.peers[i].used)
            continue;
        if (mem.peers[i].is_member)
            tn_wipe(mem.peers[i].paths, sizeof *mem.peers[i].paths);
        tn_wipe(&mem.peers[i], sizeof mem.peers[i]);
    }
    if (mem.fragments)
        tn_wipe(mem.fragments, mem.fragment_cap * sizeof *mem.fragments);
    tn_wipe(n, sizeof *n);
}

int tn_node_set_private_key(struct tn_node *n, const uint8_t priv[32])
{
    struct tn_wg_local local = {0};
    int err = tn_wg_local_set(&local, priv);

    if (err)
        goto out;
    n->local = local;
    tn_cookie_checker_init(&n->checker, n->local.pub);
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p)
            continue;
        tn_noise_set_local(&p->hs, &n->local);
        tn_keys_wipe(&p->keys);
        tn_timers_stop(&p->timers);
        tn_sched_update(n, i);
    }
out:
    tn_wg_local_wipe(&local);
    return err;
}

bool tn_node_public_key(const struct tn_node *n, uint8_t pub[32])
{
    if (!n->local.has_key)
        return false;
    memcpy(pub, n->local.pub, 32);
    return true;
}

bool tn_node_private_key(const struct tn_node *n, uint8_t priv[32])
{
    if (!n->local.has_key)
        return false;
    memcpy(priv, n->local.priv, 32);
    return true;
}

void tn_node_extend_stamp(struct tn_node *n, uint64_t ceiling_ns)
{
    tn_stamp_extend(&n->stamp, ceiling_ns);
    n->stamp_asked = false;
    /* the initiations that had to wait for it */
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        if (tn_peer_at(n, i))
            tn_sched_want(n, i, 0);
    }
}

const struct tn_counters *tn_node_counters(const struct tn_node *n)
{
    return &n->counters;
}
