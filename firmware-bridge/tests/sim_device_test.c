/* A device behind a carrier's NAT, a laptop and a coordinator: the device's core against a daemon's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simdevice.h"

struct net {
    struct sim *s;
    struct simdevices *all;
    int nat, laptop, device;
    int family;
    size_t size;
    uint16_t seq;
};

static bool is_online(void *ctx)
{
    struct net *n = ctx;

    return simdevice_info(n->all, n->device).state == BRIDGE_ONLINE;
}

static bool is_ponged(void *ctx)
{
    struct net *n = ctx;

    return simdevice_ponged(n->all, n->laptop, n->family, n->size, n->seq);
}

static bool ping(struct net *n, int family, size_t size, uint64_t max_us)
{
    n->family = family;
    n->size = size;
    n->seq++;
    simdevice_ping(n->all, n->laptop, n->device, family, size, n->seq);
    return sim_run_until(n->s, is_ponged, n, max_us);
}

/* The carrier's NAT of the field report: mapping and filtering by address and port. */
static struct net net_new(uint64_t seed)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.all = simdevices_new(n.s);
    n.nat = world_add_nat(n.s->w, "55.9.0.1", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n.laptop = sim_add_member(n.s, "laptop", "55.2.1.10", -1, 10000);
    n.device = simdevice_add(n.all, "electron-1", "10.41.0.2", n.nat, 60000);
    return n;
}

static struct net online(uint64_t seed)
{
    struct net n = net_new(seed);

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

static void a_device_joins_by_invite_and_answers_pings_of_a_laptop(void **state)
{
    struct net n = online(1);

    (void)state;
    assert_int_equal(n.s->coord.store.member_count, 2);
    assert_true(ping(&n, 4, 84, TN_S(2)));
    assert_true(ping(&n, 4, BRIDGE_MTU, TN_S(2)));
    assert_true(ping(&n, 6, 104, TN_S(2)));
    assert_true(ping(&n, 4, TN_DEVICE_MTU, TN_S(2)));
    assert_true(ping(&n, 6, BRIDGE_MTU, TN_S(2)));
    assert_true(ping(&n, 6, 1280, TN_S(2))); /* each way in two fragments */
    assert_int_equal(simdevice_info(n.all, n.device).peers, 1);
    done(&n);
}

static void a_laptop_reaches_a_device_that_was_reset_within_ten_seconds(void **state)
{
    struct net n = online(2);
    uint64_t from;

    (void)state;
    assert_true(ping(&n, 4, 84, TN_S(2)));
    simdevice_cut(n.all, n.device);
    sim_run(n.s, TN_S(1));
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    from = n.s->w->now.us;
    for (int i = 0; i < 20 && !ping(&n, 4, 84, TN_MS(500)); i++)
        assert_in_range(n.s->w->now.us - from, 0, TN_S(10));
    assert_in_range(n.s->w->now.us - from, 0, TN_S(10));
    print_message("# back after a reset: %llu ms\n", (unsigned long long)(n.s->w->now.us - from) / 1000);
    done(&n);
}

/* Seven members speak with a device that has room for four: each is answered, those that were idle longest make
 * room, and a session that lives is kept. */
static void a_device_speaks_with_more_members_than_it_has_room_for(void **state)
{
    struct net n = net_new(3);
    int member[7] = {n.laptop};
    char name[8] = "m0", ip[16];

    (void)state;
    for (int i = 1; i < 7; i++) {
        name[1] = (char)('0' + i);
        snprintf(ip, sizeof ip, "55.2.%d.10", i + 1);
        member[i] = sim_add_member(n.s, name, ip, -1, 10000);
    }
    assert_int_equal(simdevice_boot(n.all, n.device), 0);
    sim_run(n.s, TN_S(20));
    for (int i = 0; i < BRIDGE_PEERS; i++) {
        n.laptop = member[i];
        assert_true(ping(&n, 4, 84, TN_S(12)));
    }
    n.laptop = member[BRIDGE_PEERS];
    assert_false(ping(&n, 4, 84, TN_S(12))); /* everybody else is in the middle of something */
    for (int i = 0; i < BRIDGE_PEERS; i++) {
        n.laptop = member[i];
        assert_true(ping(&n, 4, 84, TN_S(2)));
    }
    sim_run(n.s, TN_S(400));
    for (int i = 6; i >= 0; i--) {
        n.laptop = member[i];
        assert_true(ping(&n, 4, 84, TN_S(12)));
        sim_run(n.s, TN_S(200));
    }
    done(&n);
}

/* A packet of the device's own to a member that it does not know yet. */
static size_t keep(void *ctx, struct bridge_datagram *d)
{
    (void)ctx;
    (void)d;
    return 0;
}

static bool has_hello(void *ctx)
{
    struct net *n = ctx;
    const struct simnode *m = &n->s->node[n->laptop];

    return m->last_len == 33 && !memcmp(m->last + 28, "hello", 5);
}

static void a_device_can_speak_first(void **state)
{
    struct net n = online(4);
    struct bridge *b = n.all->d[n.device].bridge;
    struct tn_addr to = tn_card_address4(&n.s->node[n.laptop].card), nobody = to;

    (void)state;
    to.port = 9000;
    nobody.port = 9000;
    nobody.ip[15] = 200;
    assert_int_equal(bridge_udp_bind(b, 9000, keep, NULL), 0);
    assert_int_equal(bridge_udp_send(b, 9000, &to, "hello", 5, simdevice_now(n.all, n.device)), 0);
    simdevice_pump(n.all, n.device);
    assert_true(sim_run_until(n.s, has_hello, &n, TN_S(2)));
    /* nobody has that address: the queue is free again soon */
    for (int i = 0; i < BRIDGE_QUEUE; i++)
        assert_int_equal(bridge_udp_send(b, 9000, &nobody, "hello", 5, simdevice_now(n.all, n.device)), 0);
    simdevice_pump(n.all, n.device);
    assert_int_equal(bridge_udp_send(b, 9000, &to, "hello", 5, simdevice_now(n.all, n.device)), TN_ENOSPC);
    sim_run(n.s, TN_S(6));
    assert_int_equal(bridge_udp_send(b, 9000, &to, "hello", 5, simdevice_now(n.all, n.device)), 0);
    done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_joins_by_invite_and_answers_pings_of_a_laptop),
        cmocka_unit_test(a_laptop_reaches_a_device_that_was_reset_within_ten_seconds),
        cmocka_unit_test(a_device_speaks_with_more_members_than_it_has_room_for),
        cmocka_unit_test(a_device_can_speak_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
