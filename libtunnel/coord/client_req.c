/* The member's requests: kept until they are answered, repeated on a new
 * session, given up after some tries.
 *
 * JOIN, UPDATE, CANDIDATES and BIND are wishes about a state, so they stay until
 * the coordinator has answered, over any number of sessions; whether it lives
 * is for PING to find out. LOOKUP, SYNC, CONNECT and CHECK are questions: after six
 * tries, or when the session is lost, they fail with TN_STATUS_NO_ANSWER.
 *
 * What is refused with "not a member" while a JOIN is under way waits for its
 * answer (due_us is TN_NEVER) and is then asked again. */
#include "client_priv.h"

#include <string.h>

uint16_t tn_coord_new_id(struct tn_coord_client *c)
{
    if (++c->next_id == 0) /* 0 is for messages without an answer */
        c->next_id = 1;
    return c->next_id;
}

static void renew_request(struct tn_coord_client *c, struct tn_coord_request *q, struct tn_now now)
{
    q->id = tn_coord_new_id(c);
    q->tries = 0;
    q->due_us = now.us;
}

void tn_coord_arm_binds(struct tn_coord_client *c)
{
    uint64_t resend = TN_NEVER, fresh = TN_NEVER;
    size_t open = 0;

    for (size_t i = 0; i < c->cfg.channel_count; i++) {
        const struct tn_relay_channel *row = &c->cfg.channel[i];

        if (row->state == TN_RELAY_SENT) {
            open++;
            if (row->due_us < resend)
                resend = row->due_us;
        } else if (row->state == TN_RELAY_WANTED && row->due_us < fresh) {
            fresh = row->due_us;
        }
    }
    if (open >= TN_COORD_BINDS_OPEN)
        fresh = TN_NEVER;
    c->row[TN_COORD_AT_BIND] = !c->session_ok ? TN_NEVER : fresh < resend ? fresh : resend;
}

static void requeue_binds(struct tn_coord_client *c, struct tn_now now)
{
    for (size_t i = 0; i < c->cfg.channel_count; i++) {
        struct tn_relay_channel *row = &c->cfg.channel[i];

        if (row->state == TN_RELAY_FREE)
            continue;
        row->state = TN_RELAY_WANTED;
        row->due_us = now.us;
        row->tries = 0;
        row->status = TN_STATUS_OK;
    }
    tn_coord_arm_binds(c);
}

void tn_coord_announce(struct tn_coord_client *c, struct tn_now now)
{
    c->announce.type = TN_MSG_CANDIDATES;
    renew_request(c, &c->announce, now);
}

void tn_coord_requeue(struct tn_coord_client *c, struct tn_now now)
{
    c->announce.type = c->cand_count ? TN_MSG_CANDIDATES : 0;
    renew_request(c, &c->announce, now);
    if (c->publish.type)
        renew_request(c, &c->publish, now);
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        if (c->request[i].type && !c->request[i].failed)
            renew_request(c, &c->request[i], now);
    }
    requeue_binds(c, now);
}

static void fail_request(struct tn_coord_request *q, uint8_t status)
{
    q->failed = true;
    q->status = status;
    q->due_us = TN_NEVER;
}

void tn_coord_after_join(struct tn_coord_client *c, bool joined, struct tn_now now)
{
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        struct tn_coord_request *q = &c->request[i];

        if (!q->type || q->failed || q->due_us != TN_NEVER)
            continue;
        if (joined)
            renew_request(c, q, now);
        else
            fail_request(q, TN_STATUS_NOT_MEMBER);
    }
    for (size_t i = 0; i < c->cfg.channel_count; i++) {
        struct tn_relay_channel *row = &c->cfg.channel[i];
        bool waits = row->state == TN_RELAY_WANTED && row->due_us == TN_NEVER;

        if (joined && (waits || row->state == TN_RELAY_REFUSED)) {
            row->state = TN_RELAY_WANTED;
            row->due_us = now.us;
            row->tries = 0;
        } else if (waits) {
            row->state = TN_RELAY_REFUSED;
            row->status = TN_STATUS_NOT_MEMBER;
        }
    }
    tn_coord_arm_binds(c);
}

void tn_coord_expire_requests(struct tn_coord_client *c, struct tn_now now)
{
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        struct tn_coord_request *q = &c->request[i];

        if (q->type && !q->failed && q->due_us <= now.us && q->tries >= TN_COORD_TRIES)
            fail_request(q, TN_STATUS_NO_ANSWER);
    }
}

void tn_coord_fail_requests(struct tn_coord_client *c)
{
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        if (c->request[i].type && !c->request[i].failed)
            fail_request(&c->request[i], TN_STATUS_NO_ANSWER);
    }
}

/* ---- what the node asks for ---- */

static int publish(struct tn_coord_client *c, uint8_t type, const uint8_t *card, size_t len,
                   struct tn_now now)
{
    if (len == 0 || len > TN_MSG_CARD_MAX)
        return TN_EINVAL;
    memcpy(c->card, card, len);
    c->card_len = (uint16_t)len;
    c->publish.type = type;
    renew_request(c, &c->publish, now);
    return 0;
}

bool tn_coord_client_is_publishing(const struct tn_coord_client *c)
{
    return c->publish.type != 0;
}

int tn_coord_client_join(struct tn_coord_client *c, const uint8_t *card, size_t len,
                         struct tn_now now)
{
    return publish(c, TN_MSG_JOIN, card, len, now);
}

int tn_coord_client_update(struct tn_coord_client *c, const uint8_t *card, size_t len,
                           struct tn_now now)
{
    return publish(c, TN_MSG_UPDATE, card, len, now);
}

void tn_coord_client_candidates(struct tn_coord_client *c, const struct tn_cand_wire *list,
                                size_t count, struct tn_now now)
{
    if (count > TN_CANDLIST_SEND_MAX)
        count = TN_CANDLIST_SEND_MAX;
    if (count)
        memcpy(c->cand, list, count * sizeof(*list));
    c->cand_count = (uint8_t)count;
    tn_coord_announce(c, now);
}

/* A row for a new request; NULL when the table is full or (`*same`) it is there already. */
static struct tn_coord_request *new_request(struct tn_coord_client *c, uint8_t type, uint8_t by,
                                            const void *key, size_t key_len, bool *same)
{
    struct tn_coord_request *free_row = NULL;

    *same = false;
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        struct tn_coord_request *q = &c->request[i];

        if (!q->type) {
            free_row = q;
        } else if (q->type == type && !q->failed && q->by == by && q->key_len == key_len &&
                   memcmp(q->key, key, key_len) == 0) {
            *same = true;
            return NULL;
        }
    }
    if (!free_row)
        return NULL;
    memset(free_row, 0, sizeof(*free_row));
    free_row->type = type;
    free_row->by = by;
    free_row->key_len = (uint8_t)key_len;
    memcpy(free_row->key, key, key_len);
    return free_row;
}

static int ask(struct tn_coord_client *c, uint8_t type, uint8_t by, const void *key, size_t key_len,
               uint32_t token, uint64_t seq, struct tn_now now)
{
    bool same;
    struct tn_coord_request *q = new_request(c, type, by, key, key_len, &same);

    if (!q)
        return same ? 0 : TN_ENOSPC;
    q->token = token;
    q->seq = seq;
    renew_request(c, q, now);
    return 0;
}

int tn_coord_client_lookup(struct tn_coord_client *c, enum tn_msg_by by, const void *key,
                           size_t key_len, uint32_t token, struct tn_now now)
{
    size_t want = by == TN_BY_ADDRESS ? 16 : 32;

    if (by < TN_BY_IDENTITY || by > TN_BY_WIREGUARD)
        return TN_EINVAL;
    if (by == TN_BY_NAME ? key_len < 1 || key_len > TN_MSG_NAME_MAX : key_len != want)
        return TN_EINVAL;
    return ask(c, TN_MSG_LOOKUP, (uint8_t)by, key, key_len, token, 0, now);
}

int tn_coord_client_sync(struct tn_coord_client *c, uint64_t after_seq, struct tn_now now)
{
    return ask(c, TN_MSG_SYNC, 0, "", 0, 0, after_seq, now);
}

int tn_coord_client_connect(struct tn_coord_client *c, const uint8_t identity[32],
                            struct tn_now now)
{
    return ask(c, TN_MSG_CONNECT, 0, identity, 32, 0, 0, now);
}

int tn_coord_client_check(struct tn_coord_client *c, uint64_t nonce, uint8_t from,
                          const struct tn_addr *addr, struct tn_now now)
{
    uint8_t key[TN_ADDR_WIRE_LEN];

    tn_addr_encode(addr, key);
    return ask(c, TN_MSG_CHECK, from, key, sizeof(key), 0, nonce, now);
}

int tn_coord_client_bind(struct tn_coord_client *c, const uint8_t identity[32], uint16_t *channel,
                         struct tn_now now)
{
    uint16_t known = tn_relay_find(c->cfg.channel, c->cfg.channel_count, identity);
    uint16_t made = tn_relay_take(c->cfg.channel, c->cfg.channel_count, identity);
    struct tn_relay_channel *row;

    if (!made)
        return TN_ENOSPC;
    row = &c->cfg.channel[made - 1];
    if (!known || row->state == TN_RELAY_REFUSED) { /* who was no member then may be one now */
        row->state = TN_RELAY_WANTED;
        row->status = TN_STATUS_OK;
        row->tries = 0;
        row->due_us = now.us;
        tn_coord_arm_binds(c);
    }
    *channel = made;
    return 0;
}

void tn_coord_client_unbind(struct tn_coord_client *c, uint16_t channel)
{
    if (!channel || channel > c->cfg.channel_count)
        return;
    memset(&c->cfg.channel[channel - 1], 0, sizeof(c->cfg.channel[0]));
    tn_coord_link_unbind(c, channel);
    tn_coord_arm_binds(c);
}
