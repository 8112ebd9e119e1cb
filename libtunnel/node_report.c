/* Reports go end to end, in WireGuard sessions that are there anyway: an idle device spends no byte on
 * them, and the coordinator learns nothing. A peer is told when a session with it is new, at most every
 * ten minutes, and when the device's budget gets low, or is not low any more. One that is lost is not
 * missed for long. Nobody is believed but a device, and only of itself. */
#include "node_report.h"

#define GAP_US TN_S(600)

static bool is_told(const struct tn_node *n, const struct tn_peer *p)
{
    return n->has_report && p->is_member && !p->is_device;
}

void tn_report_on_session(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    const struct tn_peer *p = &n->mem.peers[peer];

    if (is_told(n, p) && (!p->report_us || now.us - p->report_us >= GAP_US))
        tn_sched_want(n, peer, TN_WANTS_REPORT);
}

void tn_report_on_told(struct tn_node *n, uint32_t peer, const uint8_t *inner, size_t len, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (!p->is_device || tn_report_decode(inner, len, &p->report)) {
        n->counters.drop_malformed++;
        return;
    }
    p->report_us = now.us;
}

bool tn_report_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                    struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_way way;

    p->wants &= ~TN_WANTS_REPORT;
    if (!is_told(n, p) || !tn_keys_for_sending(&p->keys, now.us) || !tn_tx_way(n, peer, now, &way))
        return false; /* the next session asks again */
    b->off = TN_BUF_HEADROOM;
    b->len = TN_REPORT_LEN;
    tn_report_encode(&n->report, tn_buf_data(b));
    if (tn_tx_seal(n, peer, b, false, now) || tn_tx_route(n, peer, &way, b, now, route))
        return false;
    p->report_us = now.us;
    return true;
}

void tn_node_set_report(struct tn_node *n, const struct tn_report *r, struct tn_now now)
{
    bool is_news = n->has_report && n->report.is_low != r->is_low;

    n->report = *r;
    n->has_report = true;
    for (uint32_t i = 0; is_news && i < n->mem.peer_cap; i++) {
        const struct tn_peer *p = tn_peer_look(n, i);

        if (p && is_told(n, p) && tn_keys_for_sending(&n->mem.peers[i].keys, now.us))
            tn_sched_want(n, i, TN_WANTS_REPORT);
    }
}
