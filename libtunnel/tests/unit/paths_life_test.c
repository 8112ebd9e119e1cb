/* More stories of two ends: sessions, LANs, shrinking MTUs, loss, a relay that dies. */
#include "paths_net_fixture.h"

static void ends_on_one_lan_use_their_lan_addresses(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct tn_cand *c;

        begin(seed);
        net.jitter_us = 0;
        net.lan_us = 300;
        if (seed % 2) /* a router that does not turn packets around */
            net.direct_cut[0] = net.direct_cut[1] = true;
        start_direct(TN_MS(10));
        pathnet_run(&net, TN_S(2));
        c = tn_paths_direct(&net.end[0].paths);
        check(c && tn_addr_equal(&c->addr, &net.end[1].host), "not the LAN address");
        check(c->origin == TN_CAND_HOST && c->rtt_us < TN_MS(2), "odd evidence");
        check(pathnet_count_events(&net, 0, TN_VIA_DIRECT) <= 2, "wavered");
    }
}

static void the_lan_is_left_for_the_internet_and_found_again(void **state)
{
    (void)state;
    begin(11);
    net.jitter_us = 0;
    net.lan_us = 300;
    start_direct(TN_MS(10));
    pathnet_run(&net, TN_S(2));
    pathnet_measure(&net);
    net.lan_us = 0; /* one of them goes out of the door */
    pathnet_run(&net, TN_S(5));
    assert_true(net.end[0].longest_gap_us < TN_S(3));
    assert_true(tn_addr_equal(&tn_paths_direct(&net.end[0].paths)->addr, &net.end[1].nat));
    net.lan_us = 300;
    pathnet_run(&net, TN_S(60));
    assert_true(tn_addr_equal(&tn_paths_direct(&net.end[0].paths)->addr, &net.end[1].host));
}

static void without_a_session_only_punches_go_out(void **state)
{
    const struct tn_cand *c;

    (void)state;
    begin(12);
    net.session = false;
    start_with_data(TN_MS(50));
    pathnet_run(&net, TN_MS(900)); /* pathnet aborts on a PING */
    c = find_cand(0, &net.end[1].nat);
    assert_non_null(c);
    assert_int_equal(c->out_packets, 4);
    assert_int_equal(c->out_bytes, 16);
    pathnet_set_session(&net, true);
    assert_true(time_until(TN_VIA_DIRECT, TN_S(1)) < TN_MS(100));
}

static void a_session_that_is_renewed_late_does_not_lose_the_path(void **state)
{
    (void)state;
    begin(13);
    start_direct(TN_MS(10));
    set_data(0);
    pathnet_run(&net, TN_S(1));
    pathnet_set_session(&net, false);
    clear_counters();
    pathnet_run(&net, TN_S(400));
    assert_int_equal(net.end[0].probes, 0);
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_DIRECT);
    pathnet_set_session(&net, true);
    set_data(TN_MS(10));
    pathnet_run(&net, TN_S(2));
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_DIRECT);
    assert_int_equal(net.end[0].got + net.end[1].got + 6, net.end[0].sent + net.end[1].sent);
}

static void loss_alone_rarely_moves_traffic(void **state)
{
    size_t falls = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        begin(seed);
        set_loss(50000);
        start_direct(TN_MS(20));
        clear_counters();
        pathnet_run(&net, TN_S(600));
        falls += pathnet_count_events(&net, 0, TN_VIA_RELAY);
        falls += pathnet_count_events(&net, 1, TN_VIA_RELAY);
    }
    print_message("# 5 %% loss: %zu falls to the relay in 2 hours of use\n", falls);
    assert_true(falls <= 4);
}

static void a_path_in_use_that_shrinks_to_nothing_is_left(void **state)
{
    const struct tn_cand *c;

    (void)state;
    begin(14);
    start_direct(TN_MS(50));
    pathnet_run(&net, TN_S(100));
    net.direct_max_len = 399;
    time_until(TN_VIA_RELAY, TN_S(3));
    pathnet_run(&net, TN_S(30));
    c = find_cand(0, &net.end[1].nat);
    assert_int_equal(c->verdict, TN_CAND_ANSWERED_SMALL);
    net.direct_max_len = 0;
    time_until(TN_VIA_DIRECT, TN_S(70));
}

static void without_a_relay_a_path_with_a_small_mtu_is_kept(void **state)
{
    (void)state;
    begin(15);
    start_direct(TN_MS(50));
    set_coordinator(false);
    net.direct_max_len = 1280;
    pathnet_run(&net, TN_S(1500));
    assert_int_equal(tn_paths_via(&net.end[0].paths), TN_VIA_DIRECT);
    assert_int_equal(net.end[0].dropped_no_route, 0);
}

static void a_relay_in_use_that_stops_to_answer_is_suspected(void **state)
{
    (void)state;
    begin(16);
    net.end[0].kind = net.end[1].kind = PATHNET_SYMMETRIC;
    start_with_data(TN_MS(50));
    pathnet_run(&net, TN_S(5));
    assert_false(tn_paths_relay_suspect(&net.end[0].paths));
    net.relay_cut[0] = net.relay_cut[1] = true;
    pathnet_run(&net, TN_S(3));
    assert_true(tn_paths_relay_suspect(&net.end[0].paths));
    net.relay_cut[0] = net.relay_cut[1] = false;
    pathnet_run(&net, TN_S(2));
    assert_false(tn_paths_relay_suspect(&net.end[0].paths));
}

static void the_relay_is_left_alone_while_data_goes_direct_or_none_flows(void **state)
{
    uint64_t out;

    (void)state;
    begin(17);
    start_direct(TN_MS(50));
    pathnet_run(&net, TN_S(2));
    out = tn_paths_relay(&net.end[0].paths)->out_packets;
    pathnet_run(&net, TN_S(30));
    set_data(0);
    pathnet_run(&net, TN_S(30));
    assert_int_equal(tn_paths_relay(&net.end[0].paths)->out_packets, out);
}

static void a_dead_relay_that_nobody_noticed_does_not_take_a_working_path_down(void **state)
{
    (void)state;
    begin(18);
    start_direct(TN_MS(10));
    pathnet_run(&net, TN_MS(100));
    net.relay_cut[0] = net.relay_cut[1] = true; /* both still believe in it */
    clear_counters();
    pathnet_run(&net, TN_S(30));
    assert_int_equal(net.end[1].got_direct, net.end[1].got);
    assert_true(net.end[0].sent - net.end[1].got < 5);
    assert_int_equal(net.end[0].events, 0);
}

/* The direct way was cut until its candidate was left alone, and is there again. */
static void begin_left_alone(uint64_t seed)
{
    begin(seed);
    net.direct_cut[0] = net.direct_cut[1] = true;
    start_with_data(TN_MS(50));
    pathnet_run(&net, TN_S(120));
    assert_true(find_cand(0, &net.end[1].nat)->quiet_until_us > net.now.us);
    net.direct_cut[0] = net.direct_cut[1] = false;
}

static void a_network_change_tries_everything_again(void **state)
{
    (void)state;
    begin_left_alone(19);
    tn_paths_on_network_change(&net.end[0].paths, &net.now);
    tn_paths_on_network_change(&net.end[1].paths, &net.now);
    assert_true(time_until(TN_VIA_DIRECT, TN_S(2)) < TN_MS(300));
}

static void udp_that_is_back_tries_what_was_silent_again(void **state)
{
    (void)state;
    begin_left_alone(20);
    tn_paths_on_udp_back(&net.end[0].paths, &net.now);
    assert_int_equal(find_cand(0, &net.end[1].nat)->quiet_until_us, 0);
    assert_true(time_until(TN_VIA_DIRECT, TN_S(2)) < TN_MS(300));
}

static void the_same_seed_gives_the_same_story(void **state)
{
    uint64_t us[2], sent[2], bytes[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(4711);
        set_loss(100000);
        start_with_data(TN_MS(7));
        pathnet_run(&net, TN_S(20));
        us[i] = net.end[0].event[net.end[0].events - 1].at_us;
        sent[i] = net.end[1].got;
        bytes[i] = net.end[0].probe_bytes;
    }
    assert_true(us[0] == us[1] && sent[0] == sent[1] && bytes[0] == bytes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_on_one_lan_use_their_lan_addresses),
        cmocka_unit_test(the_lan_is_left_for_the_internet_and_found_again),
        cmocka_unit_test(without_a_session_only_punches_go_out),
        cmocka_unit_test(a_session_that_is_renewed_late_does_not_lose_the_path),
        cmocka_unit_test(loss_alone_rarely_moves_traffic),
        cmocka_unit_test(a_path_in_use_that_shrinks_to_nothing_is_left),
        cmocka_unit_test(without_a_relay_a_path_with_a_small_mtu_is_kept),
        cmocka_unit_test(a_relay_in_use_that_stops_to_answer_is_suspected),
        cmocka_unit_test(the_relay_is_left_alone_while_data_goes_direct_or_none_flows),
        cmocka_unit_test(a_dead_relay_that_nobody_noticed_does_not_take_a_working_path_down),
        cmocka_unit_test(a_network_change_tries_everything_again),
        cmocka_unit_test(udp_that_is_back_tries_what_was_silent_again),
        cmocka_unit_test(the_same_seed_gives_the_same_story),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
