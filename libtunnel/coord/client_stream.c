/* When UDP to the coordinator is blocked: the third family. A stream (TLS in the
 * program) that carries the same datagrams has a stream address, and stands beside
 * IPv4 and IPv6 in the client's tables: PINGs go by it, one handshake or session
 * serves all three, and `home` says which one requests and relayed frames take.
 *
 *   UDP silent for 0.9 s    a stream is wanted (an attempt began it; in a session, when
 *                           something smells, two PINGs are enough)
 *   stream there            an attempt moves to it; a session asks it with a PING,
 *                           and is at home there when only that is answered
 *   at home on a stream     UDP is asked every 5 s, and at once after a change of network
 *   UDP answers             home again at once; the stream is kept warm for 30 s
 *
 * The coordinator sends relayed frames to where the last message that is no PING came
 * from, so each move between UDP and a stream announces our candidates anew. */
#include "client_stream.h"

#include "../base/deadline.h"
#include "client_priv.h"

#define LINGER_US TN_S(30)

bool tn_coord_client_wants_stream(const struct tn_coord_client *c)
{
    return c->wants_stream;
}

/* Two PINGs of a burst, or two INITs, were not answered. */
static uint64_t doubt_us(const struct tn_coord_client *c)
{
    return c->session_ok ? 2 * tn_coord_burst_us(c) : TN_MS(900);
}

static void want(struct tn_coord_client *c, bool wanted)
{
    c->wants_stream = wanted;
    tn_coord_event(c, TN_COORD_EV_STREAM);
}

void tn_coord_stream_doubt(struct tn_coord_client *c, struct tn_now now)
{
    if (!c->doubt_us)
        c->doubt_us = now.us;
    if (c->wants_stream && c->home != TN_FAMILY_STREAM)
        c->row[TN_COORD_AT_STREAM] = TN_NEVER; /* no more of letting it go */
    else if (!c->wants_stream && c->row[TN_COORD_AT_STREAM] == TN_NEVER)
        c->row[TN_COORD_AT_STREAM] = now.us + doubt_us(c);
}

void tn_coord_stream_due(struct tn_coord_client *c, struct tn_now now)
{
    if (tn_deadline_take(&c->row[TN_COORD_AT_STREAM], now.us) && c->home != TN_FAMILY_STREAM)
        want(c, !c->wants_stream);
}

void tn_coord_move_home(struct tn_coord_client *c, uint8_t family, struct tn_now now)
{
    bool crosses = (family == TN_FAMILY_STREAM) != (c->home == TN_FAMILY_STREAM);

    c->home = family;
    if (!crosses)
        return;
    c->rtt_us = 0; /* it was another way's */
    c->keepalive_us = c->cfg.keepalive_us;
    if (family == TN_FAMILY_STREAM)
        c->row[TN_COORD_AT_KEEPALIVE] = now.us + TN_COORD_STREAM_BEAT_US;
    tn_coord_announce(c, now);
}

void tn_coord_stream_heard(struct tn_coord_client *c, uint8_t family, struct tn_now now)
{
    c->ping[family].heard_us = now.us;
    if (family == TN_FAMILY_STREAM) {
        if (c->home != TN_FAMILY_STREAM && c->doubt_us && now.us - c->doubt_us >= doubt_us(c))
            tn_coord_move_home(c, TN_FAMILY_STREAM, now);
        return;
    }
    c->doubt_us = 0;
    if (c->home == TN_FAMILY_STREAM)
        tn_coord_move_home(c, family, now);
    if (!c->wants_stream)
        c->row[TN_COORD_AT_STREAM] = TN_NEVER;
    else if (c->row[TN_COORD_AT_STREAM] == TN_NEVER)
        c->row[TN_COORD_AT_STREAM] = now.us + LINGER_US;
}

void tn_coord_stream_lost(struct tn_coord_client *c)
{
    static const struct tn_addr none;

    c->server[TN_FAMILY_STREAM] = none;
    c->ping[TN_FAMILY_STREAM].due_us = TN_NEVER;
    want(c, true);
}

/* The attempt that is under way or waits begins anew by the stream; a session asks it first. */
static void use_stream(struct tn_coord_client *c, struct tn_now now)
{
    if (c->session_ok) {
        c->ping[TN_FAMILY_STREAM].tries = 0;
        c->ping[TN_FAMILY_STREAM].due_us = now.us;
    }
    if (!c->running || c->state == TN_COORD_READY)
        return;
    tn_coord_begin_attempt(c, now);
    c->shake_family = TN_FAMILY_STREAM;
}

/* A handshake follows when there is a way again. */
static void lose_last_way(struct tn_coord_client *c, struct tn_now now)
{
    if (c->session_ok) {
        tn_coord_drop_session(c);
        tn_coord_event(c, TN_COORD_EV_DISCONNECTED)->reason = TN_COORD_NO_ANSWER;
        tn_coord_fail_requests(c);
    }
    tn_coord_begin_attempt(c, now);
}

static void lose_stream(struct tn_coord_client *c, struct tn_now now)
{
    c->ping[TN_FAMILY_STREAM].due_us = TN_NEVER;
    if (c->home == TN_FAMILY_STREAM) {
        c->home = tn_coord_next_family(c, TN_FAMILY_STREAM);
        c->rtt_us = 0;
    }
    if (c->state == TN_COORD_SHAKING && c->shake_family == TN_FAMILY_STREAM)
        tn_coord_begin_attempt(c, now);
    else if (c->home != TN_FAMILY_STREAM)
        tn_coord_client_suspect(c, now);
    else
        lose_last_way(c, now);
}

void tn_coord_client_set_stream(struct tn_coord_client *c, const struct tn_addr *a,
                                struct tn_now now)
{
    static const struct tn_addr none;
    bool had = tn_coord_has_server(c, TN_FAMILY_STREAM);

    c->server[TN_FAMILY_STREAM] = a ? *a : none;
    if (a)
        use_stream(c, now);
    else if (had)
        lose_stream(c, now);
}
