#include "libtunnel/base/addr.h"
#include "vectors.h"

static struct tn_addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    const uint8_t ip[4] = {a, b, c, d};

    return tn_addr_v4(ip, port);
}

static struct tn_addr v6(const char *hex, uint16_t port)
{
    uint8_t ip[16];

    unhex_exactly(ip, sizeof(ip), hex);
    return tn_addr_v6(ip, port);
}

static void ipv4_is_held_as_a_mapped_address(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 33, 51820);
    struct tn_addr b = v6("00000000000000000000ffffc0000221", 51820);

    (void)state;
    assert_true(tn_addr_is_v4(&a));
    assert_true(tn_addr_equal(&a, &b));
    b = v6("20010db8000000000000ffffc0000221", 51820);
    assert_false(tn_addr_is_v4(&b));
}

static void port_and_address_both_count_for_equality(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 1, 1000);
    struct tn_addr b = v4(192, 0, 2, 1, 1001);
    struct tn_addr c = v4(192, 0, 2, 2, 1000);
    struct tn_addr zero = {.port = 0};

    (void)state;
    assert_true(tn_addr_same_ip(&a, &b));
    assert_false(tn_addr_equal(&a, &b));
    assert_false(tn_addr_same_ip(&a, &c));
    assert_false(tn_addr_equal(&a, &c));
    assert_true(tn_addr_is_zero(&zero));
    assert_false(tn_addr_is_zero(&a));
    zero.port = 1;
    assert_false(tn_addr_is_zero(&zero));
}

static void ordinary_unicast_addresses_are_probeable(void **state)
{
    const struct tn_addr good[] = {
        v4(1, 1, 1, 1, 51820),      v4(192, 168, 1, 10, 1024), v4(10, 0, 0, 1, 3478),
        v4(100, 64, 0, 1, 40000),   v4(223, 255, 255, 255, 65535),
        v6("20010db8000000000000000000000001", 51820),
        v6("fd000000000000000000000000000001", 51820),
        v6("fec00000000000000000000000000001", 51820),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(tn_addr_is_probeable(&good[i]));
}

static void addresses_that_no_peer_can_own_are_refused(void **state)
{
    const struct tn_addr bad[] = {
        v4(0, 0, 0, 0, 51820),
        v4(0, 1, 2, 3, 51820),
        v4(127, 0, 0, 1, 51820),
        v4(127, 255, 255, 254, 51820),
        v4(169, 254, 169, 254, 51820),
        v4(224, 0, 0, 251, 51820),
        v4(239, 255, 255, 250, 51820),
        v4(240, 0, 0, 1, 51820),
        v4(255, 255, 255, 255, 51820),
        v6("00000000000000000000000000000000", 51820),
        v6("00000000000000000000000000000001", 51820),
        v6("000000000000000000000000c0000201", 51820), /* IPv4-compatible */
        v6("fe800000000000000000000000000001", 51820),
        v6("febfffffffffffffffffffffffffffff", 51820),
        v6("ff020000000000000000000000000001", 51820),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(tn_addr_is_probeable(&bad[i]));
}

static void ports_of_services_that_answer_strangers_are_refused(void **state)
{
    const uint16_t bad[] = {0, 19, 53, 123, 137, 161, 389, 1900, 5353, 11211};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tn_addr a = v4(198, 51, 100, 1, bad[i]);
        struct tn_addr b = v6("20010db8000000000000000000000001", bad[i]);

        assert_false(tn_addr_is_probeable(&a));
        assert_false(tn_addr_is_probeable(&b));
        a.port++;
        assert_true(tn_addr_is_probeable(&a));
    }
}

static void private_ranges_end_where_the_rfcs_say(void **state)
{
    const struct tn_addr inside[] = {
        v4(10, 0, 0, 0, 1),       v4(10, 255, 255, 255, 1), v4(172, 16, 0, 0, 1),
        v4(172, 31, 255, 255, 1), v4(192, 168, 0, 0, 1),    v4(192, 168, 255, 255, 1),
        v4(100, 64, 0, 0, 1),     v4(100, 127, 255, 255, 1),
        v6("fc000000000000000000000000000001", 1), v6("fdffffffffffffffffffffffffffffff", 1),
    };
    const struct tn_addr outside[] = {
        v4(9, 255, 255, 255, 1),  v4(11, 0, 0, 0, 1),     v4(172, 15, 255, 255, 1),
        v4(172, 32, 0, 0, 1),     v4(192, 167, 255, 255, 1), v4(192, 169, 0, 0, 1),
        v4(100, 63, 255, 255, 1), v4(100, 128, 0, 0, 1),
        v6("fbffffffffffffffffffffffffffffff", 1), v6("fe000000000000000000000000000001", 1),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
        assert_true(tn_addr_is_private(&inside[i]));
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        assert_false(tn_addr_is_private(&outside[i]));
}

static void the_wire_form_is_18_bytes_and_round_trips(void **state)
{
    struct tn_addr a = v4(192, 0, 2, 33, 51820);
    struct tn_addr b;
    uint8_t wire[TN_ADDR_WIRE_LEN], want[TN_ADDR_WIRE_LEN];

    (void)state;
    unhex_exactly(want, sizeof(want), "00000000000000000000ffffc0000221ca6c");
    tn_addr_encode(&a, wire);
    assert_memory_equal(wire, want, sizeof(want));
    tn_addr_decode(wire, &b);
    assert_true(tn_addr_equal(&a, &b));
}

static void a_stream_is_a_family_of_its_own_and_never_probed(void **state)
{
    uint8_t share[4] = {192, 0, 2, 1}, other[4] = {192, 0, 2, 2};
    struct tn_addr a = tn_addr_stream(share, 7), b = tn_addr_stream(share, 8);
    struct tn_addr c = tn_addr_stream(other, 7);
    struct tn_addr v4_addr = v4(1, 0, 0, 0, 443), v6_addr = v6("01000001000000000000000000000001", 443);

    (void)state;
    assert_true(tn_addr_is_stream(&a));
    assert_false(tn_addr_is_zero(&a));
    assert_false(tn_addr_is_probeable(&a));
    assert_int_equal(tn_addr_family(&a), TN_FAMILY_STREAM);
    assert_false(tn_addr_equal(&a, &b));
    assert_memory_equal(a.ip, b.ip, 8);
    assert_memory_not_equal(a.ip, c.ip, 8);
    assert_int_equal(tn_addr_family(&v4_addr), TN_FAMILY_V4);
    assert_int_equal(tn_addr_family(&v6_addr), TN_FAMILY_V6);
    assert_false(tn_addr_is_stream(&v6_addr));
}

static void the_lan_is_a_group_that_is_never_probed(void **state)
{
    struct tn_addr lan = tn_addr_lan(), other = v4(239, 255, 116, 117, 51718);

    (void)state;
    assert_true(tn_addr_is_lan(&lan));
    assert_false(tn_addr_is_lan(&other));
    assert_false(tn_addr_is_probeable(&lan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_is_held_as_a_mapped_address),
        cmocka_unit_test(port_and_address_both_count_for_equality),
        cmocka_unit_test(ordinary_unicast_addresses_are_probeable),
        cmocka_unit_test(addresses_that_no_peer_can_own_are_refused),
        cmocka_unit_test(ports_of_services_that_answer_strangers_are_refused),
        cmocka_unit_test(private_ranges_end_where_the_rfcs_say),
        cmocka_unit_test(the_lan_is_a_group_that_is_never_probed),
        cmocka_unit_test(a_stream_is_a_family_of_its_own_and_never_probed),
        cmocka_unit_test(the_wire_form_is_18_bytes_and_round_trips),
    };

    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
