/* Schoolbook products by columns. 2^255 is 19, so limb i and limb j meet in column i + j, or, times 19, in
 * column i + j - 10; two odd limbs meet half a bit too low twice, hence times 2. A square is a product: the
 * half of its multiplications that could be spared is spent on finding the other half. */
#include "field.h"

#include <string.h>

#include "../../base/bytes.h"

/* Of limb i. */
static inline unsigned bits_of(int i)
{
    return 26 - (i & 1);
}

/* Leaves `bits` bits, signed, and returns what is above them. */
static inline int64_t settle(int32_t *limb, int64_t sum, unsigned bits)
{
    int64_t above = (sum + ((int64_t)1 << (bits - 1))) >> bits;

    *limb = (int32_t)(sum - (int64_t)((uint64_t)above << bits));
    return above;
}

/* What is above limb 9 comes back at limb 0. */
static void fold(tn_fe h, int64_t above)
{
    h[1] += (int32_t)settle(&h[0], h[0] + 19 * above, 26);
}

void tn_fe_set(tn_fe h, int32_t small)
{
    memset(h, 0, sizeof(tn_fe));
    h[0] = small;
}

void tn_fe_add(tn_fe h, const tn_fe f, const tn_fe g)
{
    for (int i = 0; i < TN_FE_LIMBS; i++)
        h[i] = f[i] + g[i];
}

void tn_fe_sub(tn_fe h, const tn_fe f, const tn_fe g)
{
    for (int i = 0; i < TN_FE_LIMBS; i++)
        h[i] = f[i] - g[i];
}

void tn_fe_add_sub(tn_fe sum, tn_fe difference, const tn_fe f, const tn_fe g)
{
    for (int i = 0; i < TN_FE_LIMBS; i++) {
        int32_t a = f[i], b = g[i];

        sum[i] = a + b;
        difference[i] = a - b;
    }
}

/* The columns of f times what lies around at: at[0] to at[9] is g, at[-10] to at[-1] is 19 g. Returns what
 * is above limb 9. By hand for the Cortex-M3, whose compiler takes half as many instructions again
 * in what is nearly all of a handshake. */
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__)
#define TWO(up, down, odd) \
    "ldrd %[a], %[b], [%[f], #" up "]\n\tldrd %[c], %[d], [%[at], #-" down "]\n\t" \
    "smlal %[nl], %[nh], %[a], %[d]\n\tsmlal %[" odd "l], %[" odd "h], %[b], %[c]\n\t"
#define TEN(odd) TWO("0", "4", odd) TWO("8", "12", odd) TWO("16", "20", odd) TWO("24", "28", odd) TWO("32", "36", odd)
#define SETTLE(half, high, bits, rest) \
    "adds %[a], %[nl], #" half "\n\tadc %[b], %[nh], #0\n\tand %[c], %[a], #" high "\n\t" \
    "sub %[nl], %[nl], %[c]\n\tstr %[nl], [%[h]], #4\n\tlsr %[nl], %[a], #" bits "\n\t" \
    "orr %[nl], %[nl], %[b], lsl #" rest "\n\tasr %[nh], %[b], #" bits "\n\tadds %[at], %[at], #4\n\t"
static int64_t columns(int32_t *h, const int32_t *f, const int32_t *at)
{
    uint32_t nl = 0, nh = 0, ml, mh, a, b, c, d;
    const int32_t *end = at + TN_FE_LIMBS;

    __asm__("1:\n\tmovs %[ml], #0\n\tmovs %[mh], #0\n\t" TEN("m")
            "adds %[ml], %[ml], %[ml]\n\tadc %[mh], %[mh], %[mh]\n\t"
            "adds %[nl], %[nl], %[ml]\n\tadc %[nh], %[nh], %[mh]\n\t"
            SETTLE("0x2000000", "0xfc000000", "26", "6")
            TEN("n")
            SETTLE("0x1000000", "0xfe000000", "25", "7")
            "cmp %[at], %[end]\n\tbne 1b"
            : [nl] "+&r"(nl), [nh] "+&r"(nh), [ml] "=&r"(ml), [mh] "=&r"(mh), [a] "=&r"(a), [b] "=&r"(b),
              [c] "=&r"(c), [d] "=&r"(d), [h] "+&r"(h), [at] "+&r"(at)
            : [f] "r"(f), [end] "r"(end)
            : "cc", "memory");
    return (int64_t)((uint64_t)nh << 32 | nl);
}
#else
static int64_t columns(int32_t *h, const int32_t *f, const int32_t *at)
{
    int64_t n = 0;

    for (int i = 0; i < TN_FE_LIMBS; i++) {
        for (int j = 0; j < TN_FE_LIMBS; j++)
            n += ((int64_t)f[j] * at[i - j]) * (1 + (j & ~i & 1));
        n = settle(&h[i], n, bits_of(i));
    }
    return n;
}
#endif

void tn_fe_mul(tn_fe h, const tn_fe f, const tn_fe g)
{
    int32_t wrapped[2 * TN_FE_LIMBS];

    for (int i = 0; i < TN_FE_LIMBS; i++) {
        wrapped[i] = 19 * g[i];
        wrapped[i + TN_FE_LIMBS] = g[i];
    }
    fold(h, columns(h, f, wrapped + TN_FE_LIMBS));
}

void tn_fe_mul_small(tn_fe h, const tn_fe f, int32_t small)
{
    int64_t n = 0;

    for (int i = 0; i < TN_FE_LIMBS; i += 2) {
        n = settle(&h[i], n + (int64_t)f[i] * small, 26);
        n = settle(&h[i + 1], n + (int64_t)f[i + 1] * small, 25);
    }
    fold(h, n);
}

void tn_fe_squares(tn_fe h, const tn_fe f, int times)
{
    tn_fe t;

    while (times-- > 0) {
        memcpy(t, f, sizeof t);
        tn_fe_mul(h, t, f);
        f = h;
    }
}

/* x_n stands for f^(2^n - 1): x_(n + m) is x_n squared m times, times x_m. */
void tn_fe_power(tn_fe h, tn_fe eleventh, const tn_fe f)
{
    static const uint8_t steps[] = {5, 10, 20, 10, 50, 100, 50};
    tn_fe t, keep[3]; /* the last x, x_10, x_50 */

    tn_fe_squares(t, f, 1);
    tn_fe_squares(h, t, 2);
    tn_fe_mul(h, f, h); /* f^9 */
    tn_fe_mul(t, h, t); /* f^11 */
    if (eleventh)
        memcpy(eleventh, t, sizeof t);
    tn_fe_squares(t, t, 1);
    tn_fe_mul(h, t, h); /* x_5 */
    for (unsigned i = 0; i < sizeof steps; i++) {
        memcpy(keep[0], h, sizeof t);
        if (i == 1 || i == 4)
            memcpy(keep[i == 1 ? 1 : 2], h, sizeof t);
        tn_fe_squares(t, h, steps[i]);
        tn_fe_mul(h, t, keep[i == 3 ? 1 : i == 6 ? 2 : 0]);
    }
}

void tn_fe_invert(tn_fe h, const tn_fe f)
{
    tn_fe t, eleventh;

    tn_fe_power(t, eleventh, f);
    tn_fe_squares(t, t, 5);
    tn_fe_mul(h, t, eleventh); /* f^(2^255 - 21) */
}

void tn_fe_swap(int32_t *f, int32_t *g, unsigned count, uint32_t swap)
{
    int32_t mask = -(int32_t)swap;

    for (unsigned i = 0; i < count; i++) {
        int32_t differ = (f[i] ^ g[i]) & mask;

        f[i] ^= differ;
        g[i] ^= differ;
    }
}

/* ---- bytes ---- */

void tn_fe_from(tn_fe h, const uint8_t bytes[32])
{
    uint64_t held = 0;
    unsigned bits = 0;

    for (int i = 0; i < TN_FE_LIMBS; i++) {
        while (bits < bits_of(i)) {
            held |= (uint64_t)*bytes++ << bits;
            bits += 8;
        }
        h[i] = (int32_t)(held & (((uint32_t)1 << bits_of(i)) - 1));
        held >>= bits_of(i);
        bits -= bits_of(i);
    }
    tn_fe_mul_small(h, h, 1);
}

void tn_fe_to(uint8_t bytes[32], const tn_fe f)
{
    tn_fe h;
    uint64_t held = 0;
    unsigned bits = 0;
    int32_t q;

    tn_fe_mul_small(h, f, 1);
    /* q, the number of primes in h: 0, -1 or 1, is what is above bit 255 of h + 19 times what 19 h[9] rounds to */
    q = (19 * h[9] + ((int32_t)1 << 24)) >> 25;
    for (int i = 0; i < TN_FE_LIMBS; i++)
        q = (h[i] + q) >> bits_of(i);
    q *= 19;
    for (int i = 0; i < TN_FE_LIMBS; i++) {
        q += h[i];
        held |= (uint64_t)((uint32_t)q & (((uint32_t)1 << bits_of(i)) - 1)) << bits;
        q >>= bits_of(i);
        for (bits += bits_of(i); bits >= 8 || (i == 9 && bits); bits = bits > 8 ? bits - 8 : 0) {
            *bytes++ = (uint8_t)held;
            held >>= 8;
        }
    }
}
