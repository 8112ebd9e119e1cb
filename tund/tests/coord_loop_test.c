/* What coord_e2e_test cannot show with a process of its own: the clock, and signals before the
 * loop has begun. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tund/coord_loop.h"

#include "coord_child.h"
#include "coord_store_fixture.h"

static time_t pretended; /* 0: the real time */

time_t __real_time(time_t *out);
time_t __wrap_time(time_t *out);
time_t __wrap_time(time_t *out)
{
    time_t t = pretended ? pretended : __real_time(NULL);

    if (out)
        *out = t;
    return t;
}

static struct coord_options options(const char *dir)
{
    return (struct coord_options){
        .state_dir = dir,
        .listen = {tn_addr_v4((const uint8_t[]){127, 0, 0, 1}, 0)},
        .listen_count = 1,
        .max_networks = 1,
        .max_members = 1,
        .max_sessions = 4,
        .relay_rate_bits = 1000000,
        .log_level = LOG_LEVEL_SILENT,
    };
}

static void start_in_1970(void *arg)
{
    struct coord_options o = options(arg);

    pretended = 1000;
    CHECK(coord_run(&o) == COORD_EXIT_CLOCK);
}

static void a_clock_that_was_never_set_is_refused(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_make(&dir);
    assert_true(child_ended_well(child_start(start_in_1970, dir.path)));
    temp_remove(&dir); /* nothing was made in it that is not removed here */
}

/* One that is sent before it is waited for must not be lost, nor kill the process. */
static void start_with_a_signal_waiting(void *arg)
{
    struct coord_options o = options(arg);
    sigset_t set;

    CHECK(freopen("/dev/null", "w", stdout));
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(raise(SIGTERM) == 0);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    /* blocked as a supervisor may leave it: tund-coord must unblock what it waits for */
    CHECK(coord_run(&o) == COORD_EXIT_OK);
}

static void a_signal_that_waits_from_before_the_start_ends_it(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_make(&dir);
    assert_true(child_ended_well(child_start(start_with_a_signal_waiting, dir.path)));
    temp_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_was_never_set_is_refused),
        cmocka_unit_test(a_signal_that_waits_from_before_the_start_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
