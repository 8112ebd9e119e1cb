/* A binary trie in which a node stands for a whole prefix, so that chains of
 * single children do not exist: a node either has an owner or is a fork with
 * two children. n prefixes therefore need at most 2n - 1 nodes.
 *
 *                 10.0.0.0/8  peer 1
 *                /           \
 *      10.0.0.0/15 (fork)     10.200.0.0/16 peer 2
 *       /            \
 *   10.0.0.5/32   10.1.0.0/16
 *
 * Lookup walks down while prefixes match and remembers the last owner seen.
 * Nodes are numbers in the caller's array, linked with the prefixes of the same
 * peer, so that removing a peer does not search. */
#include "allowed.h"

#include <string.h>

#define NONE TN_ALLOWED_NONE

static unsigned bit_at(const uint8_t *ip, unsigned i)
{
    return (ip[i / 8] >> (7 - i % 8)) & 1u;
}

/* Number of leading bits that a and b have in common, counted up to max. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;

    while (n + 8 <= max && a[n / 8] == b[n / 8])
        n += 8;
    while (n < max && bit_at(a, n) == bit_at(b, n))
        n++;
    return n;
}

static bool has_prefix(const uint8_t *ip, const struct tn_allowed_node *node)
{
    unsigned whole = node->cidr / 8u;
    unsigned rest = node->cidr % 8u;

    if (memcmp(ip, node->ip, whole) != 0)
        return false;
    return rest == 0 || ((ip[whole] ^ node->ip[whole]) >> (8 - rest)) == 0;
}

static bool normalise(const struct tn_prefix *in, struct tn_prefix *out)
{
    unsigned max = in->family == 4 ? 32 : 128;

    if ((in->family != 4 && in->family != 6) || in->cidr > max)
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->ip, in->ip, in->cidr / 8u);
    if (in->cidr % 8u)
        out->ip[in->cidr / 8u] = in->ip[in->cidr / 8u] & (uint8_t)(0xff00u >> (in->cidr % 8u));
    out->family = in->family;
    out->cidr = in->cidr;
    return true;
}

void tn_allowed_init(struct tn_allowed *t, struct tn_allowed_node *node, uint32_t node_cap,
                     uint32_t *head, uint32_t peer_cap)
{
    t->node = node;
    t->node_cap = node_cap;
    t->head = head;
    t->peer_cap = peer_cap;
    t->root[0] = t->root[1] = NONE;
    t->free = NONE;
    t->fresh = 0;
    t->free_count = node_cap;
    for (uint32_t i = 0; i < peer_cap; i++)
        head[i] = NONE;
}

static uint32_t take_node(struct tn_allowed *t, const uint8_t *ip, uint8_t family, uint8_t cidr)
{
    struct tn_prefix in = {.family = family, .cidr = cidr};
    struct tn_prefix p;
    uint32_t at = t->free != NONE ? t->free : t->fresh;
    struct tn_allowed_node *n = &t->node[at];

    if (at == t->free)
        t->free = n->next;
    else
        t->fresh++;
    t->free_count--;
    memcpy(in.ip, ip, sizeof(in.ip));
    (void)normalise(&in, &p); /* family and cidr come from a prefix that was checked */
    memcpy(n->ip, p.ip, sizeof(n->ip));
    n->family = family;
    n->cidr = cidr;
    n->child[0] = n->child[1] = NONE;
    n->peer = n->next = n->prev = NONE;
    return at;
}

static void give_node(struct tn_allowed *t, uint32_t at)
{
    memset(&t->node[at], 0, sizeof(t->node[at]));
    t->node[at].next = t->free;
    t->free = at;
    t->free_count++;
}

static void disown(struct tn_allowed *t, uint32_t at)
{
    struct tn_allowed_node *n = &t->node[at];

    if (n->peer == NONE)
        return;
    if (n->prev == NONE)
        t->head[n->peer] = n->next;
    else
        t->node[n->prev].next = n->next;
    if (n->next != NONE)
        t->node[n->next].prev = n->prev;
    n->peer = n->next = n->prev = NONE;
}

static void own(struct tn_allowed *t, uint32_t at, uint32_t peer)
{
    struct tn_allowed_node *n = &t->node[at];

    disown(t, at);
    n->peer = peer;
    n->next = t->head[peer];
    if (n->next != NONE)
        t->node[n->next].prev = at;
    t->head[peer] = at;
}

/* The link at which the walk towards p ends: to the node with exactly this prefix, to one that is
 * not a prefix of p, or to nothing. *parent is the link before it, or NULL. */
static uint32_t *find_link(struct tn_allowed *t, const struct tn_prefix *p, uint32_t **parent)
{
    uint32_t *link = &t->root[p->family == 6];

    *parent = NULL;
    while (*link != NONE) {
        struct tn_allowed_node *n = &t->node[*link];

        if (n->cidr >= p->cidr || !has_prefix(p->ip, n))
            break;
        *parent = link;
        link = &n->child[bit_at(p->ip, n->cidr)];
    }
    return link;
}

static bool is_exactly(const struct tn_allowed *t, uint32_t at, const struct tn_prefix *p)
{
    return at != NONE && t->node[at].cidr == p->cidr && has_prefix(p->ip, &t->node[at]);
}

int tn_allowed_insert(struct tn_allowed *t, const struct tn_prefix *prefix, uint32_t peer)
{
    struct tn_prefix p;
    uint32_t *parent;
    uint32_t *link;
    uint32_t below;
    uint32_t leaf;
    unsigned common;

    if (peer >= t->peer_cap || !normalise(prefix, &p))
        return TN_EINVAL;
    link = find_link(t, &p, &parent);
    below = *link;
    if (is_exactly(t, below, &p)) {
        own(t, below, peer);
        return 0;
    }
    common = below == NONE ? p.cidr : common_bits(p.ip, t->node[below].ip, p.cidr);
    if (t->free_count < (common == p.cidr ? 1u : 2u))
        return TN_ENOSPC;

    leaf = take_node(t, p.ip, p.family, p.cidr);
    if (below == NONE) {
        *link = leaf;
    } else if (common == p.cidr) {
        t->node[leaf].child[bit_at(t->node[below].ip, common)] = below;
        *link = leaf;
    } else {
        uint32_t fork = take_node(t, p.ip, p.family, (uint8_t)common);

        t->node[fork].child[bit_at(p.ip, common)] = leaf;
        t->node[fork].child[bit_at(t->node[below].ip, common)] = below;
        *link = fork;
    }
    own(t, leaf, peer);
    return 0;
}

static void remove_at(struct tn_allowed *t, uint32_t *link, uint32_t *parent)
{
    uint32_t at = *link;
    struct tn_allowed_node *n = &t->node[at];

    disown(t, at);
    if (n->child[0] != NONE && n->child[1] != NONE)
        return; /* it lives on as a fork */
    *link = n->child[n->child[0] == NONE];
    give_node(t, at);
    if (*link == NONE && parent && t->node[*parent].peer == NONE) {
        /* The parent was a fork of two and has one child left: that one takes its place. */
        uint32_t fork = *parent;

        *parent = t->node[fork].child[t->node[fork].child[0] == NONE];
        give_node(t, fork);
    }
}

int tn_allowed_remove(struct tn_allowed *t, const struct tn_prefix *prefix, uint32_t peer)
{
    struct tn_prefix p;
    uint32_t *parent;
    uint32_t *link;

    if (peer >= t->peer_cap || !normalise(prefix, &p))
        return TN_EINVAL;
    link = find_link(t, &p, &parent);
    if (!is_exactly(t, *link, &p) || t->node[*link].peer != peer)
        return TN_ENOENT;
    remove_at(t, link, parent);
    return 0;
}

void tn_allowed_remove_by_peer(struct tn_allowed *t, uint32_t peer)
{
    if (peer >= t->peer_cap)
        return;
    while (t->head[peer] != NONE) {
        const struct tn_allowed_node *n = &t->node[t->head[peer]];
        struct tn_prefix p = {.family = n->family, .cidr = n->cidr};
        uint32_t *parent;
        uint32_t *link;

        memcpy(p.ip, n->ip, sizeof(p.ip));
        link = find_link(t, &p, &parent);
        remove_at(t, link, parent);
    }
}

static uint32_t lookup(const struct tn_allowed *t, uint32_t at, const uint8_t *ip, unsigned bits)
{
    uint32_t best = NONE;

    while (at != NONE && has_prefix(ip, &t->node[at])) {
        const struct tn_allowed_node *n = &t->node[at];

        if (n->peer != NONE)
            best = n->peer;
        if (n->cidr == bits)
            break;
        at = n->child[bit_at(ip, n->cidr)];
    }
    return best;
}

uint32_t tn_allowed_lookup4(const struct tn_allowed *t, const uint8_t ip[4])
{
    return lookup(t, t->root[0], ip, 32);
}

uint32_t tn_allowed_lookup6(const struct tn_allowed *t, const uint8_t ip[16])
{
    return lookup(t, t->root[1], ip, 128);
}

uint32_t tn_allowed_owner(const struct tn_allowed *t, const struct tn_prefix *prefix)
{
    struct tn_prefix p;
    uint32_t at;

    if (!normalise(prefix, &p))
        return NONE;
    at = t->root[p.family == 6];
    while (at != NONE && t->node[at].cidr < p.cidr && has_prefix(p.ip, &t->node[at]))
        at = t->node[at].child[bit_at(p.ip, t->node[at].cidr)];
    return is_exactly(t, at, &p) ? t->node[at].peer : NONE;
}

bool tn_allowed_next(const struct tn_allowed *t, uint32_t peer, uint32_t *at,
                     struct tn_prefix *out)
{
    uint32_t next;

    if (peer >= t->peer_cap)
        return false;
    next = *at == NONE ? t->head[peer] : t->node[*at].next;
    if (next == NONE)
        return false;
    *at = next;
    memcpy(out->ip, t->node[next].ip, sizeof(out->ip));
    out->family = t->node[next].family;
    out->cidr = t->node[next].cidr;
    return true;
}
