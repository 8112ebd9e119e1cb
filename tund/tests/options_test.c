/* The command line and the environment of tund. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/options.h"

static struct tund_options opt;
static char why[160];

/* Words in one string, parted by blanks, after the program's name. */
static enum options_result parse(const char *line)
{
    static char text[256];
    char *argv[20] = {(char[]){"tund"}};
    int argc = 1;

    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word && argc < 19; word = strtok(NULL, " "))
        argv[argc++] = word;
    why[0] = 0;
    return options_parse(argc, argv, &opt, why, sizeof why);
}

static int clean_environment(void **state)
{
    unsetenv("LOG_LEVEL");
    unsetenv("WG_PROCESS_FOREGROUND");
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    return 0;
}

static void a_name_alone_is_a_plain_interface_in_the_background(void **state)
{
    assert_int_equal(parse("wg0"), OPTIONS_RUN);
    assert_string_equal(opt.ifname, "wg0");
    assert_null(opt.state_dir);
    assert_false(opt.foreground);
    assert_int_equal(opt.port, 0);
    assert_int_equal(opt.peers, 256);
    assert_int_equal(opt.tls_port, 443);
    assert_true(opt.lan);
    assert_int_equal(parse("wg0 --no-lan"), OPTIONS_RUN);
    assert_false(opt.lan);
    assert_int_equal(parse("wg0"), OPTIONS_RUN);
    assert_null(opt.proxy);
    assert_int_equal(opt.log_level, LOG_LEVEL_INFO);
}

static void links_are_metered_as_they_are_named(void **state)
{
    assert_int_equal(parse("tund0"), OPTIONS_RUN);
    assert_int_equal(opt.search_budget, 20000);
    assert_null(opt.metered);
    assert_false(opt.budget_given);
    assert_int_equal(parse("--metered tund0"), OPTIONS_RUN);
    assert_string_equal(opt.metered, "");
    assert_int_equal(parse("--metered=usb0,wlan0 tund0"), OPTIONS_RUN);
    assert_string_equal(opt.metered, "usb0,wlan0");
    assert_int_equal(parse("--metered=usb0, tund0"), OPTIONS_BAD);
    assert_int_equal(parse("--metered= tund0"), OPTIONS_BAD);
    assert_int_equal(parse("--search-budget 70000 --metered tund0"), OPTIONS_RUN);
    assert_int_equal(opt.search_budget, 70000);
    assert_true(opt.budget_given);
    assert_int_equal(parse("--search-budget 1000001 tund0"), OPTIONS_BAD);
    assert_int_equal(parse("--search-budget some tund0"), OPTIONS_BAD);
}

static void the_rate_of_a_relay_is_in_bits_and_not_too_low(void **state)
{
    assert_int_equal(parse("tund0"), OPTIONS_RUN);
    assert_true(opt.relay_rate_bits == 0);
    assert_int_equal(parse("--relay-rate 50M tund0"), OPTIONS_RUN);
    assert_true(opt.relay_rate_bits == 50000000);
    assert_int_equal(parse("--relay-rate 999k tund0"), OPTIONS_BAD);
    assert_int_equal(parse("--relay-rate fast tund0"), OPTIONS_BAD);
}

static void options_may_stand_before_and_after_the_name(void **state)
{
    assert_int_equal(parse("-f --port 51820 tund0 --state /x --mtu 1280 --peers=9 --log-level trace"),
                     OPTIONS_RUN);
    assert_string_equal(opt.ifname, "tund0");
    assert_string_equal(opt.state_dir, "/x");
    assert_true(opt.foreground && opt.port_given);
    assert_int_equal(opt.port, 51820);
    assert_int_equal(opt.mtu, 1280);
    assert_int_equal(opt.peers, 9);
    assert_int_equal(opt.log_level, LOG_LEVEL_TRACE);
}

static void a_proxy_is_named_or_the_environments_or_none(void **state)
{
    assert_int_equal(parse("t0 --tls-port 0 --proxy http://a:1 --proxy-auth /x"), OPTIONS_RUN);
    assert_int_equal(opt.tls_port, 0);
    assert_string_equal(opt.proxy, "http://a:1");
    assert_string_equal(opt.proxy_auth, "/x");
    assert_false(opt.proxy_is_environments);
    setenv("HTTPS_PROXY", "http://b:1", 1);
    assert_int_equal(parse("t0"), OPTIONS_RUN);
    assert_string_equal(opt.proxy, "http://b:1");
    assert_true(opt.proxy_is_environments);
    setenv("https_proxy", "http://c:1", 1); /* as curl has it */
    assert_int_equal(parse("t0"), OPTIONS_RUN);
    assert_string_equal(opt.proxy, "http://c:1");
    assert_int_equal(parse("t0 --proxy http://a:1"), OPTIONS_RUN);
    assert_string_equal(opt.proxy, "http://a:1");
    assert_false(opt.proxy_is_environments);
    assert_int_equal(parse("t0 --proxy none"), OPTIONS_RUN);
    assert_null(opt.proxy);
    assert_int_equal(parse("t0 --tls-port 65536"), OPTIONS_BAD);
}

static void the_environment_counts_as_wireguard_go_has_it(void **state)
{
    setenv("LOG_LEVEL", "verbose", 1);
    setenv("WG_PROCESS_FOREGROUND", "1", 1);
    assert_int_equal(parse("wg0"), OPTIONS_RUN);
    assert_int_equal(opt.log_level, LOG_LEVEL_DEBUG);
    assert_true(opt.foreground);
    assert_int_equal(parse("wg0 --log-level error"), OPTIONS_RUN);
    assert_int_equal(opt.log_level, LOG_LEVEL_ERROR);
    setenv("LOG_LEVEL", "nonsense", 1);
    setenv("WG_PROCESS_FOREGROUND", "0", 1);
    assert_int_equal(parse("wg0"), OPTIONS_RUN);
    assert_int_equal(opt.log_level, LOG_LEVEL_INFO);
    assert_false(opt.foreground);
}

static void wrong_usage_is_refused_with_a_sentence(void **state)
{
    static const char *const lines[] = {
        "", "wg0 wg1", "--port", "--port 65536 wg0", "--port -1 wg0", "--port 1x wg0", "--mtu 575 wg0",
        "--mtu 99999 wg0", "--peers 0 wg0", "--peers 65537 wg0", "--log-level loud wg0", "--nope wg0",
        "--portmap on wg0", "--portmap maybe --state d wg0", "--portmap", "-x wg0", "sixteen-letters-", "a/b", "a:b", "wg%d", ".", "..", "--state= wg0", "\xc3\xa4"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (parse(lines[i]) != OPTIONS_BAD || !why[0])
            fail_msg("\"%s\" was taken", lines[i]);
    }
}

static void port_mapping_is_the_states_choice_unless_given(void **state)
{
    assert_int_equal(parse("--state d wg0"), OPTIONS_RUN);
    assert_false(opt.portmap_given);
    assert_int_equal(parse("--state d --portmap off wg0"), OPTIONS_RUN);
    assert_true(opt.portmap_given && !opt.portmap);
    assert_int_equal(parse("--portmap on wg0 --state d"), OPTIONS_RUN);
    assert_true(opt.portmap_given && opt.portmap);
}

static void after_two_dashes_comes_the_name(void **state)
{
    assert_int_equal(parse("-- -f"), OPTIONS_RUN);
    assert_string_equal(opt.ifname, "-f");
    assert_false(opt.foreground);
}

static void help_and_version_need_no_name(void **state)
{
    assert_int_equal(parse("--help"), OPTIONS_HELP);
    assert_int_equal(parse("-h"), OPTIONS_HELP);
    assert_int_equal(parse("--version"), OPTIONS_VERSION);
    assert_non_null(strstr(options_help, "Examples:"));
}

static void very_many_arguments_are_refused(void **state)
{
    const int argc = 100000;
    char **argv = calloc((size_t)argc + 1, sizeof *argv);
    char empty[] = "";

    for (int i = 0; i < argc; i++)
        argv[i] = empty;
    assert_int_equal(options_parse(argc, argv, &opt, why, sizeof why), OPTIONS_BAD);
    free(argv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_name_alone_is_a_plain_interface_in_the_background, clean_environment),
        cmocka_unit_test_setup(links_are_metered_as_they_are_named, clean_environment),
        cmocka_unit_test_setup(the_rate_of_a_relay_is_in_bits_and_not_too_low, clean_environment),
        cmocka_unit_test_setup(options_may_stand_before_and_after_the_name, clean_environment),
        cmocka_unit_test_setup(a_proxy_is_named_or_the_environments_or_none, clean_environment),
        cmocka_unit_test_setup(the_environment_counts_as_wireguard_go_has_it, clean_environment),
        cmocka_unit_test_setup(wrong_usage_is_refused_with_a_sentence, clean_environment),
        cmocka_unit_test_setup(port_mapping_is_the_states_choice_unless_given, clean_environment),
        cmocka_unit_test_setup(after_two_dashes_comes_the_name, clean_environment),
        cmocka_unit_test_setup(help_and_version_need_no_name, clean_environment),
        cmocka_unit_test_setup(very_many_arguments_are_refused, clean_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
