/* WireGuard's handshake (paper, 5.4.2 to 5.4.5): Noise_IKpsk2 with a TAI64N
 * time stamp in the first message. Knows no socket, no peer table, no timer.
 *
 * Initiator: create_initiation ... consume_response -> session.
 * Responder: consume_initiation (who is it?), the caller finds the peer,
 *            accept_initiation, create_response -> session.
 *
 * The responder's half lives in a struct on the caller's stack. So a handshake
 * that we began stays alive while we answer the peer's: when both begin at the
 * same moment both finish, and nobody waits for a retransmission. */
#ifndef TN_WG_NOISE_H
#define TN_WG_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "../crypto/crypto.h"
#include "../crypto/noise_ik.h"
#include "msg.h"
#include "session.h"

/* Our own static key; one for all peers. */
struct tn_wg_local {
    uint8_t priv[32];
    uint8_t pub[32];
    bool has_key;
};

/* A private key of 32 zeros means "no key". TN_EAUTH when the public key cannot be made. */
TN_MUST_CHECK int tn_wg_local_set(struct tn_wg_local *l, const uint8_t priv[32]);
void tn_wg_local_wipe(struct tn_wg_local *l);

enum tn_noise_state {
    TN_NOISE_IDLE,
    TN_NOISE_INITIATED, /* an initiation of ours waits for its response */
};

/* One per peer. */
struct tn_wg_handshake {
    uint8_t remote_static[32];
    uint8_t psk[32];           /* zeros: none */
    uint8_t static_static[32]; /* zeros: no handshake is possible (no local key, or a bad point) */
    uint8_t last_stamp[12];    /* greatest stamp accepted from this peer */
    uint64_t last_accepted_us; /* when; 0 = never */
    enum tn_noise_state state;
    struct tn_ik ik;      /* of our initiation */
    uint32_t local_index; /* of our initiation */
};

/* A consumed initiation: the responder's half of one handshake. Holds secrets. */
struct tn_noise_initiation {
    struct tn_ik ik;
    uint8_t remote_static[32]; /* who claims to speak; proven only by accept */
    uint32_t remote_index;
    uint8_t noise[TN_IK_MSG1_OVERHEAD + TN_WG_STAMP_LEN];
    bool accepted;
};

/* A low-order or zero public key is taken (such a peer can be configured); its handshakes then
 * fail with TN_EAUTH. psk may be NULL. */
void tn_noise_init(struct tn_wg_handshake *hs, const struct tn_wg_local *local,
                   const uint8_t remote_static[32], const uint8_t psk[32]);
/* After a change of the local key: computes static_static anew, ends what is in flight. */
void tn_noise_set_local(struct tn_wg_handshake *hs, const struct tn_wg_local *local);
void tn_noise_set_psk(struct tn_wg_handshake *hs, const uint8_t psk[32]);
/* Forgets an initiation in flight (and its secrets), keeps keys and stamp. */
void tn_noise_clear(struct tn_wg_handshake *hs);
void tn_noise_wipe(struct tn_wg_handshake *hs);

/* True when a response with this receiver index belongs to our initiation. */
bool tn_noise_is_waiting(const struct tn_wg_handshake *hs, uint32_t local_index);

/* Writes an initiation of 148 bytes whose two MACs are zero: tn_cookie_add_macs fills them.
 * TN_EAUTH: a key that no handshake works with; TN_ENOKEY: no local key. Replaces an initiation
 * that was in flight. */
TN_MUST_CHECK int tn_noise_create_initiation(const struct tn_wg_local *local,
                                             struct tn_wg_handshake *hs, struct tn_rng *rng,
                                             const uint8_t stamp[TN_WG_STAMP_LEN],
                                             uint32_t local_index,
                                             uint8_t out[TN_WG_INITIATION_LEN]);

/* Responder, first step: finds out who speaks. The MACs have been checked by the caller. Writes
 * nothing but `in`. TN_EAUTH or TN_ENOKEY. */
TN_MUST_CHECK int tn_noise_consume_initiation(const struct tn_wg_local *local,
                                              const uint8_t msg[TN_WG_INITIATION_LEN],
                                              struct tn_noise_initiation *in);
/* Second step, with the handshake of the peer whose key is in->remote_static. TN_EAUTH: forged;
 * TN_EREPLAY: the stamp is not greater than the last; TN_ELIMIT: within 20 ms of the last. Only
 * when all holds are stamp and time written to hs. On failure `in` is wiped. */
TN_MUST_CHECK int tn_noise_accept_initiation(struct tn_wg_handshake *hs,
                                             struct tn_noise_initiation *in, uint64_t now_us);
/* Third step: writes a response of 92 bytes with zero MACs and the session, in which we are the
 * responder. `in` is wiped whatever happens. TN_ESTATE when it was not accepted. */
TN_MUST_CHECK int tn_noise_create_response(const struct tn_wg_handshake *hs,
                                           struct tn_noise_initiation *in, struct tn_rng *rng,
                                           uint32_t local_index, uint64_t now_us,
                                           uint8_t out[TN_WG_RESPONSE_LEN],
                                           struct tn_session *session);
void tn_noise_initiation_wipe(struct tn_noise_initiation *in);

/* Initiator: the answer to our initiation. Gives the session and ends the handshake. On failure
 * (TN_EAUTH, TN_ESTATE: nothing in flight or another index) hs is as before. */
TN_MUST_CHECK int tn_noise_consume_response(const struct tn_wg_local *local,
                                            struct tn_wg_handshake *hs,
                                            const uint8_t msg[TN_WG_RESPONSE_LEN],
                                            uint64_t now_us, struct tn_session *session);

#endif
