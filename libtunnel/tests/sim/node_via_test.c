/* Members that relay. Two of them behind symmetric NATs, a third in the open with a short way to both, the coordinator
 * far off: traffic goes round by the third as soon as its card says that it relays, and back when it is gone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "libtunnel/node_via.h"
#include "simnode.h"

#define NEAR_US 5000
#define FAR_US 60000

struct net {
    struct sim *s;
    int a, b, m;
    int stream_from, stream_to;
    uint32_t tag;
    enum tn_path_kind want;
};

static bool all_know(void *ctx)
{
    struct net *n = ctx;

    return sim_peer_slot(n->s, n->a, n->b) != TN_NO_PEER && sim_peer_slot(n->s, n->b, n->a) != TN_NO_PEER &&
           sim_peer_slot(n->s, n->a, n->m) != TN_NO_PEER && sim_peer_slot(n->s, n->b, n->m) != TN_NO_PEER &&
           sim_peer_slot(n->s, n->m, n->b) != TN_NO_PEER;
}

/* The third is behind a NAT of its own where `nat_m` is one. */
static struct net open_net(uint64_t seed, enum world_mapping mapping, int nat_m)
{
    struct net n = {.s = sim_new(sim_seed(seed))};
    int nat_a, nat_b;

    sim_add_coordinator(n.s, "55.1.0.10", FAR_US);
    nat_a = world_add_nat(n.s->w, "55.2.1.2", -1, mapping, WORLD_FILTER_APDF);
    nat_b = world_add_nat(n.s->w, "55.2.2.2", -1, mapping, WORLD_FILTER_APDF);
    if (nat_m)
        nat_m = world_add_nat(n.s->w, "55.2.3.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.a = sim_add_member(n.s, "nas", "192.168.1.10", nat_a, NEAR_US);
    n.b = sim_add_member(n.s, "laptop", "192.168.2.10", nat_b, NEAR_US);
    n.m = sim_add_member(n.s, "hub", nat_m ? "192.168.3.10" : "55.2.3.10", nat_m ? nat_m : -1, NEAR_US);
    assert_true(sim_run_until(n.s, all_know, &n, TN_S(40)));
    return n;
}

static void mark(struct net *n, int i, bool on)
{
    struct simnode *k = &n->s->node[i];
    uint64_t epoch = tn_card_next_epoch(&k->card, on);

    assert_int_equal(tn_card_sign_key(&k->card, k->identity_seed, epoch, k->wg_pub), 0);
    assert_int_equal(tn_node_renew_card(k->node, &k->card, n->s->w->now), 0);
    sim_pump(n->s, i);
}

static bool is_path(void *ctx)
{
    struct net *n = ctx;

    return sim_path(n->s, n->a, n->b) == n->want && sim_path(n->s, n->b, n->a) == n->want;
}

/* 84 bytes each way, each 100 ms, until both ends have that path. */
static bool traffic_until(struct net *n, enum tn_path_kind want, uint64_t max_us)
{
    uint64_t end = n->s->w->now.us + max_us;

    n->want = want;
    while (n->s->w->now.us < end) {
        if (sim_run_until(n->s, is_path, n, TN_MS(100)))
            return true;
        sim_send(n->s, n->a, n->b, 84, ++n->tag);
        sim_send(n->s, n->b, n->a, 84, ++n->tag);
    }
    return false;
}

static void traffic(struct net *n, uint64_t for_us)
{
    (void)traffic_until(n, (enum tn_path_kind)99, for_us);
}

static bool came(void *ctx)
{
    struct net *n = ctx;

    return sim_last_tag_is(&n->s->node[n->stream_to], n->tag);
}

/* How long a packet takes from a to b; 0: it does not arrive. */
static uint64_t one_way_us(struct net *n, size_t len)
{
    uint64_t began = n->s->w->now.us;

    n->stream_to = n->b;
    sim_send(n->s, n->a, n->b, len, ++n->tag);
    return sim_run_until(n->s, came, n, TN_S(2)) ? n->s->w->now.us - began : 0;
}

static const struct tn_counters *counters(const struct net *n, int i)
{
    return tn_node_counters(n->s->node[i].node);
}

static void traffic_goes_through_a_marked_member_that_is_nearer_than_the_relay(void **state)
{
    struct net n = open_net(1, WORLD_MAP_APDM, 0);
    uint64_t by_relay_us, relayed;

    (void)state;
    traffic(&n, TN_S(20));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    assert_int_equal(n.s->node[n.m].forwarded, 0); /* it is not marked */
    by_relay_us = one_way_us(&n, 200);
    assert_true(by_relay_us >= 2 * FAR_US);
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    traffic(&n, TN_S(2));
    relayed = n.s->coord.relayed;
    assert_in_range(one_way_us(&n, 200), 1, 4 * NEAR_US + 1000);
    assert_in_range(one_way_us(&n, 1360), 1, 4 * NEAR_US + 1000);
    assert_int_equal(n.s->coord.relayed, relayed);
    assert_true(counters(&n, n.m)->forwarded > 0);
    assert_true(counters(&n, n.a)->tx_via > 0 && counters(&n, n.b)->rx_via > 0);
    /* it stays so */
    for (int i = 0; i < 30; i++) {
        traffic(&n, TN_S(1));
        assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_MEMBER);
    }
    sim_free(n.s);
}

static void the_mtu_through_a_member_leaves_room_for_the_second_envelope(void **state)
{
    struct net n = open_net(2, WORLD_MAP_APDM, 0);
    struct tn_peer_info info;

    (void)state;
    n.s->w->max_len = 1452; /* no datagram is longer than one of our own full size */
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(30)));
    assert_true(tn_node_peer_info(n.s->node[n.a].node, sim_peer_slot(n.s, n.a, n.b), &info));
    assert_int_equal(info.mtu, 1360);
    assert_true(one_way_us(&n, 1360) > 0);
    assert_true(n.s->node[n.a].longest_out <= 1440);
    sim_free(n.s);
}

static void a_way_through_a_member_that_swallows_long_packets_is_measured(void **state)
{
    struct net n = open_net(3, WORLD_MAP_APDM, 0);
    struct tn_peer_info info;

    (void)state;
    n.s->w->max_len = 1200;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(30)));
    assert_true(tn_node_peer_info(n.s->node[n.a].node, sim_peer_slot(n.s, n.a, n.b), &info));
    assert_in_range(info.mtu, 1100, 1200 - 72);
    assert_true(one_way_us(&n, info.mtu) > 0);
    sim_free(n.s);
}

static void when_the_member_dies_traffic_is_on_the_relay_within_three_seconds(void **state)
{
    struct net n = open_net(4, WORLD_MAP_APDM, 0);
    uint64_t died_us;

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    traffic(&n, TN_S(3));
    n.s->node[n.b].longest_gap_us = 0;
    n.s->w->host[n.s->node[n.m].host].down = true;
    died_us = n.s->w->now.us;
    assert_true(traffic_until(&n, TN_PATH_RELAY, TN_S(5)));
    assert_true(n.s->w->now.us - died_us <= TN_S(3));
    traffic(&n, TN_S(3));
    assert_true(n.s->node[n.b].longest_gap_us < TN_S(1)); /* data left it before it was given up */
    assert_true(one_way_us(&n, 1400) > 0);
    /* it comes back */
    n.s->w->host[n.s->node[n.m].host].down = false;
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(60)));
    sim_free(n.s);
}

static void a_member_that_is_no_longer_marked_is_left_at_once_and_no_session_ends(void **state)
{
    struct net n = open_net(5, WORLD_MAP_APDM, 0);
    uint64_t handshakes;

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    handshakes = counters(&n, n.a)->handshakes;
    mark(&n, n.m, false);
    assert_true(traffic_until(&n, TN_PATH_RELAY, TN_S(3)));
    traffic(&n, TN_S(10));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    assert_int_equal(counters(&n, n.a)->handshakes, handshakes);
    sim_free(n.s);
}

static void a_direct_path_that_works_is_not_left_for_a_member(void **state)
{
    struct net n = open_net(6, WORLD_MAP_EIM, 0);

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_DIRECT, TN_S(20)));
    traffic(&n, TN_S(30));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_DIRECT);
    sim_free(n.s);
}

/* Its own way to both would lead through the coordinator. */
static void a_member_that_is_not_reached_directly_is_not_gone_through(void **state)
{
    struct net n = open_net(7, WORLD_MAP_APDM, 1);

    (void)state;
    mark(&n, n.m, true);
    traffic(&n, TN_S(30));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    assert_int_equal(n.s->node[n.m].forwarded, 0);
    sim_free(n.s);
}

static void the_user_may_forbid_it_and_may_forbid_the_direct_path_alone(void **state)
{
    struct net n = open_net(8, WORLD_MAP_APDM, 0);
    uint32_t b;

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    b = sim_peer_slot(n.s, n.a, n.b);
    assert_int_equal(tn_node_set_path_mode(n.s->node[n.a].node, b, TN_MODE_DIRECT, n.s->w->now), 0);
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_NONE);
    traffic(&n, TN_S(10));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_NONE);
    assert_int_equal(tn_node_set_path_mode(n.s->node[n.a].node, b, TN_MODE_RELAY, n.s->w->now), 0);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(30)));
    sim_free(n.s);
}

static void what_goes_through_a_member_is_on_the_relay_the_moment_that_member_is_lost(void **state)
{
    struct net n = open_net(18, WORLD_MAP_APDM, 0);
    uint32_t m;

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    m = sim_peer_slot(n.s, n.a, n.m);
    tn_on_send_error(n.s->node[n.a].node, &tn_paths_direct(tn_peer_at(n.s->node[n.a].node, m)->paths)->addr,
                     n.s->w->now);
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    sim_free(n.s);
}

/* Neither is to be reached directly, and each could relay to the other. */
static void two_that_relay_do_not_keep_each_other_awake(void **state)
{
    struct net n = open_net(19, WORLD_MAP_APDM, 1);
    uint64_t sent;

    (void)state;
    mark(&n, n.m, true);
    mark(&n, n.b, true);
    traffic(&n, TN_S(10));
    sim_run(n.s, TN_S(60));
    sent = n.s->w->sent;
    sim_run(n.s, TN_S(60));
    assert_in_range(n.s->w->sent - sent, 0, 60); /* three that tell the coordinator that they are there */
    sim_free(n.s);
}

static void no_card_but_our_own_with_the_same_key_and_a_higher_epoch_takes_its_place(void **state)
{
    struct net n = open_net(20, WORLD_MAP_APDM, 0);
    struct simnode *k = &n.s->node[n.m];
    struct tn_card card = k->card, other = n.s->node[n.a].card;
    uint8_t key[32] = {9};
    int plain = sim_add_plain(n.s, "55.2.9.2", -1, NEAR_US);

    (void)state;
    assert_int_equal(tn_node_renew_card(k->node, &other, n.s->w->now), TN_EINVAL);
    assert_int_equal(tn_card_sign_key(&card, k->identity_seed, 0x10001, key), 0);
    assert_int_equal(tn_node_renew_card(k->node, &card, n.s->w->now), TN_EINVAL);
    card = k->card;
    card.epoch = 0x10001; /* not signed */
    assert_int_equal(tn_node_renew_card(k->node, &card, n.s->w->now), TN_EAUTH);
    mark(&n, n.m, true);
    mark(&n, n.m, false);
    assert_int_equal(tn_card_sign_key(&card, k->identity_seed, 0x10001, k->wg_pub), 0);
    assert_int_equal(tn_node_renew_card(k->node, &card, n.s->w->now), TN_EREPLAY);
    assert_int_equal(tn_node_renew_card(n.s->node[plain].node, &card, n.s->w->now), TN_ESTATE);
    sim_free(n.s);
}

/* The coordinator is away: it is told with the next session. */
static void a_mark_made_without_the_coordinator_comes_with_the_next_join(void **state)
{
    struct net n = open_net(21, WORLD_MAP_APDM, 0);

    (void)state;
    sim_coordinator_stop(n.s);
    sim_run(n.s, TN_S(120));
    mark(&n, n.m, true);
    sim_run(n.s, TN_S(5));
    sim_coordinator_start(n.s);
    sim_run(n.s, TN_S(60));
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(60)));
    sim_free(n.s);
}

static void who_is_woken_for_others_sleeps_again_when_they_are_silent(void **state)
{
    struct net n = open_net(9, WORLD_MAP_APDM, 0);
    uint64_t sent;

    (void)state;
    mark(&n, n.m, true);
    mark(&n, n.b, true); /* two that relay must not keep each other awake */
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    sim_run(n.s, TN_S(60));
    sent = n.s->w->sent;
    sim_run(n.s, TN_S(60));
    assert_in_range(n.s->w->sent - sent, 0, 200); /* who is there, and heartbeats of idle paths */
    sim_free(n.s);
}

static void the_relay_passes_on_no_more_bytes_than_came_and_keeps_to_its_rate(void **state)
{
    struct net n = open_net(10, WORLD_MAP_APDM, 0);
    uint64_t forwarded, before, dropped;

    (void)state;
    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    traffic(&n, TN_S(2));
    assert_true(one_way_us(&n, 1360) > 0);
    assert_true(n.s->node[n.m].longest_out <= n.s->node[n.m].longest_in);
    tn_node_set_relay_rate(n.s->node[n.m].node, 200000);
    before = n.s->node[n.m].forwarded;
    dropped = counters(&n, n.m)->drop_via;
    for (int i = 0; i < 1000; i++) { /* 1.4 MB in a second */
        sim_send(n.s, n.a, n.b, 1360, ++n.tag);
        sim_run(n.s, TN_MS(1));
    }
    forwarded = (n.s->node[n.m].forwarded - before) * 1400;
    assert_in_range(forwarded, 100000, 220000);
    assert_true(counters(&n, n.m)->drop_via > dropped + 500);
    sim_free(n.s);
}

/* ---- what is refused ---- */

/* An inner packet of `from`'s own making, sealed for `to`, whom it reaches directly. */
static void send_inner(struct net *n, int from, int to, const uint8_t *inner, size_t len)
{
    struct simnode *k = &n->s->node[from];
    uint32_t peer = sim_peer_slot(n->s, from, to);
    const struct tn_cand *c = tn_paths_direct(tn_peer_at(k->node, peer)->paths);
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};

    assert_non_null(c);
    memcpy(tn_buf_data(&b), inner, len);
    assert_int_equal(tn_tx_seal(k->node, peer, &b, false, n->s->w->now), 0);
    world_send(n->s->w, k->host, SIM_PORT, &c->addr, 0, tn_buf_data(&b), b.len);
    sim_run(n->s, TN_MS(50));
}

/* A VIA or VIA_FROM that names member i, with 32 bytes of WireGuard data for `index`. */
static size_t message(struct net *n, bool from, int i, uint32_t index, uint8_t out[64])
{
    struct tn_addr a = sim_inner_address(n->s, i);
    struct tn_viamsg m = {.from = from, .len = TN_WG_KEEPALIVE_LEN};

    memset(out, 0, 64);
    memcpy(m.ipv4, a.ip + 12, 4);
    tn_viamsg_encode(&m, out);
    out[TN_VIAMSG_HEADER_LEN] = TN_WG_DATA;
    tn_put_le32(out + TN_VIAMSG_HEADER_LEN + 4, index);
    return TN_VIAMSG_HEADER_LEN + TN_WG_KEEPALIVE_LEN;
}

static struct net open_through(uint64_t seed)
{
    struct net n = open_net(seed, WORLD_MAP_APDM, 0);

    mark(&n, n.m, true);
    assert_true(traffic_until(&n, TN_PATH_MEMBER, TN_S(20)));
    return n;
}

static void expect(struct net *n, int at, int from, const uint8_t *inner, size_t len, unsigned forwarded, unsigned dropped)
{
    struct tn_counters before = *counters(n, at);

    send_inner(n, from, at, inner, len);
    assert_int_equal(counters(n, at)->forwarded - before.forwarded, forwarded);
    assert_int_equal(counters(n, at)->drop_via - before.drop_via, dropped);
}

static void what_is_to_be_passed_on_is_wireguard_for_another_member(void **state)
{
    struct net n = open_through(11);
    uint8_t via[64];
    size_t len = message(&n, false, n.b, 0, via);

    (void)state;
    expect(&n, n.m, n.a, via, len, 1, 0);
    via[TN_VIAMSG_HEADER_LEN] = 0x94; /* not the coordinator's relay */
    expect(&n, n.m, n.a, via, len, 0, 1);
    len = message(&n, false, n.a, 0, via); /* to who sent it */
    expect(&n, n.m, n.a, via, len, 0, 1);
    len = message(&n, false, n.m, 0, via); /* to the relay itself */
    expect(&n, n.m, n.a, via, len, 0, 1);
    len = message(&n, false, n.b, 0, via);
    via[7] = 200; /* to nobody */
    expect(&n, n.m, n.a, via, len, 0, 1);
    sim_free(n.s);
}

static void an_unmarked_member_passes_nothing_on_and_nothing_is_taken_from_it(void **state)
{
    struct net n = open_through(12);
    uint8_t via[64];
    size_t len;

    (void)state;
    mark(&n, n.m, false);
    sim_run(n.s, TN_S(1));
    len = message(&n, false, n.b, 0, via);
    expect(&n, n.m, n.a, via, len, 0, 1);
    len = message(&n, true, n.b, sim_peer_slot(n.s, n.a, n.b), via);
    expect(&n, n.a, n.m, via, len, 0, 1);
    sim_free(n.s);
}

static void a_datagram_of_another_member_than_it_is_said_to_be_from_is_dropped(void **state)
{
    struct net n = open_through(13);
    uint64_t unknown = counters(&n, n.a)->drop_no_session;
    uint8_t via[64];
    size_t len = message(&n, true, n.b, sim_peer_slot(n.s, n.a, n.m), via);

    (void)state;
    expect(&n, n.a, n.m, via, len, 0, 1);
    assert_int_equal(counters(&n, n.a)->drop_no_session, unknown);
    len = message(&n, true, n.b, sim_peer_slot(n.s, n.a, n.b), via); /* as far as can be seen it is his */
    expect(&n, n.a, n.m, via, len, 0, 0);
    assert_int_equal(counters(&n, n.a)->drop_no_session, unknown + 1);
    sim_free(n.s);
}

/* Sealed for b, and sent there through m: what b gets so, it does not pass on. */
static void nothing_goes_through_two_members(void **state)
{
    struct net n = open_through(14);
    struct simnode *a = &n.s->node[n.a];
    uint32_t peer = sim_peer_slot(n.s, n.a, n.b);
    struct tn_way way = {.via = TN_VIA_MEMBER, .addr = tn_card_address4(&n.s->node[n.m].card)};
    struct tn_counters before;
    struct tn_route route;
    uint8_t mem[2048], via[64];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM};

    (void)state;
    mark(&n, n.b, true);
    sim_run(n.s, TN_S(1));
    before = *counters(&n, n.b);
    b.len = message(&n, false, n.m, 0, via);
    memcpy(tn_buf_data(&b), via, b.len);
    assert_int_equal(tn_tx_seal(a->node, peer, &b, false, n.s->w->now), 0);
    assert_int_equal(tn_tx_route(a->node, peer, &way, &b, n.s->w->now, &route), 0);
    world_send(n.s->w, a->host, SIM_PORT, &route.to, 0, tn_buf_data(&b), b.len);
    sim_run(n.s, TN_MS(50));
    assert_int_equal(counters(&n, n.b)->rx_via, before.rx_via + 1);
    assert_int_equal(counters(&n, n.b)->drop_via, before.drop_via + 1);
    assert_int_equal(counters(&n, n.b)->forwarded, before.forwarded);
    sim_free(n.s);
}

static void what_comes_by_the_coordinators_relay_is_not_passed_on(void **state)
{
    struct net n = open_through(15);
    struct simnode *a = &n.s->node[n.a];
    uint32_t peer = sim_peer_slot(n.s, n.a, n.m);
    struct tn_way way = {.via = TN_VIA_RELAY};
    struct tn_counters before;
    struct tn_route route;
    uint8_t mem[2048], via[64];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM};

    (void)state;
    sim_run(n.s, TN_S(5)); /* nothing else goes through m any more */
    before = *counters(&n, n.m);
    b.len = message(&n, false, n.b, 0, via);
    memcpy(tn_buf_data(&b), via, b.len);
    assert_int_equal(tn_tx_seal(a->node, peer, &b, false, n.s->w->now), 0);
    assert_int_equal(tn_tx_route(a->node, peer, &way, &b, n.s->w->now, &route), 0);
    world_send(n.s->w, a->host, SIM_PORT, &route.to, 0, tn_buf_data(&b), b.len);
    sim_run(n.s, TN_MS(300));
    assert_int_equal(counters(&n, n.m)->drop_via, before.drop_via + 1);
    assert_int_equal(counters(&n, n.m)->forwarded, before.forwarded);
    sim_free(n.s);
}

static void a_strangers_message_changes_nothing(void **state)
{
    struct net n = open_through(16);
    struct tn_counters before = *counters(&n, n.m);
    struct tn_addr to = n.s->w->host[n.s->node[n.m].host].ip;
    uint8_t via[64];
    size_t len = message(&n, false, n.b, 0, via);

    (void)state;
    to.port = SIM_PORT;
    world_send(n.s->w, n.s->node[n.a].host, 4000, &to, 0, via, len);
    sim_run(n.s, TN_MS(50));
    assert_int_equal(counters(&n, n.m)->drop_malformed, before.drop_malformed + 1);
    assert_int_equal(counters(&n, n.m)->forwarded, before.forwarded);
    assert_int_equal(counters(&n, n.m)->drop_via, before.drop_via);
    sim_free(n.s);
}

/* Who floods the relay takes nothing from who sends little. */
static void each_sender_has_its_share_of_the_rate(void **state)
{
    struct net n = open_through(17);
    unsigned got = 0;

    (void)state;
    tn_node_set_relay_rate(n.s->node[n.m].node, 200000);
    for (int i = 0; i < 1200; i++) {
        sim_send(n.s, n.a, n.b, 1360, ++n.tag);
        if (i > 200 && i % 20 == 0) {
            n.stream_to = n.a;
            sim_send(n.s, n.b, n.a, 84, ++n.tag);
            got += sim_run_until(n.s, came, &n, TN_MS(30));
        }
        sim_run(n.s, TN_MS(1));
    }
    assert_in_range(got, 40, 50);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traffic_goes_through_a_marked_member_that_is_nearer_than_the_relay),
        cmocka_unit_test(the_mtu_through_a_member_leaves_room_for_the_second_envelope),
        cmocka_unit_test(a_way_through_a_member_that_swallows_long_packets_is_measured),
        cmocka_unit_test(when_the_member_dies_traffic_is_on_the_relay_within_three_seconds),
        cmocka_unit_test(a_member_that_is_no_longer_marked_is_left_at_once_and_no_session_ends),
        cmocka_unit_test(a_direct_path_that_works_is_not_left_for_a_member),
        cmocka_unit_test(a_member_that_is_not_reached_directly_is_not_gone_through),
        cmocka_unit_test(the_user_may_forbid_it_and_may_forbid_the_direct_path_alone),
        cmocka_unit_test(what_goes_through_a_member_is_on_the_relay_the_moment_that_member_is_lost),
        cmocka_unit_test(two_that_relay_do_not_keep_each_other_awake),
        cmocka_unit_test(no_card_but_our_own_with_the_same_key_and_a_higher_epoch_takes_its_place),
        cmocka_unit_test(a_mark_made_without_the_coordinator_comes_with_the_next_join),
        cmocka_unit_test(who_is_woken_for_others_sleeps_again_when_they_are_silent),
        cmocka_unit_test(the_relay_passes_on_no_more_bytes_than_came_and_keeps_to_its_rate),
        cmocka_unit_test(what_is_to_be_passed_on_is_wireguard_for_another_member),
        cmocka_unit_test(an_unmarked_member_passes_nothing_on_and_nothing_is_taken_from_it),
        cmocka_unit_test(a_datagram_of_another_member_than_it_is_said_to_be_from_is_dropped),
        cmocka_unit_test(nothing_goes_through_two_members),
        cmocka_unit_test(what_comes_by_the_coordinators_relay_is_not_passed_on),
        cmocka_unit_test(a_strangers_message_changes_nothing),
        cmocka_unit_test(each_sender_has_its_share_of_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
