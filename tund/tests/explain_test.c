/* Reasons and advice: each state of the world has its sentence, and none gets advice that is of no use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tund/explain.h"

static const struct tn_nat easy = {.mapping = TN_NAT_ENDPOINT, .filtering = TN_NAT_FILTER_PORT};
static const struct tn_nat hard = {.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT};
static const struct tn_nat blocked = {.mapping = TN_NAT_BLOCKED};

static struct explain_facts facts(enum tn_path_kind path, const struct tn_nat *own, const struct tn_nat *peer)
{
    struct explain_facts f = {.name = "nas", .path = path, .reachable = true, .joined = true};

    f.own = *own;
    f.peer = *peer;
    explain_count(&f.tally, TN_CAND_SILENT, TN_CAND_KEPT);
    return f;
}

static void assert_reason(const struct explain_facts *f, const char *part)
{
    char text[EXPLAIN_LEN];

    explain_reason(f, text);
    if (!strstr(text, part))
        fail_msg("\"%s\" has no \"%s\"", text, part);
}

/* Some piece of advice has this part. */
static bool advises(const struct explain_facts *f, const char *part)
{
    char text[EXPLAIN_LEN];

    for (unsigned i = 0; explain_advice(f, i, text); i++) {
        assert_null(strstr(text, "%"));
        if (strstr(text, part))
            return true;
    }
    return false;
}

static bool is_silent(const struct explain_facts *f)
{
    char text[EXPLAIN_LEN];

    return !explain_advice(f, 0, text);
}

static void a_direct_path_needs_no_advice(void **state)
{
    struct explain_facts f = facts(TN_PATH_DIRECT, &easy, &easy);

    (void)state;
    explain_count(&f.tally, TN_CAND_CHECKED, TN_CAND_KEPT);
    assert_reason(&f, "direct, because");
    assert_reason(&f, "best of 1");
    assert_true(is_silent(&f));
    f.reachable = false; /* the coordinator may be wrong about it */
    assert_true(is_silent(&f));
}

static void a_way_through_a_member_names_it_and_says_why_there_is_no_direct_one(void **state)
{
    struct explain_facts f = facts(TN_PATH_MEMBER, &hard, &hard);

    (void)state;
    f.through = "hub";
    f.rtt_us = 21000;
    assert_reason(&f, "through member hub, which relays for others, because both NATs give each peer another port");
    assert_reason(&f, "this way (21 ms) is better than the coordinator's relay");
    assert_true(advises(&f, "map a port"));
    f.mode = TN_MODE_RELAY;
    assert_reason(&f, "told to take no direct path (`tundctl path nas auto` undoes it)");
}

static void a_direct_path_that_is_slow_is_the_reason_for_the_relay(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    explain_count(&f.tally, TN_CAND_CHECKED, TN_CAND_SLOW);
    assert_reason(&f, "through the relay, because the direct way takes much longer than the relay does");
}

static void a_direct_path_that_loses_much_is_the_reason_for_the_relay_unless_another_works(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    explain_count(&f.tally, TN_CAND_CHECKED, TN_CAND_LOSSY);
    assert_reason(&f, "through the relay, because the direct way loses many packets");
    explain_count(&f.tally, TN_CAND_PUNCHING, TN_CAND_KEPT); /* another is tried meanwhile */
    assert_reason(&f, "the direct way loses many packets");
    explain_count(&f.tally, TN_CAND_CHECKED, TN_CAND_KEPT);
    assert_reason(&f, "candidates are still being tried");
    f = facts(TN_PATH_RELAY, &easy, &easy);
    explain_count(&f.tally, TN_CAND_LOST, TN_CAND_LOSSY); /* it breaks off now and then */
    assert_reason(&f, "the direct way loses many packets");
    explain_count(&f.tally, TN_CAND_CHECKED, TN_CAND_KEPT);
    assert_reason(&f, "a candidate works");
}

static void two_hard_nats_stay_on_the_relay_and_it_says_why_and_what_helps(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &hard, &hard);

    (void)state;
    assert_reason(&f, "through the relay, because both NATs give each peer another port");
    assert_true(advises(&f, "map a port"));
    assert_true(advises(&f, "IPv6"));
    assert_false(advises(&f, "firewall"));
}

static void a_hard_one_and_a_strict_one_need_a_mapped_port(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &hard);

    (void)state;
    assert_reason(&f, "one NAT gives each peer another port");
    assert_true(advises(&f, "then nas is direct whatever the other NAT does"));
}

static void the_search_for_a_port_tells_what_it_costs_and_what_came_of_it(void **state)
{
    struct tn_nat block = hard;
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &hard);

    (void)state;
    assert_reason(&f, "how that NAT chooses ports is not known");
    block.ports = TN_NAT_PORTS_RANDOM; /* any port */
    f = facts(TN_PATH_RELAY, &easy, &block);
    f.budget = 20000;
    assert_reason(&f, "and the budget is 20000 bytes");
    assert_true(advises(&f, "--search-budget"));
    block.first_port = 50000;
    block.last_port = 50511;
    f = facts(TN_PATH_RELAY, &easy, &block);
    f.budget = 20000;
    assert_reason(&f, "searched for while there is traffic");
    assert_false(advises(&f, "--search-budget"));
    f.searches = 2;
    assert_reason(&f, "2 times, and not found");
    f.peer.reserved = true;
    assert_reason(&f, "nas is on a metered link");
    f = facts(TN_PATH_RELAY, &hard, &hard);
    assert_int_equal(explain_search_bytes(&f), 0); /* nothing would be found */
}

static void blocked_udp_is_named_at_the_right_end(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &blocked, &easy);

    (void)state;
    assert_reason(&f, "where this machine is");
    assert_true(advises(&f, "use another network here"));
    f = facts(TN_PATH_RELAY, &easy, &blocked);
    assert_reason(&f, "where the member is");
    assert_true(advises(&f, "where nas is let UDP out"));
    assert_false(advises(&f, "use another network here"));
}

static void a_pair_that_could_be_punched_points_at_a_firewall(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    assert_reason(&f, "no candidate answers");
    assert_true(advises(&f, "a firewall is in the way"));
    explain_count(&f.tally, TN_CAND_PUNCHING, TN_CAND_KEPT); /* not before all has been tried */
    assert_reason(&f, "still being tried");
    assert_false(advises(&f, "a firewall is in the way"));
}

static void small_packets_only_is_an_mtu(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    explain_count(&f.tally, TN_CAND_ANSWERED_SMALL, TN_CAND_KEPT);
    assert_reason(&f, "smaller MTU");
    assert_true(advises(&f, "repair the link"));
}

static void a_narrow_path_says_how_narrow(void **state)
{
    struct explain_facts f = facts(TN_PATH_DIRECT, &easy, &easy);

    f.mtu = f.mtu_wanted = 1400;
    assert_reason(&f, "full-size");
    assert_false(advises(&f, "drops full-size packets"));
    f.mtu = 1232;
    assert_reason(&f, "up to 1232 bytes");
    assert_true(advises(&f, "drops full-size packets"));
}

static void who_is_away_is_not_our_nats_fault(void **state)
{
    struct explain_facts f = facts(TN_PATH_NONE, &hard, &hard);

    (void)state;
    f.reachable = false;
    assert_reason(&f, "nas is not connected now");
    assert_true(advises(&f, "start tund on nas"));
    assert_false(advises(&f, "map a port"));
    f.path = TN_PATH_RELAY;
    assert_reason(&f, "none but the relay is left");
}

static void without_a_coordinator_that_comes_first(void **state)
{
    struct explain_facts f = facts(TN_PATH_NONE, &easy, &easy);
    char text[EXPLAIN_LEN];

    (void)state;
    f.joined = false;
    assert_reason(&f, "there is no relay");
    assert_true(explain_advice(&f, 0, text));
    assert_non_null(strstr(text, "coordinator first"));
}

static void a_member_that_was_never_asked_says_how_to_ask(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    memset(&f.tally, 0, sizeof f.tally);
    assert_reason(&f, "nothing was sent to it");
    assert_true(advises(&f, "tundctl ping --until-direct nas"));
}

static void a_gateway_that_lies_is_named(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &hard, &hard);

    (void)state;
    f.lying = "192.0.2.1:51820";
    assert_true(advises(&f, "has mapped 192.0.2.1:51820 and does not forward it"));
}

static void a_device_is_relayed_on_purpose(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &hard, &hard);

    (void)state;
    f.is_device = true;
    assert_reason(&f, "pays for each byte");
    assert_true(is_silent(&f));
}

static void a_path_that_the_user_chose_is_told_as_such(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &easy, &easy);

    (void)state;
    f.mode = TN_MODE_RELAY;
    assert_reason(&f, "told so: `tundctl path nas auto` undoes it");
    assert_true(is_silent(&f));
    f = facts(TN_PATH_NONE, &easy, &easy);
    f.mode = TN_MODE_DIRECT;
    assert_reason(&f, "told to use none but a direct one (`tundctl path nas auto` undoes it)");
}

static void what_is_not_known_is_said(void **state)
{
    static const struct tn_nat unknown;
    struct explain_facts f = facts(TN_PATH_RELAY, &unknown, &easy);

    (void)state;
    assert_non_null(strstr(explain_pair(&f), "NAT here"));
    assert_true(advises(&f, "tundctl netcheck"));
    f = facts(TN_PATH_RELAY, &easy, &unknown);
    assert_non_null(strstr(explain_pair(&f), "member's NAT"));
}

static void where_udp_is_blocked_it_says_what_became_of_tcp(void **state)
{
    struct explain_facts f = facts(TN_PATH_RELAY, &blocked, &easy);

    (void)state;
    for (unsigned i = 0; i < EXPLAIN_TCP_STATES; i++) {
        f.tcp = (enum explain_tcp)i;
        assert_reason(&f, "because UDP does not get through where this machine is, and ");
        assert_reason(&f, explain_tcp_words(f.tcp));
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(explain_tcp_name((enum explain_tcp)k), explain_tcp_name(f.tcp));
            assert_string_not_equal(explain_tcp_words((enum explain_tcp)k), explain_tcp_words(f.tcp));
        }
    }
    f = facts(TN_PATH_RELAY, &easy, &easy);
    f.tcp = EXPLAIN_TCP_FAILED; /* of another time: now UDP passes */
    assert_reason(&f, "no candidate answers");
}

static void a_direct_path_over_tcp_is_called_that_and_udp_is_advised(void **state)
{
    struct explain_facts f = facts(TN_PATH_DIRECT, &blocked, &blocked);

    (void)state;
    f.by_tcp = true;
    f.tcp = EXPLAIN_TCP_CONNECTED;
    explain_count(&f.tally, TN_CAND_CHECKED, false);
    assert_reason(&f, "direct over TCP, because packets were answered on a TCP connection with nas");
    assert_reason(&f, "best of 1");
    assert_true(advises(&f, "let UDP out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_direct_path_needs_no_advice),
        cmocka_unit_test(a_way_through_a_member_names_it_and_says_why_there_is_no_direct_one),
        cmocka_unit_test(a_direct_path_that_is_slow_is_the_reason_for_the_relay),
        cmocka_unit_test(a_direct_path_that_loses_much_is_the_reason_for_the_relay_unless_another_works),
        cmocka_unit_test(two_hard_nats_stay_on_the_relay_and_it_says_why_and_what_helps),
        cmocka_unit_test(a_hard_one_and_a_strict_one_need_a_mapped_port),
        cmocka_unit_test(the_search_for_a_port_tells_what_it_costs_and_what_came_of_it),
        cmocka_unit_test(blocked_udp_is_named_at_the_right_end),
        cmocka_unit_test(a_pair_that_could_be_punched_points_at_a_firewall),
        cmocka_unit_test(small_packets_only_is_an_mtu),
        cmocka_unit_test(a_narrow_path_says_how_narrow),
        cmocka_unit_test(who_is_away_is_not_our_nats_fault),
        cmocka_unit_test(without_a_coordinator_that_comes_first),
        cmocka_unit_test(a_member_that_was_never_asked_says_how_to_ask),
        cmocka_unit_test(a_gateway_that_lies_is_named),
        cmocka_unit_test(a_device_is_relayed_on_purpose),
        cmocka_unit_test(a_path_that_the_user_chose_is_told_as_such),
        cmocka_unit_test(what_is_not_known_is_said),
        cmocka_unit_test(where_udp_is_blocked_it_says_what_became_of_tcp),
        cmocka_unit_test(a_direct_path_over_tcp_is_called_that_and_udp_is_advised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
