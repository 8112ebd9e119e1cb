/* What comes from the coordinator, and the events made of it.
 *
 * A datagram counts only when it comes from the coordinator's address and, but
 * for COOKIE (client.c) and LOST (client_lost.c), is authentic. Whatever is authentic shows that the
 * session lives. An answer is matched with its request by type and id; one that
 * nobody waits for is dropped, so a request may be repeated at will.
 *
 * The NAT in between may forget our mapping before the next keepalive: it shows
 * as a new port under the same address in PING's answer, and the keepalive is
 * then halved, down to 2.5 s, for as long as this session lasts. */
#include "client_priv.h"

#include <string.h>

#define KEEPALIVE_FLOOR_US TN_MS(2500)

struct tn_coord_event *tn_coord_event(struct tn_coord_client *c, enum tn_coord_event_kind kind)
{
    struct tn_coord_event *e;

    if (c->event_count == TN_COORD_EVENTS) { /* not drained: the oldest goes */
        c->event_first = (uint8_t)((c->event_first + 1) % TN_COORD_EVENTS);
        c->event_count--;
        c->events_lost++;
    }
    e = &c->event[(c->event_first + c->event_count) % TN_COORD_EVENTS];
    c->event_count++;
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    return e;
}

/* The event that a given-up request owes; its row is free afterwards. */
static bool take_failure(struct tn_coord_client *c, struct tn_coord_event *out)
{
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        struct tn_coord_request *q = &c->request[i];

        if (!q->type || !q->failed)
            continue;
        memset(out, 0, sizeof(*out));
        out->status = q->status;
        if (q->type == TN_MSG_LOOKUP) {
            out->kind = TN_COORD_EV_LOOKUP_FAILED;
            out->token = q->token;
        } else if (q->type == TN_MSG_SYNC) {
            out->kind = TN_COORD_EV_SYNC_DONE;
            out->seq = q->seq;
        } else if (q->type == TN_MSG_CHECK) {
            out->kind = TN_COORD_EV_CHECK_RESULT;
            out->seq = q->seq;
        } else {
            out->kind = TN_COORD_EV_CONNECT_RESULT;
            memcpy(out->identity, q->key, 32);
        }
        memset(q, 0, sizeof(*q));
        return true;
    }
    return false;
}

bool tn_coord_client_take_event(struct tn_coord_client *c, struct tn_coord_event *out)
{
    if (!c->event_count)
        return take_failure(c, out);
    *out = c->event[c->event_first];
    c->event_first = (uint8_t)((c->event_first + 1) % TN_COORD_EVENTS);
    c->event_count--;
    return true;
}

void tn_coord_saw_rtt(struct tn_coord_client *c, uint64_t sample_us)
{
    uint64_t rtt = sample_us ? sample_us : 1;

    if (rtt > TN_S(60))
        return;
    c->rtt_us = (uint32_t)(c->rtt_us ? (7 * (uint64_t)c->rtt_us + rtt) / 8 : rtt);
    if (!c->rtt_us)
        c->rtt_us = 1;
    tn_coord_event(c, TN_COORD_EV_RTT)->rtt_us = c->rtt_us;
}

bool tn_coord_saw_observed(struct tn_coord_client *c, const struct tn_addr *observed)
{
    uint8_t family = tn_addr_family(observed);

    if (family == TN_FAMILY_STREAM || tn_addr_is_zero(observed) ||
        tn_addr_equal(&c->observed[family], observed))
        return false;
    c->observed[family] = *observed;
    tn_coord_event(c, TN_COORD_EV_OBSERVED)->addr = *observed;
    return true;
}

static void saw_roster_seq(struct tn_coord_client *c, uint64_t seq)
{
    if (seq == c->roster_seq)
        return;
    c->roster_seq = seq;
    tn_coord_event(c, TN_COORD_EV_ROSTER_SEQ)->seq = seq;
}

/* A new port under the address that we had: a NAT on the way has forgotten us. */
static void saw_place(struct tn_coord_client *c, const struct tn_addr *observed, struct tn_now now)
{
    bool v4 = tn_addr_is_v4(observed);
    struct tn_addr before = c->observed[v4 ? TN_FAMILY_V4 : TN_FAMILY_V6];

    if (!tn_coord_saw_observed(c, observed) || c->suspicious ||
        !tn_addr_same_ip(&before, observed) || c->keepalive_us <= KEEPALIVE_FLOOR_US)
        return;
    c->keepalive_us /= 2;
    if (c->keepalive_us < KEEPALIVE_FLOOR_US)
        c->keepalive_us = KEEPALIVE_FLOOR_US;
    c->row[TN_COORD_AT_KEEPALIVE] = now.us + c->keepalive_us;
}

static int on_pong(struct tn_coord_client *c, uint8_t family, const struct tn_msg *m,
                   struct tn_now now)
{
    struct tn_coord_ping *p = &c->ping[family];

    if (tn_coord_ping_due(c, family) == TN_NEVER || p->tries == 0)
        return TN_ENOENT;
    if (m->request_id == p->id && family == c->home)
        tn_coord_saw_rtt(c, now.us - p->sent_us);
    p->due_us = TN_NEVER;
    if (m->status != TN_STATUS_OK)
        return 0;
    saw_place(c, &m->observed, now);
    if (family == c->home)
        c->suspicious = false;
    saw_roster_seq(c, m->roster_seq);
    return 0;
}

static int on_published(struct tn_coord_client *c, const struct tn_msg *m, struct tn_now now)
{
    struct tn_coord_event *e;
    bool join = c->publish.type == TN_MSG_JOIN;

    if (c->publish.type != (m->type & ~TN_MSG_ANSWER) || c->publish.id != m->request_id)
        return TN_ENOENT;
    memset(&c->publish, 0, sizeof(c->publish));
    e = tn_coord_event(c, join ? TN_COORD_EV_JOIN_RESULT : TN_COORD_EV_UPDATE_RESULT);
    e->status = m->status;
    e->seq = m->roster_seq;
    if (m->status == TN_STATUS_OK)
        saw_roster_seq(c, m->roster_seq);
    tn_coord_after_join(c, m->status == TN_STATUS_OK, now);
    return 0;
}

static int on_bound(struct tn_coord_client *c, const struct tn_msg *m)
{
    for (size_t i = 0; i < c->cfg.channel_count; i++) {
        struct tn_relay_channel *row = &c->cfg.channel[i];
        struct tn_coord_event *e;

        if (row->state != TN_RELAY_SENT || row->request_id != m->request_id)
            continue;
        row->due_us = TN_NEVER;
        if (m->status == TN_STATUS_NOT_MEMBER && c->publish.type) {
            row->state = TN_RELAY_WANTED; /* tn_coord_after_join sends it again */
        } else {
            row->state = m->status ? TN_RELAY_REFUSED : TN_RELAY_BOUND;
            row->status = m->status;
            e = tn_coord_event(c, TN_COORD_EV_BIND_RESULT);
            e->status = m->status;
            e->channel = (uint16_t)(i + 1);
            memcpy(e->identity, row->identity, 32);
        }
        tn_coord_arm_binds(c);
        return 0;
    }
    return TN_ENOENT;
}

static struct tn_coord_request *find_request(struct tn_coord_client *c, const struct tn_msg *m)
{
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        struct tn_coord_request *q = &c->request[i];

        if (q->type == (m->type & ~TN_MSG_ANSWER) && !q->failed && q->tries &&
            q->id == m->request_id)
            return q;
    }
    return NULL;
}

static void copy_cands(struct tn_coord_client *c, struct tn_coord_event *e, const struct tn_msg *m)
{
    memcpy(c->event_cand, m->cand, sizeof(c->event_cand));
    e->cand = c->event_cand;
    e->cand_count = m->cand_count;
    e->delay_ms = m->delay_ms;
}

/* A card, and the question after it; or the end. */
static void on_synced(struct tn_coord_client *c, struct tn_coord_request *q, const struct tn_msg *m,
                      struct tn_now now)
{
    struct tn_coord_event *e;

    if (m->card_len && m->seq > q->seq) {
        e = tn_coord_event(c, TN_COORD_EV_CARD);
        e->card = m->card;
        e->card_len = m->card_len;
        e->seq = m->seq;
        q->seq = m->seq;
        q->id = tn_coord_new_id(c);
        q->tries = 0;
        q->due_us = now.us;
        return;
    }
    e = tn_coord_event(c, TN_COORD_EV_SYNC_DONE);
    e->status = m->card_len ? TN_STATUS_MALFORMED : m->status; /* a seq that does not grow */
    e->seq = m->status == TN_STATUS_OK && !m->card_len ? m->roster_seq : q->seq;
    memset(q, 0, sizeof(*q));
}

static int on_answer(struct tn_coord_client *c, const struct tn_msg *m, struct tn_now now)
{
    struct tn_coord_request *q = find_request(c, m);
    struct tn_coord_event *e;

    if (!q)
        return TN_ENOENT;
    if (m->status == TN_STATUS_NOT_MEMBER && c->publish.type) {
        q->tries = 0;
        q->due_us = TN_NEVER; /* tn_coord_after_join sends it again */
        return 0;
    }
    switch (q->type) {
    case TN_MSG_SYNC:
        on_synced(c, q, m, now);
        return 0;
    case TN_MSG_LOOKUP:
        e = tn_coord_event(c, m->status ? TN_COORD_EV_LOOKUP_FAILED : TN_COORD_EV_CARD);
        e->token = q->token;
        e->of_lookup = true;
        e->card = m->card;
        e->card_len = m->card_len;
        break;
    case TN_MSG_CHECK:
        e = tn_coord_event(c, TN_COORD_EV_CHECK_RESULT);
        e->seq = q->seq;
        e->from = m->from;
        break;
    default:
        e = tn_coord_event(c, TN_COORD_EV_CONNECT_RESULT);
        memcpy(e->identity, q->key, 32);
        copy_cands(c, e, m);
        break;
    }
    e->status = m->status;
    memset(q, 0, sizeof(*q));
    return 0;
}

static int on_message(struct tn_coord_client *c, uint8_t family, const struct tn_msg *m,
                      struct tn_now now)
{
    struct tn_coord_event *e;

    switch (m->type) {
    case TN_MSG_PING | TN_MSG_ANSWER:
        return on_pong(c, family, m, now);
    case TN_MSG_CANDIDATES | TN_MSG_ANSWER:
        if (!c->announce.type || c->announce.id != m->request_id)
            return TN_ENOENT;
        c->announce.type = 0;
        return 0;
    case TN_MSG_JOIN | TN_MSG_ANSWER:
    case TN_MSG_UPDATE | TN_MSG_ANSWER:
        return on_published(c, m, now);
    case TN_MSG_BIND | TN_MSG_ANSWER:
        return on_bound(c, m);
    case TN_MSG_LINK | TN_MSG_ANSWER:
        return tn_coord_link_answered(c, m);
    case TN_MSG_LOOKUP | TN_MSG_ANSWER:
    case TN_MSG_SYNC | TN_MSG_ANSWER:
    case TN_MSG_CONNECT | TN_MSG_ANSWER:
    case TN_MSG_CHECK | TN_MSG_ANSWER:
        return on_answer(c, m, now);
    case TN_MSG_PUNCH:
        e = tn_coord_event(c, TN_COORD_EV_PUNCH);
        memcpy(e->identity, m->identity, 32);
        copy_cands(c, e, m);
        return 0;
    case TN_MSG_ANEW:
        e = tn_coord_event(c, TN_COORD_EV_ANEW);
        memcpy(e->identity, m->identity, 32);
        return 0;
    case TN_MSG_NEWS:
        saw_roster_seq(c, m->roster_seq);
        return 0;
    default: /* a request: the coordinator makes none */
        return TN_EINVAL;
    }
}

static int on_data(struct tn_coord_client *c, const struct tn_addr *src, uint8_t *data, size_t len,
                   struct tn_now now)
{
    struct tn_msg m;
    int err;

    if (!c->session_ok)
        return TN_ENOKEY;
    err = tn_ctl_open(&c->session, data, len);
    if (err)
        return err;
    c->heard_us = now.us;
    tn_coord_stream_heard(c, tn_addr_family(src), now);
    err = tn_msg_decode(data + TN_CTL_DATA_HEADER_LEN, len - TN_CTL_DATA_OVERHEAD, &m);
    if (!err)
        err = on_message(c, tn_addr_family(src), &m, now);
    return err;
}

int tn_coord_client_on_datagram(struct tn_coord_client *c, const struct tn_addr *src,
                                uint8_t *data, size_t len, struct tn_now now)
{
    int err = TN_EINVAL;

    if (tn_ctl_is_control(data, len) && !tn_addr_is_zero(src) &&
        tn_addr_equal(src, &c->server[tn_addr_family(src)])) {
        if (data[0] == TN_CTL_DATA)
            err = on_data(c, src, data, len, now);
        else if (data[0] == TN_CTL_COOKIE)
            err = tn_coord_on_cookie(c, src, data, len);
        else if (data[0] == TN_CTL_RESP)
            err = tn_coord_on_resp(c, src, data, len, now);
        else if (data[0] == TN_CTL_BEAT_ANSWER)
            err = tn_coord_on_beat_answer(c, data, len, now);
        else if (data[0] == TN_CTL_LOST)
            err = tn_coord_on_lost(c, src, data, len, now);
    }
    if (err)
        c->dropped++;
    return err;
}
