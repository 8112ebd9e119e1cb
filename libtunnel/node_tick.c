/* Expired deadlines become wishes. The earliest deadline of all is named, so
 * that a busy loop explains itself in one log line. */
#include "node.h"

static const char *const timer_name[] = {
    [TN_TIMER_RETRANSMIT] = "handshake retransmission",
    [TN_TIMER_KEEPALIVE] = "keepalive",
    [TN_TIMER_NEW_HANDSHAKE] = "new handshake",
    [TN_TIMER_ZERO_KEYS] = "key removal",
    [TN_TIMER_PERSISTENT] = "persistent keepalive",
};
_Static_assert(sizeof timer_name / sizeof timer_name[0] == TN_TIMER_COUNT, "a name for each timer");

static void tick_peer(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    unsigned wishes = tn_timers_expire(&p->timers, now.us);

    tn_keys_expire(&p->keys, now.us);
    if (wishes & TN_WISH_GIVE_UP)
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_GAVE_UP, .peer = peer});
    if (wishes & TN_WISH_ZERO_KEYS) {
        tn_noise_clear(&p->hs);
        tn_keys_wipe(&p->keys);
        tn_path_on_session(n, peer, false, now);
    }
    tn_sched_want(n, peer, wishes & (TN_WANTS_INITIATION | TN_WANTS_KEEPALIVE));
    tn_path_tick(n, peer, now);
    tn_path_settle(n, peer, now);
}

void tn_tick(struct tn_node *n, struct tn_now now)
{
    uint32_t budget = n->mem.peer_cap;
    uint32_t peer;

    tn_path_settle_rest(n);
    while (budget-- && (peer = tn_sched_first(n)) != TN_NO_PEER &&
           n->mem.peers[peer].due_us <= now.us)
        tick_peer(n, peer, now);
    tn_lan_tick(n, now);
    if (!n->has_coordinator)
        return;
    tn_coord_client_tick(&n->coord, now);
    tn_reach_tick(n, now);
    tn_overlay_drain(n, now);
}

uint64_t tn_next_deadline(const struct tn_node *n, const char **name)
{
    uint32_t peer = tn_sched_first(n);
    uint64_t at = TN_NEVER;
    const char *what = "nothing";
    size_t timer;

    if (n->unsettled != TN_NO_PEER) {
        at = n->unsettled_now.us;
        what = "packets that nobody polled for";
    } else if (peer != TN_NO_PEER) {
        const struct tn_peer *p = &n->mem.peers[peer];

        at = p->due_us;
        what = "path";
        if (tn_timers_next(&p->timers, &timer) == at && at != TN_NEVER)
            what = timer_name[timer];
    }
    if (n->lan_at_us < at) {
        at = n->lan_at_us;
        what = "LAN";
    }
    if (n->has_coordinator) {
        const char *row = NULL;
        uint64_t coord_at = tn_coord_client_next_deadline(&n->coord, &row);

        if (coord_at < at) {
            at = coord_at;
            what = row;
        }
        if (tn_reach_deadline(n) < at) {
            at = tn_reach_deadline(n);
            what = "dial-back";
        }
    }
    if (name)
        *name = what;
    return at;
}
