#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/crypto/crypto.h"
#include "libtunnel/wg/session.h"
#include "tund/fast/workers.h"

#define JOBS_MAX 256u
#define LEN_MAX 1452u

static struct tn_session session;
static uint8_t packet[JOBS_MAX][LEN_MAX + 32], want[LEN_MAX + 32];
static struct tn_job job[JOBS_MAX];

static size_t len_of(uint32_t round, uint32_t i)
{
    return (round * 37 + i * 13) % (LEN_MAX - 16);
}

static void fill(uint8_t *msg, uint32_t round, uint32_t i)
{
    memset(msg + 16, (int)(round + i), len_of(round, i));
}

static void prepare(uint32_t round, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fill(packet[i], round, i);
        job[i] = (struct tn_job){.session = &session,
                                 .msg = packet[i],
                                 .len = len_of(round, i),
                                 .counter = (uint64_t)round << 16 | i};
    }
}

static void assert_sealed(uint32_t round, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t len = len_of(round, i);

        fill(want, round, i);
        tn_session_seal(&session, (uint64_t)round << 16 | i, want, len);
        assert_memory_equal(packet[i], want, len + 32);
    }
}

/* The same jobs the other way; each seventh was damaged. */
static void open_all(struct fast_workers *w, uint32_t round, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        packet[i][16] ^= i % 7 == 3;
        job[i] = (struct tn_job){.session = &session,
                                 .msg = packet[i],
                                 .len = len_of(round, i) + 32,
                                 .opens = true,
                                 .err = 77};
    }
    fast_workers_run(w, job, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(job[i].err, i % 7 == 3 ? TN_EAUTH : 0);
        if (job[i].err)
            continue;
        fill(want, round, i);
        assert_memory_equal(packet[i] + 16, want + 16, len_of(round, i));
    }
}

static void run_rounds(unsigned threads, bool always)
{
    struct fast_workers *w = fast_workers_new(threads, always);

    assert_non_null(w);
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t count = round * 11 % (JOBS_MAX + 1);

        fast_workers_gather(w);
        prepare(round, count);
        fast_workers_run(w, job, count);
        assert_sealed(round, count);
        open_all(w, round, count);
    }
    fast_workers_free(w);
}

static void every_job_is_done_once_with_any_number_of_threads(void **state)
{
    for (unsigned threads = 0; threads <= FAST_WORKERS_MAX; threads++)
        run_rounds(threads, true);
}

static void a_trial_leaves_no_job_undone(void **state)
{
    run_rounds(2, false);
}

static void without_threads_nothing_is_gathered(void **state)
{
    struct fast_workers *w = fast_workers_new(0, false);

    assert_int_equal(fast_workers_count(w), 0);
    assert_false(fast_workers_gather(w));
    assert_false(fast_workers_help(w));
    fast_workers_free(w);
}

/* Once it is found out whether they help, nothing is gathered for threads that do not. */
static void a_trial_ends_with_a_choice(void **state)
{
    struct fast_workers *w = fast_workers_new(1, false);

    assert_true(fast_workers_gather(w));
    for (uint32_t round = 0; round < 36; round++) { /* the length of a trial */
        prepare(round, 64);
        fast_workers_run(w, job, 64);
        assert_sealed(round, 64);
    }
    assert_int_equal(fast_workers_gather(w), fast_workers_help(w));
    fast_workers_free(w);
}

static void few_bytes_wake_nobody(void **state)
{
    struct fast_workers *w = fast_workers_new(1, false);

    assert_true(fast_workers_gather(w));
    for (uint32_t round = 0; round < 1000; round++) {
        prepare(round, 4);
        fast_workers_run(w, job, 4);
        assert_sealed(round, 4);
    }
    assert_true(fast_workers_gather(w)); /* the trial has seen nothing yet */
    assert_false(fast_workers_help(w));
    fast_workers_free(w);
}

static void threads_that_were_asked_for_are_always_used(void **state)
{
    struct fast_workers *w = fast_workers_new(2, true);

    assert_int_equal(fast_workers_count(w), 2);
    assert_true(fast_workers_gather(w));
    assert_true(fast_workers_help(w));
    fast_workers_free(w);
}

static int set_up(void **state)
{
    memset(&session, 0x5a, sizeof session);
    memcpy(session.recv_key, session.send_key, sizeof session.recv_key);
    return tn_crypto_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_done_once_with_any_number_of_threads),
        cmocka_unit_test(a_trial_leaves_no_job_undone),
        cmocka_unit_test(a_trial_ends_with_a_choice),
        cmocka_unit_test(few_bytes_wake_nobody),
        cmocka_unit_test(without_threads_nothing_is_gathered),
        cmocka_unit_test(threads_that_were_asked_for_are_always_used),
    };

    return cmocka_run_group_tests_name("fast_workers", tests, set_up, NULL);
}
