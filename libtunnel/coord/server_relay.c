/* The relay (PROTOCOL.md section 6): a frame comes in on a channel of a member's
 * session and goes out to the member that the channel is bound to.
 *
 * The path of one frame: index to session by one array access; the source must
 * be where the session was last seen; the inside must look like WireGuard; the
 * channel is found in a hash table and remembers its peer's slot; the sender pays
 * from its budget; the 8-byte header is rewritten in place. No address is ever
 * taken from a frame: frames go to authenticated sessions of the same network
 * only. Frames are not sealed, so they keep no session alive. */
#include <string.h>

#include "server_priv.h"

void tn_server_do_bind(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_now now, struct tn_msg *a)
{
    const struct tn_server_session *x = &s->mem.session[slot];
    uint32_t peer = tn_server_by_member(s, x->network, m->identity);
    struct tn_server_channel *ch;
    struct tn_store_member found;

    a->channel = m->channel;
    if (peer == TN_SERVER_NONE || !tn_server_is_live(s, &s->mem.session[peer], now)) {
        a->status = tn_server_read_status(
            s, s->cfg.store.ops->member_by_identity(s->cfg.store.ctx, x->network, m->identity,
                                                    &found));
        if (!a->status && found.left)
            a->status = TN_STATUS_NO_SUCH_MEMBER;
    } else if (peer == slot) {
        a->status = TN_STATUS_NO_SUCH_MEMBER; /* nobody relays to himself */
    }
    if (a->status)
        return;
    ch = tn_server_channel_take(s, slot, m->channel);
    if (!ch) {
        a->status = TN_STATUS_LIMIT;
        return;
    }
    memcpy(ch->identity, m->identity, 32);
    s->counter.binds++;
}

/* The session of the member at the other end, or NULL. */
static struct tn_server_session *peer_of(struct tn_server *s, const struct tn_server_session *x,
                                         struct tn_server_channel *ch, struct tn_now now)
{
    struct tn_server_session *y;

    if (ch->peer != TN_SERVER_NONE) {
        y = &s->mem.session[ch->peer];
        if (y->state == TN_SERVER_MEMBER && y->network == x->network &&
            memcmp(y->identity, ch->identity, 32) == 0 &&
            tn_server_is_live(s, y, now))
            return y;
    }
    ch->peer = tn_server_by_member(s, x->network, ch->identity);
    if (ch->peer == TN_SERVER_NONE)
        return NULL;
    y = &s->mem.session[ch->peer];
    return tn_server_is_live(s, y, now) ? y : NULL;
}

static struct tn_server_session *sender_of(struct tn_server *s, const struct tn_server_in *in,
                                           uint32_t index)
{
    uint32_t slot = tn_server_by_index(s, index);
    struct tn_server_session *x;

    if (slot == TN_SERVER_NONE)
        return NULL;
    x = &s->mem.session[slot];
    return x->state == TN_SERVER_MEMBER && tn_server_is_live(s, x, in->now) ? x : NULL;
}

void tn_server_on_relay(struct tn_server *s, struct tn_server_in *in)
{
    struct tn_server_session *x = NULL, *y;
    const struct tn_server_seen *at;
    struct tn_server_channel *ch;
    uint16_t number;
    uint32_t index;

    if (!tn_relay_decode(in->data, in->len, &number, &index))
        x = sender_of(s, in, index);
    if (!x) {
        s->counter.drop_relay_session++;
        return;
    }
    if (!tn_addr_equal(&x->seen[tn_server_family(in->src)].addr, in->src)) {
        s->counter.drop_relay_source++;
        return;
    }
    if (in->len > TN_RELAY_MAX_LEN || !tn_relay_is_wireguard(in->data + TN_RELAY_HEADER_LEN,
                                                             in->len - TN_RELAY_HEADER_LEN)) {
        s->counter.drop_relay_inner++;
        return;
    }
    ch = tn_server_channel_find(s, (uint32_t)(x - s->mem.session), number);
    if (!ch) {
        s->counter.drop_relay_unbound++;
        return;
    }
    y = peer_of(s, x, ch, in->now);
    if (!y) {
        s->counter.drop_relay_away++;
        return;
    }
    if (!tn_server_bucket_take(&x->relay, in->now.us, s->cfg.relay_bytes_per_s,
                               s->cfg.relay_burst_bytes, in->len)) {
        s->counter.drop_relay_rate++;
        return;
    }
    tn_relay_encode(in->data, 0, y->keys.remote_index);
    at = &y->seen[y->home];
    s->counter.relay_packets++;
    s->counter.relay_bytes += in->len;
    tn_server_emit(in, at->port, &at->addr, in->data, in->len);
}
