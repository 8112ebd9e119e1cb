/* NEWS (PROTOCOL.md section 4.1): the roster of a network has changed, and its members that are connected hear of it
 * at once, where they would ask within a quarter of a minute.
 *
 * For a small number of networks it is kept what their members were told last: a JOIN that changes nothing, as
 * after each new session, is no news. A network that is not there any more is told once too often, or,
 * in a storm, not at all: its members ask by themselves. Who pays for each byte is told nothing.
 *
 * A round goes through the sessions, some at a time, so that what is relayed does not wait for it; what changes
 * meanwhile is the next round's. Rounds of one coordinator are a second apart. */
#include <string.h>

#include "server_priv.h"

#define ROUND_GAP_US TN_S(1)
#define BURST 64 /* NEWS in a row, and then a pause: members ask for the new card at once */
#define PAUSE_US TN_MS(10)

void tn_server_news_add(struct tn_server *s, uint64_t network, uint64_t seq, struct tn_now now)
{
    uint8_t at = (uint8_t)(network % TN_SERVER_NEWS_ROWS);
    struct tn_server_news_row *row = &s->news.row[at];

    if (row->network == network && row->seq == seq)
        return;
    if (s->news.at == at && row->network != network)
        s->news.is_on = false; /* the other one's round; its members will ask */
    *row = (struct tn_server_news_row){.network = network, .seq = seq, .is_due = true};
    if (s->news.at_us < now.us)
        s->news.at_us = now.us;
}

uint64_t tn_server_news_deadline(const struct tn_server *s)
{
    if (s->anew.count)
        return 0;
    for (size_t i = 0; i < TN_SERVER_NEWS_ROWS; i++) {
        if (s->news.row[i].is_due)
            return s->news.at_us;
    }
    return TN_NEVER;
}

static bool begin_round(struct tn_server *s)
{
    for (uint8_t i = 0; i < TN_SERVER_NEWS_ROWS && !s->news.is_on; i++) {
        if (!s->news.row[i].is_due)
            continue;
        s->news.is_on = true;
        s->news.at = i;
        s->news.seq = s->news.row[i].seq;
        s->news.slot = s->news.burst = 0;
    }
    return s->news.is_on;
}

static void end_round(struct tn_server *s, struct tn_now now)
{
    struct tn_server_news_row *row = &s->news.row[s->news.at];

    row->is_due = row->seq != s->news.seq;
    s->news.is_on = false;
    s->news.at_us = now.us + ROUND_GAP_US;
}

/* The next session that is to be told; TN_SERVER_NONE: the round is over. */
static uint32_t next_slot(struct tn_server *s, struct tn_now now)
{
    uint64_t network = s->news.row[s->news.at].network;

    while (s->news.slot < s->mem.session_count) {
        uint32_t slot = s->news.slot++;
        const struct tn_server_session *x = &s->mem.session[slot];

        if (x->state == TN_SERVER_MEMBER && x->network == network && !x->life_us &&
            tn_server_is_live(s, x, now))
            return slot;
    }
    return TN_SERVER_NONE;
}

bool tn_server_news_next(struct tn_server *s, struct tn_now now, struct tn_server_out *out)
{
    struct tn_server_in in = {.now = now, .out = out};
    struct tn_msg m = {.type = TN_MSG_NEWS};

    if (tn_server_anew_next(s, &in))
        return true;
    while (now.us >= s->news.at_us && begin_round(s)) {
        uint32_t slot = next_slot(s, now);

        if (slot == TN_SERVER_NONE) {
            end_round(s, now);
            continue;
        }
        if (++s->news.burst == BURST) {
            s->news.burst = 0;
            s->news.at_us = now.us + PAUSE_US;
        }
        m.roster_seq = s->news.seq;
        tn_server_push(s, &in, slot, 0, &m);
        s->counter.news += in.out_count;
        if (in.out_count)
            return true;
    }
    return false;
}
