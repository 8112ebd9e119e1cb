/* OpenSSL 3: on most systems already, and the fastest of those that are where libsodium has no assembly
 * (ARM). A context is dear to make, so each thread keeps one; it holds a copy of the key, which
 * an all-zero key overwrites after each packet. */
#include "backends_priv.h"

#include <string.h>

#include "../../base/ct.h"

/* openssl/evp.h */
#define CTRL_GET_TAG 0x10
#define CTRL_SET_TAG 0x11

static void *(*context_new)(void);
static void (*context_free)(void *c);
static const void *(*algorithm)(void);
static int (*cipher_init)(void *c, const void *algorithm, void *engine, const uint8_t *key,
                          const uint8_t *iv, int encrypt);
static int (*cipher_update)(void *c, uint8_t *out, int *out_len, const uint8_t *in, int len);
static int (*cipher_final)(void *c, uint8_t *out, int *out_len);
static int (*cipher_ctrl)(void *c, int type, int arg, void *at);
static void (*clear_errors)(void);
static void *library;
static _Thread_local void *context;

static void leave(void)
{
    if (context)
        context_free(context);
    context = NULL;
    clear_errors();
}

static void *enter(void)
{
    void *c = context;

    if (c)
        return c;
    c = context_new();
    if (!c)
        return NULL;
    if (cipher_init(c, algorithm(), NULL, NULL, NULL, 1))
        return context = c;
    context_free(c);
    return NULL;
}

static bool load(void)
{
    const struct tn_symbol symbol[] = {
        {"EVP_CIPHER_CTX_new", &context_new},     {"EVP_CIPHER_CTX_free", &context_free},
        {"EVP_chacha20_poly1305", &algorithm},    {"EVP_CipherInit_ex", &cipher_init},
        {"EVP_CipherUpdate", &cipher_update},     {"EVP_CipherFinal_ex", &cipher_final},
        {"EVP_CIPHER_CTX_ctrl", &cipher_ctrl},    {"ERR_clear_error", &clear_errors},
    };

    if (library)
        return true;
    library = tn_library_open("libcrypto.so.3", false, symbol, sizeof symbol / sizeof symbol[0]);
    if (!library)
        return false;
    if (enter())
        return true;
    tn_library_close(library); /* a build without this cipher */
    library = NULL;
    return false;
}

static void unload(void)
{
    leave();
    tn_library_close(library);
    library = NULL;
}

static bool run(void *c, bool encrypt, uint8_t *out, const uint8_t *in, size_t len,
                const uint8_t *ad, size_t ad_len, const uint8_t *nonce, const uint8_t *key,
                uint8_t tag[TN_TAG_LEN])
{
    static const uint8_t zero[TN_KEY_LEN];
    int n;
    bool ok = cipher_init(c, NULL, NULL, key, nonce, encrypt) &&
              (encrypt || cipher_ctrl(c, CTRL_SET_TAG, TN_TAG_LEN, tag)) &&
              (!ad_len || cipher_update(c, NULL, &n, ad, (int)ad_len)) &&
              cipher_update(c, out, &n, in, (int)len) && cipher_final(c, out + len, &n) &&
              (!encrypt || cipher_ctrl(c, CTRL_GET_TAG, TN_TAG_LEN, tag));

    return cipher_init(c, NULL, NULL, zero, zero, encrypt) && ok;
}

static void seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    void *c = enter();

    if (!c) /* no memory: as good, and slower */
        tn_aead_seal_nonce(out, in, len, ad, ad_len, nonce, key);
    else if (!run(c, true, out, in, len, ad, ad_len, nonce, key, out + len))
        __builtin_trap(); /* never plaintext on the wire */
}

static int open_(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    void *c = enter();
    uint8_t tag[TN_TAG_LEN];

    if (!c)
        return tn_aead_open_nonce(out, in, len, ad, ad_len, nonce, key);
    if (len < TN_TAG_LEN)
        return TN_EINVAL;
    memcpy(tag, in + len - TN_TAG_LEN, sizeof tag);
    if (run(c, false, out, in, len - TN_TAG_LEN, ad, ad_len, nonce, key, tag))
        return 0;
    clear_errors();
    return TN_EAUTH;
}

const struct tn_cipher tn_cipher_openssl = {
    .name = "OpenSSL",
    .load = load,
    .unload = unload,
    .seal = seal,
    .open = open_,
    .leave = leave,
};
