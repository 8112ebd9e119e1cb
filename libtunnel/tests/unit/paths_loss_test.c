/* A direct path that is worse than the relay, by its loss or by its time, over many seeds. */
#include "paths_net_fixture.h"

#define LOSS_SEEDS 20

static bool both_are(uint8_t via)
{
    return tn_paths_via(&net.end[0].paths) == via && tn_paths_via(&net.end[1].paths) == via;
}

static void set_direct_loss(uint32_t ppm)
{
    net.direct_loss_ppm[0] = net.direct_loss_ppm[1] = ppm;
}

static void begin_direct_with_data(uint64_t seed)
{
    begin(seed);
    start_with_data(TN_MS(20));
    check(pathnet_run_until(&net, TN_VIA_DIRECT, TN_S(5)), "never direct");
    pathnet_run(&net, TN_S(5));
}

static void a_lossy_direct_path_loses_against_a_clean_relay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        size_t moves;

        begin_direct_with_data(seed);
        set_direct_loss(200000);
        check(pathnet_run_until(&net, TN_VIA_RELAY, TN_S(40)), "the lossy path is kept");
        pathnet_run(&net, TN_S(5));
        moves = pathnet_count_events(&net, 0, TN_VIA_DIRECT);
        pathnet_run(&net, TN_S(300));
        check(both_are(TN_VIA_RELAY), "the relay is left for a lossy path");
        check(pathnet_count_events(&net, 0, TN_VIA_DIRECT) <= moves + 1, "wavers");
    }
}

/* To the relay and back, so that of both much is known. */
static void lose_and_recover(uint64_t seed)
{
    begin_direct_with_data(seed);
    set_direct_loss(200000);
    check(pathnet_run_until(&net, TN_VIA_RELAY, TN_S(40)), "the lossy path is kept");
    set_direct_loss(0);
    check(pathnet_run_until(&net, TN_VIA_DIRECT, TN_S(120)), "the clean path is not taken again");
    pathnet_run(&net, TN_S(60));
}

static void a_path_that_is_clean_again_is_used_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        lose_and_recover(seed);
        check(both_are(TN_VIA_DIRECT), "the clean path is left again");
    }
}

static void a_lossy_path_is_kept_where_the_relay_loses_as_much(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        begin_direct_with_data(seed);
        set_loss(100000);
        pathnet_run(&net, TN_S(120));
        check(pathnet_count_events(&net, 0, TN_VIA_RELAY) <= 2, "goes to a relay that is no better");
    }
}

/* At 60 % each way a few PINGs are missed in a row soon: that ends the path before its loss is known exactly. */
static void a_path_that_breaks_off_for_its_loss_is_not_taken_again_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        size_t moves;

        begin_direct_with_data(seed);
        set_direct_loss(200000);
        pathnet_run(&net, TN_S(12));
        set_direct_loss(600000);
        check(pathnet_run_until(&net, TN_VIA_RELAY, TN_S(20)), "the lossy path is kept");
        moves = pathnet_count_events(&net, 0, TN_VIA_DIRECT);
        set_direct_loss(200000);
        pathnet_run(&net, TN_S(60));
        check(pathnet_count_events(&net, 0, TN_VIA_DIRECT) == moves, "taken again at once");
    }
}

static void a_lossy_path_is_kept_where_there_is_no_relay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        begin_direct_with_data(seed);
        set_coordinator(false);
        set_direct_loss(200000);
        pathnet_run(&net, TN_S(60));
        check(net.end[0].dropped_no_route + net.end[1].dropped_no_route == 0, "data has no way");
    }
}

static void set_direct_time(uint64_t one_way_us)
{
    net.direct_us[0] = net.direct_us[1] = one_way_us;
}

static void a_slow_direct_path_loses_against_a_quick_relay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        size_t moves;

        begin_direct_with_data(seed);
        set_direct_time(net.relay_us + TN_MS(80));
        check(pathnet_run_until(&net, TN_VIA_RELAY, TN_S(60)), "the slow path is kept");
        moves = pathnet_count_events(&net, 0, TN_VIA_DIRECT);
        pathnet_run(&net, TN_S(300));
        check(both_are(TN_VIA_RELAY), "the relay is left for a slow path");
        check(pathnet_count_events(&net, 0, TN_VIA_DIRECT) == moves, "wavers");
        set_direct_time(TN_MS(20));
        check(pathnet_run_until(&net, TN_VIA_DIRECT, TN_S(60)), "the quick path is not taken again");
    }
}

/* What the relay costs is more than it would save. */
static void a_path_that_is_somewhat_slower_is_kept(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        begin_direct_with_data(seed);
        set_direct_time(net.relay_us + TN_MS(40));
        pathnet_run(&net, TN_S(120));
        check(pathnet_count_events(&net, 0, TN_VIA_RELAY) <= 1, "goes to a relay that is hardly quicker");
    }
}

/* Our own link is full: whatever leaves by it waits, the relay's packets as well, of which only an old time is known. */
static void a_path_is_kept_where_the_relay_has_become_as_slow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
        lose_and_recover(seed);
        clear_counters();
        net.relay_us += TN_MS(300);
        set_direct_time(net.direct_us[0] + TN_MS(300));
        pathnet_run(&net, TN_S(120));
        check(pathnet_count_events(&net, 0, TN_VIA_RELAY) == 0, "an old time of the relay was believed");
    }
}

static void a_slow_path_is_taken_where_the_relay_goes(void **state)
{
    (void)state;
    begin_direct_with_data(1);
    set_direct_time(net.relay_us + TN_MS(80));
    check(pathnet_run_until(&net, TN_VIA_RELAY, TN_S(60)), "the slow path is kept");
    set_coordinator(false);
    check(pathnet_run_until(&net, TN_VIA_DIRECT, TN_S(5)), "the slow path is not taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lossy_direct_path_loses_against_a_clean_relay),
        cmocka_unit_test(a_path_that_is_clean_again_is_used_again),
        cmocka_unit_test(a_lossy_path_is_kept_where_the_relay_loses_as_much),
        cmocka_unit_test(a_path_that_breaks_off_for_its_loss_is_not_taken_again_at_once),
        cmocka_unit_test(a_lossy_path_is_kept_where_there_is_no_relay),
        cmocka_unit_test(a_slow_direct_path_loses_against_a_quick_relay),
        cmocka_unit_test(a_path_that_is_somewhat_slower_is_kept),
        cmocka_unit_test(a_path_is_kept_where_the_relay_has_become_as_slow),
        cmocka_unit_test(a_slow_path_is_taken_where_the_relay_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
