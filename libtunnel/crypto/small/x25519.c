/* X25519 by the Montgomery ladder of RFC 7748, section 5: the same steps for each scalar. */
#include <string.h>

#include "../../base/ct.h"
#include "../crypto.h"
#include "field.h"

#define A24 121665

struct ladder {
    tn_fe x1;
    tn_fe two[2], three[2]; /* x and z of either point */
    tn_fe a, b, c, d;
};

/* What the RFC calls A, AA and so on is named where it is made. */
static void step(struct ladder *l)
{
    tn_fe_add_sub(l->a, l->b, l->two[0], l->two[1]);     /* A, B */
    tn_fe_add_sub(l->c, l->d, l->three[0], l->three[1]); /* C, D */
    tn_fe_mul(l->three[0], l->a, l->d);                  /* DA */
    tn_fe_mul(l->three[1], l->b, l->c);                  /* CB */
    tn_fe_add_sub(l->c, l->d, l->three[0], l->three[1]);
    tn_fe_mul(l->three[0], l->c, l->c);
    tn_fe_mul(l->c, l->d, l->d);
    tn_fe_mul(l->three[1], l->x1, l->c);
    tn_fe_mul(l->c, l->a, l->a); /* AA */
    tn_fe_mul(l->d, l->b, l->b); /* BB */
    tn_fe_mul(l->two[0], l->c, l->d);
    tn_fe_sub(l->a, l->c, l->d); /* E */
    tn_fe_mul_small(l->b, l->a, A24);
    tn_fe_add(l->b, l->b, l->c);
    tn_fe_mul(l->two[1], l->a, l->b);
}

int tn_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
    struct ladder l;
    uint8_t shared[32];
    uint32_t last = 0;
    int rc = TN_EAUTH;

    memcpy(shared, scalar, 32);
    tn_x25519_clamp(shared);
    tn_fe_from(l.x1, point);
    tn_fe_set(l.two[0], 1);
    tn_fe_set(l.two[1], 0);
    memcpy(l.three[0], l.x1, sizeof l.x1);
    tn_fe_set(l.three[1], 1);
    for (int i = 254; i >= 0; i--) {
        uint32_t bit = shared[i / 8] >> (i % 8) & 1u;

        tn_fe_swap(l.two[0], l.three[0], 2 * TN_FE_LIMBS, bit ^ last);
        last = bit;
        step(&l);
    }
    tn_fe_swap(l.two[0], l.three[0], 2 * TN_FE_LIMBS, last);
    tn_fe_invert(l.two[1], l.two[1]);
    tn_fe_mul(l.two[0], l.two[1], l.two[0]);
    tn_fe_to(shared, l.two[0]);
    if (!tn_ct_is_zero(shared, 32)) { /* a point of low order */
        memcpy(out, shared, 32);
        rc = 0;
    }
    tn_wipe(&l, sizeof l);
    tn_wipe(shared, sizeof shared);
    return rc;
}

int tn_x25519_public(uint8_t out[32], const uint8_t priv[32])
{
    static const uint8_t nine[32] = {9};

    return tn_x25519(out, priv, nine);
}

void tn_x25519_clamp(uint8_t priv[32])
{
    priv[0] &= 0xf8;
    priv[31] = (uint8_t)((priv[31] & 0x7f) | 0x40);
}
