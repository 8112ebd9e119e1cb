/* What goes to the coordinator: one datagram at a time, in the order of what
 * matters most (INIT, JOIN or UPDATE, PINGs, candidates, channels, questions),
 * and the header of relayed frames.
 *
 * The other families' PINGs go out before the home family's: the coordinator
 * takes the family of the latest authentic message as the one to relay to.
 * Each PING has a new id, so its answer tells the round-trip time without
 * doubt (Karn's problem does not arise). A question whose third try is not
 * answered by any datagram at all casts suspicion on the session. */
#include "client_priv.h"

#include <string.h>

#include "../base/bytes.h"

#define SILENT_TRIES 2
#define RELAY_SILENCE_US TN_S(2)

static size_t write_init(struct tn_coord_client *c, struct tn_now now, uint8_t *out,
                         struct tn_addr *dst)
{
    uint8_t stamp[TN_CTL_TAI64N_LEN];
    uint64_t wait = TN_MS(300);

    c->want_init = false;
    c->stamp_ns = now.unix_ns > c->stamp_ns ? now.unix_ns : c->stamp_ns + 1;
    tn_ctl_tai64n(stamp, c->stamp_ns);
    for (unsigned n = 0; n < c->timeouts && wait < TN_COORD_RESEND_MAX_US; n++)
        wait *= 2;
    if (wait > TN_COORD_RESEND_MAX_US)
        wait = TN_COORD_RESEND_MAX_US;
    c->row[TN_COORD_AT_INIT] = now.us + wait;
    if (tn_ctl_create_init(&c->ik, &c->local, &c->rng, c->client_index,
                           c->has_cookie ? c->cookie : NULL, stamp, out)) {
        c->ik_live = false; /* the timeout tries again, with another ephemeral key */
        return 0;
    }
    c->ik_live = true;
    c->init_sent_us = now.us;
    if (c->has_cookie && c->with_cookie < UINT8_MAX)
        c->with_cookie++;
    *dst = c->server[c->shake_family];
    return TN_CTL_INIT_LEN;
}

/* Seals a message for a family; 0 when it cannot be. */
static size_t write_data(struct tn_coord_client *c, uint8_t family, const struct tn_msg *m,
                         struct tn_now now, uint8_t *out, size_t cap, struct tn_addr *dst)
{
    size_t len;

    if (tn_msg_encode(m, out + TN_CTL_DATA_HEADER_LEN, cap - TN_CTL_DATA_OVERHEAD, &len) ||
        tn_ctl_seal(&c->session, out, len))
        return 0;
    c->spoken_us = now.us;
    *dst = c->server[family];
    return len + TN_CTL_DATA_OVERHEAD;
}

size_t tn_coord_client_bye(struct tn_coord_client *c, struct tn_now now, uint8_t *out, size_t cap,
                           struct tn_addr *dst)
{
    struct tn_msg m = {.type = TN_MSG_BYE};

    if (!c->session_ok)
        return 0;
    m.request_id = tn_coord_new_id(c);
    return write_data(c, c->home, &m, now, out, cap, dst);
}

static size_t write_ping(struct tn_coord_client *c, uint8_t family, struct tn_now now, uint8_t *out,
                         size_t cap, struct tn_addr *dst)
{
    struct tn_coord_ping *p = &c->ping[family];
    struct tn_msg m = {.type = TN_MSG_PING, .rtt_us = c->rtt_us};

    p->id = tn_coord_new_id(c);
    p->tries++;
    p->sent_us = now.us;
    p->due_us = now.us + (c->suspicious ? tn_coord_burst_us(c) : tn_coord_resend_us(c, p->tries));
    m.request_id = p->id;
    return write_data(c, family, &m, now, out, cap, dst);
}

/* Counts a try and sets the next one. */
static void sent(struct tn_coord_client *c, struct tn_coord_request *q, struct tn_now now)
{
    uint64_t wait;

    if (q->tries == 0)
        q->first_us = now.us;
    if (q->tries >= SILENT_TRIES && c->heard_us < q->first_us)
        tn_coord_client_suspect(c, now);
    if (q->tries < UINT8_MAX)
        q->tries++;
    wait = tn_coord_resend_us(c, q->tries);
    if (q == &c->publish && wait < TN_COORD_STORE_US)
        wait = TN_COORD_STORE_US;
    q->due_us = now.us + wait;
}

/* An address is dialled from where its family is at home. The coordinator takes the family of the
 * latest message for ours, so a PING or a BEAT on our own follows. */
static uint8_t family_for(struct tn_coord_client *c, const struct tn_msg *m, struct tn_now now)
{
    uint8_t family = tn_addr_family(&m->observed);

    if (m->type != TN_MSG_CHECK || family == c->home || tn_addr_is_zero(&c->server[family]))
        return c->home;
    if (tn_coord_beats(c)) {
        tn_coord_begin_beat(c, now);
        return family;
    }
    c->ping[c->home].tries = 0;
    c->ping[c->home].due_us = now.us;
    return family;
}

static size_t write_request(struct tn_coord_client *c, struct tn_coord_request *q,
                            struct tn_now now, uint8_t *out, size_t cap, struct tn_addr *dst)
{
    struct tn_msg m = {.type = q->type, .request_id = q->id};

    sent(c, q, now);
    switch (q->type) {
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
        m.card = c->card;
        m.card_len = c->card_len;
        break;
    case TN_MSG_LOOKUP:
        m.by = q->by;
        m.key = q->key;
        m.key_len = q->key_len;
        break;
    case TN_MSG_SYNC:
        m.seq = q->seq;
        break;
    case TN_MSG_CHECK:
        tn_put_be64(m.nonce, q->seq);
        m.from = q->by;
        tn_addr_decode(q->key, &m.observed);
        break;
    default: /* CONNECT and CANDIDATES */
        memcpy(m.identity, q->key, 32);
        memcpy(m.cand, c->cand, c->cand_count * sizeof(c->cand[0]));
        m.cand_count = c->cand_count;
        break;
    }
    return write_data(c, family_for(c, &m, now), &m, now, out, cap, dst);
}

static size_t write_bind(struct tn_coord_client *c, struct tn_now now, uint8_t *out, size_t cap,
                         struct tn_addr *dst)
{
    struct tn_relay_channel *row = c->cfg.channel;
    struct tn_msg m = {.type = TN_MSG_BIND};
    size_t at = c->cfg.channel_count, open = 0;

    for (size_t i = 0; i < c->cfg.channel_count; i++)
        open += row[i].state == TN_RELAY_SENT;
    for (size_t i = 0; i < c->cfg.channel_count && at == c->cfg.channel_count; i++) {
        bool fresh = row[i].state == TN_RELAY_WANTED && open < TN_COORD_BINDS_OPEN;

        if ((fresh || row[i].state == TN_RELAY_SENT) && row[i].due_us <= now.us)
            at = i;
    }
    if (at == c->cfg.channel_count) {
        tn_coord_arm_binds(c);
        return 0;
    }
    if (row[at].state == TN_RELAY_WANTED)
        row[at].request_id = tn_coord_new_id(c);
    row[at].state = TN_RELAY_SENT;
    if (row[at].tries < UINT8_MAX)
        row[at].tries++;
    row[at].due_us = now.us + tn_coord_resend_us(c, row[at].tries);
    tn_coord_arm_binds(c);
    m.request_id = row[at].request_id;
    m.channel = (uint16_t)(at + 1);
    memcpy(m.identity, row[at].identity, 32);
    return write_data(c, c->home, &m, now, out, cap, dst);
}

static bool is_due(const struct tn_coord_request *q, struct tn_now now)
{
    return q->type && !q->failed && q->due_us <= now.us;
}

size_t tn_coord_client_poll_out(struct tn_coord_client *c, struct tn_now now, uint8_t *out,
                                size_t cap, struct tn_addr *dst)
{
    struct tn_msg link;
    size_t len = 0;

    if (cap < TN_CTL_MAX_LEN)
        return 0;
    if (c->want_init)
        len = write_init(c, now, out, dst);
    if (len || !c->session_ok)
        return len;
    if (is_due(&c->publish, now))
        return write_request(c, &c->publish, now, out, cap, dst);
    len = tn_coord_write_beat(c, now, out, dst);
    if (len)
        return len;
    for (uint8_t n = 1; n <= TN_FAMILIES; n++) { /* home comes last */
        uint8_t family = (uint8_t)((c->home + n) % TN_FAMILIES);

        if (tn_coord_ping_due(c, family) <= now.us &&
            c->ping[family].tries < tn_coord_ping_limit(c, family))
            return write_ping(c, family, now, out, cap, dst);
    }
    if (is_due(&c->announce, now))
        return write_request(c, &c->announce, now, out, cap, dst);
    if (tn_coord_link_next(c, &link, now))
        return write_data(c, c->home, &link, now, out, cap, dst);
    if (c->row[TN_COORD_AT_BIND] <= now.us)
        len = write_bind(c, now, out, cap, dst);
    for (size_t i = 0; i < TN_COORD_REQUESTS && !len; i++) {
        if (is_due(&c->request[i], now) && c->request[i].tries < TN_COORD_TRIES)
            len = write_request(c, &c->request[i], now, out, cap, dst);
    }
    return len;
}

/* ---- relayed frames ---- */

int tn_coord_client_push_relay(struct tn_coord_client *c, uint16_t channel, struct tn_buf *b,
                               struct tn_addr *dst, struct tn_now now)
{
    const struct tn_relay_channel *row;
    int err;

    if (!c->session_ok || !channel || channel > c->cfg.channel_count)
        return TN_ESTATE;
    row = &c->cfg.channel[channel - 1];
    if (row->state != TN_RELAY_SENT && row->state != TN_RELAY_BOUND)
        return TN_ESTATE;
    if (!c->link.answered || !tn_link_pack_up(b, c->link.on, channel, c->session.remote_index)) {
        err = tn_relay_push_header(b, channel, c->session.remote_index);
        if (err)
            return err;
    }
    if (!tn_coord_beats(c) && now.us - c->spoken_us > RELAY_SILENCE_US &&
        c->ping[c->home].due_us == TN_NEVER) {
        c->ping[c->home].tries = 0;
        c->ping[c->home].due_us = now.us;
    }
    c->spoken_us = now.us;
    *dst = c->server[c->home];
    return 0;
}

int tn_coord_client_open_relay(const struct tn_coord_client *c, const struct tn_addr *src,
                               struct tn_buf *b)
{
    uint16_t channel;
    uint32_t index;
    int err = tn_relay_decode(tn_buf_data(b), b->len, &channel, &index);

    if (err)
        return err;
    if (!c->session_ok || tn_addr_is_zero(src) ||
        !tn_addr_equal(src, &c->server[tn_addr_family(src)]) || channel != 0 ||
        (index != c->session.local_index && index != c->previous_index) ||
        !tn_relay_is_wireguard(tn_buf_data(b) + TN_RELAY_HEADER_LEN,
                               b->len - TN_RELAY_HEADER_LEN))
        return TN_EINVAL;
    return tn_buf_pull(b, TN_RELAY_HEADER_LEN) ? 0 : TN_EINVAL;
}
