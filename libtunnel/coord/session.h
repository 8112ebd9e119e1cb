/* One control session (PROTOCOL.md section 4): the Noise IK handshake from both
 * ends, and the sealed DATA datagrams under its keys. Knows no time, no address
 * and no retransmission; client.c and server.c own those. */
#ifndef TN_COORD_SESSION_H
#define TN_COORD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/err.h"
#include "../crypto/crypto.h"
#include "../crypto/noise_ik.h"
#include "msg.h"

#define TN_CTL_WINDOW_BITS 256

/* Which counters were seen: the highest, and the 256 up to it. */
struct tn_ctl_window {
    uint64_t next; /* one above the highest seen; 0: none */
    uint64_t seen[TN_CTL_WINDOW_BITS / 64];
};

/* True when the counter is new and not too old. Changes nothing. */
bool tn_ctl_window_check(const struct tn_ctl_window *w, uint64_t counter);
/* Remembers a counter of an authentic message, once tn_ctl_window_check has said yes. */
void tn_ctl_window_mark(struct tn_ctl_window *w, uint64_t counter);

/* Keys of a session. Holds secrets: wipe with tn_wipe when done. */
struct tn_ctl_session {
    uint8_t send_key[32];
    uint8_t recv_key[32];
    uint64_t send_counter; /* the next to use; none is used twice */
    struct tn_ctl_window window;
    uint32_t local_index;  /* the other end puts this into its datagrams */
    uint32_t remote_index; /* we put this into ours */
};

/* An index names a slot of a table with 2^slot_bits slots, and the rest of its 32 bits is a random
 * generation, so that an old index does not hit the slot's next owner. */
uint32_t tn_ctl_index_make(uint32_t slot, unsigned slot_bits, uint32_t random);
uint32_t tn_ctl_index_slot(uint32_t index, unsigned slot_bits);

/* TAI64N of a wall-clock time in nanoseconds since 1970: seconds + 2^62 + 37, then nanoseconds. */
void tn_ctl_tai64n(uint8_t out[TN_CTL_TAI64N_LEN], uint64_t unix_ns);

/* ---- initiator ---- */

/* What is needed to speak to one coordinator; static_static is computed once (tn_ctl_local_init). */
struct tn_ctl_local {
    uint8_t private_key[32];
    uint8_t public_key[32];
    uint8_t server_public[32];
    uint8_t static_static[32];
};
/* TN_EAUTH for a public key of low order. */
TN_MUST_CHECK int tn_ctl_local_init(struct tn_ctl_local *l, const uint8_t private_key[32],
                                    const uint8_t server_public[32]);

/* Builds an INIT. `ik` keeps what tn_ctl_consume_resp needs. `cookie` may be NULL: zero. */
TN_MUST_CHECK int tn_ctl_create_init(struct tn_ik *ik, const struct tn_ctl_local *l,
                                     struct tn_rng *rng, uint32_t client_index,
                                     const uint8_t *cookie, const uint8_t tai64n[TN_CTL_TAI64N_LEN],
                                     uint8_t out[TN_CTL_INIT_LEN]);
/* The answer to that INIT. `ik` survives a forged one. On success `s` is ready to send and to
 * receive. TN_EINVAL: not for client_index; TN_EAUTH: not from the coordinator. */
TN_MUST_CHECK int tn_ctl_consume_resp(const struct tn_ik *ik, const struct tn_ctl_local *l,
                                      uint32_t client_index, const uint8_t resp[TN_CTL_RESP_LEN],
                                      struct tn_ctl_session *s, struct tn_addr *observed,
                                      uint64_t *unix_s);

/* ---- responder ---- */

/* Opens an INIT (three curve operations; check the cookie first): whose static key, and when. */
TN_MUST_CHECK int tn_ctl_consume_init(struct tn_ik *ik, const uint8_t server_private[32],
                                      const uint8_t server_public[32],
                                      const uint8_t init[TN_CTL_INIT_LEN],
                                      uint8_t client_public[32],
                                      uint8_t tai64n[TN_CTL_TAI64N_LEN]);
/* Answers it, and makes the session; `ik` is wiped. */
TN_MUST_CHECK int tn_ctl_create_resp(struct tn_ik *ik, struct tn_rng *rng,
                                     const uint8_t client_public[32], uint32_t client_index,
                                     uint32_t server_index, const struct tn_addr *observed,
                                     uint64_t unix_s, struct tn_ctl_session *s,
                                     uint8_t out[TN_CTL_RESP_LEN]);

/* ---- DATA ---- */

/* Receiver's index of a DATA datagram of at least 8 bytes. */
uint32_t tn_ctl_data_index(const uint8_t *datagram);
/* Counter of a DATA datagram of at least 16 bytes. */
uint64_t tn_ctl_data_counter(const uint8_t *datagram);

/* Seals in place: the message of `len` bytes lies at datagram + TN_CTL_DATA_HEADER_LEN, the whole
 * becomes len + TN_CTL_DATA_OVERHEAD bytes. TN_ENOKEY when the counters are used up. */
TN_MUST_CHECK int tn_ctl_seal(struct tn_ctl_session *s, uint8_t *datagram, size_t len);
/* Opens in place: the message is then at datagram + TN_CTL_DATA_HEADER_LEN and is len -
 * TN_CTL_DATA_OVERHEAD bytes long. TN_EINVAL: not a DATA datagram for our index; TN_EREPLAY;
 * TN_EAUTH. Only success changes `s`. */
TN_MUST_CHECK int tn_ctl_open(struct tn_ctl_session *s, uint8_t *datagram, size_t len);

#endif
