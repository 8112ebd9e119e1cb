/* Fragments (docs/PROTOCOL.md section 5.1): an inner packet of up to 1280 bytes that is too long for a
 * device's datagrams, or for a narrow path, goes as two to four sealed link messages. They are authentic when they get here, but
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
#define TN_FRAG_PARTS_MAX 4
#define TN_FRAG_HEADER_LEN 6
#define TN_FRAG_LIFE_US TN_S(2) /* a part that waits longer for the others is worth nothing */

enum tn_frag_state { TN_FRAG_FREE, TN_FRAG_IN, TN_FRAG_OUT };

/* One packet under way: the parts that came, or those that are still to go. The caller's memory;
 * fields are the module's own. */
struct tn_frag_row {
    uint64_t at_us; /* when it was begun */
    uint32_t peer;
    uint16_t id, total;
    uint8_t state; /* enum tn_frag_state */
    uint8_t parts; /* of the packet */
    uint8_t has;   /* a bit for each part that is there */
    uint8_t data[TN_FRAG_PACKET_MAX];
};

struct tn_frag_table {
    struct tn_frag_row *row;
    uint32_t count;
};

/* One fragment, as on the wire. `data` is borrowed. */
struct tn_frag {
    uint8_t part;   /* 0 to parts - 1 */
    uint8_t parts;  /* of the packet: 2 to TN_FRAG_PARTS_MAX */
    uint16_t id;    /* the same in all */
    uint16_t total; /* bytes of the packet */
    const uint8_t *data;
    size_t len; /* as tn_frag_part_len says */
};

/* In how many parts a packet of `total` bytes goes where mtu pass in one piece; 0: in none. */
uint8_t tn_frag_parts(uint16_t total, uint16_t mtu);
/* Bytes of f->part, of f->total in f->parts: all as long as the first but the last, which is what is left. */
size_t tn_frag_part_len(const struct tn_frag *f);
/* Writes the header; the part follows it. data and len are not looked at. */
void tn_frag_encode(uint8_t out[TN_FRAG_HEADER_LEN], const struct tn_frag *f);
/* Reads an inner packet whose first byte is TN_LINK_FRAGMENT; up to 15 bytes of zero may follow (WireGuard's
 * padding). TN_EINVAL, and *f untouched, for anything else. */
TN_MUST_CHECK int tn_frag_decode(const uint8_t *inner, size_t len, struct tn_frag *f);

void tn_frag_init(struct tn_frag_table *t, struct tn_frag_row *row, uint32_t count);
/* Takes a part in. Returns the packet, of f->total bytes, when it is whole: it lies in the table, and
 * holds until the next call. NULL: it is not, or there is no room. */
uint8_t *tn_frag_put(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                     uint64_t now_us);
/* Keeps all parts but the first of a packet for a peer until tn_frag_next_out: f says id, total and parts.
 * TN_ENOSPC. */
TN_MUST_CHECK int tn_frag_keep(struct tn_frag_table *t, uint32_t peer, const struct tn_frag *f,
                               const uint8_t *packet, uint64_t now_us);
/* Is there a part that is still to go? */
bool tn_frag_has_out(const struct tn_frag_table *t);
/* The oldest part to go: writes header and part to out (room for TN_FRAG_HEADER_LEN + 640 bytes)
 * and forgets it. Its length, or 0 when there is none. */
size_t tn_frag_next_out(struct tn_frag_table *t, uint8_t *out, uint32_t *peer);
void tn_frag_forget(struct tn_frag_table *t, uint32_t peer); /* the peer is gone */

#endif
