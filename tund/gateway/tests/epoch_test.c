/* RFC 6887 section 8.5 and RFC 6886 section 3.6, as tables. */
#include "hexed.h"
#include "libtunnel/base/now.h"
#include "tund/gateway/epoch.h"

struct row {
    uint32_t client_s, server_s; /* passed here; what the gateway says, having said 1000 */
    bool good;
};

static void pcp_epochs_are_judged_as_in_section_8_5(void **state)
{
    static const struct row rows[] = {
        {0, 1000, true},
        {0, 999, true},       /* reordered answers */
        {0, 998, false},      /* it went back */
        {3600, 0, false},     /* a reboot, not counted past the old value */
        {3600, 4600, true},
        {3600, 4373, true},   /* 15/16 of the time, and two seconds: 3373 + 2 >= 3600 - 225 */
        {3600, 4372, false},  /* a reboot that has counted past the old value */
        {7200, 1100, false},
        {3600, 4842, true},   /* faster: 3842 - 240 <= 3602 */
        {3600, 4843, false},
        {0, 1002, true},
        {0, 1003, false},     /* ahead of what can be: another gateway */
        {2, 1000, true},
        {3, 1000, false},     /* it stands still: 2 >= 3 - 0 does not hold */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gateway_epoch e = {0};

        assert_true(gateway_epoch_pcp(&e, TN_S(500), 1000));
        assert_int_equal(gateway_epoch_pcp(&e, TN_S(500 + rows[i].client_s), rows[i].server_s),
                         rows[i].good);
        /* a bad one is remembered as well: the next that follows it is good */
        assert_true(gateway_epoch_pcp(&e, TN_S(500 + rows[i].client_s), rows[i].server_s));
    }
}

static void natpmp_epochs_are_judged_as_in_section_3_6(void **state)
{
    static const struct row rows[] = {
        {0, 1000, true},     {0, 998, true},      {0, 997, false},     {3600, 0, false},
        {3600, 4600, true},  {3600, 4148, true},  {3600, 4147, false}, /* 1000 + 3150 - 2 */
        {3600, 90000, true}, /* fast clocks are nobody's reboot here */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gateway_epoch e = {0};

        assert_true(gateway_epoch_natpmp(&e, TN_S(500), 1000));
        assert_int_equal(gateway_epoch_natpmp(&e, TN_S(500 + rows[i].client_s), rows[i].server_s),
                         rows[i].good);
    }
}

static void the_first_answer_is_good_and_huge_numbers_do_no_harm(void **state)
{
    struct gateway_epoch e = {0};

    assert_true(gateway_epoch_pcp(&e, 0, UINT32_MAX));
    assert_false(gateway_epoch_pcp(&e, UINT64_MAX, 0));
    assert_false(gateway_epoch_pcp(&e, 0, UINT32_MAX));
    e = (struct gateway_epoch){0};
    assert_true(gateway_epoch_natpmp(&e, 0, UINT32_MAX));
    assert_false(gateway_epoch_natpmp(&e, UINT64_MAX, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcp_epochs_are_judged_as_in_section_8_5),
        cmocka_unit_test(natpmp_epochs_are_judged_as_in_section_3_6),
        cmocka_unit_test(the_first_answer_is_good_and_huge_numbers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
