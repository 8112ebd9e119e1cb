/* Sealed requests at the coordinator (PROTOCOL.md section 4.1).
 *
 * A DATA datagram finds its session by index, must open, and only then counts:
 * as a sign of life, for where the member is seen (per family, streams being one),
 * and as a request.
 * Each is answered by one datagram; CONNECT also pushes a PUNCH to the peer, and CHECK has
 * up to three dial-backs go before its answer. All
 * requests are idempotent, so nothing is kept about those answered. What a session
 * asks is paid from its budget (a store's read costs more than a PING, a JOIN with
 * its signatures and its commit more still); beyond it there is silence, and the
 * member's own repetition slows down. */
#include <string.h>

#include "../base/ct.h"
#include "server_priv.h"

static unsigned cost_of(uint8_t type)
{
    switch (type) {
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
    case TN_MSG_CHECK:
        return 40;
    case TN_MSG_LOOKUP:
    case TN_MSG_SYNC:
    case TN_MSG_CONNECT:
        return 4;
    default:
        return 1;
    }
}

/* Seals `m` into scratch `n`; 0 when it cannot be. */
static size_t seal(struct tn_server *s, uint32_t slot, unsigned n, const struct tn_msg *m)
{
    uint8_t *out = s->scratch[n];
    size_t len;

    if (tn_msg_encode(m, out + TN_CTL_DATA_HEADER_LEN, TN_MSG_MAX_LEN, &len) ||
        tn_ctl_seal(&s->mem.session[slot].keys, out, len))
        return 0;
    return len + TN_CTL_DATA_OVERHEAD;
}

void tn_server_push(struct tn_server *s, struct tn_server_in *in, uint32_t slot, unsigned n,
                    const struct tn_msg *m)
{
    const struct tn_server_session *x = &s->mem.session[slot];
    const struct tn_server_seen *at = &x->seen[x->home];
    size_t len = seal(s, slot, n, m);

    if (len)
        tn_server_emit(in, at->port, &at->addr, s->scratch[n], len);
}

static void answer(struct tn_server *s, struct tn_server_in *in, uint32_t slot,
                   const struct tn_msg *a)
{
    size_t len = seal(s, slot, 0, a);

    if (len)
        tn_server_emit(in, in->port, in->src, s->scratch[0], len);
}

static void do_ping(struct tn_server *s, struct tn_server_in *in, uint32_t slot,
                    const struct tn_msg *m, struct tn_msg *a)
{
    struct tn_server_session *x = &s->mem.session[slot];
    const struct tn_store *store = &s->cfg.store;

    x->rtt_us = m->rtt_us < TN_SERVER_RTT_MAX_US ? m->rtt_us : TN_SERVER_RTT_MAX_US;
    a->observed = tn_server_observed(in);
    a->unix_s = in->now.unix_ns / 1000000000u;
    if (x->state == TN_SERVER_MEMBER)
        a->status = tn_server_read_status(
            s, store->ops->roster_seq(store->ctx, x->network, &a->roster_seq));
}

static void handle(struct tn_server *s, struct tn_server_in *in, uint32_t slot,
                   const struct tn_msg *m)
{
    struct tn_msg a = {.type = m->type | TN_MSG_ANSWER, .request_id = m->request_id};
    struct tn_msg punch;
    struct tn_store_member found;
    uint32_t peer = TN_SERVER_NONE;

    switch (m->type) {
    case TN_MSG_PING:
        do_ping(s, in, slot, m, &a);
        break;
    case TN_MSG_CANDIDATES:
        tn_server_keep_candidates(&s->mem.session[slot], m);
        break;
    case TN_MSG_JOIN:
        tn_server_do_join(s, slot, m, in->now, &a);
        break;
    case TN_MSG_UPDATE:
        tn_server_do_update(s, slot, m, in->now, &a);
        break;
    case TN_MSG_BYE: /* ended, not released: whoever is back at once has the budgets he had */
        s->mem.session[slot].heard_us = 0;
        return;
    default: /* the rest is for members */
        if (s->mem.session[slot].state != TN_SERVER_MEMBER)
            a.status = TN_STATUS_NOT_MEMBER;
        else if (m->type == TN_MSG_LOOKUP)
            tn_server_do_lookup(s, slot, m, &a, &found);
        else if (m->type == TN_MSG_SYNC)
            tn_server_do_sync(s, slot, m, &a, &found);
        else if (m->type == TN_MSG_CHECK)
            tn_server_do_check(s, in, m, &a);
        else if (m->type == TN_MSG_LINK)
            tn_server_do_link(s, slot, m, tn_ctl_data_counter(in->data), &a);
        else if (m->type == TN_MSG_CONNECT)
            peer = tn_server_do_connect(s, slot, m, in->now, &a, &punch);
        else
            tn_server_do_bind(s, slot, m, in->now, &a);
        break;
    }
    answer(s, in, slot, &a);
    if (peer != TN_SERVER_NONE)
        tn_server_push(s, in, peer, 1, &punch);
}

static void on_request(struct tn_server *s, struct tn_server_in *in, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];
    const uint8_t *body = in->data + TN_CTL_DATA_HEADER_LEN;
    size_t len = in->len - TN_CTL_DATA_OVERHEAD;
    struct tn_msg m, a = {.status = TN_STATUS_MALFORMED};

    if (len < TN_MSG_HEADER_LEN || body[0] < TN_MSG_PING || body[0] > TN_MSG_LINK) {
        s->counter.drop_malformed++; /* no request that could be answered */
        return;
    }
    if (!tn_server_bucket_take(&x->requests, in->now.us, TN_SERVER_UNITS_PER_S,
                               TN_SERVER_UNITS_BURST, cost_of(body[0]))) {
        s->counter.drop_request_rate++;
        return;
    }
    s->counter.requests++;
    if (tn_msg_decode(body, len, &m)) {
        s->counter.drop_malformed++;
        a.type = body[0] | TN_MSG_ANSWER;
        a.request_id = (uint16_t)(body[2] << 8 | body[3]);
        answer(s, in, slot, &a);
        return;
    }
    handle(s, in, slot, &m);
}

/* Relayed frames go where the last message came from. But a PING that asks whether UDP works, or a
 * stream, comes by a way that may not lead back, and so does a CHECK: it takes another message (the
 * member announces its candidates again) to move from the one to the other. */
static bool moves_home(const struct tn_server_session *x, uint8_t family,
                       const struct tn_server_in *in)
{
    bool crosses = (family == TN_FAMILY_STREAM) != (x->home == TN_FAMILY_STREAM);
    uint8_t type = in->len > TN_CTL_DATA_OVERHEAD ? in->data[TN_CTL_DATA_HEADER_LEN] : 0;

    return !crosses || tn_addr_is_zero(&x->seen[x->home].addr) ||
           (type != TN_MSG_PING && type != TN_MSG_CHECK);
}

void tn_server_on_data(struct tn_server *s, struct tn_server_in *in)
{
    uint32_t slot;
    struct tn_server_session *x;
    struct tn_server_seen *seen;
    uint8_t family;
    int err;

    if (in->len < TN_CTL_DATA_OVERHEAD) {
        s->counter.drop_garbage++;
        return;
    }
    slot = tn_server_by_index(s, tn_ctl_data_index(in->data));
    if (slot == TN_SERVER_NONE ||
        (s->mem.session[slot].state != TN_SERVER_TENTATIVE &&
         !tn_server_is_live(s, &s->mem.session[slot], in->now))) {
        s->counter.drop_no_session++;
        return;
    }
    x = &s->mem.session[slot];
    err = tn_ctl_open(&x->keys, in->data, in->len);
    if (err) {
        if (err == TN_EREPLAY)
            s->counter.drop_replay++;
        else
            s->counter.drop_auth++;
        return;
    }
    if (x->state == TN_SERVER_TENTATIVE && !tn_server_confirm(s, slot)) {
        s->counter.drop_store++;
        return;
    }
    x->heard_us = in->now.us;
    family = tn_addr_family(in->src);
    if (moves_home(x, family, in))
        x->home = family;
    seen = &x->seen[family];
    seen->addr = *in->src;
    seen->port = in->port;
    seen->at_us = in->now.us;
    on_request(s, in, slot);
}
