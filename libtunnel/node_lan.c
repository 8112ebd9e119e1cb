/* Members of one LAN find each other while the coordinator is away (PROTOCOL.md section 9).
 *
 * What is multicast is a WireGuard initiation, nothing else: only the member for whom it is can read who sent
 * it, its stamp makes a copy of it worthless, and its answer goes straight to where it came from. So the
 * search is the handshake, and no key or message had to be invented for it.
 *
 * It begins when there has been no coordinator for half a second, so that at a start the relay, if
 * there is one, goes first; and it takes the place of a way: whoever has a path, or the relay, is not
 * searched. An initiation that went to the LAN still counts as blocked, so that it goes again by the relay
 * as soon as that is up. */
#include "node.h"

#define LAN_AFTER_US TN_MS(500)

void tn_lan_coordinator_changed(struct tn_node *n, struct tn_now now)
{
    n->lan_open = false;
    n->lan_at_us = n->lan && !n->connected ? now.us + LAN_AFTER_US : TN_NEVER;
}

void tn_node_set_lan(struct tn_node *n, bool on, struct tn_now now)
{
    n->lan = on;
    tn_lan_coordinator_changed(n, now);
}

void tn_lan_tick(struct tn_node *n, struct tn_now now)
{
    if (now.us < n->lan_at_us)
        return;
    n->lan_at_us = TN_NEVER;
    n->lan_open = true;
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p || !p->blocked || !tn_lan_is_way(n, i))
            continue;
        tn_timers_stop(&p->timers);
        tn_tx_want_handshake(n, i, now);
        tn_path_settle(n, i, now);
    }
}

bool tn_lan_is_way(const struct tn_node *n, uint32_t peer)
{
    const struct tn_peer *p = &n->mem.peers[peer];

    return n->lan_open && p->is_member && !p->is_device;
}
