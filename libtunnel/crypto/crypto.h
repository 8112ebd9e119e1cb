/* The one seam to cryptography. Everything else in libtunnel calls these names
 * and never a library. Backends: libsodium (crypto_sodium.c), and where flash is
 * short, on the chip, our own (small/). BLAKE2s is ours everywhere (blake2s.c, RFC 7693), since libsodium has none. */
#ifndef TN_CRYPTO_CRYPTO_H
#define TN_CRYPTO_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"

#define TN_KEY_LEN 32
#define TN_TAG_LEN 16
#define TN_HASH_LEN 32
#define TN_SIG_LEN 64
#define TN_XNONCE_LEN 24

/* Once at a program's start, from one thread: picks the fastest code for this CPU. Without it all
 * works, only slower. TN_ESTATE when the backend cannot be used. */
TN_MUST_CHECK int tn_crypto_init(void);

/* X25519, RFC 7748. TN_EAUTH when the result is all zero (a low-order point). */
TN_MUST_CHECK int tn_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);
/* Public key of a private key (which is clamped as needed, not stored back). */
TN_MUST_CHECK int tn_x25519_public(uint8_t out[32], const uint8_t priv[32]);
/* Clamps 32 random bytes into a private key. */
void tn_x25519_clamp(uint8_t priv[32]);

/* ChaCha20-Poly1305, RFC 8439; the nonce is 4 zero bytes and the counter, little
 * endian. `out` takes len + 16 bytes and may be `in`. */
void tn_aead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                  uint64_t counter, const uint8_t key[32]);
/* `len` counts the tag; writes len - 16 bytes. TN_EAUTH leaves `out` undefined only within
 * those bytes. TN_EINVAL when len is below 16. */
TN_MUST_CHECK int tn_aead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                               size_t ad_len, uint64_t counter, const uint8_t key[32]);
/* The same with all 12 bytes of nonce given (for foreign vectors). */
void tn_aead_seal_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                        size_t ad_len, const uint8_t nonce[12], const uint8_t key[32]);
TN_MUST_CHECK int tn_aead_open_nonce(uint8_t *out, const uint8_t *in, size_t len,
                                     const uint8_t *ad, size_t ad_len, const uint8_t nonce[12],
                                     const uint8_t key[32]);

/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), for WireGuard's cookies. */
void tn_xaead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                   const uint8_t nonce[24], const uint8_t key[32]);
TN_MUST_CHECK int tn_xaead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                                size_t ad_len, const uint8_t nonce[24], const uint8_t key[32]);

/* Ed25519, RFC 8032. The secret is the 32-byte seed; verification is strict
 * (S below the group order, no small-order keys). */
void tn_ed25519_public(uint8_t pub[32], const uint8_t seed[32]);
void tn_ed25519_sign(uint8_t sig[64], const void *msg, size_t len, const uint8_t seed[32]);
TN_MUST_CHECK int tn_ed25519_verify(const uint8_t sig[64], const void *msg, size_t len,
                                    const uint8_t pub[32]);

/* BLAKE2s, RFC 7693. out_len 1..32, key_len 0..32. */
struct tn_blake2s {
    uint32_t h[8];
    uint64_t count;
    uint8_t block[64];
    size_t fill;
    size_t out_len;
};
void tn_blake2s_init(struct tn_blake2s *s, size_t out_len, const void *key, size_t key_len);
void tn_blake2s_update(struct tn_blake2s *s, const void *data, size_t len);
void tn_blake2s_final(struct tn_blake2s *s, uint8_t *out); /* wipes the state */
void tn_blake2s(uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *data,
                size_t len);

/* A key that many messages are hashed with, absorbed once: of a short message that is a third of the work. */
struct tn_blake2s_keyed {
    uint32_t h[8];
    size_t out_len;
};
void tn_blake2s_absorb(struct tn_blake2s_keyed *k, size_t out_len, const void *key, size_t key_len);
/* As tn_blake2s with that key and output length; len is not 0. */
void tn_blake2s_with(uint8_t *out, const struct tn_blake2s_keyed *k, const void *data, size_t len);

/* HMAC-BLAKE2s (RFC 2104) and WireGuard's KDF1..3 (HKDF, RFC 5869, with empty info). An output
 * may be NULL when it is not wanted (then neither are the later ones). */
void tn_hmac(uint8_t out[32], const uint8_t *key, size_t key_len, const void *data, size_t len);
void tn_kdf(uint8_t *out1, uint8_t *out2, uint8_t *out3, const uint8_t chaining_key[32],
            const void *input, size_t input_len);

/* A deterministic generator (ChaCha20, fast key erasure) from a seed that the caller takes from
 * the system; so the core needs no system, and a simulation replays from its seed. */
struct tn_rng {
    uint8_t key[32];
};
void tn_rng_init(struct tn_rng *r, const uint8_t seed[32]);
void tn_rng_bytes(struct tn_rng *r, void *out, size_t len);
uint32_t tn_rng_u32(struct tn_rng *r);
/* Uniform in 0..bound-1; bound at least 1. */
uint32_t tn_rng_below(struct tn_rng *r, uint32_t bound);

#endif
