/* PINGs and what becomes of them: heartbeats, loss, and how a lost path comes back.
 *
 * A way is *watched* while it is checked (or is the relay): a small PING starts the
 * clock TN_ROW_ANSWER. When that runs out, retries follow each 250 ms; after three
 * PINGs without an answer (five while packets still come in, since then it may be
 * plain loss) the way is lost. Only an answer to our own PING resets the count:
 * packets that come in prove one direction, not both. A sender of data to whom
 * nothing comes back asks at once instead of waiting for the next heartbeat.
 *
 * A lost way is looked at after 250 ms, 500 ms, 1 s .. 20 s, as long as its full-size
 * check is valid. An answer makes it checked again without a new full-size check; the
 * more often it was lost soon after it had been chosen, the longer it then waits
 * before it is chosen (2, 4 .. 32 s), so that a flapping link does not drag traffic
 * along with it.
 *
 * How much a way loses is told by its small PINGs. Where the relay may be better than the path in use, both are
 * asked four times a second, until it is clear which is.
 *
 * A path in use is tried in full size again each minute, and with long data more often: paths_size.c. */
#include "linkmsg.h"
#include "paths_priv.h"

bool tn_probe_is_full_ok(const struct tn_probe *pr, const struct tn_now *now)
{
    return pr->c.full_ok_us && now->us - pr->c.full_ok_us < TN_CHECK_VALID_US;
}

static bool is_watched(const struct tn_paths *p, const struct tn_probe *pr)
{
    return tn_paths_is_relay(p, pr) || pr->c.verdict == TN_CAND_CHECKED;
}

bool tn_probe_is_hushed(const struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t hush_us = 3 * (uint64_t)pr->c.rtt_us;

    if (hush_us < TN_HUSH_MIN_US)
        hush_us = TN_HUSH_MIN_US;
    if (hush_us > TN_ANSWER_MAX_US)
        hush_us = TN_ANSWER_MAX_US;
    return now->us - pr->fresh_us > hush_us;
}

static uint64_t answer_wait_us(const struct tn_paths *p, const struct tn_probe *pr)
{
    uint64_t wait_us = 2 * (uint64_t)pr->c.rtt_us;

    if (p->cfg.relay_only)
        return TN_METERED_ANSWER_US;
    if (wait_us < TN_ANSWER_MIN_US)
        return TN_ANSWER_MIN_US;
    return wait_us > TN_ANSWER_MAX_US ? TN_ANSWER_MAX_US : wait_us;
}

bool tn_probe_is_lossy(const struct tn_probe *pr)
{
    return pr->c.loss_64k >= TN_LOSS_DOUBT && pr->c.loss_samples >= TN_SCORE_SAMPLES / 2;
}

static void note_loss(struct tn_probe *pr, bool is_lost)
{
    int32_t sample = is_lost ? 65535 : 0;

    pr->c.loss_64k = (uint16_t)(pr->c.loss_64k + (sample - (int32_t)pr->c.loss_64k) / (1 << TN_LOSS_SHIFT));
    if (pr->c.loss_samples < UINT8_MAX)
        pr->c.loss_samples++;
    if (pr->c.left == TN_CAND_LOSSY && pr->c.loss_64k < TN_LOSS_CLEAN)
        pr->c.left = TN_CAND_KEPT;
}

/* Is the direct path in use to be compared with the relay? */
static bool is_compared(const struct tn_paths *p)
{
    return p->best >= 0 && tn_paths_may_relay_be_better(p, &p->cand[p->best]);
}

/* How long after a PING the next heartbeat is due; 0: none. */
static uint64_t beat_us(const struct tn_paths *p, const struct tn_probe *pr,
                        const struct tn_now *now)
{
    bool active = tn_paths_is_active(p, now);
    uint64_t lost_us;

    if (p->cfg.relay_only)
        return 0;
    if (active && p->relay_up && is_compared(p) && (tn_paths_is_relay(p, pr) || tn_paths_is_best(p, pr)))
        return TN_BEAT_COMPARE_US;
    if (tn_paths_is_relay(p, pr))
        return active && p->relay_up && p->best < 0 ? TN_BEAT_ACTIVE_US : 0;
    if (tn_paths_is_best(p, pr))
        return active ? TN_BEAT_ACTIVE_US : p->cfg.idle_beat_us;
    if (pr->c.verdict == TN_CAND_CHECKED)
        return !active ? 0 : now->us < pr->hold_us || pr->c.left ? TN_BEAT_ACTIVE_US : TN_BEAT_OTHER_US;
    if (pr->c.verdict != TN_CAND_LOST || !tn_probe_is_full_ok(pr, now))
        return 0;
    lost_us = pr->lost_tries < 7 ? TN_RETRY_US << pr->lost_tries : TN_LOST_TRY_MAX_US;
    return lost_us < TN_LOST_TRY_MAX_US ? lost_us : TN_LOST_TRY_MAX_US;
}

static void arm_beat(const struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t wait_us = p->session_up ? beat_us(p, pr, now) : 0;

    pr->row[TN_ROW_BEAT] = wait_us ? now->us + wait_us : TN_NEVER;
}

void tn_probe_metered_sent(struct tn_paths *p, const struct tn_now *now)
{
    struct tn_probe *pr = &p->relay;

    if (p->session_up && pr->row[TN_ROW_BEAT] == TN_NEVER && pr->row[TN_ROW_ANSWER] == TN_NEVER &&
        !p->relay_suspect)
        pr->row[TN_ROW_BEAT] = now->us + TN_METERED_SILENCE_US;
}

void tn_probe_wake(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t wait_us = p->session_up ? beat_us(p, pr, now) : 0;

    if (!wait_us)
        return;
    if (pr->ping_us == 0 || now->us - pr->ping_us >= wait_us ||
        now->us - pr->fresh_us > TN_STALE_US)
        pr->small_due = true; /* its sending sets the next beat */
    else if (pr->row[TN_ROW_BEAT] > pr->ping_us + wait_us)
        pr->row[TN_ROW_BEAT] = pr->ping_us + wait_us;
}

/* Without a session nothing can be asked, and silence means nothing. */
void tn_probe_silence(struct tn_probe *pr)
{
    pr->small_due = false;
    pr->full_due = false;
    tn_size_reset(pr);
    pr->missed = 0;
    pr->row[TN_ROW_PING] = TN_NEVER;
    pr->row[TN_ROW_BEAT] = TN_NEVER;
    pr->row[TN_ROW_ANSWER] = TN_NEVER;
}

void tn_probe_emit(struct tn_paths *p, struct tn_probe *pr, struct tn_rng *rng,
                   const struct tn_now *now, struct tn_path_wish *out)
{
    bool full = !pr->small_due;

    out->kind = TN_PATH_WISH_PING;
    out->full = full;
    out->size = full ? tn_size_take(p, pr, now) : TN_LINK_MIN_LEN;
    tn_rng_bytes(rng, &out->txid, sizeof out->txid);
    pr->sent[pr->sent_at].txid = out->txid;
    pr->sent[pr->sent_at].sent_us = now->us;
    pr->sent[pr->sent_at].size = out->size;
    pr->sent_at = (uint8_t)((pr->sent_at + 1) % TN_PROBE_RING);
    pr->c.out_packets++;
    pr->c.out_bytes += out->size;
    pr->c.last_out_us = now->us;
    if (full)
        return;
    pr->small_due = false;
    pr->ping_us = now->us;
    if (pr->c.verdict == TN_CAND_LOST && pr->lost_tries < UINT8_MAX)
        pr->lost_tries++;
    arm_beat(p, pr, now);
    if (tn_paths_is_best(p, pr) && !tn_paths_is_active(p, now)) /* lest both ends keep step */
        pr->row[TN_ROW_BEAT] -= tn_rng_below(rng, (uint32_t)(p->cfg.idle_beat_us / 8) + 1);
    if (is_watched(p, pr) && pr->row[TN_ROW_ANSWER] == TN_NEVER)
        pr->row[TN_ROW_ANSWER] = now->us + answer_wait_us(p, pr);
}

/* The time of the PING that this answers, and its place in the ring freed; 0: it answers none. */
static uint64_t match(struct tn_probe *pr, uint64_t txid, uint16_t size, const struct tn_now *now)
{
    for (size_t i = 0; i < TN_PROBE_RING; i++) {
        uint64_t sent_us = pr->sent[i].sent_us;

        if (!sent_us || pr->sent[i].txid != txid || pr->sent[i].size != size)
            continue;
        pr->sent[i].sent_us = 0;
        return now->us - sent_us <= TN_PONG_VALID_US ? sent_us : 0;
    }
    return 0;
}

static void note_rtt(struct tn_probe *pr, uint64_t sample_us)
{
    uint32_t s = (uint32_t)sample_us; /* at most TN_PONG_VALID_US */

    s = s ? s : 1; /* 0 means unknown */
    pr->c.rtt_us = pr->c.rtt_us ? (uint32_t)((7u * (uint64_t)pr->c.rtt_us + s) / 8) : s;
}

/* Without a relay a path in use is better kept, whatever its size, than given up. */
void tn_probe_judge(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (tn_paths_is_relay(p, pr) || tn_probe_is_full_ok(pr, now) ||
        (tn_paths_is_best(p, pr) && !p->relay_up)) {
        pr->c.verdict = TN_CAND_CHECKED;
        pr->lost_tries = 0;
        if (pr->round_us)
            tn_round_finish(pr, true, now);
        return;
    }
    pr->c.verdict = TN_CAND_ANSWERED_SMALL;
    pr->heard = true;
    if (pr->size.top)
        return; /* how much it carries is being searched */
    if (!pr->round_us)
        tn_round_begin(p, pr, false, 0, now);
    else
        tn_round_ping(pr, now);
}

/* The relay's time may be old: only answers that come while the path in use is asked as often count. */
static void compare(struct tn_paths *p, const struct tn_probe *pr, const struct tn_now *now)
{
    if (!is_compared(p))
        p->compared = 0;
    else if (!tn_paths_is_relay(p, pr))
        tn_probe_wake(p, &p->relay, now);
    else if (p->compared < UINT8_MAX)
        p->compared++;
}

bool tn_probe_pong(struct tn_paths *p, struct tn_probe *pr, uint64_t txid, uint16_t size,
                   const struct tn_now *now)
{
    uint64_t sent_us = match(pr, txid, size, now);
    bool full = size > TN_LINK_MIN_LEN;

    if (!sent_us)
        return false;
    if (!full && is_watched(p, pr))
        note_loss(pr, false);
    pr->missed = 0;
    if (!full || !p->relay_up) /* a small one that was lost still counts, beside the relay */
        pr->row[TN_ROW_ANSWER] = TN_NEVER;
    if (pr->changed_us && sent_us >= pr->changed_us) {
        pr->changed_us = 0;
        pr->fresh_us = now->us;
    }
    pr->c.last_pong_us = now->us;
    pr->c.silent_rounds = 0;
    pr->c.quiet_until_us = 0;
    if (!full || !pr->c.rtt_us)
        note_rtt(pr, now->us - sent_us);
    if (full)
        tn_size_answered(p, pr, size, now);
    tn_probe_judge(p, pr, now);
    compare(p, pr, now);
    if (pr->row[TN_ROW_BEAT] == TN_NEVER)
        arm_beat(p, pr, now);
    return true;
}

/* After a change of network what comes in may be older than the change: it waited in our socket while we slept, or
 * was on its way to the address that we had. Such a packet must not make the way look good. */
void tn_probe_doubt(struct tn_probe *pr, const struct tn_now *now)
{
    pr->fresh_us = 0;
    pr->changed_us = now->us;
}

/* It may also be the peer's first by the new way: an answer makes sure. */
static bool heard_in_doubt(struct tn_probe *pr, uint64_t asked_us)
{
    if (pr->c.verdict != TN_CAND_CHECKED || pr->small_due || asked_us < TN_DOUBT_GAP_US)
        return false;
    pr->small_due = true;
    return true;
}

bool tn_probe_heard(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    uint64_t asked_us = now->us - pr->ping_us;

    if (pr->changed_us && heard_in_doubt(pr, asked_us))
        return true;
    if (!pr->changed_us)
        pr->fresh_us = now->us;
    if (tn_paths_is_relay(p, pr) || tn_paths_is_best(p, pr))
        return false;
    if (pr->round_us) {
        if (pr->heard)
            return false;
        pr->heard = true;
        tn_round_ping(pr, now);
        return true;
    }
    switch (pr->c.verdict) {
    case TN_CAND_NEW:
    case TN_CAND_SILENT:
    case TN_CAND_ANSWERED_SMALL:
        if (now->us < pr->revive_us)
            return false;
        pr->revive_us = now->us + TN_REVIVE_US;
        tn_round_begin(p, pr, false, 0, now);
        return true;
    case TN_CAND_LOST:
        pr->small_due = pr->small_due || asked_us >= TN_RETRY_US;
        return true;
    case TN_CAND_CHECKED: /* the peer prefers this one */
        pr->small_due = pr->small_due || asked_us >= TN_BEAT_ACTIVE_US;
        return true;
    default:
        return false;
    }
}

/* In distress every other way that once was good is asked as well. */
static void ask_others(struct tn_paths *p, const struct tn_probe *not_this,
                       const struct tn_now *now)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (pr->used && pr != not_this && pr->c.verdict == TN_CAND_CHECKED &&
            now->us - pr->ping_us >= TN_RETRY_US)
            pr->small_due = true;
    }
}

/* Why were so many missed in a row? A way that lost nothing before them was dead, and is not for that one that loses
 * a part. One that did has lost some more: it is left for that, and not taken again as soon as a PING comes through. */
static void judge_misses(const struct tn_paths *p, struct tn_probe *pr)
{
    if (pr->c.left || pr->missed == 0)
        return;
    if (pr->loss_before >= TN_LOSS_CLEAN && tn_paths_relay_is_cleaner(p, pr))
        pr->c.left = TN_CAND_LOSSY;
    else
        pr->c.loss_64k = pr->loss_before;
}

void tn_probe_lose(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    bool was_best = tn_paths_is_best(p, pr);

    pr->c.verdict = TN_CAND_LOST;
    judge_misses(p, pr);
    pr->missed = 0;
    pr->lost_tries = 0;
    pr->fresh_us = 0;
    pr->row[TN_ROW_ANSWER] = TN_NEVER;
    tn_size_reset(pr);
    if (was_best) {
        pr->flaps = now->us - pr->chosen_us < TN_FLAP_US ? (uint8_t)(pr->flaps + 1) : 0;
        pr->flaps = pr->flaps > 5 ? 5 : pr->flaps;
        pr->hold_us = pr->flaps ? now->us + (TN_S(1) << pr->flaps) : 0;
        p->spare = p->best;
        p->best = -1;
        ask_others(p, pr, now);
    }
    arm_beat(p, pr, now);
    if (was_best)
        tn_paths_choose(p, now);
}

static void miss(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    bool lively = pr->fresh_us && now->us - pr->fresh_us < TN_LIVELY_US;

    if (pr->missed < UINT8_MAX)
        pr->missed++;
    if (pr->missed == 1)
        pr->loss_before = pr->c.loss_64k;
    if (pr->fresh_us && now->us - pr->fresh_us < TN_STALE_US) /* else it is dead, or a NAT has forgotten it */
        note_loss(pr, true);
    if (is_compared(p))
        tn_probe_wake(p, &p->relay, now);
    if (p->cfg.relay_only) {
        p->relay_suspect = p->relay_suspect || pr->missed >= TN_METERED_MISSES_MAX;
        pr->small_due = !p->relay_suspect;
        return;
    }
    if (tn_paths_is_relay(p, pr)) {
        p->relay_suspect = p->relay_suspect || pr->missed >= TN_MISSES_MAX;
        if (!tn_paths_is_active(p, now) || p->best >= 0)
            return;
    } else if (pr->missed >= (lively ? TN_MISSES_LIVELY_MAX : TN_MISSES_MAX)) {
        tn_probe_lose(p, pr, now);
        return;
    }
    if (tn_paths_is_best(p, pr) && pr->missed == 1)
        ask_others(p, pr, now);
    if (!tn_paths_is_relay(p, pr) || pr->missed < TN_MISSES_MAX) {
        pr->small_due = true;
        pr->row[TN_ROW_ANSWER] = now->us + TN_RETRY_US;
    }
}

/* Is the full-size check of the path in use due again? An idle one's must not run out either. */
static bool is_recheck_due(const struct tn_paths *p, const struct tn_probe *pr,
                           const struct tn_now *now)
{
    uint64_t age_us = now->us - pr->c.full_ok_us;

    return age_us >= (tn_paths_is_active(p, now) ? TN_RECHECK_US : TN_CHECK_VALID_US / 2);
}

void tn_probe_too_narrow(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (tn_paths_is_relay(p, pr) || pr->c.verdict != TN_CAND_CHECKED || !p->relay_up)
        return;
    tn_probe_lose(p, pr, now);
    pr->c.mtu = 0;
    pr->c.full_ok_us = 0;
    pr->c.verdict = TN_CAND_ANSWERED_SMALL;
    pr->row[TN_ROW_BEAT] = TN_NEVER;
    if (p->spare >= 0 && pr == &p->cand[p->spare])
        p->spare = -1;
}

void tn_probe_tick(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    tn_size_tick(p, pr, now);
    if (tn_deadline_take(&pr->row[TN_ROW_ANSWER], now->us))
        miss(p, pr, now);
    if (!tn_deadline_take(&pr->row[TN_ROW_BEAT], now->us))
        return;
    if (p->cfg.relay_only) {
        pr->small_due = true;
        return;
    }
    if (beat_us(p, pr, now) == 0)
        return;
    if (tn_paths_is_best(p, pr) && is_recheck_due(p, pr, now)) {
        pr->full_due = !pr->size.top;
    } else if (tn_paths_is_best(p, pr) && !tn_paths_is_active(p, now)) {
        uint64_t defer_us = pr->fresh_us + p->cfg.idle_beat_us + p->cfg.idle_beat_us / 4;

        /* The peer's own heartbeats keep an idle path open as well: one end's are enough. */
        if (pr->fresh_us > pr->ping_us + TN_FOREIGN_BEAT_US && defer_us > now->us) {
            pr->row[TN_ROW_BEAT] = defer_us;
            return;
        }
    }
    pr->small_due = true;
}
