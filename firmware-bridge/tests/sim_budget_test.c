/* A device that may spend so many bytes a day: what it leaves out when little is left and when nothing is,
 * what is kept over a reboot, and what its peers are told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simdevice.h"

#define BUDGET 100000u
#define DAY_S 86400u

struct net {
    struct sim *s;
    struct simdevices *all;
    int nat, laptop, device;
    uint16_t seq;
};

static bool is_online(void *ctx)
{
    struct net *n = ctx;

    return simdevice_info(n->all, n->device).state == BRIDGE_ONLINE;
}

static struct net online(uint64_t seed, bool has_probe)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.all = simdevices_new(n.s);
    n.nat = world_add_nat(n.s->w, "55.9.0.1", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.laptop = sim_add_member(n.s, "laptop", "55.2.1.10", -1, 10000);
    n.device = simdevice_add(n.all, "electron-1", "10.41.0.2", n.nat, 60000);
    n.all->d[n.device].has_probe = has_probe;
    sim_run(n.s, TN_S(5));
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_true(sim_run_until(n.s, is_online, &n, TN_S(5)));
    sim_run(n.s, TN_S(20)); /* the laptop's keepalive tells it of the new member */
    return n;
}

static void done(struct net *n)
{
    simdevices_free(n->all);
    sim_free(n->s);
}

static struct bridge_info info_of(const struct net *n)
{
    return simdevice_info(n->all, n->device);
}

static struct bridge *bridge_of(const struct net *n)
{
    return n->all->d[n->device].bridge;
}

static uint64_t now_of(const struct net *n)
{
    return simdevice_now(n->all, n->device);
}

static bool is_ponged(void *ctx)
{
    struct net *n = ctx;

    return simdevice_ponged(n->all, n->laptop, 4, 84, n->seq);
}

static bool answers(struct net *n)
{
    n->seq++;
    simdevice_ping(n->all, n->laptop, n->device, 4, 84, n->seq);
    return sim_run_until(n->s, is_ponged, n, TN_S(7));
}

/* The modem says that so many bytes more have passed. */
static void modem_counts(struct net *n, uint64_t modem)
{
    bridge_set_data_usage(bridge_of(n), modem, now_of(n));
    simdevice_pump(n->all, n->device);
}

static int try_to_send(struct net *n)
{
    struct tn_addr to = sim_inner_address(n->s, n->laptop);

    to.port = 9000;
    return bridge_udp_send(bridge_of(n), 9000, &to, "hello", 5, now_of(n));
}

/* What the laptop was told; report_us is 0 when it was not. */
static struct tn_peer_info told(const struct net *n)
{
    const struct tn_node *laptop = n->s->node[n->laptop].node;
    struct tn_peer_info info = {.report_us = 0};

    for (uint32_t i = 0; i < tn_node_peer_cap(laptop); i++) {
        if (tn_node_peer_info(laptop, i, &info) && info.is_device)
            return info;
    }
    return (struct tn_peer_info){.report_us = 0};
}

static void every_byte_up_and_down_counts(void **state)
{
    struct net n = online(1, false);
    struct bridge_info before = info_of(&n), after;

    for (int i = 0; i < 10; i++)
        assert_true(answers(&n));
    after = info_of(&n);
    assert_true(after.used_bytes > before.used_bytes + 10 * 2 * 84);
    assert_int_equal(after.used_bytes, after.tx_bytes + after.rx_bytes);
    done(&n);
}

static void the_modems_own_count_is_believed(void **state)
{
    struct net n = online(2, false);
    uint64_t used = info_of(&n).used_bytes;

    modem_counts(&n, 5000000); /* of before: nobody knows when */
    assert_int_equal(info_of(&n).used_bytes, used);
    assert_true(answers(&n));
    assert_true(info_of(&n).used_bytes > used);
    modem_counts(&n, 5000777); /* and that was all of this ping */
    assert_int_equal(info_of(&n).used_bytes, used + 777);
    modem_counts(&n, 100); /* it was reset */
    assert_int_equal(info_of(&n).used_bytes, used + 877);
    done(&n);
}

static void when_little_is_left_the_application_is_refused_and_trials_end(void **state)
{
    struct net n = online(3, true);
    uint16_t probe_port;

    bridge_set_budget(bridge_of(&n), BUDGET, now_of(&n));
    modem_counts(&n, 0);
    assert_int_equal(info_of(&n).level, BRIDGE_FINE);
    assert_int_equal(try_to_send(&n), 0);
    assert_true(answers(&n));
    modem_counts(&n, BUDGET * 7 / 8);
    assert_int_equal(info_of(&n).level, BRIDGE_LOW);
    assert_int_equal(try_to_send(&n), TN_ELIMIT);
    assert_true(answers(&n)); /* it is reached as before */
    sim_run(n.s, TN_S(120));
    probe_port = n.all->d[n.device].probe_port; /* each trial has a new one */
    sim_run(n.s, TN_S(3600));
    assert_int_equal(n.all->d[n.device].probe_port, probe_port);
    bridge_set_budget(bridge_of(&n), 0, now_of(&n));
    assert_int_equal(info_of(&n).level, BRIDGE_FINE);
    assert_int_equal(try_to_send(&n), 0);
    sim_run(n.s, TN_S(3600));
    assert_true(n.all->d[n.device].probe_port != probe_port);
    done(&n);
}

static void when_nothing_is_left_it_speaks_once_an_hour_until_its_day_is_over(void **state)
{
    struct net n = online(4, false);
    uint64_t bytes;

    bridge_set_budget(bridge_of(&n), BUDGET, now_of(&n));
    modem_counts(&n, 0);
    modem_counts(&n, BUDGET);
    assert_int_equal(info_of(&n).level, BRIDGE_SPENT);
    assert_int_equal(info_of(&n).keepalive_s, 3600);
    assert_false(answers(&n));
    bytes = n.all->d[n.device].sent_bytes;
    sim_run(n.s, TN_S(10 * 3600));
    assert_in_range(n.all->d[n.device].sent_bytes - bytes, 1, 12 * 46);
    assert_int_equal(info_of(&n).state, BRIDGE_ONLINE);
    sim_run(n.s, TN_S(DAY_S - 10 * 3600));
    assert_int_equal(info_of(&n).level, BRIDGE_FINE);
    assert_int_equal(info_of(&n).keepalive_s, 25);
    assert_true(answers(&n));
    done(&n);
}

static void the_budget_and_what_was_spent_outlive_a_reboot(void **state)
{
    struct net n = online(5, false);
    uint64_t used, writes;

    bridge_set_budget(bridge_of(&n), BUDGET, now_of(&n));
    modem_counts(&n, 0);
    modem_counts(&n, 60000);
    used = info_of(&n).used_bytes;
    writes = n.all->d[n.device].write_calls;
    sim_run(n.s, TN_S(5 * 3600)); /* nothing to store: flash wears out */
    assert_in_range(n.all->d[n.device].write_calls - writes, 0, 20);
    simdevice_cut(n.all, n.device);
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_int_equal(info_of(&n).budget_bytes, BUDGET);
    assert_in_range(info_of(&n).used_bytes, used - BUDGET / 8, BUDGET);
    sim_run(n.s, TN_S(DAY_S)); /* and its day goes on from where it was */
    assert_true(info_of(&n).used_bytes < BUDGET);
    done(&n);
}

static void its_peers_are_told_in_sessions_that_are_there_anyway(void **state)
{
    struct net n = online(6, true);
    struct tn_peer_info t;

    bridge_set_budget(bridge_of(&n), BUDGET, now_of(&n));
    modem_counts(&n, 0);
    sim_run(n.s, TN_S(60));
    assert_int_equal(told(&n).report_us, 0); /* nobody speaks with it */
    assert_true(answers(&n));
    sim_run(n.s, TN_S(1));
    t = told(&n);
    assert_true(t.report_us != 0);
    assert_int_equal(t.report.budget, BUDGET);
    assert_in_range(t.report.used, 1, 20000);
    assert_int_equal(t.report.keepalive_s, info_of(&n).keepalive_s);
    assert_int_equal(t.report.lifetime_s, info_of(&n).nat_lifetime_s);
    assert_false(t.report.is_low);
    modem_counts(&n, BUDGET * 7 / 8);
    sim_run(n.s, TN_S(1));
    assert_true(told(&n).report.is_low); /* at once */
    assert_in_range(told(&n).report.used, BUDGET * 7 / 8, BUDGET);
    done(&n);
}

static void a_member_that_is_no_device_is_not_believed(void **state)
{
    struct net n = online(7, false);
    int other = sim_add_member(n.s, "other", "55.2.2.10", -1, 10000);
    const struct tn_report r = {.used = 1, .budget = 2};
    uint64_t bad = tn_node_counters(n.s->node[n.laptop].node)->drop_malformed;
    struct tn_peer_info info;

    sim_run(n.s, TN_S(5));
    tn_node_set_report(n.s->node[other].node, &r, n.s->w->now);
    sim_send(n.s, other, n.laptop, 100, 1);
    sim_run(n.s, TN_S(5));
    assert_true(sim_last_tag_is(&n.s->node[n.laptop], 1));
    assert_int_equal(tn_node_counters(n.s->node[n.laptop].node)->drop_malformed, bad + 1);
    assert_true(tn_node_peer_info(n.s->node[n.laptop].node, sim_peer_slot(n.s, n.laptop, other), &info));
    assert_true(info.report_us == 0 && info.report.budget == 0);
    done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_up_and_down_counts),
        cmocka_unit_test(the_modems_own_count_is_believed),
        cmocka_unit_test(when_little_is_left_the_application_is_refused_and_trials_end),
        cmocka_unit_test(when_nothing_is_left_it_speaks_once_an_hour_until_its_day_is_over),
        cmocka_unit_test(the_budget_and_what_was_spent_outlive_a_reboot),
        cmocka_unit_test(its_peers_are_told_in_sessions_that_are_there_anyway),
        cmocka_unit_test(a_member_that_is_no_device_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
