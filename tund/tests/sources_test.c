/* Which of our addresses a remote is answered from. */
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

static struct udp_source came(struct tn_addr remote, struct tn_addr local)
{
    return (struct udp_source){.remote = remote, .local = local, .ifindex = 1};
}

static bool is_named;
static int asked;
static bool judge(void *ctx, const struct udp_source *from)
{
    asked++;
    return is_named;
}

/* One that every second is new to: the budget is another test's. */
static uint64_t now_us;
static void learn(struct sources *s, struct udp_source from)
{
    now_us += 1000000;
    sources_learn(s, &from, now_us, judge, NULL);
}

static const struct tn_addr *find(const struct sources *s, struct tn_addr remote)
{
    const struct tn_addr *local;

    (void)sources_find(s, &remote, &local);
    return local;
}

static bool is_known(const struct sources *s, struct tn_addr remote)
{
    const struct tn_addr *local;

    return sources_find(s, &remote, &local);
}

static int setup(void **state)
{
    is_named = true;
    asked = 0;
    return 0;
}

static void what_was_learned_is_found(void **state)
{
    struct tn_addr remote = v4(1, 10), local = v4(2, 20);
    struct sources s;

    sources_clear(&s);
    assert_false(is_known(&s, remote));
    learn(&s, came(remote, local));
    assert_true(tn_addr_equal(find(&s, remote), &local));
    assert_false(is_known(&s, v4(1, 11)));
}

static void where_the_system_chooses_well_it_is_left_to(void **state)
{
    struct tn_addr remote = v4(1, 10);
    struct sources s;

    sources_clear(&s);
    is_named = false;
    learn(&s, came(remote, v4(2, 20)));
    assert_true(is_known(&s, remote));
    assert_null(find(&s, remote));
}

static void the_kernel_is_asked_once_for_each_change(void **state)
{
    struct udp_source from = came(v4(1, 10), v4(2, 20));
    struct sources s;

    sources_clear(&s);
    learn(&s, from);
    learn(&s, from);
    assert_int_equal(asked, 1);
    from.ifindex = 2;
    learn(&s, from);
    assert_int_equal(asked, 2);
    from.local = v4(3, 20);
    learn(&s, from);
    learn(&s, from);
    assert_int_equal(asked, 3);
    assert_true(tn_addr_equal(find(&s, from.remote), &from.local));
}

static void too_many_changes_are_not_asked_about(void **state)
{
    struct sources s;

    sources_clear(&s);
    now_us += 1000000;
    for (int i = 0; i < 4 * (int)SOURCES_ASKS; i++) {
        struct udp_source from = came(v4(1, (uint16_t)(1 + i)), v4(2, 20));

        sources_learn(&s, &from, now_us, judge, NULL);
    }
    assert_int_equal(asked, SOURCES_ASKS);
    assert_false(is_known(&s, v4(1, 4 * SOURCES_ASKS)));
    learn(&s, came(v4(1, 9999), v4(2, 20)));
    assert_true(is_known(&s, v4(1, 9999)));
}

static void an_unknown_local_address_is_not_learned(void **state)
{
    struct tn_addr none = {0};
    struct sources s;

    sources_clear(&s);
    learn(&s, came(v4(1, 10), none));
    assert_false(is_known(&s, v4(1, 10)));
}

static void forgetting_one_leaves_the_others(void **state)
{
    struct tn_addr local = v4(200, 1), a = v4(1, 10), b = v4(2, 10);
    struct sources s;

    sources_clear(&s);
    learn(&s, came(a, local));
    learn(&s, came(b, local));
    sources_forget(&s, &a);
    assert_false(is_known(&s, a));
    assert_true(is_known(&s, b));
    sources_clear(&s);
    assert_false(is_known(&s, b));
}

static void a_full_table_never_gives_a_wrong_answer(void **state)
{
    struct sources s;
    int found = 0;

    sources_clear(&s);
    for (int i = 0; i < 4000; i++)
        learn(&s, came(v4((uint8_t)i, (uint16_t)(1 + i)), v4((uint8_t)(i + 1), 1)));
    for (int i = 0; i < 4000; i++) {
        struct tn_addr local = v4((uint8_t)(i + 1), 1);
        const struct tn_addr *got = find(&s, v4((uint8_t)i, (uint16_t)(1 + i)));

        if (got)
            assert_true(tn_addr_equal(got, &local));
        found += got != NULL;
    }
    assert_in_range(found, SOURCES_COUNT / 2, SOURCES_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_learned_is_found, setup),
        cmocka_unit_test_setup(where_the_system_chooses_well_it_is_left_to, setup),
        cmocka_unit_test_setup(the_kernel_is_asked_once_for_each_change, setup),
        cmocka_unit_test_setup(too_many_changes_are_not_asked_about, setup),
        cmocka_unit_test_setup(an_unknown_local_address_is_not_learned, setup),
        cmocka_unit_test_setup(forgetting_one_leaves_the_others, setup),
        cmocka_unit_test_setup(a_full_table_never_gives_a_wrong_answer, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
