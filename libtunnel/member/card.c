/* Cards: who redeemed a certificate, and with which key (docs/PROTOCOL.md section 3.2).
 *
 *   network key --signs--> certificate (address, name, one-time key)      by the owner, once
 *   one-time key --signs--> identity                                      by the joiner, once
 *   identity --signs--> epoch and WireGuard key                           by the member, as often as it likes
 *
 * Each signature covers the network id, so that none can be carried over into another network, and
 * begins with a sentence of its own. Verification recomputes what was signed from the decoded
 * fields; nothing that was received is taken as "the signed bytes". */
#include "card.h"

#include <string.h>

#include "../base/cursor.h"
#include "../crypto/crypto.h"

#define NODE_LABEL "tund node v1"
#define MEMBER_LABEL "tund member v1"
#define KEY_LABEL "tund key v1"
#define MEMBER_SIGNED_LEN                                                                          \
    (sizeof(MEMBER_LABEL) - 1 + TN_NETWORK_ID_LEN + TN_INVITE_ID_LEN + 32 + 8)
#define KEY_SIGNED_LEN (sizeof(KEY_LABEL) - 1 + TN_NETWORK_ID_LEN + 32 + 8 + 32)

static const uint8_t zero_key[32];

void tn_node_id(uint8_t id[TN_NODE_ID_LEN], const uint8_t identity[32])
{
    struct tn_blake2s h;

    tn_blake2s_init(&h, TN_NODE_ID_LEN, NULL, 0);
    tn_blake2s_update(&h, NODE_LABEL, sizeof(NODE_LABEL) - 1);
    tn_blake2s_update(&h, identity, 32);
    tn_blake2s_final(&h, id);
}

static void write_network_id(struct tn_writer *w, const struct tn_card *c)
{
    uint8_t id[TN_NETWORK_ID_LEN];

    tn_network_id(id, c->cert.network_public);
    tn_write_bytes(w, id, sizeof(id));
}

static void membership_bytes(uint8_t out[MEMBER_SIGNED_LEN], const struct tn_card *c)
{
    struct tn_writer w;

    tn_writer_init(&w, out, MEMBER_SIGNED_LEN);
    tn_write_bytes(&w, MEMBER_LABEL, sizeof(MEMBER_LABEL) - 1);
    write_network_id(&w, c);
    tn_write_bytes(&w, c->cert.invite_id, TN_INVITE_ID_LEN);
    tn_write_bytes(&w, c->identity, 32);
    tn_write_u64(&w, c->joined_at_s);
}

static void key_bytes(uint8_t out[KEY_SIGNED_LEN], const struct tn_card *c)
{
    struct tn_writer w;

    tn_writer_init(&w, out, KEY_SIGNED_LEN);
    tn_write_bytes(&w, KEY_LABEL, sizeof(KEY_LABEL) - 1);
    write_network_id(&w, c);
    tn_write_bytes(&w, c->identity, 32);
    tn_write_u64(&w, c->epoch);
    tn_write_bytes(&w, c->wireguard_public, 32);
}

/* Whether `seed` is the secret half of `public_key`; a public key is no secret. */
static bool is_seed_of(const uint8_t seed[32], const uint8_t public_key[32])
{
    uint8_t own[32];

    tn_ed25519_public(own, seed);
    return memcmp(own, public_key, sizeof(own)) == 0;
}

int tn_card_sign_membership(struct tn_card *c, const uint8_t invite_seed[32])
{
    uint8_t msg[MEMBER_SIGNED_LEN];

    if (!is_seed_of(invite_seed, c->cert.invite_public))
        return TN_EAUTH;
    membership_bytes(msg, c);
    tn_ed25519_sign(c->membership_sig, msg, sizeof(msg), invite_seed);
    return 0;
}

/* Epoch and key are the caller's to have checked. */
static int sign_key(struct tn_card *c, const uint8_t identity_seed[32], uint64_t epoch,
                    const uint8_t wireguard_public[32])
{
    uint8_t msg[KEY_SIGNED_LEN];

    if (!is_seed_of(identity_seed, c->identity))
        return TN_EAUTH;
    c->epoch = epoch;
    memmove(c->wireguard_public, wireguard_public, 32);
    key_bytes(msg, c);
    tn_ed25519_sign(c->key_sig, msg, sizeof(msg), identity_seed);
    return 0;
}

int tn_card_sign_key(struct tn_card *c, const uint8_t identity_seed[32], uint64_t epoch,
                     const uint8_t wireguard_public[32])
{
    if (epoch == 0 || epoch == TN_EPOCH_LEFT || memcmp(wireguard_public, zero_key, 32) == 0)
        return TN_EINVAL;
    return sign_key(c, identity_seed, epoch, wireguard_public);
}

int tn_card_sign_left(struct tn_card *c, const uint8_t identity_seed[32])
{
    return sign_key(c, identity_seed, TN_EPOCH_LEFT, zero_key);
}

bool tn_card_has_left(const struct tn_card *c)
{
    return c->epoch == TN_EPOCH_LEFT;
}

/* Who knows no flags sees nothing but a higher epoch. */
bool tn_card_relays(const struct tn_card *c)
{
    return !tn_card_has_left(c) && c->epoch >= TN_EPOCH_FLAGS_FROM && (c->epoch & TN_EPOCH_RELAYS);
}

uint64_t tn_card_next_epoch(const struct tn_card *c, bool relays)
{
    uint64_t count = c->epoch / TN_EPOCH_FLAGS_FROM + 1;

    if (count > UINT64_MAX / TN_EPOCH_FLAGS_FROM)
        return 0;
    return count * TN_EPOCH_FLAGS_FROM + (relays ? TN_EPOCH_RELAYS : 0);
}

bool tn_card_equal(const struct tn_card *a, const struct tn_card *b)
{
    return tn_cert_equal(&a->cert, &b->cert) && memcmp(a->identity, b->identity, 32) == 0 &&
           a->joined_at_s == b->joined_at_s &&
           memcmp(a->membership_sig, b->membership_sig, TN_SIG_LEN) == 0 &&
           a->epoch == b->epoch && memcmp(a->wireguard_public, b->wireguard_public, 32) == 0 &&
           memcmp(a->key_sig, b->key_sig, TN_SIG_LEN) == 0;
}

/* What a card adds to a certificate's rules. */
static bool tail_is_valid(const struct tn_card *c)
{
    bool no_key = memcmp(c->wireguard_public, zero_key, 32) == 0;

    return c->epoch != 0 && no_key == tn_card_has_left(c);
}

int tn_card_verify(const struct tn_card *c, const uint8_t *network_public)
{
    uint8_t membership[MEMBER_SIGNED_LEN];
    uint8_t key[KEY_SIGNED_LEN];
    int err;

    if (!tail_is_valid(c))
        return TN_EINVAL;
    err = tn_cert_verify(&c->cert, network_public);
    if (err)
        return err;
    membership_bytes(membership, c);
    if (tn_ed25519_verify(c->membership_sig, membership, sizeof(membership),
                          c->cert.invite_public))
        return TN_EAUTH;
    key_bytes(key, c);
    return tn_ed25519_verify(c->key_sig, key, sizeof(key), c->identity) ? TN_EAUTH : 0;
}

int tn_card_encode(const struct tn_card *c, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t whole[TN_CARD_MAX_LEN];
    struct tn_writer w;

    if (!tail_is_valid(c))
        return TN_EINVAL;
    tn_writer_init(&w, whole, sizeof(whole));
    tn_cert_write(&w, &c->cert);
    tn_write_bytes(&w, c->identity, 32);
    tn_write_u64(&w, c->joined_at_s);
    tn_write_bytes(&w, c->membership_sig, TN_SIG_LEN);
    tn_write_u64(&w, c->epoch);
    tn_write_bytes(&w, c->wireguard_public, 32);
    tn_write_bytes(&w, c->key_sig, TN_SIG_LEN);
    if (!tn_writer_ok(&w))
        return TN_EINVAL;
    if (w.len > cap)
        return TN_ENOSPC;
    memcpy(out, whole, w.len);
    *len = w.len;
    return 0;
}

int tn_card_decode(struct tn_card *c, const uint8_t *data, size_t len)
{
    struct tn_card in;
    struct tn_reader r;

    memset(&in, 0, sizeof(in));
    tn_reader_init(&r, data, len);
    tn_cert_read(&r, &in.cert);
    tn_read_bytes(&r, in.identity, 32);
    in.joined_at_s = tn_read_u64(&r);
    tn_read_bytes(&r, in.membership_sig, TN_SIG_LEN);
    in.epoch = tn_read_u64(&r);
    tn_read_bytes(&r, in.wireguard_public, 32);
    tn_read_bytes(&r, in.key_sig, TN_SIG_LEN);
    if (!tn_reader_done(&r) || !tail_is_valid(&in))
        return TN_EINVAL;
    *c = in;
    return 0;
}

struct tn_addr tn_card_address4(const struct tn_card *c)
{
    return tn_cert_address4(&c->cert);
}

struct tn_addr tn_card_address6(const struct tn_card *c)
{
    return tn_cert_address6(&c->cert);
}
