/* Planning and pacing of the search for a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/path/portsearch.h"

static struct tn_nat block(uint16_t first, uint16_t last)
{
    return (struct tn_nat){.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT,
                           .ports = TN_NAT_PORTS_RANDOM, .first_port = first, .last_port = last};
}

static const struct tn_nat counting_up = {.mapping = TN_NAT_PORT, .ports = TN_NAT_PORTS_SEQUENTIAL, .step = 1};
static const struct tn_nat counting_down = {.mapping = TN_NAT_PORT, .ports = TN_NAT_PORTS_SEQUENTIAL, .step = -2};

static void a_block_of_512_costs_less_than_twenty_thousand_bytes(void **state)
{
    struct tn_nat nat = block(50000, 50511);
    struct tn_search_plan plan;

    (void)state;
    assert_true(tn_search_plan(&nat, &plan));
    assert_int_equal(plan.sockets, 64);
    assert_int_equal(plan.probes, 80);
    assert_in_range(plan.bytes, 1, 20000);
    nat = block(4096, 8191);
    assert_true(tn_search_plan(&nat, &plan));
    assert_in_range(plan.bytes, 1, 20000);
    nat = block(0, 0); /* any port */
    assert_true(tn_search_plan(&nat, &plan));
    assert_in_range(plan.bytes, 40000, 80000);
}

static void what_does_not_draw_is_not_searched(void **state)
{
    struct tn_nat nat = {.mapping = TN_NAT_ENDPOINT, .ports = TN_NAT_PORTS_RANDOM};
    struct tn_search_plan plan;

    (void)state;
    assert_false(tn_search_plan(&nat, &plan));
    nat.mapping = TN_NAT_PORT;
    nat.ports = TN_NAT_PORTS_UNKNOWN;
    assert_false(tn_search_plan(&nat, &plan));
    nat.ports = TN_NAT_PORTS_PRESERVED;
    assert_false(tn_search_plan(&nat, &plan));
}

struct run {
    struct tn_portsearch s;
    struct tn_rng rng;
    struct tn_now now;
    struct tn_addr ip, to;
    uint8_t seen[8192];
};

static struct run run;

static bool begin(const struct tn_nat *nat, uint16_t port, uint32_t budget)
{
    uint8_t ip[4] = {192, 0, 2, 1}, seed[32] = {3};

    memset(&run, 0, sizeof run);
    run.now.us = TN_S(1);
    run.ip = tn_addr_v4(ip, 0);
    tn_rng_init(&run.rng, seed);
    return tn_portsearch_begin(&run.s, nat, &run.ip, port, budget, &run.rng, &run.now);
}

/* Plays it to its end; how many probes there were. No port may come twice. */
static unsigned play(void)
{
    unsigned count = 0;

    while (tn_portsearch_is_on(&run.s)) {
        while (tn_portsearch_poll(&run.s, &run.now, &run.to)) {
            assert_true(tn_addr_same_ip(&run.to, &run.ip));
            assert_false(run.seen[run.to.port / 8] & 1 << run.to.port % 8);
            run.seen[run.to.port / 8] |= (uint8_t)(1 << run.to.port % 8);
            count++;
        }
        if (!tn_portsearch_is_on(&run.s))
            break;
        assert_in_range(run.s.next_us, run.now.us + 1, run.now.us + TN_MS(20)); /* paced */
        run.now.us = run.s.next_us;
    }
    return count;
}

static void each_port_is_probed_once_within_the_block_and_at_a_pace(void **state)
{
    static const uint16_t sizes[] = {64, 512, 1008, 4096};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct tn_nat nat = block(20000, (uint16_t)(20000 + sizes[i] - 1));
        struct tn_search_plan plan;
        uint64_t began;

        assert_true(tn_search_plan(&nat, &plan));
        assert_true(begin(&nat, 0, plan.bytes));
        began = run.now.us;
        assert_int_equal(play(), plan.probes);
        for (uint32_t port = 0; port < 65536; port++) {
            if (run.seen[port / 8] & 1 << port % 8)
                assert_in_range(port, 20000, 20000 + sizes[i] - 1);
        }
        assert_in_range(run.now.us - began, 0, TN_S(3));
    }
}

static void a_budget_that_is_too_small_is_kept(void **state)
{
    struct tn_nat nat = block(20000, 20511);
    struct tn_search_plan plan;

    (void)state;
    assert_true(tn_search_plan(&nat, &plan));
    assert_false(begin(&nat, 0, plan.bytes - 1));
    assert_false(begin(&nat, 0, 0));
    assert_false(tn_portsearch_poll(&run.s, &run.now, &run.to));
    nat = block(0, 0);
    assert_false(begin(&nat, 0, 20000));
    assert_true(begin(&nat, 0, 100000));
    assert_in_range(play(), 1300, 1600);
}

static void a_nat_that_counts_is_met_ahead_of_its_last_port(void **state)
{
    (void)state;
    assert_false(begin(&counting_up, 0, 20000)); /* the last port is not known */
    assert_true(begin(&counting_up, 30000, 20000));
    assert_true(tn_portsearch_poll(&run.s, &run.now, &run.to));
    assert_int_equal(run.to.port, 30001); /* the nearest first */
    assert_true(begin(&counting_down, 30000, 20000));
    assert_true(tn_portsearch_poll(&run.s, &run.now, &run.to));
    assert_int_equal(run.to.port, 29999);
    assert_true(begin(&counting_up, 65530, 20000)); /* near the end of all ports */
    assert_in_range(play(), 1, 32);
    assert_true(begin(&counting_down, 1030, 20000));
    assert_in_range(play(), 1, 32);
}

static void ports_of_other_services_are_left_out(void **state)
{
    struct tn_nat nat = block(1880, 1943); /* 1900 is SSDP's */

    (void)state;
    assert_true(begin(&nat, 0, 20000));
    play();
    assert_false(run.seen[1900 / 8] & 1 << 1900 % 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_512_costs_less_than_twenty_thousand_bytes),
        cmocka_unit_test(what_does_not_draw_is_not_searched),
        cmocka_unit_test(each_port_is_probed_once_within_the_block_and_at_a_pace),
        cmocka_unit_test(a_budget_that_is_too_small_is_kept),
        cmocka_unit_test(a_nat_that_counts_is_met_ahead_of_its_last_port),
        cmocka_unit_test(ports_of_other_services_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
