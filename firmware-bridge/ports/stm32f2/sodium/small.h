/* Small code in the place of libsodium's fast code, for the chip: what is called once in a while, and
 * would otherwise take 28 KB of flash and 4 KB of stack. Each has the signature and meaning of the
 * function that it stands for, and is tested against it; meson.build renames the calls. */
#ifndef SMALL_H
#define SMALL_H

#include "crypto_hash_sha512.h"
#include "private/ed25519_ref10.h"

/* Constant time in a. */
void small_scalarmult_base(ge25519_p3 *h, const unsigned char *a);
/* r = a A + b B; the time depends on a and b, which are public in a signature. */
void small_double_scalarmult_vartime(ge25519_p2 *r, const unsigned char *a, const ge25519_p3 *A,
                                     const unsigned char *b);
/* 64 bytes modulo the group order, in place, the upper half is zero afterwards. Constant time. */
void small_reduce(unsigned char *s);
/* a b + c modulo the group order. Constant time, as far as the chip's multiplier is. */
void small_muladd(unsigned char *s, const unsigned char *a, const unsigned char *b, const unsigned char *c);

#endif
