/* Members behind every pair of NAT kinds, a coordinator in the middle: the
 * first packet goes by the relay, direct where the kinds let it through, and
 * nothing that fails cuts a stream for long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simnode.h"

#define DELAY_US 10000 /* a 20 ms link, both ways together */

enum kind { PUBLIC, FULL_CONE, ADDRESS_RESTRICTED, PORT_RESTRICTED, SYMMETRIC, CARRIER, KINDS };
static const char *const kind_name[KINDS] = {"public",          "full cone", "address-restricted",
                                             "port-restricted", "symmetric", "carrier double NAT"};

struct net {
    struct sim *s;
    int a, b;
    int nat_a, nat_b;
    uint32_t tag;
    int want_from;
    uint64_t ping_us;
};

static int add_nat(struct sim *s, enum kind k, int site)
{
    char ip[32], carrier[32];
    int parent = -1;

    snprintf(ip, sizeof ip, "55.2.%d.2", site);
    snprintf(carrier, sizeof carrier, "55.3.%d.2", site);
    switch (k) {
    case PUBLIC:
        return -1;
    case FULL_CONE:
        return world_add_nat(s->w, ip, -1, WORLD_MAP_EIM, WORLD_FILTER_EIF);
    case ADDRESS_RESTRICTED:
        return world_add_nat(s->w, ip, -1, WORLD_MAP_EIM, WORLD_FILTER_ADF);
    case PORT_RESTRICTED:
        return world_add_nat(s->w, ip, -1, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    case SYMMETRIC:
        return world_add_nat(s->w, ip, -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    default:
        parent = world_add_nat(s->w, carrier, -1, WORLD_MAP_EIM, WORLD_FILTER_APDF);
        snprintf(ip, sizeof ip, "100.64.%d.2", site);
        return world_add_nat(s->w, ip, parent, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    }
}

static int add_site(struct net *n, enum kind k, int site, const char *name, int *nat)
{
    char ip[32];

    *nat = add_nat(n->s, k, site);
    snprintf(ip, sizeof ip, k == PUBLIC ? "55.2.%d.10" : "192.168.%d.10", site);
    return sim_add_member(n->s, name, ip, *nat, DELAY_US);
}

static bool both_up(void *ctx)
{
    struct net *n = ctx;

    return n->s->node[n->a].events[TN_EV_JOINED] && n->s->node[n->b].events[TN_EV_JOINED] &&
           sim_peer_slot(n->s, n->a, n->b) != TN_NO_PEER &&
           sim_peer_slot(n->s, n->b, n->a) != TN_NO_PEER;
}

static void open_net(struct net *n, uint64_t seed, enum kind ka, enum kind kb)
{
    *n = (struct net){.s = sim_new(seed)};
    sim_add_coordinator(n->s, "55.1.0.10", DELAY_US);
    n->a = add_site(n, ka, 1, "nas", &n->nat_a);
    n->b = add_site(n, kb, 2, "laptop", &n->nat_b);
    /* a learns of b by its keepalive */
    assert_true(sim_run_until(n->s, both_up, n, TN_S(40)));
}

static bool tag_came(void *ctx)
{
    struct net *n = ctx;

    return sim_last_tag_is(&n->s->node[n->want_from == n->a ? n->b : n->a], n->tag);
}

static bool one_way(struct net *n, int from, size_t len, uint64_t max_us)
{
    n->want_from = from;
    n->tag++;
    sim_send(n->s, from, from == n->a ? n->b : n->a, len, n->tag);
    return sim_run_until(n->s, tag_came, n, max_us);
}

/* There and back; the time it took is n->ping_us. */
static bool echo(struct net *n, uint64_t max_us)
{
    uint64_t began = n->s->w->now.us;
    bool ok = one_way(n, n->a, 84, max_us) && one_way(n, n->b, 84, max_us);

    n->ping_us = n->s->w->now.us - began;
    return ok;
}

static bool both_direct(void *ctx)
{
    struct net *n = ctx;

    return sim_path(n->s, n->a, n->b) == TN_PATH_DIRECT &&
           sim_path(n->s, n->b, n->a) == TN_PATH_DIRECT;
}

/* RFC 4787's theory: who can reach whom by a simultaneous punch. */
static bool lets_through(enum kind a, enum kind b)
{
    bool hard_a = a == SYMMETRIC, hard_b = b == SYMMETRIC;
    bool soft_a = a == PUBLIC || a == FULL_CONE || a == ADDRESS_RESTRICTED;
    bool soft_b = b == PUBLIC || b == FULL_CONE || b == ADDRESS_RESTRICTED;

    if (hard_a && hard_b)
        return false;
    if (hard_a)
        return soft_b;
    if (hard_b)
        return soft_a;
    return true;
}

/* Keeps a little traffic going, as a user's program would. */
static bool traffic_until(struct net *n, bool (*done)(void *), uint64_t max_us)
{
    uint64_t end = n->s->w->now.us + max_us;

    while (n->s->w->now.us < end) {
        if (sim_run_until(n->s, done, n, TN_MS(100)))
            return true;
        sim_send(n->s, n->a, n->b, 84, ++n->tag);
        sim_send(n->s, n->b, n->a, 84, ++n->tag);
    }
    return false;
}

static void one_pair(enum kind a, enum kind b, uint64_t seed)
{
    struct net n;
    uint64_t rtt = 4 * DELAY_US, began;

    open_net(&n, seed, a, b);
    began = n.s->w->now.us;
    assert_true(echo(&n, TN_S(2)));
    assert_true(n.ping_us <= 3 * rtt + TN_MS(100));
    if (lets_through(a, b)) {
        assert_true(traffic_until(&n, both_direct, TN_S(5)));
        assert_true(n.s->w->now.us - began < TN_S(2));
        printf("# %-20s %-20s first answer %3u ms, direct %4u ms\n", kind_name[a], kind_name[b],
               (unsigned)(n.ping_us / 1000), (unsigned)((n.s->w->now.us - began) / 1000));
    } else {
        assert_false(traffic_until(&n, both_direct, TN_S(20)));
        assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
        printf("# %-20s %-20s first answer %3u ms, relay\n", kind_name[a], kind_name[b],
               (unsigned)(n.ping_us / 1000));
    }
    assert_true(echo(&n, TN_S(1)));
    sim_free(n.s);
}

static void every_pair_of_nat_kinds_gets_the_path_that_theory_gives_it(void **state)
{
    uint64_t seed = sim_seed(1000);

    (void)state;
    for (enum kind a = 0; a < KINDS; a++) {
        for (enum kind b = a; b < KINDS; b++) {
            for (uint64_t run = 0; run < 3; run++)
                one_pair(a, b, seed + run * 97 + (uint64_t)a * KINDS + b);
        }
    }
}

static bool on_the_lan(void *ctx)
{
    struct net *n = ctx;
    struct tn_peer_info info;
    struct tn_addr lan = world_ip("192.168.1.11");

    return tn_node_peer_info(n->s->node[n->a].node, sim_peer_slot(n->s, n->a, n->b), &info) &&
           info.path == TN_PATH_DIRECT && tn_addr_same_ip(&info.endpoint, &lan);
}

static void one_lan(bool hairpin)
{
    struct net n = {.s = sim_new(sim_seed(2))};

    sim_add_coordinator(n.s, "55.1.0.10", DELAY_US);
    n.nat_a = add_nat(n.s, PORT_RESTRICTED, 1);
    n.s->w->nat[n.nat_a].hairpin = hairpin;
    n.a = sim_add_member(n.s, "nas", "192.168.1.10", n.nat_a, DELAY_US);
    n.b = sim_add_member(n.s, "laptop", "192.168.1.11", n.nat_a, DELAY_US);
    assert_true(sim_run_until(n.s, both_up, &n, TN_S(40)));
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, on_the_lan, TN_S(2)));
    sim_free(n.s);
}

static void members_of_one_lan_speak_over_the_lan_with_hairpin_or_without(void **state)
{
    (void)state;
    one_lan(false);
    one_lan(true);
}

static void a_punch_survives_routers_that_give_a_mapping_away_to_the_uninvited(void **state)
{
    struct net n;

    (void)state;
    n = (struct net){.s = sim_new(sim_seed(3))};
    sim_add_coordinator(n.s, "55.1.0.10", DELAY_US);
    n.a = add_site(&n, PORT_RESTRICTED, 1, "nas", &n.nat_a);
    n.b = add_site(&n, PORT_RESTRICTED, 2, "laptop", &n.nat_b);
    n.s->w->nat[n.nat_a].spoils = n.s->w->nat[n.nat_b].spoils = true;
    assert_true(sim_run_until(n.s, both_up, &n, TN_S(40)));
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(3)));
    sim_free(n.s);
}

static uint16_t mtu_of(const struct net *n)
{
    struct tn_peer_info info = {0};
    uint32_t peer = sim_peer_slot(n->s, n->a, n->b);

    assert_true(tn_node_peer_info(n->s->node[n->a].node, peer, &info));
    return info.mtu;
}

/* Full-size packets until one arrives; microseconds. What is too long for the path as it is known is
 * answered with ICMP, which is what TCP waits for. */
static void long_packets_until(struct net *n, uint64_t max_us)
{
    uint64_t end = n->s->w->now.us + max_us;
    bool arrived = false;

    while (!arrived) {
        assert_in_range(n->s->w->now.us, 0, end);
        sim_send(n->s, n->a, n->b, mtu_of(n), ++n->tag);
        n->want_from = n->a;
        arrived = sim_run_until(n->s, tag_came, n, TN_MS(100));
    }
}

static void a_black_hole_on_both_ways_is_found(void **state)
{
    static const struct {
        uint32_t link, least, most; /* outer bytes; inner ones that must be found */
    } row[] = {{1300, 1212, 1240}, {1124, 1040, 1064}, {576, 496, 516}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct net n;

        open_net(&n, sim_seed(4), PORT_RESTRICTED, PORT_RESTRICTED);
        n.s->w->max_len = row[i].link - 28; /* the simulation's datagrams are without IP and UDP */
        assert_true(one_way(&n, n.a, 84, TN_S(2)));
        long_packets_until(&n, TN_S(2));
        assert_true(traffic_until(&n, both_direct, TN_S(3)));
        assert_in_range(mtu_of(&n), row[i].least, row[i].most);
        sim_free(n.s);
    }
}

/* As IPv6 asks of every link; what is longer, or may not be split, is answered. */
static void where_576_pass_1280_go_in_three_fragments(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(4), PORT_RESTRICTED, PORT_RESTRICTED);
    n.s->w->max_len = 576 - 28;
    assert_true(one_way(&n, n.a, 84, TN_S(2)));
    long_packets_until(&n, TN_S(2));
    assert_true(traffic_until(&n, both_direct, TN_S(3)));
    assert_int_equal(n.s->node[n.b].node->counters.rx_fragments, 0);
    assert_true(one_way(&n, n.a, 1280, TN_S(1)));
    assert_int_equal(n.s->node[n.b].node->counters.rx_fragments, 3);
    assert_int_equal(n.s->node[n.a].node->counters.drop_too_big, 0);
    assert_false(one_way(&n, n.a, 1281, TN_S(1)));
    assert_int_equal(n.s->node[n.a].node->counters.drop_too_big, 1);
    sim_free(n.s);
}

/* A stream of small packets both ways, one each 20 ms; the longest gap is what a user feels. */
static void stream(struct net *n, uint64_t for_us)
{
    uint64_t end = n->s->w->now.us + for_us;

    while (n->s->w->now.us < end) {
        sim_send(n->s, n->a, n->b, 1200, ++n->tag);
        sim_send(n->s, n->b, n->a, 100, ++n->tag);
        sim_run(n->s, TN_MS(20));
    }
}

static void cut(struct net *n, bool on)
{
    for (int i = 0; i < n->s->w->nats; i++) {
        n->s->w->nat[i].blocks_direct = on;
        n->s->w->nat[i].exempt = n->s->w->host[n->s->coord.host].ip;
    }
}

static void a_cut_direct_path_falls_back_to_the_relay_within_three_seconds_and_returns(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(5), PORT_RESTRICTED, FULL_CONE);
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(5)));
    n.s->node[n.b].longest_gap_us = n.s->node[n.a].longest_gap_us = 0;
    for (int round = 0; round < 3; round++) {
        cut(&n, true);
        stream(&n, TN_S(10));
        assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
        cut(&n, false);
        stream(&n, TN_S(70));
        assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_DIRECT);
        assert_int_equal(sim_path(n.s, n.b, n.a), TN_PATH_DIRECT);
    }
    printf("# longest gap %u and %u ms\n", (unsigned)(n.s->node[n.a].longest_gap_us / 1000),
           (unsigned)(n.s->node[n.b].longest_gap_us / 1000));
    assert_true(n.s->node[n.a].longest_gap_us < TN_S(3));
    assert_true(n.s->node[n.b].longest_gap_us < TN_S(3));
    sim_free(n.s);
}

static void direct_tunnels_and_their_rekeys_live_on_without_the_coordinator(void **state)
{
    struct net n;
    uint64_t sessions;

    (void)state;
    open_net(&n, sim_seed(6), PORT_RESTRICTED, PORT_RESTRICTED);
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(5)));
    sim_coordinator_stop(n.s);
    sessions = n.s->node[n.a].events[TN_EV_SESSION];
    n.s->node[n.b].longest_gap_us = 0;
    stream(&n, TN_S(400));
    assert_true(n.s->node[n.a].events[TN_EV_SESSION] >= sessions + 3);
    assert_true(n.s->node[n.b].longest_gap_us < TN_S(1));
    assert_true(n.s->node[n.a].events[TN_EV_COORD_DOWN] > 0);
    sim_run(n.s, TN_S(300)); /* idle: the path is kept open */
    assert_true(echo(&n, TN_S(2)));
    sim_coordinator_start(n.s);
    sim_run(n.s, TN_S(40));
    assert_true(n.s->node[n.a].last_event[TN_EV_JOINED].status == TN_STATUS_OK);
    cut(&n, true);
    stream(&n, TN_S(10));
    assert_true(echo(&n, TN_S(1)));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    sim_free(n.s);
}

static void a_coordinator_that_restarts_under_relayed_traffic_is_found_again(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(7), SYMMETRIC, SYMMETRIC);
    assert_true(echo(&n, TN_S(2)));
    n.s->node[n.b].longest_gap_us = 0;
    stream(&n, TN_S(5));
    sim_coordinator_stop(n.s);
    stream(&n, TN_S(2));
    sim_coordinator_start(n.s);
    stream(&n, TN_S(20));
    assert_true(echo(&n, TN_S(1)));
    printf("# longest gap %u ms for 2000 ms of outage\n",
           (unsigned)(n.s->node[n.b].longest_gap_us / 1000));
    assert_true(n.s->node[n.b].longest_gap_us < TN_S(8));
    sim_free(n.s);
}

static void a_restarted_member_is_reached_again_by_both_sides(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(8), PORT_RESTRICTED, ADDRESS_RESTRICTED);
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(5)));
    sim_restart(n.s, n.b);
    sim_run(n.s, TN_S(1));
    assert_true(one_way(&n, n.b, 84, TN_S(6)));
    assert_true(one_way(&n, n.a, 84, TN_S(6)));
    assert_true(traffic_until(&n, both_direct, TN_S(10)));
    sim_free(n.s);
}

/* Microseconds until something of a's reaches b, which restarts `after_us` from now. */
static uint64_t reach_restarted(struct net *n, uint64_t after_us)
{
    uint64_t began, before;

    sim_run(n->s, after_us);
    sim_restart(n->s, n->b);
    sim_run(n->s, TN_S(1));
    before = n->s->node[n->b].delivered;
    began = n->s->w->now.us;
    while (n->s->node[n->b].delivered == before && n->s->w->now.us < began + TN_S(20)) {
        sim_send(n->s, n->a, n->b, 84, ++n->tag);
        sim_run(n->s, TN_MS(500));
    }
    printf("# reached after %u ms\n", (unsigned)((n->s->w->now.us - began) / 1000));
    return n->s->w->now.us - began;
}

static void a_restarted_member_is_reached_within_four_seconds_by_who_has_the_old_session(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(17), PORT_RESTRICTED, PORT_RESTRICTED);
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(5)));
    /* a handshake follows another after 5 s at the earliest */
    assert_true(reach_restarted(&n, TN_S(8)) < TN_S(4));
    sim_free(n.s);
}

static void a_member_that_restarts_at_once_is_reached_as_soon_as_a_handshake_may_follow(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(18), PORT_RESTRICTED, PORT_RESTRICTED);
    assert_true(echo(&n, TN_S(2)));
    assert_true(traffic_until(&n, both_direct, TN_S(5)));
    assert_true(reach_restarted(&n, 0) < TN_S(7));
    sim_free(n.s);
}

static void a_nat_that_forgets_after_five_seconds_loses_no_packet_after_idle(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(9), PORT_RESTRICTED, SYMMETRIC);
    n.s->w->nat[n.nat_a].lifetime_us = n.s->w->nat[n.nat_b].lifetime_us = TN_S(5);
    sim_run(n.s, TN_S(40)); /* the keepalive learns that it must come more often */
    assert_true(echo(&n, TN_S(4)));
    for (int i = 0; i < 5; i++) {
        sim_run(n.s, TN_S(30));
        assert_true(echo(&n, TN_S(3)));
    }
    sim_free(n.s);
}

static void a_member_that_is_away_is_said_to_be_unreachable_at_once(void **state)
{
    struct net n;
    uint64_t began;

    (void)state;
    open_net(&n, sim_seed(10), PORT_RESTRICTED, PORT_RESTRICTED);
    n.s->w->host[n.s->node[n.b].host].down = true;
    sim_run(n.s, TN_S(120));
    began = n.s->w->now.us;
    sim_send(n.s, n.a, n.b, 84, 1);
    while (!n.s->node[n.a].events[TN_EV_UNREACHABLE] && n.s->w->now.us < began + TN_S(5))
        sim_run(n.s, TN_MS(1));
    assert_true(n.s->w->now.us - began < TN_MS(200));
    sim_free(n.s);
}

static void a_member_that_says_goodbye_is_unreachable_from_then_on(void **state)
{
    struct net n;
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    struct simnode *laptop;

    (void)state;
    open_net(&n, sim_seed(13), PORT_RESTRICTED, PORT_RESTRICTED);
    laptop = &n.s->node[n.b];
    assert_true(tn_node_goodbye(laptop->node, &b, n.s->w->now, &route));
    world_send(n.s->w, laptop->host, SIM_PORT, &route.to, 0, tn_buf_data(&b), b.len);
    sim_run(n.s, TN_MS(50));
    n.s->w->host[laptop->host].down = true;
    sim_send(n.s, n.a, n.b, 84, 1);
    sim_run(n.s, TN_MS(200));
    assert_int_equal(n.s->node[n.a].events[TN_EV_UNREACHABLE], 1);
    sim_free(n.s);
}

static void an_idle_overlay_ping_tells_its_path_and_time(void **state)
{
    struct net n;
    struct tn_event *pong;

    (void)state;
    open_net(&n, sim_seed(11), PORT_RESTRICTED, SYMMETRIC);
    assert_int_equal(tn_node_ping(n.s->node[n.a].node, sim_peer_slot(n.s, n.a, n.b), 64, 77, n.s->w->now), 0);
    sim_pump(n.s, n.a);
    sim_run(n.s, TN_S(1));
    assert_int_equal(n.s->node[n.a].events[TN_EV_PONG], 1);
    pong = &n.s->node[n.a].last_event[TN_EV_PONG];
    assert_int_equal(pong->token, 77);
    assert_int_equal(pong->path, TN_PATH_RELAY);
    assert_in_range(pong->us, 4 * 2 * DELAY_US, 4 * 2 * DELAY_US + 2000);
    sim_free(n.s);
}

static void loss_of_a_tenth_still_finds_the_direct_path(void **state)
{
    uint64_t seed = sim_seed(12);

    (void)state;
    for (uint64_t run = 0; run < 10; run++) {
        struct net n;

        open_net(&n, seed + run, PORT_RESTRICTED, PORT_RESTRICTED);
        for (int i = 0; i < n.s->w->hosts; i++)
            n.s->w->host[i].loss_ppm = 50000;
        assert_true(traffic_until(&n, both_direct, TN_S(15)));
        sim_free(n.s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_nat_kinds_gets_the_path_that_theory_gives_it),
        cmocka_unit_test(members_of_one_lan_speak_over_the_lan_with_hairpin_or_without),
        cmocka_unit_test(a_punch_survives_routers_that_give_a_mapping_away_to_the_uninvited),
        cmocka_unit_test(a_black_hole_on_both_ways_is_found),
        cmocka_unit_test(where_576_pass_1280_go_in_three_fragments),
        cmocka_unit_test(a_cut_direct_path_falls_back_to_the_relay_within_three_seconds_and_returns),
        cmocka_unit_test(direct_tunnels_and_their_rekeys_live_on_without_the_coordinator),
        cmocka_unit_test(a_coordinator_that_restarts_under_relayed_traffic_is_found_again),
        cmocka_unit_test(a_restarted_member_is_reached_again_by_both_sides),
        cmocka_unit_test(a_restarted_member_is_reached_within_four_seconds_by_who_has_the_old_session),
        cmocka_unit_test(a_member_that_restarts_at_once_is_reached_as_soon_as_a_handshake_may_follow),
        cmocka_unit_test(a_nat_that_forgets_after_five_seconds_loses_no_packet_after_idle),
        cmocka_unit_test(a_member_that_is_away_is_said_to_be_unreachable_at_once),
        cmocka_unit_test(a_member_that_says_goodbye_is_unreachable_from_then_on),
        cmocka_unit_test(an_idle_overlay_ping_tells_its_path_and_time),
        cmocka_unit_test(loss_of_a_tenth_still_finds_the_direct_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
