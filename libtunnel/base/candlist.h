/* The list of candidates as CANDIDATES, CONNECT and PUNCH carry it
 * (docs/PROTOCOL.md section 4.1): count[1] { origin[1] address[18] }. */
#ifndef TN_BASE_CANDLIST_H
#define TN_BASE_CANDLIST_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "cursor.h"
#include "sizes.h"

/* Where a candidate comes from; the values are those of the wire. */
enum tn_cand_origin {
    TN_CAND_HOST = 1,           /* an address of one of the host's own interfaces */
    TN_CAND_REFLEXIVE = 2,      /* as the coordinator sees the socket */
    TN_CAND_MAPPED = 3,         /* a port that the gateway mapped for us */
    TN_CAND_PEER_REFLEXIVE = 4, /* as the peer sees the socket */
    TN_CAND_MEMBER = 5,         /* another member's overlay address, who passes datagrams on; never on the wire */
    TN_CAND_TCP = 6, /* a TCP connection with the peer, under a stream address; in no list on the wire */
};

struct tn_cand_wire {
    uint8_t origin; /* enum tn_cand_origin */
    struct tn_addr addr;
};

/* A node sends at most 8; the coordinator adds one observed address per family: sizes.h. */
#define TN_CANDLIST_ENTRY_LEN (1 + TN_ADDR_WIRE_LEN)
/* Bytes on the wire of a list of n. */
#define TN_CANDLIST_LEN(n) (1 + (size_t)(n) * TN_CANDLIST_ENTRY_LEN)

/* Writes count entries; fails the writer where they do not fit, where count is above
 * TN_CANDLIST_MAX or an origin is unknown. */
void tn_candlist_write(struct tn_writer *w, const struct tn_cand_wire *list, size_t count);

/* Reads a list and returns how many entries it has. Fails the reader (and returns 0, `out` untouched)
 * where it is cut short, has more than `max` entries (at most TN_CANDLIST_MAX), or an unknown origin.
 * Whether an address may be probed is not judged here. */
size_t tn_candlist_read(struct tn_reader *r, struct tn_cand_wire *out, size_t max);

#endif
