/* Multiples of the base points, in small code.
 *
 * libsodium's own ge25519_scalarmult_base has a table of 30 KB, more than the
 * rest of the firmware's cryptography. On the chip the calls to it are renamed
 * to the one here (see meson.build), which takes libsodium's constant-time
 * multiplication of any point instead. X25519's public keys go by the
 * Montgomery ladder, which is faster than that and is there anyway. */
#include "crypto_scalarmult_curve25519.h"
#include "private/ed25519_ref10.h"

void chip_ge25519_scalarmult_base(ge25519_p3 *h, const unsigned char *a);

/* RFC 8032 section 5.1: y = 4/5, and the sign bit of x is 0 */
static const unsigned char edwards_base[32] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
};

void chip_ge25519_scalarmult_base(ge25519_p3 *h, const unsigned char *a)
{
    ge25519_p3 base;

    ge25519_frombytes(&base, edwards_base); /* a constant that is on the curve: cannot fail */
    ge25519_scalarmult(h, a, &base);
}

int crypto_scalarmult_curve25519_base(unsigned char *q, const unsigned char *n)
{
    static const unsigned char nine[32] = {9}; /* RFC 7748 section 4.1 */

    return crypto_scalarmult_curve25519(q, n, nine);
}
