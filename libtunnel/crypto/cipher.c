/* How it works: one pointer, set once at a program's start. A program that sets none, and the
 * firmware, has libsodium's through the seam of crypto.h. */
#include "cipher.h"

#include "../base/bytes.h"

#include <string.h>

static bool always(void)
{
    return true;
}

static void nothing(void)
{
}

const struct tn_cipher tn_cipher_sodium = {
    .name = "libsodium",
    .load = always,
    .unload = nothing,
    .seal = tn_aead_seal_nonce,
    .open = tn_aead_open_nonce,
    .leave = nothing,
};

static const struct tn_cipher *in_use = &tn_cipher_sodium;

void tn_cipher_use(const struct tn_cipher *c)
{
    in_use = c;
}

const struct tn_cipher *tn_cipher_in_use(void)
{
    return in_use;
}

static void nonce_of(uint8_t nonce[12], uint64_t counter)
{
    memset(nonce, 0, 4);
    tn_put_le64(nonce + 4, counter);
}

void tn_cipher_seal(uint8_t *packet, size_t len, uint64_t counter, const uint8_t key[32])
{
    uint8_t nonce[12];

    nonce_of(nonce, counter);
    in_use->seal(packet, packet, len, NULL, 0, nonce, key);
}

int tn_cipher_open(uint8_t *packet, size_t len, uint64_t counter, const uint8_t key[32])
{
    uint8_t nonce[12];

    nonce_of(nonce, counter);
    return in_use->open(packet, packet, len, NULL, 0, nonce, key);
}
