#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/fast/sum.h"

#define LEN_MAX 1700u

/* RFC 1071, 4.1: 16 bits at a time. In memory order. */
static uint16_t reference(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)sum);
}

/* With every start in a word, so that no load may want an aligned one. */
static void every_length_and_start_agrees_with_the_rfc(void **state)
{
    static uint8_t from[LEN_MAX + 8], to[LEN_MAX + 8];

    srand(4);
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)rand();
    for (size_t start = 0; start < 8; start++) {
        for (size_t len = 0; len <= LEN_MAX; len++) {
            uint16_t want = reference(from + start, len);

            assert_int_equal(fast_fold(fast_sum(from + start, len, 0)), want);
            memset(to, 0xa5, sizeof to);
            assert_int_equal(fast_fold(fast_sum_copy(to + 1, from + start, len, 0)), want);
            assert_memory_equal(to + 1, from + start, len);
            assert_int_equal(to[0], 0xa5);
            assert_int_equal(to[len + 1], 0xa5);
        }
    }
}

static void carries_are_kept_where_all_bits_are_set(void **state)
{
    static uint8_t ones[65536], to[65536];

    memset(ones, 0xff, sizeof ones);
    assert_int_equal(fast_fold(fast_sum(ones, sizeof ones, UINT32_MAX)), 0xffff);
    assert_int_equal(fast_fold(fast_sum_copy(to, ones, sizeof ones, 1)), htons(1) == 1 ? 1 : htons(0x100));
    assert_memory_equal(to, ones, sizeof ones);
}

static void a_sum_goes_on_from_the_one_before(void **state)
{
    uint8_t p[200];

    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(i * 37);
    for (size_t cut = 0; cut <= sizeof p; cut += 2)
        assert_int_equal(fast_fold(fast_sum(p + cut, sizeof p - cut, fast_sum(p, cut, 0))),
                         reference(p, sizeof p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_start_agrees_with_the_rfc),
        cmocka_unit_test(carries_are_kept_where_all_bits_are_set),
        cmocka_unit_test(a_sum_goes_on_from_the_one_before),
    };

    return cmocka_run_group_tests_name("fast_sum", tests, NULL, NULL);
}
