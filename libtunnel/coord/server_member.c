/* What the coordinator knows of members, and how cards get in (PROTOCOL.md
 * sections 3.2 and 4.1).
 *
 * The signatures of a card are verified here, through tn_card_ops; what needs
 * memory (single use, names, addresses, epochs) is the store's, in one
 * transaction. A card speaks for itself, with one thing to add: who brings it.
 * A guest's session must be under the very WireGuard key of the card, which
 * proves that he holds it; a member may bring only cards of its own identity.
 * After a JOIN or an UPDATE the session is the member's, at once; after "left"
 * it is a guest's, so that a repeated UPDATE is still answered. */
#include <string.h>

#include "server_priv.h"

static const struct tn_store_ops *ops_of(const struct tn_server *s)
{
    return s->cfg.store.ops;
}

uint8_t tn_server_read_status(struct tn_server *s, int err)
{
    if (err == 0)
        return TN_STATUS_OK;
    if (err == TN_ENOENT)
        return TN_STATUS_NO_SUCH_MEMBER;
    s->counter.drop_store++;
    return TN_STATUS_TRY_LATER;
}

/* The session's member brings another's card: is that at least of the same network? */
static uint8_t refuse_foreign(struct tn_server *s, const struct tn_server_session *x,
                              const struct tn_card_facts *facts)
{
    struct tn_store_member own;
    struct tn_card_facts own_facts;
    uint8_t status = tn_server_read_status(
        s, ops_of(s)->member_by_identity(s->cfg.store.ctx, x->network, x->identity, &own));

    if (status)
        return status;
    if (s->cfg.cards->inspect(own.card, own.card_len, &own_facts))
        return TN_STATUS_TRY_LATER;
    return memcmp(own_facts.network_public, facts->network_public, 32) ? TN_STATUS_OTHER_NETWORK
                                                                       : TN_STATUS_TAKEN;
}

/* Verifies the card, and that this session may bring it. */
static uint8_t inspect(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_card_facts *facts)
{
    const struct tn_server_session *x = &s->mem.session[slot];
    int err = s->cfg.cards->inspect(m->card, m->card_len, facts);

    if (err)
        return err == TN_EAUTH ? TN_STATUS_BAD_SIGNATURE : TN_STATUS_MALFORMED;
    if (x->state == TN_SERVER_MEMBER)
        return memcmp(x->identity, facts->identity, 32) ? refuse_foreign(s, x, facts)
                                                        : TN_STATUS_OK;
    if (!facts->left && memcmp(x->client_public, facts->wireguard_public, 32))
        return TN_STATUS_TAKEN;
    return TN_STATUS_OK;
}

/* The session's standing after its card went in. */
static void settle(struct tn_server *s, uint32_t slot, const struct tn_card_facts *facts,
                   uint64_t network)
{
    uint32_t same = tn_server_by_member(s, network, facts->identity);

    if (facts->left) {
        if (same != TN_SERVER_NONE && same != slot)
            tn_server_release(s, same);
        if (s->mem.session[slot].state == TN_SERVER_MEMBER)
            tn_server_make_guest(s, slot);
        return;
    }
    if (s->mem.session[slot].state == TN_SERVER_MEMBER)
        return;
    tn_server_make_member(s, slot, network, facts->identity);
    if (same != TN_SERVER_NONE)
        tn_server_replace(s, same, slot);
}

void tn_server_do_join(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_now now, struct tn_msg *a)
{
    struct tn_card_facts facts;
    struct tn_store_place place;

    a->status = inspect(s, slot, m, &facts);
    if (a->status == TN_STATUS_OK)
        a->status = ops_of(s)->member_join(s->cfg.store.ctx, &facts, m->card, m->card_len,
                                           now.unix_ns / 1000000000u, &place);
    if (a->status != TN_STATUS_OK) {
        s->counter.joins_refused++;
        return;
    }
    s->counter.joins++;
    a->roster_seq = place.roster_seq;
    settle(s, slot, &facts, place.network);
    if (facts.device)
        tn_server_anew_add(s, slot);
    tn_server_news_add(s, place.network, place.roster_seq, now);
}

void tn_server_do_update(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                         struct tn_now now, struct tn_msg *a)
{
    struct tn_card_facts facts;
    struct tn_store_place place;

    a->status = inspect(s, slot, m, &facts);
    if (a->status == TN_STATUS_OK)
        a->status = ops_of(s)->member_update(s->cfg.store.ctx, &facts, m->card, m->card_len,
                                             &place);
    if (a->status != TN_STATUS_OK)
        return;
    s->counter.updates++;
    a->roster_seq = place.roster_seq;
    settle(s, slot, &facts, place.network);
    tn_server_news_add(s, place.network, place.roster_seq, now);
}

void tn_server_do_lookup(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                         struct tn_msg *a, struct tn_store_member *found)
{
    const struct tn_store_ops *ops = ops_of(s);
    void *ctx = s->cfg.store.ctx;
    uint64_t network = s->mem.session[slot].network;
    int err;

    switch (m->by) {
    case TN_BY_IDENTITY:
        err = ops->member_by_identity(ctx, network, m->key, found);
        break;
    case TN_BY_ADDRESS:
        err = ops->member_by_address(ctx, network, m->key, found);
        break;
    case TN_BY_NAME:
        err = ops->member_by_name(ctx, network, (const char *)m->key, m->key_len, found);
        break;
    default:
        err = ops->member_by_wireguard(ctx, m->key, found);
        if (!err && found->network != network)
            err = TN_ENOENT; /* another network's members are nobody here */
        break;
    }
    a->status = tn_server_read_status(s, err);
    if (!err) {
        a->card = found->card;
        a->card_len = found->card_len;
    }
}

void tn_server_do_sync(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_msg *a, struct tn_store_member *found)
{
    const struct tn_store_ops *ops = ops_of(s);
    void *ctx = s->cfg.store.ctx;
    uint64_t network = s->mem.session[slot].network;
    int err = ops->roster_seq(ctx, network, &a->roster_seq);

    if (!err)
        err = ops->member_next_after(ctx, network, m->seq, found);
    if (!err) {
        a->seq = found->seq;
        a->card = found->card;
        a->card_len = found->card_len;
    } else if (err == TN_ENOENT) {
        a->seq = a->roster_seq;
    } else {
        a->status = tn_server_read_status(s, err);
    }
}
