/* How it works: a queue of packets ordered by time; each end has a NAT that gives a
 * flow a port when it sends, and lets in what the NAT's kind lets in. A CONNECT goes
 * to the go-between (half the relay's delay), which answers the asker and tells the
 * other end, both with the delay that makes them punch together. After everything
 * that happens to an end, its paths are ticked and pulled until dry. */
#include "pathnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/paths_priv.h"

static void pull(struct pathnet *n, int e);

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "pathnet: %s\n", what);
    abort();
}

static bool lucky(struct pathnet *n, uint32_t loss_ppm)
{
    return tn_rng_below(&n->rng, 1000000) >= loss_ppm;
}

static void enqueue(struct pathnet *n, struct pathnet_packet *p, uint64_t delay_us)
{
    must(n->queued < PATHNET_QUEUE, "the queue is full");
    p->at_us = n->now.us + delay_us;
    if (n->jitter_us)
        p->at_us += tn_rng_below(&n->rng, (uint32_t)n->jitter_us);
    p->order = n->order++;
    n->queue[n->queued++] = *p;
}

/* --- NAT ------------------------------------------------------------------------ */

static bool is_fresh(const struct pathnet *n, const struct pathnet_flow *f)
{
    return !n->nat_lifetime_us || n->now.us - f->used_us < n->nat_lifetime_us;
}

static struct pathnet_flow *find_flow(struct pathnet *n, struct pathnet_end *e,
                                      const struct tn_addr *remote)
{
    for (size_t i = 0; i < e->flows; i++)
        if (is_fresh(n, &e->flow[i]) && tn_addr_equal(&e->flow[i].remote, remote))
            return &e->flow[i];
    return NULL;
}

static bool is_spoiled(const struct pathnet_end *e, const struct tn_addr *remote)
{
    for (size_t i = 0; i < e->spoiled_count; i++)
        if (tn_addr_equal(&e->spoiled[i], remote))
            return true;
    return false;
}

static uint16_t nat_out(struct pathnet *n, struct pathnet_end *e, const struct tn_addr *remote)
{
    struct pathnet_flow *f = find_flow(n, e, remote);

    if (!f) {
        size_t i = 0;

        while (i < e->flows && is_fresh(n, &e->flow[i]))
            i++;
        must(i < PATHNET_FLOWS, "too many flows");
        if (i == e->flows)
            e->flows++;
        f = &e->flow[i];
        f->remote = *remote;
        f->port = e->nat.port;
        if (e->kind == PATHNET_SYMMETRIC || is_spoiled(e, remote))
            f->port = e->next_port++;
    }
    f->used_us = n->now.us;
    return f->port;
}

static bool nat_in(struct pathnet *n, struct pathnet_end *e, const struct tn_addr *src,
                   uint16_t port)
{
    struct pathnet_flow *f = find_flow(n, e, src);

    if (e->kind == PATHNET_OPEN && port == e->nat.port)
        return true;
    if (f && f->port == port) {
        f->used_us = n->now.us;
        return true;
    }
    if (e->spoils && e->spoiled_count < PATHNET_FLOWS)
        e->spoiled[e->spoiled_count++] = *src;
    return false;
}

void pathnet_rebind(struct pathnet *n, int end)
{
    struct pathnet_end *e = &n->end[end];

    e->flows = 0;
    e->nat.port = (uint16_t)(e->nat.port + 1000);
    pull(n, end);
}

/* --- sending -------------------------------------------------------------------- */

static void send_direct(struct pathnet *n, int from, const struct tn_addr *dst, bool low_ttl,
                        struct pathnet_packet *p)
{
    struct pathnet_end *me = &n->end[from];
    struct pathnet_end *peer = &n->end[1 - from];

    p->to = (uint8_t)(1 - from);
    p->relay = false;
    p->dst = *dst;
    if (n->lan_us && tn_addr_equal(dst, &peer->host)) {
        p->src = me->host;
        enqueue(n, p, n->lan_us);
        return;
    }
    p->src = me->nat;
    p->src.port = nat_out(n, me, dst);
    if (low_ttl || n->direct_cut[from] || !lucky(n, n->direct_loss_ppm[from]) ||
        !tn_addr_same_ip(dst, &peer->nat) ||
        (n->direct_max_len && p->len > n->direct_max_len))
        return;
    enqueue(n, p, n->direct_us[from]);
}

static void send_relay(struct pathnet *n, int from, struct pathnet_packet *p)
{
    p->to = (uint8_t)(1 - from);
    p->relay = true;
    if (n->relay_cut[from] || !lucky(n, n->relay_loss_ppm[from]) ||
        (n->relay_max_len && p->len > n->relay_max_len))
        return;
    enqueue(n, p, n->relay_us);
}

static void send_way(struct pathnet *n, int from, const struct tn_way *way,
                     struct pathnet_packet *p)
{
    if (way->via == TN_VIA_RELAY)
        send_relay(n, from, p);
    else
        send_direct(n, from, &way->addr, false, p);
}

static void send_wish(struct pathnet *n, int e, const struct tn_path_wish *w)
{
    struct pathnet_packet p = {0};
    const struct tn_cand *c = NULL;

    n->end[e].probes++;
    if (w->kind == TN_PATH_WISH_PUNCH) {
        p.kind = PATHNET_PUNCH;
        p.len = 4;
        n->end[e].probe_bytes += 4;
        send_direct(n, e, &w->to.addr, w->low_ttl, &p);
        return;
    }
    must(n->session, "a PING was wished for without a session");
    p.kind = PATHNET_PING;
    p.len = w->size;
    p.link = (struct tn_link_msg){
        .type = TN_LINK_PING, .full = w->full, .size = w->size, .txid = w->txid};
    n->end[e].probe_bytes += w->size;
    for (size_t i = 0; i < TN_PATHS_CAND_MAX && !c; i++) {
        c = tn_paths_cand(&n->end[e].paths, i);
        if (c && !tn_addr_equal(&c->addr, &w->to.addr))
            c = NULL;
    }
    if (w->full && w->to.via == TN_VIA_RELAY)
        n->end[e].relay_full++;
    else if (w->full && (!c || !c->last_in_us))
        n->end[e].unproven_full++;
    send_way(n, e, &w->to, &p);
}

static void send_data(struct pathnet *n, int e)
{
    struct pathnet_end *me = &n->end[e];
    struct pathnet_packet p = {.kind = PATHNET_DATA, .len = me->data_len};
    struct tn_way route;

    tn_paths_route(&me->paths, &n->now, &route);
    if (p.len > route.mtu)
        p.len = route.mtu;
    tn_paths_on_data_sent(&me->paths, p.len, &n->now);
    me->sent++;
    if (route.via == TN_VIA_NONE || !tn_paths_carries_data(&me->paths, route.via))
        me->dropped_no_route++;
    else if (n->session)
        send_way(n, e, &route, &p);
}

/* --- the go-between ------------------------------------------------------------- */

size_t pathnet_candidates(const struct pathnet *n, int end, struct tn_cand_wire *out)
{
    out[0].origin = TN_CAND_HOST;
    out[0].addr = n->end[end].host;
    out[1].origin = TN_CAND_REFLEXIVE;
    out[1].addr = n->end[end].nat;
    return 2;
}

static void send_connect(struct pathnet *n, int e)
{
    uint64_t leg_us = n->relay_us / 2;
    struct pathnet_packet p = {.kind = PATHNET_CONNECT, .relay = true};

    n->end[e].connects++;
    if (!n->end[0].coordinator_up || !n->end[1].coordinator_up)
        return;
    p.delay_us = leg_us; /* both hear at the same time; a little room for jitter */
    for (uint8_t to = 0; to < 2; to++) {
        p.to = to;
        enqueue(n, &p, 2 * leg_us + (to ? n->connect_skew_us : 0));
    }
}

static void on_connect(struct pathnet *n, int e, uint64_t delay_us)
{
    struct tn_cand_wire theirs[2], own[2];
    size_t count = pathnet_candidates(n, 1 - e, theirs);
    size_t own_count = pathnet_candidates(n, e, own);

    tn_paths_offer(&n->end[e].paths, theirs, count, own, own_count, &n->now);
    tn_paths_punch(&n->end[e].paths, delay_us, &n->now);
}

/* --- receiving ------------------------------------------------------------------ */

static void answer_ping(struct pathnet *n, int e, const struct pathnet_packet *in,
                        const struct tn_way *from)
{
    struct pathnet_packet p = {.kind = PATHNET_PONG, .len = in->len};

    tn_link_answer(&in->link, in->relay ? NULL : &in->src, &p.link);
    tn_paths_on_other_sent(&n->end[e].paths, from, p.len, &n->now);
    send_way(n, e, from, &p);
}

static void note_data(struct pathnet *n, struct pathnet_end *me, bool relay)
{
    me->got++;
    me->got_relay += relay;
    me->got_direct += !relay;
    if (me->last_got_us && n->now.us - me->last_got_us > me->longest_gap_us)
        me->longest_gap_us = n->now.us - me->last_got_us;
    me->last_got_us = n->now.us;
}

static void receive(struct pathnet *n, const struct pathnet_packet *p)
{
    struct pathnet_end *me = &n->end[p->to];
    struct tn_way from = {.via = TN_VIA_RELAY};
    bool lan = n->lan_us && tn_addr_equal(&p->dst, &me->host);

    if (p->kind == PATHNET_CONNECT) {
        on_connect(n, p->to, p->delay_us);
        return;
    }
    if (!p->relay) {
        if (!lan && !nat_in(n, me, &p->src, p->dst.port))
            return;
        from.via = TN_VIA_DIRECT;
        from.addr = p->src;
    }
    if (p->kind == PATHNET_PUNCH || !n->session)
        return;
    tn_paths_on_authentic(&me->paths, &from, p->len, &n->now);
    if (p->kind == PATHNET_PING)
        answer_ping(n, p->to, p, &from);
    else if (p->kind == PATHNET_PONG)
        tn_paths_on_pong(&me->paths, &from, p->link.txid, p->link.size, &p->link.observed,
                         &n->now);
    else
        note_data(n, me, p->relay);
}

/* --- the clock ------------------------------------------------------------------ */

static void check_route(struct pathnet *n, int e)
{
    struct tn_way route;
    const struct tn_probe *pr;

    tn_paths_route(&n->end[e].paths, &n->now, &route);
    if (route.via != TN_VIA_DIRECT)
        return;
    pr = tn_table_find(&n->end[e].paths, &route.addr);
    must(pr && pr->c.full_ok_us, "data goes where no full-size packet was answered");
}

static void pull(struct pathnet *n, int e)
{
    struct pathnet_end *me = &n->end[e];
    struct tn_path_wish wish;
    struct tn_path_event event;
    int rounds = 0;

    while (tn_paths_next(&me->paths) <= n->now.us) {
        must(++rounds < 100, "the paths never run dry");
        tn_paths_tick(&me->paths, &n->now);
        while (tn_paths_poll(&me->paths, &me->rng, &n->now, &wish))
            send_wish(n, e, &wish);
        if (tn_paths_take_connect(&me->paths, &me->rng, &n->now))
            send_connect(n, e);
    }
    while (tn_paths_take_event(&me->paths, &event)) {
        must(me->events < PATHNET_EVENTS, "too many events");
        me->event[me->events++] = event;
    }
    check_route(n, e);
}

static struct pathnet_packet *first_packet(struct pathnet *n)
{
    struct pathnet_packet *first = NULL;

    for (size_t i = 0; i < n->queued; i++) {
        struct pathnet_packet *p = &n->queue[i];

        if (!first || p->at_us < first->at_us ||
            (p->at_us == first->at_us && p->order < first->order))
            first = p;
    }
    return first;
}

static uint64_t end_next(const struct pathnet_end *e)
{
    uint64_t next_us = tn_paths_next(&e->paths);

    if (e->data_every_us && e->data_at_us < next_us)
        next_us = e->data_at_us;
    return next_us;
}

/* Advances to what comes first, at most to `end_us`, and lets it happen. */
static void step(struct pathnet *n, uint64_t end_us)
{
    struct pathnet_packet *p = first_packet(n);
    uint64_t at_us = end_us;

    if (p && p->at_us < at_us)
        at_us = p->at_us;
    for (int e = 0; e < 2; e++)
        if (end_next(&n->end[e]) < at_us)
            at_us = end_next(&n->end[e]);
    if (at_us > n->now.us)
        n->now.us = at_us;
    if (p && p->at_us <= n->now.us) {
        struct pathnet_packet copy = *p;

        *p = n->queue[--n->queued];
        receive(n, &copy);
    }
    for (int e = 0; e < 2; e++) {
        struct pathnet_end *me = &n->end[e];

        if (me->data_every_us && me->data_at_us <= n->now.us) {
            me->data_at_us = n->now.us + me->data_every_us;
            send_data(n, e);
        }
        pull(n, e);
    }
}

void pathnet_run(struct pathnet *n, uint64_t us)
{
    uint64_t end_us = n->now.us + us;

    pull(n, 0);
    pull(n, 1);
    while (n->now.us < end_us)
        step(n, end_us);
}

bool pathnet_run_until(struct pathnet *n, uint8_t via, uint64_t us)
{
    uint64_t end_us = n->now.us + us;

    pull(n, 0);
    pull(n, 1);
    while (tn_paths_via(&n->end[0].paths) != via || tn_paths_via(&n->end[1].paths) != via) {
        if (n->now.us >= end_us)
            return false;
        step(n, end_us);
    }
    return true;
}

/* --- set up --------------------------------------------------------------------- */

void pathnet_init(struct pathnet *n, uint64_t seed)
{
    uint8_t bytes[32] = {0};

    memset(n, 0, sizeof *n);
    memcpy(bytes, &seed, sizeof seed);
    tn_rng_init(&n->rng, bytes);
    n->now.us = TN_S(1000);
    n->relay_us = TN_MS(30);
    n->session = true;
    for (uint8_t e = 0; e < 2; e++) {
        struct pathnet_end *me = &n->end[e];
        const uint8_t host[4] = {192, 168, e, 10};
        const uint8_t nat[4] = {203, 0, 113, (uint8_t)(e + 1)};

        n->direct_us[e] = TN_MS(20);
        tn_rng_bytes(&n->rng, bytes, sizeof bytes);
        tn_rng_init(&me->rng, bytes);
        me->host = tn_addr_v4(host, 41641);
        me->nat = tn_addr_v4(nat, (uint16_t)(20000 + e));
        me->kind = PATHNET_RESTRICTED;
        me->next_port = (uint16_t)(30000 + tn_rng_below(&n->rng, 20000));
        me->coordinator_up = true;
        me->data_len = 1000;
    }
}

void pathnet_start(struct pathnet *n)
{
    const struct tn_paths_config cfg = {.mtu = PATHNET_MTU};

    for (int e = 0; e < 2; e++) {
        tn_paths_init(&n->end[e].paths, &cfg, &n->now);
        tn_paths_set_relay(&n->end[e].paths, n->end[e].coordinator_up, &n->now);
        tn_paths_set_session(&n->end[e].paths, n->session, &n->now);
        n->end[e].data_at_us = n->now.us;
    }
}

void pathnet_set_session(struct pathnet *n, bool up)
{
    n->session = up;
    tn_paths_set_session(&n->end[0].paths, up, &n->now);
    tn_paths_set_session(&n->end[1].paths, up, &n->now);
}

void pathnet_measure(struct pathnet *n)
{
    for (int e = 0; e < 2; e++) {
        n->end[e].longest_gap_us = 0;
        n->end[e].last_got_us = n->now.us;
    }
}

size_t pathnet_count_events(const struct pathnet *n, int end, uint8_t via)
{
    size_t count = 0;

    for (size_t i = 0; i < n->end[end].events; i++)
        count += n->end[end].event[i].via == via;
    return count;
}
