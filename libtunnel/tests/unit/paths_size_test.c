/* How long a packet may be on a way, found by padded probes: two ends with black holes between them. */
#include "paths_net_fixture.h"

/* What the search may find for a way that carries `most`: WireGuard pads to 16 bytes. */
static bool is_found(uint16_t mtu, size_t most)
{
    return mtu <= most && mtu + 32u > most;
}

/* Of the path in use, as status shows it. */
static uint16_t mtu_of(int end)
{
    const struct tn_paths *p = &net.end[end].paths;
    const struct tn_cand *c = tn_paths_direct(p) ? tn_paths_direct(p) : tn_paths_relay(p);

    return c->mtu ? c->mtu : PATHNET_MTU;
}

static void set_len(size_t len)
{
    net.end[0].data_len = net.end[1].data_len = len;
}

/* Until both ends know; microseconds. */
static uint64_t time_until_found(size_t most, uint64_t at_most_us)
{
    uint64_t from_us = net.now.us;

    while (!is_found(mtu_of(0), most) || !is_found(mtu_of(1), most)) {
        check(net.now.us - from_us < at_most_us, "the MTU was not found in time");
        pathnet_run(&net, TN_MS(5));
    }
    return net.now.us - from_us;
}

static void any_length_is_found_at_the_first_check(void **state)
{
    uint64_t took_us[71];
    size_t count = 0;

    for (size_t most = 400; most <= 1100; most += 10) {
        begin(most);
        net.direct_max_len = most;
        start_with_data(TN_MS(20));
        time_until(TN_VIA_DIRECT, TN_S(2));
        took_us[count++] = net.now.us - TN_S(1000);
        time_until_found(most, TN_MS(1));
        pathnet_run(&net, TN_S(3));
        check(mtu_of(0) <= most && mtu_of(1) <= most, "longer than what passes");
    }
    print_times("direct by a narrow path after", took_us, count);
    assert_in_range(took_us[count - 1], 0, TN_MS(800));
}

static void a_relay_with_a_black_hole_stalls_long_data_for_less_than_a_second(void **state)
{
    uint64_t gap_us[SEEDS];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        net.end[0].kind = net.end[1].kind = PATHNET_SYMMETRIC;
        net.relay_max_len = 500 + 16 * seed;
        set_len(1400);
        start_with_data(TN_MS(20));
        net.end[0].last_got_us = net.end[1].last_got_us = net.now.us;
        pathnet_run(&net, TN_S(3));
        check(is_found(mtu_of(0), net.relay_max_len), "not found");
        check(net.end[0].got > 80 && net.end[1].got > 80, "data stalled");
        gap_us[seed] = net.end[0].longest_gap_us;
    }
    print_times("black hole on the relay, longest stall", gap_us, SEEDS);
    assert_in_range(gap_us[SEEDS - 1], 0, TN_S(1));
}

static void a_path_that_narrows_in_use_stalls_data_for_1200_ms_and_widens_again(void **state)
{
    uint64_t narrow_us[SEEDS], wide_us[SEEDS];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        set_len(1400);
        start_direct(TN_MS(5));
        pathnet_run(&net, TN_S(4) + tn_rng_below(&net.rng, 1000000));
        net.direct_max_len = 1240;
        pathnet_measure(&net);
        time_until_found(1240, TN_S(2));
        pathnet_run(&net, TN_MS(200));
        narrow_us[seed] = net.end[0].longest_gap_us;
        check(tn_paths_via(&net.end[0].paths) == TN_VIA_DIRECT, "left the path");
        net.direct_max_len = 0;
        wide_us[seed] = time_until_found(PATHNET_MTU, TN_S(8));
    }
    print_times("narrowed in use, longest stall", narrow_us, SEEDS);
    print_times("widened in use, seen after", wide_us, SEEDS);
    assert_in_range(narrow_us[SEEDS - 1], 0, TN_MS(1200));
}

static void a_path_that_widens_late_is_seen_within_two_minutes(void **state)
{
    begin(3);
    set_len(1400);
    net.direct_max_len = 1000;
    start_direct(TN_MS(20));
    pathnet_run(&net, TN_S(600));
    clear_counters();
    pathnet_run(&net, TN_S(600));
    /* each 2 s one of the size in use, each minute a search for more */
    assert_in_range(net.end[0].probe_bytes, 300 * 900, 300 * 1000 + 10 * 20 * 1400 + 600 * 33);
    net.direct_max_len = 0;
    time_until_found(PATHNET_MTU, TN_S(125));
}

static void one_end_that_sends_more_makes_the_other_look(void **state)
{
    begin(4);
    set_len(1400);
    net.direct_max_len = 1000;
    start_direct(TN_MS(20));
    pathnet_run(&net, TN_S(600));
    net.end[1].data_every_us = 0; /* only end 0 looks by itself */
    net.direct_max_len = 0;
    while (mtu_of(0) < PATHNET_MTU) {
        check(net.now.us < TN_S(1800), "never found");
        pathnet_run(&net, TN_MS(10));
    }
    net.end[1].data_every_us = TN_MS(20);
    net.end[1].data_at_us = net.now.us;
    time_until_found(PATHNET_MTU, TN_S(8));
}

static void plain_loss_narrows_nothing_for_long(void **state)
{
    uint64_t narrow_ms = 0;

    for (uint64_t seed = 0; seed < 10; seed++) {
        begin(seed);
        set_len(1400);
        set_loss(50000);
        start_direct(TN_MS(20));
        for (int i = 0; i < 60000; i++) {
            pathnet_run(&net, TN_MS(10));
            narrow_ms += mtu_of(0) < PATHNET_MTU ? 10 : 0;
        }
    }
    print_message("# 5 %% loss: narrower than need be for %lu ms of 100 minutes\n", (unsigned long)narrow_ms);
    assert_in_range(narrow_ms, 0, 6000000 / 100);
}

/* A busy machine: answers come long after the usual time, and the sizes that pass are found all the same. */
static void answers_that_are_late_for_once_lose_nothing(void **state)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        set_len(1400);
        net.direct_max_len = 1000;
        start_direct(TN_MS(20));
        pathnet_run(&net, TN_S(2));
        net.direct_max_len = 800;
        net.direct_us[0] = net.direct_us[1] = TN_MS(70);
        pathnet_run(&net, TN_S(3));
        check(tn_paths_via(&net.end[0].paths) == TN_VIA_DIRECT, "left the path");
        check(mtu_of(0) <= 800 && mtu_of(1) <= 800, "longer than what passes");
    }
}

static void short_data_asks_for_nothing(void **state)
{
    begin(5);
    set_len(400);
    start_direct(TN_MS(20));
    clear_counters();
    pathnet_run(&net, TN_S(50));
    assert_in_range(net.end[0].probe_bytes, 0, 70 * 32);
}

static void a_new_network_is_asked_at_once(void **state)
{
    begin(6);
    set_len(1400);
    net.direct_max_len = 1000;
    start_direct(TN_MS(20));
    pathnet_run(&net, TN_S(600));
    net.direct_max_len = 0;
    tn_paths_on_network_change(&net.end[0].paths, &net.now);
    tn_paths_on_network_change(&net.end[1].paths, &net.now);
    time_until_found(PATHNET_MTU, TN_S(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_length_is_found_at_the_first_check),
        cmocka_unit_test(a_relay_with_a_black_hole_stalls_long_data_for_less_than_a_second),
        cmocka_unit_test(a_path_that_narrows_in_use_stalls_data_for_1200_ms_and_widens_again),
        cmocka_unit_test(a_path_that_widens_late_is_seen_within_two_minutes),
        cmocka_unit_test(one_end_that_sends_more_makes_the_other_look),
        cmocka_unit_test(plain_loss_narrows_nothing_for_long),
        cmocka_unit_test(answers_that_are_late_for_once_lose_nothing),
        cmocka_unit_test(short_data_asks_for_nothing),
        cmocka_unit_test(a_new_network_is_asked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
