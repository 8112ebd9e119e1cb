/* The messages of the control channel, byte by byte (PROTOCOL.md section 4.1).
 *
 * One struct serves them all, so a message is written and read by two switches
 * that look like the table in PROTOCOL.md. The cursors fail once and for good;
 * the result is looked at once, at the end. Encoding goes through a writer that
 * never passes `cap`; decoding fills a local copy and hands it over only when
 * every byte was understood and none was left.
 *
 * Called by client.c and the server_*.c files. */
#include "msg.h"

#include <string.h>

#include "../base/cursor.h"

const char *tn_status_text(uint8_t status)
{
    static const char *const text[] = {
        [TN_STATUS_OK] = "ok",
        [TN_STATUS_MALFORMED] = "the coordinator could not read the message",
        [TN_STATUS_NOT_MEMBER] = "this machine is not a member of the network",
        [TN_STATUS_NO_SUCH_MEMBER] = "no such member",
        [TN_STATUS_UNREACHABLE] = "the member is not connected now",
        [TN_STATUS_INVITE_USED] = "the invite has been used already",
        [TN_STATUS_INVITE_EXPIRED] = "the invite has expired",
        [TN_STATUS_BAD_SIGNATURE] = "a signature does not verify",
        [TN_STATUS_OTHER_NETWORK] = "the card is for another network",
        [TN_STATUS_TAKEN] = "the name, address or key belongs to another member",
        [TN_STATUS_OLD_EPOCH] = "a card of this or a higher epoch is known already",
        [TN_STATUS_LIMIT] = "a limit of the coordinator is reached",
        [TN_STATUS_TRY_LATER] = "the coordinator is busy, try again later",
        [TN_STATUS_STORE] = "the coordinator could not store it",
        [TN_STATUS_CLOCK] = ("this machine's clock is wrong: it is past the invite's end, or more "
                             "than a day ahead of the coordinator's"),
        [TN_STATUS_ELSEWHERE] = "the address is not where the coordinator sees this machine",
    };

    _Static_assert(sizeof(text) / sizeof(text[0]) == TN_STATUS_COUNT, "a text for each status");
    if (status == TN_STATUS_NO_ANSWER)
        return "the coordinator does not answer";
    return status < TN_STATUS_COUNT ? text[status] : "unknown status";
}

bool tn_ctl_is_control(const uint8_t *datagram, size_t len)
{
    if (len < 2 || datagram[1] != TN_CTL_VERSION)
        return false;
    return (datagram[0] >= TN_CTL_INIT && datagram[0] <= TN_CTL_RELAY) ||
           (datagram[0] >= TN_CTL_LOST && datagram[0] <= TN_CTL_BEAT_ANSWER);
}

void tn_ctl_dial_encode(uint8_t from, const uint8_t nonce[TN_DIAL_NONCE_LEN],
                        uint8_t out[TN_CTL_DIAL_LEN])
{
    out[0] = TN_CTL_DIAL;
    out[1] = TN_CTL_VERSION;
    out[2] = from;
    out[3] = 0;
    memcpy(out + 4, nonce, TN_DIAL_NONCE_LEN);
}

static bool is_one_dial(uint8_t from)
{
    return from == TN_DIAL_SAME || from == TN_DIAL_PORT || from == TN_DIAL_ADDRESS;
}

bool tn_ctl_dial_decode(const uint8_t *datagram, size_t len, uint8_t *from,
                        uint8_t nonce[TN_DIAL_NONCE_LEN])
{
    if (len != TN_CTL_DIAL_LEN || datagram[0] != TN_CTL_DIAL || datagram[1] != TN_CTL_VERSION ||
        !is_one_dial(datagram[2]) || datagram[3])
        return false;
    *from = datagram[2];
    memcpy(nonce, datagram + 4, TN_DIAL_NONCE_LEN);
    return true;
}

static void write_addr(struct tn_writer *w, const struct tn_addr *a)
{
    uint8_t *at = tn_write_room(w, TN_ADDR_WIRE_LEN);

    if (at)
        tn_addr_encode(a, at);
}

static void read_addr(struct tn_reader *r, struct tn_addr *a)
{
    const uint8_t *at = tn_read_view(r, TN_ADDR_WIRE_LEN);

    if (at)
        tn_addr_decode(at, a);
}

/* A card takes the rest of the message. */
static void read_card(struct tn_reader *r, struct tn_msg *m, bool may_be_empty)
{
    m->card_len = r->left;
    if (r->left > TN_MSG_CARD_MAX || (r->left == 0 && !may_be_empty))
        tn_reader_fail(r);
    m->card = m->card_len ? tn_read_view(r, m->card_len) : NULL;
}

static void read_cands(struct tn_reader *r, struct tn_msg *m, size_t max)
{
    m->cand_count = (uint8_t)tn_candlist_read(r, m->cand, max);
}

static bool key_len_fits(uint8_t by, size_t len)
{
    switch (by) {
    case TN_BY_IDENTITY:
    case TN_BY_WIREGUARD:
        return len == 32;
    case TN_BY_ADDRESS:
        return len == 16;
    case TN_BY_NAME:
        return len >= 1 && len <= TN_MSG_NAME_MAX;
    default:
        return false;
    }
}

static void read_key(struct tn_reader *r, struct tn_msg *m)
{
    m->by = tn_read_u8(r);
    m->key_len = r->left;
    if (!key_len_fits(m->by, r->left))
        tn_reader_fail(r);
    m->key = tn_read_view(r, m->key_len);
}

static void write_check(struct tn_writer *w, const struct tn_msg *m)
{
    size_t padding = TN_MSG_CHECK_BODY_LEN - TN_DIAL_NONCE_LEN - TN_ADDR_WIRE_LEN - 1;

    tn_write_bytes(w, m->nonce, TN_DIAL_NONCE_LEN);
    write_addr(w, &m->observed);
    tn_write_u8(w, m->from);
    tn_write_zeros(w, padding);
}

static void read_check(struct tn_reader *r, struct tn_msg *m)
{
    tn_read_bytes(r, m->nonce, TN_DIAL_NONCE_LEN);
    read_addr(r, &m->observed);
    m->from = tn_read_u8(r);
    if (!m->from || m->from > TN_DIAL_ALL)
        tn_reader_fail(r);
    for (size_t i = TN_DIAL_NONCE_LEN + TN_ADDR_WIRE_LEN + 1; i < TN_MSG_CHECK_BODY_LEN; i++) {
        if (tn_read_u8(r))
            tn_reader_fail(r);
    }
}

/* Which were sent: any of them, or none. */
static void read_sent(struct tn_reader *r, struct tn_msg *m)
{
    m->from = tn_read_u8(r);
    if (m->from > TN_DIAL_ALL)
        tn_reader_fail(r);
}

static uint16_t read_channel(struct tn_reader *r)
{
    uint16_t channel = tn_read_u16(r);

    if (channel == 0)
        tn_reader_fail(r);
    return channel;
}

static bool is_fit_to_encode(const struct tn_msg *m)
{
    bool answer = m->type & TN_MSG_ANSWER;

    if (m->status >= TN_STATUS_COUNT || (m->status && !answer))
        return false;
    if (m->status)
        return true;
    switch (m->type) {
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
    case TN_MSG_LOOKUP | TN_MSG_ANSWER:
        return m->card_len >= 1 && m->card_len <= TN_MSG_CARD_MAX;
    case TN_MSG_SYNC | TN_MSG_ANSWER:
        return m->card_len <= TN_MSG_CARD_MAX;
    case TN_MSG_LOOKUP:
        return key_len_fits(m->by, m->key_len);
    case TN_MSG_CANDIDATES:
    case TN_MSG_CONNECT:
        return m->cand_count <= TN_CANDLIST_SEND_MAX;
    case TN_MSG_BIND:
    case TN_MSG_BIND | TN_MSG_ANSWER:
        return m->channel != 0;
    case TN_MSG_CHECK:
        return m->from && m->from <= TN_DIAL_ALL;
    case TN_MSG_CHECK | TN_MSG_ANSWER:
        return m->from <= TN_DIAL_ALL;
    case TN_MSG_LINK:
        return m->context < TN_LINK_CONTEXTS && m->link.channel != 0;
    case TN_MSG_LINK | TN_MSG_ANSWER:
        return m->context < TN_LINK_CONTEXTS;
    default:
        return true;
    }
}

static void write_link(struct tn_writer *w, const struct tn_msg *m)
{
    tn_write_u8(w, m->context);
    if (m->type & TN_MSG_ANSWER)
        return;
    tn_write_u16(w, m->link.channel);
    tn_write_u32(w, m->link.tx_index);
    tn_write_u32(w, m->link.rx_index);
    tn_write_u64(w, m->link.tx_base);
    tn_write_u64(w, m->link.rx_base);
}

static void read_link(struct tn_reader *r, struct tn_msg *m)
{
    m->context = tn_read_u8(r);
    if (m->context >= TN_LINK_CONTEXTS)
        tn_reader_fail(r);
    if (m->type & TN_MSG_ANSWER)
        return;
    m->link.channel = read_channel(r);
    m->link.tx_index = tn_read_u32(r);
    m->link.rx_index = tn_read_u32(r);
    m->link.tx_base = tn_read_u64(r);
    m->link.rx_base = tn_read_u64(r);
}

/* Those of the coordinator's own accord, and those without a store behind them. */
static bool write_rest(struct tn_writer *w, const struct tn_msg *m)
{
    switch (m->type) {
    case TN_MSG_ANEW:
        tn_write_bytes(w, m->identity, 32);
        return true;
    case TN_MSG_PUNCH:
        tn_write_bytes(w, m->identity, 32);
        tn_write_u16(w, m->delay_ms);
        tn_candlist_write(w, m->cand, m->cand_count);
        return true;
    case TN_MSG_CHECK:
        write_check(w, m);
        return true;
    case TN_MSG_CHECK | TN_MSG_ANSWER:
        tn_write_u8(w, m->from);
        return true;
    case TN_MSG_LINK:
    case TN_MSG_LINK | TN_MSG_ANSWER:
        write_link(w, m);
        return true;
    default:
        return m->type == TN_MSG_BYE;
    }
}

/* False: there is no such message. */
static bool write_body(struct tn_writer *w, const struct tn_msg *m)
{
    switch (m->type) {
    case TN_MSG_PING:
        tn_write_u32(w, m->rtt_us);
        return true;
    case TN_MSG_PING | TN_MSG_ANSWER:
        write_addr(w, &m->observed);
        tn_write_u64(w, m->roster_seq);
        tn_write_u64(w, m->unix_s);
        return true;
    case TN_MSG_CANDIDATES:
        tn_candlist_write(w, m->cand, m->cand_count);
        return true;
    case TN_MSG_CANDIDATES | TN_MSG_ANSWER:
        return true;
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
    case TN_MSG_LOOKUP | TN_MSG_ANSWER:
        tn_write_bytes(w, m->card, m->card_len);
        return true;
    case TN_MSG_JOIN | TN_MSG_ANSWER:
    case TN_MSG_UPDATE | TN_MSG_ANSWER:
    case TN_MSG_NEWS:
        tn_write_u64(w, m->roster_seq);
        return true;
    case TN_MSG_LOOKUP:
        tn_write_u8(w, m->by);
        tn_write_bytes(w, m->key, m->key_len);
        return true;
    case TN_MSG_SYNC:
        tn_write_u64(w, m->seq);
        return true;
    case TN_MSG_SYNC | TN_MSG_ANSWER:
        tn_write_u64(w, m->seq);
        tn_write_u64(w, m->roster_seq);
        if (m->card_len)
            tn_write_bytes(w, m->card, m->card_len);
        return true;
    case TN_MSG_CONNECT:
        tn_write_bytes(w, m->identity, 32);
        tn_candlist_write(w, m->cand, m->cand_count);
        return true;
    case TN_MSG_CONNECT | TN_MSG_ANSWER:
        tn_write_u16(w, m->delay_ms);
        tn_candlist_write(w, m->cand, m->cand_count);
        return true;
    case TN_MSG_BIND:
    case TN_MSG_BIND | TN_MSG_ANSWER:
        tn_write_u16(w, m->channel);
        if (m->type == TN_MSG_BIND)
            tn_write_bytes(w, m->identity, 32);
        return true;
    default:
        return write_rest(w, m);
    }
}

static bool is_known_answer(uint8_t type)
{
    uint8_t request = type & (uint8_t)~TN_MSG_ANSWER;

    return (type & TN_MSG_ANSWER) && request >= TN_MSG_PING && request <= TN_MSG_LINK &&
           request != TN_MSG_BYE;
}

int tn_msg_encode(const struct tn_msg *m, uint8_t *out, size_t cap, size_t *len)
{
    struct tn_writer w;

    if (!is_fit_to_encode(m))
        return TN_EINVAL;
    tn_writer_init(&w, out, cap);
    tn_write_u8(&w, m->type);
    tn_write_u8(&w, m->status);
    tn_write_u16(&w, m->request_id);
    if (m->status ? !is_known_answer(m->type) : !write_body(&w, m))
        return TN_EINVAL;
    if (!tn_writer_ok(&w))
        return TN_ENOSPC;
    *len = w.len;
    return 0;
}

static void read_rest(struct tn_reader *r, struct tn_msg *m)
{
    switch (m->type) {
    case TN_MSG_ANEW:
        tn_read_bytes(r, m->identity, 32);
        break;
    case TN_MSG_PUNCH:
        tn_read_bytes(r, m->identity, 32);
        m->delay_ms = tn_read_u16(r);
        read_cands(r, m, TN_CANDLIST_MAX);
        break;
    case TN_MSG_CHECK:
        read_check(r, m);
        break;
    case TN_MSG_CHECK | TN_MSG_ANSWER:
        read_sent(r, m);
        break;
    case TN_MSG_LINK:
    case TN_MSG_LINK | TN_MSG_ANSWER:
        read_link(r, m);
        break;
    default:
        tn_reader_fail(r);
    }
}

static void read_body(struct tn_reader *r, struct tn_msg *m)
{
    switch (m->type) {
    case TN_MSG_PING:
        m->rtt_us = tn_read_u32(r);
        break;
    case TN_MSG_PING | TN_MSG_ANSWER:
        read_addr(r, &m->observed);
        m->roster_seq = tn_read_u64(r);
        m->unix_s = tn_read_u64(r);
        break;
    case TN_MSG_CANDIDATES:
        read_cands(r, m, TN_CANDLIST_SEND_MAX);
        break;
    case TN_MSG_CANDIDATES | TN_MSG_ANSWER:
    case TN_MSG_BYE:
        break;
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
    case TN_MSG_LOOKUP | TN_MSG_ANSWER:
        read_card(r, m, false);
        break;
    case TN_MSG_JOIN | TN_MSG_ANSWER:
    case TN_MSG_UPDATE | TN_MSG_ANSWER:
    case TN_MSG_NEWS:
        m->roster_seq = tn_read_u64(r);
        break;
    case TN_MSG_LOOKUP:
        read_key(r, m);
        break;
    case TN_MSG_SYNC:
        m->seq = tn_read_u64(r);
        break;
    case TN_MSG_SYNC | TN_MSG_ANSWER:
        m->seq = tn_read_u64(r);
        m->roster_seq = tn_read_u64(r);
        read_card(r, m, true);
        break;
    case TN_MSG_CONNECT:
        tn_read_bytes(r, m->identity, 32);
        read_cands(r, m, TN_CANDLIST_SEND_MAX);
        break;
    case TN_MSG_CONNECT | TN_MSG_ANSWER:
        m->delay_ms = tn_read_u16(r);
        read_cands(r, m, TN_CANDLIST_MAX);
        break;
    case TN_MSG_BIND:
        m->channel = read_channel(r);
        tn_read_bytes(r, m->identity, 32);
        break;
    case TN_MSG_BIND | TN_MSG_ANSWER:
        m->channel = read_channel(r);
        break;
    default:
        read_rest(r, m);
    }
}

int tn_msg_decode(const uint8_t *in, size_t len, struct tn_msg *out)
{
    struct tn_reader r;
    struct tn_msg m;

    memset(&m, 0, sizeof(m));
    tn_reader_init(&r, in, len);
    m.type = tn_read_u8(&r);
    m.status = tn_read_u8(&r);
    m.request_id = tn_read_u16(&r);
    if (m.status >= TN_STATUS_COUNT)
        return TN_EINVAL;
    if (m.status == TN_STATUS_OK)
        read_body(&r, &m);
    else if (!is_known_answer(m.type))
        return TN_EINVAL;
    if (!tn_reader_done(&r))
        return TN_EINVAL;
    *out = m;
    return 0;
}
