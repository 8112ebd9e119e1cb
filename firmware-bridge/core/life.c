/* The lifetime of the carrier's mapping, learned on a second socket (path/natlife.h says which pause to try
 * next), and the keepalive that follows from it.
 *
 *        ASK                      QUIET                 KNOCK
 *   a fresh socket asks STUN  ->  nothing passes   ->   the coordinator is asked, through the control
 *   twice: this is its mapping    for so long           session, to dial the mapping: what comes, or
 *                                                       does not come in 3 s, is the result
 *
 * The control session's own mapping is never at risk: its keepalive is 19/20 of the longest pause that
 * a mapping is known to have outlived, 25 s until there is one. When a BEAT comes back saying that our
 * port has changed, the mapping died sooner than we believed: half of the pause counts as outlived, and
 * the search goes on from there. What was learned is kept for each carrier and APN. */
#include "inside.h"

#include <string.h>

#include "libtunnel/base/cursor.h"
#include "libtunnel/coord/msg.h"

#define UNKNOWN_S 25u
#define ANSWER_US TN_S(3) /* for STUN, and for a dial-back */
#define TRIES 3
#define PAUSE_US TN_S(30) /* between a trial that came to nothing and the next */

static struct bridge_life *life_of(struct bridge *b)
{
    return &b->life;
}

static struct tn_natlife *known(struct bridge *b)
{
    return &b->life.carrier[0].life;
}

static uint32_t within_lifetime_s(const struct bridge *b)
{
    uint32_t alive_s = b->life.carrier[0].life.alive_s;

    if (!alive_s)
        return b->life.carrier[0].life.dead_s ? 1 + b->life.carrier[0].life.dead_s / 4 : UNKNOWN_S;
    return alive_s - alive_s / 20 > 1 ? alive_s - alive_s / 20 : 1;
}

uint32_t bridge_life_keepalive_s(const struct bridge *b)
{
    return bridge_budget_keepalive_s(b, within_lifetime_s(b));
}

static void apply(struct bridge *b, uint64_t now_us)
{
    tn_node_set_keepalive(&b->node, TN_S(bridge_life_keepalive_s(b)), bridge_now(now_us));
    bridge_settings_save(b);
}

/* ---- carriers ---- */

/* The present carrier moves to the front; the one not seen for longest makes room. */
void bridge_set_carrier(struct bridge *b, const char *name, size_t len, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);
    struct bridge_carrier found = {0};
    size_t at = 0;

    tn_blake2s(found.id, sizeof found.id, NULL, 0, name, len);
    while (at < l->count && memcmp(l->carrier[at].id, found.id, sizeof found.id))
        at++;
    if (at < l->count)
        found = l->carrier[at];
    else if (l->count < BRIDGE_CARRIERS)
        l->count++;
    else
        at = BRIDGE_CARRIERS - 1;
    if (at == 0 && l->count && !memcmp(l->carrier[0].id, found.id, sizeof found.id))
        return;
    memmove(&l->carrier[1], &l->carrier[0], at * sizeof l->carrier[0]);
    l->carrier[0] = found;
    l->gave_up = false;
    l->state = BRIDGE_TRIAL_NONE;
    apply(b, now_us);
}

void bridge_use_probe_socket(struct bridge *b, bool is_there)
{
    b->life.probes = is_there;
    if (!is_there)
        b->life.state = BRIDGE_TRIAL_NONE;
}

void bridge_life_on_lost(struct bridge *b, uint64_t now_us)
{
    uint32_t pause_s = within_lifetime_s(b);

    if (b->life.was_silent) {
        b->life.was_silent = b->budget.level == BRIDGE_SPENT;
        return;
    }
    known(b)->alive_s = pause_s / 2;
    known(b)->dead_s = pause_s > 1 ? pause_s : 2;
    apply(b, now_us);
}

/* ---- a trial ---- */

static void ask(struct bridge *b, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);

    tn_rng_bytes(&b->node.rng, l->txid, sizeof l->txid);
    l->out = true;
    l->due_us = now_us + ANSWER_US;
}

static void give_up(struct bridge *b, uint64_t now_us)
{
    b->life.state = BRIDGE_TRIAL_NONE;
    b->life.due_us = now_us + PAUSE_US;
}

static void begin(struct bridge *b, uint32_t trial_s, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);

    l->state = BRIDGE_TRIAL_ASK;
    l->trial_s = (uint16_t)trial_s;
    l->answers = l->tries = 0;
    l->fresh = true;
    ask(b, now_us);
}

static void knock(struct bridge *b, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);

    if (l->state != BRIDGE_TRIAL_KNOCK)
        tn_rng_bytes(&b->node.rng, &l->nonce, sizeof l->nonce);
    l->state = BRIDGE_TRIAL_KNOCK;
    l->tries++;
    l->due_us = TN_NEVER; /* until the coordinator says that it has sent */
    if (tn_node_dial(&b->node, &l->mapped, l->nonce, bridge_now(now_us)))
        give_up(b, now_us);
}

static void finish(struct bridge *b, bool is_alive, uint64_t now_us)
{
    tn_natlife_result(known(b), b->life.trial_s, is_alive);
    b->life.state = BRIDGE_TRIAL_NONE;
    b->life.due_us = now_us;
    apply(b, now_us);
}

void bridge_life_on_dialled(struct bridge *b, uint64_t nonce, uint8_t status, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);

    if (l->state != BRIDGE_TRIAL_KNOCK || nonce != l->nonce)
        return;
    if (status == TN_STATUS_OK) {
        l->due_us = now_us + ANSWER_US;
        return;
    }
    l->gave_up = status == TN_STATUS_ELSEWHERE; /* each socket has another outside address */
    give_up(b, now_us);
}

static void due(struct bridge *b, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);

    switch (l->state) {
    case BRIDGE_TRIAL_ASK:
        if (++l->tries < TRIES)
            ask(b, now_us);
        else
            give_up(b, now_us);
        break;
    case BRIDGE_TRIAL_QUIET:
        l->tries = 0;
        knock(b, now_us);
        break;
    case BRIDGE_TRIAL_KNOCK: /* the dial-back may have been lost on the way: once more */
        if (l->tries < 2)
            knock(b, now_us);
        else
            finish(b, false, now_us);
        break;
    default:
        break;
    }
}

static bool may_try(const struct bridge *b)
{
    return b->life.probes && !b->life.gave_up && b->node.member && b->budget.level == BRIDGE_FINE;
}

void bridge_life_tick(struct bridge *b, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);
    uint32_t trial_s;

    if (l->state != BRIDGE_TRIAL_NONE) {
        if (l->due_us <= now_us)
            due(b, now_us);
        return;
    }
    if (l->due_us > now_us || !may_try(b))
        return;
    trial_s = tn_natlife_next_s(known(b));
    if (trial_s)
        begin(b, trial_s, now_us);
    else
        l->due_us = TN_NEVER;
}

uint64_t bridge_life_deadline(const struct bridge *b)
{
    const struct bridge_life *l = &b->life;

    if (l->state != BRIDGE_TRIAL_NONE)
        return l->due_us;
    return may_try(b) && tn_natlife_next_s(&l->carrier[0].life) ? l->due_us : TN_NEVER;
}

/* ---- the probe socket ---- */

bool bridge_poll_probe(struct bridge *b, struct bridge_out *out, bool *is_fresh)
{
    struct bridge_life *l = life_of(b);

    if (!l->out)
        return false;
    *is_fresh = l->fresh;
    l->fresh = l->out = false;
    out->to = tn_addr_is_zero(&b->node.coordinator.v4) ? b->node.coordinator.v6
                                                       : b->node.coordinator.v4;
    out->len = tn_stun_request(!tn_addr_is_v4(&out->to), l->txid, l->datagram, sizeof l->datagram);
    out->data = l->datagram;
    b->tx_bytes += out->len + BRIDGE_IP_UDP_LEN;
    return true;
}

void bridge_on_probe(struct bridge *b, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct bridge_life *l = life_of(b);
    uint8_t from, nonce[TN_DIAL_NONCE_LEN];

    b->rx_bytes += len + BRIDGE_IP_UDP_LEN;
    if (l->state == BRIDGE_TRIAL_ASK && tn_stun_is_message(data, len)) {
        if (tn_stun_consume_answer(data, len, l->txid, &l->mapped))
            return;
        l->tries = 0;
        if (++l->answers < 2) {
            ask(b, now_us);
            return;
        }
        l->state = BRIDGE_TRIAL_QUIET;
        l->due_us = now_us + TN_S(l->trial_s);
    } else if (l->state == BRIDGE_TRIAL_KNOCK && tn_ctl_dial_decode(data, len, &from, nonce) &&
               tn_get_be64(nonce) == l->nonce) {
        finish(b, true, now_us);
    }
}
