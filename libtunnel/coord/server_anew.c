/* ANEW (PROTOCOL.md section 4.1): a device has made a new session, as after a reset, and has then forgotten its
 * WireGuard sessions too. Whoever was in one hears of it at once, where WireGuard would find out by
 * 15 s of silence, or by initiations 5 s apart.
 *
 * With whom it spoke is what its channels say, which the new session has from the old one. A device has a few;
 * a laptop has one for each member, and begins anew each hour, so of other members nobody is told. It is
 * said when the device has joined, since before that it could ask for nobody's card. What waits to be told has
 * a bound: the rest is left out, and WireGuard finds out. */
#include <string.h>

#include "server_priv.h"

void tn_server_anew_add(struct tn_server *s, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t at = x->is_anew ? x->channels : TN_SERVER_NONE;

    x->is_anew = false;
    for (; at != TN_SERVER_NONE && s->anew.count < TN_SERVER_ANEW_ROWS; at = s->mem.channel[at].owner_next)
        s->anew.row[(s->anew.first + s->anew.count++) % TN_SERVER_ANEW_ROWS] =
            (struct tn_server_anew_row){.index = x->keys.local_index, .channel = s->mem.channel[at].number};
}

/* Slot of the session that is to hear of it, and who it is that has begun anew. */
static uint32_t listener(const struct tn_server *s, const struct tn_server_anew_row *row,
                         struct tn_now now, uint8_t identity[32])
{
    uint32_t slot = tn_server_by_index(s, row->index), peer;
    const struct tn_server_channel *ch;
    const struct tn_server_session *x;

    if (slot == TN_SERVER_NONE || s->mem.session[slot].state != TN_SERVER_MEMBER)
        return TN_SERVER_NONE;
    x = &s->mem.session[slot];
    ch = tn_server_channel_find(s, slot, row->channel);
    if (!ch)
        return TN_SERVER_NONE;
    memcpy(identity, x->identity, 32);
    peer = tn_server_by_member(s, x->network, ch->identity);
    return peer != TN_SERVER_NONE && tn_server_is_live(s, &s->mem.session[peer], now) ? peer : TN_SERVER_NONE;
}

bool tn_server_anew_next(struct tn_server *s, struct tn_server_in *in)
{
    struct tn_msg m = {.type = TN_MSG_ANEW};

    while (s->anew.count && !in->out_count) {
        uint32_t peer = listener(s, &s->anew.row[s->anew.first], in->now, m.identity);

        s->anew.first = (s->anew.first + 1) % TN_SERVER_ANEW_ROWS;
        s->anew.count--;
        if (peer != TN_SERVER_NONE)
            tn_server_push(s, in, peer, 0, &m);
    }
    s->counter.anew += in->out_count;
    return in->out_count;
}
