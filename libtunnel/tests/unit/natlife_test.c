/* The search for a mapping's lifetime, against NATs of every lifetime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libtunnel/path/natlife.h"

static unsigned search(struct tn_natlife *l, uint32_t lifetime_s)
{
    unsigned trials = 0;
    uint32_t s;

    while ((s = tn_natlife_next_s(l)) != 0) {
        assert_in_range(s, 1, TN_NATLIFE_MAX_S);
        tn_natlife_result(l, s, s < lifetime_s);
        assert_in_range(++trials, 1, 20);
    }
    return trials;
}

static void every_lifetime_is_found(void **state)
{
    (void)state;
    for (uint32_t lifetime_s = 2; lifetime_s <= 2500; lifetime_s++) {
        struct tn_natlife l = {0};

        search(&l, lifetime_s);
        if (lifetime_s > TN_NATLIFE_MAX_S) {
            assert_int_equal(l.alive_s, TN_NATLIFE_MAX_S);
            assert_int_equal(l.dead_s, 0);
            continue;
        }
        assert_true(l.alive_s < lifetime_s && lifetime_s <= l.dead_s);
        assert_true(l.dead_s - l.alive_s <= 2 || l.dead_s - l.alive_s <= l.dead_s / 8);
    }
}

static void thirty_seconds_take_few_trials(void **state)
{
    struct tn_natlife l = {0};

    (void)state;
    assert_in_range(search(&l, 30), 1, 8);
    assert_int_equal(search(&l, 30), 0); /* what is known is not asked again */
}

static void a_network_that_has_changed_is_measured_anew(void **state)
{
    struct tn_natlife l = {0};

    (void)state;
    search(&l, 30);
    tn_natlife_result(&l, 300, true);
    search(&l, 400);
    assert_true(l.alive_s < 400 && 400 <= l.dead_s);
    tn_natlife_result(&l, 20, false);
    search(&l, 15);
    assert_true(l.alive_s < 15 && 15 <= l.dead_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lifetime_is_found),
        cmocka_unit_test(thirty_seconds_take_few_trials),
        cmocka_unit_test(a_network_that_has_changed_is_measured_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
