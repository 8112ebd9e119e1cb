#include "cmocka.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static jmp_buf failed;

void print_message(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

void chip_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("# %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    longjmp(failed, 1);
}

void chip_check_int(uintmax_t a, uintmax_t b, int equal, const char *what, const char *file,
                    int line)
{
    if ((a == b) != equal)
        chip_fail(file, line, "%s: %#llx and %#llx", what, (unsigned long long)a,
                  (unsigned long long)b);
}

void chip_check_range(uintmax_t v, uintmax_t low, uintmax_t high, const char *what,
                      const char *file, int line)
{
    if (v < low || v > high)
        chip_fail(file, line, "%s is %llu, not within %llu to %llu", what, (unsigned long long)v,
                  (unsigned long long)low, (unsigned long long)high);
}

void chip_check_memory(const void *a, const void *b, size_t len, int equal, const char *what,
                       const char *file, int line)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    if ((memcmp(a, b, len) == 0) == equal)
        return;
    for (size_t i = 0; equal && i < len; i++)
        if (x[i] != y[i])
            chip_fail(file, line, "%s: byte %u of %u is %02x, not %02x", what, (unsigned)i,
                      (unsigned)len, x[i], y[i]);
    chip_fail(file, line, "%s", what);
}

void chip_check_string(const char *a, const char *b, int equal, const char *what, const char *file,
                       int line)
{
    if ((strcmp(a, b) == 0) != equal)
        chip_fail(file, line, "%s: \"%s\" and \"%s\"", what, a, b);
}

/* One step of a test; 0 when it went through. */
static int attempt(int (*fixture)(void **), void (*test)(void **), void **state)
{
    if (setjmp(failed))
        return 1;
    if (test)
        test(state);
    return fixture ? fixture(state) : 0;
}

static int run_one(const struct CMUnitTest *t, void *state)
{
    int bad = t->setup ? attempt(t->setup, NULL, &state) : 0;

    if (!bad)
        bad = attempt(NULL, t->test, &state);
    if (t->teardown && attempt(t->teardown, NULL, &state))
        bad = 1;
    return bad != 0;
}

int chip_run_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                   int (*setup)(void **state), int (*teardown)(void **state))
{
    void *state = NULL;
    int bad = 0;

    printf("1..%u\n", (unsigned)count);
    if (setup && attempt(setup, NULL, &state)) {
        printf("Bail out! %s: the group's setup fails\n", name);
        return (int)count;
    }
    for (size_t i = 0; i < count; i++) {
        int one = run_one(&tests[i], state);

        printf("%sok %u - %s\n", one ? "not " : "", (unsigned)i + 1, tests[i].name);
        bad += one;
    }
    if (teardown && attempt(teardown, NULL, &state)) {
        printf("Bail out! %s: the group's teardown fails\n", name);
        bad++;
    }
    return bad;
}
