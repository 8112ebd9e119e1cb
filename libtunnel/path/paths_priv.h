/* What the files of paths_*.c share; nobody else includes it.
 *
 *   paths.c         conditions, events, tick, poll: the doors of paths.h
 *   paths_table.c   the table of candidates: merge, evict
 *   paths_punch.c   rounds: punches, then PINGs, then a verdict
 *   paths_probe.c   PINGs, PONGs, heartbeats, loss
 *   paths_size.c    how long a packet may be on a way
 *   paths_choose.c  which path data takes, when CONNECT is wanted
 *   paths_tcp.c     TCP connections as candidates
 *   paths_flow.c    a stream that breaks off is asked after at once
 *   paths_member.c  ways through another member
 */
#ifndef TN_PATH_PATHS_PRIV_H
#define TN_PATH_PATHS_PRIV_H

#include "../base/deadline.h"
#include "paths.h"
#include "score.h"

enum tn_probe_row {
    TN_ROW_PUNCH,  /* the next punch of a round */
    TN_ROW_PING,   /* the next PINGs of a round */
    TN_ROW_END,    /* the round is over */
    TN_ROW_BEAT,   /* heartbeat, or a look at a lost path */
    TN_ROW_ANSWER, /* an answer to a PING of a path in use is overdue */
    TN_ROW_SIZE,   /* so is one to a full-size PING, or to a fan of sizes */
};

/* docs/PROTOCOL.md section 5 */
#define TN_PUNCH_STEPS 4 /* one with low TTL, three in full */
#define TN_PUNCH_GAP_US TN_MS(20)
#define TN_PING_STEPS 6
#define TN_ROUND_LAST_PING_US TN_MS(800)
#define TN_ROUND_WAIT_US TN_S(1) /* for the answer to the last PING */
#define TN_ROUND_NO_SESSION_US TN_S(10)
#define TN_PUNCH_DELAY_MAX_US TN_S(2)
#define TN_SILENT_ROUNDS_MAX 3
#define TN_QUIET_US TN_S(600)
#define TN_QUIET_DIRECT_US TN_S(60) /* where data has no other way: as CONNECT is asked for at most */
#define TN_QUIET_MEMBER_US TN_S(15) /* a member that relays may find the peer later, and is no third party */
#define TN_FULL_TRIES 4
#define TN_SIZE_FLOOR 400 /* longer data may be too long; it is searched down to that */
#define TN_FULL_GAP_US TN_MS(40)

/* Worst case of loss while data flows: the path dies just after an answer. One beat, one overdue answer
 * and the retries: 1 + 0.9 + 2 * 0.25 = 2.4 s; 2.9 s where packets still come in. The bar is 3 s, but for
 * the application, and TCP doubles its pauses meanwhile: the sender of data does not wait for the beat
 * (TN_HUSH), nor does one to whom a stream breaks off (TN_FLOW), and data leaves a path in doubt before
 * it is lost. */
#define TN_BEAT_ACTIVE_US TN_S(1)
#define TN_HUSH_MIN_US TN_MS(250) /* data was sent, and nothing has come in for three round trips */
#define TN_DOUBT_GAP_US TN_MS(50) /* PINGs in a row at least, where packets come in that may be older than a change */
#define TN_FLOW_TICK_US TN_MS(100)
#define TN_FLOW_PACKETS 8 /* in a tick: a stream comes in, whose end is noticed in the next one */
#define TN_ANSWER_MIN_US TN_MS(150)
#define TN_ANSWER_MAX_US TN_MS(900)
#define TN_RETRY_US TN_MS(250)
#define TN_FOLLOW_US TN_S(10) /* not to swing to and fro with a peer that does not see that a path works */
#define TN_MISSES_MAX 3
#define TN_MISSES_LIVELY_MAX 5
#define TN_LIVELY_US TN_MS(500)

/* Loss, of PINGs and their answers together, smoothed over some 32. What it is worth: score.h, by which 5 % each way
 * is no reason to leave a path. One that breaks off after it has lost a sixteenth is left for a relay that loses a
 * quarter of that; it is taken again when it loses less than that. */
#define TN_LOSS_SHIFT 5
#define TN_LOSS_DOUBT 8192u /* an eighth: asked more often, and the relay too, to be surer */
#define TN_LOSS_CLEAN 4096u
#define TN_BEAT_COMPARE_US TN_MS(250)
#define TN_COMPARED 16 /* answers of the relay, while both are asked that often */

/* A peer that pays for each byte is asked only when data has had no answer for so long, twice at most. */
#define TN_METERED_SILENCE_US TN_S(3)
#define TN_METERED_ANSWER_US TN_MS(1500)
#define TN_METERED_MISSES_MAX 2

#define TN_ACTIVE_US TN_S(2)        /* data was sent within that: the path is in use */
#define TN_BEAT_IDLE_US TN_S(20)
#define TN_BEAT_IDLE_MAX_US TN_S(1800)
#define TN_FOREIGN_BEAT_US TN_S(5)  /* what came in that long after our PING is not its answer */
#define TN_BEAT_OTHER_US TN_S(20)   /* checked candidates that are not in use, while data flows */
#define TN_STALE_US TN_S(4)
#define TN_CHECK_VALID_US TN_S(600) /* a full-size answer counts that long on the same address */
#define TN_RECHECK_US TN_S(60)      /* a path in use is tried in full size again */
#define TN_LOST_TRY_MAX_US TN_S(20)
#define TN_REVIVE_US TN_S(10)
#define TN_PONG_VALID_US TN_S(5)    /* answers that come later count for nothing */
#define TN_RTT_USABLE_MAX_US TN_MS(1400) /* slower ones cannot be watched within the bar */
#define TN_FLAP_US TN_S(30)
#define TN_CONNECT_MAX_US TN_S(60)
#define TN_CONNECT_ACTIVE_US TN_S(5)

#define TN_NEW_STALE_US TN_S(60) /* a candidate whose round never began may make room */
#define TN_ROUND_TOKENS_MAX 30
#define TN_ROUND_TOKEN_US TN_S(10)
#define TN_ROUND_TOKENS_KEPT 10 /* for addresses that are new */

/* table */
struct tn_probe *tn_table_find(struct tn_paths *p, const struct tn_addr *addr);
struct tn_probe *tn_table_add(struct tn_paths *p, const struct tn_addr *addr, uint8_t origin,
                              const struct tn_now *now);
/* A way that is there no more: data leaves it at once, and its place is free. */
void tn_probe_remove(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
void tn_probe_init(struct tn_probe *pr, const struct tn_now *now);

/* punch */
void tn_round_begin(struct tn_paths *p, struct tn_probe *pr, bool punch, uint64_t delay_us,
                    const struct tn_now *now);
void tn_round_tick(struct tn_probe *pr, const struct tn_now *now);
/* The next punch becomes due, unless one still waits to be polled. */
void tn_round_tick_punch(struct tn_probe *pr, const struct tn_now *now);
void tn_round_ping(struct tn_probe *pr, const struct tn_now *now);
void tn_round_session(struct tn_probe *pr, const struct tn_now *now);
void tn_round_finish(struct tn_probe *pr, bool answered, const struct tn_now *now);
void tn_tokens_refill(struct tn_paths *p, const struct tn_now *now);

/* flow */
/* Data was sent: is the stream that comes in watched? Constant time. */
void tn_flow_on_sent(struct tn_paths *p, const struct tn_now *now);
void tn_flow_tick(struct tn_paths *p, const struct tn_now *now);
/* Something authentic came by `pr`. */
void tn_flow_heard(struct tn_paths *p, const struct tn_probe *pr);

/* probe */
bool tn_probe_is_full_ok(const struct tn_probe *pr, const struct tn_now *now);
/* The network changed, and this way with it, as far as is known. */
void tn_probe_doubt(struct tn_probe *pr, const struct tn_now *now);
/* True: something is due now that was not. */
bool tn_probe_heard(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
bool tn_probe_pong(struct tn_paths *p, struct tn_probe *pr, uint64_t txid, uint16_t size,
                   const struct tn_now *now);
void tn_probe_emit(struct tn_paths *p, struct tn_probe *pr, struct tn_rng *rng,
                   const struct tn_now *now, struct tn_path_wish *out);
void tn_probe_tick(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
void tn_probe_lose(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
void tn_probe_silence(struct tn_probe *pr);
/* It was answered: may it carry data? */
void tn_probe_judge(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
/* It carries less than TN_SIZE_FLOOR: with a relay to fall back to, it is given up. */
void tn_probe_too_narrow(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
/* Has nothing come in by this way for longer than an answer takes? */
bool tn_probe_is_hushed(const struct tn_probe *pr, const struct tn_now *now);
/* Does it lose so much that the relay may be better? */
bool tn_probe_is_lossy(const struct tn_probe *pr);
/* Data was sent to a peer that is reached by the relay alone: it has so long to answer. */
void tn_probe_metered_sent(struct tn_paths *p, const struct tn_now *now);
/* Brings the beat forward when data begins to flow; asks at once where the path may be stale. */
void tn_probe_wake(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);

/* size */
/* Inner bytes that pass by this way in one piece, as far as is known. */
uint16_t tn_size_limit(const struct tn_paths *p, const struct tn_probe *pr);
bool tn_size_is_due(const struct tn_probe *pr);
/* The next size to ask; only where tn_size_is_due. */
uint16_t tn_size_take(const struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
void tn_size_answered(struct tn_paths *p, struct tn_probe *pr, uint16_t size, const struct tn_now *now);
void tn_size_tick(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
/* Data longer than TN_SIZE_FLOOR goes out by this way. */
void tn_size_on_data(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now);
/* A datagram of len bytes, sealed, came by it. */
void tn_size_on_arrival(struct tn_probe *pr, size_t len);
/* The way may be another now: what is known of it is asked again with the next long packet. */
void tn_size_reset(struct tn_probe *pr);

/* Every door that may change a deadline ends with this. */
void tn_paths_renew_next(struct tn_paths *p);

/* choose */
bool tn_paths_is_active(const struct tn_paths *p, const struct tn_now *now);
void tn_paths_choose(struct tn_paths *p, const struct tn_now *now);
/* Might it? Then both are asked, to be sure. */
bool tn_paths_may_relay_be_better(const struct tn_paths *p, const struct tn_probe *pr);
/* Does the relay lose no more than a quarter of what this way does? */
bool tn_paths_relay_is_cleaner(const struct tn_paths *p, const struct tn_probe *pr);
void tn_paths_want_connect(struct tn_paths *p, bool at_once, const struct tn_now *now);

static inline bool tn_paths_is_relay(const struct tn_paths *p, const struct tn_probe *pr)
{
    return pr == &p->relay;
}

/* Does this way lead through another member? */
static inline bool tn_probe_is_member(const struct tn_probe *pr)
{
    return pr->c.origin == TN_CAND_MEMBER;
}

static inline bool tn_paths_has_direct(const struct tn_paths *p)
{
    return p->best >= 0 && !tn_probe_is_member(&p->cand[p->best]);
}

static inline uint8_t tn_probe_via(const struct tn_probe *pr)
{
    return tn_probe_is_member(pr) ? TN_VIA_MEMBER : TN_VIA_DIRECT;
}

static inline bool tn_paths_is_best(const struct tn_paths *p, const struct tn_probe *pr)
{
    return p->best >= 0 && pr == &p->cand[p->best];
}

#endif
