/* A device's report on the wire, and who is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/path/report.h"

static const struct tn_report sample = {
    .used = 0x01020304, .budget = 0x05060708, .lifetime_s = 0x0910, .keepalive_s = 0x1112, .is_low = true};
static const uint8_t bytes[TN_REPORT_LEN] = {5, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12};

static void a_report_has_the_bytes_of_the_specification(void **state)
{
    uint8_t out[TN_REPORT_LEN];
    struct tn_report r;

    tn_report_encode(&sample, out);
    assert_memory_equal(out, bytes, sizeof(bytes));
    assert_int_equal(tn_report_decode(bytes, sizeof(bytes), &r), 0);
    assert_true(r.used == sample.used && r.budget == sample.budget && r.is_low);
    assert_true(r.lifetime_s == sample.lifetime_s && r.keepalive_s == sample.keepalive_s);
}

static void zeros_may_follow_and_nothing_else(void **state)
{
    uint8_t d[TN_REPORT_LEN + 17] = {0};
    struct tn_report r = {.used = 77};

    memcpy(d, bytes, sizeof(bytes));
    for (size_t len = 0; len <= sizeof(d); len++) {
        bool good = len >= TN_REPORT_LEN && len <= TN_REPORT_LEN + 15;

        r.used = 77;
        assert_int_equal(tn_report_decode(d, len, &r), good ? 0 : TN_EINVAL);
        assert_int_equal(r.used, good ? sample.used : 77);
    }
    for (size_t i = TN_REPORT_LEN; i < TN_REPORT_LEN + 15; i++) {
        d[i] = 1;
        assert_int_equal(tn_report_decode(d, TN_REPORT_LEN + 15, &r), TN_EINVAL);
        d[i] = 0;
    }
}

static void unknown_flags_and_types_are_refused(void **state)
{
    uint8_t d[TN_REPORT_LEN];
    struct tn_report r;

    memcpy(d, bytes, sizeof(bytes));
    for (unsigned bit = 0; bit < 16; bit++) {
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(tn_report_decode(d, sizeof(d), &r), bit == 8 ? 0 : TN_EINVAL);
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_has_the_bytes_of_the_specification),
        cmocka_unit_test(zeros_may_follow_and_nothing_else),
        cmocka_unit_test(unknown_flags_and_types_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
