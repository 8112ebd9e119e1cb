/* The prefix of a NAT64: RFC 6052's table, and what ipv4only.arpa tells. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tund/nat64.h"

static struct tn_addr v6(const char *text)
{
    uint8_t ip[16];

    assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
    return tn_addr_v6(ip, 0);
}

/* RFC 6052 section 2.4, made of 192.0.2.33; and the same of 192.0.0.170. */
static const struct {
    const char *prefix, *made, *told;
    uint8_t len;
} rows[] = {
    {"2001:db8::", "2001:db8:c000:221::", "2001:db8:c000:aa::", 32},
    {"2001:db8:100::", "2001:db8:1c0:2:21::", "2001:db8:1c0:0:aa::", 40},
    {"2001:db8:122::", "2001:db8:122:c000:2:2100::", "2001:db8:122:c000:0:aa00::", 48},
    {"2001:db8:122:300::", "2001:db8:122:3c0:0:221::", "2001:db8:122:3c0:0:aa::", 56},
    {"2001:db8:122:344::", "2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:c0:0:aa00::", 64},
    {"2001:db8:122:344::", "2001:db8:122:344::192.0.2.33", "2001:db8:122:344::192.0.0.170", 96},
};

static void addresses_are_made_as_the_table_of_the_rfc_has_them(void **state)
{
    const uint8_t ip[4] = {192, 0, 2, 33};
    const struct tn_addr v4 = tn_addr_v4(ip, 3478);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nat64 n = {.len = rows[i].len};
        struct tn_addr prefix = v6(rows[i].prefix), want = v6(rows[i].made), got;

        memcpy(n.prefix, prefix.ip, 16);
        got = nat64_make(&n, &v4);
        assert_true(tn_addr_same_ip(&got, &want));
        assert_int_equal(got.port, 3478);
        got = nat64_make(&n, &want); /* is none of IPv4 */
        assert_true(tn_addr_is_zero(&got));
        n.len = 0;
        got = nat64_make(&n, &v4);
        assert_true(tn_addr_is_zero(&got));
    }
}

static void each_length_is_found_in_the_answer(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int second = 0; second < 2; second++) {
            struct tn_addr told = v6(rows[i].told), prefix = v6(rows[i].prefix);
            struct nat64 n = {0};

            for (int k = 15; second && k >= 0; k--) {
                if (told.ip[k] == 0xaa) {
                    told.ip[k] = 0xab; /* 192.0.0.171 */
                    break;
                }
            }
            assert_true(nat64_find(&n, &told, 1));
            assert_int_equal(n.len, rows[i].len);
            assert_memory_equal(n.prefix, prefix.ip, 16);
        }
    }
}

static void what_shows_no_prefix_is_passed_over(void **state)
{
    static const char *const no[] = {
        "::", "2001:db8::1", "2001:db8::192.0.0.172", "2001:db8::192.0.1.170", "::ffff:192.0.0.170",
        "2001:db8:c000:aa::1",       /* something behind it */
        "2001:db8:122:3c0:100:aa::", /* the byte that is always zero */
        "2001:db8:1:2:300::192.0.0.170",
    };
    struct nat64 n = {.len = 7};
    struct tn_addr list[2];

    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        list[0] = v6(no[i]);
        assert_false(nat64_find(&n, list, 1));
        assert_int_equal(n.len, 7);
    }
    assert_false(nat64_find(&n, list, 0));
    list[0] = v6("2001:db8::1"); /* the second of two does */
    list[1] = v6("64:ff9b::c000:ab");
    assert_true(nat64_find(&n, list, 2));
    assert_int_equal(n.len, 96);
}

static void a_prefix_has_a_text(void **state)
{
    const struct nat64 n = nat64_well_known();
    char text[NAT64_TEXT_LEN];

    assert_string_equal(nat64_text(&n, text), "64:ff9b::/96");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_made_as_the_table_of_the_rfc_has_them),
        cmocka_unit_test(each_length_is_found_in_the_answer),
        cmocka_unit_test(what_shows_no_prefix_is_passed_over),
        cmocka_unit_test(a_prefix_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
