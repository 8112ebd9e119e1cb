#include "vectors.h"
#include "libtunnel/wg/stamp.h"

#define S_NS 1000000000ull

static void a_stamp_is_tai64n_of_the_wall_clock(void **state)
{
    struct tn_stamp s;
    uint8_t out[12], want[12];

    (void)state;
    tn_stamp_init(&s, 0);
    tn_stamp_extend(&s, UINT64_MAX);
    /* 2^62 + 10 + 0x5f5e1000, and 0x075bcd15 ns */
    assert_int_equal(tn_stamp_next(&s, 0x5f5e1000 * S_NS + 0x075bcd15, out), 0);
    unhex_exactly(want, 12, "400000005f5e100a075bcd15");
    assert_memory_equal(out, want, 12);
}

static void stamps_grow_whatever_the_clock_does(void **state)
{
    static const uint64_t clocks[] = {100 * S_NS, 100 * S_NS, 99 * S_NS, 0, 100 * S_NS,
                                      101 * S_NS, 5 * S_NS, 4000000000ull * S_NS, 102 * S_NS,
                                      UINT64_MAX - 1, 1};
    struct tn_stamp s;
    uint8_t out[12], last[12] = {0};

    (void)state;
    tn_stamp_init(&s, 0);
    tn_stamp_extend(&s, UINT64_MAX);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        assert_int_equal(tn_stamp_next(&s, clocks[i], out), 0);
        assert_true(memcmp(out, last, 12) > 0);
        memcpy(last, out, 12);
    }
}

static void no_stamp_is_given_above_the_ceiling(void **state)
{
    struct tn_stamp s;
    uint8_t out[12] = {9};

    (void)state;
    tn_stamp_init(&s, 50 * S_NS);
    assert_int_equal(tn_stamp_next(&s, 60 * S_NS, out), TN_ESTATE); /* nothing stored yet */
    assert_int_equal(out[0], 9);
    tn_stamp_extend(&s, 60 * S_NS);
    assert_int_equal(tn_stamp_next(&s, 60 * S_NS + 1, out), TN_ESTATE);
    assert_int_equal(tn_stamp_next(&s, 60 * S_NS - 1, out), 0);
    assert_int_equal(tn_stamp_next(&s, 60 * S_NS - 1, out), 0); /* the ceiling itself */
    assert_int_equal(tn_stamp_next(&s, 60 * S_NS - 1, out), TN_ESTATE);
    tn_stamp_extend(&s, 61 * S_NS);
    assert_int_equal(tn_stamp_next(&s, 0, out), 0);
    tn_stamp_extend(&s, 1); /* lower: ignored */
    assert_int_equal(tn_stamp_next(&s, 0, out), 0);
}

/* The caller's part is played too: a ceiling is stored before it is told to the stamp source. */
static void stamps_never_go_back_over_a_thousand_restarts(void **state)
{
    uint64_t stored = 0;
    uint8_t out[12], last[12] = {0};

    (void)state;
    for (unsigned boot = 0; boot < 1000; boot++) {
        uint64_t clock = boot % 7 == 0 ? 1700000000ull * S_NS + boot : boot % 3 * S_NS;
        struct tn_stamp s;

        tn_stamp_init(&s, stored);
        for (unsigned i = 0; i < 1 + boot % 5; i++) {
            if (tn_stamp_is_low(&s, clock, S_NS)) {
                stored = tn_stamp_wanted(&s, clock, 10 * S_NS);
                tn_stamp_extend(&s, stored);
            }
            assert_int_equal(tn_stamp_next(&s, clock, out), 0);
            assert_true(memcmp(out, last, 12) > 0);
            memcpy(last, out, 12);
        }
    }
}

static void a_floor_at_the_end_of_time_fails_closed(void **state)
{
    struct tn_stamp s;
    uint8_t out[12];

    (void)state;
    tn_stamp_init(&s, UINT64_MAX);
    assert_true(tn_stamp_wanted(&s, 0, 1000) == UINT64_MAX);
    tn_stamp_extend(&s, UINT64_MAX);
    assert_int_equal(tn_stamp_next(&s, 0, out), TN_ESTATE);
    assert_true(tn_stamp_is_low(&s, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_is_tai64n_of_the_wall_clock),
        cmocka_unit_test(stamps_grow_whatever_the_clock_does),
        cmocka_unit_test(no_stamp_is_given_above_the_ceiling),
        cmocka_unit_test(stamps_never_go_back_over_a_thousand_restarts),
        cmocka_unit_test(a_floor_at_the_end_of_time_fails_closed),
    };

    return cmocka_run_group_tests_name("stamp", tests, NULL, NULL);
}
