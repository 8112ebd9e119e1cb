/* member/url: the coordinator's address for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/member/url.h"

#define KEY "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU"

static int decode(const char *text, struct tn_url *u)
{
    return tn_url_decode(u, text, strlen(text));
}

static void an_address_comes_back_as_it_was_written(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } cases[] = {
        {"coordinator.example.net", 7717, "tund://coordinator.example.net:7717/" KEY},
        {"192.0.2.7", 1, "tund://192.0.2.7:1/" KEY},
        {"2001:db8::7", 65535, "tund://[2001:db8::7]:65535/" KEY},
        {"::1", 7717, "tund://[::1]:7717/" KEY},
        {"::ffff:192.0.2.7", 10, "tund://[::ffff:192.0.2.7]:10/" KEY},
        {"Nas", 443, "tund://Nas:443/" KEY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct tn_url u = {.port = cases[i].port};
        struct tn_url back;
        char text[TN_URL_SIZE];
        size_t len;

        memset(u.public_key, 5, 32);
        memcpy(u.host, cases[i].host, strlen(cases[i].host));
        assert_int_equal(tn_url_encode(&u, text, sizeof(text), &len), 0);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(len, strlen(text));
        assert_int_equal(tn_url_decode(&back, text, len), 0);
        assert_string_equal(back.host, u.host);
        assert_int_equal(back.port, u.port);
        assert_memory_equal(back.public_key, u.public_key, 32);
    }
}

static void every_mistake_in_an_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "tund://",
        "tund:///" KEY,
        "tund://host/" KEY,
        "tund://host:/" KEY,
        "tund://host:0/" KEY,
        "tund://host:01/" KEY,
        "tund://host:65536/" KEY,
        "tund://host:65537/" KEY,
        "tund://host:99999/" KEY,
        "tund://host:777777/" KEY,
        "tund://host:7a/" KEY,
        "tund://host:-7/" KEY,
        "tund://:7717/" KEY,
        "tund://host:7717",
        "tund://host:7717/",
        "tund://host:7717/" KEY "A",
        "tund://host:7717/" KEY "=",
        "tund://host:7717/" KEY "/",
        "tund://host:7717/BQUF",
        "tund://host:7717/BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQV",
        "tund://host:7717/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "tund://2001:db8::7:7717/" KEY,
        "tund://[2001:db8::7]7717/" KEY,
        "tund://[2001:db8::7:7717/" KEY,
        "tund://[fe80::1%eth0]:7717/" KEY,
        "tund://[host]:7717/" KEY,
        "tund://[]:7717/" KEY,
        "tund://[:]:7717/" KEY,
        "tund://user@host:7717/" KEY,
        "tund://ho st:7717/" KEY,
        "tund://-host:7717/" KEY,
        "tund://host-:7717/" KEY,
        "tund://host.:7717/" KEY,
        "tund://.host:7717/" KEY,
        "tund://a..b:7717/" KEY,
        "tund://host:7717/" KEY " ",
    };
    struct tn_url u = {.port = 1234};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (decode(bad[i], &u) != TN_EINVAL)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(u.port, 1234);
}

static void what_is_no_address_at_all_is_named_as_such(void **state)
{
    struct tn_url u;

    (void)state;
    assert_int_equal(decode("", &u), TN_ENOENT);
    assert_int_equal(decode("tund:/", &u), TN_ENOENT);
    assert_int_equal(decode("https://host:7717/" KEY, &u), TN_ENOENT);
    assert_int_equal(decode("host:7717", &u), TN_ENOENT);
    assert_int_equal(decode(" tund://host:7717/" KEY, &u), TN_ENOENT);
}

static void an_address_cut_anywhere_is_refused(void **state)
{
    static const char text[] = "tund://[2001:db8::7]:7717/" KEY;
    struct tn_url u;

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++)
        assert_int_not_equal(tn_url_decode(&u, text, n), 0);
    assert_int_equal(tn_url_decode(&u, text, sizeof(text) - 1), 0);
}

static void a_host_has_its_longest_length_and_no_more(void **state)
{
    struct tn_url u = {.port = 65535};
    struct tn_url back;
    char host[TN_HOST_SIZE + 1];
    char text[TN_URL_SIZE];
    size_t len;

    (void)state;
    memset(host, 'a', sizeof(host));
    assert_false(tn_host_is_valid(host, 64));
    host[63] = host[127] = host[191] = '.';
    assert_true(tn_host_is_valid(host, 253));
    assert_false(tn_host_is_valid(host, 254));
    assert_false(tn_host_is_valid(host, 0));
    assert_true(tn_host_is_valid("1111:2222:3333:4444:5555:6666:123.123.123.123", 45));
    assert_false(tn_host_is_valid("1111:2222:3333:4444:5555:6666:123.123.123.1234", 46));
    memcpy(u.host, host, 253);
    memset(u.public_key, 255, 32);
    assert_int_equal(tn_url_encode(&u, text, sizeof(text), &len), 0);
    assert_int_equal(len, TN_URL_SIZE - 1 - 2); /* brackets are for addresses, which are shorter */
    assert_int_equal(tn_url_decode(&back, text, len), 0);
    memset(u.host, 'a', sizeof(u.host)); /* no NUL */
    assert_int_equal(tn_url_check(&u), TN_EINVAL);
}

static void an_impossible_address_is_not_written(void **state)
{
    struct tn_url u = {.port = 7717, .host = "host", .public_key = {5}};
    struct tn_url bad;
    char text[TN_URL_SIZE] = "unused";
    size_t need = strlen("tund://host:7717/" KEY);

    (void)state;
    bad = u;
    bad.port = 0;
    assert_int_equal(tn_url_encode(&bad, text, sizeof(text), NULL), TN_EINVAL);
    bad = u;
    bad.host[0] = '\0';
    assert_int_equal(tn_url_encode(&bad, text, sizeof(text), NULL), TN_EINVAL);
    bad = u;
    bad.public_key[0] = 0;
    assert_int_equal(tn_url_encode(&bad, text, sizeof(text), NULL), TN_EINVAL);
    for (size_t cap = 0; cap <= need; cap++)
        assert_int_equal(tn_url_encode(&u, text, cap, NULL), TN_ENOSPC);
    assert_string_equal(text, "unused");
    assert_int_equal(tn_url_encode(&u, text, need + 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_comes_back_as_it_was_written),
        cmocka_unit_test(every_mistake_in_an_address_is_refused),
        cmocka_unit_test(what_is_no_address_at_all_is_named_as_such),
        cmocka_unit_test(an_address_cut_anywhere_is_refused),
        cmocka_unit_test(a_host_has_its_longest_length_and_no_more),
        cmocka_unit_test(an_impossible_address_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
