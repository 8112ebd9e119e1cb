/* The AT driver against the modem, with all that modems do wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "at_line.h"

static struct line l;
static const struct at_address peer = {{203, 0, 113, 5}, 51820};
static const char hello[] = "quote \" CRLF \r\n OK\r\n @ ERROR\r\n+UUPSDD: 0\r\n";

static int up(void **state)
{
    (void)state;
    line_init(&l);
    return line_until_up(&l, 10) < 0;
}

static void the_modem_is_brought_up_within_a_second(void **state)
{
    (void)state;
    assert_in_range(l.now_us, 0, 2000000);
    assert_int_equal(l.open_sockets, 1);
    assert_false(l.modem.echo);
    assert_string_equal(l.at.imsi, "214070123456789");
    assert_true(at_take_up(&l.at));
    assert_false(at_take_up(&l.at));
}

static void a_datagram_goes_out_byte_by_byte_as_it_is(void **state)
{
    (void)state;
    assert_true(at_send(&l.at, &peer, hello, sizeof hello));
    assert_false(at_send(&l.at, &peer, hello, sizeof hello));
    line_run_ms(&l, 60);
    assert_int_equal(l.sent, 1);
    assert_int_equal(l.last_len, sizeof hello);
    assert_memory_equal(l.last, hello, sizeof hello);
    assert_true(at_can_send(&l.at));
    assert_int_equal(l.at.count.resyncs, 0);
}

static void lengths_that_the_modem_does_not_take_are_refused(void **state)
{
    static uint8_t big[AT_DATAGRAM_MAX + 1];

    (void)state;
    assert_false(at_send(&l.at, &peer, big, 0));
    assert_false(at_send(&l.at, &peer, big, sizeof big));
    assert_true(at_send(&l.at, &peer, big, AT_DATAGRAM_MAX));
    line_run_ms(&l, 250);
    assert_int_equal(l.last_len, AT_DATAGRAM_MAX);
}

static void a_datagram_comes_in_whatever_bytes_it_has(void **state)
{
    (void)state;
    line_arrives(&l, hello, sizeof hello);
    assert_in_range(line_until_received(&l, hello, sizeof hello, 1), 1, 40);
    line_arrives(&l, "1", 1);
    line_arrives(&l, "22", 2);
    line_arrives(&l, "333", 3);
    assert_in_range(line_until_received(&l, "1", 1, 1), 1, 40);
    assert_in_range(line_until_received(&l, "22", 2, 1), 1, 40);
    assert_in_range(line_until_received(&l, "333", 3, 1), 1, 40);
    assert_int_equal(l.at.count.resyncs, 0);
}

static void an_announcement_lost_at_the_prompt_costs_nothing(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "urc-lost=on"));
    assert_true(at_send(&l.at, &peer, hello, sizeof hello));
    while (!l.modem.wanted)
        line_step(&l);
    line_arrives(&l, hello, sizeof hello);
    assert_in_range(line_until_received(&l, hello, sizeof hello, 1), 1, 100);
    assert_int_equal(l.modem.count.lost_urcs, 1);
}

static void an_announcement_lost_in_silence_costs_five_seconds(void **state)
{
    (void)state;
    line_arrives(&l, hello, sizeof hello);
    l.modem.out_len = 0; /* it never gets there */
    assert_in_range(line_until_received(&l, hello, sizeof hello, 6), 1, 5100);
}

static void answers_of_other_models_are_understood(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "extra-crlf=on"));
    assert_true(modem_control(&l.modem, "double-crlf=on"));
    line_arrives(&l, hello, sizeof hello);
    assert_in_range(line_until_received(&l, hello, sizeof hello, 1), 1, 60);
    assert_true(at_send(&l.at, &peer, hello, sizeof hello));
    line_run_ms(&l, 100);
    assert_int_equal(l.sent, 1);
    assert_int_equal(l.at.count.resyncs, 0);
}

static void after_a_late_ok_answers_are_not_one_behind(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "late=1,11000"));
    assert_true(at_send(&l.at, &peer, hello, sizeof hello));
    line_run_ms(&l, 12000);
    assert_int_equal(l.at.count.resyncs, 1);
    assert_int_equal(l.sent, 1); /* not twice */
    assert_int_equal(l.at.state, AT_UP);
    line_arrives(&l, hello, sizeof hello);
    assert_in_range(line_until_received(&l, hello, sizeof hello, 1), 1, 60);
    assert_int_equal(l.at.count.restarts, 0);
}

static void a_garbled_answer_costs_one_command(void **state)
{
    uint64_t before;

    (void)state;
    line_until_up(&l, 1);
    assert_true(modem_control(&l.modem, "garbled=1"));
    before = l.modem.count.commands;
    line_arrives(&l, hello, sizeof hello);
    assert_in_range(line_until_received(&l, hello, sizeof hello, 2), 1, 100);
    assert_int_equal(l.at.count.resyncs, 1);
    assert_int_equal(l.at.count.restarts, 0);
    /* the read that was garbled, AT+CMEE?, and what it would have taken anyway */
    assert_in_range(l.modem.count.commands - before, 3, 4);
}

static void bytes_that_the_line_lost_do_not_eat_what_follows(void **state)
{
    (void)state;
    line_arrives(&l, hello, sizeof hello);
    while (!l.at.raw_left)
        line_step(&l);
    l.modem.out_len -= l.modem.out_len < 5 ? l.modem.out_len : 5; /* its end is lost */
    line_run_ms(&l, 2500);
    assert_int_equal(l.at.state, AT_UP);
    line_arrives(&l, "next", 4);
    assert_in_range(line_until_received(&l, "next", 4, 1), 1, 100);
}

static void full_buffers_lose_that_datagram_and_no_more(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "full=1"));
    assert_true(at_send(&l.at, &peer, "one", 3));
    line_run_ms(&l, 100);
    assert_int_equal(l.at.count.refused, 1);
    assert_int_equal(l.at.state, AT_UP);
    assert_true(at_send(&l.at, &peer, "two", 3));
    line_run_ms(&l, 60);
    assert_int_equal(l.sent, 1);
    assert_int_equal(l.at.count.restarts, 0);
}

static void a_dead_socket_is_opened_again(void **state)
{
    (void)state;
    l.send_error = EBADF;
    assert_true(at_take_up(&l.at));
    assert_true(at_send(&l.at, &peer, "one", 3));
    line_run_ms(&l, 60);
    assert_int_equal(l.at.state, AT_DOWN);
    l.send_error = 0;
    assert_in_range(line_until_up(&l, 10), 1, 1000);
    assert_true(at_take_up(&l.at));
    assert_int_equal(l.open_sockets, 1);
}

static void a_dropped_context_is_back_within_a_second(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "pdp-drop"));
    line_step(&l);
    line_run_ms(&l, 20);
    assert_int_not_equal(l.at.state, AT_UP);
    assert_in_range(line_until_up(&l, 10), 1, 1000);
    assert_true(l.modem.activated);
}

static void a_context_dropped_at_the_prompt_as_well(void **state)
{
    (void)state;
    assert_true(at_send(&l.at, &peer, hello, sizeof hello));
    while (!l.modem.wanted)
        line_step(&l);
    assert_true(modem_control(&l.modem, "pdp-drop"));
    assert_in_range(line_until_up(&l, 10), 1, 2500);
    assert_true(l.modem.activated);
}

static void a_modem_that_was_reset_is_brought_up_again(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "reboot"));
    line_run_ms(&l, 5100); /* nobody says so: the next poll finds out */
    assert_in_range(line_until_up(&l, 10), 0, 5000);
    assert_int_equal(l.open_sockets, 1);
    assert_false(l.modem.echo);
}

static void without_a_network_it_waits_and_is_up_soon_after(void **state)
{
    (void)state;
    assert_true(modem_control(&l.modem, "network=off"));
    assert_true(modem_control(&l.modem, "pdp-drop"));
    line_run_ms(&l, 40000);
    assert_int_not_equal(l.at.state, AT_UP);
    assert_true(modem_control(&l.modem, "network=on"));
    assert_in_range(line_until_up(&l, 40), 1, 3000);
}

static void a_mute_modem_is_asked_less_and_less(void **state)
{
    uint64_t first, later;

    (void)state;
    assert_true(modem_control(&l.modem, "mute=on"));
    line_run_ms(&l, 60000);
    first = l.chip_bytes;
    line_run_ms(&l, 600000);
    l.chip_bytes -= first;
    later = l.chip_bytes;
    assert_in_range(later / 10, 1, 200); /* bytes a minute, on the serial line alone */
    assert_true(modem_control(&l.modem, "mute=off"));
    assert_in_range(line_until_up(&l, 100), 1, 90000);
}

static void pauses_of_two_devices_differ(void **state)
{
    static struct at two[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t bytes[64];

        at_init(&two[i], "", i + 8, 0);
        for (uint64_t t = 0; two[i].count.restarts == 0; t += 1000) { /* nobody answers */
            at_tick(&two[i], t);
            at_take(&two[i], bytes, sizeof bytes, t);
        }
    }
    assert_int_not_equal(two[0].retry_us, two[1].retry_us);
}

static void names_are_looked_up_and_literals_are_not(void **state)
{
    uint8_t ip[4];
    uint32_t commands;

    (void)state;
    at_resolve(&l.at, "coordinator.example");
    assert_int_equal(at_resolved(&l.at, ip), 0);
    line_run_ms(&l, 100);
    assert_int_equal(at_resolved(&l.at, ip), 1);
    assert_memory_equal(ip, ((const uint8_t[]){192, 0, 2, 9}), 4);
    assert_int_equal(at_resolved(&l.at, ip), 0);
    at_resolve(&l.at, "nobody.example");
    line_run_ms(&l, 100);
    assert_int_equal(at_resolved(&l.at, ip), -1);
    commands = l.modem.count.commands;
    at_resolve(&l.at, "55.1.0.10");
    assert_int_equal(at_resolved(&l.at, ip), 1);
    assert_memory_equal(ip, ((const uint8_t[]){55, 1, 0, 10}), 4);
    at_resolve(&l.at, "a\"\rAT+CFUN=16\r");
    assert_int_equal(at_resolved(&l.at, ip), -1);
    line_run_ms(&l, 100);
    assert_int_equal(l.modem.count.commands, commands);
}

static void sockets_left_open_by_a_reset_chip_are_closed(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        at_init(&l.at, "", 7, l.now_us);
        assert_true(line_until_up(&l, 10) >= 0);
    }
    assert_int_equal(l.open_sockets, 1);
}

/* Does a datagram, sent again each second, get through? What the noise made of itself is passed over. */
static bool hears_within(unsigned seconds)
{
    for (uint64_t end_us = l.now_us + seconds * 1000000ull; l.now_us < end_us;) {
        struct at_address from;
        const uint8_t *data;
        size_t len;

        if (l.now_us % 1000000 < LINE_STEP_US)
            line_arrives(&l, "still here", 10);
        line_step(&l);
        len = at_received(&l.at, &from, &data);
        if (len == 10 && memcmp(data, "still here", 10) == 0) {
            at_release(&l.at);
            return true;
        }
        at_release(&l.at);
    }
    return false;
}

/* Whatever comes, a sane modem afterwards is enough to be up again. */
static void noise_never_stops_it_for_good(void **state)
{
    static const char *const scraps[] = {"\r\nOK\r\n", "+USORF: 0,\"1.2.3.4\",5,1024,\"", "@", "\r\n@",
        "+UUSORF: 0,9", "\r\n", "\"", "+USORF: 0,", "ERROR\r\n", "+CME ERROR: ", "+UUPSDD: 0\r\n",
        "+USOCR: 9\r\n", "+UUSOCL: 0\r\n", "\xff", "+USORF: 0,\"256.1.1.1\",5,9,\""};
    uint32_t r = 12345;

    (void)state;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 20; i++) {
            const char *s;

            r = r * 1664525u + 1013904223u;
            s = scraps[(r >> 16) % (sizeof scraps / sizeof scraps[0])];
            for (; *s; s++)
                at_on_byte(&l.at, (uint8_t)*s, l.now_us);
            if (r >> 31)
                at_send(&l.at, &peer, hello, sizeof hello);
            line_run_ms(&l, (r >> 8) % 30);
        }
        if (line_until_up(&l, 200) < 0)
            fail_msg("stuck after round %d in state %d", round, l.at.state);
        assert_true(hears_within(60));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_modem_is_brought_up_within_a_second, up),
        cmocka_unit_test_setup(a_datagram_goes_out_byte_by_byte_as_it_is, up),
        cmocka_unit_test_setup(lengths_that_the_modem_does_not_take_are_refused, up),
        cmocka_unit_test_setup(a_datagram_comes_in_whatever_bytes_it_has, up),
        cmocka_unit_test_setup(an_announcement_lost_at_the_prompt_costs_nothing, up),
        cmocka_unit_test_setup(an_announcement_lost_in_silence_costs_five_seconds, up),
        cmocka_unit_test_setup(answers_of_other_models_are_understood, up),
        cmocka_unit_test_setup(after_a_late_ok_answers_are_not_one_behind, up),
        cmocka_unit_test_setup(a_garbled_answer_costs_one_command, up),
        cmocka_unit_test_setup(bytes_that_the_line_lost_do_not_eat_what_follows, up),
        cmocka_unit_test_setup(full_buffers_lose_that_datagram_and_no_more, up),
        cmocka_unit_test_setup(a_dead_socket_is_opened_again, up),
        cmocka_unit_test_setup(a_dropped_context_is_back_within_a_second, up),
        cmocka_unit_test_setup(a_context_dropped_at_the_prompt_as_well, up),
        cmocka_unit_test_setup(a_modem_that_was_reset_is_brought_up_again, up),
        cmocka_unit_test_setup(without_a_network_it_waits_and_is_up_soon_after, up),
        cmocka_unit_test_setup(a_mute_modem_is_asked_less_and_less, up),
        cmocka_unit_test_setup(pauses_of_two_devices_differ, up),
        cmocka_unit_test_setup(names_are_looked_up_and_literals_are_not, up),
        cmocka_unit_test_setup(sockets_left_open_by_a_reset_chip_are_closed, up),
        cmocka_unit_test_setup(noise_never_stops_it_for_good, up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
