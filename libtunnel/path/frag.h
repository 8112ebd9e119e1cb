/* Fragments (docs/PROTOCOL.md section 5.1): an inner packet of up to 1280 bytes that is too long for a
 * device's datagrams goes as two sealed link messages. They are authentic when they get here, but
 * a member may lie: rows are bounded, and nobody can push out the others'. */
#ifndef TN_PATH_FRAG_H
#define TN_PATH_FRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "../base/ip.h"
#include "../base/now.h"

#define TN_FRAG_PACKET_MAX TN_IP6_MIN_MTU
#define TN_FRAG_PACKET_MIN 40 /* a shorter packet is never split */
#define TN_FRAG_HEADER_LEN 6
#define TN_FRAG_LIFE_US TN_S(2) /* a half that waits longer for the other is worth nothing */

enum tn_frag_state { TN_FRAG_FREE, TN_FRAG_IN, TN_FRAG_OUT };

/* One packet under way: a half that came, or the half that is still to go. The caller's memory;
 * fields are the module's own. */
struct tn_frag_row {
    uint64_t at_us; /* when it was begun */
    uint32_t peer;
    uint16_t id, total;
    uint8_t state; /* enum tn_frag_state */
    uint8_t part;  /* the half that is there */
    uint8_t data[TN_FRAG_PACKET_MAX];
};

struct tn_frag_table {
    struct tn_frag_row *row;
    uint32_t count;
};

/* One fragment, as on the wire. `data` is borrowed. */
struct tn_frag {
    uint8_t part;   /* 0 or 1 */
    uint16_t id;    /* the same in both halves */
    uint16_t total; /* bytes of the packet */
    const uint8_t *data;
    size_t len; /* as tn_frag_part_len says */
};

/* Bytes of one half: the first is the longer one by a byte when total is odd. */
size_t tn_frag_part_len(uint16_t total, uint8_t part);
/* Writes the header; the half follows it. */
void tn_frag_encode(uint8_t out[TN_FRAG_HEADER_LEN], uint8_t part, uint16_t id, uint16_t total);
/* Reads an inner packet whose first byte is TN_LINK_FRAGMENT; up to 15 bytes of zero may follow (WireGuard's
 * padding). TN_EINVAL, and *f untouched, for anything else. */
TN_MUST_CHECK int tn_frag_decode(const uint8_t *inner, size_t len, struct tn_frag *f);

void tn_frag_init(struct tn_frag_table *t, struct tn_frag_row *row, uint32_t count);
/* Takes a half in. Returns the packet, of f->total bytes, when it is whole: it lies in the table, and
 * holds until the next call. NULL: it is not, or there is no room. */
uint8_t *tn_frag_put(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                     uint64_t now_us);
/* Keeps the second half (part 1) of a packet for a peer until tn_frag_next_out. TN_ENOSPC. */
TN_MUST_CHECK int tn_frag_keep(struct tn_frag_table *t, uint32_t peer, uint16_t id,
                               const uint8_t *packet, uint16_t total, uint64_t now_us);
/* Is there a half that is still to go? */
bool tn_frag_has_out(const struct tn_frag_table *t);
/* The oldest half to go: writes header and half to out (room for TN_FRAG_HEADER_LEN + 640 bytes)
 * and frees it. Its length, or 0 when there is none. */
size_t tn_frag_next_out(struct tn_frag_table *t, uint8_t *out, uint32_t *peer);
void tn_frag_forget(struct tn_frag_table *t, uint32_t peer); /* the peer is gone */

#endif
