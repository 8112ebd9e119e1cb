/* Intel's Multi-Buffer Crypto for IPsec (x86 only; the fastest where there is AVX-512). Its manager is
 * made for many packets at a time, but ChaCha20-Poly1305 is done when a job is submitted.
 * A manager belongs to one thread, so each that seals or opens has one: about 200 KB, and 1 ms
 * for its self-tests. A job points to the key and does not copy it, and the library clears
 * what it spills (its SAFE_DATA, on by default).
 *
 * It decrypts before it has compared the tag; the plaintext of a forged packet lies where it
 * was sealed until the buffer is used again, and the caller never looks. */
#include "backends_priv.h"

#include <intel-ipsec-mb.h>
#include <string.h>

#include "../../base/ct.h"

static void *library;
static __typeof__(alloc_mb_mgr) *alloc_manager;
static __typeof__(free_mb_mgr) *free_manager;
static __typeof__(init_mb_mgr_auto) *init_manager;
static __typeof__(imb_get_errno) *last_error;
static _Thread_local IMB_MGR *manager;

static void leave(void)
{
    if (manager)
        free_manager(manager);
    manager = NULL;
}

static IMB_MGR *enter(void)
{
    IMB_MGR *m = manager;
    IMB_ARCH arch;

    if (m)
        return m;
    m = alloc_manager(0);
    if (!m)
        return NULL;
    init_manager(m, &arch);
    if (last_error(m)) {
        free_manager(m);
        return NULL;
    }
    return manager = m;
}

static bool load(void)
{
    const struct tn_symbol symbol[] = {
        {"alloc_mb_mgr", &alloc_manager},
        {"free_mb_mgr", &free_manager},
        {"init_mb_mgr_auto", &init_manager},
        {"imb_get_errno", &last_error},
    };

    if (library)
        return true;
    library = tn_library_open("libIPSec_MB.so.1", false, symbol, sizeof symbol / sizeof symbol[0]);
    if (!library)
        return false;
    if (enter())
        return true;
    tn_library_close(library);
    library = NULL;
    return false;
}

static void unload(void)
{
    leave();
    tn_library_close(library);
    library = NULL;
}

/* One job, done when this returns; len is without the tag. */
static void run(IMB_MGR *m, IMB_CIPHER_DIRECTION direction, uint8_t *out, const uint8_t *in,
                size_t len, const uint8_t *ad, size_t ad_len, const uint8_t *nonce,
                const uint8_t *key, uint8_t *tag)
{
    IMB_JOB *job = IMB_GET_NEXT_JOB(m);

    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = job->dec_keys = key;
    job->key_len_in_bytes = TN_KEY_LEN;
    job->iv = nonce;
    job->iv_len_in_bytes = 12;
    job->u.CHACHA20_POLY1305.aad = ad;
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = ad_len;
    job->src = in;
    job->dst = out;
    job->cipher_start_src_offset_in_bytes = 0;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = len;
    job->msg_len_to_hash_in_bytes = len;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = TN_TAG_LEN;
    IMB_SUBMIT_JOB_NOCHECK(m);
}

static void seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    IMB_MGR *m = enter();

    if (m)
        run(m, IMB_DIR_ENCRYPT, out, in, len, ad, ad_len, nonce, key, out + len);
    else /* no memory for a manager: as good, and slower */
        tn_aead_seal_nonce(out, in, len, ad, ad_len, nonce, key);
}

static int open_(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                 const uint8_t nonce[12], const uint8_t key[32])
{
    IMB_MGR *m = enter();
    uint8_t want[TN_TAG_LEN], tag[TN_TAG_LEN];

    if (!m)
        return tn_aead_open_nonce(out, in, len, ad, ad_len, nonce, key);
    if (len < TN_TAG_LEN)
        return TN_EINVAL;
    memcpy(want, in + len - TN_TAG_LEN, sizeof want);
    run(m, IMB_DIR_DECRYPT, out, in, len - TN_TAG_LEN, ad, ad_len, nonce, key, tag);
    return tn_ct_equal(want, tag, sizeof tag) ? 0 : TN_EAUTH;
}

const struct tn_cipher tn_cipher_ipsec_mb = {
    .name = "ipsec-mb",
    .load = load,
    .unload = unload,
    .seal = seal,
    .open = open_,
    .leave = leave,
};
