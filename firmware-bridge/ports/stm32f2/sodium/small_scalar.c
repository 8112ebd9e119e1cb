/* Numbers modulo the group order, bit by bit: r = 2 r + bit, less the order where it does not become
 * negative. 512 rounds of eight words; a signature needs three of these. */
#include "small.h"

#include <string.h>

#include "utils.h"

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

void small_reduce(unsigned char *s)
{
    uint32_t n[2 * WORDS], r[WORDS];

    memcpy(n, s, sizeof n); /* the chip is little endian, as these numbers are */
    reduce(r, n);
    memcpy(s, r, sizeof r);
    memset(s + sizeof r, 0, sizeof r);
    sodium_memzero(n, sizeof n);
    sodium_memzero(r, sizeof r);
}

void small_muladd(unsigned char *s, const unsigned char *a, const unsigned char *b, const unsigned char *c)
{
    uint32_t x[WORDS], y[WORDS], n[2 * WORDS] = {0};

    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    memcpy(n, c, WORDS * sizeof n[0]);
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
    memcpy(s, x, sizeof x);
    sodium_memzero(n, sizeof n);
    sodium_memzero(x, sizeof x);
    sodium_memzero(y, sizeof y);
}
