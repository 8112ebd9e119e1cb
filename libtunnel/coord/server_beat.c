/* BEATs at the coordinator (PROTOCOL.md section 4.3): a session is found by index, the tag must be
 * right, and then it counts as any authentic message does: as a sign of life, and for where the
 * member is seen. It also says how long the member will be silent, and so how long the session may
 * live. The answer is 4 bytes longer than the question; both are authentic, and a question is taken once. */
#include "beat.h"
#include "server_priv.h"

#define SPARE_US TN_S(75) /* behind the next BEAT: its repetitions, and a new handshake */
#define MISSED 2          /* so many may be lost for good */
#define INTERVAL_MAX_S 7200u

static void answer(struct tn_server *s, struct tn_server_in *in, struct tn_server_session *x)
{
    uint8_t observed[TN_CTL_OBSERVED_LEN];

    tn_ctl_observed(in->src, observed);
    if (tn_ctl_beat_answer_create(&x->keys, observed, s->scratch[0]))
        return;
    tn_server_emit(in, in->port, in->src, s->scratch[0], TN_CTL_BEAT_ANSWER_LEN);
}

void tn_server_on_beat(struct tn_server *s, struct tn_server_in *in)
{
    uint32_t slot;
    struct tn_server_session *x;
    struct tn_server_seen *seen;
    uint16_t interval_s;
    int err;

    if (in->len != TN_CTL_BEAT_LEN) {
        s->counter.drop_garbage++;
        return;
    }
    slot = tn_server_by_index(s, tn_ctl_beat_index(in->data));
    if (slot == TN_SERVER_NONE || !tn_server_is_live(s, &s->mem.session[slot], in->now)) {
        s->counter.drop_no_session++;
        tn_server_tell_lost(s, in, tn_ctl_beat_index(in->data));
        return;
    }
    x = &s->mem.session[slot];
    err = tn_ctl_beat_consume(&x->keys, in->data, in->len, &interval_s);
    if (err) {
        if (err == TN_EREPLAY)
            s->counter.drop_replay++;
        else
            s->counter.drop_auth++;
        return;
    }
    if (interval_s > INTERVAL_MAX_S)
        interval_s = INTERVAL_MAX_S;
    if (x->state == TN_SERVER_MEMBER) /* a guest has no reason to be quiet */
        x->life_us = MISSED * TN_S(interval_s) + SPARE_US;
    x->heard_us = in->now.us;
    x->home = tn_addr_family(in->src);
    seen = &x->seen[x->home];
    seen->addr = *in->src;
    seen->port = in->port;
    seen->at_us = in->now.us;
    s->counter.beats++;
    if (tn_server_bucket_take(&x->requests, in->now.us, TN_SERVER_UNITS_PER_S, TN_SERVER_UNITS_BURST, 1))
        answer(s, in, x);
    else
        s->counter.drop_request_rate++;
}
