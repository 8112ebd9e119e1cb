/* A stream that breaks off. TCP doubles its pauses from a fifth of a second on, so a path that
 * has died must be left before the second one: there is no time for heartbeats.
 *
 * While data is sent, a look each 100 ms counts what came in on the way in use. Where a
 * stream came in at the last look and nothing since, that way gets a PING at once, at both ends,
 * and the coordinator is asked too: its answer tells whether the NAT in front of us
 * has moved. A conversation of single packets is silent as often as not: it is left to
 * TN_HUSH, which asks when data is sent again. */
#include "paths_priv.h"

static struct tn_probe *way_in_use(struct tn_paths *p)
{
    return p->best >= 0 ? &p->cand[p->best] : &p->relay;
}

static void look_again(struct tn_paths *p, const struct tn_now *now)
{
    p->flow.due_us = now->us + TN_FLOW_TICK_US;
    if (p->flow.due_us < p->next_us)
        p->next_us = p->flow.due_us;
}

void tn_flow_on_sent(struct tn_paths *p, const struct tn_now *now)
{
    if (p->flow.due_us != TN_NEVER || !p->session_up || p->cfg.relay_only)
        return;
    p->flow.of = p->best;
    p->flow.packets = way_in_use(p)->c.in_packets;
    p->flow.runs = false;
    look_again(p, now);
}

void tn_flow_heard(struct tn_paths *p, const struct tn_probe *pr)
{
    if (pr == way_in_use(p))
        p->flow.broke = false;
}

static void on_break(struct tn_paths *p, struct tn_probe *pr, const struct tn_now *now)
{
    p->flow.broke = true;
    if (pr->row[TN_ROW_ANSWER] == TN_NEVER && now->us - pr->ping_us >= TN_FLOW_TICK_US)
        pr->small_due = true;
}

void tn_flow_tick(struct tn_paths *p, const struct tn_now *now)
{
    struct tn_probe *pr = way_in_use(p);
    uint64_t came = pr->c.in_packets - p->flow.packets;
    bool is_same = p->flow.of == p->best;

    if (!tn_deadline_take(&p->flow.due_us, now->us) || !p->session_up)
        return;
    if (is_same && came == 0 && p->flow.runs)
        on_break(p, pr, now);
    if (came == 0 && now->us - p->data_us >= TN_FLOW_TICK_US)
        return; /* a pause; the next data begins anew */
    p->flow.runs = is_same && came >= TN_FLOW_PACKETS;
    p->flow.of = p->best;
    p->flow.packets = pr->c.in_packets;
    look_again(p, now);
}
