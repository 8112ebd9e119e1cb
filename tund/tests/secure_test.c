/* Secrets stay where they belong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tund/secure.h"

/* The VmFlags of the mapping that holds p (proc(5), smaps). */
static void flags_of(const void *p, char *out, size_t cap)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    int inside = 0;

    assert_non_null(f);
    out[0] = 0;
    while (fgets(line, sizeof line, f)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (unsigned long)p >= from && (unsigned long)p < to;
        else if (inside && !strncmp(line, "VmFlags:", 8))
            snprintf(out, cap, "%s", line);
    }
    fclose(f);
}

static void memory_is_zero_and_left_out_of_dumps_and_children(void **state)
{
    const size_t len = 100000;
    int locked = -1, status;
    uint8_t *p = secure_alloc(len, &locked);
    char flags[512];
    pid_t child;

    assert_non_null(p);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p[i], 0);
    flags_of(p, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd")); /* do not dump */
    assert_non_null(strstr(flags, " wf")); /* wipe on fork */
    if (locked)
        assert_non_null(strstr(flags, " lo"));
    p[5] = 42;
    child = fork();
    if (!child)
        _exit(p[5]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(p[5], 42);
    secure_free(p, len);
    secure_free(NULL, 0);
}

static void random_numbers_differ(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};

    assert_int_equal(secure_random(a, sizeof a), 0);
    assert_int_equal(secure_random(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

static void a_process_leaves_no_core_and_is_closed_to_others(void **state)
{
    struct rlimit core;

    assert_int_equal(secure_process(), 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_and_left_out_of_dumps_and_children),
        cmocka_unit_test(random_numbers_differ),
        cmocka_unit_test(a_process_leaves_no_core_and_is_closed_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
