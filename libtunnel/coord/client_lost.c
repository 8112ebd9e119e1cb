/* LOST at the member (PROTOCOL.md section 4.4). Anybody can forge one, so all that it does is to bring
 * forward what would have come anyway:
 *
 *   a session, CALL           -> one PING or BEAT now, as if its time had come
 *   a BEAT's LOST, with the   -> it counts as unanswered at once: a new handshake, while the old keys
 *   end of it as an echo         stay in use until there are new ones; a PING gets none
 *   between two attempts      -> the next attempt now; how long the wait after it is does not change
 *
 * The index must be right, and echoes are of datagrams that only who stands on the way has seen. Four
 * are acted on at once, then one in half a minute, or in an hour by who pays for each byte: a
 * day's flood costs such a member 28 BEATs, or 28 handshakes if the forger sees what it sends. */
#include "client_lost.h"

#include <string.h>

#include "client_priv.h"

#define REFILL_US TN_S(30)
#define REFILL_BEATS_US TN_S(3600)

static bool may_act(struct tn_coord_client *c, struct tn_now now)
{
    uint64_t each = tn_coord_beats(c) ? REFILL_BEATS_US : REFILL_US;
    struct tn_coord_lost *l = &c->lost;

    while (l->spent && now.us - l->refill_us >= each) {
        l->spent--;
        l->refill_us += each;
    }
    if (l->spent == TN_COORD_LOST_BURST)
        return false;
    if (!l->spent)
        l->refill_us = now.us;
    l->spent++;
    return true;
}

/* A PING or a BEAT is on its way by that family. */
static bool is_asking(const struct tn_coord_client *c, uint8_t family)
{
    if (tn_coord_beats(c))
        return family == c->home && c->beat.due_us != TN_NEVER && c->beat.tries;
    return c->ping[family].due_us != TN_NEVER && c->ping[family].tries;
}

static int ask_now(struct tn_coord_client *c, struct tn_now now)
{
    if (is_asking(c, c->home) || c->state == TN_COORD_SHAKING)
        return 0; /* one will know soon */
    if (!may_act(c, now))
        return TN_ELIMIT;
    c->lost.is_paid = true;
    tn_coord_client_suspect(c, now);
    return 0;
}

static int try_now(struct tn_coord_client *c, struct tn_now now)
{
    if (c->state != TN_COORD_WAIT)
        return 0;
    if (!may_act(c, now))
        return TN_ELIMIT;
    tn_coord_begin_attempt(c, now);
    return 0;
}

static int give_up_question(struct tn_coord_client *c, struct tn_now now)
{
    if (c->state == TN_COORD_SHAKING)
        return 0;
    if (!c->lost.is_paid && !may_act(c, now))
        return TN_ELIMIT;
    c->lost.is_paid = false;
    tn_coord_begin_attempt(c, now);
    return 0;
}

int tn_coord_on_lost(struct tn_coord_client *c, const struct tn_addr *src, const uint8_t *data,
                     size_t len, struct tn_now now)
{
    const uint8_t *echo;
    uint32_t index;

    if (!tn_ctl_lost_decode(data, len, &index, &echo))
        return TN_EINVAL;
    if (echo ? !tn_coord_beats(c) || !c->session_ok || index != c->session.remote_index
             : !c->lost.own_index || index != c->lost.own_index)
        return TN_EINVAL; /* only a BEAT is answered LOST */
    if (!c->session_ok)
        return try_now(c, now);
    if (echo && tn_addr_family(src) == c->home && is_asking(c, c->home) && !memcmp(echo, c->lost.echo, TN_CTL_ECHO_LEN))
        return give_up_question(c, now);
    return ask_now(c, now);
}
