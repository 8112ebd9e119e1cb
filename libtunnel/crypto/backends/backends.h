/* Packet ciphers of libraries that may or may not be installed. Each is looked for when a program starts
 * (dlopen), so that none is a dependency, and what is not chosen takes no memory. */
#ifndef TN_CRYPTO_BACKENDS_BACKENDS_H
#define TN_CRYPTO_BACKENDS_BACKENDS_H

#include <stdbool.h>
#include <stddef.h>

#include "../cipher.h"

/* All that this build knows, libsodium's first; NULL past the last. Not loaded. */
const struct tn_cipher *tn_cipher_known(size_t i);

#endif
