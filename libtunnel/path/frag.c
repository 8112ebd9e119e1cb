/* How it works: a row holds a packet with gaps until it is whole, and where each part lies in it
 * follows from its length and the number of parts. A row is a peer's
 * and a packet's. When none is free, the oldest of a peer who holds half of them makes room for
 * his next, so that he cannot push out the others'; else the oldest of all does. No timer: a row
 * that is too old is free when one is wanted, and is not matched. */
#include "frag.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "linkmsg.h"

#define WG_PADDING_MAX 15

static size_t longest_part(uint16_t total, uint8_t parts)
{
    return (total + parts - 1u) / parts;
}

uint8_t tn_frag_parts(uint16_t total, uint16_t mtu)
{
    for (uint8_t parts = 2; parts <= TN_FRAG_PARTS_MAX; parts++) {
        if (longest_part(total, parts) + TN_FRAG_HEADER_LEN <= mtu)
            return parts;
    }
    return 0;
}

static size_t part_offset(const struct tn_frag *f)
{
    return f->part * longest_part(f->total, f->parts);
}

size_t tn_frag_part_len(const struct tn_frag *f)
{
    return f->part + 1 < f->parts ? longest_part(f->total, f->parts) : f->total - part_offset(f);
}

/* Two parts are 0 and 1; of more, their number stands in the high half byte. */
void tn_frag_encode(uint8_t out[TN_FRAG_HEADER_LEN], const struct tn_frag *f)
{
    out[0] = TN_LINK_FRAGMENT;
    out[1] = (uint8_t)((f->parts == 2 ? 0 : f->parts << 4) | f->part);
    tn_put_be16(out + 2, f->id);
    tn_put_be16(out + 4, f->total);
}

int tn_frag_decode(const uint8_t *inner, size_t len, struct tn_frag *f)
{
    struct tn_frag d = {0};
    size_t rest;

    if (len < TN_FRAG_HEADER_LEN || inner[0] != TN_LINK_FRAGMENT)
        return TN_EINVAL;
    d.part = inner[1] & 15;
    d.parts = inner[1] >> 4 ? inner[1] >> 4 : 2;
    d.id = tn_get_be16(inner + 2);
    d.total = tn_get_be16(inner + 4);
    if (d.parts > TN_FRAG_PARTS_MAX || inner[1] >> 4 == 1 || inner[1] >> 4 == 2 || d.part >= d.parts ||
        d.total < TN_FRAG_PACKET_MIN || d.total > TN_FRAG_PACKET_MAX)
        return TN_EINVAL;
    d.data = inner + TN_FRAG_HEADER_LEN;
    d.len = tn_frag_part_len(&d);
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
            r->total == f->total && r->parts == f->parts)
            return r;
    }
    return NULL;
}

static uint8_t all_of(uint8_t parts)
{
    return (uint8_t)((1u << parts) - 1);
}

static void begin(struct tn_frag_row *r, uint8_t state, uint32_t peer, const struct tn_frag *f,
                  uint64_t now_us)
{
    r->state = state;
    r->at_us = now_us;
    r->peer = peer;
    r->id = f->id;
    r->total = f->total;
    r->parts = f->parts;
    r->has = 0;
}

uint8_t *tn_frag_put(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                     uint64_t now_us)
{
    struct tn_frag_row *r = find(t, peer, f, now_us);

    if (!r) {
        r = take_row(t, peer, now_us);
        if (!r)
            return NULL;
        begin(r, TN_FRAG_IN, peer, f, now_us);
    }
    if (r->has & 1u << f->part)
        return NULL; /* the same part again */
    memcpy(r->data + part_offset(f), f->data, f->len);
    r->has |= (uint8_t)(1u << f->part);
    if (r->has != all_of(f->parts))
        return NULL;
    r->state = TN_FRAG_FREE;
    return r->data;
}

int tn_frag_keep(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                 const uint8_t *packet, uint64_t now_us)
{
    struct tn_frag_row *r = take_row(t, peer, now_us);
    struct tn_frag second = *f;
    size_t at;

    if (!r)
        return TN_ENOSPC;
    begin(r, TN_FRAG_OUT, peer, f, now_us);
    r->has = all_of(f->parts) & (uint8_t)~1u;
    second.part = 1;
    at = part_offset(&second);
    memcpy(r->data + at, packet + at, f->total - at);
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
    struct tn_frag f = {0};
    size_t len;

    if (!r)
        return 0;
    f.id = r->id;
    f.total = r->total;
    f.parts = r->parts;
    while (!(r->has & 1u << f.part))
        f.part++;
    len = tn_frag_part_len(&f);
    tn_frag_encode(out, &f);
    memcpy(out + TN_FRAG_HEADER_LEN, r->data + part_offset(&f), len);
    *peer = r->peer;
    r->has &= (uint8_t) ~(1u << f.part);
    if (!r->has)
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
