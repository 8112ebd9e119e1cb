/* The coordinator's end of link compression (PROTOCOL.md section 6.1).
 *
 * Contexts come by LINK, sealed, and are the control session's: they end with it. A frame changes
 * none, so a forged or replayed one costs what any relay frame does and no more: it is
 * rebuilt, sent on, and opens nothing. What proves its sender is what proves a relay frame's: the
 * session's index, and the address at which the session was last seen. */
#include <string.h>

#include "server_priv.h"

void tn_server_do_link(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       uint64_t counter, struct tn_msg *a)
{
    struct tn_server_session *x = &s->mem.session[slot];

    a->context = m->context;
    if (!tn_server_channel_find(s, slot, m->link.channel)) {
        a->status = TN_STATUS_NO_SUCH_MEMBER;
        return;
    }
    if (counter < x->link_set[m->context])
        return; /* it was overtaken */
    x->link[m->context] = m->link;
    x->link_set[m->context] = counter;
    s->counter.links++;
}

/* Counts for its session and channel as the plain frame that it stands for. */
void tn_server_on_link(struct tn_server *s, struct tn_server_in *in)
{
    struct tn_server_train t = {.src = in->src, .data = s->rebuilt, .now = in->now};
    uint8_t *msg = s->rebuilt + TN_RELAY_HEADER_LEN;
    const struct tn_link_context *ctx = NULL;
    struct tn_server_session *x, *y;
    struct tn_server_flight f;
    struct tn_link_head h;
    uint64_t *why;

    if (tn_link_read_up(in->data, in->len, &h)) {
        s->counter.drop_link++;
        return;
    }
    if (h.kind == TN_LINK_DATA && tn_server_by_index(s, h.index) != TN_SERVER_NONE) {
        ctx = &s->mem.session[tn_server_by_index(s, h.index)].link[h.context];
        h.channel = ctx->channel; /* 0, which is never bound, where the context is not set */
    }
    why = tn_server_route(s, &t, h.index, h.channel, &x, &y);
    if (why) {
        ++*why;
        return;
    }
    t.len = tn_link_rebuild_up(&h, in->data, in->len, ctx, y->client_public, msg,
                               sizeof(s->rebuilt) - TN_RELAY_HEADER_LEN);
    if (!t.len) {
        s->counter.drop_link++;
        return;
    }
    s->counter.link_rebuilt++;
    tn_relay_encode(s->rebuilt, h.channel, h.index);
    t.len += TN_RELAY_HEADER_LEN;
    t.segment = t.len;
    if (tn_server_relay_next(s, &t, &f))
        tn_server_emit(in, f.port, &f.dst, f.data, f.len);
}

bool tn_server_pack(struct tn_server *s, const struct tn_server_session *receiver,
                    struct tn_server_flight *f)
{
    bool is_linked = false;
    uint8_t *frame;
    size_t len;

    for (unsigned i = 0; i < TN_LINK_CONTEXTS; i++)
        is_linked = is_linked || receiver->link[i].channel; /* it has said that it knows such frames */
    if (!is_linked || f->frames != 1)
        return false;
    len = tn_link_pack_down(f->data + TN_RELAY_HEADER_LEN, f->len - TN_RELAY_HEADER_LEN,
                            receiver->link, receiver->client_public, receiver->keys.remote_index,
                            &frame);
    if (!len)
        return false;
    s->counter.link_packed++;
    f->data = frame;
    f->len = f->segment = len;
    return true;
}
