/* Multiples of points, by doubling and adding, one bit at a time.
 *
 * libsodium's own have tables: 30 KB of flash for the base point, 4 KB of stack for any other. Its
 * addition formulas hold for all points of the curve, equal ones and the neutral one included (RFC 8032
 * section 5.1.4), so that a doubling is an addition, and adding nothing is one too: which keeps the
 * time the same for each secret. X25519's public keys go by the Montgomery ladder, which is there
 * anyway. */
#include "small.h"

#include <string.h>

#include "crypto_scalarmult_curve25519.h"
#include "utils.h"

#define LIMBS (sizeof(ge25519_cached) / sizeof(int32_t))

/* RFC 8032 section 5.1: y = 4/5, and the sign bit of x is 0 */
static const unsigned char edwards_base[32] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
};

static void neutral(ge25519_p3 *h)
{
    memset(h, 0, sizeof *h);
    h->Y[0] = h->Z[0] = 1;
}

static void add(ge25519_p3 *h, const ge25519_cached *q)
{
    ge25519_p1p1 sum;

    ge25519_add(&sum, h, q);
    ge25519_p1p1_to_p3(h, &sum);
}

static void twice(ge25519_p3 *h)
{
    ge25519_cached same;

    ge25519_p3_to_cached(&same, h);
    add(h, &same);
}

static unsigned bit(const unsigned char *a, int i)
{
    return a[i / 8] >> (i % 8) & 1u;
}

/* The base point and in the form that additions take: a constant that is on the curve cannot fail. */
static void base_point(ge25519_p3 *p, ge25519_cached *cached)
{
    (void)ge25519_frombytes(p, edwards_base);
    ge25519_p3_to_cached(cached, p);
}

/* q = yes ? q : the neutral point, without a branch */
static void select_cached(ge25519_cached *out, const ge25519_cached *q, unsigned yes)
{
    int32_t mask = -(int32_t)yes;
    int32_t limbs[LIMBS];

    memcpy(limbs, q, sizeof limbs);
    for (size_t i = 0; i < LIMBS; i++)
        limbs[i] &= mask;
    memcpy(out, limbs, sizeof limbs);
    out->YplusX[0] |= 1 & ~mask;
    out->YminusX[0] |= 1 & ~mask;
    out->Z[0] |= 1 & ~mask;
}

void small_scalarmult_base(ge25519_p3 *h, const unsigned char *a)
{
    ge25519_cached base, some;

    base_point(h, &base);
    neutral(h);
    for (int i = 255; i >= 0; i--) {
        twice(h);
        select_cached(&some, &base, bit(a, i));
        add(h, &some);
    }
    sodium_memzero(&some, sizeof some);
}

void small_double_scalarmult_vartime(ge25519_p2 *r, const unsigned char *a, const ge25519_p3 *A,
                                     const unsigned char *b)
{
    ge25519_cached table[3]; /* A, B, A + B */
    ge25519_p3 h;

    base_point(&h, &table[1]);
    ge25519_p3_to_cached(&table[0], A);
    add(&h, &table[0]);
    ge25519_p3_to_cached(&table[2], &h);
    neutral(&h);
    for (int i = 255; i >= 0; i--) {
        unsigned which = bit(a, i) | bit(b, i) << 1;

        twice(&h);
        if (which)
            add(&h, &table[which - 1]);
    }
    memcpy(r->X, h.X, sizeof h.X);
    memcpy(r->Y, h.Y, sizeof h.Y);
    memcpy(r->Z, h.Z, sizeof h.Z);
}

int crypto_scalarmult_curve25519_base(unsigned char *q, const unsigned char *n)
{
    static const unsigned char nine[32] = {9}; /* RFC 7748 section 4.1 */

    return crypto_scalarmult_curve25519(q, n, nine);
}
