/* The list. meson decides which files there are. */
#include "backends.h"
#include "backends_priv.h"

const struct tn_cipher *tn_cipher_known(size_t i)
{
    static const struct tn_cipher *const known[] = {
        &tn_cipher_sodium,
#ifdef TN_CIPHER_IPSEC_MB
        &tn_cipher_ipsec_mb,
#endif
#ifdef TN_CIPHER_BORINGSSL
        &tn_cipher_boringssl,
#endif
        &tn_cipher_openssl,
    };

    return i < sizeof known / sizeof known[0] ? known[i] : NULL;
}
