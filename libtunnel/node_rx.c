/* A datagram's walk in: by its first bytes and exact length to the coordinator
 * client, out of the relay's header (once), or to WireGuard. An unauthenticated
 * datagram changes no state; the cheap checks come first. */
#include "node.h"

#include <string.h>

#include "base/ip.h"
#include "node_report.h"
#include "node_small.h"
#include "node_via.h"

struct arrival {
    struct tn_now now;
    struct tn_way way;
    uint8_t *msg;
    size_t len;
};

/* ---- sessions ---- */

static void session_ready(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    p->last_handshake_unix_ns = now.unix_ns;
    p->reachable = true;
    p->blocked = false;
    p->squeezes = false;
    n->counters.handshakes++;
    tn_timers_handshake_complete(&p->timers);
    tn_path_on_session(n, peer, true, now);
    tn_nat_on_session(n, peer, now);
    tn_report_on_session(n, peer, now);
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_SESSION, .peer = peer});
    if (p->ping.unsent)
        tn_sched_want(n, peer, TN_WANTS_PING);
}

/* Something authentic came: its sender is there, and, for a plain peer, has roamed there. */
static void on_authentic(struct tn_node *n, uint32_t peer, const struct arrival *a)
{
    struct tn_peer *p = &n->mem.peers[peer];

    p->rx_bytes += a->len;
    tn_timers_any_authenticated_received(&p->timers);
    tn_timers_any_authenticated_traversal(&p->timers, a->now.us);
    if (!p->is_member) {
        p->endpoint = a->way.addr;
        p->has_endpoint = true;
    }
    tn_path_on_authentic(n, peer, &a->way, a->len, a->now);
}

/* ---- handshake messages ---- */

/* A cookie costs more than all checks before it. So many a second go to whoever asks; in a flood, beyond
 * that, each source has a few of its own. A forger who takes a source's share must name it. */
static bool may_reply(struct tn_node *n, const struct arrival *a)
{
    return tn_load_take(&n->reply_load, a->now.us) ||
           tn_limit_allow(&n->reply_limit, &a->way.addr, a->now.us);
}

/* In a flood: a message that shows no cookie, when there is none to give. mac1 would make no difference,
 * and those for whom there is a cookie are enough to see that the flood goes on. */
static bool is_hopeless(struct tn_node *n, const struct arrival *a)
{
    return a->way.via == TN_VIA_DIRECT && tn_load_is_high(&n->load, a->now.us) &&
           !tn_load_has(&n->reply_load, a->now.us) &&
           !tn_limit_has(&n->reply_limit, &a->way.addr, a->now.us) &&
           !tn_cookie_is_shown(&n->checker, a->msg, a->len, &a->way.addr, a->now.us);
}

/* mac1, and under load mac2 and the source's budget; answers with a cookie where that helps. What
 * comes by the relay has a budget of its own, so that neither way can starve the other. */
static bool may_work(struct tn_node *n, const struct arrival *a)
{
    enum tn_mac_verdict mac;
    uint8_t reply[TN_WG_COOKIE_REPLY_LEN];

    if (!n->local.has_key)
        return false;
    if (is_hopeless(n, a)) {
        n->counters.drop_load++;
        return false;
    }
    mac = tn_cookie_check(&n->checker, a->msg, a->len, &a->way.addr, a->now.us);
    if (mac == TN_MAC_INVALID) {
        n->counters.drop_auth++;
        return false;
    }
    if (a->way.via != TN_VIA_DIRECT) {
        if (tn_load_take(&n->relay_load, a->now.us))
            return true;
        n->counters.drop_load++;
        return false;
    }
    if (!tn_load_on_handshake(&n->load, a->now.us))
        return true;
    if (mac == TN_MAC_WITH_COOKIE && tn_limit_allow(&n->limit, &a->way.addr, a->now.us))
        return true;
    n->counters.drop_load++;
    if (mac == TN_MAC_VALID && may_reply(n, a)) {
        tn_cookie_create_reply(&n->checker, &n->rng, a->msg, a->len, &a->way.addr, a->now.us, reply);
        tn_out_push(n, TN_NO_PEER, &a->way, reply, sizeof reply);
    }
    return false;
}

static void answer_initiation(struct tn_node *n, uint32_t peer, struct tn_noise_initiation *in,
                              const struct arrival *a)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint8_t response[TN_WG_RESPONSE_LEN];
    struct tn_session session;

    if (tn_noise_create_response(&p->hs, in, &n->rng, tn_peer_new_index(n, peer), a->now.us,
                                 response, &session)) {
        n->counters.drop_auth++;
        return;
    }
    tn_keys_install(&p->keys, &session);
    tn_session_wipe(&session);
    tn_cookie_add_macs(&p->cookie, response, sizeof response, a->now.us);
    tn_timers_session_derived(&p->timers, a->now.us);
    tn_timers_any_authenticated_sent(&p->timers);
    tn_timers_any_authenticated_traversal(&p->timers, a->now.us);
    tn_out_push(n, peer, &a->way, response, sizeof response);
}

/* False: nothing came of it, so there is nothing to poll for. In a flood that is nearly always. */
static bool on_initiation(struct tn_node *n, const struct arrival *a)
{
    struct tn_noise_initiation in;
    uint32_t peer;
    int err;

    if (!may_work(n, a))
        return n->outbox_count > 0;
    err = tn_noise_consume_initiation(&n->local, a->msg, &in);
    if (err) {
        n->counters.drop_auth++;
        return false;
    }
    peer = tn_node_peer_find(n, in.remote_static);
    if (peer == TN_NO_PEER) {
        n->counters.drop_auth++;
        if (a->way.via != TN_VIA_DIRECT)
            tn_overlay_on_stranger(n, in.remote_static, a->now);
        goto out;
    }
    err = tn_noise_accept_initiation(&n->mem.peers[peer].hs, &in, a->now.us);
    if (err) {
        if (err == TN_EREPLAY)
            n->counters.drop_replay++;
        else
            n->counters.drop_auth++;
        goto out;
    }
    on_authentic(n, peer, a);
    answer_initiation(n, peer, &in, a);
    tn_path_settle(n, peer, a->now);
out:
    tn_noise_initiation_wipe(&in);
    return true;
}

static void on_response(struct tn_node *n, const struct arrival *a)
{
    uint32_t index = tn_wg_receiver(a->msg);
    uint32_t peer = index & n->slot_mask;
    struct tn_peer *p = tn_peer_at(n, peer);
    struct tn_session session;

    if (!p || !tn_noise_is_waiting(&p->hs, index)) {
        n->counters.drop_no_session++;
        return;
    }
    if (!may_work(n, a))
        return;
    if (tn_noise_consume_response(&n->local, &p->hs, a->msg, a->now.us, &session)) {
        n->counters.drop_auth++;
        return;
    }
    tn_keys_install(&p->keys, &session);
    tn_session_wipe(&session);
    tn_timers_session_derived(&p->timers, a->now.us);
    on_authentic(n, peer, a);
    session_ready(n, peer, a->now);
    /* the responder may not speak before it has heard from us under the new keys */
    tn_sched_want(n, peer, TN_WANTS_KEEPALIVE);
    tn_path_settle(n, peer, a->now);
}

static void on_cookie(struct tn_node *n, const struct arrival *a)
{
    uint32_t index = tn_wg_receiver(a->msg);
    struct tn_peer *p = tn_peer_at(n, index & n->slot_mask);

    if (!p || (!tn_noise_is_waiting(&p->hs, index) && !tn_keys_find(&p->keys, index)) ||
        tn_cookie_consume_reply(&p->cookie, a->msg, a->now.us)) {
        n->counters.drop_auth++;
        return;
    }
    /* Our initiation was refused for want of a cookie: with it, the next need not wait for 5 s. Once in
     * that time, since a NAT may give every datagram another port, for which no cookie is good. */
    if (!tn_noise_is_waiting(&p->hs, index) || a->now.us < p->cookie_retry_us)
        return;
    p->cookie_retry_us = a->now.us + TN_WG_REKEY_TIMEOUT_US;
    tn_sched_want(n, index & n->slot_mask, TN_WANTS_INITIATION);
}

/* ---- data ---- */

static enum tn_verdict deliver(struct tn_node *n, uint32_t peer, struct tn_buf *b)
{
    const uint8_t *ip = tn_buf_data(b);
    size_t len = tn_ip_len(ip, b->len); /* without WireGuard's padding */
    uint32_t owner;

    if (!len) {
        n->counters.drop_malformed++;
        return TN_DROP;
    }
    /* cryptokey routing: who sent it must own the address that it says it comes from */
    owner = ip[0] >> 4 == 4 ? tn_allowed_lookup4(&n->allowed, ip + 12)
                            : tn_allowed_lookup6(&n->allowed, ip + 8);
    if (owner != peer) {
        n->counters.drop_source++;
        return TN_DROP;
    }
    b->len = len;
    return TN_DELIVER;
}

static enum tn_verdict on_content(struct tn_node *n, uint32_t peer, struct tn_buf *b,
                                  const struct arrival *a)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (!b->len)
        return TN_CONSUMED; /* a keepalive */
    if (p->is_member && tn_link_is_message(tn_buf_data(b), b->len) && !tn_small_is(b)) {
        if (TN_VIA_RELAYS > 0 && tn_viamsg_is(*tn_buf_data(b)))
            return tn_via_on_message(n, peer, &a->way, b, a->now);
        if (*tn_buf_data(b) == TN_REPORT_FIRST)
            tn_report_on_told(n, peer, tn_buf_data(b), b->len, a->now);
        else
            tn_path_on_link(n, peer, &a->way, tn_buf_data(b), b->len, a->now);
        return TN_CONSUMED;
    }
    tn_timers_data_received(&p->timers, a->now.us);
    if (p->is_member && tn_small_is(b) && !tn_small_restore(n, peer, b, a->now))
        return TN_CONSUMED;
    return deliver(n, peer, b);
}

/* The session of a data message, if it may be opened with it. */
static struct tn_keypair *session_of(struct tn_node *n, const uint8_t *msg)
{
    uint32_t index = tn_wg_receiver(msg);
    struct tn_peer *p = tn_peer_at(n, index & n->slot_mask);
    struct tn_keypair *kp = p ? tn_keys_find(&p->keys, index) : NULL;

    if (!kp)
        n->counters.drop_no_session++;
    return kp;
}

static enum tn_verdict plan_data(struct tn_node *n, const struct arrival *a, struct tn_job *job)
{
    struct tn_keypair *kp = session_of(n, a->msg);

    if (!kp)
        return TN_DROP;
    if (tn_keys_check_received(kp, a->now.us, tn_session_counter(a->msg))) {
        n->counters.drop_replay++;
        return TN_DROP;
    }
    *job = (struct tn_job){.session = &kp->session,
                           .msg = a->msg,
                           .len = a->len,
                           .opens = true,
                           .relayed = a->way.via == TN_VIA_RELAY};
    return TN_WORK;
}

/* The session may have gone since the plan, when a packet before this one made its successor current. */
static int commit_open(struct tn_node *n, uint32_t peer, const struct arrival *a,
                       const struct tn_job *job, unsigned *news)
{
    struct tn_keypair *kp;
    int err;

    if (job->err) {
        n->counters.drop_auth++;
        return job->err;
    }
    kp = session_of(n, a->msg);
    if (!kp)
        return TN_ENOKEY;
    err = tn_keys_commit_received(&n->mem.peers[peer].keys, kp, a->now.us,
                                  tn_session_counter(a->msg), news);
    if (err)
        n->counters.drop_replay++;
    return err;
}

static enum tn_verdict commit(struct tn_node *n, struct tn_buf *b, const struct arrival *a,
                              uint32_t *out_peer, const struct tn_job *job)
{
    uint32_t peer = tn_wg_receiver(a->msg) & n->slot_mask;
    enum tn_verdict verdict;
    unsigned news = 0;

    if (commit_open(n, peer, a, job, &news))
        return TN_DROP;
    *out_peer = peer;
    n->counters.rx_packets++;
    on_authentic(n, peer, a);
    if (news & TN_KEYS_CONFIRMED)
        session_ready(n, peer, a->now);
    if (news & TN_KEYS_WANTS_REKEY)
        tn_tx_want_handshake(n, peer, a->now);
    b->off += TN_WG_HEADER_LEN;
    b->len -= TN_WG_DATA_OVERHEAD;
    verdict = on_content(n, peer, b, a);
    tn_path_settle_later(n, peer, a->now);
    return verdict;
}

enum tn_verdict tn_commit_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                              struct tn_now now, uint32_t *out_peer, const struct tn_job *job)
{
    struct arrival a = {.now = now, .msg = job->msg, .len = job->len};
    enum tn_verdict verdict;

    a.way.via = job->relayed ? TN_VIA_RELAY : TN_VIA_DIRECT;
    if (!job->relayed)
        a.way.addr = *src;
    tn_via_begin(n);
    verdict = commit(n, b, &a, out_peer, job);
    tn_via_end(n, out_peer);
    return verdict;
}

/* ---- the first bytes ---- */

static enum tn_verdict on_wireguard(struct tn_node *n, struct tn_buf *b, struct arrival *a,
                                    struct tn_job *job)
{
    a->msg = tn_buf_data(b);
    a->len = b->len;
    switch (tn_wg_classify(a->msg, a->len)) {
    case TN_WG_INITIATION:
        return on_initiation(n, a) ? TN_CONSUMED : TN_DROP;
    case TN_WG_RESPONSE:
        on_response(n, a);
        return TN_CONSUMED;
    case TN_WG_COOKIE_REPLY:
        on_cookie(n, a);
        return TN_CONSUMED;
    case TN_WG_DATA:
        return plan_data(n, a, job);
    case TN_WG_NONE:
        break;
    }
    n->counters.drop_malformed++;
    return TN_DROP;
}

enum tn_verdict tn_rx_carried(struct tn_node *n, struct tn_buf *b, const struct tn_way *way, struct tn_now now,
                              uint32_t *out_peer)
{
    struct arrival a = {.now = now, .way = *way};
    struct tn_job job;
    enum tn_verdict verdict = on_wireguard(n, b, &a, &job);

    if (verdict != TN_WORK)
        return verdict;
    tn_job_run(&job);
    return commit(n, b, &a, out_peer, &job);
}

/* Takes the relay's header off, or puts back what was left out of it and of WireGuard's. */
static int open_relayed(const struct tn_node *n, const struct tn_addr *src, struct tn_buf *b)
{
    if (*tn_buf_data(b) == TN_CTL_RELAY)
        return tn_coord_client_open_relay(&n->coord, src, b);
    return tn_coord_client_open_link(&n->coord, src, b);
}

bool tn_may_plan_net(const struct tn_buf *b)
{
    const uint8_t *data = tn_buf_data(b);
    size_t at = b->len && data[0] == TN_CTL_RELAY ? TN_RELAY_HEADER_LEN : 0;

    return at < b->len && data[at] == TN_WG_DATA;
}

enum tn_verdict tn_plan_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                            struct tn_now now, struct tn_job *job)
{
    struct arrival a = {.now = now, .way = {.via = TN_VIA_DIRECT, .addr = *src}};
    uint8_t first = b->len ? tn_buf_data(b)[0] : 0;
    int err;

    if (tn_overlay_owns(n, src)) { /* a tunnel within the tunnel */
        n->counters.drop_malformed++;
        return TN_DROP;
    }
    if (first == TN_CTL_RELAY || tn_link_is_frame(&first, 1)) {
        if (!n->has_coordinator || open_relayed(n, src, b)) {
            n->counters.drop_malformed++;
            return TN_DROP;
        }
        n->counters.rx_relay++;
        a.way = (struct tn_way){.via = TN_VIA_RELAY};
        return on_wireguard(n, b, &a, job);
    }
    if (n->has_coordinator && tn_ctl_is_control(tn_buf_data(b), b->len)) {
        err = tn_coord_client_on_datagram(&n->coord, src, tn_buf_data(b), b->len, now);
        tn_overlay_drain(n, now);
        return err ? TN_DROP : TN_CONSUMED;
    }
    if (first == TN_CTL_PUNCH)
        return TN_CONSUMED;
    if (first == TN_CTL_DIAL) {
        if (tn_reach_dialled(n, tn_buf_data(b), b->len, now))
            return TN_CONSUMED;
        n->counters.drop_auth++;
        return TN_DROP;
    }
    return on_wireguard(n, b, &a, job);
}

enum tn_verdict tn_from_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                            struct tn_now now, uint32_t *peer)
{
    struct tn_job job;
    enum tn_verdict verdict = tn_plan_net(n, b, src, now, &job);

    if (verdict != TN_WORK)
        return verdict;
    tn_job_run(&job);
    return tn_commit_net(n, b, src, now, peer, &job);
}
