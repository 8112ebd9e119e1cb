/* How it works: two halves, so a row holds at most one of them until the packet is whole,
 * and where each half lies in the packet follows from the packet's length. A row is a peer's
 * and a packet's. When none is free, the oldest of a peer who holds half of them makes room for
 * his next, so that he cannot push out the others'; else the oldest of all does. No timer: a row
 * that is too old is free when one is wanted, and is not matched. */
#include "frag.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "linkmsg.h"

#define WG_PADDING_MAX 15

size_t tn_frag_part_len(uint16_t total, uint8_t part)
{
    return part ? total / 2u : total - total / 2u;
}

static size_t part_offset(uint16_t total, uint8_t part)
{
    return part ? tn_frag_part_len(total, 0) : 0;
}

void tn_frag_encode(uint8_t out[TN_FRAG_HEADER_LEN], uint8_t part, uint16_t id, uint16_t total)
{
    out[0] = TN_LINK_FRAGMENT;
    out[1] = part;
    tn_put_be16(out + 2, id);
    tn_put_be16(out + 4, total);
}

int tn_frag_decode(const uint8_t *inner, size_t len, struct tn_frag *f)
{
    struct tn_frag d = {0};
    size_t rest;

    if (len < TN_FRAG_HEADER_LEN || inner[0] != TN_LINK_FRAGMENT || inner[1] > 1)
        return TN_EINVAL;
    d.part = inner[1];
    d.id = tn_get_be16(inner + 2);
    d.total = tn_get_be16(inner + 4);
    if (d.total < TN_FRAG_PACKET_MIN || d.total > TN_FRAG_PACKET_MAX)
        return TN_EINVAL;
    d.data = inner + TN_FRAG_HEADER_LEN;
    d.len = tn_frag_part_len(d.total, d.part);
    rest = len - TN_FRAG_HEADER_LEN;
    if (rest < d.len || rest - d.len > WG_PADDING_MAX || !tn_ct_is_zero(d.data + d.len, rest - d.len))
        return TN_EINVAL;
    *f = d;
    return TN_OK;
}

void tn_frag_init(struct tn_frag_table *t, struct tn_frag_row *row, uint32_t count)
{
    t->row = row;
    t->count = row ? count : 0;
    for (uint32_t i = 0; i < t->count; i++)
        row[i].state = TN_FRAG_FREE;
}

static bool is_free(const struct tn_frag_row *r, uint64_t now_us)
{
    return r->state == TN_FRAG_FREE || now_us - r->at_us >= TN_FRAG_LIFE_US;
}

/* A free row, or the one that makes room; NULL: all are on their way out. */
static struct tn_frag_row *take_row(struct tn_frag_table *t, uint32_t peer, uint64_t now_us)
{
    struct tn_frag_row *vacant = NULL, *oldest = NULL, *oldest_own = NULL;
    uint32_t own = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        struct tn_frag_row *r = &t->row[i];

        if (is_free(r, now_us)) {
            vacant = r;
            continue;
        }
        if (r->state != TN_FRAG_IN)
            continue;
        if (!oldest || r->at_us < oldest->at_us)
            oldest = r;
        if (r->peer != peer)
            continue;
        own++;
        if (!oldest_own || r->at_us < oldest_own->at_us)
            oldest_own = r;
    }
    if (vacant)
        return vacant;
    return oldest_own && own >= (t->count + 1) / 2 ? oldest_own : oldest;
}

static struct tn_frag_row *find(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                                uint64_t now_us)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct tn_frag_row *r = &t->row[i];

        if (r->state == TN_FRAG_IN && !is_free(r, now_us) && r->peer == peer && r->id == f->id &&
            r->total == f->total)
            return r;
    }
    return NULL;
}

uint8_t *tn_frag_put(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                     uint64_t now_us)
{
    struct tn_frag_row *r = find(t, peer, f, now_us);
    bool whole = r && r->part != f->part;

    if (r && !whole)
        return NULL; /* the same half again */
    if (!r)
        r = take_row(t, peer, now_us);
    if (!r)
        return NULL;
    memcpy(r->data + part_offset(f->total, f->part), f->data, f->len);
    if (whole) {
        r->state = TN_FRAG_FREE;
        return r->data;
    }
    r->state = TN_FRAG_IN;
    r->at_us = now_us;
    r->peer = peer;
    r->id = f->id;
    r->total = f->total;
    r->part = f->part;
    return NULL;
}

int tn_frag_keep(struct tn_frag_table *t, uint32_t peer, uint16_t id, const uint8_t *packet,
                 uint16_t total, uint64_t now_us)
{
    struct tn_frag_row *r = take_row(t, peer, now_us);

    if (!r)
        return TN_ENOSPC;
    r->state = TN_FRAG_OUT;
    r->at_us = now_us;
    r->peer = peer;
    r->id = id;
    r->total = total;
    r->part = 1;
    memcpy(r->data, packet + part_offset(total, 1), tn_frag_part_len(total, 1));
    return TN_OK;
}

static struct tn_frag_row *oldest_out(const struct tn_frag_table *t)
{
    struct tn_frag_row *oldest = NULL;

    for (uint32_t i = 0; i < t->count; i++) {
        struct tn_frag_row *r = &t->row[i];

        if (r->state == TN_FRAG_OUT && (!oldest || r->at_us < oldest->at_us))
            oldest = r;
    }
    return oldest;
}

bool tn_frag_has_out(const struct tn_frag_table *t)
{
    return oldest_out(t) != NULL;
}

size_t tn_frag_next_out(struct tn_frag_table *t, uint8_t *out, uint32_t *peer)
{
    struct tn_frag_row *r = oldest_out(t);
    size_t len;

    if (!r)
        return 0;
    len = tn_frag_part_len(r->total, 1);
    tn_frag_encode(out, 1, r->id, r->total);
    memcpy(out + TN_FRAG_HEADER_LEN, r->data, len);
    *peer = r->peer;
    r->state = TN_FRAG_FREE;
    return TN_FRAG_HEADER_LEN + len;
}

void tn_frag_forget(struct tn_frag_table *t, uint32_t peer)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->row[i].peer == peer)
            t->row[i].state = TN_FRAG_FREE;
    }
}
