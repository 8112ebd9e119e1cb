/* The modem by itself: each answer as the AT manual prints it, and each thing that it can do wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../modem.h"

static struct modem m;
static char said[4096];
static uint64_t now_us;
static struct modem_datagram out;
static int opened, next_error;

static int net_open(void *ctx, int handle, uint16_t port)
{
    opened++;
    return next_error;
}

static int net_send(void *ctx, int handle, const uint8_t ip[4], uint16_t port, const void *data, size_t len)
{
    if (next_error)
        return next_error;
    memcpy(out.ip, ip, 4);
    out.port = port;
    out.len = (uint16_t)len;
    memcpy(out.data, data, len);
    return 0;
}

static void net_close(void *ctx, int handle)
{
    opened--;
}

static int net_resolve(void *ctx, const char *name, uint8_t ip[4])
{
    memcpy(ip, (const uint8_t[]){9, 8, 7, 6}, 4);
    return strcmp(name, "a.example") ? EHOSTUNREACH : 0;
}

/* What the modem answers to these bytes, now. */
static const char *ask_bytes(const void *bytes, size_t len)
{
    size_t n;

    modem_on_bytes(&m, bytes, len, now_us);
    n = modem_take(&m, said, sizeof said - 1);
    said[n] = '\0';
    return said;
}

static const char *ask(const char *text)
{
    return ask_bytes(text, strlen(text));
}

static int up(void **state)
{
    struct modem_net net = {net_open, net_send, net_close, net_resolve, NULL};

    opened = next_error = 0;
    now_us = 1000;
    modem_init(&m, &net);
    ask("ATE0\r");
    ask("AT+CMEE=2\r");
    ask("AT+UPSDA=0,3\r");
    return strcmp(ask("AT+USOCR=17\r"), "\r\n+USOCR: 0\r\n\r\nOK\r\n") != 0;
}

static void arrives(const char *text)
{
    modem_on_datagram(&m, 0, (const uint8_t[]){1, 2, 3, 4}, 500, text, strlen(text), now_us);
}

static void it_echoes_until_it_is_told_not_to(void **state)
{
    modem_reboot(&m);
    assert_string_equal(ask("AT\r"), "AT\r\r\nOK\r\n");
    assert_string_equal(ask("ATE0\r"), "ATE0\r\r\nOK\r\n");
    assert_string_equal(ask("AT\r\n"), "\r\nOK\r\n");
    assert_string_equal(ask("\r\r\r"), "");
}

static void errors_come_in_the_form_that_was_chosen(void **state)
{
    assert_string_equal(ask("AT+NONSENSE\r"), "\r\n+CME ERROR: operation not supported\r\n");
    ask("AT+CMEE=1\r");
    assert_string_equal(ask("AT+NONSENSE\r"), "\r\n+CME ERROR: 4\r\n");
    assert_string_equal(ask("AT+CMEE?\r"), "\r\n+CMEE: 1\r\n\r\nOK\r\n");
    ask("AT+CMEE=0\r");
    assert_string_equal(ask("AT+NONSENSE\r"), "\r\nERROR\r\n");
    assert_string_equal(ask("AT+CMEE=3\r"), "\r\nERROR\r\n");
    assert_string_equal(ask("nonsense\r"), "\r\nERROR\r\n");
}

static void the_bring_up_of_device_os_goes_through(void **state)
{
    static const char *const commands[] = {"AT", "AT+CMER=1,0,0,2,1", "AT+IPR=115200", "AT+CPIN?", "AT+CGSN",
        "AT+CIMI", "AT+CCID", "AT+COPS=3,2", "AT+UPSV=1", "AT+CREG=2", "AT+CGREG=2", "AT+CREG?", "AT+CGREG?",
        "AT+COPS?", "AT+CGDCONT=1,\"IP\",\"apn\"", "AT+CGATT=1", "AT+UPSD=0,1,\"apn\"", "AT+UPSD=0,7,\"0.0.0.0\"",
        "AT+UPSDA=0,3", "AT+UPSND=0,0", "AT+UPSND=0,8", "AT+CSQ", "AT+UGCNTRD", "AT+USOCTL=0,0"};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[64];

        snprintf(line, sizeof line, "%s\r", commands[i]);
        ask(line);
        if (strlen(said) < 6 || strcmp(said + strlen(said) - 6, "\r\nOK\r\n") != 0)
            fail_msg("%s answers %s", commands[i], said);
    }
}

static void there_are_seven_sockets_and_no_tcp(void **state)
{
    for (int h = 1; h < 7; h++) {
        char want[32];

        snprintf(want, sizeof want, "\r\n+USOCR: %d\r\n\r\nOK\r\n", h);
        assert_string_equal(ask("AT+USOCR=17,7000\r"), want);
    }
    assert_string_equal(ask("AT+USOCR=17\r"), "\r\n+CME ERROR: operation not allowed\r\n");
    assert_string_equal(ask("AT+USOER\r"), "\r\n+USOER: 24\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCL=3\r"), "\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCL=3\r"), "\r\n+CME ERROR: operation not allowed\r\n");
    assert_string_equal(ask("AT+USOER\r"), "\r\n+USOER: 9\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCR=17\r"), "\r\n+USOCR: 3\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCR=6\r"), "\r\n+CME ERROR: operation not supported\r\n");
    assert_int_equal(opened, 7);
}

static void a_datagram_is_asked_for_with_an_at_sign_and_sent_as_it_is(void **state)
{
    assert_string_equal(ask("AT+USOST=0,\"192.0.2.1\",9,5\r"), "\r\n@");
    assert_string_equal(ask_bytes("A\r\nT", 4), "");
    assert_string_equal(ask_bytes("\0AT\r", 4), "\r\n+USOST: 0,5\r\n\r\nOK\r\n\r\nOK\r\n");
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "A\r\nT\0", 5);
    assert_int_equal(out.port, 9);
    assert_memory_equal(out.ip, ((const uint8_t[]){192, 0, 2, 1}), 4);
}

static void wrong_datagrams_are_refused(void **state)
{
    static const char *const wrong[] = {"0,\"192.0.2.1\",9,0", "0,\"192.0.2.1\",9,1025", "1,\"192.0.2.1\",9,5",
        "0,\"192.0.2\",9,5", "0,\"192.0.2.256\",9,5", "0,\"192.0.2.1\",65536,5", "0,192.0.2.1,9,5", "7", ""};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64];

        snprintf(line, sizeof line, "AT+USOST=%s\r", wrong[i]);
        if (strncmp(ask(line), "\r\n+CME ERROR: ", 14) != 0)
            fail_msg("%s answers %s", line, said);
    }
}

static void one_announcement_until_it_is_read_and_one_more_for_the_rest(void **state)
{
    arrives("one");
    arrives("three");
    assert_string_equal(ask(""), "\r\n+UUSORF: 0,3\r\n");
    assert_string_equal(ask("AT+USORF=0,0\r"), "\r\n+USORF: 0,8\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USORF=0,1024\r"),
                        "\r\n+USORF: 0,\"1.2.3.4\",500,3,\"one\"\r\n\r\nOK\r\n\r\n+UUSORF: 0,5\r\n");
    assert_string_equal(ask("AT+USORF=0,2\r"), "\r\n+USORF: 0,\"1.2.3.4\",500,2,\"th\"\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USORF=0,1024\r"), "\r\n+USORF: 0,0\r\n\r\nOK\r\n");
}

static void what_is_too_long_or_too_much_is_lost(void **state)
{
    static char big[1025];

    memset(big, 'x', sizeof big);
    modem_on_datagram(&m, 0, (const uint8_t[]){1, 2, 3, 4}, 5, big, sizeof big, now_us);
    assert_int_equal(m.count.overflows, 1);
    for (int i = 0; i < MODEM_QUEUE + 3; i++)
        arrives("x");
    assert_int_equal(m.count.overflows, 4);
    assert_non_null(strstr(ask("AT+USORF=0,0\r"), "+USORF: 0,8\r"));
}

static void announcements_at_the_prompt_wait_or_are_lost(void **state)
{
    ask("AT+USOST=0,\"192.0.2.1\",9,1\r");
    arrives("one");
    assert_string_equal(ask("x"), "\r\n+USOST: 0,1\r\n\r\nOK\r\n\r\n+UUSORF: 0,3\r\n");
    ask("AT+USORF=0,1024\r");
    assert_true(modem_control(&m, "urc-lost=on"));
    ask("AT+USOST=0,\"192.0.2.1\",9,1\r");
    arrives("one");
    assert_string_equal(ask("x"), "\r\n+USOST: 0,1\r\n\r\nOK\r\n");
    arrives("two"); /* its buffer was not empty */
    assert_string_equal(ask(""), "");
    assert_int_equal(m.count.lost_urcs, 1);
}

static void a_late_result_holds_back_what_follows(void **state)
{
    assert_true(modem_control(&m, "late=1,500"));
    assert_string_equal(ask("AT+CSQ\rAT+CMEE?\r"), "\r\n+CSQ: 17,0\r\n");
    assert_int_equal(modem_next_deadline(&m), now_us + 500000);
    now_us += 499999;
    modem_tick(&m, now_us);
    assert_string_equal(ask(""), "");
    now_us += 1;
    assert_string_equal(ask(""), "\r\nOK\r\n\r\n+CMEE: 2\r\n\r\nOK\r\n");
}

static void a_dropped_context_takes_the_sockets_with_it(void **state)
{
    assert_true(modem_control(&m, "pdp-drop"));
    assert_string_equal(ask(""), "\r\n+UUPSDD: 0\r\n");
    assert_int_equal(opened, 0);
    assert_string_equal(ask("AT+UPSND=0,8\r"), "\r\n+UPSND: 0,8,0\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCR=17\r"), "\r\n+CME ERROR: operation not allowed\r\n");
    ask("AT+UPSDA=0,3\r");
    assert_non_null(strstr(ask("AT+USOCR=17\r"), "OK"));
}

static void a_reboot_forgets_all_but_the_counters(void **state)
{
    ask("AT+USOST=0,\"192.0.2.1\",9,9\r");
    assert_true(modem_control(&m, "reboot"));
    assert_string_equal(ask("AT\r"), "AT\r\r\nOK\r\n");
    assert_string_equal(ask("AT+USOER\r"), "AT+USOER\r\r\n+USOER: 0\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USOCL=0\r"), "AT+USOCL=0\r\r\nERROR\r\n");
    assert_int_equal(m.count.reboots, 1);
    ask("AT+CFUN=16\rAT+CSQ\r"); /* by command: what waits behind it is gone */
    assert_int_equal(m.count.reboots, 2);
    assert_string_equal(ask("AT\r"), "AT\r\r\nOK\r\n");
}

static void without_a_network_nothing_is_activated(void **state)
{
    modem_control(&m, "pdp-drop");
    ask("");
    assert_true(modem_control(&m, "network=off"));
    assert_string_equal(ask("AT+CGREG?\r"), "\r\n+CGREG: 0,2\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+UPSDA=0,3\r"), "\r\n+CME ERROR: no network service\r\n");
}

static void full_buffers_say_so_once(void **state)
{
    assert_true(modem_control(&m, "full=1"));
    ask("AT+USOST=0,\"192.0.2.1\",9,1\r");
    assert_string_equal(ask("x"), "\r\n+CME ERROR: operation not allowed\r\n");
    assert_string_equal(ask("AT+USOER\r"), "\r\n+USOER: 11\r\n\r\nOK\r\n");
    ask("AT+USOST=0,\"192.0.2.1\",9,1\r");
    assert_non_null(strstr(ask("x"), "OK"));
}

static void other_models_add_line_ends(void **state)
{
    assert_true(modem_control(&m, "extra-crlf=on"));
    arrives("one");
    ask("");
    assert_string_equal(ask("AT+USORF=0,1024\r"),
                        "\r\n+USORF: 0,\"1.2.3.4\",500,3,\"one\"\r\n\r\n\r\nOK\r\n");
    assert_true(modem_control(&m, "double-crlf=on"));
    assert_string_equal(ask("AT\r"), "\r\r\n\r\r\nOK\r\r\n\r\r\n");
}

static void a_mute_modem_says_nothing(void **state)
{
    assert_true(modem_control(&m, "mute=on"));
    assert_string_equal(ask("AT\r"), "");
    assert_true(modem_control(&m, "mute=off"));
    assert_string_equal(ask("AT\r"), "\r\nOK\r\n");
}

static void an_answer_can_be_garbled(void **state)
{
    assert_true(modem_control(&m, "garbled=1"));
    assert_string_equal(ask("AT+USORF=0,0\r"), "\r\n+USORF: 0,\"10.0.\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+USORF=0,0\r"), "\r\n+USORF: 0,0\r\n\r\nOK\r\n");
}

static void words_that_it_does_not_know_change_nothing(void **state)
{
    static const char *const wrong[] = {"", "late", "late=", "late=1", "late=1,2,3", "late=x,y", "full=", "full=-1",
        "full=1x", "mute", "mute=yes", "pdp-drop=1", "network=", "unknown=on"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (modem_control(&m, wrong[i]))
            fail_msg("takes \"%s\"", wrong[i]);
    assert_int_equal(m.faults.late, 0);
    assert_int_equal(m.faults.full, 0);
}

static void names_are_looked_up(void **state)
{
    assert_string_equal(ask("AT+UDNSRN=0,\"a.example\"\r"), "\r\n+UDNSRN: \"9.8.7.6\"\r\n\r\nOK\r\n");
    assert_string_equal(ask("AT+UDNSRN=0,\"b.example\"\r"), "\r\n+CME ERROR: operation not allowed\r\n");
    assert_string_equal(ask("AT+UDNSRN=0,\"\"\r"), "\r\n+CME ERROR: Incorrect parameters\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_echoes_until_it_is_told_not_to, up),
        cmocka_unit_test_setup(errors_come_in_the_form_that_was_chosen, up),
        cmocka_unit_test_setup(the_bring_up_of_device_os_goes_through, up),
        cmocka_unit_test_setup(there_are_seven_sockets_and_no_tcp, up),
        cmocka_unit_test_setup(a_datagram_is_asked_for_with_an_at_sign_and_sent_as_it_is, up),
        cmocka_unit_test_setup(wrong_datagrams_are_refused, up),
        cmocka_unit_test_setup(one_announcement_until_it_is_read_and_one_more_for_the_rest, up),
        cmocka_unit_test_setup(what_is_too_long_or_too_much_is_lost, up),
        cmocka_unit_test_setup(announcements_at_the_prompt_wait_or_are_lost, up),
        cmocka_unit_test_setup(a_late_result_holds_back_what_follows, up),
        cmocka_unit_test_setup(a_dropped_context_takes_the_sockets_with_it, up),
        cmocka_unit_test_setup(a_reboot_forgets_all_but_the_counters, up),
        cmocka_unit_test_setup(without_a_network_nothing_is_activated, up),
        cmocka_unit_test_setup(full_buffers_say_so_once, up),
        cmocka_unit_test_setup(other_models_add_line_ends, up),
        cmocka_unit_test_setup(a_mute_modem_says_nothing, up),
        cmocka_unit_test_setup(an_answer_can_be_garbled, up),
        cmocka_unit_test_setup(words_that_it_does_not_know_change_nothing, up),
        cmocka_unit_test_setup(names_are_looked_up, up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
