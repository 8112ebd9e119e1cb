/* Which way data takes, and when the coordinator is asked for help.
 *
 * The lowest score wins: round-trip time, loss, and what the way costs (score.h). So members of one LAN
 * use a private address, also where their router would turn their packets around, and the relay is used
 * only where a direct path is worse by far. A change between two that work needs a gain of 2 ms or a
 * tenth, whichever is more, measured just now on both.
 *
 * The relay is not measured much while a direct path is in use. Where it might be better, by what is
 * known, both are asked four times a second, until they are *compared*: the relay's own time grows as well
 * where it is only our link that is full. A path that was left for the relay, for its loss or for its
 * time, is asked each second, and taken again when it has been clean for some time, or is quicker.
 *
 * The path in use (`best`) stays in use while it is idle, but a *stale* one (nothing
 * authentic for 4 s) is not believed: data takes the relay for the one round trip
 * that the PING needs. Nor is one *in doubt*, which is silent, and has missed a PING or
 * the peer speaks by the relay meanwhile: TCP has to find a way before its pauses grow.
 * Without a relay it is used all the same, and so is, for ten minutes, a lost one
 * (`spare`): there is nothing to lose. Nothing that was never checked is ever used.
 *
 * A user may forbid the direct ones, or all others (tn_path_mode). Without the relay, a direct path is judged as where there is none.
 *
 * CONNECT is wanted while data flows and there is no direct path: at once, then after
 * 1, 2, 4 .. 60 s, each longer or shorter by up to a quarter. */
#include <string.h>

#include "paths_priv.h"

bool tn_paths_is_active(const struct tn_paths *p, const struct tn_now *now)
{
    return p->data_us && now->us - p->data_us < TN_ACTIVE_US;
}

static bool is_better(const struct tn_probe *pr, const struct tn_probe *than)
{
    return tn_score_beats(tn_score_us(&pr->c), tn_score_us(&than->c));
}

/* Is there a relay to fall back to? */
static bool has_relay(const struct tn_paths *p)
{
    return p->relay_up && p->mode != TN_MODE_DIRECT;
}

/* A path may be left for a relay of which little was known then. */
static bool is_relay_as_lossy(const struct tn_paths *p, const struct tn_probe *pr)
{
    return p->relay.c.loss_samples >= TN_SCORE_SAMPLES / 2 && p->relay.c.loss_64k > pr->c.loss_64k / 2;
}

/* Is it, having been left for the relay, still worse? A suspect relay is no better than anything. */
static bool is_left(const struct tn_paths *p, const struct tn_probe *pr)
{
    if (pr->c.left == TN_CAND_KEPT || !has_relay(p))
        return false;
    if (pr->c.left == TN_CAND_LOSSY)
        return !is_relay_as_lossy(p, pr);
    return !p->relay_suspect && !is_better(pr, &p->relay);
}

/* Through a member only where that is better than the coordinator's relay, as far as its time is known. */
static bool is_worth_it(const struct tn_paths *p, const struct tn_probe *pr)
{
    return !tn_probe_is_member(pr) || !has_relay(p) || p->relay_suspect || is_better(pr, &p->relay);
}

/* May data take this kind of way at all? */
static bool is_allowed(const struct tn_paths *p, const struct tn_probe *pr)
{
    return p->mode == TN_MODE_AUTO || (p->mode == TN_MODE_RELAY) == tn_probe_is_member(pr);
}

/* May it be chosen at this moment? */
static bool is_eligible(const struct tn_paths *p, const struct tn_probe *pr,
                        const struct tn_now *now)
{
    if (!pr->used || pr->c.verdict != TN_CAND_CHECKED || pr->missed > 0 || !is_allowed(p, pr))
        return false;
    if (is_left(p, pr) || !is_worth_it(p, pr))
        return false;
    if (!pr->c.last_pong_us || now->us - pr->c.last_pong_us > TN_STALE_US)
        return false;
    return !has_relay(p) || (now->us >= pr->hold_us && pr->c.rtt_us <= TN_RTT_USABLE_MAX_US);
}

static int find_fastest(const struct tn_paths *p, const struct tn_now *now)
{
    int found = -1;

    for (int i = 0; i < TN_PATHS_CAND_MAX; i++) {
        if (!is_eligible(p, &p->cand[i], now))
            continue;
        if (found < 0 || tn_score_us(&p->cand[i].c) < tn_score_us(&p->cand[found].c))
            found = i;
    }
    return found;
}

static void take_best(struct tn_paths *p, int i, const struct tn_now *now)
{
    struct tn_probe *pr = &p->cand[i];

    p->best = i;
    p->spare = -1;
    p->compared = 0;
    pr->c.left = TN_CAND_KEPT;
    pr->chosen_us = now->us;
    pr->full_count = 0;
    if (!tn_probe_is_member(pr)) {
        p->connect_tries = 0;
        p->connect_forced = false;
        p->connect_us = TN_NEVER;
    }
    tn_probe_wake(p, pr, now);
    if (pr->row[TN_ROW_BEAT] == TN_NEVER && p->session_up)
        pr->row[TN_ROW_BEAT] = now->us + p->cfg.idle_beat_us;
}

/* After the path in use was lost: what else there is, or the relay and a new search. */
static void leave_direct(struct tn_paths *p, const struct tn_now *now)
{
    p->search_us = now->us;
    if (!tn_paths_is_active(p, now))
        return;
    tn_paths_want_connect(p, true, now);
    tn_probe_wake(p, &p->relay, now);
}

static void set_state(struct tn_paths *p, const struct tn_now *now)
{
    struct tn_path_event e = { 0 };

    if (p->best >= 0) {
        e.via = tn_probe_via(&p->cand[p->best]);
        e.addr = p->cand[p->best].c.addr;
    } else {
        e.via = has_relay(p) ? TN_VIA_RELAY : TN_VIA_NONE;
    }
    p->state.mtu = e.mtu = tn_size_limit(p, p->best >= 0 ? &p->cand[p->best] : &p->relay);
    if (e.via == p->state.via && tn_addr_equal(&e.addr, &p->state.addr))
        return;
    e.at_us = now->us;
    if (e.via == TN_VIA_DIRECT) {
        e.search_us = p->search_us ? now->us - p->search_us : 0;
        p->search_us = 0;
    }
    p->state = e;
}

bool tn_paths_relay_is_cleaner(const struct tn_paths *p, const struct tn_probe *pr)
{
    return has_relay(p) && !p->relay_suspect && p->relay.missed == 0 &&
           p->relay.c.loss_64k <= pr->c.loss_64k / 4 && p->relay.c.rtt_us <= TN_RTT_USABLE_MAX_US;
}

/* By what is known, which of the relay may be old. */
bool tn_paths_may_relay_be_better(const struct tn_paths *p, const struct tn_probe *pr)
{
    uint32_t relay_us = p->relay.c.rtt_us + p->relay.c.cost_us;

    return has_relay(p) && (tn_probe_is_lossy(pr) || tn_score_beats(relay_us, tn_score_us(&pr->c)));
}

static bool is_slower_than_relay(const struct tn_paths *p, const struct tn_probe *pr)
{
    return tn_score_beats(tn_score_us(&p->relay.c), tn_score_clean_us(&pr->c));
}

/* Loss is seldom known well: the relay must lose a quarter of it at most, where that is what makes the difference. */
static bool is_worse_than_relay(const struct tn_paths *p, const struct tn_probe *pr)
{
    return has_relay(p) && !p->relay_suspect && p->relay.missed == 0 && p->compared >= TN_COMPARED &&
           p->relay.c.loss_samples >= TN_SCORE_SAMPLES && pr->c.loss_samples >= TN_SCORE_SAMPLES &&
           p->relay.c.rtt_us <= TN_RTT_USABLE_MAX_US && is_better(&p->relay, pr) &&
           (is_slower_than_relay(p, pr) || tn_paths_relay_is_cleaner(p, pr));
}

/* It stays checked, and is asked each second whether it has become better. */
static void leave_for_relay(struct tn_paths *p, const struct tn_now *now)
{
    struct tn_probe *pr = &p->cand[p->best];

    pr->c.left = is_slower_than_relay(p, pr) ? TN_CAND_SLOW : TN_CAND_LOSSY;
    p->best = -1;
    p->compared = 0;
    tn_probe_wake(p, pr, now);
}

void tn_paths_choose(struct tn_paths *p, const struct tn_now *now)
{
    bool was_direct = p->state.via == TN_VIA_DIRECT;
    const struct tn_probe *best;
    int i;

    if (p->best >= 0 && is_worse_than_relay(p, &p->cand[p->best]))
        leave_for_relay(p, now);
    best = p->best >= 0 ? &p->cand[p->best] : NULL;
    i = find_fastest(p, now);

    if (best && best->c.verdict != TN_CAND_CHECKED) {
        p->best = -1;
        best = NULL;
    }
    if (i >= 0 && i != p->best) {
        const struct tn_probe *pr = &p->cand[i];

        if (!best || is_better(pr, best) ||
            (best->missed > 0 && pr->c.last_pong_us > best->c.last_pong_us))
            take_best(p, i, now);
    }
    if (was_direct && !tn_paths_has_direct(p))
        leave_direct(p, now);
    set_state(p, now);
}

bool tn_paths_take_event(struct tn_paths *p, struct tn_path_event *out)
{
    bool moved = p->told_via != p->state.via || !tn_addr_equal(&p->told_addr, &p->state.addr);

    if (!moved && p->told_mtu == p->state.mtu)
        return false;
    p->told_via = p->state.via;
    p->told_addr = p->state.addr;
    p->told_mtu = p->state.mtu;
    *out = p->state;
    out->moved = moved;
    return true;
}

static bool is_in_doubt(const struct tn_paths *p, const struct tn_probe *pr, const struct tn_now *now)
{
    if (now->us - pr->fresh_us > TN_STALE_US)
        return true;
    if (pr->missed > 0 && now->us - pr->fresh_us > TN_HUSH_MIN_US)
        return true;
    return tn_probe_is_hushed(pr, now) && p->relay.fresh_us > pr->fresh_us && now->us >= p->follow_us;
}

void tn_paths_route(const struct tn_paths *p, const struct tn_now *now, struct tn_way *out)
{
    int direct = p->best;

    memset(out, 0, sizeof *out);
    if (direct >= 0) {
        if (has_relay(p) && !p->relay_suspect && is_in_doubt(p, &p->cand[direct], now))
            direct = -1;
    } else if (!has_relay(p) && p->spare >= 0 && tn_probe_is_full_ok(&p->cand[p->spare], now)) {
        direct = p->spare;
    }
    out->mtu = tn_size_limit(p, direct >= 0 ? &p->cand[direct] : &p->relay);
    if (direct >= 0) {
        out->via = tn_probe_via(&p->cand[direct]);
        out->addr = p->cand[direct].c.addr;
    } else if (p->relay_up) {
        out->via = TN_VIA_RELAY;
    }
}

void tn_paths_set_mode(struct tn_paths *p, uint8_t mode, const struct tn_now *now)
{
    if (p->mode == mode)
        return;
    p->mode = mode;
    if (p->best >= 0 && !is_allowed(p, &p->cand[p->best]))
        p->best = -1;
    if (p->spare >= 0 && !is_allowed(p, &p->cand[p->spare]))
        p->spare = -1;
    if (mode == TN_MODE_RELAY) {
        p->connect_forced = false;
        tn_probe_wake(p, &p->relay, now);
    }
    tn_paths_choose(p, now);
    if (!tn_paths_has_direct(p) && tn_paths_is_active(p, now))
        leave_direct(p, now);
    tn_paths_renew_next(p);
}

static bool is_connect_wanted(const struct tn_paths *p, const struct tn_now *now)
{
    if (p->mode == TN_MODE_RELAY)
        return false;
    if (p->connect_forced)
        return true;
    return !tn_paths_has_direct(p) && p->data_us && now->us - p->data_us < TN_CONNECT_ACTIVE_US;
}

void tn_paths_want_connect(struct tn_paths *p, bool at_once, const struct tn_now *now)
{
    if (p->cfg.relay_only || p->mode == TN_MODE_RELAY)
        return;
    if (at_once) {
        p->connect_tries = 0;
        p->connect_gate_us = now->us;
    }
    p->connect_us = p->connect_gate_us > now->us ? p->connect_gate_us : now->us;
}

bool tn_paths_take_connect(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now)
{
    uint64_t wait_us;

    if (!tn_deadline_take(&p->connect_us, now->us))
        return false;
    if (!is_connect_wanted(p, now)) {
        tn_paths_renew_next(p);
        return false;
    }
    p->connect_forced = false;
    wait_us = p->connect_tries < 6 ? TN_S(1) << p->connect_tries : TN_CONNECT_MAX_US;
    if (p->connect_tries < UINT8_MAX)
        p->connect_tries++;
    p->connect_gate_us = now->us + wait_us - wait_us / 4 +
                         tn_rng_below(rng, (uint32_t)(wait_us / 2) + 1);
    p->connect_us = p->connect_gate_us;
    tn_paths_renew_next(p);
    return true;
}
