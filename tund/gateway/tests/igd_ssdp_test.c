/* SSDP answers. The first one is what miniupnpd 2.3.1 sends. */
#include <stdio.h>

#include "hexed.h"
#include "tund/gateway/igd_ssdp.h"

static const char answer[] =
    "HTTP/1.1 200 OK\r\n"
    "CACHE-CONTROL: max-age=120\r\n"
    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n"
    "USN: uuid:00000000-0000-4000-8000-000000000001::urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n"
    "EXT:\r\n"
    "SERVER: Debian UPnP/1.1 MiniUPnPd/2.3.1\r\n"
    "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"
    "OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n"
    "\r\n";

static struct ssdp_found take(const char *text, size_t len)
{
    const struct tn_addr gateway = ip4(192, 168, 1, 1);
    struct ssdp_found found = {0};
    char *exact = malloc(len ? len : 1); /* for the address sanitizer */

    assert_non_null(exact);
    memcpy(exact, text, len);
    ssdp_take(exact, len, &gateway, &found);
    free(exact);
    return found;
}

static void the_location_of_a_real_gateway_is_found(void **state)
{
    struct ssdp_found found = take(answer, sizeof answer - 1);

    assert_int_equal(found.count, 1);
    assert_false(found.foreign);
    assert_string_equal(found.location[0], "http://192.168.1.1:5000/rootDesc.xml");
}

static void an_answer_cut_before_the_end_of_its_location_has_none(void **state)
{
    size_t end = (size_t)(strstr(answer, "rootDesc.xml\r\n") - answer) + 14;

    for (size_t cut = 0; cut < end; cut++)
        assert_int_equal(take(answer, cut).count, 0);
    assert_int_equal(take(answer, end).count, 1);
}

static void headers_are_found_however_they_are_written(void **state)
{
    static const char *const good[] = {
        "HTTP/1.1 200 OK\r\nLocation:http://192.168.1.1:5000/rootDesc.xml\r\n",
        "HTTP/1.1 200 OK\nlocation:\t  http://192.168.1.1:5000/rootDesc.xml \t\n",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_string_equal(take(good[i], strlen(good[i])).location[0],
                            "http://192.168.1.1:5000/rootDesc.xml");
}

static void another_host_is_noted_and_not_taken(void **state)
{
    static const char *const foreign[] = {
        "HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.77:5000/rootDesc.xml\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION: http://127.0.0.1:5000/\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION: http://evil.example/\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1@10.0.0.1/\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION: https://192.168.1.1/\r\n",
        "HTTP/1.1 200 OK\r\nLOCATION:\r\n",
    };
    char huge[1024] = "HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1/";

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct ssdp_found found = take(foreign[i], strlen(foreign[i]));

        assert_int_equal(found.count, 0);
        assert_true(found.foreign);
    }
    memset(huge + strlen(huge), 'x', 600);
    strcat(huge, "\r\n");
    assert_true(take(huge, strlen(huge)).foreign);
}

static void what_is_no_answer_adds_nothing(void **state)
{
    static const char *const other[] = {
        "NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1:5000/\r\n",
        "HTTP/1.1 301 Moved\r\nLOCATION: http://192.168.1.77:5000/\r\n",
        "HTTP/1.1 200 OK\r\nX-LOCATION: http://192.168.1.1:5000/\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        struct ssdp_found found = take(other[i], strlen(other[i]));

        assert_int_equal(found.count, 0);
        assert_false(found.foreign);
    }
}

static void an_ipv6_location_is_taken_at_the_gateways_own_address(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nLOCATION: http://[2a00::1]:5000/rootDesc.xml\r\n";
    static const char name[] = "HTTP/1.1 200 OK\r\nLOCATION: http://router.lan/rootDesc.xml\r\n";
    const uint8_t ip[16] = {0xfe, 0x80, [15] = 1};
    const struct tn_addr gateway = tn_addr_v6(ip, 0);
    struct ssdp_found found = {0};

    ssdp_take(text, sizeof text - 1, &gateway, &found);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.location[0], "http://[fe80::1]:5000/rootDesc.xml");
    assert_false(found.foreign);
    ssdp_take(name, sizeof name - 1, &gateway, &found);
    assert_int_equal(found.count, 1);
    assert_true(found.foreign);
}

static void the_same_twice_is_one_and_more_than_four_are_four(void **state)
{
    const struct tn_addr gateway = ip4(192, 168, 1, 1);
    struct ssdp_found found = {0};
    char text[128];

    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1/%d\r\n", i / 2);
        ssdp_take(text, strlen(text), &gateway, &found);
        assert_int_equal(found.count, i / 2 < 4 ? i / 2 + 1 : 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_location_of_a_real_gateway_is_found),
        cmocka_unit_test(an_answer_cut_before_the_end_of_its_location_has_none),
        cmocka_unit_test(headers_are_found_however_they_are_written),
        cmocka_unit_test(another_host_is_noted_and_not_taken),
        cmocka_unit_test(what_is_no_answer_adds_nothing),
        cmocka_unit_test(an_ipv6_location_is_taken_at_the_gateways_own_address),
        cmocka_unit_test(the_same_twice_is_one_and_more_than_four_are_four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
