/* BoringSSL, as Debian packages it for the Android tools (android-libboringssl): the fastest where there
 * is AVX2 and no AVX-512. Its libcrypto has the names of OpenSSL's functions, so its own must win in it
 * (RTLD_DEEPBIND, which sanitizers refuse: those builds do without).
 *
 * A context is 32 bytes of key behind a pointer to a table, made on the stack for each packet in a few
 * nanoseconds, and wiped. Its size is the library's; 580 bytes in that package. */
#include "backends_priv.h"

#include "../../base/ct.h"

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#error "meson takes this file for x86-64 and AArch64 only"
#endif
#define LIBRARY "/usr/lib/" TRIPLET "/android/libcrypto.so.0"

#define CONTEXT_LEN 1024 /* room; what is used of it is far less */
#define CONTEXT_USED 640 /* to wipe */

struct context {
    _Alignas(16) uint8_t opaque[CONTEXT_LEN];
};

/* openssl/aead.h of BoringSSL */
static const void *(*algorithm)(void);
static int (*context_init)(struct context *c, const void *algorithm, const uint8_t *key,
                           size_t key_len, size_t tag_len, void *engine);
static int (*context_seal)(const struct context *c, uint8_t *out, size_t *out_len, size_t out_max,
                           const uint8_t *nonce, size_t nonce_len, const uint8_t *in, size_t len,
                           const uint8_t *ad, size_t ad_len);
static int (*context_open)(const struct context *c, uint8_t *out, size_t *out_len, size_t out_max,
                           const uint8_t *nonce, size_t nonce_len, const uint8_t *in, size_t len,
                           const uint8_t *ad, size_t ad_len);
static void (*context_cleanup)(struct context *c);
static void (*clear_errors)(void);
static void *library;

static bool load(void)
{
    const struct tn_symbol symbol[] = {
        {"EVP_aead_chacha20_poly1305", &algorithm}, {"EVP_AEAD_CTX_init", &context_init},
        {"EVP_AEAD_CTX_seal", &context_seal},       {"EVP_AEAD_CTX_open", &context_open},
        {"EVP_AEAD_CTX_cleanup", &context_cleanup}, {"ERR_clear_error", &clear_errors},
    };

    if (!library)
        library = tn_library_open(LIBRARY, true, symbol, sizeof symbol / sizeof symbol[0]);
    return library;
}

static void unload(void)
{
    tn_library_close(library);
    library = NULL;
}

static void finish(struct context *c)
{
    context_cleanup(c);
    tn_wipe(c, CONTEXT_USED);
}

/* The calls can fail for wrong lengths of key and nonce, and for no room, which cannot be here. */
static void seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    struct context c;
    size_t out_len;
    bool ok = context_init(&c, algorithm(), key, TN_KEY_LEN, TN_TAG_LEN, NULL) &&
              context_seal(&c, out, &out_len, len + TN_TAG_LEN, nonce, 12, in, len, ad, ad_len);

    finish(&c);
    if (!ok)
        __builtin_trap(); /* never plaintext on the wire */
}

static int open_(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    struct context c;
    size_t out_len;
    bool ok;

    if (len < TN_TAG_LEN)
        return TN_EINVAL;
    ok = context_init(&c, algorithm(), key, TN_KEY_LEN, TN_TAG_LEN, NULL) &&
         context_open(&c, out, &out_len, len - TN_TAG_LEN, nonce, 12, in, len, ad, ad_len);
    finish(&c);
    if (!ok)
        clear_errors();
    return ok ? 0 : TN_EAUTH;
}

static void leave(void)
{
    clear_errors();
}

const struct tn_cipher tn_cipher_boringssl = {
    .name = "BoringSSL",
    .load = load,
    .unload = unload,
    .seal = seal,
    .open = open_,
    .leave = leave,
};
