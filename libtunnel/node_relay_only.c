/* A node that has only the relay, as path/relay_only.c has: in place of node_lan.c, node_nat.c,
 * node_reach.c and node_search.c. It tells nobody an address or a NAT of its own, asks by itself for no
 * dial-back, searches no LAN and no port; of those who do, nothing is wanted. */
#include "node.h"

void tn_reach_refresh(struct tn_node *n, struct tn_now now)
{
}

void tn_reach_announce(struct tn_node *n, struct tn_now now)
{
}

void tn_reach_changed_network(struct tn_node *n, struct tn_now now)
{
}

void tn_reach_tick(struct tn_node *n, struct tn_now now)
{
}

uint64_t tn_reach_deadline(const struct tn_node *n)
{
    return TN_NEVER;
}

/* Only the program asks (tn_node_dial). */
void tn_reach_result(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_DIALLED, .unix_ns = e->seq, .status = e->status});
}

int tn_node_dial(struct tn_node *n, const struct tn_addr *a, uint64_t nonce, struct tn_now now)
{
    return n->member ? tn_coord_client_check(&n->coord, nonce, TN_DIAL_SAME, a, now) : TN_ESTATE;
}

bool tn_reach_dialled(struct tn_node *n, const uint8_t *data, size_t len, struct tn_now now)
{
    return false; /* none was asked for */
}

void tn_nat_on_session(struct tn_node *n, uint32_t peer, struct tn_now now)
{
}

void tn_nat_on_told(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m, struct tn_now now)
{
}

bool tn_nat_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route)
{
    return false;
}

void tn_search_on_punch(struct tn_node *n, uint32_t peer, struct tn_now now)
{
}

void tn_search_tick(struct tn_node *n, uint32_t peer, struct tn_now now)
{
}

uint64_t tn_search_next(const struct tn_peer *p)
{
    return TN_NEVER;
}

bool tn_search_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route)
{
    return false;
}

void tn_lan_coordinator_changed(struct tn_node *n, struct tn_now now)
{
    n->lan_at_us = TN_NEVER;
}

void tn_lan_tick(struct tn_node *n, struct tn_now now)
{
}

bool tn_lan_is_way(const struct tn_node *n, uint32_t peer)
{
    return false;
}
