/* What reaches us unasked: questions, dial-backs, verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/path/reach.h"

#define BOTH (TN_REACH_FROM_PORT | TN_REACH_FROM_ADDRESS)

struct fixture {
    struct tn_reach r;
    struct tn_rng rng;
    struct tn_now now;
    struct tn_reach_wish w;
    struct tn_reach_row event;
};

static struct tn_cand_wire cand(uint8_t origin, uint16_t port)
{
    uint8_t ip[4] = {192, 0, 2, 1};

    return (struct tn_cand_wire){origin, tn_addr_v4(ip, port)};
}

static void begin(struct fixture *f, uint8_t origin)
{
    struct tn_cand_wire c = cand(origin, 4000);
    uint8_t seed[32] = {1};

    memset(f, 0, sizeof *f);
    f->now.us = TN_S(100);
    tn_rng_init(&f->rng, seed);
    tn_reach_set(&f->r, &c, 1, &f->now);
}

static bool poll(struct fixture *f)
{
    return tn_reach_poll(&f->r, &f->rng, &f->now, &f->w);
}

static void answer(struct fixture *f, uint8_t sent)
{
    assert_true(tn_reach_on_answer(&f->r, f->w.nonce, TN_REACH_SENT, sent, &f->now));
    assert_false(tn_reach_on_answer(&f->r, ~f->w.nonce, TN_REACH_SENT, sent, &f->now));
}

/* Answers every question with `sent`, of which `got` arrive, until there is none for a minute. */
static unsigned play(struct fixture *f, uint8_t sent, uint8_t got)
{
    uint64_t until = f->now.us + TN_S(60);
    unsigned asked = 0;

    while (tn_reach_next(&f->r) < until) {
        if (tn_reach_next(&f->r) > f->now.us)
            f->now.us = tn_reach_next(&f->r);
        if (!poll(f))
            continue;
        asked++;
        for (uint8_t bit = 1; bit <= 4; bit = (uint8_t)(bit << 1)) {
            if (got & bit)
                assert_true(tn_reach_on_dial(&f->r, f->w.nonce, bit, &f->now));
        }
        answer(f, sent);
    }
    return asked;
}

static void verdicts_follow_what_came_and_what_was_sent(void **state)
{
    static const struct {
        uint8_t sent, got, verdict;
        unsigned asked;
    } rows[] = {
        {BOTH, BOTH, TN_REACH_OPEN, 1},
        {BOTH, TN_REACH_FROM_ADDRESS, TN_REACH_OPEN, 1},
        {BOTH, TN_REACH_FROM_PORT, TN_REACH_RESTRICTED, 3},
        {BOTH, 0, TN_REACH_CLOSED, 3},
        {TN_REACH_FROM_PORT, TN_REACH_FROM_PORT, TN_REACH_OPEN, 1},
        {TN_REACH_FROM_PORT, 0, TN_REACH_CLOSED, 3},
        {0, 0, TN_REACH_UNKNOWN, 1},
    };
    struct fixture f;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(&f, TN_CAND_REFLEXIVE);
        assert_int_equal(play(&f, rows[i].sent, rows[i].got), rows[i].asked);
        assert_true(tn_reach_take_event(&f.r, &f.event));
        assert_int_equal(f.event.verdict, rows[i].verdict);
        assert_int_equal(f.event.got, rows[i].got);
        assert_int_equal(f.event.origin, TN_CAND_REFLEXIVE);
        assert_false(tn_reach_take_event(&f.r, &f.event));
    }
}

static void one_lost_dial_back_condemns_nobody(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    assert_true(poll(&f));
    answer(&f, BOTH);
    f.now.us += TN_S(1);
    assert_true(poll(&f)); /* asked again, with another nonce */
    assert_false(tn_reach_take_event(&f.r, &f.event));
    assert_true(tn_reach_on_dial(&f.r, f.w.nonce, TN_REACH_FROM_ADDRESS, &f.now));
    answer(&f, BOTH);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_OPEN);
}

static void a_mapping_that_does_not_forward_is_known_within_ten_seconds(void **state)
{
    struct fixture f;
    uint64_t began;

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    began = f.now.us;
    play(&f, BOTH, 0);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_CLOSED);
    assert_in_range(f.event.judged_us - began, 1, TN_S(10));
}

static void a_dial_back_that_nobody_asked_for_changes_nothing(void **state)
{
    struct fixture f;
    struct tn_reach before;

    (void)state;
    begin(&f, TN_CAND_REFLEXIVE);
    before = f.r;
    assert_false(tn_reach_on_dial(&f.r, 0, TN_REACH_FROM_ADDRESS, &f.now));
    assert_true(poll(&f));
    answer(&f, BOTH);
    before = f.r;
    assert_false(tn_reach_on_dial(&f.r, f.w.nonce ^ 1, TN_REACH_FROM_ADDRESS, &f.now));
    assert_memory_equal(&before, &f.r, sizeof before);
    play(&f, BOTH, 0);
    assert_false(tn_reach_on_dial(&f.r, f.w.nonce, TN_REACH_FROM_ADDRESS, &f.now)); /* too late */
    assert_int_equal(tn_reach_of(&f.r, &f.w.addr), TN_REACH_CLOSED);
}

static void a_dial_back_that_overtakes_the_answer_counts(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, TN_CAND_REFLEXIVE);
    assert_true(poll(&f));
    assert_true(tn_reach_on_dial(&f.r, f.w.nonce, TN_REACH_FROM_ADDRESS, &f.now));
    assert_false(tn_reach_take_event(&f.r, &f.event));
    answer(&f, BOTH);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_OPEN);
}

static void silence_of_the_coordinator_is_no_verdict(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, TN_CAND_REFLEXIVE);
    for (int i = 0; i < 5; i++) {
        assert_true(poll(&f));
        assert_true(tn_reach_on_answer(&f.r, f.w.nonce, TN_REACH_NO_ANSWER, 0, &f.now));
        assert_false(poll(&f));
        assert_in_range(tn_reach_next(&f.r) - f.now.us, TN_S(10), TN_S(120));
        f.now.us = tn_reach_next(&f.r);
    }
    assert_false(tn_reach_take_event(&f.r, &f.event));
    assert_true(poll(&f)); /* and a question that is lost altogether is asked again */
    f.now.us = tn_reach_next(&f.r);
    assert_true(poll(&f));
}

static void an_address_that_is_not_ours_is_told(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    assert_true(poll(&f));
    assert_true(tn_reach_on_answer(&f.r, f.w.nonce, TN_REACH_NOT_OURS, 0, &f.now));
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_ELSEWHERE);
}

static void a_change_is_told_and_the_same_again_is_not(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    play(&f, BOTH, BOTH);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    f.now.us = tn_reach_next(&f.r);
    play(&f, BOTH, BOTH);
    assert_false(tn_reach_take_event(&f.r, &f.event));
    tn_reach_renew(&f.r, &f.now); /* the network changed */
    assert_int_equal(tn_reach_next(&f.r), f.now.us);
    assert_int_equal(tn_reach_of(&f.r, &f.event.addr), TN_REACH_OPEN); /* until it is known better */
    play(&f, BOTH, 0);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_CLOSED);
}

static void an_open_mapping_that_is_doubted_is_asked_about_at_once(void **state)
{
    struct fixture f;
    uint64_t doubted_us;

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    tn_reach_doubt(&f.r, &f.now); /* being asked already */
    play(&f, BOTH, BOTH);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    f.now.us = f.event.judged_us + TN_REACH_DOUBT_US - 1;
    tn_reach_doubt(&f.r, &f.now); /* it was open a moment ago */
    assert_true(tn_reach_next(&f.r) > f.now.us + TN_S(60));
    f.now.us++;
    tn_reach_doubt(&f.r, &f.now);
    doubted_us = f.now.us;
    assert_int_equal(tn_reach_of(&f.r, &f.event.addr), TN_REACH_OPEN);
    assert_int_equal(play(&f, BOTH, 0), 3);
    assert_true(tn_reach_take_event(&f.r, &f.event));
    assert_int_equal(f.event.verdict, TN_REACH_CLOSED);
    assert_true(f.event.judged_us - doubted_us < TN_S(3));
    f.now.us += TN_S(60);
    tn_reach_doubt(&f.r, &f.now); /* it is known to be closed */
    assert_true(tn_reach_next(&f.r) > f.now.us + TN_S(60));
    begin(&f, TN_CAND_REFLEXIVE);
    play(&f, BOTH, BOTH);
    f.now.us += TN_S(60);
    tn_reach_doubt(&f.r, &f.now); /* a NAT keeps no promise */
    assert_true(tn_reach_next(&f.r) > f.now.us + TN_S(60));
}

static void addresses_come_and_go(void **state)
{
    struct fixture f;
    struct tn_cand_wire list[TN_REACH_MAX + 2];

    (void)state;
    begin(&f, TN_CAND_MAPPED);
    play(&f, BOTH, BOTH);
    for (uint16_t i = 0; i < TN_REACH_MAX + 2; i++)
        list[i] = cand(TN_CAND_REFLEXIVE, (uint16_t)(4000 + i));
    tn_reach_set(&f.r, list, TN_REACH_MAX + 2, &f.now); /* two too many */
    assert_int_equal(tn_reach_at(&f.r, 0)->verdict, TN_REACH_OPEN); /* known already */
    assert_non_null(tn_reach_at(&f.r, TN_REACH_MAX - 1));
    assert_null(tn_reach_at(&f.r, TN_REACH_MAX));
    tn_reach_set(&f.r, list + 1, 1, &f.now);
    assert_null(tn_reach_at(&f.r, 1));
    assert_int_equal(tn_reach_of(&f.r, &list[0].addr), TN_REACH_UNKNOWN);
    tn_reach_set(&f.r, NULL, 0, &f.now);
    assert_int_equal(tn_reach_next(&f.r), TN_NEVER);
    assert_false(poll(&f));
}

static void every_verdict_has_a_word(void **state)
{
    (void)state;
    for (uint8_t a = 1; a <= TN_REACH_ELSEWHERE; a++)
        assert_string_not_equal(tn_reach_verdict_name(a), tn_reach_verdict_name(0));
    assert_string_equal(tn_reach_verdict_name(200), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_what_came_and_what_was_sent),
        cmocka_unit_test(one_lost_dial_back_condemns_nobody),
        cmocka_unit_test(a_mapping_that_does_not_forward_is_known_within_ten_seconds),
        cmocka_unit_test(a_dial_back_that_nobody_asked_for_changes_nothing),
        cmocka_unit_test(a_dial_back_that_overtakes_the_answer_counts),
        cmocka_unit_test(silence_of_the_coordinator_is_no_verdict),
        cmocka_unit_test(an_address_that_is_not_ours_is_told),
        cmocka_unit_test(a_change_is_told_and_the_same_again_is_not),
        cmocka_unit_test(an_open_mapping_that_is_doubted_is_asked_about_at_once),
        cmocka_unit_test(addresses_come_and_go),
        cmocka_unit_test(every_verdict_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
