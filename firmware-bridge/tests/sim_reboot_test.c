/* A device that loses its power again and again, at random instants and in the middle of writes: it has
 * no clock, and yet no handshake of it is refused for its stamp. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simdevice.h"

#define REBOOTS 1000

struct net {
    struct sim *s;
    struct simdevices *all;
    int laptop, device;
    uint16_t seq;
    uint64_t sessions; /* that the laptop had so far */
};

static bool is_online(void *ctx)
{
    struct net *n = ctx;

    return simdevice_info(n->all, n->device).state == BRIDGE_ONLINE;
}

static bool is_ponged(void *ctx)
{
    struct net *n = ctx;

    return simdevice_ponged(n->all, n->laptop, 4, 84, n->seq);
}

static struct net net_new(uint64_t seed)
{
    struct net n = {.s = sim_new(seed)};

    sim_add_coordinator(n.s, "55.1.0.10", 1000);
    n.all = simdevices_new(n.s);
    n.laptop = sim_add_member(n.s, "laptop", "55.2.1.10", -1, 1000);
    n.device = simdevice_add(n.all, "electron-1", "55.9.0.2", -1, 1000);
    sim_run(n.s, TN_S(2));
    return n;
}

static void done(struct net *n)
{
    simdevices_free(n->all);
    sim_free(n->s);
}

/* Each boot: the coordinator takes the very first INIT that shows a cookie, and the laptop the first
 * initiation; else it would take longer than one repetition's 300 ms, or WireGuard's 5 s. */
static void after_each_of_1000_reboots_the_first_handshake_is_accepted(void **state)
{
    struct net n = net_new(sim_seed(1));
    uint64_t slowest = 0;
    bool was_known = false;

    for (int i = 0; i < REBOOTS; i++) {
        uint64_t from = n.s->w->now.us;
        uint64_t drops = tn_server_counters(n.s->coord.server)->drop_stamp;

        assert_int_equal(simdevice_boot(n.all, n.device), 0);
        assert_true(sim_run_until(n.s, is_online, &n, TN_MS(250)));
        assert_int_equal(tn_server_counters(n.s->coord.server)->drop_stamp, drops);
        slowest = n.s->w->now.us - from > slowest ? n.s->w->now.us - from : slowest;
        if (!was_known) { /* the laptop learns of the new member with its keepalive */
            sim_run(n.s, TN_S(20));
            was_known = true;
        }
        if (i % 20 == 0) {
            uint64_t replays = tn_node_counters(n.s->node[n.laptop].node)->drop_replay;

            /* the laptop has forgotten the session after 3 minutes and asks for a new one */
            sim_run(n.s, TN_S(200));
            n.seq++;
            simdevice_ping(n.all, n.laptop, n.device, 4, 84, n.seq);
            assert_true(sim_run_until(n.s, is_ponged, &n, TN_S(2)));
            assert_int_equal(tn_node_counters(n.s->node[n.laptop].node)->drop_replay, replays);
        }
        sim_run(n.s, TN_MS(tn_rng_below(&n.s->w->rng, 3000)));
        simdevice_cut(n.all, n.device);
        sim_run(n.s, TN_MS(tn_rng_below(&n.s->w->rng, 100)));
    }
    print_message("# %d reboots: online within %llu ms each\n", REBOOTS, (unsigned long long)slowest / 1000);
    done(&n);
}

static bool session_is_up(void *ctx)
{
    struct net *n = ctx;

    return n->s->node[n->laptop].events[TN_EV_SESSION] > n->sessions;
}

/* The laptop was in a session with the device's last life. By itself it would find out after seconds of
 * silence, and an initiation of its that came too early is repeated only 5 s later. */
static void a_laptop_that_was_in_a_session_has_a_new_one_at_once(void **state)
{
    struct net n = net_new(sim_seed(5));
    uint64_t slowest = 0;

    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    sim_run(n.s, TN_S(20));
    for (int i = 0; i < 100; i++) {
        uint64_t from, until;

        n.seq++;
        simdevice_ping(n.all, n.laptop, n.device, 4, 84, n.seq);
        assert_true(sim_run_until(n.s, is_ponged, &n, TN_S(3)));
        sim_run(n.s, TN_MS(tn_rng_below(&n.s->w->rng, 3000)));
        simdevice_cut(n.all, n.device);
        until = n.s->w->now.us + TN_MS(tn_rng_below(&n.s->w->rng, 12000));
        while (i % 2 && n.s->w->now.us < until) { /* half of them while it goes on speaking */
            simdevice_ping(n.all, n.laptop, n.device, 4, 84, 0);
            sim_run(n.s, TN_MS(200));
        }
        n.sessions = n.s->node[n.laptop].events[TN_EV_SESSION];
        assert_int_equal(simdevice_boot(n.all, n.device), 0);
        assert_true(sim_run_until(n.s, is_online, &n, TN_MS(250)));
        from = n.s->w->now.us;
        assert_true(sim_run_until(n.s, session_is_up, &n, TN_MS(1200)));
        slowest = n.s->w->now.us - from > slowest ? n.s->w->now.us - from : slowest;
    }
    print_message("# 100 resets: a new session at most %llu ms after it was online\n", (unsigned long long)slowest / 1000);
    assert_int_equal(tn_server_counters(n.s->coord.server)->anew, 100);
    done(&n);
}

/* The power goes at each byte of all that the first start writes: the invite is not spent, or the device is a
 * member, and in either case it becomes one in the end. */
static void a_power_cut_at_any_byte_of_joining_leaves_a_device_that_can_join(void **state)
{
    uint64_t seed = sim_seed(2);

    for (long cut = 0;; cut++) {
        struct net n = net_new(seed);
        int err;

        n.all->d[n.device].write_budget = cut;
        err = simdevice_boot(n.all, n.device);
        if (!err) {
            print_message("# joining writes %ld bytes\n", cut);
            assert_in_range(cut, 400, 1000);
            done(&n);
            return;
        }
        assert_int_equal(err, TN_ESTATE);
        assert_int_equal(n.all->d[n.device].sent, 0);
        n.all->d[n.device].write_budget = -1;
        assert_int_equal(simdevice_boot(n.all, n.device), 0);
        assert_true(sim_run_until(n.s, is_online, &n, TN_S(1)));
        assert_int_equal(n.s->coord.store.member_count, 2);
        done(&n);
    }
}

/* The same for a boot of a member, which writes one record: what it sends after the next boot is taken. */
static void a_power_cut_at_any_byte_of_a_boot_costs_nothing(void **state)
{
    struct net n = net_new(sim_seed(3));

    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_true(sim_run_until(n.s, is_online, &n, TN_S(1)));
    for (int round = 0; round < 9; round++) { /* once round the ring of slots */
        for (long cut = 0; cut < 18; cut++) {
            uint64_t drops = tn_server_counters(n.s->coord.server)->drop_stamp;

            n.all->d[n.device].write_budget = cut;
            assert_int_equal(simdevice_boot(n.all, n.device), TN_ESTATE);
            n.all->d[n.device].write_budget = -1;
            assert_int_equal(simdevice_boot(n.all, n.device), 0);
            assert_true(sim_run_until(n.s, is_online, &n, TN_MS(250)));
            assert_int_equal(tn_server_counters(n.s->coord.server)->drop_stamp, drops);
            sim_run(n.s, TN_MS(300)); /* one member's share of JOINs */
        }
    }
    done(&n);
}

static void a_forgotten_device_takes_a_new_invite_and_no_old_one(void **state)
{
    struct net n = net_new(sim_seed(4));
    struct simdevice *d = &n.all->d[n.device];
    int other;

    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_true(sim_run_until(n.s, is_online, &n, TN_S(1)));
    assert_int_equal(bridge_join(d->bridge, d->invite, strlen(d->invite), 0, 0), TN_EEXIST);
    assert_int_equal(bridge_forget(d->bridge), 0);
    assert_int_equal(simdevice_boot(n.all, n.device), 0); /* the invite is still in its box, and spent */
    sim_run(n.s, TN_S(2));
    assert_int_equal(simdevice_info(n.all, n.device).state, BRIDGE_REFUSED);
    assert_int_equal(simdevice_info(n.all, n.device).join_status, TN_STATUS_INVITE_USED);
    assert_int_equal(bridge_forget(d->bridge), 0);
    other = simdevice_add(n.all, "electron-2", "55.9.0.3", -1, 1000);
    memcpy(d->invite, n.all->d[other].invite, sizeof d->invite);
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    assert_true(sim_run_until(n.s, is_online, &n, TN_S(1)));
    assert_string_equal(simdevice_info(n.all, n.device).name, "electron-2");
    done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_laptop_that_was_in_a_session_has_a_new_one_at_once),
        cmocka_unit_test(after_each_of_1000_reboots_the_first_handshake_is_accepted),
        cmocka_unit_test(a_power_cut_at_any_byte_of_joining_leaves_a_device_that_can_join),
        cmocka_unit_test(a_power_cut_at_any_byte_of_a_boot_costs_nothing),
        cmocka_unit_test(a_forgotten_device_takes_a_new_invite_and_no_old_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
