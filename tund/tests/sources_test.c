/* Which of our addresses a remote talks to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tund/sources.h"

static struct tn_addr v4(uint8_t last, uint16_t port)
{
    const uint8_t ip[4] = {192, 0, 2, last};

    return tn_addr_v4(ip, port);
}

static void what_was_learned_is_found(void **state)
{
    struct tn_addr remote = v4(1, 10), local = v4(2, 20), other = v4(1, 11);
    struct sources s;

    sources_clear(&s);
    assert_null(sources_find(&s, &remote));
    sources_learn(&s, &remote, &local);
    assert_true(tn_addr_equal(sources_find(&s, &remote), &local));
    assert_null(sources_find(&s, &other));
}

static void an_unknown_local_address_is_not_learned(void **state)
{
    struct tn_addr remote = v4(1, 10), none = {0};
    struct sources s;

    sources_clear(&s);
    sources_learn(&s, &remote, &none);
    assert_null(sources_find(&s, &remote));
}

static void forgetting_one_leaves_the_others(void **state)
{
    struct tn_addr local = v4(200, 1), a = v4(1, 10), b = v4(2, 10);
    struct sources s;

    sources_clear(&s);
    sources_learn(&s, &a, &local);
    sources_learn(&s, &b, &local);
    sources_forget(&s, &a);
    assert_null(sources_find(&s, &a));
    assert_non_null(sources_find(&s, &b));
    sources_clear(&s);
    assert_null(sources_find(&s, &b));
}

static void a_full_table_never_gives_a_wrong_answer(void **state)
{
    struct sources s;
    int found = 0;

    sources_clear(&s);
    for (int i = 0; i < 4000; i++) {
        struct tn_addr remote = v4((uint8_t)i, (uint16_t)(1 + i)), local = v4((uint8_t)(i + 1), 1);

        sources_learn(&s, &remote, &local);
    }
    for (int i = 0; i < 4000; i++) {
        struct tn_addr remote = v4((uint8_t)i, (uint16_t)(1 + i)), local = v4((uint8_t)(i + 1), 1);
        const struct tn_addr *got = sources_find(&s, &remote);

        if (got)
            assert_true(tn_addr_equal(got, &local));
        found += got != NULL;
    }
    assert_in_range(found, SOURCES_COUNT / 2, SOURCES_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_learned_is_found),
        cmocka_unit_test(an_unknown_local_address_is_not_learned),
        cmocka_unit_test(forgetting_one_leaves_the_others),
        cmocka_unit_test(a_full_table_never_gives_a_wrong_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
