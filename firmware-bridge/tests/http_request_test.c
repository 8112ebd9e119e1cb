/* The head of an HTTP request, byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../app/http_request.h"

static struct http_request r;

/* -1: the head has not ended. */
static int read_head(const char *text, size_t len)
{
    http_request_init(&r);
    for (size_t i = 0; i < len; i++) {
        if (http_request_feed(&r, (uint8_t)text[i]))
            return i + 1 == len ? r.what : -2;
    }
    return -1;
}
#define HEAD(text) read_head(text, sizeof(text) - 1)

static void pages_are_known_by_method_and_path(void **state)
{
    assert_int_equal(HEAD("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_STATUS);
    assert_int_equal(HEAD("GET / HTTP/1.0\n\n"), HTTP_STATUS);
    assert_int_equal(HEAD("\r\nGET / HTTP/1.1\r\n\r\n"), HTTP_STATUS);
    assert_int_equal(HEAD("GET /bytes/102400 HTTP/1.1\r\n\r\n"), HTTP_BYTES);
    assert_int_equal(r.count, 102400);
    assert_int_equal(HEAD("POST /upload HTTP/1.1\r\ncontent-LENGTH:  77 \r\n\r\n"), HTTP_UPLOAD);
    assert_int_equal(r.length, 77);
    assert_int_equal(HEAD("GET /other HTTP/1.1\r\n\r\n"), HTTP_NONE);
    assert_int_equal(HEAD("GET /bytes/ HTTP/1.1\r\n\r\n"), HTTP_NONE);
    assert_int_equal(HEAD("GET /bytes/12x HTTP/1.1\r\n\r\n"), HTTP_NONE);
    assert_int_equal(HEAD("GET /bytes/100000001 HTTP/1.1\r\n\r\n"), HTTP_NONE);
    assert_int_equal(HEAD("GET /bytes/99999999999999999999999 HTTP/1.1\r\n\r\n"), HTTP_NONE);
    assert_int_equal(HEAD("POST / HTTP/1.1\r\n\r\n"), HTTP_METHOD);
    assert_int_equal(HEAD("GET /upload HTTP/1.1\r\n\r\n"), HTTP_METHOD);
}

static void what_is_no_request_is_called_bad(void **state)
{
    char many[2000];
    size_t len = 0;

    assert_int_equal(HEAD("hello\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("GET /\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("GET / HTTP/2\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("GET / HTTP/1.\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("POST /upload HTTP/1.1\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("POST /upload HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("POST /upload HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), HTTP_BAD);
    assert_int_equal(HEAD("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), HTTP_BAD);
    /* a head without an end */
    len += (size_t)snprintf(many, sizeof many, "GET / HTTP/1.1\r\n");
    while (len + 4 < sizeof many)
        len += (size_t)snprintf(many + len, sizeof many - len, "a: b\n");
    http_request_init(&r);
    for (size_t i = 0; i < len; i++) {
        if (http_request_feed(&r, (uint8_t)many[i])) {
            assert_int_equal(r.what, HTTP_BAD);
            return;
        }
    }
    fail();
}

static void long_lines_are_passed_over_but_not_believed(void **state)
{
    char text[600];
    int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nCookie: %0300d\r\n\r\n", 0);

    assert_int_equal(read_head(text, (size_t)n), HTTP_STATUS);
    n = snprintf(text, sizeof text, "GET /%0300d HTTP/1.1\r\n\r\n", 0);
    assert_int_equal(read_head(text, (size_t)n), HTTP_BAD);
    n = snprintf(text, sizeof text, "POST /upload HTTP/1.1\r\nContent-Length: %0300d\r\n\r\n", 5);
    assert_int_equal(read_head(text, (size_t)n), HTTP_BAD);
}

static void a_head_that_is_cut_has_not_ended(void **state)
{
    static const char whole[] = "POST /upload HTTP/1.1\r\nHost: device\r\nContent-Length: 102400\r\n\r\n";

    for (size_t len = 0; len < sizeof whole - 1; len++)
        assert_int_equal(read_head(whole, len), -1);
    for (size_t bit = 0; bit < (sizeof whole - 1) * 8; bit++) {
        char bent[sizeof whole];

        memcpy(bent, whole, sizeof bent);
        bent[bit / 8] ^= (char)(1 << bit % 8);
        read_head(bent, sizeof bent - 1);
        assert_true(r.what <= HTTP_BAD && r.len <= HTTP_LINE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_known_by_method_and_path),
        cmocka_unit_test(what_is_no_request_is_called_bad),
        cmocka_unit_test(long_lines_are_passed_over_but_not_believed),
        cmocka_unit_test(a_head_that_is_cut_has_not_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
