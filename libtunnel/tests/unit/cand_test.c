#include "libtunnel/path/cand.h"
#include "vectors.h"

static void every_verdict_and_origin_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (uint8_t a = 0; a <= TN_CAND_LOST; a++) {
        assert_non_null(tn_cand_verdict_name(a));
        for (uint8_t b = 0; b < a; b++)
            assert_string_not_equal(tn_cand_verdict_name(a), tn_cand_verdict_name(b));
    }
    for (uint8_t a = 0; a <= TN_CAND_TCP; a++) {
        assert_non_null(tn_cand_origin_name(a));
        for (uint8_t b = 0; b < a; b++)
            assert_string_not_equal(tn_cand_origin_name(a), tn_cand_origin_name(b));
    }
}

static void a_value_that_does_not_exist_is_called_unknown(void **state)
{
    (void)state;
    assert_string_equal(tn_cand_verdict_name(TN_CAND_LOST + 1), "unknown");
    assert_string_equal(tn_cand_verdict_name(255), "unknown");
    assert_string_equal(tn_cand_origin_name(TN_CAND_TCP + 1), "unknown");
    assert_string_equal(tn_cand_origin_name(255), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_and_origin_has_a_word_of_its_own),
        cmocka_unit_test(a_value_that_does_not_exist_is_called_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
