/* tundctl's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tund/tundctl_args.h"

#define LINE(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

static int verb(char **argv, unsigned takes, const char *word, struct args *a, struct why *w)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return args_parse_verb(argc, argv, takes, word, a, w);
}

static void options_stand_before_or_behind_the_verb(void **state)
{
    struct why why;
    struct args a;
    bool version;
    int at;

    assert_int_equal(args_parse_global(4, LINE("tundctl", "--state", "/a", "status"), &a, &version,
                                       &at, &why), 0);
    assert_int_equal(at, 3);
    assert_string_equal(a.state_dir, "/a");
    assert_false(version);
    assert_int_equal(verb(LINE("status", "--json", "--state", "/b"), ARG_JSON, NULL, &a, &why), 0);
    assert_string_equal(a.state_dir, "/b");
    assert_true(a.given & ARG_JSON);
    assert_int_equal(args_parse_global(2, LINE("tundctl", "peers"), &a, &version, &at, &why), 0);
    assert_string_equal(a.state_dir, "/var/lib/tund");
    assert_int_equal(args_parse_global(2, LINE("tundctl", "--version"), &a, &version, &at, &why), 0);
    assert_true(version);
}

static void a_ping_takes_its_numbers(void **state)
{
    unsigned takes = ARG_COUNT | ARG_SIZE | ARG_INTERVAL | ARG_UNTIL_DIRECT;
    struct args a = {0};
    struct why why;

    assert_int_equal(verb(LINE("ping", "-c", "7", "nas", "-s", "1400", "-i", "0.25", "--until-direct"),
                          takes, "PEER", &a, &why), 0);
    assert_int_equal(a.count, 7);
    assert_int_equal(a.size, 1400);
    assert_int_equal(a.interval_ms, 250);
    assert_string_equal(a.word, "nas");
    assert_true(a.given & ARG_UNTIL_DIRECT);
    assert_int_equal(verb(LINE("ping", "--", "--nas"), takes, "PEER", &a, &why), 0);
    assert_string_equal(a.word, "--nas");
}

static void what_a_verb_does_not_take_is_refused(void **state)
{
    struct args a = {0};
    struct why why;

    assert_int_equal(verb(LINE("status", "--frob"), ARG_JSON, NULL, &a, &why), -EINVAL);
    assert_non_null(strstr(why.text, "unknown option --frob (see tundctl status --help)"));
    assert_int_equal(verb(LINE("status", "--force"), ARG_JSON, NULL, &a, &why), -EINVAL);
    assert_int_equal(verb(LINE("status", "-x"), ARG_JSON, NULL, &a, &why), -EINVAL);
    assert_int_equal(verb(LINE("status", "--state"), ARG_JSON, NULL, &a, &why), -EINVAL);
    assert_non_null(strstr(why.text, "needs a value"));
    assert_int_equal(verb(LINE("status", "--state", ""), ARG_JSON, NULL, &a, &why), -EINVAL);
    a = (struct args){0};
    assert_int_equal(verb(LINE("status", "word"), ARG_JSON, NULL, &a, &why), -EINVAL);
    a = (struct args){0};
    assert_int_equal(verb(LINE("ping"), 0, "PEER", &a, &why), -EINVAL);
    assert_non_null(strstr(why.text, "PEER is missing"));
    assert_int_equal(verb(LINE("ping", "a", "b"), 0, "PEER", &a, &why), -EINVAL);
    assert_non_null(strstr(why.text, "\"b\" is too much"));
}

static void a_verb_may_take_two_words_or_none(void **state)
{
    unsigned takes = ARG_SECOND | ARG_EXTERNAL | ARG_BY;
    struct args a = {0};
    struct why why;

    assert_int_equal(verb(LINE("portmap"), takes, "[...]", &a, &why), 0);
    assert_null(a.word);
    assert_int_equal(verb(LINE("portmap", "add", "--external", "80", "8080/tcp", "--by", "pcp"), takes,
                          "[...]", &a, &why), 0);
    assert_string_equal(a.word, "add");
    assert_string_equal(a.second, "8080/tcp");
    assert_int_equal(a.external, 80);
    assert_string_equal(a.by, "pcp");
    assert_int_equal(verb(LINE("portmap", "add", "1", "2"), takes, "[...]", &a, &why), -EINVAL);
    assert_non_null(strstr(why.text, "\"2\" is too much"));
    a = (struct args){0};
    assert_int_equal(verb(LINE("create", "--portmap", "off"), ARG_PORTMAP, NULL, &a, &why), 0);
    assert_false(a.portmap);
}

static void help_asks_for_nothing_else(void **state)
{
    struct args a = {0};
    struct why why;

    assert_int_equal(verb(LINE("create", "--help"), ARG_NAME, "NAME", &a, &why), 0);
    assert_true(a.given & ARG_HELP);
    a = (struct args){0};
    assert_int_equal(verb(LINE("create", "-h"), ARG_NAME, "NAME", &a, &why), 0);
    assert_true(a.given & ARG_HELP);
}

static void numbers_out_of_range_are_refused(void **state)
{
    static const struct {
        const char *option, *value;
    } bad[] = {
        {"--port", "0"}, {"--port", "65536"}, {"--port", "-1"}, {"--port", "1e3"}, {"--port", ""},
        {"--port", "99999999999999999999"}, {"-c", "0"}, {"-c", "1000001"}, {"-c", "x"},
        {"-s", "31"}, {"-s", "70000"}, {"-i", "0"}, {"-i", "0.009"}, {"-i", "1.2345"}, {"-i", "-1"},
        {"-i", "."}, {"-i", "3601"}, {"-i", "1s"}, {"--expires", "0d"}, {"--expires", "59s"},
        {"--expires", "367d"}, {"--expires", "7w"}, {"--expires", "7dd"}, {"--expires", "d"},
        {"--portmap", "yes"}, {"--portmap", ""}, {"--external", "0"}, {"--external", "65536"},
        {"--by", "magic"}, {"--by", ""}, {"--budget", "0"}, {"--budget", "1M"}, {"--budget", "1000000000"}, {"--expires", "99999999999d"}, {"--expires", "-7d"},
    };
    struct why why;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct args a = {0};

        if (verb(LINE("x", bad[i].option, bad[i].value), ~0u, NULL, &a, &why) != -EINVAL)
            fail_msg("%s %s was taken", bad[i].option, bad[i].value);
    }
}

static void times_are_read_in_their_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t s;
    } good[] = {{"60s", 60}, {"90s", 90}, {"1m", 60}, {"15m", 900}, {"12h", 43200},
                {"7d", 604800}, {"7", 604800}, {"366d", 366 * 86400}};
    uint64_t s;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(args_duration(good[i].text, &s), 0);
        assert_int_equal(s, good[i].s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_or_behind_the_verb),
        cmocka_unit_test(a_ping_takes_its_numbers),
        cmocka_unit_test(what_a_verb_does_not_take_is_refused),
        cmocka_unit_test(a_verb_may_take_two_words_or_none),
        cmocka_unit_test(help_asks_for_nothing_else),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(times_are_read_in_their_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
