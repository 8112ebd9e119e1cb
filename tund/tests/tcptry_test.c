/* Attempts to connect by TCP: which address when, how often, and what is told of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tund/tcptry.h"

static struct tcptry t;
static uint64_t now = 1000000;

static struct tn_addr addr(uint16_t port)
{
    return tn_addr_v4((const uint8_t[]){192, 0, 2, 1}, port);
}

static void begin(unsigned count)
{
    struct tn_addr list[TCPTRY_TARGETS + 2];

    for (unsigned i = 0; i < count; i++)
        list[i] = addr((uint16_t)(2000 + i));
    tcptry_begin(&t, list, count, now);
}

static void assert_words(unsigned i, const char *want)
{
    char out[TCPTRY_WORDS_LEN];

    assert_string_equal(tcptry_words(&t.target[i], out), want);
}

static void all_addresses_are_connected_to_at_once(void **state)
{
    (void)state;
    begin(3);
    assert_words(0, "not tried");
    for (int i = 0; i < 3; i++)
        assert_int_equal(tcptry_next(&t, now), i);
    assert_int_equal(tcptry_next(&t, now), -1);
    assert_int_equal(tcptry_next(&t, now + 1000000), -1); /* each is still waited for */
    assert_false(tcptry_ends(&t, now + 1000000));
    assert_words(2, "no answer yet");
}

static void one_that_is_there_twice_is_taken_once_and_those_too_many_not_at_all(void **state)
{
    const struct tn_addr same[3] = {addr(5), addr(5), addr(6)};

    (void)state;
    tcptry_begin(&t, same, 3, now);
    assert_int_equal(t.count, 2);
    assert_int_equal(tcptry_find(&t, &same[2]), 1);
    begin(TCPTRY_TARGETS + 2);
    assert_int_equal(t.count, TCPTRY_TARGETS);
    assert_int_equal(tcptry_find(&t, &same[0]), -1);
}

static void what_was_refused_is_tried_again_after_pauses_that_grow(void **state)
{
    static const uint64_t pause_us[] = {100000, 100000, 200000, 400000, 800000, 800000};

    (void)state;
    begin(1);
    for (size_t i = 0; i < sizeof(pause_us) / sizeof(pause_us[0]); i++) {
        assert_int_equal(tcptry_next(&t, now), 0);
        tcptry_failed(&t, 0, ECONNREFUSED, now);
        assert_int_equal(tcptry_next(&t, now + pause_us[i] - 1), -1);
        assert_false(tcptry_ends(&t, now));
        now += pause_us[i];
    }
    assert_words(0, "refused, 6 attempts");
}

static void no_address_is_tried_for_ever(void **state)
{
    unsigned tries = 0;

    (void)state;
    begin(1);
    t.end_us = UINT64_MAX;
    for (int i = 0; i < 100; i++, now += 1000000) {
        if (tcptry_next(&t, now) < 0)
            continue;
        tries++;
        tcptry_failed(&t, 0, EHOSTUNREACH, now);
    }
    assert_int_equal(tries, TCPTRY_MAX);
    assert_true(tcptry_ends(&t, now));
    assert_false(tcptry_ends(&t, now)); /* that is said once */
    assert_words(0, "No route to host, 12 attempts");
}

static void when_the_time_is_up_there_was_no_answer(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(tcptry_next(&t, now), 0);
    assert_int_equal(tcptry_next(&t, now), 1);
    tcptry_failed(&t, 1, ECONNREFUSED, now);
    now += TCPTRY_TIME_US;
    assert_int_equal(tcptry_next(&t, now), -1);
    assert_true(tcptry_ends(&t, now));
    assert_words(0, "no answer, 1 attempt");
    assert_words(1, "refused, 1 attempt");
    tcptry_failed(&t, 0, ECONNREFUSED, now); /* its socket closes later */
    assert_words(0, "no answer, 1 attempt");
}

static void one_that_connects_has_until_the_end_to_prove_itself(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(tcptry_next(&t, now), 0);
    assert_int_equal(tcptry_next(&t, now), 1);
    tcptry_failed(&t, 0, ECONNREFUSED, now);
    tcptry_connected(&t, 0); /* its SYN came in while we waited to try again */
    tcptry_connected(&t, 1);
    assert_words(0, "connected at attempt 1");
    tcptry_unproven(&t, 1);
    assert_words(1, "connected, but it was not the member who answered, 1 attempt");
    assert_false(tcptry_ends(&t, now));
    assert_int_equal(tcptry_next(&t, now + 1000000), -1);
    assert_true(tcptry_ends(&t, now + TCPTRY_TIME_US));
    assert_words(0, "connected, but it was not the member who answered, 1 attempt");
}

static void stopped_with_a_path_it_keeps_what_came_back(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(tcptry_next(&t, now), 0);
    assert_int_equal(tcptry_next(&t, now), 1);
    tcptry_connected(&t, 1);
    tcptry_stop(&t);
    assert_words(0, "no answer, 1 attempt");
    assert_words(1, "connected at attempt 1");
    assert_int_equal(tcptry_next(&t, now + 5000000), -1);
    assert_false(tcptry_ends(&t, now + TCPTRY_TIME_US));
}

/* Events of a socket that is of no set any more, or of no address. */
static void what_does_not_fit_changes_nothing(void **state)
{
    struct tcptry before;

    (void)state;
    begin(2);
    before = t;
    tcptry_failed(&t, 0, ECONNREFUSED, now); /* was not connecting */
    tcptry_failed(&t, 2, ECONNREFUSED, now);
    tcptry_failed(&t, UINT32_MAX, ECONNREFUSED, now);
    tcptry_connected(&t, 2);
    tcptry_unproven(&t, 0);
    tcptry_unproven(&t, 7);
    assert_memory_equal(&t, &before, sizeof(t));
    tcptry_begin(&t, NULL, 0, now);
    assert_int_equal(tcptry_next(&t, now), -1);
    assert_true(tcptry_ends(&t, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_addresses_are_connected_to_at_once),
        cmocka_unit_test(one_that_is_there_twice_is_taken_once_and_those_too_many_not_at_all),
        cmocka_unit_test(what_was_refused_is_tried_again_after_pauses_that_grow),
        cmocka_unit_test(no_address_is_tried_for_ever),
        cmocka_unit_test(when_the_time_is_up_there_was_no_answer),
        cmocka_unit_test(one_that_connects_has_until_the_end_to_prove_itself),
        cmocka_unit_test(stopped_with_a_path_it_keeps_what_came_back),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
