/* The seam to libsodium: X25519, the two AEADs and Ed25519.
 *
 * libsodium refuses in X25519 what gives an all-zero secret, and in Ed25519
 * what RFC 8032 section 5.1.7 and its notes leave open: S not below the group
 * order, a key that is not canonical, a key or R of small order. The tests
 * hold it to that. */
#include "../base/bytes.h"
#include "../base/ct.h"
#include "crypto.h"

#include <sodium.h>
#include <string.h>

int tn_crypto_init(void)
{
    return sodium_init() < 0 ? TN_ESTATE : 0;
}

int tn_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
    uint8_t shared[32];
    int rc = 0;

    if (crypto_scalarmult_curve25519(shared, scalar, point) != 0 || tn_ct_is_zero(shared, 32))
        rc = TN_EAUTH;
    else
        memcpy(out, shared, sizeof(shared));
    tn_wipe(shared, sizeof(shared));
    return rc;
}

int tn_x25519_public(uint8_t out[32], const uint8_t priv[32])
{
    uint8_t pub[32];

    if (crypto_scalarmult_curve25519_base(pub, priv) != 0)
        return TN_EAUTH;
    memcpy(out, pub, sizeof(pub));
    return 0;
}

void tn_x25519_clamp(uint8_t priv[32])
{
    priv[0] &= 0xf8;
    priv[31] = (uint8_t)((priv[31] & 0x7f) | 0x40);
}

static void counter_nonce(uint8_t nonce[12], uint64_t counter)
{
    memset(nonce, 0, 4);
    tn_put_le64(nonce + 4, counter);
}

void tn_aead_seal_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                        size_t ad_len, const uint8_t nonce[12], const uint8_t key[32])
{
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

int tn_aead_open_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                       size_t ad_len, const uint8_t nonce[12], const uint8_t key[32])
{
    if (len < TN_TAG_LEN)
        return TN_EINVAL;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce,
                                                  key) != 0)
        return TN_EAUTH;
    return 0;
}

void tn_aead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                  uint64_t counter, const uint8_t key[32])
{
    uint8_t nonce[12];

    counter_nonce(nonce, counter);
    tn_aead_seal_nonce(out, in, len, ad, ad_len, nonce, key);
}

int tn_aead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 uint64_t counter, const uint8_t key[32])
{
    uint8_t nonce[12];

    counter_nonce(nonce, counter);
    return tn_aead_open_nonce(out, in, len, ad, ad_len, nonce, key);
}

void tn_xaead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                   const uint8_t nonce[24], const uint8_t key[32])
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, len, ad, ad_len, NULL, nonce, key);
}

int tn_xaead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                  const uint8_t nonce[24], const uint8_t key[32])
{
    if (len < TN_TAG_LEN)
        return TN_EINVAL;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, ad, ad_len, nonce,
                                                   key) != 0)
        return TN_EAUTH;
    return 0;
}

void tn_ed25519_public(uint8_t pub[32], const uint8_t seed[32])
{
    uint8_t secret[64];

    crypto_sign_ed25519_seed_keypair(pub, secret, seed);
    tn_wipe(secret, sizeof(secret));
}

void tn_ed25519_sign(uint8_t sig[64], const void *msg, size_t len, const uint8_t seed[32])
{
    uint8_t pub[32];
    uint8_t secret[64];

    crypto_sign_ed25519_seed_keypair(pub, secret, seed);
    crypto_sign_ed25519_detached(sig, NULL, msg, len, secret);
    tn_wipe(secret, sizeof(secret));
}

int tn_ed25519_verify(const uint8_t sig[64], const void *msg, size_t len, const uint8_t pub[32])
{
    return crypto_sign_ed25519_verify_detached(sig, msg, len, pub) == 0 ? 0 : TN_EAUTH;
}
