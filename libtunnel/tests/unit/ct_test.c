#include "libtunnel/base/ct.h"
#include "vectors.h"

static void equal_bytes_compare_equal(void **state)
{
    uint8_t a[32], b[32];

    (void)state;
    memset(a, 0xa5, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(tn_ct_equal(a, b, sizeof(a)));
    assert_true(tn_ct_equal(a, b, 0));
}

static void any_single_flipped_bit_is_noticed(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        b[i / 8] ^= (uint8_t)(1u << (i % 8));
        assert_false(tn_ct_equal(a, b, sizeof(a)));
        assert_false(tn_ct_is_zero(b, sizeof(b)));
        b[i / 8] = 0;
    }
    assert_true(tn_ct_is_zero(b, sizeof(b)));
}

static void bytes_behind_the_length_do_not_count(void **state)
{
    uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5}, z[2] = {0, 1};

    (void)state;
    assert_true(tn_ct_equal(a, b, 3));
    assert_true(tn_ct_is_zero(z, 1));
}

static void wiping_clears_exactly_the_given_bytes(void **state)
{
    uint8_t a[16];

    (void)state;
    memset(a, 0xff, sizeof(a));
    tn_wipe(a + 4, 8);
    assert_true(tn_ct_is_zero(a + 4, 8));
    assert_int_equal(a[3], 0xff);
    assert_int_equal(a[12], 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_bytes_compare_equal),
        cmocka_unit_test(any_single_flipped_bit_is_noticed),
        cmocka_unit_test(bytes_behind_the_length_do_not_count),
        cmocka_unit_test(wiping_clears_exactly_the_given_bytes),
    };

    return cmocka_run_group_tests_name("ct", tests, NULL, NULL);
}
