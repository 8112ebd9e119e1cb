/* The CoAP server of the example application: RFC 7252's format, byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "../app/app.h"

static struct app app;
static uint8_t buffer[1024];
static size_t answer_len;

void bridge_info(const struct bridge *b, struct bridge_info *out, uint64_t now_us)
{
    *out = (struct bridge_info){.name = "electron-1", .network = "home", .uptime_us = now_us};
}

const char *bridge_state_name(enum bridge_state s)
{
    return "online";
}

int bridge_udp_bind(struct bridge *b, uint16_t port, bridge_udp_handler *handler, void *ctx)
{
    return 0;
}

static uint64_t clock_us(void *ctx)
{
    return 3000000;
}

static int begin(void **state)
{
    return app_start(&app, NULL, clock_us, NULL);
}

/* Bytes as the RFC's figures have them. */
static size_t ask(const void *request, size_t len)
{
    memcpy(buffer, request, len);
    memset(buffer + len, 0xee, sizeof buffer - len);
    answer_len = app_coap(&app, buffer, len, sizeof buffer - 20);
    return answer_len;
}
#define ASK(text) ask(text, sizeof(text) - 1)

static void a_confirmable_get_is_answered_in_its_acknowledgement(void **state)
{
    /* CON, token length 2, GET, id 7d34, token "ab", Uri-Path "status" */
    assert_true(ASK("\x42\x01\x7d\x34" "ab" "\xb6status") > 9);
    assert_memory_equal(buffer, "\x62\x45\x7d\x34" "ab" "\xc1\x00\xff", 9);
    assert_memory_equal(buffer + 9, "name electron-1\n", 16);
    assert_non_null(memmem(buffer, answer_len, "uptime_s 3\n", 11));
}

static void a_non_confirmable_get_gets_a_message_of_its_own(void **state)
{
    assert_true(ASK("\x51\x01\x7d\x34\x20\xb6status") > 9);
    assert_int_equal(buffer[0], 0x51);
    assert_int_equal(buffer[1], 0x45);
    assert_int_equal(buffer[4], 0x20);
}

static void the_resources_are_listed(void **state)
{
    static const char list[] = "</status>;rt=\"tund.status\";ct=0";

    ASK("\x40\x01\x00\x01\xbb.well-known\x04" "core");
    assert_int_equal(answer_len, 7 + sizeof list - 1);
    assert_memory_equal(buffer, "\x60\x45\x00\x01\xc1\x28\xff", 7);
    assert_memory_equal(buffer + 7, list, sizeof list - 1);
}

static void what_cannot_be_served_says_why(void **state)
{
    static const struct {
        const char *request;
        size_t len;
        uint8_t code;
    } row[] = {
        {"\x40\x01\x00\x01\xb5other", 10, 0x84},                    /* 4.04 */
        {"\x40\x01\x00\x01", 4, 0x84},                              /* no path */
        {"\x40\x01\x00\x01\xb6status\x04more", 16, 0x84},
        {"\x40\x01\x00\x01\xb6" "status\x00", 12, 0x84},            /* status/ is not status */
        {"\x40\x02\x00\x01\xb6status", 11, 0x85},                   /* POST: 4.05 */
        {"\x40\x01\x00\x01\xb6status\x61\x28", 13, 0x86},           /* Accept 40: 4.06 */
        {"\x40\x01\x00\x01\xb6status\xc1\x06", 13, 0x82},           /* option 23, critical: 4.02 */
        {"\x40\x01\x00\x01\x11\x00\xa6status", 13, 0x82},           /* option 1, If-Match, critical */
        {"\x40\x01\x00\x01\xb6status\x63\x01\x01\x01", 15, 0x82},   /* Accept is too long */
    };

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        assert_int_equal(ask(row[i].request, row[i].len), 4);
        assert_int_equal(buffer[0], 0x60);
        assert_int_equal(buffer[1], row[i].code);
        assert_memory_equal(buffer + 2, "\x00\x01", 2);
    }
}

static void elective_and_known_options_are_passed_over(void **state)
{
    /* Uri-Host x, ETag (4), Uri-Port, Uri-Path, Uri-Query, Accept 0, Size1 (60, elective) */
    ASK("\x40\x01\x00\x01\x31x\x11\x05\x32\x16\x33\x46status\x41q\x20\xd0\x1e");
    assert_int_equal(buffer[1], 0x45);
}

static void pings_are_reset_and_answers_are_never_answered(void **state)
{
    assert_int_equal(ASK("\x40\x00\x12\x34"), 4);
    assert_memory_equal(buffer, "\x70\x00\x12\x34", 4);
    assert_int_equal(ASK("\x50\x00\x12\x34"), 0);
    assert_int_equal(ASK("\x60\x45\x12\x34"), 0);
    assert_int_equal(ASK("\x70\x00\x12\x34"), 0);
    assert_int_equal(ASK("\x40\x45\x12\x34"), 4); /* an answer that asks to be confirmed */
    assert_memory_equal(buffer, "\x70\x00\x12\x34", 4);
}

static void bad_formats_are_reset(void **state)
{
    assert_int_equal(ASK("\x49\x01\x12\x34" "012345678"), 4); /* token of 9 */
    assert_int_equal(buffer[0], 0x70);
    assert_int_equal(ASK("\x40\x01\x12\x34\xb6status\xff"), 4); /* a marker, and no payload */
    assert_int_equal(buffer[0], 0x70);
    assert_int_equal(ASK("\x40\x01\x12\x34\xf0"), 4); /* delta 15 */
    assert_int_equal(ASK("\x40\x01\x12\x34\x0f"), 4); /* length 15 */
    assert_int_equal(ASK("\x40\x01\x12\x34\xe0\xff\xff\xe0\x01\x00"), 4); /* a number beyond 65535 */
    assert_int_equal(ASK("\x80\x01\x12\x34"), 0); /* another version */
    assert_int_equal(ASK("\x40\x01\x12"), 0);
}

static void cut_at_every_length_it_stays_within_its_buffer(void **state)
{
    static const char whole[] = "\x48\x01\x7d\x34" "abcdefgh" "\x31x\xd0\x00\x86status\x61\x00\xff" "payload";

    for (size_t len = 0; len < sizeof whole; len++) {
        for (size_t room = 0; room < 40; room++) {
            size_t n;

            memcpy(buffer, whole, len);
            n = app_coap(&app, buffer, len, room);
            assert_true(n <= room);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
            memcpy(buffer, whole, len);
            buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(app_coap(&app, buffer, len, 900) <= 900);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_confirmable_get_is_answered_in_its_acknowledgement, begin),
        cmocka_unit_test_setup(a_non_confirmable_get_gets_a_message_of_its_own, begin),
        cmocka_unit_test_setup(the_resources_are_listed, begin),
        cmocka_unit_test_setup(what_cannot_be_served_says_why, begin),
        cmocka_unit_test_setup(elective_and_known_options_are_passed_over, begin),
        cmocka_unit_test_setup(pings_are_reset_and_answers_are_never_answered, begin),
        cmocka_unit_test_setup(bad_formats_are_reset, begin),
        cmocka_unit_test_setup(cut_at_every_length_it_stays_within_its_buffer, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
