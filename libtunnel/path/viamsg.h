/* A datagram through a member that relays: VIA to it, VIA_FROM out of it (PROTOCOL.md section 5.6). */
#ifndef TN_PATH_VIAMSG_H
#define TN_PATH_VIAMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"

/* First bytes of such an inner packet; enum tn_link_type and report.h have others. */
#define TN_VIAMSG_TO 6
#define TN_VIAMSG_FROM 7
#define TN_VIAMSG_HEADER_LEN 8
#define TN_VIAMSG_DATAGRAM_MIN 32 /* no WireGuard message is shorter */
/* By how much an inner packet must be shorter that goes so: this header, and WireGuard's own and its tag. */
#define TN_VIAMSG_OVERHEAD (TN_VIAMSG_HEADER_LEN + 32)

struct tn_viamsg {
    bool from;       /* VIA_FROM */
    uint16_t len;    /* bytes of the datagram that follows */
    uint8_t ipv4[4]; /* overlay address of the member: for whom, or from whom, it is */
};

static inline bool tn_viamsg_is(uint8_t first)
{
    return first == TN_VIAMSG_TO || first == TN_VIAMSG_FROM;
}

void tn_viamsg_encode(const struct tn_viamsg *m, uint8_t out[TN_VIAMSG_HEADER_LEN]);
/* An inner packet: header, datagram, and up to 15 bytes of zero (WireGuard's padding). TN_EINVAL, and *m
 * untouched: malformed. What the datagram is, is not looked at. */
TN_MUST_CHECK int tn_viamsg_decode(const uint8_t *inner, size_t len, struct tn_viamsg *m);

#endif
