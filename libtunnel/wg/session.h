/* What a finished handshake leaves behind, and the data messages that are
 * sealed with it (paper, 5.4.5 and 5.4.6). The functions here are pure: any
 * thread may call them for any packet while the keys stay in place. */
#ifndef TN_WG_SESSION_H
#define TN_WG_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "msg.h"

/* Holds secrets: wipe with tn_session_wipe when done. */
struct tn_session {
    uint8_t send_key[32];
    uint8_t recv_key[32];
    uint64_t birth_us;     /* when the keys were derived */
    uint32_t local_index;  /* the peer puts this in its messages */
    uint32_t remote_index; /* we put this in ours */
    bool initiator;        /* we began the handshake */
};

void tn_session_wipe(struct tn_session *s);

void tn_session_encode_header(uint8_t out[TN_WG_HEADER_LEN], uint32_t remote_index,
                              uint64_t counter);

/* Seals in place. `msg` has 16 bytes of room for the header, then len bytes of packet (padding
 * included), then 16 bytes of room for the tag; it becomes a message of len + 32 bytes. Each
 * counter must be used once only: take it from tn_keys_plan_send. */
void tn_session_seal(const struct tn_session *s, uint64_t counter, uint8_t *msg, size_t len);

/* Opens a data message of len bytes in place. The packet, padding included, is then at msg + 16
 * and is len - 32 bytes long. TN_EAUTH leaves those bytes undefined. Does not look at the receiver
 * index, the replay window or the age: see tn_keys_check_received. */
TN_MUST_CHECK int tn_session_open(const struct tn_session *s, uint8_t *msg, size_t len);

/* The counter of a data message. */
uint64_t tn_session_counter(const uint8_t *msg);

#endif
