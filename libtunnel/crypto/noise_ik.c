/* Noise IK and IKpsk2, written token by token as the pattern reads:
 *
 *   message 1:  e es s ss payload      message 2:  e ee se [psk] payload
 *
 * In these patterns every key encrypts one thing only before the next token
 * replaces it, so the nonce is always 0 and no counter is kept. Whether "e" is
 * also mixed into the key (section 9.2) depends on the pattern, which is read
 * from the protocol's name. */
#include "noise_ik.h"

#include <string.h>

#include "../base/ct.h"

static void mix_hash(struct tn_ik *s, const void *data, size_t len)
{
    struct tn_blake2s b;

    tn_blake2s_init(&b, TN_HASH_LEN, NULL, 0);
    tn_blake2s_update(&b, s->hash, sizeof(s->hash));
    tn_blake2s_update(&b, data, len);
    tn_blake2s_final(&b, s->hash);
}

static void mix_key(struct tn_ik *s, const void *input, size_t len)
{
    tn_kdf(s->chaining_key, s->key, NULL, s->chaining_key, input, len);
}

static void mix_key_and_hash(struct tn_ik *s, const uint8_t psk[32])
{
    uint8_t tau[TN_HASH_LEN];

    tn_kdf(s->chaining_key, tau, s->key, s->chaining_key, psk, 32);
    mix_hash(s, tau, sizeof(tau));
    tn_wipe(tau, sizeof(tau));
}

static int mix_dh(struct tn_ik *s, const uint8_t priv[32], const uint8_t point[32])
{
    uint8_t shared[32];
    int rc = tn_x25519(shared, priv, point);

    if (rc == 0)
        mix_key(s, shared, sizeof(shared));
    tn_wipe(shared, sizeof(shared));
    return rc;
}

static int mix_precomputed(struct tn_ik *s, const uint8_t static_static[32])
{
    if (tn_ct_is_zero(static_static, 32))
        return TN_EAUTH;
    mix_key(s, static_static, 32);
    return 0;
}

static void mix_ephemeral(struct tn_ik *s, const uint8_t ephemeral[32])
{
    mix_hash(s, ephemeral, 32);
    if (s->with_psk)
        tn_kdf(s->chaining_key, NULL, NULL, s->chaining_key, ephemeral, 32);
}

static void encrypt_and_hash(struct tn_ik *s, const void *in, size_t len, uint8_t *out)
{
    tn_aead_seal(out, in, len, s->hash, sizeof(s->hash), 0, s->key);
    mix_hash(s, out, len + TN_TAG_LEN);
}

static int decrypt_and_hash(struct tn_ik *s, const uint8_t *in, size_t len, uint8_t *out)
{
    int rc = tn_aead_open(out, in, len + TN_TAG_LEN, s->hash, sizeof(s->hash), 0, s->key);

    if (rc == 0)
        mix_hash(s, in, len + TN_TAG_LEN);
    return rc;
}

static int write_ephemeral(struct tn_ik *s, struct tn_rng *rng, uint8_t out[32])
{
    int rc;

    tn_rng_bytes(rng, s->ephemeral_priv, sizeof(s->ephemeral_priv));
    tn_x25519_clamp(s->ephemeral_priv);
    rc = tn_x25519_public(out, s->ephemeral_priv);
    if (rc == 0)
        mix_ephemeral(s, out);
    return rc;
}

static void read_ephemeral(struct tn_ik *s, const uint8_t *in)
{
    memcpy(s->remote_ephemeral, in, sizeof(s->remote_ephemeral));
    mix_ephemeral(s, in);
}

static bool starts_with(const char *name, size_t len, const char *prefix, size_t prefix_len)
{
    return len >= prefix_len && memcmp(name, prefix, prefix_len) == 0;
}

void tn_ik_init(struct tn_ik *s, const char *name, const void *prologue, size_t prologue_len,
                const uint8_t responder_static[32])
{
    static const char psk_prefix[] = "Noise_IKpsk2_";
    size_t len = 0;

    while (name[len] != '\0')
        len++;
    memset(s, 0, sizeof(*s));
    s->with_psk = starts_with(name, len, psk_prefix, sizeof(psk_prefix) - 1);
    if (len <= TN_HASH_LEN)
        memcpy(s->hash, name, len);
    else
        tn_blake2s(s->hash, TN_HASH_LEN, NULL, 0, name, len);
    memcpy(s->chaining_key, s->hash, sizeof(s->chaining_key));
    mix_hash(s, prologue, prologue_len);
    mix_hash(s, responder_static, 32);
}

int tn_ik_write_msg1(struct tn_ik *s, struct tn_rng *rng, const uint8_t responder_static[32],
                     const uint8_t local_public[32], const uint8_t static_static[32],
                     const void *payload, size_t payload_len, uint8_t *out)
{
    int rc = write_ephemeral(s, rng, out); /* e */

    if (rc)
        return rc;
    rc = mix_dh(s, s->ephemeral_priv, responder_static); /* es */
    if (rc)
        return rc;
    encrypt_and_hash(s, local_public, 32, out + 32); /* s */
    rc = mix_precomputed(s, static_static);          /* ss */
    if (rc)
        return rc;
    encrypt_and_hash(s, payload, payload_len, out + 80);
    return 0;
}

int tn_ik_read_msg1_static(struct tn_ik *s, const uint8_t local_priv[32], const uint8_t *msg,
                           uint8_t remote_static[32])
{
    uint8_t claimed[32];
    int rc;

    read_ephemeral(s, msg); /* e */
    rc = mix_dh(s, local_priv, s->remote_ephemeral); /* es */
    if (rc)
        return rc;
    rc = decrypt_and_hash(s, msg + 32, sizeof(claimed), claimed); /* s */
    if (rc == 0)
        memcpy(remote_static, claimed, sizeof(claimed));
    return rc;
}

int tn_ik_read_msg1_payload(struct tn_ik *s, const uint8_t static_static[32], const uint8_t *msg,
                            size_t payload_len, uint8_t *payload)
{
    int rc = mix_precomputed(s, static_static); /* ss */

    if (rc)
        return rc;
    return decrypt_and_hash(s, msg + 80, payload_len, payload);
}

int tn_ik_write_msg2(struct tn_ik *s, struct tn_rng *rng, const uint8_t remote_static[32],
                     const uint8_t *psk, const void *payload, size_t payload_len, uint8_t *out)
{
    int rc;

    if (s->with_psk != (psk != NULL))
        return TN_EINVAL;
    rc = write_ephemeral(s, rng, out); /* e */
    if (rc)
        return rc;
    rc = mix_dh(s, s->ephemeral_priv, s->remote_ephemeral); /* ee */
    if (rc)
        return rc;
    rc = mix_dh(s, s->ephemeral_priv, remote_static); /* se */
    if (rc)
        return rc;
    if (psk)
        mix_key_and_hash(s, psk);
    encrypt_and_hash(s, payload, payload_len, out + 32);
    return 0;
}

int tn_ik_read_msg2(struct tn_ik *s, const uint8_t local_priv[32], const uint8_t *psk,
                    const uint8_t *msg, size_t payload_len, uint8_t *payload)
{
    int rc;

    if (s->with_psk != (psk != NULL))
        return TN_EINVAL;
    read_ephemeral(s, msg); /* e */
    rc = mix_dh(s, s->ephemeral_priv, s->remote_ephemeral); /* ee */
    if (rc)
        return rc;
    rc = mix_dh(s, local_priv, s->remote_ephemeral); /* se */
    if (rc)
        return rc;
    if (psk)
        mix_key_and_hash(s, psk);
    return decrypt_and_hash(s, msg + 32, payload_len, payload);
}

void tn_ik_split(const struct tn_ik *s, uint8_t initiator_to_responder[32],
                 uint8_t responder_to_initiator[32])
{
    tn_kdf(initiator_to_responder, responder_to_initiator, NULL, s->chaining_key, NULL, 0);
}
