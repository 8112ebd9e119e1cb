/* The packet's walk in three parts, for who has several threads. tn_from_tun and tn_from_net are plan,
 * run and commit in one.
 *
 *   plan     the owner's thread, in order: finds keys and way, takes the nonce, checks what is cheap
 *   run      any thread, any order: seals or opens in place, touches nothing but the packet
 *   commit   the owner's thread, in order, for what came in: window, timers, routing
 *
 * A job borrows keys and packet: between its plan and the end of its run, nothing else may be done to
 * the node but to plan. A commit looks the session up again. */
#ifndef TN_JOB_H
#define TN_JOB_H

#include "tunnel.h"

struct tn_session;

struct tn_job {
    const struct tn_session *session; /* NULL: nothing is left to do */
    uint8_t *msg; /* where the datagram's WireGuard header is, or will be */
    size_t len;   /* bytes: to seal, without header and tag; to open, all of the message */
    uint64_t counter;
    bool opens, relayed;
    int err; /* of opening */
};

/* As tn_from_tun, but where TN_SEND comes back, b is only after tn_job_run what it is said to be. */
enum tn_verdict tn_plan_tun(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                            struct tn_route *route, uint32_t *peer, struct tn_job *job);

/* May it be planned while others wait for their commit? Looks at the first bytes only. */
bool tn_may_plan_net(const struct tn_buf *b);
/* As tn_from_net, or TN_WORK: run the job, then commit. */
enum tn_verdict tn_plan_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                            struct tn_now now, struct tn_job *job);
/* b and src as they were after the plan. Never TN_WORK. */
enum tn_verdict tn_commit_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                              struct tn_now now, uint32_t *peer, const struct tn_job *job);

void tn_job_run(struct tn_job *job);

#endif
