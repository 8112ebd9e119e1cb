/* Members tell each other what the NAT in front of them does (link message NAT), so that
 * both know whether punching can work, and people can be told why not. It goes once in
 * each session, and again when it changes; one that is lost is not missed for long, since
 * whoever hears the other's in a session in which he has not told his own tells it then.
 *
 * Nothing is told to or by a device: it pays for each byte, and is relayed anyway. */
#include "node.h"

#include <string.h>

static bool is_told(const struct tn_node *n, const struct tn_peer *p)
{
    return p->is_member && !p->small && n->nat.mapping != TN_NAT_UNKNOWN;
}

static void want(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (is_told(n, p) && !p->nat_told)
        tn_sched_want(n, peer, TN_WANTS_NAT);
}

/* A path to or from a metered link is kept open by data alone. */
static void settle_beat(const struct tn_node *n, uint32_t peer, struct tn_now now)
{
    const struct tn_peer *p = &n->mem.peers[peer];

    if (p->is_member)
        tn_paths_set_idle_beat(p->paths, n->nat.reserved || p->nat.reserved ? UINT64_MAX : 0, &now);
}

void tn_nat_on_session(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    n->mem.peers[peer].nat_told = false;
    settle_beat(n, peer, now);
    want(n, peer);
}

void tn_nat_on_told(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m, struct tn_now now)
{
    n->mem.peers[peer].nat = m->nat;
    settle_beat(n, peer, now);
    want(n, peer);
    if (m->search)
        tn_search_serve(n, peer, m->port, now);
}

bool tn_nat_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                 struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_link_msg m = {.type = TN_LINK_NAT, .size = TN_LINK_MIN_LEN, .nat = n->nat,
                            .search = p->search.tell, .port = p->search.port};
    struct tn_way way;

    p->wants &= ~TN_WANTS_NAT;
    if (!is_told(n, p) || !tn_keys_for_sending(&p->keys, now.us) || !tn_tx_way(n, peer, now, &way))
        return false; /* the next session asks again */
    p->nat_told = true;
    p->search.tell = false;
    return tn_path_send_link(n, peer, &m, &way, b, now, route);
}

void tn_node_set_nat(struct tn_node *n, const struct tn_nat *nat, struct tn_now now)
{
    if (memcmp(&n->nat, nat, sizeof *nat) == 0)
        return;
    n->nat = *nat;
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (p)
            settle_beat(n, i, now);
        if (!p || !p->is_member || !tn_keys_for_sending(&p->keys, now.us))
            continue;
        p->nat_told = false;
        want(n, i);
    }
}
