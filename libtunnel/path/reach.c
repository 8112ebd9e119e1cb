/* What reaches us unasked. A NAT that lets in only what was asked for, and a gateway
 * that says it has mapped a port and has not, look alike from inside; so the
 * coordinator dials back, from sockets that we have never sent to:
 *
 *     IDLE --poll--> ASKED --answer--> LISTENING --0.5 s--> a verdict, or IDLE again
 *
 * One lost datagram must not condemn an address, so only three questions in a row
 * without a dial-back do; one that comes decides at once. What came before the answer
 * counts as well: datagrams overtake one another. A verdict is asked for again after ten
 * minutes where the address is open, and after half an hour where it is not; and at once where an open one is
 * doubted, since a gateway may stop to forward what it has forwarded.
 *
 * With a coordinator that has one address only, RESTRICTED cannot be told from OPEN. */
#include "reach.h"

#include <string.h>

enum phase { IDLE, ASKED, LISTENING };

#define ASKS_MAX 3
#define LISTEN_US TN_MS(500)
#define LOST_US TN_S(30) /* the question itself went astray */
#define RETRY_US TN_S(60)
#define OPEN_FOR_US TN_S(600)
#define SHUT_FOR_US TN_S(1800)

static const char *const names[] = {
    [TN_REACH_UNKNOWN] = "unknown", [TN_REACH_OPEN] = "open",
    [TN_REACH_RESTRICTED] = "restricted", [TN_REACH_CLOSED] = "closed",
    [TN_REACH_ELSEWHERE] = "elsewhere",
};

const char *tn_reach_verdict_name(uint8_t verdict)
{
    return verdict < sizeof names / sizeof *names ? names[verdict] : "unknown";
}

static struct tn_reach_row *find(struct tn_reach *r, const struct tn_addr *addr)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (r->row[i].used && tn_addr_equal(&r->row[i].addr, addr))
            return &r->row[i];
    }
    return NULL;
}

static struct tn_reach_row *by_nonce(struct tn_reach *r, uint64_t nonce)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (r->row[i].used && r->row[i].phase != IDLE && r->row[i].nonce == nonce)
            return &r->row[i];
    }
    return NULL;
}

static bool is_named(const struct tn_cand_wire *list, size_t count, const struct tn_addr *addr)
{
    for (size_t i = 0; i < count; i++) {
        if (tn_addr_equal(&list[i].addr, addr))
            return true;
    }
    return false;
}

static void add(struct tn_reach *r, const struct tn_cand_wire *c, const struct tn_now *now)
{
    struct tn_reach_row *row = find(r, &c->addr);

    for (size_t i = 0; i < TN_REACH_MAX && !row; i++) {
        if (r->row[i].used)
            continue;
        row = &r->row[i];
        *row = (struct tn_reach_row){.used = true, .told = true, .addr = c->addr, .due_us = now->us};
    }
    if (row)
        row->origin = c->origin;
}

void tn_reach_set(struct tn_reach *r, const struct tn_cand_wire *list, size_t count,
                  const struct tn_now *now)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (r->row[i].used && !is_named(list, count, &r->row[i].addr))
            r->row[i].used = false;
    }
    for (size_t i = 0; i < count; i++)
        add(r, &list[i], now);
}

static void ask_again(struct tn_reach_row *row, uint64_t due_us)
{
    row->phase = IDLE;
    row->due_us = due_us;
}

void tn_reach_renew(struct tn_reach *r, const struct tn_now *now)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        r->row[i].asks = 0;
        ask_again(&r->row[i], now->us);
    }
}

void tn_reach_doubt(struct tn_reach *r, const struct tn_now *now)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        struct tn_reach_row *row = &r->row[i];

        if (row->used && row->origin == TN_CAND_MAPPED && row->verdict == TN_REACH_OPEN && row->phase == IDLE &&
            now->us - row->judged_us >= TN_REACH_DOUBT_US)
            ask_again(row, now->us);
    }
}

uint64_t tn_reach_next(const struct tn_reach *r)
{
    uint64_t at = TN_NEVER;

    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (r->row[i].used && r->row[i].due_us < at)
            at = r->row[i].due_us;
    }
    return at;
}

static void settle(struct tn_reach_row *row, uint8_t verdict, uint64_t for_us,
                   const struct tn_now *now)
{
    if (row->verdict != verdict || !row->judged_us)
        row->told = false;
    row->verdict = verdict;
    row->judged_us = now->us;
    row->got = row->coming;
    row->asks = 0;
    ask_again(row, now->us + for_us);
}

static bool is_open(const struct tn_reach_row *row)
{
    if (row->sent & TN_REACH_FROM_ADDRESS)
        return row->coming & TN_REACH_FROM_ADDRESS;
    return row->sent & row->coming & TN_REACH_FROM_PORT;
}

/* The time to listen is over. */
static void judge(struct tn_reach_row *row, const struct tn_now *now)
{
    if (!(row->sent & (TN_REACH_FROM_PORT | TN_REACH_FROM_ADDRESS)))
        settle(row, TN_REACH_UNKNOWN, SHUT_FOR_US, now);
    else if (row->asks < ASKS_MAX)
        ask_again(row, now->us);
    else
        settle(row, row->coming & TN_REACH_FROM_PORT ? TN_REACH_RESTRICTED : TN_REACH_CLOSED,
               SHUT_FOR_US, now);
}

bool tn_reach_poll(struct tn_reach *r, struct tn_rng *rng, const struct tn_now *now,
                   struct tn_reach_wish *out)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        struct tn_reach_row *row = &r->row[i];

        if (!row->used || row->due_us > now->us)
            continue;
        if (row->phase == LISTENING)
            judge(row, now);
        else if (row->phase == ASKED)
            ask_again(row, now->us);
        if (row->phase != IDLE || row->due_us > now->us)
            continue;
        if (row->asks++ == 0)
            row->coming = 0;
        row->phase = ASKED;
        row->due_us = now->us + LOST_US;
        tn_rng_bytes(rng, &row->nonce, sizeof row->nonce);
        out->nonce = row->nonce;
        out->addr = row->addr;
        return true;
    }
    return false;
}

bool tn_reach_on_answer(struct tn_reach *r, uint64_t nonce, enum tn_reach_answer answer, uint8_t sent,
                        const struct tn_now *now)
{
    struct tn_reach_row *row = by_nonce(r, nonce);

    if (!row || row->phase != ASKED)
        return false;
    if (answer == TN_REACH_NOT_OURS) {
        settle(row, TN_REACH_ELSEWHERE, SHUT_FOR_US, now);
        return true;
    }
    if (answer == TN_REACH_NO_ANSWER) {
        row->asks = 0;
        ask_again(row, now->us + RETRY_US);
        return true;
    }
    row->sent = sent;
    row->phase = LISTENING;
    row->due_us = now->us + LISTEN_US;
    if (is_open(row))
        settle(row, TN_REACH_OPEN, OPEN_FOR_US, now);
    return true;
}

bool tn_reach_on_dial(struct tn_reach *r, uint64_t nonce, uint8_t from, const struct tn_now *now)
{
    struct tn_reach_row *row = by_nonce(r, nonce);

    if (!row)
        return false;
    row->coming |= from;
    if (row->phase == LISTENING && is_open(row))
        settle(row, TN_REACH_OPEN, OPEN_FOR_US, now);
    return true;
}

bool tn_reach_take_event(struct tn_reach *r, struct tn_reach_row *out)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (!r->row[i].used || r->row[i].told)
            continue;
        r->row[i].told = true;
        *out = r->row[i];
        return true;
    }
    return false;
}

const struct tn_reach_row *tn_reach_at(const struct tn_reach *r, size_t i)
{
    for (size_t k = 0; k < TN_REACH_MAX; k++) {
        if (r->row[k].used && !i--)
            return &r->row[k];
    }
    return NULL;
}

uint8_t tn_reach_of(const struct tn_reach *r, const struct tn_addr *addr)
{
    for (size_t i = 0; i < TN_REACH_MAX; i++) {
        if (r->row[i].used && tn_addr_equal(&r->row[i].addr, addr))
            return r->row[i].verdict;
    }
    return TN_REACH_UNKNOWN;
}
