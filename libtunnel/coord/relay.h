/* The relay's header (PROTOCOL.md section 6), and a member's table of channels:
 * number to identity, as bound at the coordinator. */
#ifndef TN_COORD_RELAY_H
#define TN_COORD_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "../base/err.h"

#define TN_RELAY_HEADER_LEN 8
/* The largest datagram the relay passes on, its header included. */
#define TN_RELAY_MAX_LEN 1500

/* Writes the header at out. */
void tn_relay_encode(uint8_t out[TN_RELAY_HEADER_LEN], uint16_t channel, uint32_t index);
/* TN_EINVAL: not a relay frame. Does not look at what is inside. */
TN_MUST_CHECK int tn_relay_decode(const uint8_t *frame, size_t len, uint16_t *channel,
                                  uint32_t *index);
/* Pushes the header in front of a WireGuard datagram; TN_ENOSPC without head room. */
TN_MUST_CHECK int tn_relay_push_header(struct tn_buf *b, uint16_t channel, uint32_t index);
/* Has `inner` the shape of a WireGuard message: type 1 to 4, reserved zeros, and a length that the
 * type can have? Nothing else passes the relay. */
bool tn_relay_is_wireguard(const uint8_t *inner, size_t len);

enum tn_relay_state {
    TN_RELAY_FREE,    /* the row is empty */
    TN_RELAY_WANTED,  /* BIND is yet to be sent on this session */
    TN_RELAY_SENT,    /* sent, not answered: frames may be tried already */
    TN_RELAY_BOUND,   /* the coordinator said ok */
    TN_RELAY_REFUSED, /* it said no, `status` why; asked anew on the next session, or by bind */
};

/* One row of the caller's array; the channel's number is the row's plus one. */
struct tn_relay_channel {
    uint8_t identity[32];
    uint64_t due_us;     /* when BIND is to be sent (again); TN_NEVER: not */
    uint16_t request_id; /* of the BIND */
    uint8_t state;       /* enum tn_relay_state */
    uint8_t status;      /* enum tn_status, when refused */
    uint8_t tries;
};

/* Channel of an identity, or 0. */
uint16_t tn_relay_find(const struct tn_relay_channel *row, size_t count,
                       const uint8_t identity[32]);
/* The channel of the identity, made where there is none; 0 when the table is full. */
uint16_t tn_relay_take(struct tn_relay_channel *row, size_t count, const uint8_t identity[32]);

#endif
