/* The control session's life at the member (PROTOCOL.md section 4). This file
 * makes and remakes the session; client_req.c keeps the requests, client_out.c
 * writes datagrams, client_in.c reads them.
 *
 *            start, set_server              timeouts used up
 *   IDLE ------------------------> SHAKING ------------------> WAIT
 *     ^                            ^  |  ^                      |
 *     | stop                       |  |  +-- row ATTEMPT -------+
 *     +--- any                     |  | RESP
 *                  row RENEW, a    |  v
 *                  silent PING     READY
 *
 * `session_ok` is apart from the state: while keys are made anew the old ones
 * stay in use, so a renewal or a wrong suspicion costs nothing. A session is
 * given up only when an attempt has failed and nothing was heard during it.
 *
 * An attempt: INIT without a cookie, COOKIE, INIT with it, RESP; two round
 * trips. INIT is repeated after 300 ms, doubling to 2 s, each time with a new
 * stamp and ephemeral key, since the coordinator takes no stamp twice. Before a
 * cookie has come the families take turns. A COOKIE is not authentic: it counts
 * only while an INIT of the same client_index waits at the address it came
 * from, and two between timeouts at most, so a forger can waste our INITs at the
 * rate of his own datagrams and nothing else. */
#include "client.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "../base/deadline.h"
#include "client_priv.h"

#define INIT_FIRST_US TN_MS(300)
#define INIT_TIMEOUTS 6
#define INIT_TIMEOUTS_BEATS 3
#define COOKIES_PER_TIMEOUT 2
#define WITH_COOKIE_SUSPECT 3 /* INITs with a good cookie that were not answered: a wrong key? */
#define TIMEOUTS_TO_RESOLVE 2
#define KEEPALIVE_US TN_S(15)
#define RENEW_US TN_S(3600)
#define BACKOFF_MIN_US TN_MS(500)
#define BACKOFF_MAX_US TN_S(15)

static void silence_pings(struct tn_coord_client *c)
{
    c->beat.due_us = TN_NEVER;
    for (int family = 0; family < TN_FAMILIES; family++)
        c->ping[family].due_us = TN_NEVER;
}

int tn_coord_client_init(struct tn_coord_client *c, const struct tn_coord_client_config *cfg,
                         const uint8_t private_key[32], const uint8_t server_public[32],
                         const uint8_t rng_seed[32])
{
    struct tn_ctl_local local;
    int err = tn_ctl_local_init(&local, private_key, server_public);

    if (err)
        return err;
    memset(c, 0, sizeof(*c));
    c->local = local;
    tn_wipe(&local, sizeof(local));
    c->cfg = *cfg;
    if (!c->cfg.keepalive_us)
        c->cfg.keepalive_us = KEEPALIVE_US;
    if (!c->cfg.renew_us)
        c->cfg.renew_us = RENEW_US;
    if (!c->cfg.backoff_min_us)
        c->cfg.backoff_min_us = BACKOFF_MIN_US;
    if (!c->cfg.backoff_max_us)
        c->cfg.backoff_max_us = BACKOFF_MAX_US;
    if (c->cfg.channel_count > UINT16_MAX)
        c->cfg.channel_count = UINT16_MAX;
    if (c->cfg.channel_count)
        memset(c->cfg.channel, 0, c->cfg.channel_count * sizeof(*c->cfg.channel));
    c->stamp_ns = cfg->stamp_ns;
    tn_rng_init(&c->rng, rng_seed);
    tn_deadline_clear_all(c->row, TN_COORD_AT_ROWS);
    silence_pings(c);
    c->state = TN_COORD_IDLE;
    tn_coord_link_reset(c);
    return 0;
}

void tn_coord_client_wipe(struct tn_coord_client *c)
{
    tn_wipe(c, sizeof(*c));
}

bool tn_coord_client_is_connected(const struct tn_coord_client *c)
{
    return c->session_ok;
}

void tn_coord_drop_session(struct tn_coord_client *c)
{
    tn_wipe(&c->session, sizeof(c->session));
    c->session_ok = false;
    c->previous_index = 0;
    c->suspicious = false;
    silence_pings(c);
    c->beat.seen = false;
    c->row[TN_COORD_AT_KEEPALIVE] = TN_NEVER;
    c->row[TN_COORD_AT_RENEW] = TN_NEVER;
    c->row[TN_COORD_AT_BIND] = TN_NEVER;
    tn_coord_link_reset(c);
}

static void drop_handshake(struct tn_coord_client *c)
{
    tn_wipe(&c->ik, sizeof(c->ik));
    c->ik_live = false;
    c->want_init = false;
    c->has_cookie = false;
    c->row[TN_COORD_AT_INIT] = TN_NEVER;
    c->row[TN_COORD_AT_ATTEMPT] = TN_NEVER;
}

uint8_t tn_coord_next_family(const struct tn_coord_client *c, uint8_t family)
{
    for (uint8_t n = 1; n < TN_FAMILIES; n++) {
        uint8_t next = (uint8_t)((family + n) % TN_FAMILIES);

        if (tn_coord_has_server(c, next))
            return next;
    }
    return family;
}

void tn_coord_begin_attempt(struct tn_coord_client *c, struct tn_now now)
{
    drop_handshake(c);
    c->shake_family =
        tn_coord_has_server(c, c->home) ? c->home : tn_coord_next_family(c, c->home);
    if (c->running && c->shake_family != TN_FAMILY_STREAM)
        tn_coord_stream_doubt(c, now);
    if (!c->running || !tn_coord_has_server(c, c->shake_family)) {
        c->state = TN_COORD_IDLE;
        return;
    }
    c->client_index = tn_rng_u32(&c->rng);
    c->timeouts = 0;
    c->cookies_taken = 0;
    c->with_cookie = 0;
    c->flipped = false;
    c->attempt_us = now.us;
    c->want_init = true;
    c->state = TN_COORD_SHAKING;
}

static void attempt_failed(struct tn_coord_client *c, struct tn_now now)
{
    bool bad_key = c->with_cookie >= WITH_COOKIE_SUSPECT;
    uint64_t wait = c->cfg.backoff_min_us;

    drop_handshake(c);
    c->attempts_failed++;
    for (uint32_t n = 1; n < c->attempts_failed && wait < c->cfg.backoff_max_us; n++)
        wait *= 2;
    if (wait > c->cfg.backoff_max_us)
        wait = c->cfg.backoff_max_us;
    wait = wait / 2 + wait / 2 * tn_rng_below(&c->rng, 1001) / 1000;
    c->row[TN_COORD_AT_ATTEMPT] = now.us + wait;
    c->state = TN_COORD_WAIT;
    if (c->session_ok && c->heard_us >= c->attempt_us)
        return; /* the old keys still serve; only the renewal has to be tried again */
    tn_coord_drop_session(c);
    tn_coord_event(c, TN_COORD_EV_DISCONNECTED)->reason =
        bad_key ? TN_COORD_BAD_KEY : TN_COORD_NO_ANSWER;
    tn_coord_fail_requests(c);
    tn_coord_event(c, TN_COORD_EV_RESOLVE)->status = TN_STATUS_NO_ANSWER;
    c->home = tn_coord_next_family(c, c->home); /* another one begins the next attempt */
}

static void init_timed_out(struct tn_coord_client *c, struct tn_now now)
{
    if (++c->timeouts >= (tn_coord_beats(c) ? INIT_TIMEOUTS_BEATS : INIT_TIMEOUTS)) {
        attempt_failed(c, now);
        return;
    }
    if (c->timeouts == TIMEOUTS_TO_RESOLVE && !c->has_cookie)
        tn_coord_event(c, TN_COORD_EV_RESOLVE);
    c->cookies_taken = 0;
    if (!c->has_cookie)
        c->shake_family = tn_coord_next_family(c, c->shake_family);
    c->want_init = true;
}

int tn_coord_on_cookie(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                       size_t len)
{
    if (len != TN_CTL_COOKIE_LEN || data[2] || data[3])
        return TN_EINVAL;
    if (c->state != TN_COORD_SHAKING || !c->ik_live || c->want_init ||
        tn_get_be32(data + 4) != c->client_index ||
        !tn_addr_equal(src, &c->server[c->shake_family]))
        return TN_EINVAL;
    if (c->cookies_taken >= COOKIES_PER_TIMEOUT)
        return TN_ELIMIT;
    c->cookies_taken++;
    memcpy(c->cookie, data + 8, TN_CTL_COOKIE_VALUE_LEN);
    c->has_cookie = true;
    c->want_init = true;
    return 0;
}

static void connected(struct tn_coord_client *c, const struct tn_addr *src,
                      const struct tn_addr *observed, uint64_t unix_s, struct tn_now now)
{
    struct tn_coord_event *e;

    tn_coord_move_home(c, tn_addr_family(src), now);
    c->state = TN_COORD_READY;
    c->attempts_failed = 0;
    c->suspicious = false;
    c->heard_us = now.us;
    if (!c->session_ok)
        c->keepalive_us = c->cfg.keepalive_us;
    c->session_ok = true;
    silence_pings(c);
    c->row[TN_COORD_AT_RENEW] = now.us + c->cfg.renew_us;
    c->row[TN_COORD_AT_KEEPALIVE] = now.us; /* tells our round-trip time; shows us the other family */
    e = tn_coord_event(c, TN_COORD_EV_CONNECTED);
    e->addr = *observed;
    e->unix_s = unix_s;
    tn_coord_saw_rtt(c, now.us - c->init_sent_us);
    tn_coord_saw_observed(c, observed);
    tn_coord_link_reset(c);
    tn_coord_requeue(c, now);
    tn_coord_stream_heard(c, c->home, now);
    tn_coord_client_tick(c, now); /* so that the first PING can be polled at once */
}

int tn_coord_on_resp(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                     size_t len, struct tn_now now)
{
    struct tn_ctl_session made;
    struct tn_addr observed;
    uint64_t unix_s;
    int err;

    if (len != TN_CTL_RESP_LEN || c->state != TN_COORD_SHAKING || !c->ik_live)
        return TN_EINVAL;
    err = tn_ctl_consume_resp(&c->ik, &c->local, c->client_index, data, &made, &observed, &unix_s);
    if (err)
        return err;
    drop_handshake(c);
    c->previous_index = c->session_ok ? c->session.local_index : made.local_index;
    c->session = made;
    c->lost.own_index = made.local_index;
    c->lost.is_paid = false;
    tn_wipe(&made, sizeof(made));
    connected(c, src, &observed, unix_s, now);
    return 0;
}

int tn_coord_client_set_key(struct tn_coord_client *c, const uint8_t private_key[32],
                            struct tn_now now)
{
    uint8_t server_public[32];
    int err;

    memcpy(server_public, c->local.server_public, 32);
    err = tn_ctl_local_init(&c->local, private_key, server_public);
    if (err)
        return err;
    if (c->running) {
        tn_coord_drop_session(c);
        tn_coord_begin_attempt(c, now);
    }
    return 0;
}

void tn_coord_client_set_server(struct tn_coord_client *c, const struct tn_addr *v4,
                                const struct tn_addr *v6, struct tn_now now)
{
    if (tn_addr_equal(v4, &c->server[0]) && tn_addr_equal(v6, &c->server[1]))
        return;
    c->server[0] = *v4;
    c->server[1] = *v6;
    silence_pings(c);
    if (!tn_coord_has_server(c, c->home))
        c->home = tn_coord_next_family(c, c->home);
    if (!tn_coord_has_server(c, c->home) && c->session_ok) {
        tn_coord_drop_session(c);
        tn_coord_event(c, TN_COORD_EV_DISCONNECTED)->reason = TN_COORD_NO_ANSWER;
        tn_coord_fail_requests(c);
    }
    if (c->running)
        tn_coord_begin_attempt(c, now);
}

void tn_coord_client_start(struct tn_coord_client *c, struct tn_now now)
{
    if (c->running)
        return;
    c->running = true;
    c->attempts_failed = 0;
    tn_coord_begin_attempt(c, now);
}

void tn_coord_client_stop(struct tn_coord_client *c)
{
    if (!c->running)
        return;
    c->running = false;
    c->wants_stream = false;
    c->row[TN_COORD_AT_STREAM] = TN_NEVER;
    drop_handshake(c);
    tn_coord_drop_session(c);
    c->state = TN_COORD_IDLE;
    tn_coord_event(c, TN_COORD_EV_DISCONNECTED)->reason = TN_COORD_STOPPED;
    tn_coord_fail_requests(c);
}

void tn_coord_client_suspect(struct tn_coord_client *c, struct tn_now now)
{
    if (c->state == TN_COORD_WAIT) {
        c->attempts_failed = 0;
        tn_coord_begin_attempt(c, now);
    }
    if (!c->session_ok || c->suspicious)
        return;
    c->suspicious = true;
    if (tn_coord_beats(c)) {
        tn_coord_begin_beat(c, now);
        return;
    }
    if (c->home != TN_FAMILY_STREAM)
        tn_coord_stream_doubt(c, now);
    for (uint8_t family = 0; family < TN_FAMILIES; family++) {
        if (!tn_coord_has_server(c, family))
            continue;
        c->ping[family].tries = 0;
        c->ping[family].due_us = now.us;
    }
}

void tn_coord_client_on_unreachable(struct tn_coord_client *c, const struct tn_addr *dst,
                                    struct tn_now now)
{
    uint8_t family = tn_addr_family(dst), other = tn_coord_next_family(c, family);

    if (!tn_addr_equal(dst, &c->server[family]))
        return;
    if (c->state == TN_COORD_SHAKING) {
        /* once in an attempt, so that two dead families do not spin */
        if (c->shake_family == family && other != family && !c->flipped) {
            c->flipped = true;
            c->shake_family = other;
            c->has_cookie = false;
            c->want_init = true;
        }
        return;
    }
    if (family == c->home)
        tn_coord_client_suspect(c, now);
}

/* Another family that was heard of lately; `family` itself where there is none. */
static uint8_t lively_family(const struct tn_coord_client *c, uint8_t family, struct tn_now now)
{
    uint64_t lately = now.us > TN_S(5) ? now.us - TN_S(5) : 0;

    for (uint8_t n = 1; n < TN_FAMILIES; n++) {
        uint8_t other = (uint8_t)((family + n) % TN_FAMILIES);

        if (tn_coord_has_server(c, other) && c->ping[other].heard_us > lately)
            return other;
    }
    return family;
}

/* No answer to the PINGs of a family. Another one may still be well. */
static void ping_lost(struct tn_coord_client *c, uint8_t family, struct tn_now now)
{
    uint8_t other = lively_family(c, family, now);

    c->ping[family].due_us = TN_NEVER;
    if (family == TN_FAMILY_STREAM)
        tn_coord_stream_lost(c);
    if (family != c->home)
        return;
    c->suspicious = false;
    if (other != family)
        tn_coord_move_home(c, other, now);
    else if (c->state != TN_COORD_SHAKING)
        tn_coord_begin_attempt(c, now);
}

/* On a stream UDP is looked for more often. */
static uint64_t beat_us(const struct tn_coord_client *c)
{
    bool often = c->home == TN_FAMILY_STREAM && c->keepalive_us > TN_COORD_STREAM_BEAT_US;

    return often ? TN_COORD_STREAM_BEAT_US : c->keepalive_us;
}

static void begin_pings(struct tn_coord_client *c, struct tn_now now)
{
    if (tn_coord_beats(c)) {
        tn_coord_begin_beat(c, now);
        return;
    }
    for (uint8_t family = 0; family < TN_FAMILIES; family++) {
        struct tn_coord_ping *p = &c->ping[family];

        if (!tn_coord_has_server(c, family) || p->due_us != TN_NEVER)
            continue;
        p->tries = 0;
        p->due_us = now.us;
    }
}

void tn_coord_client_tick(struct tn_coord_client *c, struct tn_now now)
{
    if (tn_deadline_take(&c->row[TN_COORD_AT_ATTEMPT], now.us))
        tn_coord_begin_attempt(c, now);
    if (tn_deadline_take(&c->row[TN_COORD_AT_INIT], now.us))
        init_timed_out(c, now);
    tn_coord_stream_due(c, now);
    if (!c->session_ok)
        return;
    if (tn_deadline_take(&c->row[TN_COORD_AT_RENEW], now.us) && c->state == TN_COORD_READY)
        tn_coord_begin_attempt(c, now);
    if (tn_deadline_take(&c->row[TN_COORD_AT_KEEPALIVE], now.us)) {
        c->row[TN_COORD_AT_KEEPALIVE] = now.us + beat_us(c);
        begin_pings(c, now);
    }
    for (uint8_t family = 0; family < TN_FAMILIES; family++) {
        const struct tn_coord_ping *p = &c->ping[family];

        if (tn_coord_ping_due(c, family) <= now.us && p->tries >= tn_coord_ping_limit(c, family))
            ping_lost(c, family, now);
    }
    if (tn_coord_beat_is_lost(c, now)) {
        c->beat.due_us = TN_NEVER;
        c->suspicious = false;
        if (c->state != TN_COORD_SHAKING)
            tn_coord_begin_attempt(c, now);
    }
    tn_coord_expire_requests(c, now);
}

/* A request that is due, or will be. */
static uint64_t earliest_request(const struct tn_coord_client *c)
{
    uint64_t at = c->publish.type ? c->publish.due_us : TN_NEVER;

    if (c->announce.type && c->announce.due_us < at)
        at = c->announce.due_us;
    for (size_t i = 0; i < TN_COORD_REQUESTS; i++) {
        const struct tn_coord_request *q = &c->request[i];

        if (q->type && !q->failed && q->due_us < at)
            at = q->due_us;
    }
    return at;
}

uint64_t tn_coord_client_next_deadline(const struct tn_coord_client *c, const char **name)
{
    static const char *const names[] = {
        [TN_COORD_AT_INIT] = "coord init",           [TN_COORD_AT_ATTEMPT] = "coord attempt",
        [TN_COORD_AT_KEEPALIVE] = "coord keepalive", [TN_COORD_AT_RENEW] = "coord renew",
        [TN_COORD_AT_BIND] = "coord bind",           [TN_COORD_AT_STREAM] = "coord stream",
    };
    size_t which = TN_COORD_AT_INIT;
    uint64_t at = tn_deadline_earliest(c->row, TN_COORD_AT_ROWS, &which);
    const char *found = names[which];
    uint64_t request = c->session_ok ? earliest_request(c) : TN_NEVER;

    if (request < at) {
        at = request;
        found = "coord request";
    }
    if (c->session_ok && tn_coord_link_due(c) < at) {
        at = tn_coord_link_due(c);
        found = "coord link";
    }
    for (uint8_t family = 0; family < TN_FAMILIES; family++) {
        if (tn_coord_ping_due(c, family) < at) {
            at = tn_coord_ping_due(c, family);
            found = "coord ping";
        }
    }
    if (c->beat.due_us < at) {
        at = c->beat.due_us;
        found = "coord beat";
    }
    if (name)
        *name = found;
    return at;
}
