/* A generator with fast key erasure: each call runs ChaCha20 under the key over
 * zeros, takes the first 32 bytes as the next key and gives out what follows.
 * Whoever reads the state later cannot compute what was given out before.
 *
 * The key stream comes from tn_aead_seal over zeros, which keeps the seam to
 * cryptography as narrow as it is; the tag is thrown away. */
#include "../base/bytes.h"
#include "../base/ct.h"
#include "crypto.h"

#include <string.h>

#define CHUNK_LEN 96 /* with the new key: two blocks of ChaCha20 */

void tn_rng_init(struct tn_rng *r, const uint8_t seed[32])
{
    memcpy(r->key, seed, sizeof(r->key));
}

void tn_rng_bytes(struct tn_rng *r, void *out, size_t len)
{
    uint8_t stream[TN_KEY_LEN + CHUNK_LEN + TN_TAG_LEN];
    uint8_t *p = out;

    while (len > 0) {
        size_t n = len < CHUNK_LEN ? len : CHUNK_LEN;

        memset(stream, 0, TN_KEY_LEN + n);
        tn_aead_seal(stream, stream, TN_KEY_LEN + n, NULL, 0, 0, r->key);
        memcpy(r->key, stream, TN_KEY_LEN);
        memcpy(p, stream + TN_KEY_LEN, n);
        p += n;
        len -= n;
    }
    tn_wipe(stream, sizeof(stream));
}

uint32_t tn_rng_u32(struct tn_rng *r)
{
    uint8_t b[4];

    tn_rng_bytes(r, b, sizeof(b));
    return tn_get_le32(b);
}

uint32_t tn_rng_below(struct tn_rng *r, uint32_t bound)
{
    /* Values below 2^32 mod bound would make the low results likelier. */
    uint32_t least = (uint32_t)(0u - bound) % bound;
    uint32_t v;

    do {
        v = tn_rng_u32(r);
    } while (v < least);
    return v % bound;
}
