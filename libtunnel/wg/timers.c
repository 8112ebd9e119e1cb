/* The five timers of a WireGuard peer.
 *
 *   RETRANSMIT     set by each initiation to 5 s + jitter; ended by the session.
 *                  18 initiations without an answer (90 s) are given up.
 *   KEEPALIVE      set by data received, to 10 s; ended by anything we send.
 *   NEW_HANDSHAKE  set by data sent, to 15 s + jitter; ended by anything that
 *                  arrives: the peer may have forgotten the session.
 *   ZERO_KEYS      set by each new session to 540 s: then all secrets go.
 *   PERSISTENT     set by anything sent or received to the configured interval.
 *
 * (paper, 6.1 to 6.5.) The jitter keeps two ends that lost each other at the
 * same moment from beginning at the same moment for ever. */
#include "timers.h"

#define HURRY_US TN_S(1)
#define ZERO_KEYS_US (3 * TN_WG_REJECT_AFTER_TIME_US)

void tn_timers_init(struct tn_timers *t)
{
    t->persistent_s = 0;
    tn_timers_stop(t);
}

void tn_timers_stop(struct tn_timers *t)
{
    tn_deadline_clear_all(t->row, TN_TIMER_COUNT);
    t->last_initiation_us = TN_NEVER;
    t->attempts = 0;
    t->need_another_keepalive = false;
}

void tn_timers_set_persistent(struct tn_timers *t, uint32_t seconds, uint64_t now_us)
{
    uint64_t *row = &t->row[TN_TIMER_PERSISTENT];
    bool was_on = t->persistent_s != 0;

    t->persistent_s = seconds;
    if (seconds == 0)
        *row = TN_NEVER;
    else if (!was_on)
        *row = now_us;
    else if (*row > now_us + TN_S(seconds))
        *row = now_us + TN_S(seconds);
}

static uint64_t jitter_us(struct tn_rng *rng)
{
    return tn_rng_below(rng, (uint32_t)TN_WG_REKEY_JITTER_MAX_US + 1);
}

static bool initiation_is_due(const struct tn_timers *t, uint64_t now_us)
{
    return t->last_initiation_us == TN_NEVER ||
           now_us >= t->last_initiation_us + TN_WG_REKEY_TIMEOUT_US;
}

bool tn_timers_may_initiate(struct tn_timers *t, uint64_t now_us)
{
    t->attempts = 0;
    return initiation_is_due(t, now_us);
}

void tn_timers_hurry(struct tn_timers *t, uint64_t now_us)
{
    uint64_t *row = &t->row[TN_TIMER_RETRANSMIT];
    uint64_t at_us = now_us;

    if (t->last_initiation_us != TN_NEVER && t->last_initiation_us + HURRY_US > at_us)
        at_us = t->last_initiation_us + HURRY_US;
    if (at_us < *row)
        *row = at_us;
    t->attempts = 0;
}

bool tn_timers_is_shaking(const struct tn_timers *t)
{
    return t->row[TN_TIMER_RETRANSMIT] != TN_NEVER;
}

void tn_timers_data_sent(struct tn_timers *t, struct tn_rng *rng, uint64_t now_us)
{
    uint64_t *row = &t->row[TN_TIMER_NEW_HANDSHAKE];

    if (*row == TN_NEVER)
        *row = now_us + TN_WG_KEEPALIVE_TIMEOUT_US + TN_WG_REKEY_TIMEOUT_US + jitter_us(rng);
}

void tn_timers_data_received(struct tn_timers *t, uint64_t now_us)
{
    uint64_t *row = &t->row[TN_TIMER_KEEPALIVE];

    if (*row == TN_NEVER)
        *row = now_us + TN_WG_KEEPALIVE_TIMEOUT_US;
    else
        t->need_another_keepalive = true;
}

void tn_timers_any_authenticated_sent(struct tn_timers *t)
{
    t->row[TN_TIMER_KEEPALIVE] = TN_NEVER;
}

void tn_timers_any_authenticated_received(struct tn_timers *t)
{
    t->row[TN_TIMER_NEW_HANDSHAKE] = TN_NEVER;
}

void tn_timers_any_authenticated_traversal(struct tn_timers *t, uint64_t now_us)
{
    if (t->persistent_s != 0)
        t->row[TN_TIMER_PERSISTENT] = now_us + TN_S(t->persistent_s);
}

void tn_timers_handshake_initiated(struct tn_timers *t, struct tn_rng *rng, uint64_t now_us)
{
    t->last_initiation_us = now_us;
    t->row[TN_TIMER_RETRANSMIT] = now_us + TN_WG_REKEY_TIMEOUT_US + jitter_us(rng);
}

void tn_timers_handshake_complete(struct tn_timers *t)
{
    t->row[TN_TIMER_RETRANSMIT] = TN_NEVER;
    t->attempts = 0;
}

void tn_timers_session_derived(struct tn_timers *t, uint64_t now_us)
{
    t->row[TN_TIMER_ZERO_KEYS] = now_us + ZERO_KEYS_US;
}

static unsigned retransmit(struct tn_timers *t, uint64_t now_us)
{
    if (t->attempts + 1 < TN_WG_MAX_ATTEMPTS) {
        t->attempts++;
        return TN_WISH_INITIATION;
    }
    t->row[TN_TIMER_KEEPALIVE] = TN_NEVER;
    if (t->row[TN_TIMER_ZERO_KEYS] == TN_NEVER)
        t->row[TN_TIMER_ZERO_KEYS] = now_us + ZERO_KEYS_US;
    return TN_WISH_GIVE_UP;
}

unsigned tn_timers_expire(struct tn_timers *t, uint64_t now_us)
{
    unsigned wishes = 0;

    if (tn_deadline_take(&t->row[TN_TIMER_RETRANSMIT], now_us))
        wishes |= retransmit(t, now_us);
    if (tn_deadline_take(&t->row[TN_TIMER_KEEPALIVE], now_us)) {
        wishes |= TN_WISH_KEEPALIVE;
        if (t->need_another_keepalive) {
            t->need_another_keepalive = false;
            t->row[TN_TIMER_KEEPALIVE] = now_us + TN_WG_KEEPALIVE_TIMEOUT_US;
        }
    }
    if (tn_deadline_take(&t->row[TN_TIMER_NEW_HANDSHAKE], now_us) &&
        tn_timers_may_initiate(t, now_us))
        wishes |= TN_WISH_INITIATION;
    if (tn_deadline_take(&t->row[TN_TIMER_ZERO_KEYS], now_us))
        wishes |= TN_WISH_ZERO_KEYS;
    if (tn_deadline_take(&t->row[TN_TIMER_PERSISTENT], now_us)) {
        wishes |= TN_WISH_KEEPALIVE;
        /* Sending it sets the row again; where it cannot be sent, the next try is still due. */
        tn_timers_any_authenticated_traversal(t, now_us);
    }
    return wishes;
}

uint64_t tn_timers_next(const struct tn_timers *t, size_t *which)
{
    return tn_deadline_earliest(t->row, TN_TIMER_COUNT, which);
}
