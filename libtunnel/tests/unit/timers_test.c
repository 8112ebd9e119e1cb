#include "vectors.h"
#include "libtunnel/wg/timers.h"

static struct tn_rng rng;
static struct tn_timers t;
static const uint64_t start_us = TN_S(1000);

static int set_up(void **state)
{
    const uint8_t seed[32] = {3};

    (void)state;
    tn_rng_init(&rng, seed);
    tn_timers_init(&t);
    return 0;
}

static void nothing_is_pending_at_first(void **state)
{
    (void)state;
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
    assert_int_equal(tn_timers_expire(&t, start_us), 0);
}

static void an_initiation_is_repeated_after_five_seconds_and_jitter(void **state)
{
    size_t which = 99;
    uint64_t due_us;

    (void)state;
    assert_true(tn_timers_may_initiate(&t, start_us));
    tn_timers_handshake_initiated(&t, &rng, start_us);
    due_us = tn_timers_next(&t, &which);
    assert_int_equal(which, TN_TIMER_RETRANSMIT);
    assert_in_range(due_us - start_us, TN_S(5), TN_S(5) + TN_MS(333));
    assert_int_equal(tn_timers_expire(&t, due_us - 1), 0);
    assert_int_equal(tn_timers_expire(&t, due_us), TN_WISH_INITIATION);
    assert_int_equal(tn_timers_expire(&t, due_us), 0);
}

static void jitter_varies_and_stays_in_its_bounds(void **state)
{
    uint64_t least = UINT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t wait_us;

        tn_timers_handshake_initiated(&t, &rng, start_us);
        wait_us = tn_timers_next(&t, NULL) - start_us;
        least = wait_us < least ? wait_us : least;
        most = wait_us > most ? wait_us : most;
    }
    assert_true(least >= TN_S(5) && most <= TN_S(5) + TN_MS(333) && most - least > TN_MS(200));
}

static void eighteen_initiations_in_ninety_seconds_then_give_up(void **state)
{
    uint64_t now_us = start_us;
    unsigned sent = 1, wishes;

    (void)state;
    assert_true(tn_timers_may_initiate(&t, now_us));
    tn_timers_handshake_initiated(&t, &rng, now_us);
    for (;;) {
        now_us = tn_timers_next(&t, NULL);
        wishes = tn_timers_expire(&t, now_us);
        if (wishes != TN_WISH_INITIATION)
            break;
        tn_timers_handshake_initiated(&t, &rng, now_us);
        sent++;
    }
    assert_int_equal(wishes, TN_WISH_GIVE_UP);
    assert_int_equal(sent, 18);
    assert_in_range(now_us - start_us, TN_S(90), TN_S(90) + 18 * TN_MS(333));
    /* what is left of the handshake is forgotten in the end */
    assert_true(tn_timers_next(&t, NULL) == now_us + TN_S(540));
    assert_int_equal(tn_timers_expire(&t, now_us + TN_S(540)), TN_WISH_ZERO_KEYS);
    assert_true(tn_timers_may_initiate(&t, now_us)); /* a new packet begins anew */
}

static void no_second_initiation_within_five_seconds(void **state)
{
    (void)state;
    assert_true(tn_timers_may_initiate(&t, start_us));
    tn_timers_handshake_initiated(&t, &rng, start_us);
    assert_false(tn_timers_may_initiate(&t, start_us + TN_S(5) - 1));
    assert_true(tn_timers_may_initiate(&t, start_us + TN_S(5)));
    tn_timers_stop(&t);
    assert_true(tn_timers_may_initiate(&t, start_us + 1));
}

static void whoever_lost_the_session_is_asked_at_once_or_a_second_after_the_last_time(void **state)
{
    (void)state;
    assert_false(tn_timers_is_shaking(&t));
    tn_timers_hurry(&t, start_us); /* none was ever sent */
    assert_true(tn_timers_next(&t, NULL) == start_us);
    assert_int_equal(tn_timers_expire(&t, start_us), TN_WISH_INITIATION);
    tn_timers_handshake_initiated(&t, &rng, start_us);
    assert_true(tn_timers_is_shaking(&t));
    for (int i = 0; i < 100; i++) /* however often it is said */
        tn_timers_hurry(&t, start_us + TN_MS(5) * (uint64_t)i);
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(1));
    tn_timers_hurry(&t, start_us + TN_S(3));
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(1)); /* not put off */
    tn_timers_handshake_complete(&t);
    assert_false(tn_timers_is_shaking(&t));
    tn_timers_hurry(&t, start_us + TN_S(3));
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(3));
}

static void a_completed_handshake_ends_the_retransmission(void **state)
{
    (void)state;
    tn_timers_handshake_initiated(&t, &rng, start_us);
    tn_timers_handshake_complete(&t);
    tn_timers_session_derived(&t, start_us + 1);
    assert_true(tn_timers_next(&t, NULL) == start_us + 1 + TN_S(540));
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(500)), 0);
}

static void received_data_is_answered_by_a_keepalive_after_ten_seconds(void **state)
{
    (void)state;
    tn_timers_data_received(&t, start_us);
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(10));
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(10)), TN_WISH_KEEPALIVE);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
}

static void more_data_meanwhile_asks_for_another_keepalive(void **state)
{
    (void)state;
    tn_timers_data_received(&t, start_us);
    tn_timers_data_received(&t, start_us + TN_S(3));
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(10)); /* not put off */
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(10)), TN_WISH_KEEPALIVE);
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(20));
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(20)), TN_WISH_KEEPALIVE);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
}

static void anything_sent_makes_the_keepalive_needless(void **state)
{
    (void)state;
    tn_timers_data_received(&t, start_us);
    tn_timers_any_authenticated_sent(&t);
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(11)), 0);
}

static void data_without_an_answer_for_fifteen_seconds_begins_a_handshake(void **state)
{
    uint64_t due_us;

    (void)state;
    tn_timers_data_sent(&t, &rng, start_us);
    due_us = tn_timers_next(&t, NULL);
    assert_in_range(due_us - start_us, TN_S(15), TN_S(15) + TN_MS(333));
    tn_timers_data_sent(&t, &rng, start_us + TN_S(4));
    assert_true(tn_timers_next(&t, NULL) == due_us); /* counted from the first */
    assert_int_equal(tn_timers_expire(&t, due_us), TN_WISH_INITIATION);

    tn_timers_data_sent(&t, &rng, start_us);
    tn_timers_any_authenticated_received(&t);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
}

static void the_persistent_keepalive_waits_for_silence_in_both_directions(void **state)
{
    (void)state;
    tn_timers_any_authenticated_traversal(&t, start_us);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER); /* off */
    tn_timers_set_persistent(&t, 25, start_us);
    assert_int_equal(tn_timers_expire(&t, start_us), TN_WISH_KEEPALIVE); /* at once */
    tn_timers_any_authenticated_traversal(&t, start_us + TN_S(20));
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(44)), 0);
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(45)), TN_WISH_KEEPALIVE);
    /* the caller could not send it: the next is due all the same */
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(70)), TN_WISH_KEEPALIVE);
    tn_timers_set_persistent(&t, 5, start_us + TN_S(70)); /* shorter counts from now */
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(75));
    tn_timers_set_persistent(&t, 0, start_us);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
}

static void stopping_clears_all_but_the_interval(void **state)
{
    (void)state;
    tn_timers_set_persistent(&t, 25, start_us);
    tn_timers_data_sent(&t, &rng, start_us);
    tn_timers_data_received(&t, start_us);
    tn_timers_handshake_initiated(&t, &rng, start_us);
    tn_timers_session_derived(&t, start_us);
    tn_timers_stop(&t);
    assert_true(tn_timers_next(&t, NULL) == TN_NEVER);
    tn_timers_any_authenticated_traversal(&t, start_us);
    assert_true(tn_timers_next(&t, NULL) == start_us + TN_S(25));
}

static void rows_that_expire_together_give_all_their_wishes(void **state)
{
    (void)state;
    tn_timers_data_received(&t, start_us);
    tn_timers_data_sent(&t, &rng, start_us);
    tn_timers_session_derived(&t, start_us);
    assert_int_equal(tn_timers_expire(&t, start_us + TN_S(600)),
                     TN_WISH_KEEPALIVE | TN_WISH_INITIATION | TN_WISH_ZERO_KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_pending_at_first, set_up),
        cmocka_unit_test_setup(an_initiation_is_repeated_after_five_seconds_and_jitter, set_up),
        cmocka_unit_test_setup(jitter_varies_and_stays_in_its_bounds, set_up),
        cmocka_unit_test_setup(eighteen_initiations_in_ninety_seconds_then_give_up, set_up),
        cmocka_unit_test_setup(no_second_initiation_within_five_seconds, set_up),
        cmocka_unit_test_setup(whoever_lost_the_session_is_asked_at_once_or_a_second_after_the_last_time, set_up),
        cmocka_unit_test_setup(a_completed_handshake_ends_the_retransmission, set_up),
        cmocka_unit_test_setup(received_data_is_answered_by_a_keepalive_after_ten_seconds, set_up),
        cmocka_unit_test_setup(more_data_meanwhile_asks_for_another_keepalive, set_up),
        cmocka_unit_test_setup(anything_sent_makes_the_keepalive_needless, set_up),
        cmocka_unit_test_setup(data_without_an_answer_for_fifteen_seconds_begins_a_handshake,
                               set_up),
        cmocka_unit_test_setup(the_persistent_keepalive_waits_for_silence_in_both_directions,
                               set_up),
        cmocka_unit_test_setup(stopping_clears_all_but_the_interval, set_up),
        cmocka_unit_test_setup(rows_that_expire_together_give_all_their_wishes, set_up),
    };

    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
