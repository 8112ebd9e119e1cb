/* HMAC (RFC 2104) over BLAKE2s, with its block of 64 bytes, and the key
 * derivation that Noise and WireGuard build on it: HKDF (RFC 5869) with the
 * chaining key as salt and no info. */
#include "../base/ct.h"
#include "crypto.h"

#include <string.h>

#define BLOCK_LEN 64

void tn_hmac(uint8_t out[32], const uint8_t *key, size_t key_len, const void *data, size_t len)
{
    struct tn_blake2s s;
    uint8_t pad[BLOCK_LEN] = {0};
    uint8_t inner[TN_HASH_LEN];

    if (key_len > BLOCK_LEN)
        tn_blake2s(pad, TN_HASH_LEN, NULL, 0, key, key_len);
    else if (key_len > 0)
        memcpy(pad, key, key_len);

    for (size_t i = 0; i < BLOCK_LEN; i++)
        pad[i] ^= 0x36;
    tn_blake2s_init(&s, TN_HASH_LEN, NULL, 0);
    tn_blake2s_update(&s, pad, BLOCK_LEN);
    tn_blake2s_update(&s, data, len);
    tn_blake2s_final(&s, inner);

    for (size_t i = 0; i < BLOCK_LEN; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    tn_blake2s_init(&s, TN_HASH_LEN, NULL, 0);
    tn_blake2s_update(&s, pad, BLOCK_LEN);
    tn_blake2s_update(&s, inner, TN_HASH_LEN);
    tn_blake2s_final(&s, out);

    tn_wipe(pad, sizeof(pad));
    tn_wipe(inner, sizeof(inner));
}

void tn_kdf(uint8_t *out1, uint8_t *out2, uint8_t *out3, const uint8_t chaining_key[32],
            const void *input, size_t input_len)
{
    uint8_t *out[3] = {out1, out2, out3};
    uint8_t prk[TN_HASH_LEN];
    uint8_t t[TN_HASH_LEN + 1]; /* T(n) | n + 1 */

    /* The chaining key and the input are read here for the last time: an output may be either. */
    tn_hmac(prk, chaining_key, TN_HASH_LEN, input, input_len);
    for (uint8_t n = 0; n < 3 && out[n]; n++) {
        size_t before = n ? TN_HASH_LEN : 0;

        t[before] = (uint8_t)(n + 1);
        tn_hmac(t, prk, sizeof(prk), t, before + 1);
        memcpy(out[n], t, TN_HASH_LEN);
    }
    tn_wipe(prk, sizeof(prk));
    tn_wipe(t, sizeof(t));
}
