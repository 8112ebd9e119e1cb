/* WireGuard's handshake on top of crypto/noise_ik.c: the layout of messages 1
 * and 2, the time stamp, and which state may follow which.
 *
 *   initiator (in struct tn_wg_handshake)
 *      IDLE --create_initiation--> INITIATED --consume_response--> IDLE + session
 *
 *   responder (in struct tn_noise_initiation, on the caller's stack)
 *      consume_initiation --> accept_initiation --> create_response --> session
 *
 * Every function works on copies and writes to the peer only after the last
 * check, so a forged message changes nothing; secrets are wiped at one exit.
 * static_static is computed when a key is set, which leaves the responder one
 * multiplication for an initiation that is forged and two for one that is not.
 * Its value of zero (no key, or a point of low order) is refused by noise_ik. */
#include "noise.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"

#define NOISE_AT offsetof(struct tn_wg_initiation, ephemeral)
#define NOISE2_AT offsetof(struct tn_wg_response, ephemeral)

int tn_wg_local_set(struct tn_wg_local *l, const uint8_t priv[32])
{
    struct tn_wg_local next = {.has_key = !tn_ct_is_zero(priv, 32)};
    int rc = 0;

    if (next.has_key) {
        memcpy(next.priv, priv, sizeof(next.priv));
        tn_x25519_clamp(next.priv);
        rc = tn_x25519_public(next.pub, next.priv);
    }
    if (rc == 0)
        memcpy(l, &next, sizeof(next));
    tn_wipe(&next, sizeof(next));
    return rc;
}

void tn_wg_local_wipe(struct tn_wg_local *l)
{
    tn_wipe(l, sizeof(*l));
}

void tn_noise_init(struct tn_wg_handshake *hs, const struct tn_wg_local *local,
                   const uint8_t remote_static[32], const uint8_t psk[32])
{
    memset(hs, 0, sizeof(*hs));
    memcpy(hs->remote_static, remote_static, sizeof(hs->remote_static));
    if (psk)
        memcpy(hs->psk, psk, sizeof(hs->psk));
    tn_noise_set_local(hs, local);
}

void tn_noise_set_local(struct tn_wg_handshake *hs, const struct tn_wg_local *local)
{
    tn_noise_clear(hs);
    if (!local->has_key || tn_x25519(hs->static_static, local->priv, hs->remote_static) != 0)
        memset(hs->static_static, 0, sizeof(hs->static_static));
}

void tn_noise_set_psk(struct tn_wg_handshake *hs, const uint8_t psk[32])
{
    memcpy(hs->psk, psk, sizeof(hs->psk));
}

void tn_noise_clear(struct tn_wg_handshake *hs)
{
    tn_wipe(&hs->ik, sizeof(hs->ik));
    hs->state = TN_NOISE_IDLE;
    hs->local_index = 0;
}

void tn_noise_wipe(struct tn_wg_handshake *hs)
{
    tn_wipe(hs, sizeof(*hs));
}

bool tn_noise_is_waiting(const struct tn_wg_handshake *hs, uint32_t local_index)
{
    return hs->state == TN_NOISE_INITIATED && hs->local_index == local_index;
}

static void init_ik(struct tn_ik *ik, const uint8_t responder_static[32])
{
    tn_ik_init(ik, TN_WG_CONSTRUCTION, TN_WG_IDENTIFIER, sizeof(TN_WG_IDENTIFIER) - 1,
               responder_static);
}

int tn_noise_create_initiation(const struct tn_wg_local *local, struct tn_wg_handshake *hs,
                               struct tn_rng *rng, const uint8_t stamp[TN_WG_STAMP_LEN],
                               uint32_t local_index, uint8_t out[TN_WG_INITIATION_LEN])
{
    uint8_t msg[TN_WG_INITIATION_LEN] = {TN_WG_INITIATION};
    struct tn_ik ik;
    int rc;

    if (!local->has_key)
        return TN_ENOKEY;
    init_ik(&ik, hs->remote_static);
    rc = tn_ik_write_msg1(&ik, rng, hs->remote_static, local->pub, hs->static_static, stamp,
                          TN_WG_STAMP_LEN, msg + NOISE_AT);
    if (rc)
        goto out;
    tn_put_le32(msg + offsetof(struct tn_wg_initiation, sender), local_index);
    memcpy(&hs->ik, &ik, sizeof(ik));
    hs->local_index = local_index;
    hs->state = TN_NOISE_INITIATED;
    memcpy(out, msg, sizeof(msg));
out:
    tn_wipe(&ik, sizeof(ik));
    return rc;
}

int tn_noise_consume_initiation(const struct tn_wg_local *local,
                                const uint8_t msg[TN_WG_INITIATION_LEN],
                                struct tn_noise_initiation *in)
{
    int rc;

    if (!local->has_key)
        return TN_ENOKEY;
    init_ik(&in->ik, local->pub);
    rc = tn_ik_read_msg1_static(&in->ik, local->priv, msg + NOISE_AT, in->remote_static);
    if (rc) {
        tn_noise_initiation_wipe(in);
        return rc;
    }
    in->remote_index = tn_wg_sender(msg);
    memcpy(in->noise, msg + NOISE_AT, sizeof(in->noise));
    in->accepted = false;
    return 0;
}

static int check_stamp(const struct tn_wg_handshake *hs, const uint8_t stamp[TN_WG_STAMP_LEN],
                       uint64_t now_us)
{
    /* TAI64N is big endian: the order of the bytes is the order of the times. */
    if (memcmp(stamp, hs->last_stamp, TN_WG_STAMP_LEN) <= 0)
        return TN_EREPLAY;
    if (hs->last_accepted_us != 0 && now_us < hs->last_accepted_us + TN_WG_INITIATION_GAP_US)
        return TN_ELIMIT;
    return 0;
}

int tn_noise_accept_initiation(struct tn_wg_handshake *hs, struct tn_noise_initiation *in,
                               uint64_t now_us)
{
    uint8_t stamp[TN_WG_STAMP_LEN];
    int rc = TN_EAUTH;

    if (!tn_ct_equal(hs->remote_static, in->remote_static, sizeof(hs->remote_static)))
        goto out;
    rc = tn_ik_read_msg1_payload(&in->ik, hs->static_static, in->noise, sizeof(stamp), stamp);
    if (rc)
        goto out;
    rc = check_stamp(hs, stamp, now_us);
    if (rc)
        goto out;
    memcpy(hs->last_stamp, stamp, sizeof(hs->last_stamp));
    hs->last_accepted_us = now_us;
    in->accepted = true;
out:
    if (rc)
        tn_noise_initiation_wipe(in);
    return rc;
}

static void begin_session(const struct tn_ik *ik, bool initiator, uint32_t local_index,
                          uint32_t remote_index, uint64_t now_us, struct tn_session *out)
{
    uint8_t *from_initiator = initiator ? out->send_key : out->recv_key;
    uint8_t *from_responder = initiator ? out->recv_key : out->send_key;

    tn_ik_split(ik, from_initiator, from_responder);
    out->birth_us = now_us;
    out->local_index = local_index;
    out->remote_index = remote_index;
    out->initiator = initiator;
}

int tn_noise_create_response(const struct tn_wg_handshake *hs, struct tn_noise_initiation *in,
                             struct tn_rng *rng, uint32_t local_index, uint64_t now_us,
                             uint8_t out[TN_WG_RESPONSE_LEN], struct tn_session *session)
{
    uint8_t msg[TN_WG_RESPONSE_LEN] = {TN_WG_RESPONSE};
    uint8_t nothing = 0;
    int rc = TN_ESTATE;

    if (!in->accepted)
        goto out;
    rc = tn_ik_write_msg2(&in->ik, rng, hs->remote_static, hs->psk, &nothing, 0, msg + NOISE2_AT);
    if (rc)
        goto out;
    tn_put_le32(msg + offsetof(struct tn_wg_response, sender), local_index);
    tn_put_le32(msg + offsetof(struct tn_wg_response, receiver), in->remote_index);
    memcpy(out, msg, sizeof(msg));
    begin_session(&in->ik, false, local_index, in->remote_index, now_us, session);
out:
    tn_noise_initiation_wipe(in);
    return rc;
}

void tn_noise_initiation_wipe(struct tn_noise_initiation *in)
{
    tn_wipe(in, sizeof(*in));
}

int tn_noise_consume_response(const struct tn_wg_local *local, struct tn_wg_handshake *hs,
                              const uint8_t msg[TN_WG_RESPONSE_LEN], uint64_t now_us,
                              struct tn_session *session)
{
    struct tn_ik ik;
    uint8_t nothing = 0;
    int rc;

    if (!local->has_key || !tn_noise_is_waiting(hs, tn_wg_receiver(msg)))
        return TN_ESTATE;
    memcpy(&ik, &hs->ik, sizeof(ik));
    rc = tn_ik_read_msg2(&ik, local->priv, hs->psk, msg + NOISE2_AT, 0, &nothing);
    if (rc)
        goto out;
    begin_session(&ik, true, hs->local_index, tn_wg_sender(msg), now_us, session);
    tn_noise_clear(hs);
out:
    tn_wipe(&ik, sizeof(ik));
    return rc;
}
