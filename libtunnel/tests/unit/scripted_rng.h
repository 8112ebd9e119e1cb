/* A generator that gives out what the test laid down, in place of crypto/rng.c:
 * since these names are defined in the test program itself, the linker does not
 * take them from the library. So handshakes can be reproduced byte for byte. */
#ifndef TN_TESTS_SCRIPTED_RNG_H
#define TN_TESTS_SCRIPTED_RNG_H

#include "libtunnel/base/bytes.h"
#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

static uint8_t scripted_bytes[1024];
static size_t scripted_len;
static size_t scripted_at;

static inline void script_rng(const uint8_t *bytes, size_t len)
{
    assert_true(len <= sizeof(scripted_bytes));
    memcpy(scripted_bytes, bytes, len);
    scripted_len = len;
    scripted_at = 0;
}

void tn_rng_init(struct tn_rng *r, const uint8_t seed[32])
{
    memcpy(r->key, seed, 32);
}

void tn_rng_bytes(struct tn_rng *r, void *out, size_t len)
{
    (void)r;
    if (len > scripted_len - scripted_at)
        fail_msg("the script has no more random bytes");
    memcpy(out, scripted_bytes + scripted_at, len);
    scripted_at += len;
}

uint32_t tn_rng_u32(struct tn_rng *r)
{
    uint8_t b[4];

    tn_rng_bytes(r, b, sizeof(b));
    return tn_get_le32(b);
}

uint32_t tn_rng_below(struct tn_rng *r, uint32_t bound)
{
    return tn_rng_u32(r) % bound;
}

#endif
