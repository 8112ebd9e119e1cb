/* The table of candidates of one peer: at most TN_PATHS_PER_FAMILY of each family.
 *
 * Who lists a candidate proves nothing by it: a hostile member or coordinator may
 * list a third party's address a thousand times (RFC 8445 section 19.5.1). So an
 * address that may not be probed is kept only to be shown, and neither a candidate
 * that works nor one that is being tried ever makes room for a new one. */
#include <string.h>

#include "paths_priv.h"

void tn_probe_init(struct tn_probe *pr, const struct tn_now *now)
{
    memset(pr, 0, sizeof *pr);
    tn_deadline_clear_all(pr->row, TN_PROBE_ROWS);
    pr->used = true;
    pr->c.added_us = now->us;
    pr->c.next_try_us = TN_NEVER;
}

struct tn_probe *tn_table_find(struct tn_paths *p, const struct tn_addr *addr)
{
    if (p->best >= 0 && tn_addr_equal(&p->cand[p->best].c.addr, addr))
        return &p->cand[p->best]; /* most packets */
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        if (p->cand[i].used && tn_addr_equal(&p->cand[i].c.addr, addr))
            return &p->cand[i];
    return NULL;
}

/* IPv4, IPv6, members: each has its share of the places. */
enum kind { KIND_V4, KIND_V6, KIND_MEMBER };

static enum kind kind_of(const struct tn_addr *addr, uint8_t origin)
{
    if (origin == TN_CAND_MEMBER)
        return KIND_MEMBER;
    return tn_addr_is_v4(addr) ? KIND_V4 : KIND_V6;
}

/* How willingly a candidate makes room; 0 is never. */
static int eviction_rank(const struct tn_paths *p, const struct tn_probe *pr,
                         const struct tn_now *now)
{
    if (tn_paths_is_best(p, pr) || pr->round_us)
        return 0;
    switch (pr->c.verdict) {
    case TN_CAND_REFUSED:
        return 4;
    case TN_CAND_SILENT:
        return 3;
    case TN_CAND_LOST:
        return 2;
    case TN_CAND_ANSWERED_SMALL:
        return 1;
    case TN_CAND_NEW: /* its turn never came */
        return now->us - pr->c.added_us > TN_NEW_STALE_US ? 1 : 0;
    default:
        return 0;
    }
}

static uint64_t last_sign_us(const struct tn_probe *pr)
{
    return pr->c.last_in_us ? pr->c.last_in_us : pr->c.added_us;
}

static struct tn_probe *find_evictable(struct tn_paths *p, enum kind kind,
                                       const struct tn_now *now)
{
    struct tn_probe *found = NULL;
    int found_rank = 0;

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];
        int rank;

        if (!pr->used || kind_of(&pr->c.addr, pr->c.origin) != kind)
            continue;
        rank = eviction_rank(p, pr, now);
        if (rank > found_rank ||
            (rank > 0 && rank == found_rank && last_sign_us(pr) < last_sign_us(found))) {
            found = pr;
            found_rank = rank;
        }
    }
    return found;
}

/* A place for a new candidate of that kind; with `evict`, another one's if need be. */
static struct tn_probe *find_place(struct tn_paths *p, enum kind kind, bool evict,
                                   const struct tn_now *now)
{
    size_t count = 0, share = kind == KIND_MEMBER ? TN_PATHS_MEMBERS : TN_PATHS_PER_FAMILY;
    struct tn_probe *place = NULL;

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        if (!p->cand[i].used)
            place = place ? place : &p->cand[i];
        else if (kind_of(&p->cand[i].c.addr, p->cand[i].c.origin) == kind)
            count++;
    }
    if (count < share && place)
        return place;
    return evict ? find_evictable(p, kind, now) : NULL;
}

static struct tn_probe *take_place(struct tn_paths *p, const struct tn_addr *addr, uint8_t origin,
                                   bool evict, const struct tn_now *now)
{
    struct tn_probe *pr = find_place(p, kind_of(addr, origin), evict, now);

    if (!pr)
        return NULL;
    if (p->spare >= 0 && pr == &p->cand[p->spare])
        p->spare = -1;
    tn_probe_init(pr, now);
    pr->c.addr = *addr;
    pr->c.origin = origin;
    pr->c.cost_us = origin == TN_CAND_MEMBER ? TN_COST_MEMBER : tn_score_cost_us(addr);
    return pr;
}

struct tn_probe *tn_table_add(struct tn_paths *p, const struct tn_addr *addr, uint8_t origin,
                              const struct tn_now *now)
{
    return take_place(p, addr, origin, true, now);
}

void tn_probe_remove(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (pr->c.verdict == TN_CAND_CHECKED)
        tn_probe_lose(p, pr, now);
    if (tn_paths_is_best(p, pr))
        p->best = -1;
    if (p->spare >= 0 && pr == &p->cand[p->spare])
        p->spare = -1;
    pr->used = false;
    tn_paths_choose(p, now);
    tn_paths_renew_next(p);
}

static bool is_in(const struct tn_cand_wire *list, size_t count, const struct tn_addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (tn_addr_equal(&list[i].addr, addr))
            return true;
    return false;
}

size_t tn_paths_offer(struct tn_paths *p, const struct tn_cand_wire *list, size_t count,
                      const struct tn_cand_wire *own, size_t own_count, const struct tn_now *now)
{
    size_t added = 0;

    if (p->cfg.relay_only)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct tn_addr *addr = &list[i].addr;
        bool ok = tn_addr_is_probeable(addr) && !is_in(own, own_count, addr);
        struct tn_probe *pr = tn_table_find(p, addr);
        bool is_new = !pr || (ok && pr->c.verdict == TN_CAND_REFUSED);

        if (!pr)
            pr = take_place(p, addr, list[i].origin, ok, now);
        if (!pr || !is_new)
            continue;
        pr->c.verdict = ok ? TN_CAND_NEW : TN_CAND_REFUSED;
        added += ok;
    }
    tn_paths_renew_next(p); /* who made room may have been the next */
    return added;
}
