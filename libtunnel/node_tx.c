/* An inner packet's walk out: who owns its destination, is there a session,
 * pad and seal in place, which way. Nothing is copied. */
#include "node.h"

#include <string.h>

#include "node_small.h"
#include "node_via.h"

#define LINK_AFTER 4   /* packets sent in a session */
#define LINK_LATE 4096 /* what comes so much behind the latest may still be compressed */

static uint32_t owner_of(struct tn_node *n, const struct tn_buf *b, struct tn_now now)
{
    const uint8_t *ip = tn_buf_data(b);
    struct tn_addr to;
    uint32_t peer;

    if (b->len >= 20 && ip[0] >> 4 == 4) {
        peer = tn_allowed_lookup4(&n->allowed, ip + 16);
        to = tn_addr_v4(ip + 16, 0);
    } else if (b->len >= 40 && ip[0] >> 4 == 6) {
        peer = tn_allowed_lookup6(&n->allowed, ip + 24);
        to = tn_addr_v6(ip + 24, 0);
    } else {
        n->counters.drop_malformed++;
        return TN_NO_PEER;
    }
    if (peer == TN_ALLOWED_NONE) {
        n->counters.drop_no_route++;
        tn_overlay_on_unknown_address(n, to.ip, now);
        return TN_NO_PEER;
    }
    return peer;
}

bool tn_tx_way(struct tn_node *n, uint32_t peer, struct tn_now now, struct tn_way *way)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (!p->is_member) {
        way->via = TN_VIA_DIRECT;
        way->mtu = UINT16_MAX; /* nothing is asked of a plain peer; the system splits what it must */
        way->addr = p->endpoint;
        return p->has_endpoint;
    }
    tn_paths_route(p->paths, &now, way);
    if (tn_via_is_way(way))
        tn_via_check(n, peer, way, now);
    return way->via != TN_VIA_NONE;
}

/* A session that has said a little is worth a context at the coordinator: setting one up costs what
 * eight packets save. */
static void want_link(struct tn_node *n, const struct tn_peer *p, struct tn_now now)
{
    const struct tn_keypair *kp =
        p->keys.current == TN_KEYS_NONE ? NULL : &p->keys.pair[p->keys.current];

    if (!kp || kp->send_counter < LINK_AFTER)
        return;
    tn_coord_client_link(&n->coord,
                         &(struct tn_link_context){
                             .channel = p->channel,
                             .tx_index = kp->session.remote_index,
                             .rx_index = kp->session.local_index,
                             .tx_base = kp->send_counter,
                             .rx_base = kp->replay.next > LINK_LATE ? kp->replay.next - LINK_LATE : 0,
                         },
                         now);
}

int tn_tx_route(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                struct tn_now now, struct tn_route *route)
{
    struct tn_peer *p = &n->mem.peers[peer];

    route->ttl = 0;
    p->tx_bytes += b->len;
    n->counters.tx_packets++;
    if (way->via == TN_VIA_DIRECT) {
        route->to = way->addr;
        return 0;
    }
    if (tn_via_is_way(way))
        return tn_via_push(n, peer, way, b, now, route);
    if (way->via != TN_VIA_RELAY || !p->channel)
        return TN_ENOENT;
    n->counters.tx_relay++;
    if (tn_node_is_metered(n))
        want_link(n, p, now);
    return tn_coord_client_push_relay(&n->coord, p->channel, b, &route->to, now);
}

/* Padding hides the packet's exact length (paper, 5.4.6); tail room was promised by the caller. A device
 * pays for each byte: where one is concerned, none is added. What is passed on has been padded by who sent it. */
static int pad(const struct tn_node *n, const struct tn_peer *p, struct tn_buf *b)
{
    bool as_is = p->small || (TN_VIA_RELAYS > 0 && b->len && *tn_buf_data(b) == TN_VIAMSG_FROM);
    size_t zeros = as_is ? 0 : tn_wg_padding(b->len, n->mtu);

    if (tn_buf_tailroom(b) < zeros + TN_TAG_LEN)
        return TN_ENOSPC;
    memset(tn_buf_data(b) + b->len, 0, zeros);
    b->len += zeros;
    return 0;
}

static int plan_seal(struct tn_node *n, uint32_t peer, struct tn_buf *b, bool is_data,
                     struct tn_now now, struct tn_job *job)
{
    struct tn_peer *p = &n->mem.peers[peer];
    struct tn_keypair *kp = tn_keys_for_sending(&p->keys, now.us);
    bool wants_rekey;
    int err;

    if (!kp)
        return TN_ENOKEY;
    err = pad(n, p, b);
    if (err)
        return err;
    *job = (struct tn_job){.session = &kp->session, .len = b->len};
    job->msg = tn_buf_push(b, TN_WG_HEADER_LEN);
    if (!job->msg)
        return TN_ENOSPC;
    err = tn_keys_plan_send(kp, now.us, &job->counter, &wants_rekey);
    if (err)
        return err;
    b->len += TN_TAG_LEN;
    if (is_data)
        tn_timers_data_sent(&p->timers, &n->rng, now.us);
    tn_timers_any_authenticated_sent(&p->timers);
    tn_timers_any_authenticated_traversal(&p->timers, now.us);
    if (wants_rekey)
        tn_tx_want_handshake(n, peer, now);
    return 0;
}

int tn_tx_seal(struct tn_node *n, uint32_t peer, struct tn_buf *b, bool is_data, struct tn_now now)
{
    struct tn_job job;
    int err = plan_seal(n, peer, b, is_data, now, &job);

    if (!err)
        tn_job_run(&job);
    return err;
}

/* Link compression takes the message's header away, which the job writes: there it is sealed at once. */
static int seal_or_plan(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                        struct tn_job *job)
{
    if (!tn_node_is_metered(n))
        return plan_seal(n, peer, b, true, now, job);
    *job = (struct tn_job){0};
    return tn_tx_seal(n, peer, b, true, now);
}

void tn_tx_want_handshake(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (tn_timers_may_initiate(&p->timers, now.us))
        tn_sched_want(n, peer, TN_WANTS_INITIATION);
}

/* What a member is to pass on is sealed once more for that member, so it is sealed at once as well. */
static int seal_by(struct tn_node *n, uint32_t peer, struct tn_buf *b, const struct tn_way *way, struct tn_now now,
                   struct tn_job *job)
{
    if (!tn_via_is_way(way))
        return seal_or_plan(n, peer, b, now, job);
    *job = (struct tn_job){0};
    return tn_tx_seal(n, peer, b, true, now);
}

enum tn_verdict tn_plan_tun(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                            struct tn_route *route, uint32_t *peer, struct tn_job *job)
{
    uint32_t slot = owner_of(n, b, now);
    struct tn_way way;
    enum tn_verdict verdict = TN_SEND;

    if (slot == TN_NO_PEER)
        return TN_DROP;
    *peer = slot;
    if (n->mem.peers[slot].small)
        verdict = tn_small_check(n, b, n->mem.peers[slot].mtu);
    if (verdict != TN_SEND)
        return verdict;
    tn_via_said(n, slot, now);
    tn_path_on_data_sent(n, slot, b->len, now);
    if (!tn_keys_for_sending(&n->mem.peers[slot].keys, now.us) || !tn_tx_way(n, slot, now, &way)) {
        tn_tx_want_handshake(n, slot, now);
        verdict = TN_STAGE;
        goto out;
    }
    if (n->mem.peers[slot].is_member && !tn_paths_carries_data(n->mem.peers[slot].paths, way.via)) {
        verdict = TN_STAGE; /* until there is a direct path */
        goto out;
    }
    if (b->len > way.mtu)
        verdict = tn_small_check(n, b, way.mtu);
    if (verdict != TN_SEND)
        goto out;
    if (tn_small_send(n, slot, b, way.mtu, now) || seal_by(n, slot, b, &way, now, job) ||
        tn_tx_route(n, slot, &way, b, now, route)) {
        n->counters.drop_no_session++;
        verdict = TN_DROP;
    }
out:
    tn_path_settle_later(n, slot, now);
    return verdict;
}

enum tn_verdict tn_from_tun(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                            struct tn_route *route, uint32_t *peer)
{
    struct tn_job job;
    enum tn_verdict verdict = tn_plan_tun(n, b, now, route, peer, &job);

    if (verdict == TN_SEND)
        tn_job_run(&job);
    return verdict;
}
