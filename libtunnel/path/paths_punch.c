/* Rounds. A round tries one candidate:
 *
 *   t0            one punch with low TTL: opens our NAT, dies before the peer's
 *   t0 + delay    three punches in full, 20 ms apart
 *   the same      PINGs at 0, 50, 100, 200, 400, 800 ms, once a session exists
 *   1 s later     the verdict
 *
 * Outbound first, since a Linux router that sees an unsolicited datagram before its
 * own host has sent one gives the host's flow another port afterwards.
 *
 * Small PINGs go to any candidate. A full-size PING goes together with the small one as
 * soon as an authentic packet came from the address: a stranger whose address somebody
 * lists gets only small packets, and two ends that punch at the same time are done
 * after one round trip and a half. A round that is answered ends at once.
 *
 * What it may cost a third party is bounded thrice: probes of a round, three silent
 * rounds and then ten minutes of silence (one, where a user allows a direct path alone), and a bucket of rounds over all addresses
 * that never answered (RFC 8445 section 19.5.1: the voice hammer). */
#include "paths_priv.h"

static const uint64_t ping_at_us[TN_PING_STEPS] = { 0,           TN_MS(50),  TN_MS(100),
                                                    TN_MS(200), TN_MS(400), TN_ROUND_LAST_PING_US };

void tn_tokens_refill(struct tn_paths *p, const struct tn_now *now)
{
    uint64_t n = (now->us - p->round_refill_us) / TN_ROUND_TOKEN_US;

    if (n == 0)
        return;
    p->round_refill_us += n * TN_ROUND_TOKEN_US;
    if (n > TN_ROUND_TOKENS_MAX - p->round_tokens)
        n = TN_ROUND_TOKENS_MAX - p->round_tokens;
    p->round_tokens += (uint32_t)n;
}

/* Addresses that have answered before cost nothing, and neither do members. */
static bool pay_for_round(struct tn_paths *p, const struct tn_probe *pr)
{
    if (pr->c.last_pong_us || tn_probe_is_member(pr))
        return true;
    if (p->round_tokens == 0)
        return false;
    p->round_tokens--;
    return true;
}

static void set_end(const struct tn_paths *p, struct tn_probe *pr)
{
    uint64_t len_us = p->session_up ? TN_ROUND_LAST_PING_US + TN_ROUND_WAIT_US
                                    : TN_ROUND_NO_SESSION_US;

    pr->row[TN_ROW_END] = pr->ping_base_us + len_us;
}

/* A user who allows a direct path alone waits for it: the silence is then shorter. */
static bool is_resting(const struct tn_paths *p, const struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t until_us = pr->c.quiet_until_us;

    if (until_us && tn_paths_mode(p) == TN_MODE_DIRECT)
        until_us -= TN_QUIET_US - TN_QUIET_DIRECT_US;
    return now->us < until_us;
}

void tn_round_begin(struct tn_paths *p, struct tn_probe *pr, bool punch, uint64_t delay_us,
                    const struct tn_now *now)
{
    if (pr->c.verdict == TN_CAND_REFUSED || (punch && is_resting(p, pr, now)))
        return;
    if (pr->round_us) {
        if (now->us < pr->ping_base_us + TN_ROUND_LAST_PING_US || !p->session_up)
            return;
        tn_round_finish(pr, pr->c.last_pong_us >= pr->round_us, now);
        if (is_resting(p, pr, now))
            return;
    }
    if (!pay_for_round(p, pr))
        return;
    if (pr->c.verdict == TN_CAND_NEW || pr->c.verdict == TN_CAND_SILENT)
        pr->c.verdict = TN_CAND_PUNCHING;
    pr->round_us = now->us;
    pr->ping_base_us = now->us + delay_us;
    pr->heard = !punch;
    pr->full_count = 0;
    pr->punch_step = punch ? 0 : TN_PUNCH_STEPS;
    pr->ping_step = 0;
    pr->row[TN_ROW_PUNCH] = punch ? now->us : TN_NEVER;
    pr->row[TN_ROW_PING] = p->session_up ? pr->ping_base_us : TN_NEVER;
    set_end(p, pr);
}

/* The session came up in the middle of a round: its PINGs begin now. */
void tn_round_session(struct tn_probe *pr, const struct tn_now *now)
{
    if (!pr->round_us)
        return;
    if (pr->ping_base_us < now->us)
        pr->ping_base_us = now->us;
    pr->ping_step = 0;
    pr->row[TN_ROW_PING] = pr->ping_base_us;
    pr->row[TN_ROW_END] = pr->ping_base_us + TN_ROUND_LAST_PING_US + TN_ROUND_WAIT_US;
}

void tn_round_finish(struct tn_probe *pr, bool answered, const struct tn_now *now)
{
    pr->round_us = 0;
    pr->punch_due = false;
    pr->row[TN_ROW_PUNCH] = TN_NEVER;
    pr->row[TN_ROW_PING] = TN_NEVER;
    pr->row[TN_ROW_END] = TN_NEVER;
    if (answered) {
        pr->c.silent_rounds = 0;
        return;
    }
    if (pr->c.verdict == TN_CAND_PUNCHING || pr->c.verdict == TN_CAND_ANSWERED_SMALL)
        pr->c.verdict = TN_CAND_SILENT;
    if (++pr->c.silent_rounds >= TN_SILENT_ROUNDS_MAX) {
        pr->c.silent_rounds = 0;
        pr->c.quiet_until_us = now->us + (tn_probe_is_member(pr) ? TN_QUIET_MEMBER_US : TN_QUIET_US);
    }
}

/* Wishes for what is still unanswered in this round, unless its answer may be on the way. */
void tn_round_ping(struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t gap_us = (uint64_t)pr->c.rtt_us * 3 / 2;

    gap_us = gap_us > TN_FULL_GAP_US ? gap_us : TN_FULL_GAP_US;
    if (pr->c.last_pong_us < pr->round_us)
        pr->small_due = true;
    if (pr->heard && !pr->size.top && !tn_probe_is_full_ok(pr, now) && pr->full_count < TN_FULL_TRIES &&
        (pr->full_us == 0 || now->us - pr->full_us >= gap_us))
        pr->full_due = true;
}

void tn_round_tick_punch(struct tn_probe *pr, const struct tn_now *now)
{
    if (pr->punch_due || !tn_deadline_take(&pr->row[TN_ROW_PUNCH], now->us))
        return;
    pr->punch_due = true;
    pr->punch_low = pr->punch_step == 0;
    pr->punch_step++;
    if (pr->punch_step >= TN_PUNCH_STEPS)
        return;
    pr->row[TN_ROW_PUNCH] = pr->punch_low ? pr->ping_base_us : now->us + TN_PUNCH_GAP_US;
}

void tn_round_tick(struct tn_probe *pr, const struct tn_now *now)
{
    tn_round_tick_punch(pr, now);
    while (tn_deadline_take(&pr->row[TN_ROW_PING], now->us)) { /* one wish, however late we are */
        tn_round_ping(pr, now);
        if (++pr->ping_step < TN_PING_STEPS)
            pr->row[TN_ROW_PING] = pr->ping_base_us + ping_at_us[pr->ping_step];
    }
    if (tn_deadline_take(&pr->row[TN_ROW_END], now->us))
        tn_round_finish(pr, pr->c.last_pong_us >= pr->round_us, now);
}

static bool is_punched(const struct tn_probe *pr)
{
    return pr->used && !tn_probe_is_member(pr);
}

/* What was silent before: there may be many such, and the last tokens are for addresses that are new. */
static bool is_stale(const struct tn_probe *pr)
{
    return pr->c.silent_rounds > 0 && !pr->c.last_pong_us;
}

void tn_paths_punch(struct tn_paths *p, uint64_t delay_us, const struct tn_now *now)
{
    if (delay_us > TN_PUNCH_DELAY_MAX_US)
        delay_us = TN_PUNCH_DELAY_MAX_US;
    tn_tokens_refill(p, now);
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        if (is_punched(&p->cand[i]) && !is_stale(&p->cand[i]))
            tn_round_begin(p, &p->cand[i], true, delay_us, now);
    for (size_t i = 0; i < TN_PATHS_CAND_MAX && p->round_tokens > TN_ROUND_TOKENS_KEPT; i++)
        if (is_punched(&p->cand[i]) && is_stale(&p->cand[i]))
            tn_round_begin(p, &p->cand[i], true, delay_us, now);
    if (!tn_paths_has_direct(p) && p->search_us == 0)
        p->search_us = now->us;
    /* The other end asked, or our CONNECT was answered: either way it is too early to ask again. */
    if (p->connect_gate_us < now->us + delay_us + TN_S(1))
        p->connect_gate_us = now->us + delay_us + TN_S(1);
    if (p->connect_us < p->connect_gate_us)
        p->connect_us = p->connect_gate_us;
    tn_paths_renew_next(p);
}
