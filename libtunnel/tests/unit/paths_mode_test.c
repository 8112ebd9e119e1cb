/* A user forbids one of the two ways, over 20 seeds. */
#include "paths_net_fixture.h"

#define MODE_SEEDS 20

static struct tn_paths *mine = &net.end[0].paths;

static uint8_t route_of(int end)
{
    struct tn_way way;

    tn_paths_route(&net.end[end].paths, &net.now, &way);
    return way.via;
}

static void begin_direct(uint64_t seed)
{
    begin(seed);
    start_direct(TN_MS(20));
    pathnet_run(&net, TN_S(2));
}

static void the_relay_alone_is_used_at_once_and_no_path_is_looked_for(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        begin_direct(seed);
        tn_paths_set_mode(mine, TN_MODE_RELAY, &net.now);
        check(route_of(0) == TN_VIA_RELAY && tn_paths_via(mine) == TN_VIA_RELAY, "still direct");
        pathnet_run(&net, TN_S(1)); /* what was under way */
        clear_counters();
        pathnet_run(&net, TN_S(60));
        check(tn_paths_via(mine) == TN_VIA_RELAY, "direct again");
        check(net.end[0].connects == 0, "the coordinator is asked for a path");
        check(tn_paths_via(&net.end[1].paths) == TN_VIA_DIRECT, "the peer may not choose for itself");
        check(net.end[1].got_direct == 0 && net.end[1].got_relay > 2900, "data goes another way");
        tn_paths_set_mode(mine, TN_MODE_AUTO, &net.now);
        time_until(TN_VIA_DIRECT, TN_S(3));
    }
}

static void the_relay_alone_from_the_start_answers_a_peer_that_punches(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        begin(seed);
        pathnet_start(&net);
        tn_paths_set_mode(mine, TN_MODE_RELAY, &net.now);
        set_data(TN_MS(20));
        pathnet_run(&net, TN_S(5));
        check(tn_paths_via(mine) == TN_VIA_RELAY, "not the relay");
        check(tn_paths_via(&net.end[1].paths) == TN_VIA_DIRECT, "the peer finds no direct path");
    }
}

static void a_direct_path_alone_sends_no_data_by_the_relay_when_it_is_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        begin_direct(seed);
        tn_paths_set_mode(mine, TN_MODE_DIRECT, &net.now);
        check(tn_paths_via(mine) == TN_VIA_DIRECT, "not direct any more");
        net.direct_cut[0] = net.direct_cut[1] = true;
        clear_counters();
        pathnet_run(&net, TN_S(20));
        check(net.end[1].got_relay == 0, "data goes by the relay");
        check(tn_paths_via(mine) == TN_VIA_NONE, "a path that is dead is told as one");
        net.direct_cut[0] = net.direct_cut[1] = false;
        time_until(TN_VIA_DIRECT, TN_S(30));
    }
}

static void a_direct_path_alone_lets_data_wait_where_there_was_none(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        begin(seed);
        pathnet_start(&net);
        net.direct_cut[0] = net.direct_cut[1] = true;
        tn_paths_set_mode(mine, TN_MODE_DIRECT, &net.now);
        set_data(TN_MS(20));
        pathnet_run(&net, TN_S(2)); /* of three rounds one is left */
        check(tn_paths_via(mine) == TN_VIA_NONE && net.end[0].dropped_no_route == net.end[0].sent, "data does not wait");
        check(route_of(0) == TN_VIA_RELAY && !tn_paths_carries_data(mine, TN_VIA_RELAY), "handshakes have no way");
        net.direct_cut[0] = net.direct_cut[1] = false;
        time_until(TN_VIA_DIRECT, TN_S(20));
    }
}

static void a_direct_path_alone_is_tried_again_after_a_minute(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        for (int direct = 0; direct <= 1; direct++) {
            begin(seed);
            pathnet_start(&net);
            net.direct_cut[0] = net.direct_cut[1] = true;
            for (int end = 0; direct && end < 2; end++)
                tn_paths_set_mode(&net.end[end].paths, TN_MODE_DIRECT, &net.now);
            set_data(TN_MS(20));
            pathnet_run(&net, TN_S(120)); /* every candidate was silent thrice */
            net.direct_cut[0] = net.direct_cut[1] = false;
            pathnet_run(&net, TN_S(150)); /* a minute, and one more of CONNECT's pause */
            check((tn_paths_via(mine) == TN_VIA_DIRECT) == (direct == 1), direct ? "no new try" : "no rest");
        }
    }
}

static void a_direct_path_alone_is_kept_though_it_loses_much(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= MODE_SEEDS; seed++) {
        begin_direct(seed);
        tn_paths_set_mode(mine, TN_MODE_DIRECT, &net.now);
        net.direct_loss_ppm[0] = net.direct_loss_ppm[1] = 200000;
        clear_counters();
        pathnet_run(&net, TN_S(60));
        check(net.end[1].got_relay == 0, "data goes by the relay");
        check(net.end[1].got_direct > net.end[0].sent / 2, "data does not pass");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_relay_alone_is_used_at_once_and_no_path_is_looked_for),
        cmocka_unit_test(the_relay_alone_from_the_start_answers_a_peer_that_punches),
        cmocka_unit_test(a_direct_path_alone_sends_no_data_by_the_relay_when_it_is_cut),
        cmocka_unit_test(a_direct_path_alone_lets_data_wait_where_there_was_none),
        cmocka_unit_test(a_direct_path_alone_is_tried_again_after_a_minute),
        cmocka_unit_test(a_direct_path_alone_is_kept_though_it_loses_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
