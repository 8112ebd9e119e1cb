/* The packet cipher: ChaCha20-Poly1305 (RFC 8439) for data messages, by whichever library is the fastest
 * where we run. The seam's own, libsodium's, is there from the start and needs nothing; the others are in backends/,
 * for programs that have a system. Who measures and chooses is the program; all of them give the
 * same bytes. The handshake and control messages do not come here (crypto.h). */
#ifndef TN_CRYPTO_CIPHER_H
#define TN_CRYPTO_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "crypto.h"

struct tn_cipher {
    const char *name;
    /* Once before the first use. False: the library is not there, or this CPU cannot run it. */
    bool (*load)(void);
    /* Undoes it; no thread may be in `seal` or `open`. */
    void (*unload)(void);
    /* As tn_aead_seal_nonce and tn_aead_open_nonce. For any thread at any time. */
    void (*seal)(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32]);
    int (*open)(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                const uint8_t nonce[12], const uint8_t key[32]);
    /* Gives back what the calling thread holds of it; the next `seal` may take it again. */
    void (*leave)(void);
};

extern const struct tn_cipher tn_cipher_sodium;

/* Before any other thread runs. `c` is loaded and is borrowed for ever. */
void tn_cipher_use(const struct tn_cipher *c);
const struct tn_cipher *tn_cipher_in_use(void);

/* In place, without additional data: len bytes at `packet` become len + 16, or (len counts the tag)
 * len - 16. The nonce is 4 zero bytes and the counter, little endian. As for TN_E*: tn_aead_open. */
void tn_cipher_seal(uint8_t *packet, size_t len, uint64_t counter, const uint8_t key[32]);
TN_MUST_CHECK int tn_cipher_open(uint8_t *packet, size_t len, uint64_t counter,
                                 const uint8_t key[32]);

#endif
