/* How a device becomes a member, and stays one: the invite is redeemed here, with keys that never
 * leave the device. The identity is in the storage before the first datagram, so that a power cut
 * leaves an invite that is not spent, or a member.
 *
 *   record   wireguard_private[32] identity_seed[32] coordinator_public[32] port[2] host_len[1]
 *            host[host_len] card */
#include "inside.h"

#include <string.h>

#include "libtunnel/base/cursor.h"

static bool write_record(const struct bridge_identity *id, const struct tn_card *card,
                         struct tn_writer *w)
{
    size_t host_len = strlen(id->coordinator_host), card_len;

    tn_write_bytes(w, id->wireguard_private, 32);
    tn_write_bytes(w, id->identity_seed, 32);
    tn_write_bytes(w, id->coordinator_public, 32);
    tn_write_u16(w, id->coordinator_port);
    tn_write_u8(w, (uint8_t)host_len);
    tn_write_bytes(w, id->coordinator_host, host_len);
    if (!tn_writer_ok(w) || tn_card_encode(card, w->base + w->len, w->cap - w->len, &card_len))
        return false;
    w->len += card_len;
    return true;
}

static bool read_record(const uint8_t *data, size_t len, struct bridge_identity *id,
                        struct tn_card *card)
{
    struct tn_reader r;
    size_t host_len;

    memset(id, 0, sizeof *id);
    tn_reader_init(&r, data, len);
    tn_read_bytes(&r, id->wireguard_private, 32);
    tn_read_bytes(&r, id->identity_seed, 32);
    tn_read_bytes(&r, id->coordinator_public, 32);
    id->coordinator_port = tn_read_u16(&r);
    host_len = tn_read_u8(&r);
    if (host_len > BRIDGE_HOST_MAX)
        return false;
    tn_read_bytes(&r, id->coordinator_host, host_len);
    return tn_reader_ok(&r) && tn_host_is_valid(id->coordinator_host, host_len) &&
           !tn_card_decode(card, r.at, r.left);
}

int bridge_identity_load(struct bridge *b, struct tn_card *card)
{
    size_t len;
    int err = bridge_store_load(b->storage, BRIDGE_REGION_IDENTITY, b->mem, sizeof b->mem, &len);

    if (!err && !read_record(b->mem, len, &b->id, card))
        err = TN_ENOENT; /* another program's, or an older one's */
    if (err)
        tn_wipe(&b->id, sizeof b->id);
    tn_wipe(b->mem, sizeof b->mem);
    return err;
}

static int make_keys(struct bridge *b, const struct tn_invite *invite, uint64_t unix_s,
                     struct bridge_identity *id, struct tn_card *card)
{
    uint8_t wireguard_public[32];
    int err;

    memset(card, 0, sizeof *card);
    card->cert = invite->cert;
    card->joined_at_s = unix_s; /* 0 where it is not known: nobody is older than that */
    tn_rng_bytes(&b->node.rng, id->identity_seed, 32);
    tn_rng_bytes(&b->node.rng, id->wireguard_private, 32);
    tn_x25519_clamp(id->wireguard_private);
    tn_ed25519_public(card->identity, id->identity_seed);
    err = tn_x25519_public(wireguard_public, id->wireguard_private);
    if (!err)
        err = tn_card_sign_membership(card, invite->invite_seed);
    if (!err)
        err = tn_card_sign_key(card, id->identity_seed, 1, wireguard_public);
    memcpy(id->coordinator_public, invite->coordinator.public_key, 32);
    id->coordinator_port = invite->coordinator.port;
    memcpy(id->coordinator_host, invite->coordinator.host, strlen(invite->coordinator.host) + 1);
    return err;
}

static int redeem(struct bridge *b, uint64_t unix_s)
{
    struct tn_writer w;
    int err;

    if (unix_s && tn_cert_is_expired(&b->invite.cert, unix_s))
        return TN_EEXPIRED;
    if (strlen(b->invite.coordinator.host) > BRIDGE_HOST_MAX)
        return TN_ENOSPC;
    err = make_keys(b, &b->invite, unix_s, &b->id, &b->card);
    tn_writer_init(&w, b->mem, sizeof b->mem);
    if (!err && !write_record(&b->id, &b->card, &w))
        err = TN_EINVAL;
    if (!err)
        err = bridge_store_save(b->storage, BRIDGE_REGION_IDENTITY, b->mem, w.len);
    if (err)
        tn_wipe(&b->id, sizeof b->id);
    tn_wipe(b->mem, sizeof b->mem);
    return err;
}

int bridge_join(struct bridge *b, const char *text, size_t len, uint64_t unix_s, uint64_t now_us)
{
    int err;

    if (b->is_member)
        return TN_EEXIST;
    err = tn_invite_decode(&b->invite, text, len);
    if (!err)
        err = redeem(b, unix_s);
    tn_wipe(b->fragments, sizeof b->fragments); /* and the invite, which is shorter */
    if (!err)
        err = bridge_start(b, &b->card, now_us);
    memset(b->queue, 0, sizeof b->queue);
    return err;
}

_Static_assert(sizeof(struct tn_invite) <= BRIDGE_FRAGMENTS * sizeof(struct tn_frag_row), "the invite has that place");
_Static_assert(sizeof(struct tn_card) <= BRIDGE_QUEUE * sizeof(struct bridge_packet), "the card has that place");

int bridge_forget(struct bridge *b)
{
    int err = bridge_store_erase(b->storage, BRIDGE_REGION_IDENTITY);

    if (!err)
        bridge_wipe(b);
    return err;
}
