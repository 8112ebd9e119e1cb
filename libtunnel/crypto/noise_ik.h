/* Noise IK, and IKpsk2, over X25519, ChaCha20-Poly1305 and BLAKE2s (noiseprotocol.org, revision
 * 34, sections 5, 7 and 9). One implementation for WireGuard's handshake (wg/noise.c) and the
 * coordinator's control channel (coord/session.c).
 *
 *   <- s
 *   -> e, es, s, ss       message 1: e[32] enc(s)[48] enc(payload)[n+16]
 *   <- e, ee, se (, psk)  message 2: e[32] enc(payload)[n+16]
 *
 * The struct holds secrets: wipe it when the handshake is over. All functions leave `s` unusable
 * after an error (the caller works on a copy when it must survive a forged message). */
#ifndef TN_CRYPTO_NOISE_IK_H
#define TN_CRYPTO_NOISE_IK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"

struct tn_ik {
    uint8_t hash[32];
    uint8_t chaining_key[32];
    uint8_t key[32];
    uint8_t ephemeral_priv[32];
    uint8_t remote_ephemeral[32];
    bool with_psk; /* an IKpsk pattern: each "e" is mixed into the key too (section 9.2) */
};

#define TN_IK_MSG1_OVERHEAD (32 + 48 + 16)
#define TN_IK_MSG2_OVERHEAD (32 + 16)

/* `name` is the protocol name (hashed when longer than 32 bytes, as Noise says), then the prologue
 * and the responder's static public key are mixed in. */
void tn_ik_init(struct tn_ik *s, const char *name, const void *prologue, size_t prologue_len,
                const uint8_t responder_static[32]);

/* Initiator. `static_static` is X25519(local private, responder static), computed by the caller
 * once per peer. The ephemeral private key comes from `rng`. out takes payload_len + 96 bytes. */
TN_MUST_CHECK int tn_ik_write_msg1(struct tn_ik *s, struct tn_rng *rng,
                                   const uint8_t responder_static[32],
                                   const uint8_t local_public[32], const uint8_t static_static[32],
                                   const void *payload, size_t payload_len, uint8_t *out);

/* Responder, in two steps, since who speaks must be known before static_static is. */
TN_MUST_CHECK int tn_ik_read_msg1_static(struct tn_ik *s, const uint8_t local_priv[32],
                                         const uint8_t *msg, uint8_t remote_static[32]);
/* `payload_len` is without the tag; msg is the whole message 1. */
TN_MUST_CHECK int tn_ik_read_msg1_payload(struct tn_ik *s, const uint8_t static_static[32],
                                          const uint8_t *msg, size_t payload_len, uint8_t *payload);

/* psk NULL: plain IK; else IKpsk2 (TN_EINVAL when the name said otherwise). remote_static is the initiator's. out takes payload_len + 48. */
TN_MUST_CHECK int tn_ik_write_msg2(struct tn_ik *s, struct tn_rng *rng,
                                   const uint8_t remote_static[32], const uint8_t *psk,
                                   const void *payload, size_t payload_len, uint8_t *out);
TN_MUST_CHECK int tn_ik_read_msg2(struct tn_ik *s, const uint8_t local_priv[32], const uint8_t *psk,
                                  const uint8_t *msg, size_t payload_len, uint8_t *payload);

/* Noise Split(): first key is initiator to responder. */
void tn_ik_split(const struct tn_ik *s, uint8_t initiator_to_responder[32],
                 uint8_t responder_to_initiator[32]);

#endif
