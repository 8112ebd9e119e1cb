/* TCP simultaneous open (RFC 5128 section 3.4), between two members of which one has no UDP:
 *
 *   the end without UDP                                    the other end
 *     punched, still relayed: TN_TCP_BEGIN
 *     the program finds its own outside address
 *     tn_node_tcp_offer --------- TCP, ask ---------------->  TN_TCP_ASKED: the same there
 *     TN_TCP_ANSWERED  <--------- TCP ----------------------  tn_node_tcp_offer
 *     SYN  ------------------->  both at once  <------------  SYN
 *     tn_node_tcp_opened: PINGs by the connection             the same, or, where only one end's SYN came through,
 *                                                             what comes in is authentic, and a candidate by that
 *
 * The message goes sealed from member to member, by the relay. A member may name any address, as with candidates
 * for UDP: of what may be probed, ports below 1024 are refused besides, where services live to which a few bytes
 * after a connection are a message. A set of attempts that failed is begun again after half a minute, then after
 * twice as long each time, while there is traffic; and a peer is served every 20 s at most. */
#include "node_tcp.h"

#include <string.h>

#include "tcp.h"

#define AGAIN_US TN_S(30)
#define AGAIN_MAX_US TN_S(1800)
#define SERVE_GAP_US TN_S(20)
#define REPEAT_US TN_S(8)  /* so long a question is the same one, repeated */
#define ANSWER_US TN_S(12) /* an answer that comes later is to no question of ours */
#define PORT_MIN 1024

static struct tn_peer *member_at(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    return p && p->is_member && !p->is_device ? p : NULL;
}

static bool is_blocked(const struct tn_node *n)
{
    return n->nat.mapping == TN_NAT_BLOCKED || n->by_stream;
}

/* UDP passes again: what was silent for want of it is tried at once, not after ten minutes. */
static void on_udp_back(struct tn_node *n, struct tn_now now)
{
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = member_at(n, i);

        if (!p)
            continue;
        p->tcp.tries = 0;
        tn_paths_on_udp_back(p->paths, &now);
        tn_path_settle(n, i, now);
    }
}

void tn_tcp_watch_udp(struct tn_node *n, struct tn_now now)
{
    bool by_stream = n->has_coordinator && n->coord.home == TN_FAMILY_STREAM;

    if ((n->has_coordinator && !n->connected) || by_stream == n->by_stream) /* a dead coordinator says nothing of UDP */
        return;
    n->by_stream = by_stream;
    if (!by_stream)
        on_udp_back(n, now);
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_TCP, .peer = TN_NO_PEER, .token = TN_TCP_UDP});
}

void tn_tcp_on_punch(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);
    uint64_t wait_us;

    if (!p || !n->tcp_on || !is_blocked(n) || now.us < p->tcp.not_before_us ||
        tn_paths_via(p->paths) != TN_VIA_RELAY)
        return;
    wait_us = p->tcp.tries < 6 ? AGAIN_US << p->tcp.tries : AGAIN_MAX_US;
    p->tcp.not_before_us = now.us + (wait_us < AGAIN_MAX_US ? wait_us : AGAIN_MAX_US);
    if (p->tcp.tries < UINT8_MAX)
        p->tcp.tries++;
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_TCP, .peer = peer, .token = TN_TCP_BEGIN});
}

/* ---- told and heard ---- */

static void tell(struct tn_node *n, uint32_t peer, bool ask)
{
    struct tn_peer *p = &n->mem.peers[peer];

    p->tcp.tell = true;
    p->tcp.ask = ask;
    if (!p->small)
        tn_sched_want(n, peer, TN_WANTS_TCP);
}

void tn_tcp_on_session(struct tn_node *n, uint32_t peer)
{
    if (n->mem.peers[peer].tcp.tell)
        tn_sched_want(n, peer, TN_WANTS_TCP);
}

bool tn_tcp_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_tcp_msg m = {.ask = p->tcp.ask, .count = p->tcp.own_count};
    struct tn_way way;
    size_t len;

    p->wants &= ~TN_WANTS_TCP;
    if (!p->is_member || !p->tcp.tell)
        return false;
    if (!tn_keys_for_sending(&p->keys, now.us) || !tn_tx_way(n, peer, now, &way))
        return false; /* the next session asks again */
    p->tcp.tell = false;
    memcpy(m.addr, p->tcp.own, sizeof m.addr);
    b->off = TN_BUF_HEADROOM;
    b->len = tn_tcp_encode(&m, tn_buf_data(b));
    len = b->len;
    if (!len || tn_tx_seal(n, peer, b, false, now) || tn_tx_route(n, peer, &way, b, now, route))
        return false;
    tn_paths_on_other_sent(p->paths, &way, len, &now);
    return true;
}

static bool may_connect(const struct tn_node *n, const struct tn_addr *a)
{
    return tn_addr_is_probeable(a) && a->port >= PORT_MIN && !tn_overlay_owns(n, a);
}

static void keep(const struct tn_node *n, struct tn_tcp *t, const struct tn_tcp_msg *m)
{
    t->count = 0;
    for (uint8_t i = 0; i < m->count; i++) {
        if (may_connect(n, &m->addr[i]))
            t->addr[t->count++] = m->addr[i];
    }
}

/* A question that is repeated, since our answer may be lost, is answered again and no more. */
static void on_asked(struct tn_node *n, uint32_t peer, const struct tn_tcp_msg *m, struct tn_now now)
{
    struct tn_tcp *t = &n->mem.peers[peer].tcp;
    bool is_first = !t->served_us || now.us - t->served_us >= SERVE_GAP_US;

    if (!n->tcp_on) {
        t->own_count = 0;
        tell(n, peer, false);
        return;
    }
    if (is_first) {
        t->served_us = now.us;
        t->own_count = 0;
        keep(n, t, m);
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_TCP, .peer = peer, .token = TN_TCP_ASKED});
    } else if (now.us - t->served_us < REPEAT_US && t->own_count) {
        tell(n, peer, false);
    }
}

void tn_tcp_on_told(struct tn_node *n, uint32_t peer, const uint8_t *inner, size_t len, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);
    struct tn_tcp_msg m;

    if (!p || tn_tcp_decode(inner, len, &m)) {
        n->counters.drop_malformed++;
        return;
    }
    if (m.ask) {
        on_asked(n, peer, &m, now);
        return;
    }
    if (!p->tcp.asked_us || now.us - p->tcp.asked_us > ANSWER_US)
        return;
    p->tcp.asked_us = 0;
    keep(n, &p->tcp, &m);
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_TCP, .peer = peer, .token = TN_TCP_ANSWERED});
}

/* ---- the program's side ---- */

void tn_node_set_tcp(struct tn_node *n, bool on)
{
    n->tcp_on = on;
}

int tn_node_tcp_offer(struct tn_node *n, uint32_t peer, const struct tn_addr *list, size_t count, bool ask,
                      struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return TN_ENOENT;
    if (count > TN_TCP_ADDRS_MAX)
        count = TN_TCP_ADDRS_MAX;
    p->tcp.own_count = (uint8_t)count;
    memcpy(p->tcp.own, list, count * sizeof *list);
    if (ask)
        p->tcp.asked_us = now.us;
    tell(n, peer, ask);
    tn_path_settle(n, peer, now);
    return TN_OK;
}

size_t tn_node_tcp_offered(const struct tn_node *n, uint32_t peer, struct tn_addr out[TN_TCP_ADDRS_MAX])
{
    const struct tn_peer *p = tn_peer_look(n, peer);

    if (!p || !p->is_member)
        return 0;
    memcpy(out, p->tcp.addr, p->tcp.count * sizeof *out);
    return p->tcp.count;
}

int tn_node_tcp_opened(struct tn_node *n, uint32_t peer, const struct tn_addr *stream, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);
    bool taken;

    if (!p)
        return TN_ENOENT;
    taken = tn_paths_tcp_opened(p->paths, stream, &now);
    tn_path_settle(n, peer, now);
    return taken ? TN_OK : TN_ENOSPC;
}

void tn_node_tcp_closed(struct tn_node *n, uint32_t peer, const struct tn_addr *stream, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return;
    tn_paths_tcp_closed(p->paths, stream, &now);
    tn_path_settle(n, peer, now);
}
