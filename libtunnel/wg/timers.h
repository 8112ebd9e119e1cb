/* WireGuard's timers (paper, 6.1 to 6.5) as events that the caller names and
 * wishes that it carries out. One table of deadlines for each peer. */
#ifndef TN_WG_TIMERS_H
#define TN_WG_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/deadline.h"
#include "../crypto/crypto.h"
#include "msg.h"

enum tn_timer {
    TN_TIMER_RETRANSMIT,    /* our initiation was not answered */
    TN_TIMER_KEEPALIVE,     /* we received data and sent nothing back */
    TN_TIMER_NEW_HANDSHAKE, /* we sent data and heard nothing back */
    TN_TIMER_ZERO_KEYS,     /* no new session for three lifetimes */
    TN_TIMER_PERSISTENT,    /* the configured keepalive */
    TN_TIMER_COUNT
};

/* Wishes: bits of tn_timers_expire's result. */
#define TN_WISH_INITIATION 1u
#define TN_WISH_KEEPALIVE 2u /* an empty data message (through a handshake, if there is no key) */
#define TN_WISH_ZERO_KEYS 4u /* tn_noise_clear and tn_keys_wipe */
#define TN_WISH_GIVE_UP 8u   /* 90 s without an answer: drop the staged packets */

struct tn_timers {
    uint64_t row[TN_TIMER_COUNT];
    uint64_t last_initiation_us; /* TN_NEVER: none yet */
    uint32_t attempts;
    uint32_t persistent_s; /* 0: off */
    bool need_another_keepalive;
};

void tn_timers_init(struct tn_timers *t);
/* The peer was taken down or its endpoint changed by configuration: nothing is pending, the next
 * initiation may go at once. Keeps the persistent interval. */
void tn_timers_stop(struct tn_timers *t);
/* seconds 0: off. Sends the first one at once when it is switched on. */
void tn_timers_set_persistent(struct tn_timers *t, uint32_t seconds, uint64_t now_us);

/* A packet waits or a session is due: may an initiation be sent now? No more than one in 5 s.
 * Begins a new run of attempts. */
bool tn_timers_may_initiate(struct tn_timers *t, uint64_t now_us);

/* The other end is known to have lost the session: whoever is in one, or waits for an answer to an initiation,
 * begins a new run of attempts at once, or 1 s after the last initiation. */
void tn_timers_hurry(struct tn_timers *t, uint64_t now_us);
/* Is an initiation out that nobody has answered yet? */
bool tn_timers_is_shaking(const struct tn_timers *t);

/* Data with content was sent. */
void tn_timers_data_sent(struct tn_timers *t, struct tn_rng *rng, uint64_t now_us);
/* Data with content was received and authenticated. */
void tn_timers_data_received(struct tn_timers *t, uint64_t now_us);
/* Any message that authenticates us was sent: data, keepalive, initiation, response. */
void tn_timers_any_authenticated_sent(struct tn_timers *t);
/* Any authenticated message was received, handshake or data. */
void tn_timers_any_authenticated_received(struct tn_timers *t);
/* Either of the two: keeps NAT mappings warm only where nothing else does. */
void tn_timers_any_authenticated_traversal(struct tn_timers *t, uint64_t now_us);
/* An initiation went out. */
void tn_timers_handshake_initiated(struct tn_timers *t, struct tn_rng *rng, uint64_t now_us);
/* The initiator consumed a response, or the responder's session was confirmed. */
void tn_timers_handshake_complete(struct tn_timers *t);
/* A session was derived, in either role. */
void tn_timers_session_derived(struct tn_timers *t, uint64_t now_us);

/* Takes all expired rows and returns the TN_WISH_ bits. */
unsigned tn_timers_expire(struct tn_timers *t, uint64_t now_us);
/* The earliest row, or TN_NEVER; its number in *which (may be NULL). */
uint64_t tn_timers_next(const struct tn_timers *t, size_t *which);

#endif
