/* What users say of a proxy, what it is asked, and what it may answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tund/proxy.h"

static void addresses_of_proxies(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"http://proxy.example.org:8080", "proxy.example.org", 8080},
        {"http://proxy.example.org:8080/", "proxy.example.org", 8080},
        {"HTTP://proxy.example.org", "proxy.example.org", 3128},
        {"192.0.2.1:3129", "192.0.2.1", 3129},
        {"http://[2001:db8::1]:80", "2001:db8::1", 80},
    };
    static const char *const bad[] = {
        "",           "http://",          "https://proxy:1", "socks5://proxy:1", "http://u:p@proxy:1",
        "proxy:0",    "proxy:65536",      "proxy:x",         "pro xy:1",         "http://proxy:1/x",
        "[::1",       "http://[::1]x",
    };
    struct why w;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct proxy p = {.set = false};

        assert_int_equal(proxy_parse(good[i].text, &p, &w), 0);
        assert_true(p.set);
        assert_string_equal(p.host, good[i].host);
        assert_int_equal(p.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct proxy p = {.set = false};

        assert_int_equal(proxy_parse(bad[i], &p, &w), -EINVAL);
        assert_false(p.set);
        assert_true(strlen(w.text) > 10);
    }
    assert_int_equal(proxy_parse("http://me:secret@proxy:1", &(struct proxy){.set = false}, &w), -EINVAL);
    assert_null(strstr(w.text, "secret"));
}

static void a_request_is_a_connect_with_the_password_where_there_is_one(void **state)
{
    struct proxy p = {.set = true};
    char out[PROXY_REQUEST_SIZE];
    size_t len = proxy_request(&p, "coord.example.org", 443, out);

    assert_int_equal(len, strlen(out));
    assert_string_equal(out, "CONNECT coord.example.org:443 HTTP/1.1\r\n"
                             "Host: coord.example.org:443\r\n\r\n");
    strcpy(p.auth, "Aladdin:open sesame"); /* RFC 7617 section 2 */
    assert_true(proxy_request(&p, "2001:db8::1", 8443, out) > 0);
    assert_string_equal(out, "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n"
                             "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

static void answers_are_read_when_their_headers_are_whole(void **state)
{
    static const char whole[] = "HTTP/1.1 200 Connection established\r\nProxy-agent: x\r\n\r\n";

    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        assert_int_equal(proxy_answer((const uint8_t *)whole, n), 0);
    assert_int_equal(proxy_answer((const uint8_t *)whole, sizeof(whole) - 1), 200);
    assert_int_equal(proxy_answer((const uint8_t *)"HTTP/1.0 407 No\r\n\r\n<html>", 25), 407);
}

static void every_flipped_bit_of_the_status_line_changes_or_ends_it(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\n\r\n";
    uint8_t copy[sizeof(whole)];

    for (size_t bit = 0; bit < 8 * 12; bit++) {
        memcpy(copy, whole, sizeof(whole));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit / 8 == 7) /* the minor version is any digit */
            assert_true(proxy_answer(copy, sizeof(whole) - 1) == 200 ||
                        proxy_answer(copy, sizeof(whole) - 1) == -EPROTO);
        else
            assert_int_not_equal(proxy_answer(copy, sizeof(whole) - 1), 200);
    }
}

static void what_is_no_answer_of_a_proxy_is_refused(void **state)
{
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",   "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nmore",
    };
    static uint8_t endless[PROXY_ANSWER_MAX];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(proxy_answer((const uint8_t *)bad[i], strlen(bad[i])), -EPROTO);
    memset(endless, 'a', sizeof(endless));
    memcpy(endless, "HTTP/1.1 200 ", 13);
    assert_int_equal(proxy_answer(endless, sizeof(endless) - 1), 0);
    assert_int_equal(proxy_answer(endless, sizeof(endless)), -EPROTO);
}

static void write_file(const char *path, mode_t mode, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_password_comes_from_a_file_that_only_its_owner_reads(void **state)
{
    char path[] = "/tmp/tund-proxy.XXXXXX", full[PROXY_AUTH_MAX + 2];
    struct proxy p = {.set = true};
    struct why w;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    write_file(path, 0600, "keeper:open sesame\r\nmore\n");
    assert_int_equal(proxy_load_auth(path, &p, &w), 0);
    assert_string_equal(p.auth, "keeper:open sesame");
    write_file(path, 0640, "keeper:open sesame\n");
    assert_int_equal(proxy_load_auth(path, &p, &w), -EPERM);
    assert_string_equal(p.auth, "");
    write_file(path, 0600, "keeper\n");
    assert_int_equal(proxy_load_auth(path, &p, &w), -EINVAL);
    memset(full, 'x', sizeof(full));
    full[1] = ':';
    full[sizeof(full) - 1] = '\0';
    write_file(path, 0600, full);
    assert_int_equal(proxy_load_auth(path, &p, &w), -EINVAL);
    assert_string_equal(p.auth, "");
    unlink(path);
    assert_int_equal(proxy_load_auth(path, &p, &w), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_proxies),
        cmocka_unit_test(a_request_is_a_connect_with_the_password_where_there_is_one),
        cmocka_unit_test(answers_are_read_when_their_headers_are_whole),
        cmocka_unit_test(every_flipped_bit_of_the_status_line_changes_or_ends_it),
        cmocka_unit_test(what_is_no_answer_of_a_proxy_is_refused),
        cmocka_unit_test(a_password_comes_from_a_file_that_only_its_owner_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
