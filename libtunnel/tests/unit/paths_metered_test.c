/* A peer that is reached by the relay alone, because it pays for each byte: nothing is sent to it but data,
 * and a PING or two when data has no answer. */
#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths_priv.h"
#include "paths_fixture.h"
#include "vectors.h"

static const struct tn_way relay = {.via = TN_VIA_RELAY};

static int begin(void **state)
{
    const struct tn_paths_config cfg = {.mtu = 1400, .relay_only = true};

    (void)state;
    return paths_begin(&cfg);
}

/* Goes on so long; how many wishes there were, the last in *w. */
static unsigned go_on(uint64_t us, struct tn_path_wish *w)
{
    uint64_t end_us = now.us + us;
    unsigned count = 0;

    for (; now.us < end_us; now.us += TN_MS(10)) {
        tn_paths_tick(&paths, &now);
        while (tn_paths_poll(&paths, &rng, &now, w))
            count++;
        assert_false(tn_paths_take_connect(&paths, &rng, &now));
    }
    return count;
}

static void answered_data_causes_nothing_else(void **state)
{
    struct tn_path_wish w;

    (void)state;
    for (int i = 0; i < 100; i++) {
        tn_paths_on_data_sent(&paths, 100, &now);
        assert_int_equal(go_on(TN_MS(700), &w), 0);
        tn_paths_on_authentic(&paths, &relay, 100, &now);
    }
    assert_int_equal(go_on(TN_S(3600), &w), 0);
}

static void no_candidate_is_taken_and_no_way_but_the_relay(void **state)
{
    const uint8_t ip[4] = {198, 51, 100, 1};
    struct tn_cand_wire c = {.origin = TN_CAND_HOST, .addr = tn_addr_v4(ip, 1000)};
    struct tn_way direct = {.via = TN_VIA_DIRECT, .addr = c.addr}, way;
    struct tn_path_wish w;

    (void)state;
    assert_int_equal(tn_paths_offer(&paths, &c, 1, NULL, 0, &now), 0);
    tn_paths_punch(&paths, 0, &now);
    tn_paths_on_authentic(&paths, &direct, 100, &now);
    assert_int_equal(go_on(TN_S(60), &w), 0);
    tn_paths_route(&paths, &now, &way);
    assert_int_equal(way.via, TN_VIA_RELAY);
}

static void data_without_an_answer_is_followed_by_two_pings_and_then_by_doubt(void **state)
{
    struct tn_path_wish w;

    (void)state;
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_int_equal(go_on(TN_METERED_SILENCE_US - TN_MS(20), &w), 0);
    tn_paths_on_data_sent(&paths, 100, &now); /* more of it does not put it off */
    assert_int_equal(go_on(TN_MS(100), &w), 1);
    assert_int_equal(w.kind, TN_PATH_WISH_PING);
    assert_int_equal(w.to.via, TN_VIA_RELAY);
    assert_int_equal(w.size, TN_LINK_MIN_LEN);
    assert_false(tn_paths_relay_suspect(&paths));
    assert_int_equal(go_on(TN_S(4), &w), 1);
    assert_true(tn_paths_relay_suspect(&paths));
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_int_equal(go_on(TN_S(60), &w), 0); /* who doubts does not ask again */
    tn_paths_on_authentic(&paths, &relay, 100, &now);
    assert_false(tn_paths_relay_suspect(&paths));
}

static void a_ping_that_is_answered_ends_the_doubt(void **state)
{
    const struct tn_addr none = {0};
    struct tn_path_wish w;

    (void)state;
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_int_equal(go_on(TN_METERED_SILENCE_US + TN_MS(100), &w), 1);
    tn_paths_on_authentic(&paths, &relay, 80, &now);
    assert_true(tn_paths_on_pong(&paths, &relay, w.txid, TN_LINK_MIN_LEN, &none, &now));
    assert_int_equal(go_on(TN_S(60), &w), 0);
    assert_false(tn_paths_relay_suspect(&paths));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(answered_data_causes_nothing_else, begin),
        cmocka_unit_test_setup(no_candidate_is_taken_and_no_way_but_the_relay, begin),
        cmocka_unit_test_setup(data_without_an_answer_is_followed_by_two_pings_and_then_by_doubt, begin),
        cmocka_unit_test_setup(a_ping_that_is_answered_ends_the_doubt, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
