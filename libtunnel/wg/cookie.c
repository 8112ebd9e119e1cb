/* mac1 = MAC(HASH("mac1----" | responder's public key), message up to mac1)
 * mac2 = MAC(cookie, message up to mac2)
 * cookie = MAC(secret that changes every 120 s, source address and port)
 * reply  = XAEAD(HASH("cookie--" | replier's public key), nonce, cookie, mac1)
 *
 * (paper, 5.4.4 and 5.4.7.) The checker computes a cookie anew from its source
 * whenever it is shown, so strangers cost no memory. The reply is sealed with
 * the mac1 that it answers, so only the sender of that message can be given a
 * cookie, and only as an answer; once one was taken, no further reply is. */
#include "cookie.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"

#define MAC1_FROM_END (2 * TN_WG_MAC_LEN)

static void derive_key(uint8_t out[32], const char *label, const uint8_t public_key[32])
{
    struct tn_blake2s s;

    tn_blake2s_init(&s, TN_HASH_LEN, NULL, 0);
    tn_blake2s_update(&s, label, TN_WG_LABEL_LEN);
    tn_blake2s_update(&s, public_key, 32);
    tn_blake2s_final(&s, out);
}

static void mac(uint8_t out[TN_WG_MAC_LEN], const uint8_t *key, size_t key_len,
                const uint8_t *data, size_t len)
{
    tn_blake2s(out, TN_WG_MAC_LEN, key, key_len, data, len);
}

static void make_cookie(const struct tn_cookie_checker *c, const struct tn_addr *from,
                        uint8_t out[TN_WG_COOKIE_LEN])
{
    uint8_t source[TN_ADDR_WIRE_LEN];

    tn_addr_encode(from, source);
    mac(out, c->secret, sizeof(c->secret), source, sizeof(source));
}

static bool is_fresh(uint64_t birth_us, uint64_t now_us, uint64_t max_age_us)
{
    return now_us < birth_us || now_us - birth_us < max_age_us;
}

static bool secret_is_fresh(const struct tn_cookie_checker *c, uint64_t now_us)
{
    return c->has_secret && is_fresh(c->secret_birth_us, now_us, TN_WG_COOKIE_MAX_AGE_US);
}

void tn_cookie_checker_init(struct tn_cookie_checker *c, const uint8_t local_public[32])
{
    uint8_t mac1_key[32];

    memset(c, 0, sizeof(*c));
    derive_key(mac1_key, TN_WG_LABEL_MAC1, local_public);
    tn_blake2s_absorb(&c->mac1_key, TN_WG_MAC_LEN, mac1_key, sizeof(mac1_key));
    derive_key(c->cookie_key, TN_WG_LABEL_COOKIE, local_public);
    tn_wipe(mac1_key, sizeof(mac1_key));
}

void tn_cookie_checker_wipe(struct tn_cookie_checker *c)
{
    tn_wipe(c, sizeof(*c));
}

static const struct tn_blake2s_keyed *cookie_of(struct tn_cookie_checker *c, const struct tn_addr *from)
{
    uint8_t cookie[TN_WG_COOKIE_LEN];

    if (c->has_last && tn_addr_equal(&c->last_from, from))
        return &c->last_cookie;
    make_cookie(c, from, cookie);
    tn_blake2s_absorb(&c->last_cookie, TN_WG_MAC_LEN, cookie, sizeof(cookie));
    tn_wipe(cookie, sizeof(cookie));
    c->last_from = *from;
    c->has_last = true;
    return &c->last_cookie;
}

bool tn_cookie_is_shown(struct tn_cookie_checker *c, const uint8_t *msg, size_t len,
                        const struct tn_addr *from, uint64_t now_us)
{
    uint8_t want[TN_WG_MAC_LEN];
    bool shown;

    if (len < MAC1_FROM_END || !secret_is_fresh(c, now_us))
        return false;
    tn_blake2s_with(want, cookie_of(c, from), msg, len - TN_WG_MAC_LEN);
    shown = tn_ct_equal(want, msg + len - TN_WG_MAC_LEN, sizeof(want));
    tn_wipe(want, sizeof(want));
    return shown;
}

enum tn_mac_verdict tn_cookie_check(struct tn_cookie_checker *c, const uint8_t *msg, size_t len,
                                    const struct tn_addr *from, uint64_t now_us)
{
    uint8_t want[TN_WG_MAC_LEN];

    if (len < MAC1_FROM_END)
        return TN_MAC_INVALID;
    tn_blake2s_with(want, &c->mac1_key, msg, len - MAC1_FROM_END);
    if (!tn_ct_equal(want, msg + len - MAC1_FROM_END, sizeof(want)))
        return TN_MAC_INVALID;
    return tn_cookie_is_shown(c, msg, len, from, now_us) ? TN_MAC_WITH_COOKIE : TN_MAC_VALID;
}

void tn_cookie_create_reply(struct tn_cookie_checker *c, struct tn_rng *rng, const uint8_t *msg,
                            size_t len, const struct tn_addr *from, uint64_t now_us,
                            uint8_t out[TN_WG_COOKIE_REPLY_LEN])
{
    uint8_t *nonce = out + offsetof(struct tn_wg_cookie_reply, nonce);
    uint8_t cookie[TN_WG_COOKIE_LEN];

    if (!secret_is_fresh(c, now_us)) {
        tn_rng_bytes(rng, c->secret, sizeof(c->secret));
        c->secret_birth_us = now_us;
        c->has_secret = true;
        c->has_last = false;
    }
    make_cookie(c, from, cookie);
    tn_put_le32(out, TN_WG_COOKIE_REPLY);
    tn_put_le32(out + offsetof(struct tn_wg_cookie_reply, receiver), tn_wg_sender(msg));
    tn_rng_bytes(rng, nonce, TN_XNONCE_LEN);
    tn_xaead_seal(out + offsetof(struct tn_wg_cookie_reply, sealed_cookie), cookie, sizeof(cookie),
                  msg + len - MAC1_FROM_END, TN_WG_MAC_LEN, nonce, c->cookie_key);
    tn_wipe(cookie, sizeof(cookie));
}

void tn_cookie_maker_init(struct tn_cookie_maker *m, const uint8_t remote_public[32])
{
    memset(m, 0, sizeof(*m));
    derive_key(m->mac1_key, TN_WG_LABEL_MAC1, remote_public);
    derive_key(m->cookie_key, TN_WG_LABEL_COOKIE, remote_public);
}

void tn_cookie_maker_wipe(struct tn_cookie_maker *m)
{
    tn_wipe(m, sizeof(*m));
}

void tn_cookie_add_macs(struct tn_cookie_maker *m, uint8_t *msg, size_t len, uint64_t now_us)
{
    uint8_t *mac1 = msg + len - MAC1_FROM_END;
    uint8_t *mac2 = mac1 + TN_WG_MAC_LEN;

    mac(mac1, m->mac1_key, sizeof(m->mac1_key), msg, len - MAC1_FROM_END);
    memcpy(m->last_mac1, mac1, sizeof(m->last_mac1));
    m->sent_mac1 = true;
    if (m->has_cookie && is_fresh(m->cookie_birth_us, now_us,
                                  TN_WG_COOKIE_MAX_AGE_US - TN_WG_COOKIE_LATENCY_US))
        mac(mac2, m->cookie, sizeof(m->cookie), msg, len - TN_WG_MAC_LEN);
    else
        memset(mac2, 0, TN_WG_MAC_LEN);
}

int tn_cookie_consume_reply(struct tn_cookie_maker *m, const uint8_t msg[TN_WG_COOKIE_REPLY_LEN],
                            uint64_t now_us)
{
    uint8_t cookie[TN_WG_COOKIE_LEN];
    int rc;

    if (!m->sent_mac1)
        return TN_ESTATE;
    rc = tn_xaead_open(cookie, msg + offsetof(struct tn_wg_cookie_reply, sealed_cookie),
                       sizeof(cookie) + TN_TAG_LEN, m->last_mac1, sizeof(m->last_mac1),
                       msg + offsetof(struct tn_wg_cookie_reply, nonce), m->cookie_key);
    if (rc)
        goto out;
    memcpy(m->cookie, cookie, sizeof(m->cookie));
    m->cookie_birth_us = now_us;
    m->has_cookie = true;
    m->sent_mac1 = false;
out:
    tn_wipe(cookie, sizeof(cookie));
    return rc;
}
