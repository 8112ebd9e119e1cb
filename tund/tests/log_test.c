/* Levels by name, and addresses as `wg` writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tund/log.h"

static void every_level_reads_back_by_its_name(void **state)
{
    for (int i = LOG_LEVEL_SILENT; i <= LOG_LEVEL_TRACE; i++) {
        enum log_level l = LOG_LEVEL_SILENT;

        assert_true(log_level_parse(log_level_name((enum log_level)i), &l));
        assert_int_equal(l, i);
    }
}

static void verbose_is_debug_and_an_unknown_level_changes_nothing(void **state)
{
    enum log_level l = LOG_LEVEL_WARN;

    assert_false(log_level_parse("loud", &l));
    assert_int_equal(l, LOG_LEVEL_WARN);
    assert_true(log_level_parse("VERBOSE", &l));
    assert_int_equal(l, LOG_LEVEL_DEBUG);
}

static void addresses_read_back_as_written(void **state)
{
    static const char *const texts[] = {"192.0.2.1:51820", "[2001:db8::1]:1", "[::]:65535",
                                        "0.0.0.0:0",
                                        "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"};
    char text[ADDR_TEXT_LEN];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tn_addr a;

        assert_true(addr_parse(texts[i], &a));
        assert_string_equal(addr_text(&a, text), texts[i]);
    }
}

static void malformed_addresses_are_refused(void **state)
{
    static const char *const texts[] = {
        "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:1x", "1.2.3:1",
        "[::1]", "[::1]1", "[::1:1", "::1:1", "[1.2.3.4]:1", "1.2.3.4:000001", "host:1", "[fe80::1%1]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tn_addr a;

        if (addr_parse(texts[i], &a))
            fail_msg("\"%s\" was taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_reads_back_by_its_name),
        cmocka_unit_test(verbose_is_debug_and_an_unknown_level_changes_nothing),
        cmocka_unit_test(addresses_read_back_as_written),
        cmocka_unit_test(malformed_addresses_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
