/* How to reach one peer. The doors; what happens behind them is in paths_*.c, which
 * paths_priv.h lists.
 *
 * The way of a path, from the first packet on:
 *
 *   tn_paths_on_data_sent   data waits or goes by the relay; CONNECT is wanted
 *   tn_paths_offer          the peer's candidates, from CONNECT's answer or PUNCH
 *   tn_paths_punch          a round for each of them (paths_punch.c)
 *   tn_paths_poll           punches and PINGs to send
 *   tn_paths_on_authentic   something of the peer came in, and from where
 *   tn_paths_on_pong        a PING was answered the very way it went (paths_probe.c)
 *   tn_paths_route          small and full size answered: data goes direct (paths_choose.c)
 *   tn_paths_tick           heartbeats, overdue answers, loss: the relay again at once
 *
 * Only a PONG that comes from the address its PING went to, with the PING's random
 * txid, proves a path. An authentic packet from anywhere else makes that address a
 * candidate, no more: whoever sits on the way can rewrite a source address. */
#include "paths.h"

#include <string.h>

#include "linkmsg.h"
#include "paths_priv.h"

static bool is_ping_due(const struct tn_paths *p, const struct tn_probe *pr)
{
    return p->session_up && (pr->small_due || tn_size_is_due(pr));
}

static uint64_t probe_next(const struct tn_paths *p, const struct tn_probe *pr)
{
    if (pr->punch_due || is_ping_due(p, pr))
        return 0;
    return tn_deadline_earliest(pr->row, TN_PROBE_ROWS, NULL);
}

void tn_paths_renew_next(struct tn_paths *p)
{
    uint64_t next_us = p->connect_us < p->flow.due_us ? p->connect_us : p->flow.due_us;
    uint64_t us;

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        us = p->cand[i].used ? probe_next(p, &p->cand[i]) : TN_NEVER;
        next_us = us < next_us ? us : next_us;
    }
    us = p->relay_up ? probe_next(p, &p->relay) : TN_NEVER;
    p->next_us = us < next_us ? us : next_us;
}

static uint64_t idle_beat(uint64_t us)
{
    if (!us)
        return TN_BEAT_IDLE_US;
    return us < TN_BEAT_IDLE_MAX_US ? us : TN_BEAT_IDLE_MAX_US;
}

void tn_paths_init(struct tn_paths *p, const struct tn_paths_config *cfg, const struct tn_now *now)
{
    memset(p, 0, sizeof *p);
    p->cfg = *cfg;
    if (p->cfg.mtu < TN_LINK_MIN_LEN)
        p->cfg.mtu = TN_LINK_MIN_LEN;
    p->cfg.idle_beat_us = idle_beat(cfg->idle_beat_us);
    tn_probe_init(&p->relay, now);
    p->relay.c.cost_us = TN_COST_RELAY;
    p->best = -1;
    p->spare = -1;
    p->connect_us = p->flow.due_us = TN_NEVER;
    p->round_tokens = TN_ROUND_TOKENS_MAX;
    p->round_refill_us = now->us;
    tn_paths_renew_next(p);
}

void tn_paths_set_idle_beat(struct tn_paths *p, uint64_t idle_beat_us, const struct tn_now *now)
{
    uint64_t us = idle_beat(idle_beat_us);

    if (p->cfg.idle_beat_us == us)
        return;
    p->cfg.idle_beat_us = us;
    if (p->best >= 0 && p->session_up && !tn_paths_is_active(p, now))
        p->cand[p->best].row[TN_ROW_BEAT] = now->us + us;
    tn_paths_renew_next(p);
}

void tn_paths_set_relay(struct tn_paths *p, bool available, const struct tn_now *now)
{
    if (p->relay_up == available)
        return;
    p->relay_up = available;
    p->relay_suspect = false;
    p->relay.missed = 0;
    p->relay.row[TN_ROW_ANSWER] = TN_NEVER;
    tn_size_reset(&p->relay);
    if (available)
        tn_probe_wake(p, &p->relay, now);
    tn_paths_choose(p, now);
    tn_paths_renew_next(p);
}

void tn_paths_set_session(struct tn_paths *p, bool up, const struct tn_now *now)
{
    if (p->session_up == up)
        return;
    p->session_up = up;
    if (!up)
        tn_probe_silence(&p->relay);
    else
        tn_probe_wake(p, &p->relay, now);
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (!pr->used)
            continue;
        if (!up) {
            tn_probe_silence(pr);
            continue;
        }
        tn_round_session(pr, now);
        tn_probe_wake(p, pr, now);
    }
    tn_paths_renew_next(p);
}

/* What it was silent for may be over. */
static void forgive_silence(struct tn_probe *pr)
{
    pr->c.silent_rounds = 0;
    pr->c.quiet_until_us = 0;
    pr->revive_us = 0;
    if (pr->c.verdict == TN_CAND_SILENT)
        pr->c.verdict = TN_CAND_NEW;
}

void tn_paths_on_udp_back(struct tn_paths *p, const struct tn_now *now)
{
    bool by_udp = tn_paths_has_direct(p) && p->cand[p->best].c.origin != TN_CAND_TCP;

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (pr->used && pr->c.verdict != TN_CAND_REFUSED)
            forgive_silence(pr);
    }
    p->round_tokens = TN_ROUND_TOKENS_MAX;
    if (!by_udp && (p->best >= 0 || p->data_us)) {
        p->connect_forced = true;
        tn_paths_want_connect(p, true, now);
    }
    tn_paths_renew_next(p);
}

void tn_paths_on_network_change(struct tn_paths *p, const struct tn_now *now)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (!pr->used || pr->c.verdict == TN_CAND_REFUSED)
            continue;
        forgive_silence(pr);
        tn_probe_doubt(pr, now);
        pr->flaps = 0;
        pr->hold_us = 0;
        pr->lost_tries = 0;
        tn_size_reset(pr);
        if (p->session_up && pr->c.verdict == TN_CAND_CHECKED)
            pr->small_due = true;
    }
    tn_size_reset(&p->relay);
    p->round_tokens = TN_ROUND_TOKENS_MAX;
    p->connect_forced = p->best >= 0 || p->data_us;
    if (p->connect_forced)
        tn_paths_want_connect(p, true, now);
    tn_paths_renew_next(p);
}

void tn_paths_on_moved(struct tn_paths *p, bool v4, const struct tn_now *now)
{
    bool is_active = tn_paths_is_active(p, now);

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (!pr->used || tn_probe_is_member(pr) || pr->c.verdict != TN_CAND_CHECKED ||
            tn_addr_is_v4(&pr->c.addr) != v4 || tn_addr_is_private(&pr->c.addr))
            continue;
        tn_probe_doubt(pr, now);
        if (!p->session_up || !is_active)
            continue; /* is asked when data flows again */
        pr->small_due = true;
        if (tn_paths_is_best(p, pr)) {
            p->connect_forced = true;
            tn_paths_want_connect(p, true, now);
        }
    }
    tn_paths_renew_next(p);
}

/* --- events --------------------------------------------------------------------- */

static struct tn_probe *find_way(struct tn_paths *p, const struct tn_way *way)
{
    switch (way->via) {
    case TN_VIA_RELAY:
        return &p->relay;
    case TN_VIA_DIRECT:
    case TN_VIA_MEMBER: /* an overlay's address is no candidate otherwise */
        return tn_table_find(p, &way->addr);
    default:
        return NULL;
    }
}

static void count_out(struct tn_probe *pr, size_t len, const struct tn_now *now)
{
    pr->c.out_packets++;
    pr->c.out_bytes += len;
    pr->c.last_out_us = now->us;
}

/* Data begins to flow after a pause: what was left alone is looked at again. */
static void on_awake(struct tn_paths *p, const struct tn_now *now)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        if (p->cand[i].used)
            tn_probe_wake(p, &p->cand[i], now);
    tn_probe_wake(p, &p->relay, now);
    if (!tn_paths_has_direct(p)) {
        p->search_us = now->us;
        tn_paths_want_connect(p, false, now);
    }
    tn_paths_renew_next(p);
}

/* Data flows, or the peer speaks by the relay, and nothing comes in on the path in use. */
static void on_hush(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    if (!p->session_up || pr->row[TN_ROW_ANSWER] != TN_NEVER || pr->small_due ||
        now->us - pr->ping_us < TN_HUSH_MIN_US)
        return;
    pr->small_due = true;
    tn_paths_renew_next(p);
}

void tn_paths_on_data_sent(struct tn_paths *p, size_t len, const struct tn_now *now)
{
    bool was_active = tn_paths_is_active(p, now);
    struct tn_way route;
    struct tn_probe *pr;

    tn_paths_route(p, now, &route);
    pr = p->best >= 0 && route.via == tn_probe_via(&p->cand[p->best]) ? &p->cand[p->best] : find_way(p, &route);
    if (pr && len)
        count_out(pr, len, now);
    p->data_us = now->us;
    if (p->cfg.relay_only) {
        tn_probe_metered_sent(p, now);
        tn_paths_renew_next(p);
        return;
    }
    if (pr && len > TN_SIZE_FLOOR)
        tn_size_on_data(p, pr, now);
    if (!was_active)
        on_awake(p, now);
    else if (p->best >= 0 && tn_probe_is_hushed(&p->cand[p->best], now))
        on_hush(p, &p->cand[p->best], now);
    tn_flow_on_sent(p, now);
}

void tn_paths_on_other_sent(struct tn_paths *p, const struct tn_way *to, size_t len,
                            const struct tn_now *now)
{
    struct tn_probe *pr = find_way(p, to);

    if (pr)
        count_out(pr, len, now);
}

/* The relay was silent as well: the peer was away, and its paths did not flap on their own. */
static void forgive_flaps(struct tn_paths *p)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        p->cand[i].flaps = 0;
        p->cand[i].hold_us = 0;
    }
}

void tn_paths_on_authentic(struct tn_paths *p, const struct tn_way *from, size_t len,
                           const struct tn_now *now)
{
    struct tn_probe *pr = find_way(p, from);
    bool is_tcp;

    if (!pr) {
        tn_tokens_refill(p, now);
        is_tcp = from->via == TN_VIA_DIRECT && tn_addr_is_stream(&from->addr);
        if (from->via != TN_VIA_DIRECT || (!is_tcp && !tn_addr_is_probeable(&from->addr)) ||
            p->round_tokens == 0 || p->cfg.relay_only)
            return;
        pr = tn_table_add(p, &from->addr, is_tcp ? TN_CAND_TCP : TN_CAND_PEER_REFLEXIVE, now);
        if (!pr)
            return;
    }
    pr->c.in_packets++;
    pr->c.in_bytes += len;
    pr->c.last_in_us = now->us;
    tn_flow_heard(p, pr);
    tn_size_on_arrival(pr, len);
    if (tn_paths_is_relay(p, pr)) {
        pr->missed = 0;
        if (p->relay_suspect)
            forgive_flaps(p);
        p->relay_suspect = false;
        if (p->cfg.relay_only) { /* whatever it was, it answers */
            tn_probe_silence(pr);
            tn_paths_renew_next(p);
        }
    }
    if (tn_paths_is_best(p, pr) && !pr->changed_us && p->relay.fresh_us > pr->fresh_us &&
        tn_probe_is_hushed(pr, now))
        p->follow_us = now->us + TN_FOLLOW_US; /* was followed, but this path works */
    if (tn_probe_heard(p, pr, now))
        tn_paths_renew_next(p);
    if (tn_paths_is_relay(p, pr) && p->best >= 0 && tn_probe_is_hushed(&p->cand[p->best], now))
        on_hush(p, &p->cand[p->best], now);
}

bool tn_paths_on_pong(struct tn_paths *p, const struct tn_way *from, uint64_t txid, uint16_t size,
                      const struct tn_addr *observed, const struct tn_now *now)
{
    struct tn_probe *pr = find_way(p, from);

    if (!pr || !tn_probe_pong(p, pr, txid, size, now))
        return false;
    if (observed)
        pr->c.observed = *observed;
    tn_paths_choose(p, now);
    tn_paths_renew_next(p);
    return true;
}

/* What came from there was no more than a punch, so full-size PINGs wait for something authentic. */
void tn_paths_found(struct tn_paths *p, const struct tn_addr *addr, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, addr);

    if (!pr || pr->c.verdict == TN_CAND_CHECKED || pr->c.verdict == TN_CAND_REFUSED)
        return;
    if (pr->round_us)
        tn_round_finish(pr, false, now);
    pr->c.silent_rounds = 0;
    pr->c.quiet_until_us = 0;
    tn_round_begin(p, pr, false, 0, now);
    pr->heard = false;
    tn_paths_renew_next(p);
}

void tn_paths_on_send_error(struct tn_paths *p, const struct tn_addr *to, const struct tn_now *now)
{
    struct tn_probe *pr = tn_table_find(p, to);

    if (!pr)
        return;
    if (pr->round_us)
        tn_round_finish(pr, false, now);
    pr->small_due = false;
    pr->full_due = false;
    if (pr->c.verdict == TN_CAND_CHECKED)
        tn_probe_lose(p, pr, now);
    tn_paths_renew_next(p);
}

/* --- pull ----------------------------------------------------------------------- */

static void note_next_try(const struct tn_paths *p, struct tn_probe *pr)
{
    uint64_t next_us = tn_deadline_earliest(pr->row, TN_PROBE_ROWS, NULL);

    if (pr->round_us == 0)
        next_us = pr->row[TN_ROW_BEAT];
    pr->c.next_try_us = p->session_up || pr->round_us ? next_us : TN_NEVER;
}

void tn_paths_tick(struct tn_paths *p, const struct tn_now *now)
{
    tn_tokens_refill(p, now);
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (!pr->used)
            continue;
        tn_round_tick(pr, now);
        tn_probe_tick(p, pr, now);
        note_next_try(p, pr);
    }
    tn_probe_tick(p, &p->relay, now);
    note_next_try(p, &p->relay);
    tn_flow_tick(p, now);
    tn_paths_choose(p, now);
    tn_paths_renew_next(p);
}

static void emit_punch(struct tn_probe *pr, const struct tn_now *now, struct tn_path_wish *out)
{
    out->kind = TN_PATH_WISH_PUNCH;
    out->low_ttl = pr->punch_low;
    pr->punch_due = false;
    count_out(pr, 4, now);
    tn_round_tick_punch(pr, now); /* without a delay the next one is due as well */
}

bool tn_paths_poll(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now,
                   struct tn_path_wish *out)
{
    struct tn_path_wish w = { 0 };

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        struct tn_probe *pr = &p->cand[i];

        if (!pr->used || (!pr->punch_due && !is_ping_due(p, pr)))
            continue;
        w.to.via = tn_probe_via(pr);
        w.to.addr = pr->c.addr;
        if (pr->punch_due)
            emit_punch(pr, now, &w);
        else
            tn_probe_emit(p, pr, rng, now, &w);
        note_next_try(p, pr);
        tn_paths_renew_next(p);
        *out = w;
        return true;
    }
    if (!p->relay_up || !is_ping_due(p, &p->relay))
        return false;
    w.to.via = TN_VIA_RELAY;
    tn_probe_emit(p, &p->relay, rng, now, &w);
    tn_paths_renew_next(p);
    *out = w;
    return true;
}

uint64_t tn_paths_next(const struct tn_paths *p)
{
    return p->next_us;
}

/* --- look ----------------------------------------------------------------------- */

uint8_t tn_paths_via(const struct tn_paths *p)
{
    return p->state.via;
}

const struct tn_cand *tn_paths_direct(const struct tn_paths *p)
{
    return tn_paths_has_direct(p) ? &p->cand[p->best].c : NULL;
}

const struct tn_cand *tn_paths_in_use(const struct tn_paths *p)
{
    return p->best >= 0 ? &p->cand[p->best].c : NULL;
}

const struct tn_cand *tn_paths_cand(const struct tn_paths *p, size_t i)
{
    return i < TN_PATHS_CAND_MAX && p->cand[i].used ? &p->cand[i].c : NULL;
}

const struct tn_cand *tn_paths_relay(const struct tn_paths *p)
{
    return &p->relay.c;
}

bool tn_paths_relay_suspect(const struct tn_paths *p)
{
    return p->relay_up && p->relay_suspect;
}

bool tn_paths_in_distress(const struct tn_paths *p)
{
    return p->flow.broke || (p->best >= 0 && p->cand[p->best].missed > 0);
}
