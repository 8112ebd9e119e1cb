/* Wishes become datagrams, one a call, in the caller's buffer: first the rest of a
 * packet that was split, then what is ready (responses, cookies), answers owed (PONG),
 * the coordinator's control messages, and each peer with something to send, in turn. */
#include "node.h"

#include <string.h>

#include "node_report.h"
#include "node_small.h"
#include "node_tcp.h"

#define STAMP_AHEAD_NS (600ull * 1000000000u) /* a persisted ceiling lasts ten minutes */
#define STAMP_MARGIN_NS (60ull * 1000000000u)

void tn_out_push(struct tn_node *n, uint32_t peer, const struct tn_way *way, const uint8_t *msg,
                 size_t len)
{
    struct tn_outbox_item *item;

    if (n->outbox_count == TN_OUTBOX_LEN || len > sizeof item->data)
        return;
    item = &n->outbox[(n->outbox_head + n->outbox_count++) % TN_OUTBOX_LEN];
    memcpy(item->data, msg, len);
    item->len = (uint8_t)len;
    item->way = *way;
    item->peer = peer;
}

static void begin(struct tn_buf *b, const uint8_t *data, size_t len)
{
    b->off = TN_BUF_HEADROOM;
    b->len = len;
    if (len)
        memcpy(tn_buf_data(b), data, len);
}

static bool poll_outbox(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                        struct tn_route *route)
{
    while (n->outbox_count) {
        struct tn_outbox_item *item = &n->outbox[n->outbox_head];

        n->outbox_head = (n->outbox_head + 1) % TN_OUTBOX_LEN;
        n->outbox_count--;
        begin(b, item->data, item->len);
        if (!tn_peer_at(n, item->peer)) { /* a cookie: to where the question came from */
            *route = (struct tn_route){.to = item->way.addr};
            return true;
        }
        if (!tn_tx_route(n, item->peer, &item->way, b, now, route))
            return true;
    }
    return false;
}

static bool poll_coordinator(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                             struct tn_route *route)
{
    if (!n->has_coordinator)
        return false;
    begin(b, NULL, 0);
    route->ttl = 0;
    b->len = tn_coord_client_poll_out(&n->coord, now, tn_buf_data(b), b->cap - b->off, &route->to);
    return b->len != 0;
}

/* Asks for a higher ceiling in good time, once. */
static void watch_stamp(struct tn_node *n, struct tn_now now)
{
    if (n->stamp_asked || !tn_stamp_is_low(&n->stamp, now.unix_ns, STAMP_MARGIN_NS))
        return;
    n->stamp_asked = true;
    tn_event_push(n, &(struct tn_event){
                         .kind = TN_EV_STAMP,
                         .unix_ns = tn_stamp_wanted(&n->stamp, now.unix_ns, STAMP_AHEAD_NS),
                     });
}

static bool poll_initiation(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                            struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint8_t stamp[TN_WG_STAMP_LEN];
    struct tn_way way;
    bool has_way = tn_tx_way(n, peer, now, &way), lan = !has_way && tn_lan_is_way(n, peer);

    watch_stamp(n, now);
    if ((has_way || lan) && tn_stamp_next(&n->stamp, now.unix_ns, stamp))
        return false; /* stays wished for, until the program has stored a ceiling */
    p->wants &= ~TN_WANTS_INITIATION;
    tn_timers_handshake_initiated(&p->timers, &n->rng, now.us);
    p->blocked = !has_way;
    if (!has_way && !lan)
        return false;
    begin(b, NULL, 0);
    if (tn_noise_create_initiation(&n->local, &p->hs, &n->rng, stamp, tn_peer_new_index(n, peer),
                                   tn_buf_data(b)))
        return false;
    b->len = TN_WG_INITIATION_LEN;
    tn_cookie_add_macs(&p->cookie, tn_buf_data(b), b->len, now.us);
    tn_timers_any_authenticated_sent(&p->timers);
    tn_timers_any_authenticated_traversal(&p->timers, now.us);
    if (lan)
        way = (struct tn_way){.via = TN_VIA_DIRECT, .addr = tn_addr_lan()};
    return !tn_tx_route(n, peer, &way, b, now, route);
}

static bool poll_keepalive(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                           struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_way way;

    p->wants &= ~TN_WANTS_KEEPALIVE;
    begin(b, NULL, 0);
    if (!tn_tx_way(n, peer, now, &way))
        return false;
    if (tn_tx_seal(n, peer, b, false, now)) {
        tn_tx_want_handshake(n, peer, now);
        return false;
    }
    return !tn_tx_route(n, peer, &way, b, now, route);
}

static bool poll_peer(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                      struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if ((p->wants & TN_WANTS_KEEPALIVE) && poll_keepalive(n, peer, b, now, route))
        return true;
    if ((p->wants & TN_WANTS_INITIATION) && poll_initiation(n, peer, b, now, route))
        return true;
    if ((p->wants & TN_WANTS_PING) && tn_path_poll_ping(n, peer, b, now, route))
        return true;
    if ((p->wants & TN_WANTS_NAT) && tn_nat_poll(n, peer, b, now, route))
        return true;
    if ((p->wants & TN_WANTS_REPORT) && tn_report_poll(n, peer, b, now, route))
        return true;
    if ((p->wants & TN_WANTS_SEARCH) && tn_search_poll(n, peer, b, now, route))
        return true;
    if (TN_PATHS_PER_FAMILY > 0 && (p->wants & TN_WANTS_TCP) && tn_tcp_poll(n, peer, b, now, route))
        return true;
    return (p->wants & TN_WANTS_PATHS) && tn_path_poll(n, peer, b, now, route);
}

/* An initiation that waits for a stamp keeps its wish but not its place, else this would spin. */
static bool poll_peers(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route)
{
    uint32_t peer;

    while ((peer = tn_sched_next_ready(n)) != TN_NO_PEER) {
        bool sent = poll_peer(n, peer, b, now, route);

        tn_path_settle(n, peer, now);
        if (sent) {
            tn_sched_want(n, peer, 0);
            return true;
        }
    }
    return false;
}

bool tn_poll_out(struct tn_node *n, struct tn_buf *b, struct tn_now now, struct tn_route *route)
{
    tn_path_settle_rest(n);
    return tn_small_poll_rest(n, b, now, route) || poll_outbox(n, b, now, route) ||
           tn_path_poll_pong(n, b, now, route) || poll_coordinator(n, b, now, route) ||
           poll_peers(n, b, now, route);
}

bool tn_node_goodbye(struct tn_node *n, struct tn_buf *b, struct tn_now now, struct tn_route *route)
{
    if (!n->has_coordinator)
        return false;
    b->off = TN_BUF_HEADROOM;
    route->ttl = 0;
    b->len = tn_coord_client_bye(&n->coord, now, tn_buf_data(b), b->cap - b->off, &route->to);
    return b->len != 0;
}
