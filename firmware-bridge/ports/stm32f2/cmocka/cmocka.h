/* The part of cmocka's interface that this tree's unit tests use, for a chip
 * that cmocka does not run on. Reports in TAP. A failed assertion leaves the
 * test by longjmp, its teardown runs, and the next test begins.
 *
 * The names are cmocka's own, so that a test program is one source for both. */
#ifndef CHIP_CMOCKA_H
#define CHIP_CMOCKA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);    /* NULL: none; nonzero fails the test */
    int (*teardown)(void **state); /* NULL: none; nonzero fails the test */
};

#define cmocka_unit_test(f) {#f, f, NULL, NULL}
#define cmocka_unit_test_setup(f, s) {#f, f, s, NULL}
#define cmocka_unit_test_teardown(f, t) {#f, f, NULL, t}
#define cmocka_unit_test_setup_teardown(f, s, t) {#f, f, s, t}

#define cmocka_run_group_tests(tests, setup, teardown) \
    cmocka_run_group_tests_name(#tests, tests, setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    chip_run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

/* How many tests failed: main's exit status. */
int chip_run_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                   int (*setup)(void **state), int (*teardown)(void **state));

/* Fails the running test with a line that tells where and why. */
void chip_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void chip_check_int(uintmax_t a, uintmax_t b, int equal, const char *what, const char *file,
                    int line);
void chip_check_range(uintmax_t v, uintmax_t low, uintmax_t high, const char *what,
                      const char *file, int line);
void chip_check_memory(const void *a, const void *b, size_t len, int equal, const char *what,
                       const char *file, int line);
void chip_check_string(const char *a, const char *b, int equal, const char *what, const char *file,
                       int line);

void print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHIP_AT __FILE__, __LINE__
#define fail_msg(...) chip_fail(CHIP_AT, __VA_ARGS__)
#define fail() chip_fail(CHIP_AT, "fail()")
#define assert_true(c) ((c) ? (void)0 : chip_fail(CHIP_AT, "%s", #c))
#define assert_false(c) ((c) ? chip_fail(CHIP_AT, "not: %s", #c) : (void)0)
#define assert_null(p) assert_true((p) == NULL)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
/* cmocka compares as its widest integer, so a -1 of any width equals -1 */
#define assert_int_equal(a, b) \
    chip_check_int((uintmax_t)(a), (uintmax_t)(b), 1, #a " == " #b, CHIP_AT)
#define assert_int_not_equal(a, b) \
    chip_check_int((uintmax_t)(a), (uintmax_t)(b), 0, #a " != " #b, CHIP_AT)
#define assert_in_range(v, low, high) chip_check_range(v, low, high, #v, CHIP_AT)
#define assert_memory_equal(a, b, len) chip_check_memory(a, b, len, 1, #a " == " #b, CHIP_AT)
#define assert_memory_not_equal(a, b, len) chip_check_memory(a, b, len, 0, #a " != " #b, CHIP_AT)
#define assert_string_equal(a, b) chip_check_string(a, b, 1, #a " == " #b, CHIP_AT)
#define assert_string_not_equal(a, b) chip_check_string(a, b, 0, #a " != " #b, CHIP_AT)
#define assert_return_code(rc, error) assert_true((rc) >= 0)

#define test_malloc malloc
#define test_free free

#endif
