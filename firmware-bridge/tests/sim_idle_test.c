/* What a device costs while nobody speaks with it, and how it learns how seldom it may speak. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simdevice.h"

#define DAY_S 86400u
#define BAR_BYTES 3500u /* a day, up, at a NAT of 23 minutes */

struct net {
    struct sim *s;
    struct simdevices *all;
    int nat, laptop, device;
    uint16_t seq;
};

static struct net net_new(uint64_t seed, uint64_t lifetime_s, bool has_probe)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.all = simdevices_new(n.s);
    n.nat = world_add_nat(n.s->w, "55.9.0.1", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.s->w->nat[n.nat].lifetime_us = TN_S(lifetime_s);
    n.device = simdevice_add(n.all, "electron-1", "10.41.0.2", n.nat, 60000);
    n.all->d[n.device].has_probe = has_probe;
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
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

/* The laptop comes late, so that it is not in the bill. */
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

static void the_lifetime_is_learned_and_the_device_stays_within_reach(void **state)
{
    static const uint64_t lifetime_s[] = {5, 30, 120, 300, 1380};

    for (size_t i = 0; i < sizeof lifetime_s / sizeof lifetime_s[0]; i++) {
        struct net n = net_new(10 + i, lifetime_s[i], true);
        uint64_t bytes = 0, from = n.s->w->now.us, learned_s = 0;
        struct bridge_info info;

        for (int k = 0; k < 4 * 3600; k++) { /* until nothing changes for a whole hour */
            uint16_t before = info_of(&n).nat_lifetime_s;

            sim_run(n.s, TN_S(1));
            if (info_of(&n).nat_lifetime_s != before) {
                learned_s = (n.s->w->now.us - from) / 1000000u;
                bytes = n.all->d[n.device].sent_bytes;
            }
        }
        info = info_of(&n);
        print_message("# a NAT of %u s: learned %u s in %u s and %u bytes; speaks every %u s\n",
                      (unsigned)lifetime_s[i], info.nat_lifetime_s, (unsigned)learned_s, (unsigned)bytes,
                      info.keepalive_s);
        assert_int_equal(info.state, BRIDGE_ONLINE);
        assert_true(info.nat_lifetime_s < lifetime_s[i]);
        assert_true(info.nat_lifetime_s + 3u >= lifetime_s[i] * 7 / 8);
        assert_true(info.keepalive_s < lifetime_s[i]);
        /* at any moment of the pause between two beats it can be reached */
        n.laptop = sim_add_member(n.s, "laptop", "55.2.1.10", -1, 10000);
        sim_run(n.s, TN_S(5));
        for (int k = 0; k < 10; k++) {
            sim_run(n.s, TN_MS(tn_rng_below(&n.s->w->rng, (uint32_t)lifetime_s[i] * 1000)));
            assert_true(answers(&n));
        }
        done(&n);
    }
}

static void an_idle_day_at_a_nat_of_23_minutes_is_below_the_bar(void **state)
{
    struct net n = net_new(20, 1380, true);
    uint64_t bytes, datagrams, week_bytes;

    sim_run(n.s, TN_S(4 * 3600)); /* what it learns, it learns once */
    bytes = n.all->d[n.device].sent_bytes;
    datagrams = n.all->d[n.device].sent;
    sim_run(n.s, TN_S(DAY_S));
    print_message("# idle day at 1380 s: %u datagrams, %u bytes up, IP and UDP headers included\n",
                  (unsigned)(n.all->d[n.device].sent - datagrams),
                  (unsigned)(n.all->d[n.device].sent_bytes - bytes));
    assert_true(n.all->d[n.device].sent_bytes - bytes <= BAR_BYTES);
    bytes = n.all->d[n.device].sent_bytes;
    sim_run(n.s, TN_S(7 * DAY_S)); /* the weekly renewal of the control session is in here */
    week_bytes = n.all->d[n.device].sent_bytes - bytes;
    print_message("# an idle week: %u bytes up, %u a day\n", (unsigned)week_bytes, (unsigned)week_bytes / 7);
    assert_true(week_bytes / 7 <= BAR_BYTES);
    assert_int_equal(info_of(&n).state, BRIDGE_ONLINE);
    done(&n);
}

static void what_was_learned_is_kept_for_each_carrier(void **state)
{
    struct net n = net_new(30, 120, true);
    struct bridge *b;
    uint16_t learned;

    sim_run(n.s, TN_S(3600));
    learned = info_of(&n).nat_lifetime_s;
    assert_in_range(learned, 105, 120);
    simdevice_cut(n.all, n.device);
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_int_equal(info_of(&n).nat_lifetime_s, learned);
    b = n.all->d[n.device].bridge;
    bridge_set_carrier(b, "262-01 internet", 15, simdevice_now(n.all, n.device));
    assert_int_equal(info_of(&n).nat_lifetime_s, 0);
    assert_int_equal(info_of(&n).keepalive_s, 25);
    n.s->w->nat[n.nat].lifetime_us = TN_S(40);
    sim_run(n.s, TN_S(3600));
    assert_in_range(info_of(&n).nat_lifetime_s, 30, 40);
    for (int i = 0; i < 3; i++) { /* others come and go, and this one is not the oldest */
        char name[2] = {(char)('a' + i), 0};

        bridge_set_carrier(b, name, 1, simdevice_now(n.all, n.device));
        bridge_set_carrier(b, "262-01 internet", 15, simdevice_now(n.all, n.device));
        assert_in_range(info_of(&n).nat_lifetime_s, 30, 40);
    }
    simdevice_cut(n.all, n.device);
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_in_range(info_of(&n).nat_lifetime_s, 30, 40);
    done(&n);
}

static void a_nat_that_becomes_shorter_halves_the_pause(void **state)
{
    struct net n = net_new(40, 600, true);

    sim_run(n.s, TN_S(3 * 3600));
    assert_in_range(info_of(&n).nat_lifetime_s, 525, 600);
    n.s->w->nat[n.nat].lifetime_us = TN_S(100);
    sim_run(n.s, TN_S(2 * 3600));
    assert_in_range(info_of(&n).nat_lifetime_s, 50, 100);
    assert_in_range(info_of(&n).keepalive_s, 40, 99);
    assert_int_equal(info_of(&n).state, BRIDGE_ONLINE);
    done(&n);
}

static void without_a_second_socket_nothing_is_tried(void **state)
{
    struct net n = net_new(50, 1380, false);

    sim_run(n.s, TN_S(3600));
    assert_int_equal(info_of(&n).nat_lifetime_s, 0);
    assert_int_equal(info_of(&n).keepalive_s, 25);
    assert_int_equal(n.s->coord.server->counter.checks, 0);
    done(&n);
}

static void a_dead_coordinator_costs_less_and_less(void **state)
{
    struct net n = net_new(60, 1380, false);
    uint64_t bytes;

    sim_run(n.s, TN_S(60));
    sim_coordinator_stop(n.s);
    sim_run(n.s, TN_S(2 * 3600));
    bytes = n.all->d[n.device].sent_bytes;
    sim_run(n.s, TN_S(DAY_S));
    bytes = n.all->d[n.device].sent_bytes - bytes;
    print_message("# a day without a coordinator: %u bytes up\n", (unsigned)bytes);
    assert_in_range(bytes, 10000, 80000);
    sim_coordinator_start(n.s);
    sim_run(n.s, TN_S(901));
    assert_int_equal(info_of(&n).state, BRIDGE_ONLINE);
    done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lifetime_is_learned_and_the_device_stays_within_reach),
        cmocka_unit_test(an_idle_day_at_a_nat_of_23_minutes_is_below_the_bar),
        cmocka_unit_test(what_was_learned_is_kept_for_each_carrier),
        cmocka_unit_test(a_nat_that_becomes_shorter_halves_the_pause),
        cmocka_unit_test(without_a_second_socket_nothing_is_tried),
        cmocka_unit_test(a_dead_coordinator_costs_less_and_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
