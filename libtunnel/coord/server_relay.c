/* The relay (PROTOCOL.md section 6): a frame comes in on a channel of a member's
 * session and goes out to the member that the channel is bound to.
 *
 * The path of one frame: index to session by one array access; the source must
 * be where the session was last seen; the inside must look like WireGuard; the
 * channel is found in a hash table and remembers its peer's slot; the sender pays
 * from its budget; the 8-byte header is rewritten in place. No address is ever
 * taken from a frame: frames go to authenticated sessions of the same network
 * only. Frames are not sealed, so they keep no session alive.
 *
 * Frames of one source that lie one behind another are a train. As long as their headers are
 * the same, so is their route: it is looked up once for a train, which costs each further
 * frame a comparison of 8 bytes. What goes on to one member together is a flight. A frame to a
 * member who pays for bytes is made shorter (server_link.c), and flies alone. */
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

static struct tn_server_session *sender_of(struct tn_server *s, uint32_t index, struct tn_now now)
{
    uint32_t slot = tn_server_by_index(s, index);
    struct tn_server_session *x;

    if (slot == TN_SERVER_NONE)
        return NULL;
    x = &s->mem.session[slot];
    return x->state == TN_SERVER_MEMBER && tn_server_is_live(s, x, now) ? x : NULL;
}

uint64_t *tn_server_route(struct tn_server *s, const struct tn_server_train *t, uint32_t index,
                          uint16_t number, struct tn_server_session **sender,
                          struct tn_server_session **receiver)
{
    struct tn_server_session *x = sender_of(s, index, t->now);
    struct tn_server_channel *ch;

    if (!x)
        return &s->counter.drop_relay_session;
    if (!tn_addr_equal(&x->seen[tn_addr_family(t->src)].addr, t->src))
        return &s->counter.drop_relay_source;
    ch = tn_server_channel_find(s, (uint32_t)(x - s->mem.session), number);
    if (!ch)
        return &s->counter.drop_relay_unbound;
    *receiver = peer_of(s, x, ch, t->now);
    *sender = x;
    return *receiver ? NULL : &s->counter.drop_relay_away;
}

/* Who sends the frame, and who gets it: 0, or the counter of why not. Nobody has paid yet. */
static uint64_t *route(struct tn_server *s, const struct tn_server_train *t, const uint8_t *frame,
                       size_t len, struct tn_server_session **sender,
                       struct tn_server_session **receiver)
{
    uint16_t number;
    uint32_t index;

    if (tn_relay_decode(frame, len, &number, &index))
        return &s->counter.drop_relay_session;
    return tn_server_route(s, t, index, number, sender, receiver);
}

/* 0, or the counter of why the frame may not pass. The sender has paid when it may. */
static uint64_t *charge(struct tn_server *s, const struct tn_server_train *t,
                        struct tn_server_session *x, const uint8_t *frame, size_t len, bool first)
{
    /* What passing on costs, about in nanoseconds: a call for each flight, and the copies. */
    enum { COST_FLIGHT = 1000, BYTES_PER_COST = 4 };

    if (len > TN_RELAY_MAX_LEN ||
        !tn_relay_is_wireguard(frame + TN_RELAY_HEADER_LEN, len - TN_RELAY_HEADER_LEN))
        return &s->counter.drop_relay_inner;
    if (!tn_share_take(&s->share, &x->share, (first ? COST_FLIGHT : 0) + len / BYTES_PER_COST))
        return &s->counter.drop_relay_share;
    if (!tn_server_bucket_take(&x->relay, t->now.us, s->cfg.relay_bytes_per_s,
                               s->cfg.relay_burst_bytes, len))
        return &s->counter.drop_relay_rate;
    return NULL;
}

static void begin_flight(const struct tn_server *s, const struct tn_server_train *t,
                         const struct tn_server_session *receiver, struct tn_server_flight *f)
{
    const struct tn_server_seen *at = &receiver->seen[receiver->home];

    *f = (struct tn_server_flight){.receiver = (uint32_t)(receiver - s->mem.session),
                                   .port = at->port,
                                   .dst = at->addr,
                                   .data = t->data,
                                   .segment = t->segment < t->len ? t->segment : t->len};
}

bool tn_server_relay_next(struct tn_server *s, struct tn_server_train *t,
                          struct tn_server_flight *f)
{
    struct tn_server_session *x = NULL, *y = NULL;
    uint8_t head[TN_RELAY_HEADER_LEN];

    f->frames = 0;
    f->len = 0;
    while (t->len && f->frames < TN_SERVER_FLIGHT_FRAMES) {
        size_t len = t->segment < t->len ? t->segment : t->len;
        bool first = !f->frames;
        uint64_t *why = NULL;

        if (first)
            why = route(s, t, t->data, len, &x, &y);
        else if (len < sizeof(head) || memcmp(t->data, head, sizeof(head)) != 0)
            break; /* perhaps for another member: the next call sees */
        if (!why)
            why = charge(s, t, x, t->data, len, first);
        if (why) {
            ++*why;
        } else {
            if (first) {
                memcpy(head, t->data, sizeof(head));
                begin_flight(s, t, y, f);
            }
            tn_relay_encode(t->data, 0, y->keys.remote_index);
            f->frames++;
            f->len += len;
        }
        t->data += len;
        t->len -= len;
        if ((why && f->frames) || (!why && tn_server_pack(s, y, f)))
            break; /* a flight has no holes */
    }
    s->counter.relay_packets += f->frames;
    s->counter.relay_bytes += f->len;
    return f->frames > 0;
}

void tn_server_relay_pass(struct tn_server *s, uint64_t capacity)
{
    tn_share_begin(&s->share, capacity);
}

void tn_server_on_relay(struct tn_server *s, struct tn_server_in *in)
{
    struct tn_server_train t = {
        .src = in->src, .data = in->data, .len = in->len, .segment = in->len, .now = in->now};
    struct tn_server_flight f;

    if (tn_server_relay_next(s, &t, &f))
        tn_server_emit(in, f.port, &f.dst, f.data, f.len);
}
