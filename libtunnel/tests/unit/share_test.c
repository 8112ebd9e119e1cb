/* Fair shares in passes: who gets how much when more comes than can go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "libtunnel/coord/share.h"

#define MEMBERS 5
#define CAPACITY 6400
#define COST 10

static struct tn_share share;
static struct tn_share_part part[MEMBERS];
static uint64_t got[MEMBERS];

/* Everybody wants so much in this pass; their packets come mixed. */
static void pass(uint64_t capacity, const uint64_t wanted[MEMBERS])
{
    uint64_t left[MEMBERS], most = 1;

    tn_share_begin(&share, capacity);
    memset(got, 0, sizeof(got));
    memcpy(left, wanted, sizeof(left));
    while (most) {
        most = 0;
        for (int i = 0; i < MEMBERS; i++) {
            if (left[i] < COST)
                continue;
            if (tn_share_take(&share, &part[i], COST))
                got[i] += COST;
            left[i] -= COST;
            most |= left[i] >= COST;
        }
    }
}

static int fresh(void **state)
{
    (void)state;
    memset(&share, 0, sizeof(share));
    memset(part, 0, sizeof(part));
    return 0;
}

static void without_an_overload_nobody_is_limited(void **state)
{
    static const uint64_t wanted[MEMBERS] = {1000000, 50, 50, 0, 0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        pass(0, wanted);
        assert_memory_equal(got, wanted, sizeof(wanted));
    }
}

static void a_lone_member_is_not_limited(void **state)
{
    static const uint64_t wanted[MEMBERS] = {1000000, 0, 0, 0, 0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        pass(CAPACITY, wanted);
        assert_int_equal(got[0], 1000000);
    }
}

static void a_flood_takes_what_the_others_leave(void **state)
{
    static const uint64_t wanted[MEMBERS] = {25600, 320, 640, 0, 0};

    (void)state;
    for (int i = 0; i < 5; i++)
        pass(CAPACITY, wanted);
    assert_int_equal(got[1], 320);
    assert_int_equal(got[2], 640);
    assert_in_range(got[0], CAPACITY - 960 - COST, CAPACITY - 960 + COST);
}

static void floods_get_equal_parts_however_large_each_is(void **state)
{
    static const uint64_t wanted[MEMBERS] = {200000, 25600, 6400, 100, 0};

    (void)state;
    for (int i = 0; i < 5; i++)
        pass(CAPACITY, wanted);
    assert_int_equal(got[3], 100);
    for (int i = 0; i < 3; i++)
        assert_in_range(got[i], 2100 - COST, 2100 + COST);
}

static void what_comes_late_in_a_pass_finds_its_share(void **state)
{
    static const uint64_t wanted[MEMBERS] = {25600, 320, 0, 0, 0};

    (void)state;
    pass(CAPACITY, wanted);
    pass(CAPACITY, wanted);
    tn_share_begin(&share, CAPACITY);
    for (int i = 0; i < 2560; i++)
        (void)!tn_share_take(&share, &part[0], COST);
    assert_true(tn_share_take(&share, &part[1], COST));
    assert_true(tn_share_take(&share, &part[2], COST)); /* that was not there before */
}

static void when_the_flood_ends_the_limit_goes(void **state)
{
    static const uint64_t flood[MEMBERS] = {25600, 320, 0, 0, 0}, calm[MEMBERS] = {3000, 320, 0, 0, 0};

    (void)state;
    pass(CAPACITY, flood);
    pass(CAPACITY, flood);
    pass(0, calm);
    assert_memory_equal(got, calm, sizeof(calm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_an_overload_nobody_is_limited, fresh),
        cmocka_unit_test_setup(a_lone_member_is_not_limited, fresh),
        cmocka_unit_test_setup(a_flood_takes_what_the_others_leave, fresh),
        cmocka_unit_test_setup(floods_get_equal_parts_however_large_each_is, fresh),
        cmocka_unit_test_setup(what_comes_late_in_a_pass_finds_its_share, fresh),
        cmocka_unit_test_setup(when_the_flood_ends_the_limit_goes, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
