/* The chip's division of 64 bits. That it is right is shown by multiplying, which the core does by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void divide(uint64_t n, uint64_t d)
{
    volatile uint64_t n_seen = n, d_seen = d; /* so that the compiler does not do it */
    uint64_t q = n_seen / d_seen, r = n_seen % d_seen;

    if (r >= d || q * d + r != n || (q && d > UINT64_MAX / q))
        fail_msg("%08x%08x by %08x%08x", (unsigned)(n >> 32), (unsigned)n, (unsigned)(d >> 32), (unsigned)d);
}

static void at_the_edges_it_is_right(void **state)
{
    static const uint64_t edge[] = {0, 1, 2, 3, 10, 999, 1000, 1000000, UINT32_MAX, (uint64_t)UINT32_MAX + 1,
                                    (uint64_t)1 << 63, ((uint64_t)1 << 63) + 1, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof edge / sizeof edge[0]; i++) {
        for (size_t k = 1; k < sizeof edge / sizeof edge[0]; k++)
            divide(edge[i], edge[k]);
    }
}

static void of_numbers_of_all_lengths_it_is_right(void **state)
{
    uint64_t x = 88172645463325252u; /* xorshift64, Marsaglia 2003 */

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t n, d;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        n = x >> (i & 63);
        d = (x * 2862933555777941757u + 3037000493u) >> (i / 64 & 63);
        divide(n, d ? d : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_edges_it_is_right),
        cmocka_unit_test(of_numbers_of_all_lengths_it_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
