/* Link messages: PING, PONG and NAT inside a WireGuard session (docs/PROTOCOL.md section 5).
 * They are sealed, authentic and replay-safe when they get here. */
#ifndef TN_PATH_LINKMSG_H
#define TN_PATH_LINKMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/nat.h"

enum tn_link_type {
    TN_LINK_PING = 1,
    TN_LINK_PONG = 2,
    TN_LINK_NAT = 4,
    TN_LINK_FRAGMENT = 3, /* frag.h */
};

#define TN_LINK_MIN_LEN 32 /* a small PING or PONG */

struct tn_link_msg {
    uint8_t type;            /* enum tn_link_type */
    bool full;               /* as long as the inner MTU */
    uint16_t size;           /* bytes of the message, padding included; at least TN_LINK_MIN_LEN */
    uint64_t txid;           /* chosen at random by the PING's sender */
    struct tn_nat nat;       /* NAT only: in front of the sender */
    bool search;             /* NAT only: many sockets of the sender have sent to you; find one */
    uint16_t port;           /* NAT only, with `search`: the outside port made last; 0 unknown */
    struct tn_addr observed; /* PONG only: where the PING came from; zero for the relay */
};

/* Is this inner packet a link message at all (high half of the first byte 0)? */
static inline bool tn_link_is_message(const uint8_t *inner, size_t len)
{
    return len > 0 && (inner[0] >> 4) == 0;
}

/* Writes m->size bytes. TN_EINVAL for a size below TN_LINK_MIN_LEN or an unknown type, TN_ENOSPC where
 * cap is below m->size. */
TN_MUST_CHECK int tn_link_encode(const struct tn_link_msg *m, uint8_t *out, size_t cap);

/* Reads an inner packet; up to 15 bytes of zero (WireGuard's padding) may follow the message. TN_EINVAL,
 * and *m untouched, for an unknown type or flag, a size that does not fit, or padding that is not zero. */
TN_MUST_CHECK int tn_link_decode(const uint8_t *inner, size_t len, struct tn_link_msg *m);

/* The PONG for a PING that came from `observed` (NULL: through the relay): same size, same txid. It must
 * leave by the very way on which the PING came. */
void tn_link_answer(const struct tn_link_msg *ping, const struct tn_addr *observed,
                    struct tn_link_msg *pong);

#endif
