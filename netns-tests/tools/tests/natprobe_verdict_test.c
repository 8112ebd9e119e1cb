/* natprobe's judgement, fed with what routers of each kind would show. */
#include "natprobe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct np_addr at(const char *ip, uint16_t port)
{
    return np_addr_parse(ip, port);
}

static enum np_mapping judge_ports(uint16_t a, uint16_t b, uint16_t c, uint16_t d)
{
    struct np_addr local = at("192.168.1.2", 1000);
    struct np_addr seen[4] = { at("55.2.1.2", a), at("55.2.1.2", b), at("55.2.1.2", c),
                               at("55.2.1.2", d) };

    return np_judge_mapping(seen, &local);
}

static void one_outside_endpoint_for_all_servers_is_endpoint_independent(void **state)
{
    (void)state;
    assert_int_equal(judge_ports(5, 5, 5, 5), NP_MAP_EIM);
}

static void one_endpoint_for_each_server_address_is_address_dependent(void **state)
{
    (void)state;
    assert_int_equal(judge_ports(5, 5, 6, 6), NP_MAP_ADM);
}

static void a_new_endpoint_for_each_server_port_is_symmetric(void **state)
{
    (void)state;
    assert_int_equal(judge_ports(5, 6, 7, 8), NP_MAP_APDM);
    assert_int_equal(judge_ports(5, 5, 5, 6), NP_MAP_APDM);
    assert_int_equal(judge_ports(5, 6, 5, 6), NP_MAP_APDM);
}

static void an_outside_address_that_changes_is_not_endpoint_independent(void **state)
{
    struct np_addr local = at("192.168.1.2", 1000);
    struct np_addr seen[4] = { at("55.2.1.2", 5), at("55.2.1.2", 5), at("55.2.1.3", 5), at("55.2.1.3", 5) };

    (void)state;
    assert_int_equal(np_judge_mapping(seen, &local), NP_MAP_ADM);
}

static void the_clients_own_address_outside_means_no_nat(void **state)
{
    struct np_addr local = at("2a00::2", 1000);
    struct np_addr seen[4] = { local, local, local, local };

    (void)state;
    assert_int_equal(np_judge_mapping(seen, &local), NP_MAP_NONE);
    local = at("2a00::2", 1001);
    assert_int_equal(np_judge_mapping(seen, &local), NP_MAP_EIM);
}

static void lost_packets_never_look_like_a_kind(void **state)
{
    struct np_addr local = at("192.168.1.2", 1000);
    struct np_addr none = { .len = 0 };
    struct np_addr seen[4] = { at("55.2.1.2", 5), none, at("55.2.1.2", 5), at("55.2.1.2", 5) };

    (void)state;
    assert_int_equal(np_judge_mapping(seen, &local), NP_MAP_MIXED);
    memset(seen, 0, sizeof seen);
    assert_int_equal(np_judge_mapping(seen, &local), NP_MAP_BLOCKED);
    assert_int_equal(np_join_mapping(NP_MAP_EIM, NP_MAP_ADM), NP_MAP_MIXED);
    assert_int_equal(np_join_mapping(NP_MAP_EIM, NP_MAP_EIM), NP_MAP_EIM);
}

static void filtering_is_judged_by_who_gets_through(void **state)
{
    static const struct {
        unsigned other_ip, other_port, control;
        enum np_filtering is;
    } table[] = {
        { 6, 3, 9, NP_FILTER_EIF },     { 0, 3, 9, NP_FILTER_ADF },   { 0, 0, 9, NP_FILTER_APDF },
        { 6, 3, 8, NP_FILTER_MIXED },   { 5, 3, 9, NP_FILTER_MIXED }, { 3, 3, 9, NP_FILTER_MIXED },
        { 0, 2, 9, NP_FILTER_MIXED },   { 6, 0, 9, NP_FILTER_MIXED }, { 0, 0, 8, NP_FILTER_MIXED },
        { 0, 0, 0, NP_FILTER_BLOCKED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(np_judge_filtering(table[i].other_ip, table[i].other_port, table[i].control, 3),
                         table[i].is);
}

static void ports_are_preserved_in_step_or_random(void **state)
{
    static const uint16_t local[4] = { 100, 300, 200, 900 };
    static const uint16_t step[4] = { 40000, 40002, 40004, 40006 };
    static const uint16_t random[4] = { 40000, 40001, 40002, 50000 };

    (void)state;
    assert_int_equal(np_judge_ports(local, local, 4), NP_PORTS_PRESERVED);
    assert_int_equal(np_judge_ports(local, step, 4), NP_PORTS_SEQUENTIAL);
    assert_int_equal(np_judge_ports(local, random, 4), NP_PORTS_RANDOM);
    assert_int_equal(np_judge_ports(local, step, 2), NP_PORTS_BLOCKED);
}

static void an_expectation_that_is_met_differs_nowhere(void **state)
{
    struct np_expectations e;
    struct np_report r = { .done = NP_TEST_MAPPING | NP_TEST_FILTERING,
                           .mapping = NP_MAP_EIM, .filtering = NP_FILTER_APDF };

    (void)state;
    assert_null(np_expect_parse("mapping=eim,filtering=APDF", &e));
    assert_int_equal(e.tests, NP_TEST_MAPPING | NP_TEST_FILTERING);
    assert_null(np_expect_differs(&e, &r));
}

static void an_expectation_that_is_not_met_is_named(void **state)
{
    struct np_expectations e;
    struct np_report r = { .done = NP_TEST_MAPPING | NP_TEST_FILTERING,
                           .mapping = NP_MAP_EIM, .filtering = NP_FILTER_ADF };

    (void)state;
    assert_null(np_expect_parse("mapping=EIM,filtering=APDF", &e));
    assert_string_equal(np_expect_differs(&e, &r), "filtering");
}

static void what_was_not_measured_never_meets_an_expectation(void **state)
{
    struct np_expectations e;
    struct np_report r = { .done = 0 };

    (void)state;
    /* "blocked" is the zero that an empty report holds */
    assert_null(np_expect_parse("punch=blocked", &e));
    assert_string_equal(np_expect_differs(&e, &r), "punch");
}

static void a_lifetime_is_expected_as_two_moments(void **state)
{
    struct np_expectations e;

    (void)state;
    assert_null(np_expect_parse("lifetime=4.5-6", &e));
    assert_true(e.want.lifetime_alive_s == 4.5 && e.want.lifetime_gone_s == 6);
    assert_int_equal(e.want.lifetime, NP_LIFE_AS_SAID);
}

static void a_wrong_expectation_is_refused_and_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "", "mapping", "mapping=", "mapping=cone", "filter=EIF", "mapping=EIF", "filtering=EIM",
        "mapping=EIM,mapping=EIM", "mapping=EIM,ports", "lifetime=4", "lifetime=6-4", "lifetime=a-b",
        "lifetime=0-4", "lifetime=4-5x", "lifetime=4-nan", "mapping=EIM ,ports=random",
    };
    struct np_expectations e = { .tests = 4711 };
    char long_text[400];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(np_expect_parse(wrong[i], &e));
    memset(long_text, 'a', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    assert_non_null(np_expect_parse(long_text, &e));
    assert_int_equal(e.tests, 4711);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_outside_endpoint_for_all_servers_is_endpoint_independent),
        cmocka_unit_test(one_endpoint_for_each_server_address_is_address_dependent),
        cmocka_unit_test(a_new_endpoint_for_each_server_port_is_symmetric),
        cmocka_unit_test(an_outside_address_that_changes_is_not_endpoint_independent),
        cmocka_unit_test(the_clients_own_address_outside_means_no_nat),
        cmocka_unit_test(lost_packets_never_look_like_a_kind),
        cmocka_unit_test(filtering_is_judged_by_who_gets_through),
        cmocka_unit_test(ports_are_preserved_in_step_or_random),
        cmocka_unit_test(an_expectation_that_is_met_differs_nowhere),
        cmocka_unit_test(an_expectation_that_is_not_met_is_named),
        cmocka_unit_test(what_was_not_measured_never_meets_an_expectation),
        cmocka_unit_test(a_lifetime_is_expected_as_two_moments),
        cmocka_unit_test(a_wrong_expectation_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
