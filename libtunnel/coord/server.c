/* The coordinator's front: memory, the first byte of each datagram, time.
 *
 *   server_shake.c    cookies, handshakes, when a session becomes real
 *   server_data.c     sealed requests, one by one
 *   server_beat.c     signs of life of members who pay for each byte
 *   server_lost.c     what is said to those who have no session, and where they were
 *   server_member.c   JOIN, UPDATE, LOOKUP, SYNC: what the store knows
 *   server_news.c     tells members that their roster has changed
 *   server_connect.c  candidates, and the moment to punch
 *   server_check.c    dials back, so that a member learns what reaches it
 *   server_relay.c    channels and the frames on them
 *   server_link.c     compressed frames, for members who pay for bytes
 *   server_table.c    slots, hash tables and lists of sessions and channels
 *
 * A session's life:
 *
 *            INIT, cookie good            first DATA opens
 *   (free) --------------------> TENTATIVE ---------------> GUEST or MEMBER
 *                                    | 10 s, or room is           |   ^ JOIN, UPDATE
 *                                    | wanted                     |   v (left: MEMBER to GUEST)
 *                                    +------------> (free) <------+ silent for 75 s, or replaced
 *
 * What is not authentic changes nothing but counters: the cookie key is
 * exchanged by tick, and no table is touched before a cookie was good. */
#include "server.h"

#include <string.h>

#include "../base/ct.h"
#include "server_priv.h"

#define SESSION_TIMEOUT_US TN_S(75)
#define SWEEP_US TN_S(5)
#define RELAY_BYTES_PER_S 12500000u
#define RELAY_BURST_BYTES (1u << 20)
#define CHANNELS_PER_SESSION 1024u
#define HANDSHAKES_PER_S 20u
#define SESSIONS_MAX (1u << 20)
#define CHANNELS_MAX (1u << 24)

bool tn_server_bucket_take(struct tn_server_bucket *b, uint64_t now_us, uint64_t rate_per_s,
                           uint64_t burst, uint64_t cost)
{
    uint64_t passed = now_us > b->at_us ? now_us - b->at_us : 0;
    uint64_t level = b->level, at = b->at_us;

    if (passed >= (burst - (level < burst ? level : burst)) * 1000000u / rate_per_s + 1) {
        level = burst;
        at = now_us;
    } else { /* what is too little for a whole unit stays in the time */
        uint64_t units = passed * rate_per_s / 1000000u;

        level += units;
        at += units * 1000000u / rate_per_s;
    }
    b->at_us = at;
    b->level = level;
    if (level < cost)
        return false;
    b->level = level - cost;
    return true;
}

struct tn_addr tn_server_observed(const struct tn_server_in *in)
{
    struct tn_addr none = {.port = 0};

    return tn_addr_is_stream(in->src) ? none : *in->src;
}

void tn_server_emit(struct tn_server_in *in, uint8_t port, const struct tn_addr *dst, uint8_t *data,
                    size_t len)
{
    struct tn_server_out *o = &in->out[in->out_count++];

    o->port = port;
    o->turn = 0;
    o->dst = *dst;
    o->data = data;
    o->len = len;
}

static uint32_t quarter(uint32_t n)
{
    return n / 4 ? n / 4 : 1;
}

static void fill_defaults(struct tn_server_config *cfg, uint32_t sessions)
{
    if (!cfg->session_timeout_us)
        cfg->session_timeout_us = SESSION_TIMEOUT_US;
    if (!cfg->relay_bytes_per_s)
        cfg->relay_bytes_per_s = RELAY_BYTES_PER_S;
    if (!cfg->relay_burst_bytes)
        cfg->relay_burst_bytes = RELAY_BURST_BYTES;
    if (!cfg->channels_per_session)
        cfg->channels_per_session = CHANNELS_PER_SESSION;
    if (!cfg->tentative_max)
        cfg->tentative_max = quarter(sessions);
    if (!cfg->guest_max)
        cfg->guest_max = quarter(sessions);
    if (!cfg->handshakes_per_s)
        cfg->handshakes_per_s = HANDSHAKES_PER_S;
}

int tn_server_init(struct tn_server *s, const struct tn_server_memory *mem,
                   const struct tn_server_config *cfg, struct tn_now now)
{
    uint8_t public_key[32];
    int err;

    if (!mem->session_count || mem->session_count > SESSIONS_MAX ||
        mem->channel_count > CHANNELS_MAX || !mem->bucket_len ||
        (mem->bucket_len & (mem->bucket_len - 1)))
        return TN_EINVAL;
    err = tn_x25519_public(public_key, cfg->private_key);
    if (err)
        return err;
    memset(s, 0, sizeof(*s));
    s->mem = *mem;
    s->cfg = *cfg;
    fill_defaults(&s->cfg, mem->session_count);
    memcpy(s->public_key, public_key, 32);
    tn_rng_init(&s->rng, cfg->rng_seed);
    tn_wipe(s->cfg.rng_seed, sizeof(s->cfg.rng_seed));
    tn_rng_bytes(&s->rng, s->hash_key, sizeof(s->hash_key));
    tn_server_new_cookie_key(s, now);
    tn_server_new_cookie_key(s, now);
    tn_server_table_init(s);
    tn_share_begin(&s->share, 0);
    s->sweep_us = now.us + SWEEP_US;
    for (size_t i = 0; i < TN_SERVER_LIMIT_ROWS; i++) {
        s->limit[i].level = (uint64_t)s->cfg.handshakes_per_s * 5;
        s->limit[i].at_us = now.us;
        s->lost[i] = (struct tn_server_bucket){.level = TN_SERVER_LOST_BURST, .at_us = now.us};
    }
    return 0;
}

void tn_server_wipe(struct tn_server *s)
{
    if (s->mem.session)
        tn_wipe(s->mem.session, s->mem.session_count * sizeof(*s->mem.session));
    if (s->mem.channel)
        tn_wipe(s->mem.channel, s->mem.channel_count * sizeof(*s->mem.channel));
    tn_wipe(s, sizeof(*s));
}

size_t tn_server_on_datagram(struct tn_server *s, uint8_t port, const struct tn_addr *src,
                             uint8_t *data, size_t len, struct tn_now now,
                             struct tn_server_out out[TN_SERVER_OUT_MAX])
{
    struct tn_server_in in = {
        .port = port, .src = src, .data = data, .len = len, .now = now, .out = out};
    uint8_t what = tn_ctl_is_control(data, len) ? data[0] : 0;

    if (what == TN_CTL_RELAY)
        tn_server_on_relay(s, &in);
    else if (tn_link_is_frame(data, len))
        tn_server_on_link(s, &in);
    else if (what == TN_CTL_DATA)
        tn_server_on_data(s, &in);
    else if (what == TN_CTL_BEAT)
        tn_server_on_beat(s, &in);
    else if (what == TN_CTL_INIT && len == TN_CTL_INIT_LEN && !data[2] && !data[3])
        tn_server_on_init(s, &in);
    else
        s->counter.drop_garbage++;
    return in.out_count;
}

uint64_t tn_server_next_deadline(const struct tn_server *s)
{
    uint64_t at = s->cookie_key_us + TN_SERVER_COOKIE_US;
    uint32_t oldest = s->oldest[TN_SERVER_LIST_TENTATIVE];

    if ((s->gauge.guests || s->gauge.members) && s->sweep_us < at)
        at = s->sweep_us;
    if (oldest != TN_SERVER_NONE) {
        uint64_t until = s->mem.session[oldest].heard_us + TN_SERVER_TENTATIVE_US;

        if (until < at)
            at = until;
    }
    if (tn_server_news_deadline(s) < at)
        at = tn_server_news_deadline(s);
    return at;
}

static void expire_tentative(struct tn_server *s, struct tn_now now)
{
    uint32_t slot;

    while ((slot = s->oldest[TN_SERVER_LIST_TENTATIVE]) != TN_SERVER_NONE &&
           s->mem.session[slot].heard_us + TN_SERVER_TENTATIVE_US <= now.us) {
        tn_server_release(s, slot);
        s->counter.sessions_expired++;
    }
}

void tn_server_tick(struct tn_server *s, struct tn_now now)
{
    if (now.us >= s->cookie_key_us + TN_SERVER_COOKIE_US) {
        if (now.us >= s->cookie_key_us + 2 * TN_SERVER_COOKIE_US)
            tn_server_new_cookie_key(s, now); /* slept: the one in force is too old as well */
        tn_server_new_cookie_key(s, now);
    }
    expire_tentative(s, now);
    if (now.us < s->sweep_us)
        return;
    s->sweep_us = now.us + SWEEP_US;
    for (uint32_t slot = 0; slot < s->mem.session_count; slot++) {
        const struct tn_server_session *x = &s->mem.session[slot];

        if (x->state < TN_SERVER_GUEST || tn_server_is_live(s, x, now))
            continue;
        tn_server_release(s, slot);
        s->counter.sessions_expired++;
    }
}

void tn_server_drop_member(struct tn_server *s, uint64_t network, const uint8_t identity[32])
{
    uint32_t slot = tn_server_by_member(s, network, identity);

    if (slot != TN_SERVER_NONE)
        tn_server_release(s, slot);
}

void tn_server_gauges(const struct tn_server *s, struct tn_server_gauges *out)
{
    *out = s->gauge;
}

const struct tn_server_counters *tn_server_counters(const struct tn_server *s)
{
    return &s->counter;
}
