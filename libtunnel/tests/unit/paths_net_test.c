/* Two ends, one clock, NATs, a relay: what a user would see. Each story runs with
 * many seeds; a failure prints the seed that replays it. */
#include "paths_net_fixture.h"

static void two_homes_go_direct_in_under_300_ms(void **state)
{
    uint64_t took_us[SEEDS];

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.direct_us[0] = net.direct_us[1] = net.relay_us = TN_MS(40); /* two links of 20 ms */
        net.end[0].spoils = net.end[1].spoils = true;
        start_with_data(TN_MS(10));
        took_us[seed] = time_until(TN_VIA_DIRECT, TN_S(10));
        check(net.end[0].unproven_full == 0 && net.end[1].unproven_full == 0,
              "a full-size PING went to an address that nothing came from");
    }
    print_times("two restricted cones, time to direct", took_us, SEEDS);
    assert_true(took_us[SEEDS / 2] < TN_MS(300));
    assert_true(took_us[SEEDS * 95 / 100] < TN_S(2));
}

static void the_bar_holds_with_loss_on_every_way(void **state)
{
    uint64_t took_us[SEEDS];

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.direct_us[0] = net.direct_us[1] = net.relay_us = TN_MS(40);
        set_loss(50000);
        start_with_data(TN_MS(10));
        took_us[seed] = time_until(TN_VIA_DIRECT, TN_S(60));
    }
    print_times("the same with 5 % loss", took_us, SEEDS);
    assert_true(took_us[SEEDS / 2] < TN_MS(300));
    assert_true(took_us[SEEDS * 95 / 100] < TN_S(2));
}

static void every_pair_that_can_meet_does(void **state)
{
    static const enum pathnet_nat pair[][2] = {
        {PATHNET_OPEN, PATHNET_OPEN},           {PATHNET_OPEN, PATHNET_RESTRICTED},
        {PATHNET_RESTRICTED, PATHNET_OPEN},     {PATHNET_OPEN, PATHNET_SYMMETRIC},
        {PATHNET_SYMMETRIC, PATHNET_OPEN},      {PATHNET_RESTRICTED, PATHNET_RESTRICTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            begin(seed);
            net.end[0].kind = pair[i][0];
            net.end[1].kind = pair[i][1];
            net.end[0].spoils = net.end[1].spoils = true;
            start_with_data(TN_MS(10));
            time_until(TN_VIA_DIRECT, TN_S(2));
        }
    }
}

static void a_router_that_minds_unsolicited_packets_never_sees_one(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.jitter_us = 0;
        net.end[0].spoils = net.end[1].spoils = true;
        net.direct_us[0] = net.direct_us[1] = TN_MS(3); /* much nearer than the coordinator */
        net.connect_skew_us = TN_MS(1) * (seed % 16);   /* delay_ms is 15 here */
        start_with_data(TN_MS(10));
        time_until(TN_VIA_DIRECT, TN_S(2));
        check(net.end[0].spoiled_count == 0 && net.end[1].spoiled_count == 0,
              "a punch came before the other end had opened its NAT");
    }
}

static void two_symmetric_nats_stay_on_the_relay_and_stop_to_probe(void **state)
{
    uint64_t probes;

    (void)state;
    begin(1);
    net.end[0].kind = net.end[1].kind = PATHNET_SYMMETRIC;
    start_with_data(TN_MS(100));
    pathnet_run(&net, TN_S(60));
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_RELAY);
    assert_true(net.end[1].got > 580 && net.end[1].got_direct == 0);
    /* two candidates, three rounds of ten; the relay's own heartbeats are the rest */
    assert_true(net.end[0].probes - net.end[0].relay_full <= 2 * 3 * 10 + 61);
    probes = net.end[0].probes - net.end[0].relay_full;
    pathnet_run(&net, TN_S(400));
    assert_true(net.end[0].probes - net.end[0].relay_full - probes <= 401);
    assert_true(net.end[0].relay_full <= 460 / 2);
    assert_true(net.end[0].connects < 16);
}

static void a_path_that_works_one_way_carries_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.end[0].kind = net.end[1].kind = PATHNET_OPEN;
        net.direct_cut[seed % 2] = true;
        start_with_data(TN_MS(50));
        pathnet_run(&net, TN_S(30));
        for (int e = 0; e < 2; e++) {
            check(pathnet_count_events(&net, e, TN_VIA_DIRECT) == 0, "went direct");
            check(net.end[e].got_direct == 0, "data went direct");
            check(net.end[e].longest_gap_us < TN_MS(200), "data stalled");
        }
    }
}

static void a_path_that_drops_all_but_small_packets_carries_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct tn_cand *c;

        begin(seed);
        net.direct_max_len = 399;
        start_with_data(TN_MS(50));
        pathnet_run(&net, TN_S(30));
        c = find_cand(0, &net.end[1].nat);
        check(c && c->verdict == TN_CAND_ANSWERED_SMALL, "not seen as small only");
        check(net.end[0].got_direct == 0 && net.end[1].got_direct == 0, "data went direct");
        net.direct_max_len = 0; /* the tunnel in between was repaired */
        time_until(TN_VIA_DIRECT, TN_S(100));
    }
}

static void a_path_that_dies_in_use_stalls_data_for_less_than_a_second(void **state)
{
    uint64_t gap_us[2 * SEEDS];

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        start_direct(TN_MS(5));
        pathnet_run(&net, TN_S(2) + tn_rng_below(&net.rng, 1000000));
        pathnet_measure(&net);
        net.direct_cut[0] = net.direct_cut[1] = true;
        time_until(TN_VIA_RELAY, TN_S(3));
        pathnet_run(&net, TN_S(1));
        gap_us[2 * seed] = net.end[0].longest_gap_us;
        gap_us[2 * seed + 1] = net.end[1].longest_gap_us;
        net.direct_cut[0] = net.direct_cut[1] = false;
        time_until(TN_VIA_DIRECT, TN_S(5));
    }
    print_times("path cut in use, longest stall", gap_us, 2 * SEEDS);
    assert_true(gap_us[2 * SEEDS - 1] < TN_S(1));
}

static void a_path_that_dies_in_one_direction_stalls_data_for_less_than_3_s(void **state)
{
    uint64_t gap_us[SEEDS];

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int cut = (int)(seed % 2);

        begin(seed);
        net.direct_us[0] = net.direct_us[1] = TN_MS(20) + TN_MS(10) * (seed % 30);
        start_direct(TN_MS(5));
        pathnet_run(&net, TN_S(40) + tn_rng_below(&net.rng, 1000000));
        pathnet_measure(&net);
        net.direct_cut[cut] = true;
        pathnet_run(&net, TN_S(10));
        gap_us[seed] = net.end[1 - cut].longest_gap_us;
        check(tn_paths_via(&net.end[cut].paths) == TN_VIA_RELAY, "still sends into the hole");
    }
    print_times("path cut one way, 40 to 620 ms round trip, longest stall", gap_us, SEEDS);
    assert_true(gap_us[SEEDS - 1] < TN_S(3));
}

static void a_nat_that_changes_its_port_is_followed(void **state)
{
    uint64_t gap_us[2 * SEEDS];

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        start_direct(TN_MS(5));
        pathnet_run(&net, TN_S(5) + tn_rng_below(&net.rng, 1000000));
        pathnet_measure(&net);
        pathnet_rebind(&net, (int)(seed % 2));
        pathnet_run(&net, TN_S(4));
        time_until(TN_VIA_DIRECT, TN_S(10));
        check(net.end[seed % 2].got_direct > 0, "nothing came in");
        gap_us[2 * seed] = net.end[0].longest_gap_us;
        gap_us[2 * seed + 1] = net.end[1].longest_gap_us;
    }
    print_times("NAT changed its port, longest stall", gap_us, 2 * SEEDS);
    assert_true(gap_us[2 * SEEDS - 1] < TN_S(3));
}

static void an_open_end_follows_a_rebinding_peer_without_the_coordinator(void **state)
{
    struct tn_way route;

    (void)state;
    begin(3);
    net.end[1].kind = PATHNET_OPEN;
    start_direct(TN_MS(20));
    set_coordinator(false);
    pathnet_run(&net, TN_S(2));
    pathnet_rebind(&net, 0);
    pathnet_run(&net, TN_S(3));
    tn_paths_route(&net.end[1].paths, &net.now, &route);
    assert_int_equal(route.via, TN_VIA_DIRECT);
    assert_true(tn_addr_equal(&route.addr, &net.end[0].nat));
    assert_int_equal(find_cand(1, &route.addr)->origin, TN_CAND_PEER_REFLEXIVE);
}

static void after_a_pause_data_takes_the_relay_for_one_round_trip(void **state)
{
    (void)state;
    begin(4);
    start_direct(TN_MS(10));
    set_data(0);
    pathnet_run(&net, TN_S(70));
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_DIRECT);
    pathnet_run(&net, TN_S(20) - (net.now.us - find_cand(0, &net.end[1].nat)->last_in_us) - TN_S(5));
    clear_counters();
    set_data(TN_MS(10));
    pathnet_run(&net, TN_S(1));
    set_data(0);
    pathnet_run(&net, TN_S(1));
    assert_int_equal(net.end[1].got, net.end[0].sent);
    assert_in_range(net.end[1].got_relay, 1, 10);
    assert_int_equal(net.end[0].events, 0); /* and nobody is told of a change */
}

static void a_nat_that_forgets_while_idle_costs_no_data(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.nat_lifetime_us = TN_S(5);
        start_direct(TN_MS(10));
        for (int i = 0; i < 4; i++) {
            set_data(0);
            pathnet_run(&net, TN_S(6) + tn_rng_below(&net.rng, 30000000));
            clear_counters();
            set_data(TN_MS(10));
            time_until(TN_VIA_DIRECT, TN_S(4));
            pathnet_run(&net, TN_S(2));
            set_data(0);
            pathnet_run(&net, TN_S(1));
            check(net.end[0].got == net.end[1].sent && net.end[1].got == net.end[0].sent,
                  "data was lost");
        }
    }
}

static void an_idle_path_is_kept_open_for_an_hour_at_little_cost(void **state)
{
    (void)state;
    begin(5);
    net.nat_lifetime_us = TN_S(30);
    start_direct(TN_MS(10));
    set_data(0);
    pathnet_run(&net, TN_S(30));
    clear_counters();
    pathnet_run(&net, TN_S(3600));
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_DIRECT);
    assert_int_equal(net.end[0].events, 0);
    assert_int_equal(net.end[1].events, 0);
    print_message("# idle hour: %lu PINGs, %lu bytes\n",
                  (unsigned long)(net.end[0].probes + net.end[1].probes),
                  (unsigned long)(net.end[0].probe_bytes + net.end[1].probe_bytes));
    assert_true(net.end[0].probes + net.end[1].probes < 240);
}

static void without_the_relay_an_idle_direct_path_is_used_as_it_is(void **state)
{
    (void)state;
    begin(6);
    start_direct(TN_MS(10));
    set_coordinator(false);
    set_data(0);
    pathnet_run(&net, TN_S(30));
    clear_counters();
    set_data(TN_MS(10));
    pathnet_run(&net, TN_S(5));
    assert_int_equal(net.end[0].dropped_no_route, 0);
    assert_int_equal(net.end[1].got_relay, 0);
    assert_true(net.end[1].got_direct > 490);
}

static void without_relay_and_path_there_is_none_until_one_returns(void **state)
{
    (void)state;
    begin(7);
    start_direct(TN_MS(10));
    set_coordinator(false);
    net.direct_cut[0] = net.direct_cut[1] = true;
    time_until(TN_VIA_NONE, TN_S(3));
    pathnet_run(&net, TN_S(20));
    net.direct_cut[0] = net.direct_cut[1] = false;
    time_until(TN_VIA_DIRECT, TN_S(21)); /* nobody helps: the lost path is looked at again */
}

static void a_flapping_path_does_not_drag_traffic_along(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t sent, got;

        begin(seed);
        start_direct(TN_MS(10));
        clear_counters();
        pathnet_measure(&net);
        for (int i = 0; i < 60; i++) {
            net.direct_cut[0] = net.direct_cut[1] = i % 2 == 0;
            pathnet_run(&net, TN_S(3));
        }
        check(pathnet_count_events(&net, 0, TN_VIA_DIRECT) <= 10, "went direct too often");
        check(net.end[0].longest_gap_us < TN_S(3) && net.end[1].longest_gap_us < TN_S(3),
              "data stalled");
        sent = net.end[0].sent;
        got = net.end[1].got;
        check(got * 10 > sent * 8, "a fifth of the data was lost");
    }
}

/* Unlike a path that flaps: here nothing is wrong with the path. */
static void a_peer_that_goes_away_time_and_again_is_direct_soon_after_each_return(void **state)
{
    (void)state;
    begin(22);
    start_direct(TN_MS(10));
    for (int i = 0; i < 4; i++) {
        for (int e = 0; e < 2; e++)
            net.direct_cut[e] = net.relay_cut[e] = true;
        pathnet_run(&net, TN_S(3));
        for (int e = 0; e < 2; e++)
            net.direct_cut[e] = net.relay_cut[e] = false;
        time_until(TN_VIA_DIRECT, TN_S(5));
        pathnet_run(&net, TN_S(1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_homes_go_direct_in_under_300_ms),
        cmocka_unit_test(the_bar_holds_with_loss_on_every_way),
        cmocka_unit_test(every_pair_that_can_meet_does),
        cmocka_unit_test(a_router_that_minds_unsolicited_packets_never_sees_one),
        cmocka_unit_test(two_symmetric_nats_stay_on_the_relay_and_stop_to_probe),
        cmocka_unit_test(a_path_that_works_one_way_carries_nothing),
        cmocka_unit_test(a_path_that_drops_all_but_small_packets_carries_nothing),
        cmocka_unit_test(a_path_that_dies_in_use_stalls_data_for_less_than_a_second),
        cmocka_unit_test(a_path_that_dies_in_one_direction_stalls_data_for_less_than_3_s),
        cmocka_unit_test(a_nat_that_changes_its_port_is_followed),
        cmocka_unit_test(an_open_end_follows_a_rebinding_peer_without_the_coordinator),
        cmocka_unit_test(after_a_pause_data_takes_the_relay_for_one_round_trip),
        cmocka_unit_test(a_nat_that_forgets_while_idle_costs_no_data),
        cmocka_unit_test(an_idle_path_is_kept_open_for_an_hour_at_little_cost),
        cmocka_unit_test(without_the_relay_an_idle_direct_path_is_used_as_it_is),
        cmocka_unit_test(without_relay_and_path_there_is_none_until_one_returns),
        cmocka_unit_test(a_flapping_path_does_not_drag_traffic_along),
        cmocka_unit_test(a_peer_that_goes_away_time_and_again_is_direct_soon_after_each_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
