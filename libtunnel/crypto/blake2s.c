/* BLAKE2s, RFC 7693, sections 2 and 3: ten rounds of ChaCha's quarter round,
 * here G, over a matrix of 16 words, with one message word added in each half.
 *
 * The last block is compressed in final, with the finalisation flag, so a full
 * block is held back until more data shows that it was not the last. */
#include "../base/bytes.h"
#include "../base/ct.h"
#include "crypto.h"

#include <stdbool.h>
#include <string.h>

/* RFC 7693, section 2.6. */
static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* RFC 7693, section 2.7. */
static const uint8_t sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t rotr(uint32_t x, unsigned n)
{
    return (x >> n) | (x << (32 - n));
}

static inline void mix(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x,
                       uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotr(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 7);
}

static void compress(struct tn_blake2s *s, bool last)
{
    uint32_t v[16];
    uint32_t m[16];

    for (unsigned i = 0; i < 16; i++)
        m[i] = tn_get_le32(s->block + 4 * i);
    memcpy(v, s->h, sizeof(s->h));
    memcpy(v + 8, iv, sizeof(iv));
    v[12] ^= (uint32_t)s->count;
    v[13] ^= (uint32_t)(s->count >> 32);
    if (last)
        v[14] = ~v[14];
    for (unsigned r = 0; r < 10; r++) {
        const uint8_t *o = sigma[r];

        mix(v, 0, 4, 8, 12, m[o[0]], m[o[1]]);
        mix(v, 1, 5, 9, 13, m[o[2]], m[o[3]]);
        mix(v, 2, 6, 10, 14, m[o[4]], m[o[5]]);
        mix(v, 3, 7, 11, 15, m[o[6]], m[o[7]]);
        mix(v, 0, 5, 10, 15, m[o[8]], m[o[9]]);
        mix(v, 1, 6, 11, 12, m[o[10]], m[o[11]]);
        mix(v, 2, 7, 8, 13, m[o[12]], m[o[13]]);
        mix(v, 3, 4, 9, 14, m[o[14]], m[o[15]]);
    }
    for (unsigned i = 0; i < 8; i++)
        s->h[i] ^= v[i] ^ v[i + 8];
    tn_wipe(v, sizeof(v));
    tn_wipe(m, sizeof(m));
}

void tn_blake2s_init(struct tn_blake2s *s, size_t out_len, const void *key, size_t key_len)
{
    memcpy(s->h, iv, sizeof(iv));
    s->h[0] ^= 0x01010000u ^ ((uint32_t)key_len << 8) ^ (uint32_t)out_len;
    s->count = 0;
    s->fill = 0;
    s->out_len = out_len;
    memset(s->block, 0, sizeof(s->block));
    if (key_len > 0) {
        memcpy(s->block, key, key_len);
        s->fill = sizeof(s->block);
    }
}

void tn_blake2s_update(struct tn_blake2s *s, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0) {
        size_t n = sizeof(s->block) - s->fill;

        if (n == 0) {
            s->count += sizeof(s->block);
            compress(s, false);
            s->fill = 0;
            continue;
        }
        if (n > len)
            n = len;
        memcpy(s->block + s->fill, p, n);
        s->fill += n;
        p += n;
        len -= n;
    }
}

void tn_blake2s_final(struct tn_blake2s *s, uint8_t *out)
{
    uint8_t full[32];

    s->count += s->fill;
    memset(s->block + s->fill, 0, sizeof(s->block) - s->fill);
    compress(s, true);
    for (unsigned i = 0; i < 8; i++)
        tn_put_le32(full + 4 * i, s->h[i]);
    memcpy(out, full, s->out_len);
    tn_wipe(full, sizeof(full));
    tn_wipe(s, sizeof(*s));
}

void tn_blake2s(uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *data,
                size_t len)
{
    struct tn_blake2s s;

    tn_blake2s_init(&s, out_len, key, key_len);
    tn_blake2s_update(&s, data, len);
    tn_blake2s_final(&s, out);
}

void tn_blake2s_absorb(struct tn_blake2s_keyed *k, size_t out_len, const void *key, size_t key_len)
{
    struct tn_blake2s s;

    tn_blake2s_init(&s, out_len, key, key_len);
    s.count = sizeof(s.block);
    compress(&s, false);
    memcpy(k->h, s.h, sizeof(k->h));
    k->out_len = out_len;
    tn_wipe(&s, sizeof(s));
}

void tn_blake2s_with(uint8_t *out, const struct tn_blake2s_keyed *k, const void *data, size_t len)
{
    struct tn_blake2s s = {.count = sizeof(s.block), .out_len = k->out_len};

    memcpy(s.h, k->h, sizeof(s.h));
    tn_blake2s_update(&s, data, len);
    tn_blake2s_final(&s, out);
}
