/* Dial-back (PROTOCOL.md section 4.2): a member asks whether a datagram that it did
 * not ask a NAT for reaches one of its own addresses. The coordinator sends a
 * dozen bytes there: from where the member speaks to, from another port, from another
 * address, as asked for and as far as the program has such sockets.
 *
 * It cannot be turned on a third party. Only members may ask; the address must be the
 * very one that the request came from, and only its port is the member's to choose; the
 * request weighs at least as much as all that it causes; and it costs as much of the
 * session's budget as a JOIN, so five a second go on. */
#include <string.h>

#include "server_priv.h"

/* One datagram; number n lies in the server until the next call. */
static void dial(struct tn_server *s, struct tn_server_in *in, unsigned n, uint8_t from,
                 const struct tn_msg *m)
{
    tn_ctl_dial_encode(from, m->nonce, s->dial[n]);
    tn_server_emit(in, in->port, &m->observed, s->dial[n], TN_CTL_DIAL_LEN);
    in->out[in->out_count - 1].turn = from == TN_DIAL_SAME ? 0 : from;
    s->counter.dials++;
}

void tn_server_do_check(struct tn_server *s, struct tn_server_in *in, const struct tn_msg *m,
                        struct tn_msg *a)
{
    s->counter.checks++;
    if (!tn_addr_same_ip(&m->observed, in->src) || !tn_addr_is_probeable(&m->observed)) {
        a->status = TN_STATUS_ELSEWHERE;
        return;
    }
    /* not a stream, since its address may not be probed */
    a->from = m->from & (s->cfg.dial_from[tn_addr_family(in->src)] | TN_DIAL_SAME);
    for (unsigned n = 0; n < 3; n++) {
        if (a->from & 1u << n)
            dial(s, in, n, (uint8_t)(1u << n), m);
    }
}
