/* Numbers modulo the group order, bit by bit: r = 2 r + bit, less the order where it does not become
 * negative. 512 rounds of eight words; a signature needs three of these. */
#include <string.h>

#include "../../base/bytes.h"
#include "../../base/ct.h"
#include "small.h"

#define WORDS 8

/* RFC 8032 section 5.1: 2^252 + 27742317777372353535851937790883648493 */
static const uint32_t order[WORDS] = {0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de, 0, 0, 0, 0x10000000};

static void reduce(uint32_t r[WORDS], const uint32_t n[2 * WORDS])
{
    memset(r, 0, WORDS * sizeof r[0]);
    for (int i = 64 * WORDS - 1; i >= 0; i--) {
        uint32_t carry = n[i / 32] >> (i % 32) & 1;
        uint32_t less[WORDS], keep;
        int64_t borrow = 0;

        for (int w = 0; w < WORDS; w++) { /* below 2^254 in all */
            uint32_t top = r[w] >> 31;

            r[w] = r[w] << 1 | carry;
            carry = top;
        }
        for (int w = 0; w < WORDS; w++) {
            borrow += (int64_t)r[w] - order[w];
            less[w] = (uint32_t)borrow;
            borrow >>= 32;
        }
        keep = (uint32_t)borrow; /* all ones: it would be negative */
        for (int w = 0; w < WORDS; w++)
            r[w] = (r[w] & keep) | (less[w] & ~keep);
    }
}

static void load(uint32_t *n, const uint8_t *bytes, int words)
{
    for (int i = 0; i < words; i++)
        n[i] = tn_get_le32(bytes + 4 * i);
}

static void store(uint8_t *bytes, const uint32_t n[WORDS])
{
    for (int i = 0; i < WORDS; i++)
        tn_put_le32(bytes + 4 * i, n[i]);
}

void tn_scalar_reduce(uint8_t s[64])
{
    uint32_t n[2 * WORDS], r[WORDS];

    load(n, s, 2 * WORDS);
    reduce(r, n);
    store(s, r);
    memset(s + sizeof r, 0, sizeof r);
    tn_wipe(n, sizeof n);
    tn_wipe(r, sizeof r);
}

bool tn_scalar_is_canonical(const uint8_t s[32])
{
    uint8_t n[64] = {0};

    memcpy(n, s, 32);
    tn_scalar_reduce(n);
    return memcmp(n, s, 32) == 0;
}

void tn_scalar_muladd(uint8_t s[32], const uint8_t a[32], const uint8_t b[32], const uint8_t c[32])
{
    uint32_t x[WORDS], y[WORDS], n[2 * WORDS] = {0};

    load(x, a, WORDS);
    load(y, b, WORDS);
    load(n, c, WORDS);
    for (int i = 0; i < WORDS; i++) {
        uint64_t carry = 0;

        for (int j = 0; j < WORDS; j++) {
            carry += (uint64_t)x[i] * y[j] + n[i + j];
            n[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        for (int j = i + WORDS; j < 2 * WORDS; j++) {
            carry += n[j];
            n[j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    reduce(x, n);
    store(s, x);
    tn_wipe(n, sizeof n);
    tn_wipe(x, sizeof x);
    tn_wipe(y, sizeof y);
}
