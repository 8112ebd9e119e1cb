/* Rotation and life of the sessions of one peer.
 *
 *                install (initiator)
 *        +-----------------------------------+
 *        v                                   |
 *    current --------> previous      new session
 *        ^   displaced                       |
 *        |  first authenticated packet       | install (responder)
 *        +------------- next <---------------+
 *
 * As the initiator we know from the response that the peer has the keys, so the
 * session is used at once; a next that was still waiting becomes previous, since
 * the peer may have begun to use it. As the responder we may not send before the
 * peer has shown that the response arrived. Packets are taken with any of the
 * three. Ages are measured from the derivation of the keys. */
#include "keys.h"

#include <string.h>

#include "../base/ct.h"

static bool is_older(const struct tn_keypair *kp, uint64_t now_us, uint64_t age_us)
{
    return now_us >= kp->session.birth_us && now_us - kp->session.birth_us >= age_us;
}

static void drop(struct tn_keys *k, uint8_t *role)
{
    if (*role != TN_KEYS_NONE)
        tn_wipe(&k->pair[*role], sizeof(k->pair[*role]));
    *role = TN_KEYS_NONE;
}

void tn_keys_init(struct tn_keys *k)
{
    memset(k, 0, sizeof(*k));
    k->previous = TN_KEYS_NONE;
    k->current = TN_KEYS_NONE;
    k->next = TN_KEYS_NONE;
}

void tn_keys_wipe(struct tn_keys *k)
{
    tn_wipe(k, sizeof(*k));
    tn_keys_init(k);
}

void tn_keys_expire(struct tn_keys *k, uint64_t now_us)
{
    uint8_t *role[3] = {&k->previous, &k->current, &k->next};

    for (size_t i = 0; i < 3; i++) {
        if (*role[i] != TN_KEYS_NONE &&
            is_older(&k->pair[*role[i]], now_us, TN_WG_REJECT_AFTER_TIME_US))
            drop(k, role[i]);
    }
}

static uint8_t unused_pair(const struct tn_keys *k)
{
    uint8_t i = 0;

    while (i == k->previous || i == k->current || i == k->next)
        i++;
    return i;
}

void tn_keys_install(struct tn_keys *k, const struct tn_session *s)
{
    uint8_t *role;

    drop(k, &k->previous);
    if (s->initiator) {
        if (k->next != TN_KEYS_NONE) {
            drop(k, &k->current);
            k->previous = k->next;
            k->next = TN_KEYS_NONE;
        } else {
            k->previous = k->current;
            k->current = TN_KEYS_NONE;
        }
        role = &k->current;
        k->asked_last_minute = false;
    } else {
        drop(k, &k->next);
        role = &k->next;
    }
    *role = unused_pair(k);
    memcpy(&k->pair[*role].session, s, sizeof(*s));
    k->pair[*role].send_counter = 0;
    tn_replay_init(&k->pair[*role].replay);
}

struct tn_keypair *tn_keys_find(struct tn_keys *k, uint32_t local_index)
{
    const uint8_t role[3] = {k->current, k->next, k->previous};

    for (size_t i = 0; i < 3; i++) {
        if (role[i] != TN_KEYS_NONE && k->pair[role[i]].session.local_index == local_index)
            return &k->pair[role[i]];
    }
    return NULL;
}

static bool may_seal(const struct tn_keypair *kp, uint64_t now_us)
{
    return !is_older(kp, now_us, TN_WG_REJECT_AFTER_TIME_US) &&
           kp->send_counter < TN_WG_REJECT_AFTER_MESSAGES;
}

struct tn_keypair *tn_keys_for_sending(struct tn_keys *k, uint64_t now_us)
{
    if (k->current == TN_KEYS_NONE || !may_seal(&k->pair[k->current], now_us))
        return NULL;
    return &k->pair[k->current];
}

int tn_keys_plan_send(struct tn_keypair *kp, uint64_t now_us, uint64_t *counter,
                      bool *wants_rekey)
{
    if (!may_seal(kp, now_us))
        return TN_ENOKEY;
    *counter = kp->send_counter++;
    *wants_rekey = kp->send_counter > TN_WG_REKEY_AFTER_MESSAGES ||
                   (kp->session.initiator && is_older(kp, now_us, TN_WG_REKEY_AFTER_TIME_US));
    return 0;
}

int tn_keys_check_received(const struct tn_keypair *kp, uint64_t now_us, uint64_t counter)
{
    if (is_older(kp, now_us, TN_WG_REJECT_AFTER_TIME_US))
        return TN_EEXPIRED;
    return tn_replay_check(&kp->replay, counter);
}

/* Only the initiator asks, so that the two ends do not both begin; and only while a keepalive and
 * a handshake still fit into the rest of the session's life (paper, 6.2). */
static bool is_last_minute(struct tn_keys *k, uint64_t now_us)
{
    const struct tn_keypair *kp;

    if (k->current == TN_KEYS_NONE || k->asked_last_minute)
        return false;
    kp = &k->pair[k->current];
    return kp->session.initiator &&
           is_older(kp, now_us,
                    TN_WG_REJECT_AFTER_TIME_US - TN_WG_KEEPALIVE_TIMEOUT_US -
                        TN_WG_REKEY_TIMEOUT_US);
}

int tn_keys_commit_received(struct tn_keys *k, struct tn_keypair *kp, uint64_t now_us,
                            uint64_t counter, unsigned *news)
{
    int rc = tn_keys_check_received(kp, now_us, counter);

    if (rc == 0)
        rc = tn_replay_commit(&kp->replay, counter);
    if (rc)
        return rc;
    *news = 0;
    if (k->next != TN_KEYS_NONE && kp == &k->pair[k->next]) {
        drop(k, &k->previous);
        k->previous = k->current;
        k->current = k->next;
        k->next = TN_KEYS_NONE;
        k->asked_last_minute = false;
        *news |= TN_KEYS_CONFIRMED;
    }
    if (is_last_minute(k, now_us)) {
        k->asked_last_minute = true;
        *news |= TN_KEYS_WANTS_REKEY;
    }
    return 0;
}

uint64_t tn_keys_youngest_us(const struct tn_keys *k)
{
    const uint8_t role[3] = {k->previous, k->current, k->next};
    uint64_t youngest = TN_NEVER;

    for (size_t i = 0; i < 3; i++) {
        uint64_t birth_us;

        if (role[i] == TN_KEYS_NONE)
            continue;
        birth_us = k->pair[role[i]].session.birth_us;
        if (youngest == TN_NEVER || birth_us > youngest)
            youngest = birth_us;
    }
    return youngest;
}
