/* Numbers and addresses as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>

#include "../app/text.h"

static char out[64];

static const char *ip_text(const char *from)
{
    struct text t = {.out = out, .cap = sizeof out - 1};
    struct tn_addr a;
    uint8_t ip[16];

    if (inet_pton(AF_INET, from, ip) == 1) {
        a = tn_addr_v4(ip, 0);
    } else {
        assert_int_equal(inet_pton(AF_INET6, from, ip), 1);
        a = tn_addr_v6(ip, 0);
    }
    text_put_ip(&t, &a);
    out[t.len] = 0;
    return out;
}

static void addresses_are_written_as_rfc_5952_wants_them(void **state)
{
    assert_string_equal(ip_text("10.77.0.200"), "10.77.0.200");
    assert_string_equal(ip_text("2001:0db8:0000:0000:0000:0000:0002:0001"), "2001:db8::2:1");
    assert_string_equal(ip_text("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1"); /* 4.2.2 */
    assert_string_equal(ip_text("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");         /* 4.2.3 */
    assert_string_equal(ip_text("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
    assert_string_equal(ip_text("::1"), "::1");
    assert_string_equal(ip_text("::"), "::");
    assert_string_equal(ip_text("fd12:3456:789a::"), "fd12:3456:789a::");
}

static void numbers_are_written_whole(void **state)
{
    struct text t = {.out = out, .cap = sizeof out - 1};

    text_put_number(&t, 0);
    text_put(&t, " ");
    text_put_number(&t, UINT64_MAX);
    out[t.len] = 0;
    assert_string_equal(out, "0 18446744073709551615");
}

static void what_does_not_fit_is_cut_off(void **state)
{
    for (size_t cap = 0; cap < 10; cap++) {
        struct text t = {.out = out, .cap = cap};

        memset(out, 'x', sizeof out);
        text_put(&t, "0123456789");
        text_put_number(&t, 12345);
        assert_int_equal(t.len, cap);
        assert_memory_equal(out, "0123456789", cap);
        assert_int_equal(out[cap], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_rfc_5952_wants_them),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(what_does_not_fit_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
