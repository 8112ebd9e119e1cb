/* Which library seals packets: the one that measures fastest here, of those that are installed. */
#ifndef TUND_CIPHER_H
#define TUND_CIPHER_H

#include <stdbool.h>
#include <stddef.h>

#include "libtunnel/crypto/cipher.h"

/* ns to seal and open one packet of 1420 bytes; the best of several tries. `c` is loaded. */
double cipher_measure_ns(const struct tn_cipher *c);
/* Does it give, and take, the bytes that libsodium gives? `c` is loaded. */
bool cipher_agrees(const struct tn_cipher *c);
/* The fastest of those that load and agree; the others are unloaded. `known` as tn_cipher_known. */
const struct tn_cipher *cipher_fastest(const struct tn_cipher *(*known)(size_t i));
/* Once at start, before any other thread: takes a few milliseconds. */
void cipher_choose(void);

#endif
