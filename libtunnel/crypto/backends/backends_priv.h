/* What the files of this folder share. */
#ifndef TN_CRYPTO_BACKENDS_BACKENDS_PRIV_H
#define TN_CRYPTO_BACKENDS_BACKENDS_PRIV_H

#include "../cipher.h"

extern const struct tn_cipher tn_cipher_ipsec_mb, tn_cipher_boringssl, tn_cipher_openssl;

/* A function of an opened library, to be found under `name` and stored at `at`. */
struct tn_symbol {
    const char *name;
    void *at; /* a function pointer lies there */
};

/* Opens the library and finds all `count` symbols; NULL, with nothing left open, when one is not
 * there. `own_first`: its own symbols win over those of the same name in the process. */
void *tn_library_open(const char *file, bool own_first, const struct tn_symbol *symbol,
                      size_t count);
void tn_library_close(void *library); /* NULL is fine */

#endif
