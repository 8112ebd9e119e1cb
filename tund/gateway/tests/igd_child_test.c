/* The daemon's side of the child, with shell scripts in its place: one that answers, and all that a child
 * can do wrong. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hexed.h"
#include "tund/gateway/igd_child.h"

static struct {
    unsigned calls;
    bool answered;
    struct igd_answer answer;
    uint64_t took_ms;
} seen;
static uv_loop_t loop;

static void on_done(void *ctx, const struct igd_answer *answer)
{
    seen.calls++;
    seen.answered = answer != NULL;
    if (answer)
        seen.answer = *answer;
    seen.took_ms = uv_now(&loop) - *(uint64_t *)ctx;
}

/* Runs a script as the child until every handle has closed. */
static void run(const char *script, bool kill_at_once)
{
    const struct igd_job job = {.op = IGD_PROBE, .gateway = ip4(192, 168, 1, 1), .own = ip4(192, 168, 1, 2),
                                .description = "tund 00112233"};
    char path[] = "/tmp/tund-igd-child.XXXXXX";
    struct igd_child *child;
    uint64_t began;
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fchmod(fileno(f), 0700), 0);
    assert_int_equal(fclose(f), 0);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(uv_loop_init(&loop), 0);
    began = uv_now(&loop);
    assert_int_equal(igd_child_start(&child, &loop, path, &job, on_done, &began), 0);
    if (kill_at_once)
        igd_child_kill(child);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(unlink(path), 0);
}

#define REFUSAL "printf 'tigd\\002\\000\\002\\316\\000\\000\\000\\000\\000\\000\\000\\000'; " /* 718 */ \
                "head -c 22 /dev/zero"

static void an_answer_is_handed_over_once(void **state)
{
    run(REFUSAL, false);
    assert_int_equal(seen.calls, 1);
    assert_true(seen.answered);
    assert_int_equal(seen.answer.status, IGD_CONFLICT);
}

static void the_job_is_on_its_command_line_and_nothing_else_is(void **state)
{
    run("[ $# = 12 ] && [ \"$1 $2 $3 $4 $5\" = 'probe 192.168.1.1 192.168.1.2 - tund 00112233' ] && "
        "[ -z \"$HOME$USER\" ] && [ ! -t 0 ] || exit 1; " REFUSAL, false);
    assert_true(seen.answered);
}

static void whatever_else_it_does_is_no_answer(void **state)
{
    static const char *const scripts[] = {
        "exit 0",                              /* nothing */
        "exit 1",
        REFUSAL "; exit 1",                    /* a good answer, but it failed */
        REFUSAL "; kill -SEGV $$",
        REFUSAL "; printf x",                  /* more than an answer */
        "printf tigd",                         /* less */
        "echo hello",
        "head -c 16385 /dev/zero",
        "exec cat /dev/zero",                  /* without end */
    };

    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        run(scripts[i], false);
        assert_int_equal(seen.calls, 1);
        assert_false(seen.answered);
        assert_true(seen.took_ms < IGD_CHILD_MS);
    }
}

static void one_that_does_not_end_is_killed_after_six_seconds(void **state)
{
    run(REFUSAL "; exec sleep 60", false);
    assert_int_equal(seen.calls, 1);
    assert_false(seen.answered);
    assert_in_range(seen.took_ms, IGD_CHILD_MS - 50, IGD_CHILD_MS + 1500);
}

static void one_that_is_killed_by_us_says_nothing_more(void **state)
{
    run(REFUSAL "; exec sleep 60", true);
    assert_int_equal(seen.calls, 0);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    const struct igd_job job = {.op = IGD_PROBE, .description = "tund"};
    struct igd_child *child = NULL;

    memset(&seen, 0, sizeof seen);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(igd_child_start(&child, &loop, "/nonexistent/tund-igd", &job, on_done, NULL) < 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(seen.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_handed_over_once),
        cmocka_unit_test(the_job_is_on_its_command_line_and_nothing_else_is),
        cmocka_unit_test(whatever_else_it_does_is_no_answer),
        cmocka_unit_test(one_that_does_not_end_is_killed_after_six_seconds),
        cmocka_unit_test(one_that_is_killed_by_us_says_nothing_more),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
