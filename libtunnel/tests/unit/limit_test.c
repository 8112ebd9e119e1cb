#include "libtunnel/base/now.h"
#include "vectors.h"
#include "libtunnel/wg/limit.h"

#define ENTRIES 1024u

static struct tn_limit_entry table[ENTRIES];

static struct tn_addr v4(uint32_t n, uint16_t port)
{
    const uint8_t ip[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

    return tn_addr_v4(ip, port);
}

static struct tn_addr v6(uint8_t subnet, uint8_t host)
{
    const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, subnet, 0, 0, 0, 0, 0, 0, 0, host};

    return tn_addr_v6(ip, 1000);
}

static void begin(struct tn_limit *l)
{
    const uint8_t seed[32] = {1};
    struct tn_rng rng;

    tn_rng_init(&rng, seed);
    tn_limit_init(l, table, ENTRIES, &rng);
}

static void a_source_gets_five_at_once_then_twenty_a_second(void **state)
{
    struct tn_addr a = v4(0xc0000201, 1);
    struct tn_limit l;
    uint64_t now_us = TN_S(1000);
    unsigned allowed = 0;

    (void)state;
    begin(&l);
    for (int i = 0; i < 5; i++)
        assert_true(tn_limit_allow(&l, &a, now_us));
    assert_false(tn_limit_allow(&l, &a, now_us));
    assert_false(tn_limit_allow(&l, &a, now_us + TN_MS(49)));
    assert_true(tn_limit_allow(&l, &a, now_us + TN_MS(50)));
    assert_false(tn_limit_allow(&l, &a, now_us + TN_MS(99)));
    now_us += TN_S(10);
    for (unsigned ms = 0; ms < 10000; ms++)
        allowed += tn_limit_allow(&l, &a, now_us + TN_MS(ms));
    assert_in_range(allowed, 200, 205);
}

static void asking_what_is_there_takes_nothing(void **state)
{
    struct tn_addr a = v4(0xc0000201, 1), b = v4(0xc0000202, 1);
    struct tn_limit l;
    struct tn_load load;
    uint64_t now_us = TN_S(1000);

    (void)state;
    begin(&l);
    tn_load_init(&load, 8); /* two at once */
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 10; k++)
            assert_true(tn_limit_has(&l, &a, now_us));
        assert_true(tn_limit_allow(&l, &a, now_us));
    }
    assert_false(tn_limit_has(&l, &a, now_us + TN_MS(49)));
    assert_true(tn_limit_has(&l, &a, now_us + TN_MS(50)));
    assert_true(tn_limit_has(&l, &b, now_us));
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 10; k++)
            assert_true(tn_load_has(&load, now_us));
        assert_true(tn_load_take(&load, now_us));
    }
    assert_false(tn_load_has(&load, now_us));
}

static void ports_share_a_bucket_and_addresses_do_not(void **state)
{
    struct tn_limit l;
    uint64_t now_us = TN_S(1);

    (void)state;
    begin(&l);
    for (uint16_t port = 1; port <= 6; port++) {
        struct tn_addr a = v4(0xc0000201, port);

        assert_int_equal(tn_limit_allow(&l, &a, now_us), port <= 5);
    }
    for (uint32_t n = 0; n < 100; n++) {
        struct tn_addr a = v4(0x0a000000 + n, 1);

        assert_true(tn_limit_allow(&l, &a, now_us));
    }
}

static void hosts_of_one_ipv6_subnet_share_a_bucket(void **state)
{
    struct tn_limit l;

    (void)state;
    begin(&l);
    for (uint8_t host = 1; host <= 6; host++) {
        struct tn_addr a = v6(1, host);

        assert_int_equal(tn_limit_allow(&l, &a, 7), host <= 5);
    }
    struct tn_addr other = v6(2, 1);

    assert_true(tn_limit_allow(&l, &other, 7));
}

static void a_full_table_refuses_newcomers_until_buckets_fill_up(void **state)
{
    struct tn_limit l;
    struct tn_addr busy = v4(0x01000000, 1);
    uint64_t now_us = TN_S(5);
    unsigned refused = 0, n;

    (void)state;
    begin(&l);
    for (n = 0; n < 5; n++)
        assert_true(tn_limit_allow(&l, &busy, now_us));
    for (n = 1; n <= 20 * ENTRIES; n++) {
        struct tn_addr a = v4(0x01000000 + n, 1);

        refused += !tn_limit_allow(&l, &a, now_us);
    }
    assert_int_equal(20 * ENTRIES - refused, ENTRIES - 1); /* one entry is the busy one's */
    assert_false(tn_limit_allow(&l, &busy, now_us)); /* its debt was not forgotten */
    for (n = 1; n <= 200; n++) {
        struct tn_addr a = v4(0x02000000 + n, 1);

        assert_true(tn_limit_allow(&l, &a, now_us + TN_MS(250)));
    }
}

static void load_is_high_above_the_rate_and_one_second_after(void **state)
{
    struct tn_load l;
    uint64_t now_us = TN_S(50);
    bool high = false;

    (void)state;
    tn_load_init(&l, 100);
    for (int i = 0; i < 300; i++) { /* 100 a second: no load */
        now_us += TN_MS(10);
        assert_false(tn_load_on_handshake(&l, now_us));
    }
    for (int i = 0; i < 100 && !high; i++) /* 1000 a second */
        high = tn_load_on_handshake(&l, now_us += TN_MS(1));
    assert_true(high);
    assert_true(tn_load_is_high(&l, now_us + TN_MS(999)));
    assert_false(tn_load_is_high(&l, now_us + TN_S(1)));
    assert_false(tn_load_on_handshake(&l, now_us + TN_S(1)));
}

static void a_plain_budget_lets_its_rate_pass_and_no_more(void **state)
{
    struct tn_load l;
    uint64_t now_us = TN_S(5);
    unsigned passed = 0;

    (void)state;
    tn_load_init(&l, 100);
    for (int i = 0; i < 10000; i++) /* ten seconds of ten times the rate */
        passed += tn_load_take(&l, now_us += TN_MS(1));
    assert_in_range(passed, 1000, 1025);
    assert_false(tn_load_is_high(&l, now_us));
}

static void a_burst_within_a_quarter_second_is_no_load(void **state)
{
    struct tn_load l;

    (void)state;
    tn_load_init(&l, 100);
    for (int i = 0; i < 25; i++)
        assert_false(tn_load_on_handshake(&l, TN_S(9)));
    assert_true(tn_load_on_handshake(&l, TN_S(9)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_gets_five_at_once_then_twenty_a_second),
        cmocka_unit_test(asking_what_is_there_takes_nothing),
        cmocka_unit_test(ports_share_a_bucket_and_addresses_do_not),
        cmocka_unit_test(hosts_of_one_ipv6_subnet_share_a_bucket),
        cmocka_unit_test(a_full_table_refuses_newcomers_until_buckets_fill_up),
        cmocka_unit_test(load_is_high_above_the_rate_and_one_second_after),
        cmocka_unit_test(a_plain_budget_lets_its_rate_pass_and_no_more),
        cmocka_unit_test(a_burst_within_a_quarter_second_is_no_load),
    };

    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
