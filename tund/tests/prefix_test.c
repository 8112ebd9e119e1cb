/* The overlay's prefix: what may be one, and what clashes with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "tund/prefix.h"

static struct prefix parse(const char *text)
{
    struct prefix p;
    struct why why;

    assert_int_equal(prefix_parse(text, &p, &why), 0);
    return p;
}

static struct nl_route route4(const char *ip_text, uint8_t bits, uint8_t type, const char *ifname)
{
    struct nl_route r = {.v4 = true, .bits = bits, .type = type};
    uint8_t ip[4];

    assert_int_equal(inet_pton(AF_INET, ip_text, ip), 1);
    if (bits)
        r.prefix = tn_addr_v4(ip, 0);
    strcpy(r.ifname, ifname);
    return r;
}

static bool clashes(const char *prefix, struct nl_route route)
{
    struct prefix_routes routes = {.row = &route, .count = 1, .cap = 1};
    struct prefix p = parse(prefix);

    return prefix_clash(&p, &routes, "tund0") != NULL;
}

static void a_private_prefix_is_taken_and_written_as_it_came(void **state)
{
    static const char *const good[] = {"10.77.0.0/20", "10.0.0.0/8", "172.16.0.0/12",
                                       "172.31.255.252/30", "192.168.4.0/24", "100.64.0.0/10"};
    char text[PREFIX_TEXT_LEN];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct prefix p = parse(good[i]);

        assert_string_equal(prefix_text(&p, text), good[i]);
    }
}

static void what_is_no_private_prefix_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"", "no IPv4 prefix"}, {"10.0.0.0", "no IPv4 prefix"}, {"10.0.0.0/", "no IPv4 prefix"},
        {"10.0.0/24", "no IPv4 prefix"}, {"10.0.0.0/24x", "no IPv4 prefix"},
        {"10.0.0.256/24", "no IPv4 prefix"}, {"fd00::/64", "no IPv4 prefix"},
        {"10.0.0.0/-1", "8 to 30"}, {"10.0.0.0/7", "8 to 30"}, {"10.0.0.0/31", "8 to 30"},
        {"10.0.0.0/32", "8 to 30"}, {"10.0.0.0/999", "8 to 30"},
        {"10.9.1.1/16", "did you mean 10.9.0.0/16"}, {"8.8.8.0/24", "not private"},
        {"172.32.0.0/16", "not private"}, {"172.0.0.0/8", "not private"},
        {"192.168.0.0/15", "not private"}, {"127.0.0.0/8", "not private"},
        {"100.128.0.0/16", "not private"},
    };
    struct prefix p;
    struct why why;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(prefix_parse(bad[i].text, &p, &why), -EINVAL);
        if (!strstr(why.text, bad[i].word))
            fail_msg("%s: %s", bad[i].text, why.text);
    }
}

static void routes_that_share_an_address_clash(void **state)
{
    assert_true(clashes("10.77.0.0/20", route4("10.77.0.0", 20, RTN_UNICAST, "eth0")));
    assert_true(clashes("10.77.0.0/20", route4("10.77.15.255", 32, RTN_UNICAST, "eth0")));
    assert_true(clashes("10.77.0.0/20", route4("10.0.0.0", 8, RTN_UNICAST, "eth0")));
    assert_true(clashes("10.77.0.0/20", route4("10.77.8.0", 22, RTN_UNICAST, "")));
    assert_true(clashes("192.168.0.0/16", route4("192.168.1.0", 24, RTN_UNICAST, "wlan0")));
}

static void neighbours_defaults_backstops_and_our_own_routes_do_not(void **state)
{
    assert_false(clashes("10.77.0.0/20", route4("10.77.16.0", 20, RTN_UNICAST, "eth0")));
    assert_false(clashes("10.77.0.0/20", route4("10.76.255.255", 32, RTN_UNICAST, "eth0")));
    assert_false(clashes("10.77.0.0/20", route4("0.0.0.0", 0, RTN_UNICAST, "eth0")));
    assert_false(clashes("10.77.0.0/20", route4("0.0.0.0", 1, RTN_UNICAST, "vpn")));
    assert_false(clashes("10.77.0.0/20", route4("10.77.0.0", 20, RTN_UNREACHABLE, "")));
    assert_false(clashes("10.77.0.0/20", route4("10.77.0.0", 20, RTN_UNICAST, "tund0")));
    assert_true(clashes("10.77.0.0/20", route4("10.77.0.0", 20, RTN_UNICAST, "tund1")));
}

static void the_families_do_not_clash_with_each_other(void **state)
{
    struct nl_route r = {.v4 = false, .bits = 96 + 8, .type = RTN_UNICAST};

    r.prefix.ip[10] = r.prefix.ip[11] = 0xff;
    r.prefix.ip[12] = 10;
    assert_false(clashes("10.77.0.0/20", r));
}

static void an_ipv6_prefix_is_checked_as_well(void **state)
{
    uint8_t ip[16] = {0xfd, 1, 2, 3, 4, 5, 0, 0, 9};
    struct prefix p = prefix_v6(ip, 64);
    struct nl_route row = {.bits = 48, .type = RTN_UNICAST, .ifname = "eth0"};
    struct prefix_routes routes = {.row = &row, .count = 1, .cap = 1};
    struct why why;

    memcpy(row.prefix.ip, ip, 6);
    assert_int_equal(p.addr.ip[8], 0);
    assert_int_equal(prefix_check(&p, &routes, NULL, &why), -EADDRINUSE);
    assert_non_null(strstr(why.text, "fd01:203:405::/64"));
    assert_non_null(strstr(why.text, "fd01:203:405::/48 via eth0"));
    row.prefix.ip[5] ^= 1;
    assert_int_equal(prefix_check(&p, &routes, NULL, &why), 0);
}

static void a_chosen_prefix_is_private_free_and_different_each_time(void **state)
{
    /* all of 10/8 but one eighth is taken */
    struct nl_route row[3] = {
        route4("10.0.0.0", 9, RTN_UNICAST, "eth0"),
        route4("10.128.0.0", 10, RTN_UNICAST, "eth0"),
        route4("10.192.0.0", 11, RTN_UNICAST, "eth0"),
    };
    struct prefix_routes routes = {.row = row, .count = 3, .cap = 3};
    char first[PREFIX_TEXT_LEN] = "", text[PREFIX_TEXT_LEN];
    unsigned same = 0;
    struct prefix p;
    struct why why;

    for (unsigned i = 0; i < 200; i++) {
        uint8_t seed[32] = {(uint8_t)i, 7};

        assert_int_equal(prefix_choose(&p, &routes, seed, &why), 0);
        assert_int_equal(p.bits, PREFIX_DEFAULT_BITS);
        assert_int_equal(p.addr.ip[12], 10);
        assert_true(p.addr.ip[13] >= 224);
        parse(prefix_text(&p, text));
        same += strcmp(text, first) == 0;
        memcpy(first, text, sizeof(first));
    }
    assert_true(same < 5);
}

static void a_full_ten_gives_a_prefix_of_172_and_a_full_host_none(void **state)
{
    struct nl_route row[2] = {
        route4("10.0.0.0", 8, RTN_UNICAST, "eth0"),
        route4("172.16.0.0", 12, RTN_UNICAST, "eth0"),
    };
    struct prefix_routes routes = {.row = row, .count = 1, .cap = 2};
    uint8_t seed[32] = {3};
    struct prefix p;
    struct why why;

    assert_int_equal(prefix_choose(&p, &routes, seed, &why), 0);
    assert_int_equal(p.addr.ip[12], 172);
    routes.count = 2;
    assert_int_equal(prefix_choose(&p, &routes, seed, &why), -EADDRNOTAVAIL);
    assert_non_null(strstr(why.text, "--prefix"));
}

static void host_numbers_leave_out_network_and_broadcast(void **state)
{
    struct prefix p = parse("10.77.0.0/30");
    const uint8_t other[4] = {10, 78, 0, 1};
    uint8_t ip[4];

    assert_false(prefix_host(&p, 0, ip));
    assert_true(prefix_host(&p, 1, ip));
    assert_int_equal(ip[3], 1);
    assert_int_equal(prefix_host_number(&p, ip), 1);
    assert_true(prefix_host(&p, 2, ip));
    assert_false(prefix_host(&p, 3, ip));
    assert_false(prefix_host(&p, 4, ip));
    assert_int_equal(prefix_host_number(&p, other), 0);
    p = parse("10.0.0.0/8");
    assert_true(prefix_host(&p, 0xfffffe, ip));
    assert_false(prefix_host(&p, 0xffffff, ip));
}

static void the_hosts_routes_can_be_read(void **state)
{
    struct prefix_routes routes;
    struct why why;

    assert_int_equal(prefix_routes_read(&routes, &why), 0);
    for (size_t i = 0; i < routes.count; i++)
        assert_true(routes.row[i].bits <= (routes.row[i].v4 ? 32 : 128));
    prefix_routes_free(&routes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_prefix_is_taken_and_written_as_it_came),
        cmocka_unit_test(what_is_no_private_prefix_is_refused_with_a_reason),
        cmocka_unit_test(routes_that_share_an_address_clash),
        cmocka_unit_test(neighbours_defaults_backstops_and_our_own_routes_do_not),
        cmocka_unit_test(the_families_do_not_clash_with_each_other),
        cmocka_unit_test(an_ipv6_prefix_is_checked_as_well),
        cmocka_unit_test(a_chosen_prefix_is_private_free_and_different_each_time),
        cmocka_unit_test(a_full_ten_gives_a_prefix_of_172_and_a_full_host_none),
        cmocka_unit_test(host_numbers_leave_out_network_and_broadcast),
        cmocka_unit_test(the_hosts_routes_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
