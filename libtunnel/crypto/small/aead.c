/* ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), in loops.
 *
 * The state of ChaCha20 is 16 words: 4 constants, 8 of the key, the block's number, 3 of the nonce.
 * Poly1305 counts modulo 2^130 - 5 in five limbs of 26 bits. */
#include <string.h>

#include "../../base/bytes.h"
#include "../../base/ct.h"
#include "../crypto.h"

#define BLOCK_LEN 64
#define LIMBS 5
#define LIMB 0x3ffffffu

struct poly {
    uint32_t r[2 * LIMBS]; /* 5 r, then r: what is above 2^130 comes back five times */
    uint32_t h[LIMBS];
    uint8_t pad[16];
};

/* ---- ChaCha20 ---- */

static uint32_t turn_left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

/* Section 2.3: the rounds alone, columns and diagonals in turn. */
static void rounds(uint32_t x[16])
{
    for (unsigned i = 0; i < 80; i++) {
        unsigned column = i % 4, lean = i / 4 % 2;
        uint32_t *a = x + column, *b = x + 4 + (column + lean) % 4, *c = x + 8 + (column + 2 * lean) % 4,
                 *d = x + 12 + (column + 3 * lean) % 4;
        uint32_t p = *a, q = *b, r = *c, s = *d;

        p += q, s = turn_left(s ^ p, 16);
        r += s, q = turn_left(q ^ r, 12);
        p += q, s = turn_left(s ^ p, 8);
        r += s, q = turn_left(q ^ r, 7);
        *a = p, *b = q, *c = r, *d = s;
    }
}

static void load(uint32_t *to, const uint8_t *from, unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        to[i] = tn_get_le32(from + 4 * i);
}

static void store(uint8_t *to, const uint32_t *from, unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        tn_put_le32(to + 4 * i, from[i]);
}

/* tail: 16 bytes where the block's number and the nonce go */
static void set_up(uint32_t x[16], const uint8_t key[32], const uint8_t tail[16])
{
    load(x, (const uint8_t *)"expand 32-byte k", 4);
    load(x + 4, key, 8);
    load(x + 12, tail, 4);
}

static void next_block(uint8_t out[BLOCK_LEN], uint32_t state[16])
{
    uint32_t x[16];

    memcpy(x, state, sizeof x);
    rounds(x);
    for (unsigned i = 0; i < 16; i++)
        x[i] += state[i];
    store(out, x, 16);
    state[12]++;
}

static void xor_stream(uint8_t *out, const uint8_t *in, size_t len, uint32_t state[16])
{
    uint8_t block[BLOCK_LEN];

    for (size_t i = 0; i < len; i++) {
        if (i % BLOCK_LEN == 0)
            next_block(block, state);
        out[i] = in[i] ^ block[i % BLOCK_LEN];
    }
    tn_wipe(block, sizeof block);
}

/* ---- Poly1305 ---- */

static void split(uint32_t limbs[LIMBS], const uint8_t in[16])
{
    for (unsigned i = 0; i < LIMBS; i++)
        limbs[i] = tn_get_le32(in + (i < 4 ? 3 * i : 12)) >> (i < 4 ? 2 * i : 8) & LIMB;
}

/* The key's first block: r with the bits cleared that section 2.5 names, and the pad. */
static void poly_begin(struct poly *p, uint8_t key[BLOCK_LEN])
{
    for (unsigned i = 0; i < 4; i++) {
        key[4 * i + 3] &= 15;
        key[4 * i + 4] &= i < 3 ? 252 : 255;
    }
    split(p->r + LIMBS, key);
    for (unsigned i = 0; i < LIMBS; i++)
        p->r[i] = 5 * p->r[i + LIMBS];
    memset(p->h, 0, sizeof p->h);
    memcpy(p->pad, key + 16, sizeof p->pad);
}

/* What is above 26 bits goes up, round and round. */
static void carry(uint32_t h[LIMBS])
{
    uint32_t above = 0;

    for (unsigned i = 0; i < LIMBS; i++) {
        h[i] += above;
        above = h[i] >> 26;
        h[i] &= LIMB;
    }
    h[0] += 5 * above;
}

/* Section 2.8: in blocks of 16 bytes, the last one with zeros behind. */
static void poly_take(struct poly *p, const uint8_t *in, size_t len)
{
    while (len) {
        size_t n = len < 16 ? len : 16;
        uint8_t block[16] = {0};
        uint32_t add[LIMBS];
        uint64_t sum = 0;

        memcpy(block, in, n);
        in += n;
        len -= n;
        split(add, block);
        add[4] |= (uint32_t)1 << 24;
        for (unsigned i = 0; i < LIMBS; i++)
            p->h[i] += add[i];
        for (unsigned i = 0; i < LIMBS; i++) {
            const uint32_t *r = p->r + LIMBS + i;

            for (unsigned j = 0; j < LIMBS; j++)
                sum += (uint64_t)p->h[j] * *r--;
            add[i] = (uint32_t)sum & LIMB;
            sum >>= 26;
        }
        memcpy(p->h, add, sizeof add);
        p->h[0] += (uint32_t)sum * 5;
        p->h[1] += p->h[0] >> 26;
        p->h[0] &= LIMB;
    }
}

static void poly_end(struct poly *p, uint8_t tag[16])
{
    uint32_t g[LIMBS], keep;
    uint64_t sum = 0;

    carry(p->h);
    carry(p->h);
    memcpy(g, p->h, sizeof g);
    g[0] += 5; /* h less the prime is h + 5 less 2^130 */
    for (unsigned i = 0; i + 1 < LIMBS; i++) {
        g[i + 1] += g[i] >> 26;
        g[i] &= LIMB;
    }
    keep = (g[4] >> 26) - 1; /* all ones: h is below the prime */
    for (unsigned i = 0; i < LIMBS; i++)
        g[i] = (p->h[i] & keep) | (g[i] & ~keep & LIMB);
    for (unsigned i = 0; i < 4; i++) {
        sum += (g[i] >> 6 * i | g[i + 1] << (26 - 6 * i)) + (uint64_t)tn_get_le32(p->pad + 4 * i);
        tn_put_le32(tag + 4 * i, (uint32_t)sum);
        sum >>= 32;
    }
}

/* ---- the two together ---- */

/* Section 2.8. `state` is left at block 1. */
static void tag_of(uint8_t tag[16], const uint8_t *sealed, size_t len, const uint8_t *ad, size_t ad_len,
                   const uint32_t state[16])
{
    struct poly p;
    uint32_t first[16];
    uint8_t block[BLOCK_LEN];

    memcpy(first, state, sizeof first);
    first[12] = 0;
    next_block(block, first);
    poly_begin(&p, block);
    poly_take(&p, ad, ad_len);
    poly_take(&p, sealed, len);
    tn_put_le64(block, ad_len);
    tn_put_le64(block + 8, len);
    poly_take(&p, block, 16);
    poly_end(&p, tag);
    tn_wipe(&p, sizeof p);
    tn_wipe(first, sizeof first);
    tn_wipe(block, sizeof block);
}

static void seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len, uint32_t state[16])
{
    xor_stream(out, in, len, state);
    tag_of(out + len, out, len, ad, ad_len, state);
    tn_wipe(state, BLOCK_LEN);
}

static int open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len, uint32_t state[16])
{
    uint8_t tag[TN_TAG_LEN];
    int err = len < TN_TAG_LEN ? TN_EINVAL : 0;

    if (!err) {
        len -= TN_TAG_LEN;
        tag_of(tag, in, len, ad, ad_len, state);
        err = tn_ct_equal(tag, in + len, TN_TAG_LEN) ? 0 : TN_EAUTH;
        if (!err)
            xor_stream(out, in, len, state);
    }
    tn_wipe(state, BLOCK_LEN);
    return err;
}

static void begin(uint32_t state[16], const uint8_t nonce[12], const uint8_t key[32])
{
    uint8_t tail[16] = {1};

    memcpy(tail + 4, nonce, 12);
    set_up(state, key, tail);
}

static void begin_counter(uint32_t state[16], uint64_t counter, const uint8_t key[32])
{
    uint8_t tail[16] = {1};

    tn_put_le64(tail + 8, counter);
    set_up(state, key, tail);
}

/* HChaCha20 of key and 16 bytes of nonce is the key, the other 8 are the nonce. */
static void begin_x(uint32_t state[16], const uint8_t nonce[24], const uint8_t key[32])
{
    uint8_t subkey[32];

    set_up(state, key, nonce);
    rounds(state);
    store(subkey, state, 4);
    store(subkey + 16, state + 12, 4);
    begin_counter(state, tn_get_le64(nonce + 16), subkey);
    tn_wipe(subkey, sizeof subkey);
}

void tn_aead_seal_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                        const uint8_t nonce[12], const uint8_t key[32])
{
    uint32_t state[16];

    begin(state, nonce, key);
    seal(out, in, len, ad, ad_len, state);
}

int tn_aead_open_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                       const uint8_t nonce[12], const uint8_t key[32])
{
    uint32_t state[16];

    begin(state, nonce, key);
    return open(out, in, len, ad, ad_len, state);
}

void tn_aead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len, uint64_t counter,
                  const uint8_t key[32])
{
    uint32_t state[16];

    begin_counter(state, counter, key);
    seal(out, in, len, ad, ad_len, state);
}

int tn_aead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len, uint64_t counter,
                 const uint8_t key[32])
{
    uint32_t state[16];

    begin_counter(state, counter, key);
    return open(out, in, len, ad, ad_len, state);
}

void tn_xaead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                   const uint8_t nonce[24], const uint8_t key[32])
{
    uint32_t state[16];

    begin_x(state, nonce, key);
    seal(out, in, len, ad, ad_len, state);
}

int tn_xaead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                  const uint8_t nonce[24], const uint8_t key[32])
{
    uint32_t state[16];

    begin_x(state, nonce, key);
    return open(out, in, len, ad, ad_len, state);
}

int tn_crypto_init(void)
{
    return 0;
}
