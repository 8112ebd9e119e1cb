/* The search for a port (path/portsearch.h), between two members of which one is behind a
 * NAT that draws a port for each destination (the *hard* end), and the other behind one that
 * lets in only what it has sent to:
 *
 *   hard end                                     the other end
 *     punched, still relayed: TN_EV_SEARCH
 *     the program's sockets send to the other
 *     tn_node_search_sent --- NAT, search ------>  sends punches to many ports of the hard end's
 *     one comes in: tn_node_search_hit  <--------  address, where one is a socket's
 *     PINGs, through that socket  -------------->  authentic, so that port is a candidate
 *
 * All goes to an address that the coordinator sees the other at, never to one that the peer
 * names, and within a budget of bytes for each search. One that failed is tried again after
 * half a minute, then after twice as long each time, while there is traffic. */
#include "node.h"

#include <string.h>

#define FIRST_US TN_MS(500)     /* after a punch: time to hear what the other's NAT does */
#define WAITS_MAX 8             /* so often, until that is known */
#define AGAIN_US TN_S(30)
#define AGAIN_MAX_US TN_S(1800)
#define SERVE_GAP_US TN_S(20)   /* a peer is not served more often */
#define ACTIVE_US TN_S(5)

/* The peer's outside IPv4 address, as the coordinator sees it. */
static bool find_outside(const struct tn_peer *p, struct tn_addr *out)
{
    int count = TN_PATHS_CAND_MAX;

    for (int i = 0; i < count; i++) {
        const struct tn_cand *c = tn_paths_cand(p->paths, (size_t)i);

        if (c && c->origin == TN_CAND_REFLEXIVE && tn_addr_is_v4(&c->addr) && c->verdict != TN_CAND_REFUSED) {
            *out = c->addr;
            return true;
        }
    }
    return false;
}

void tn_search_on_punch(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_search *s = &n->mem.peers[peer].search;

    if (!n->search_budget || !tn_nat_is_hard(&n->nat) || s->due_us || now.us < s->not_before_us)
        return;
    s->due_us = now.us + FIRST_US;
    s->waits = 0;
}

static bool may_begin(const struct tn_node *n, const struct tn_peer *p, struct tn_search_plan *plan)
{
    return tn_nat_pair(&n->nat, &p->nat) == TN_PAIR_SEARCH && !p->nat.reserved &&
           tn_search_plan(&n->nat, plan) && plan->bytes <= n->search_budget;
}

/* Half a minute, doubling. */
static void set_next(struct tn_search *s, struct tn_now now)
{
    uint64_t wait_us = s->tries < 6 ? AGAIN_US << s->tries : AGAIN_MAX_US;

    s->not_before_us = now.us + (wait_us < AGAIN_MAX_US ? wait_us : AGAIN_MAX_US);
    if (s->tries < UINT8_MAX)
        s->tries++;
}

static bool is_relayed(const struct tn_peer *p)
{
    uint8_t via = tn_paths_via(p->paths);

    return via == TN_VIA_RELAY || via == TN_VIA_MEMBER;
}

static void begin(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_search_plan plan;
    struct tn_addr to;

    if (p->nat.mapping == TN_NAT_UNKNOWN && ++p->search.waits < WAITS_MAX) {
        p->search.due_us = now.us + FIRST_US;
        return;
    }
    if (!may_begin(n, p, &plan) || !is_relayed(p) || !find_outside(p, &to))
        return;
    set_next(&p->search, now);
    p->search.sent += 2u * plan.sockets;
    tn_event_push(n, &(struct tn_event){
                         .kind = TN_EV_SEARCH, .peer = peer, .addr = to, .token = plan.sockets});
}

void tn_search_tick(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (p->search.due_us && p->search.due_us <= now.us) {
        p->search.due_us = 0;
        begin(n, peer, now);
    }
    if (tn_portsearch_is_on(&p->search.probe) && p->search.probe.next_us <= now.us)
        tn_sched_want(n, peer, TN_WANTS_SEARCH);
}

uint64_t tn_search_next(const struct tn_peer *p)
{
    uint64_t at = p->search.due_us ? p->search.due_us : TN_NEVER;

    if (tn_portsearch_is_on(&p->search.probe) && p->search.probe.next_us < at)
        at = p->search.probe.next_us;
    return at;
}

/* The peer's sockets have sent: we look for them. */
void tn_search_serve(struct tn_node *n, uint32_t peer, uint16_t port, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_addr to;

    if (tn_nat_pair(&n->nat, &p->nat) != TN_PAIR_SEARCH || tn_nat_is_hard(&n->nat) ||
        (p->search.served_us && now.us - p->search.served_us < SERVE_GAP_US) || !find_outside(p, &to))
        return;
    if (!tn_portsearch_begin(&p->search.probe, &p->nat, &to, port, n->search_budget, &n->rng, &now))
        return;
    p->search.served_us = now.us;
    tn_sched_want(n, peer, TN_WANTS_SEARCH);
}

bool tn_search_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                    struct tn_route *route)
{
    static const uint8_t datagram[4] = {TN_CTL_PUNCH};
    struct tn_peer *p = &n->mem.peers[peer];

    if (tn_paths_via(p->paths) == TN_VIA_DIRECT)
        tn_portsearch_stop(&p->search.probe);
    if (!tn_portsearch_poll(&p->search.probe, &now, &route->to)) {
        p->wants &= ~TN_WANTS_SEARCH; /* the next is due later */
        return false;
    }
    p->search.sent++;
    b->off = TN_BUF_HEADROOM;
    b->len = sizeof datagram;
    memcpy(tn_buf_data(b), datagram, sizeof datagram);
    route->ttl = 0;
    return true;
}

/* ---- the program's side ---- */

void tn_node_set_search(struct tn_node *n, uint32_t budget)
{
    n->search_budget = budget;
}

void tn_node_search_sent(struct tn_node *n, uint32_t peer, uint16_t port, struct tn_now now)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p || !p->is_member)
        return;
    p->search.tell = true;
    p->search.port = port;
    tn_sched_want(n, peer, TN_WANTS_NAT);
    tn_path_settle(n, peer, now);
}

void tn_node_search_hit(struct tn_node *n, uint32_t peer, const struct tn_addr *addr, struct tn_now now)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p || !p->is_member)
        return;
    p->search.hits++;
    tn_paths_found(p->paths, addr, &now);
    tn_path_settle(n, peer, now);
}
