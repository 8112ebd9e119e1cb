/* The paths of a member, joined to its WireGuard session: link messages are
 * sealed and opened here, path/ decides what to send where and when. A plain
 * peer has no paths: all of this passes it by. */
#include "node.h"

#include <string.h>

#include "node_small.h"
#include "node_tcp.h"
#include "node_via.h"

static struct tn_peer *member_at(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = tn_peer_at(n, peer);

    return p && p->is_member ? p : NULL;
}

static enum tn_path_kind kind_of(uint8_t via)
{
    if (via == TN_VIA_DIRECT)
        return TN_PATH_DIRECT;
    if (TN_VIA_RELAYS > 0 && via == TN_VIA_MEMBER)
        return TN_PATH_MEMBER;
    return via == TN_VIA_RELAY ? TN_PATH_RELAY : TN_PATH_NONE;
}

/* A direct path is lost, or looked for by one of us: does our mapped port still forward? */
static void doubt_mapping(struct tn_node *n, struct tn_now now)
{
    if (TN_PATHS_PER_FAMILY > 0)
        tn_reach_doubt(&n->reach, &now);
}

static void report(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_path_event e;

    while (tn_paths_take_event(p->paths, &e)) {
        if (e.mtu != p->mtu) {
            p->mtu = e.mtu;
            tn_event_push(n, &(struct tn_event){.kind = TN_EV_MTU, .peer = peer});
        }
        if (!e.moved)
            continue;
        if (e.via != TN_VIA_DIRECT && p->direct_since_us)
            doubt_mapping(n, now);
        if (e.via != TN_VIA_DIRECT) {
            p->direct_since_us = 0;
            tn_via_lost(n, peer, now);
        } else if (!p->direct_since_us) {
            p->direct_since_us = e.at_us;
        }
        if (e.search_us) /* else it only moved from one address to a better one */
            p->time_to_direct_us = e.search_us > UINT32_MAX ? UINT32_MAX : (uint32_t)e.search_us;
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_PATH,
                                            .peer = peer,
                                            .path = kind_of(e.via),
                                            .addr = e.addr,
                                            .us = e.search_us});
        /* packets may have been staged for want of a way, with a session all the while */
        if (e.via != TN_VIA_NONE && tn_keys_for_sending(&p->keys, now.us))
            tn_event_push(n, &(struct tn_event){.kind = TN_EV_SESSION, .peer = peer});
    }
}

/* Nothing comes back by any way: either the coordinator has forgotten us, or the peer has forgotten the
 * session, and a new one need not wait for the 15 s after which WireGuard asks for it. Once for each
 * suspicion; where an initiation went out less than 5 s ago, as soon as another one may. */
static void on_suspicion(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    bool is_suspect = tn_paths_relay_suspect(p->paths);

    if (is_suspect || tn_paths_in_distress(p->paths))
        tn_overlay_suspect(n, !is_suspect, now);
    if (is_suspect != p->suspected)
        p->doubts_session = is_suspect;
    p->suspected = is_suspect;
    if (!p->doubts_session || !tn_timers_may_initiate(&p->timers, now.us))
        return;
    p->doubts_session = false;
    tn_sched_want(n, peer, TN_WANTS_INITIATION);
}

void tn_path_settle(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (p) {
        report(n, peer, now);
        if (tn_paths_take_connect(p->paths, &n->rng, &now))
            tn_overlay_connect(n, peer, now);
        on_suspicion(n, peer, now);
        if (!tn_paths_next(p->paths))
            tn_sched_want(n, peer, TN_WANTS_PATHS);
    }
    if (tn_peer_at(n, peer))
        tn_sched_update(n, peer);
}

void tn_path_settle_later(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    if (n->unsettled != peer)
        tn_path_settle_rest(n);
    n->unsettled = peer;
    n->unsettled_now = now;
}

void tn_path_settle_rest(struct tn_node *n)
{
    uint32_t peer = n->unsettled;

    if (peer == TN_NO_PEER)
        return;
    n->unsettled = TN_NO_PEER;
    tn_path_settle(n, peer, n->unsettled_now);
}

void tn_path_tick(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return;
    tn_paths_tick(p->paths, &now);
    tn_search_tick(n, peer, now);
    tn_via_tick(n, peer, now);
}

void tn_path_on_authentic(struct tn_node *n, uint32_t peer, const struct tn_way *way, size_t len,
                          struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return;
    p->reachable = true;
    tn_paths_on_authentic(p->paths, way, len, &now);
}

void tn_path_on_session(struct tn_node *n, uint32_t peer, bool up, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (p)
        tn_paths_set_session(p->paths, up, &now);
    if (TN_PATHS_PER_FAMILY > 0 && p && up)
        tn_tcp_on_session(n, peer);
}

void tn_path_on_data_sent(struct tn_node *n, uint32_t peer, size_t len, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (p)
        tn_paths_on_data_sent(p->paths, len, &now);
}

void tn_path_start(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_paths_config cfg = {0};

    p->is_member = true;
    tn_small_start(n, peer);
    cfg.mtu = p->mtu;
    cfg.fixed_mtu = p->small;
    cfg.relay_only = p->is_device;
    p->channel = tn_overlay_channel(n, p->member, now);
    tn_paths_init(p->paths, &cfg, &now);
    tn_paths_set_relay(p->paths, n->connected && p->channel, &now);
    tn_via_card(n, peer, now);
    tn_path_settle(n, peer, now);
}

int tn_node_set_path_mode(struct tn_node *n, uint32_t peer, uint8_t mode, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return TN_ENOENT;
    if (p->is_device && mode != TN_MODE_AUTO)
        return TN_EINVAL;
    tn_paths_set_mode(p->paths, mode, &now);
    tn_path_settle(n, peer, now);
    return 0;
}

void tn_path_relay_changed(struct tn_node *n, bool up, struct tn_now now)
{
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = member_at(n, i);

        if (!p)
            continue;
        p->channel = tn_overlay_channel(n, p->member, now);
        tn_paths_set_relay(p->paths, up && p->channel, &now);
        if (up && p->blocked) {
            p->blocked = false;
            tn_timers_stop(&p->timers);
            tn_tx_want_handshake(n, i, now);
        }
        tn_path_settle(n, i, now);
    }
}

void tn_path_punch(struct tn_node *n, uint32_t peer, const struct tn_cand_wire *list, size_t count,
                   uint16_t delay_ms, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);
    struct tn_cand_wire outside[TN_CANDLIST_MAX];
    size_t kept = 0;

    if (!p)
        return;
    for (size_t i = 0; i < count && kept < TN_CANDLIST_MAX; i++) {
        if (!tn_overlay_owns(n, &list[i].addr))
            outside[kept++] = list[i];
    }
    tn_paths_offer(p->paths, outside, kept, n->own, n->own_count, &now);
    tn_paths_punch(p->paths, TN_MS(delay_ms), &now);
    tn_search_on_punch(n, peer, now);
    doubt_mapping(n, now);
    if (TN_PATHS_PER_FAMILY > 0)
        tn_tcp_on_punch(n, peer, now);
    tn_path_settle(n, peer, now);
}

/* ---- link messages in ---- */

static void on_ping(struct tn_node *n, uint32_t peer, const struct tn_way *way,
                    const struct tn_link_msg *ping)
{
    struct tn_pong_owed *owed;
    const struct tn_addr *observed = way->via == TN_VIA_DIRECT ? &way->addr : NULL;

    if (TN_PATHS_PER_FAMILY > 0 && observed && tn_addr_is_stream(observed))
        observed = NULL; /* such an address says nothing to others */
    if (n->pongs_count == TN_PONGS_LEN)
        return;
    owed = &n->pongs[(n->pongs_head + n->pongs_count++) % TN_PONGS_LEN];
    owed->peer = peer;
    owed->way = *way;
    tn_link_answer(ping, observed, &owed->pong);
}

static void on_pong(struct tn_node *n, uint32_t peer, const struct tn_way *way,
                    const struct tn_link_msg *pong, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (tn_paths_on_pong(p->paths, way, pong->txid, pong->size, &pong->observed, &now))
        return;
    if (!p->ping.txid || pong->txid != p->ping.txid)
        return;
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_PONG,
                                        .peer = peer,
                                        .token = p->ping.token,
                                        .path = kind_of(way->via),
                                        .addr = way->addr,
                                        .us = now.us - p->ping.sent_us});
    p->ping.txid = 0;
}

void tn_path_on_link(struct tn_node *n, uint32_t peer, const struct tn_way *way,
                     const uint8_t *msg, size_t len, struct tn_now now)
{
    struct tn_link_msg m;

    if (TN_PATHS_PER_FAMILY > 0 && *msg == TN_TCP_FIRST) {
        tn_tcp_on_told(n, peer, msg, len, now);
        return;
    }
    if (tn_link_decode(msg, len, &m)) {
        n->counters.drop_malformed++;
        return;
    }
    if (m.type == TN_LINK_PING)
        on_ping(n, peer, way, &m);
    else if (m.type == TN_LINK_PONG)
        on_pong(n, peer, way, &m, now);
    else
        tn_nat_on_told(n, peer, &m, now);
}

/* ---- link messages out ---- */

/* Seals a link message for one way. A session that has run out is known from here. */
static bool send_link(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m,
                      const struct tn_way *way, struct tn_buf *b, struct tn_now now,
                      struct tn_route *route)
{
    struct tn_peer *p = member_at(n, peer);
    int err;

    b->off = TN_BUF_HEADROOM;
    if (!p || (p->small && m->size > p->mtu) || tn_link_encode(m, tn_buf_data(b), b->cap - b->off - TN_BUF_TAILROOM))
        return false;
    b->len = m->size;
    err = tn_tx_seal(n, peer, b, false, now);
    if (err == TN_ENOKEY) {
        tn_paths_set_session(p->paths, false, &now);
        tn_tx_want_handshake(n, peer, now);
    }
    return !err && !tn_tx_route(n, peer, way, b, now, route);
}

/* The same for what its paths did not wish for, and so have not counted. */
bool tn_path_send_link(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m,
                           const struct tn_way *way, struct tn_buf *b, struct tn_now now,
                           struct tn_route *route)
{
    if (!send_link(n, peer, m, way, b, now, route))
        return false;
    tn_paths_on_other_sent(n->mem.peers[peer].paths, way, m->size, &now);
    return true;
}

bool tn_path_poll_pong(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route)
{
    while (n->pongs_count) {
        struct tn_pong_owed owed = n->pongs[n->pongs_head];

        n->pongs_head = (n->pongs_head + 1) % TN_PONGS_LEN;
        n->pongs_count--;
        if (tn_path_send_link(n, owed.peer, &owed.pong, &owed.way, b, now, route))
            return true;
    }
    return false;
}

/* Four bytes that only open a NAT; the low TTL dies behind our own. */
static void punch(const struct tn_path_wish *w, struct tn_buf *b, struct tn_route *route)
{
    static const uint8_t datagram[4] = {TN_CTL_PUNCH};

    b->off = TN_BUF_HEADROOM;
    b->len = sizeof datagram;
    memcpy(tn_buf_data(b), datagram, sizeof datagram);
    route->to = w->to.addr;
    route->ttl = w->low_ttl ? 3 : 0;
}

bool tn_path_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                  struct tn_route *route)
{
    struct tn_peer *p = member_at(n, peer);
    struct tn_path_wish w;

    while (p && tn_paths_poll(p->paths, &n->rng, &now, &w)) {
        struct tn_link_msg ping = {
            .type = TN_LINK_PING, .full = w.full, .size = w.size, .txid = w.txid};

        if (w.kind == TN_PATH_WISH_PUNCH) {
            punch(&w, b, route);
            return true;
        }
        if (send_link(n, peer, &ping, &w.to, b, now, route))
            return true;
    }
    n->mem.peers[peer].wants &= ~TN_WANTS_PATHS;
    return false;
}

bool tn_path_poll_ping(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route)
{
    struct tn_peer *p = member_at(n, peer);
    struct tn_link_msg ping = {.type = TN_LINK_PING};
    struct tn_way way;

    n->mem.peers[peer].wants &= ~TN_WANTS_PING;
    if (!p || !p->ping.unsent)
        return false;
    if (!tn_keys_for_sending(&p->keys, now.us) || !tn_tx_way(n, peer, now, &way)) {
        tn_tx_want_handshake(n, peer, now);
        return false; /* goes with the session */
    }
    p->ping.unsent = false;
    p->ping.sent_us = now.us;
    ping.size = p->ping.size;
    ping.full = ping.size == p->mtu;
    ping.txid = p->ping.txid;
    return tn_path_send_link(n, peer, &ping, &way, b, now, route);
}

int tn_node_ping(struct tn_node *n, uint32_t peer, uint16_t size, uint32_t token, struct tn_now now)
{
    struct tn_peer *p = member_at(n, peer);

    if (!p)
        return TN_ENOENT;
    if (size < TN_LINK_MIN_LEN || size > p->mtu)
        return TN_EINVAL;
    p->ping = (struct tn_user_ping){.token = token, .size = size, .unsent = true};
    do
        tn_rng_bytes(&n->rng, &p->ping.txid, sizeof p->ping.txid);
    while (!p->ping.txid);
    tn_via_said(n, peer, now);
    tn_path_on_data_sent(n, peer, size, now);
    tn_sched_want(n, peer, TN_WANTS_PING);
    tn_path_settle(n, peer, now);
    return 0;
}

/* ---- to look at ---- */

bool tn_node_peer_candidate(const struct tn_node *n, uint32_t peer, uint32_t i, struct tn_cand *out)
{
    const struct tn_peer *p = tn_peer_look(n, peer);

    if (!p || !p->is_member)
        return false;
    for (size_t k = 0, max = TN_PATHS_CAND_MAX; k < max; k++) {
        const struct tn_cand *c = tn_paths_cand(p->paths, k);

        if (c && !i--) {
            *out = *c;
            return true;
        }
    }
    return false;
}

static void path_info(const struct tn_node *n, const struct tn_peer *p, struct tn_peer_info *out)
{
    const struct tn_cand *c = tn_paths_in_use(p->paths);

    out->path = kind_of(tn_paths_via(p->paths));
    out->path_mode = tn_paths_mode(p->paths);
    out->has_endpoint = out->path != TN_PATH_NONE;
    if (out->path == TN_PATH_RELAY) {
        c = tn_paths_relay(p->paths);
        out->endpoint = !tn_addr_is_zero(&n->coordinator.v4) ? n->coordinator.v4 : n->coordinator.v6;
        out->has_endpoint = !tn_addr_is_zero(&out->endpoint);
    } else if (c) {
        out->endpoint = c->addr;
    }
    out->rtt_us = c ? c->rtt_us : 0;
}

bool tn_node_peer_info(const struct tn_node *n, uint32_t peer, struct tn_peer_info *out)
{
    const struct tn_peer *p = tn_peer_look(n, peer);

    if (!p)
        return false;
    *out = (struct tn_peer_info){
        .has_endpoint = p->has_endpoint,
        .endpoint = p->endpoint,
        .keepalive_s = p->keepalive_s,
        .last_handshake_unix_ns = p->last_handshake_unix_ns,
        .tx_bytes = p->tx_bytes,
        .rx_bytes = p->rx_bytes,
        .path = p->has_endpoint ? TN_PATH_DIRECT : TN_PATH_NONE,
        .direct_since_us = p->direct_since_us,
        .time_to_direct_us = p->time_to_direct_us,
        .member = p->is_member ? p->member : TN_NO_PEER,
        .is_device = p->is_device,
        .mtu = p->mtu,
        .reachable = p->reachable,
        .nat = p->nat,
        .report = p->report,
        .report_us = p->is_device ? p->report_us : 0,
        .search_sent = p->search.sent,
        .search_hits = p->search.hits,
        .searches = p->search.tries,
    };
    memcpy(out->public_key, p->hs.remote_static, 32);
    memcpy(out->psk, p->hs.psk, 32);
    if (p->is_member)
        path_info(n, p, out);
    return true;
}
