/* What ways are compared by. */
#include "libtunnel/path/score.h"
#include "vectors.h"

static struct tn_cand way(uint32_t rtt_ms, uint32_t cost_us, uint16_t loss_percent)
{
    return (struct tn_cand){ .rtt_us = rtt_ms * 1000, .cost_us = cost_us, .loss_samples = TN_SCORE_SAMPLES,
                             .loss_64k = (uint16_t)(loss_percent * 65536u / 100) };
}

static void a_score_is_time_and_price_and_loss(void **state)
{
    struct tn_cand c = way(40, TN_COST_PUBLIC, 25);

    (void)state;
    assert_in_range(tn_score_us(&c), 192900, 193000); /* 40 + 3 + 150 ms */
    assert_int_equal(tn_score_clean_us(&c), 43000);
}

static void loss_that_rests_on_few_probes_does_not_count(void **state)
{
    struct tn_cand c = way(40, TN_COST_PUBLIC, 25);

    (void)state;
    c.loss_samples--;
    assert_int_equal(tn_score_us(&c), tn_score_clean_us(&c));
}

static void a_way_that_was_never_measured_beats_none(void **state)
{
    struct tn_cand known = way(5000, TN_COST_RELAY, 99), unknown = way(0, TN_COST_LAN, 0);

    (void)state;
    assert_int_equal(tn_score_us(&unknown), UINT32_MAX);
    assert_true(tn_score_beats(tn_score_us(&known), tn_score_us(&unknown)));
    assert_false(tn_score_beats(tn_score_us(&unknown), tn_score_us(&known)));
    assert_false(tn_score_beats(tn_score_us(&unknown), tn_score_us(&unknown)));
}

static void a_change_needs_two_milliseconds_and_a_tenth(void **state)
{
    (void)state;
    assert_true(tn_score_beats(8000, 10000));
    assert_false(tn_score_beats(8001, 10000));
    assert_true(tn_score_beats(90000, 100000));
    assert_false(tn_score_beats(90001, 100000));
    assert_false(tn_score_beats(0, 1999));
}

static void tcp_is_dearer_than_udp_and_cheaper_than_the_relay(void **state)
{
    struct tn_addr tcp = tn_addr_stream((const uint8_t[4]){ 0, 0, 0, 1 }, 7);

    (void)state;
    assert_int_equal(tn_score_cost_us(&tcp), TN_COST_TCP);
    assert_true(TN_COST_TCP > TN_COST_PUBLIC && TN_COST_TCP < TN_COST_RELAY);
}

static void a_private_address_is_cheaper_than_a_public_one(void **state)
{
    struct tn_addr lan = { .ip = { [10] = 255, [11] = 255, [12] = 192, [13] = 168, [15] = 2 }, .port = 1 };
    struct tn_addr public = { .ip = { [10] = 255, [11] = 255, [12] = 198, [13] = 51, [14] = 100, [15] = 2 }, .port = 1 };

    (void)state;
    assert_int_equal(tn_score_cost_us(&lan), TN_COST_LAN);
    assert_int_equal(tn_score_cost_us(&public), TN_COST_PUBLIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_is_time_and_price_and_loss),
        cmocka_unit_test(loss_that_rests_on_few_probes_does_not_count),
        cmocka_unit_test(a_way_that_was_never_measured_beats_none),
        cmocka_unit_test(a_change_needs_two_milliseconds_and_a_tenth),
        cmocka_unit_test(a_private_address_is_cheaper_than_a_public_one),
        cmocka_unit_test(tcp_is_dearer_than_udp_and_cheaper_than_the_relay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
