/* Ed25519, RFC 8032: one addition formula, bit after bit, and no table.
 *
 * The formula holds for all points of the curve, equal ones and the neutral one included (section 5.1.4), so
 * that a doubling is an addition, and adding nothing is one too: which keeps the time the same for each
 * secret. Verification asks for what the RFC leaves open: S below the group order, a key that is written
 * in the one way there is, neither the key nor R of small order. */
#include <string.h>

#include "../../base/ct.h"
#include "../crypto.h"
#include "field.h"
#include "small.h"

/* x = X/Z, y = Y/Z, x y = T/Z; all reduced. */
struct point {
    tn_fe x, y, z, t;
};
#define POINT_LIMBS (sizeof(struct point) / sizeof(int32_t))

static const tn_fe d2 = {-21827239, -5839606, -30745221, 13898782, 229458,
                         15978800, -12551817, -6495438, 29715968, 9444199}; /* 2 d, section 5.1 */
static const tn_fe root_of_minus_1 = {-32595792, -7943725, 9377950, 3500415, 12389472,
                                      -272473, -25146209, -2005654, 326686, 11406482};

static void neutral(struct point *p)
{
    memset(p, 0, sizeof *p);
    p->y[0] = p->z[0] = 1;
}

/* p += q, which may be p itself; the RFC's names are kept. */
static void add(struct point *p, const struct point *q)
{
    tn_fe a, b, c, d;

    tn_fe_add_sub(b, a, p->y, p->x);
    tn_fe_add_sub(c, d, q->y, q->x);
    tn_fe_mul(a, d, a);
    tn_fe_mul(b, c, b);
    tn_fe_mul(c, p->t, q->t);
    tn_fe_mul(c, d2, c);
    tn_fe_add(d, q->z, q->z);
    tn_fe_mul(d, p->z, d);
    tn_fe_add_sub(p->t, p->x, b, a); /* H, E */
    tn_fe_add_sub(b, a, d, c);       /* G, F */
    tn_fe_mul(p->z, a, b);
    tn_fe_mul(p->y, b, p->t);
    tn_fe_mul(p->t, p->x, p->t);
    tn_fe_mul(p->x, a, p->x);
}

static unsigned bit(const uint8_t *n, int i)
{
    return n[i / 8] >> (i % 8) & 1u;
}

static bool is_zero(const tn_fe f)
{
    uint8_t bytes[32];

    tn_fe_to(bytes, f);
    return tn_ct_is_zero(bytes, sizeof bytes);
}

static void encode(uint8_t out[32], const struct point *p)
{
    tn_fe inverse, n;
    uint8_t x[32];

    tn_fe_invert(inverse, p->z);
    tn_fe_mul(n, p->x, inverse);
    tn_fe_to(x, n);
    tn_fe_mul(n, p->y, inverse);
    tn_fe_to(out, n);
    out[31] ^= (uint8_t)(x[0] << 7);
}

/* Section 5.1.3: x is the root of (y^2 - 1) / (d y^2 + 1), here with both doubled. False: there is none. */
static bool decode(struct point *p, const uint8_t in[32])
{
    tn_fe u, v, n;
    uint8_t x[32];

    neutral(p);
    tn_fe_from(p->y, in);
    tn_fe_squares(n, p->y, 1);
    tn_fe_sub(u, n, p->z);
    tn_fe_add(u, u, u);
    tn_fe_mul_small(u, u, 1);
    tn_fe_mul(v, n, d2);
    v[0] += 2;
    /* u v^3 (u v^7)^(2^252 - 3) */
    tn_fe_squares(n, v, 1);
    tn_fe_mul(n, v, n);
    tn_fe_mul(p->t, n, u); /* u v^3 */
    tn_fe_squares(n, n, 1);
    tn_fe_mul(n, v, n);
    tn_fe_mul(n, u, n); /* u v^7 */
    tn_fe_power(p->x, NULL, n);
    tn_fe_squares(p->x, p->x, 2);
    tn_fe_mul(p->x, n, p->x);
    tn_fe_mul(p->x, p->t, p->x);
    tn_fe_squares(n, p->x, 1);
    tn_fe_mul(n, v, n);
    tn_fe_add_sub(v, n, n, u);
    if (!is_zero(n)) {
        if (!is_zero(v))
            return false;
        tn_fe_mul(p->x, root_of_minus_1, p->x);
    }
    tn_fe_to(x, p->x);
    tn_fe_set(n, 0);
    if ((x[0] & 1) != in[31] >> 7)
        tn_fe_sub(p->x, n, p->x);
    tn_fe_mul(p->t, p->x, p->y);
    return true;
}

/* y = 4/5, and x is even: a constant that is on the curve. */
static void base_point(struct point *p)
{
    uint8_t bytes[32];

    memset(bytes, 0x66, sizeof bytes);
    bytes[0] = 0x58;
    (void)decode(p, bytes);
}

/* Eight times it is the neutral point, the only one of the odd group order's points with x = 0. */
static bool is_of_small_order(const struct point *p)
{
    struct point eight = *p;

    for (int i = 0; i < 3; i++)
        add(&eight, &eight);
    return is_zero(eight.x);
}

/* r = n B, encoded. What is added changes places with the neutral point where a bit is 0. */
static void multiple_of_base(uint8_t r[32], const uint8_t n[32])
{
    struct point sum, some, base;

    base_point(&base);
    neutral(&sum);
    for (int i = 255; i >= 0; i--) {
        add(&sum, &sum);
        neutral(&some);
        tn_fe_swap(some.x, base.x, POINT_LIMBS, bit(n, i));
        add(&sum, &some);
        tn_fe_swap(some.x, base.x, POINT_LIMBS, bit(n, i));
    }
    encode(r, &sum);
    tn_wipe(&sum, sizeof sum);
}

/* The private number and, behind it, what makes the nonce. */
static void expand(uint8_t out[64], const uint8_t seed[32])
{
    struct tn_sha512 s;

    tn_sha512_init(&s);
    tn_sha512_update(&s, seed, 32);
    tn_sha512_final(&s, out);
    tn_x25519_clamp(out);
}

/* SHA-512 of up to three parts, as a number below the group order. */
static void hash(uint8_t out[64], const uint8_t first[32], const uint8_t *second, const void *msg, size_t len)
{
    struct tn_sha512 s;

    tn_sha512_init(&s);
    tn_sha512_update(&s, first, 32);
    if (second)
        tn_sha512_update(&s, second, 32);
    tn_sha512_update(&s, msg, len);
    tn_sha512_final(&s, out);
    tn_scalar_reduce(out);
}

void tn_ed25519_public(uint8_t pub[32], const uint8_t seed[32])
{
    uint8_t secret[64];

    expand(secret, seed);
    multiple_of_base(pub, secret);
    tn_wipe(secret, sizeof secret);
}

void tn_ed25519_sign(uint8_t sig[64], const void *msg, size_t len, const uint8_t seed[32])
{
    uint8_t secret[64], nonce[64], challenge[64], pub[32];

    tn_ed25519_public(pub, seed);
    expand(secret, seed);
    hash(nonce, secret + 32, NULL, msg, len);
    multiple_of_base(sig, nonce);
    hash(challenge, sig, pub, msg, len);
    tn_scalar_muladd(sig + 32, challenge, secret, nonce);
    tn_wipe(secret, sizeof secret);
    tn_wipe(nonce, sizeof nonce);
}

/* R must be S B - k A: compared as bytes, so R is written in the one way there is. */
static bool matches(const uint8_t sig[64], const uint8_t k[32], struct point *key)
{
    struct point sum, base;
    uint8_t r[32];

    base_point(&base);
    neutral(&sum);
    tn_fe_sub(key->x, sum.x, key->x);
    tn_fe_sub(key->t, sum.x, key->t);
    for (int i = 252; i >= 0; i--) { /* both numbers are below 2^253 */
        add(&sum, &sum);
        if (bit(k, i))
            add(&sum, key);
        if (bit(sig + 32, i))
            add(&sum, &base);
    }
    encode(r, &sum);
    return memcmp(r, sig, sizeof r) == 0 && !is_of_small_order(&sum);
}

int tn_ed25519_verify(const uint8_t sig[64], const void *msg, size_t len, const uint8_t pub[32])
{
    struct point key;
    uint8_t k[64];

    if (!tn_scalar_is_canonical(sig + 32) || !decode(&key, pub))
        return TN_EAUTH;
    encode(k, &key);
    if (memcmp(k, pub, 32) != 0 || is_of_small_order(&key))
        return TN_EAUTH;
    hash(k, sig, pub, msg, len);
    return matches(sig, k, &key) ? 0 : TN_EAUTH;
}
