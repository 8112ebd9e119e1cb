/* The three sessions that a peer may have at a time, and when each may be used
 * (paper, 6.1 to 6.3).
 *
 *   initiator: new session -> current at once, current -> previous
 *   responder: new session -> next; the first packet that authenticates with
 *              it makes next -> current, current -> previous
 *
 * Sending is plan (serial: takes a counter), tn_session_seal (pure), then the
 * caller's timers. Receiving is check (pure), tn_session_open (pure), commit
 * (serial: window and promotion). */
#ifndef TN_WG_KEYS_H
#define TN_WG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "replay.h"
#include "session.h"

struct tn_keypair {
    struct tn_session session;
    uint64_t send_counter; /* the next one to give out */
    struct tn_replay replay;
};

#define TN_KEYS_NONE 0xff

/* The keypairs stay where they are; rotation moves the roles. */
struct tn_keys {
    struct tn_keypair pair[3];
    uint8_t previous; /* number of a pair, or TN_KEYS_NONE */
    uint8_t current;
    uint8_t next;
    bool asked_last_minute; /* the receiver's rekey wish was given for this session */
};

/* bits of tn_keys_commit_received's *news */
#define TN_KEYS_CONFIRMED 1u /* next became current: staged packets may go, timers are told */
#define TN_KEYS_WANTS_REKEY 2u

void tn_keys_init(struct tn_keys *k);
/* Forgets all sessions. */
void tn_keys_wipe(struct tn_keys *k);
/* Forgets those that nobody may use any more, birth + REJECT_AFTER_TIME having passed. */
void tn_keys_expire(struct tn_keys *k, uint64_t now_us);

/* Takes over a session (a copy: the caller wipes its own) with the rotation drawn above. */
void tn_keys_install(struct tn_keys *k, const struct tn_session *s);

/* The session with this receiver index, or NULL. Says nothing about its age. */
struct tn_keypair *tn_keys_find(struct tn_keys *k, uint32_t local_index);

/* The current session if it may still seal (younger than REJECT_AFTER_TIME, counters left), or
 * NULL: then the caller begins a handshake. */
struct tn_keypair *tn_keys_for_sending(struct tn_keys *k, uint64_t now_us);
/* Takes the next counter. *wants_rekey: the session is due for a new one (paper, 6.2: after 120 s
 * where we are the initiator, or 2^60 messages). TN_ENOKEY when it may not seal. */
TN_MUST_CHECK int tn_keys_plan_send(struct tn_keypair *kp, uint64_t now_us, uint64_t *counter,
                                    bool *wants_rekey);

/* Before opening: age and window. TN_EEXPIRED, TN_EREPLAY. Changes nothing. */
TN_MUST_CHECK int tn_keys_check_received(const struct tn_keypair *kp, uint64_t now_us,
                                         uint64_t counter);
/* After opening: moves the window, promotes next to current. *news is 0 or TN_KEYS_* bits.
 * TN_EREPLAY, TN_EEXPIRED: drop the packet (a duplicate in the same batch). `kp` must be one of
 * k's pairs. */
TN_MUST_CHECK int tn_keys_commit_received(struct tn_keys *k, struct tn_keypair *kp,
                                          uint64_t now_us, uint64_t counter, unsigned *news);

/* When the youngest session was derived, or TN_NEVER. */
uint64_t tn_keys_youngest_us(const struct tn_keys *k);

#endif
