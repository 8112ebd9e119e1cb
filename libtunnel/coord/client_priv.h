/* What the client_*.c files share; nobody else includes it. */
#ifndef TN_COORD_CLIENT_PRIV_H
#define TN_COORD_CLIENT_PRIV_H

#include "client.h"
#include "client_stream.h"

#define TN_COORD_TRIES 6       /* a request that is sent so often without an answer is given up */
#define TN_COORD_PING_TRIES 5  /* then the session counts as lost */
#define TN_COORD_BURST_TRIES 3 /* the same under suspicion, and for the other family */
#define TN_COORD_BURST_MIN_US TN_MS(150)
#define TN_COORD_BURST_MAX_US TN_MS(300)
#define TN_COORD_STREAM_BEAT_US TN_S(5) /* at home on a stream, UDP is asked so often */
#define TN_COORD_BINDS_OPEN 16 /* BINDs under way at once */
#define TN_COORD_RESEND_MIN_US TN_MS(100)
#define TN_COORD_RESEND_MAX_US TN_S(2)
#define TN_COORD_RESEND_BLIND_US TN_MS(250) /* while no round-trip time is known */
#define TN_COORD_STORE_US TN_MS(500)        /* JOIN and UPDATE wait for a disk */

/* How long to wait for an answer after sending for the tries-th time (1 at first). */
static inline uint64_t tn_coord_resend_us(const struct tn_coord_client *c, unsigned tries)
{
    uint64_t wait = c->rtt_us ? 3 * (uint64_t)c->rtt_us : TN_COORD_RESEND_BLIND_US;

    if (wait < TN_COORD_RESEND_MIN_US)
        wait = TN_COORD_RESEND_MIN_US;
    while (tries-- > 1 && wait < TN_COORD_RESEND_MAX_US)
        wait *= 2;
    return wait < TN_COORD_RESEND_MAX_US ? wait : TN_COORD_RESEND_MAX_US;
}

/* The same under suspicion, where time counts more than a PING too many. */
static inline uint64_t tn_coord_burst_us(const struct tn_coord_client *c)
{
    uint64_t wait = c->rtt_us ? (uint64_t)c->rtt_us * 3 / 2 : TN_COORD_BURST_MAX_US;

    if (wait < TN_COORD_BURST_MIN_US)
        return TN_COORD_BURST_MIN_US;
    return wait < TN_COORD_BURST_MAX_US ? wait : TN_COORD_BURST_MAX_US;
}

/* BEATs in place of PINGs (client_beat.c). */
static inline bool tn_coord_beats(const struct tn_coord_client *c)
{
    return TN_ALWAYS_METERED || c->cfg.beats;
}

/* A PING of that family is due, or will be. A node that is always metered never sends one. */
static inline uint64_t tn_coord_ping_due(const struct tn_coord_client *c, uint8_t family)
{
    return TN_ALWAYS_METERED ? TN_NEVER : c->ping[family].due_us;
}

/* PINGs of a family that go unanswered before it counts as silent. */
static inline uint8_t tn_coord_ping_limit(const struct tn_coord_client *c, uint8_t family)
{
    return c->suspicious || family != c->home ? TN_COORD_BURST_TRIES : TN_COORD_PING_TRIES;
}

/* ---- client.c ---- */
static inline bool tn_coord_has_server(const struct tn_coord_client *c, uint8_t family)
{
    return !tn_addr_is_zero(&c->server[family]);
}
/* The next family, round and round, that has an address; `family` itself where no other has. */
uint8_t tn_coord_next_family(const struct tn_coord_client *c, uint8_t family);
void tn_coord_drop_session(struct tn_coord_client *c);
void tn_coord_begin_attempt(struct tn_coord_client *c, struct tn_now now);
/* A cookie, or the answer to INIT. */
int tn_coord_on_cookie(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                       size_t len);
int tn_coord_on_resp(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                     size_t len, struct tn_now now);

/* ---- client_beat.c ---- */
void tn_coord_begin_beat(struct tn_coord_client *c, struct tn_now now);
/* The last one has had its time, and no answer. */
bool tn_coord_beat_is_lost(const struct tn_coord_client *c, struct tn_now now);
/* The BEAT that is due; 0: none. */
size_t tn_coord_write_beat(struct tn_coord_client *c, struct tn_now now, uint8_t *out,
                           struct tn_addr *dst);
int tn_coord_on_beat_answer(struct tn_coord_client *c, const uint8_t *data, size_t len,
                            struct tn_now now);

/* ---- client_lost.c ---- */
int tn_coord_on_lost(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                     size_t len, struct tn_now now);

/* ---- client_in.c ---- */
/* A new event of this kind, to be filled by the caller. */
struct tn_coord_event *tn_coord_event(struct tn_coord_client *c, enum tn_coord_event_kind kind);
void tn_coord_saw_rtt(struct tn_coord_client *c, uint64_t sample_us);
/* Our own address, as the coordinator sees it. True when it is new or has changed. */
bool tn_coord_saw_observed(struct tn_coord_client *c, const struct tn_addr *observed);

/* ---- client_stream.c ---- */
void tn_coord_stream_doubt(struct tn_coord_client *c, struct tn_now now); /* UDP may not work */
/* An authentic message of that family. */
void tn_coord_stream_heard(struct tn_coord_client *c, uint8_t family, struct tn_now now);
void tn_coord_stream_due(struct tn_coord_client *c, struct tn_now now); /* row STREAM */
void tn_coord_stream_lost(struct tn_coord_client *c);                   /* it is silent */
void tn_coord_move_home(struct tn_coord_client *c, uint8_t family, struct tn_now now);

/* ---- client_req.c ---- */
/* Sends CANDIDATES (again). */
void tn_coord_announce(struct tn_coord_client *c, struct tn_now now);
/* Everything is sent anew on a new session, and what could not be asked before is asked. */
void tn_coord_requeue(struct tn_coord_client *c, struct tn_now now);
/* JOIN is answered: what waited for it goes, or fails. */
void tn_coord_after_join(struct tn_coord_client *c, bool joined, struct tn_now now);
/* Gives up what has been sent often enough. */
void tn_coord_expire_requests(struct tn_coord_client *c, struct tn_now now);
/* Fails all but JOIN, UPDATE, CANDIDATES and BIND. */
void tn_coord_fail_requests(struct tn_coord_client *c);
/* Sets the row BIND from the table of channels. */
void tn_coord_arm_binds(struct tn_coord_client *c);
uint16_t tn_coord_new_id(struct tn_coord_client *c);

#endif
