/* What Ed25519 alone needs: SHA-512 and numbers modulo the group order. */
#ifndef TN_CRYPTO_SMALL_H
#define TN_CRYPTO_SMALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tn_sha512 {
    uint64_t state[8];
    uint64_t count; /* bytes */
    uint8_t block[128];
};
void tn_sha512_init(struct tn_sha512 *s);
void tn_sha512_update(struct tn_sha512 *s, const void *data, size_t len);
void tn_sha512_final(struct tn_sha512 *s, uint8_t out[64]); /* wipes the state */

/* 64 bytes, little endian, modulo the group order; the result is the first 32, the others are zero. */
void tn_scalar_reduce(uint8_t s[64]);
/* a b + c modulo the group order; s may be any of them. Both are constant time, as far as the multiplier is. */
void tn_scalar_muladd(uint8_t s[32], const uint8_t a[32], const uint8_t b[32], const uint8_t c[32]);
/* Below the group order; of a public number. */
bool tn_scalar_is_canonical(const uint8_t s[32]);

#endif
