#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tund/coord_options.h"

static enum coord_parse parse(enum coord_command c, const char *line, struct coord_options *o,
                              struct why *w)
{
    static char text[512];
    char *argv[40], *save = NULL;
    int argc = 0;

    strcpy(text, line);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    w->text[0] = '\0';
    return coord_options_parse(c, argc, argv, o, w);
}

static void a_whole_command_line_is_understood(void **state)
{
    struct coord_options o;
    struct why w;
    char text[ADDR_TEXT_LEN];

    (void)state;
    assert_int_equal(parse(COORD_RUN,
                           "run --state /tmp/x --listen 192.0.2.1 --listen [2001:db8::1]:5000 "
                           "--alt-port 9999 --advertise vps.example.org:4000 --max-networks 3 "
                           "--max-members 7 --max-sessions 100 --relay-rate 20M --log-level debug "
                           "--user nobody --tls-port 8443 --tls-max 9",
                           &o, &w),
                     COORD_PARSE_RUN);
    assert_string_equal(o.state_dir, "/tmp/x");
    assert_int_equal(o.listen_count, 2);
    assert_string_equal(addr_text(&o.listen[0], text), "192.0.2.1:3478");
    assert_string_equal(addr_text(&o.listen[1], text), "[2001:db8::1]:5000");
    assert_int_equal(o.alt_port, 9999);
    assert_int_equal(o.tls_port, 8443);
    assert_true(o.tls_port_given);
    assert_int_equal(o.tls_max, 9);
    assert_string_equal(o.advertise_host, "vps.example.org");
    assert_int_equal(o.advertise_port, 4000);
    assert_int_equal(o.max_networks, 3);
    assert_int_equal(o.max_members, 7);
    assert_int_equal(o.max_sessions, 100);
    assert_int_equal(o.relay_rate_bits, 20000000);
    assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(o.user, "nobody");
}

static void what_is_not_said_has_a_default(void **state)
{
    struct coord_options o;
    struct why w;

    (void)state;
    assert_int_equal(parse(COORD_RUN, "run --listen 0.0.0.0", &o, &w), COORD_PARSE_RUN);
    assert_string_equal(o.state_dir, "/var/lib/tund-coord");
    assert_int_equal(o.listen[0].port, 3478);
    assert_int_equal(o.alt_port, 0);
    assert_int_equal(o.tls_port, 443);
    assert_false(o.tls_port_given);
    assert_int_equal(o.tls_max, 512);
    assert_string_equal(o.advertise_host, "");
    assert_int_equal(o.max_networks, 16);
    assert_int_equal(o.max_members, 256);
    assert_int_equal(o.relay_rate_bits, 100000000);
    assert_null(o.user);
    assert_false(o.json);
    assert_int_equal(parse(COORD_STATUS, "status --json", &o, &w), COORD_PARSE_RUN);
    assert_true(o.json);
}

static void a_mistake_is_named_and_nothing_is_taken(void **state)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"run", "--listen is missing"},
        {"run --listen", "needs a value"},
        {"run --listen 1.2.3", "--listen wants"},
        {"run --listen 2001:db8::1", "in brackets"},
        {"run --listen [2001:db8::1", "--listen wants"},
        {"run --listen [2001:db8::1]x", "--listen wants"},
        {"run --listen [fe80::1]", "link-local"},
        {"run --listen [::ffff:1.2.3.4]", "--listen wants"},
        {"run --listen [1.2.3.4]", "--listen wants"},
        {"run --listen example.org", "--listen wants"},
        {"run --listen 1.2.3.4:65536", "--listen wants"},
        {"run --listen 1.2.3.4:", "--listen wants"},
        {"run --listen 1.2.3.4:-1", "--listen wants"},
        {"run --listen 1.2.3.4:65535", "above 65535"},
        {"run --listen 1.2.3.4 --alt-port 3478", "another port"},
        {"run --listen 1.2.3.4 --alt-port 0", "--alt-port wants"},
        {"run --listen 1.2.3.4 --tls-port 65536", "--tls-port wants"},
        {"run --listen 1.2.3.4 --tls-max 0", "--tls-max wants"},
        {"run --listen 1.2.3.4 --advertise [::1", "--advertise wants"},
        {"run --listen 1.2.3.4 --advertise a..b", "--advertise wants"},
        {"run --listen 1.2.3.4 --advertise host:0", "--advertise wants"},
        {"run --listen 1.2.3.4 --max-members 0", "--max-members wants"},
        {"run --listen 1.2.3.4 --max-networks 99999999999999999999", "--max-networks wants"},
        {"run --listen 1.2.3.4 --max-sessions 1048577", "--max-sessions wants"},
        {"run --listen 1.2.3.4 --relay-rate 63k", "--relay-rate wants"},
        {"run --listen 1.2.3.4 --relay-rate 1e6", "--relay-rate wants"},
        {"run --listen 1.2.3.4 --relay-rate M", "--relay-rate wants"},
        {"run --listen 1.2.3.4 --relay-rate 999999G", "--relay-rate wants"},
        {"run --listen 1.2.3.4 --log-level loud", "--log-level wants"},
        {"run --listen 1.2.3.4 --json", "no option of this command"},
        {"run --listen 1.2.3.4 --nonsense", "--nonsense is no option"},
        {"run --listen 1.2.3.4 more", "one argument too many"},
    };
    struct coord_options o = {.max_members = 42};
    struct why w;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(COORD_RUN, bad[i].line, &o, &w), COORD_PARSE_BAD);
        if (!strstr(w.text, bad[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].line, w.text, bad[i].says);
        assert_int_equal(o.max_members, 42);
    }
}

static void options_of_run_are_not_taken_elsewhere(void **state)
{
    struct coord_options o;
    struct why w;

    (void)state;
    assert_int_equal(parse(COORD_URL, "url --listen 1.2.3.4", &o, &w), COORD_PARSE_BAD);
    assert_int_equal(parse(COORD_URL, "url --json", &o, &w), COORD_PARSE_BAD);
    assert_int_equal(parse(COORD_STATUS, "status --user x", &o, &w), COORD_PARSE_BAD);
    assert_int_equal(parse(COORD_URL, "url --state /x", &o, &w), COORD_PARSE_RUN);
    assert_int_equal(parse(COORD_URL, "url --help", &o, &w), COORD_PARSE_HELP);
}

static void more_addresses_than_there_is_room_for_are_refused(void **state)
{
    char line[512] = "run";
    struct coord_options o;
    struct why w;

    (void)state;
    for (int i = 0; i < COORD_LISTEN_MAX; i++)
        strcat(line, " --listen 127.0.0.1");
    assert_int_equal(parse(COORD_RUN, line, &o, &w), COORD_PARSE_RUN);
    strcat(line, " --listen 127.0.0.1");
    assert_int_equal(parse(COORD_RUN, line, &o, &w), COORD_PARSE_BAD);
}

static void rates_are_decimal_with_a_letter(void **state)
{
    uint64_t bits = 7;

    (void)state;
    assert_true(coord_parse_rate("1G", &bits));
    assert_int_equal(bits, 1000000000);
    assert_true(coord_parse_rate("250k", &bits));
    assert_int_equal(bits, 250000);
    assert_true(coord_parse_rate("64000", &bits));
    assert_int_equal(bits, 64000);
    assert_false(coord_parse_rate("", &bits));
    assert_false(coord_parse_rate("1.5M", &bits));
    assert_false(coord_parse_rate("1Mb", &bits));
    assert_false(coord_parse_rate("-1", &bits));
    assert_int_equal(bits, 64000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_command_line_is_understood),
        cmocka_unit_test(what_is_not_said_has_a_default),
        cmocka_unit_test(a_mistake_is_named_and_nothing_is_taken),
        cmocka_unit_test(options_of_run_are_not_taken_elsewhere),
        cmocka_unit_test(more_addresses_than_there_is_room_for_are_refused),
        cmocka_unit_test(rates_are_decimal_with_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
