/* TCP between two members of which one, or both, have no UDP: who tells whom what, and what becomes of a connection.
 * The program's part is played here: its connections are a queue. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "libtunnel/node_tcp.h"
#include "libtunnel/tcp.h"
#include "simnode.h"

#define QUEUE 128
#define STEP_US TN_MS(10) /* so long a datagram takes by a connection */

static struct net {
    struct sim *s;
    int a, b;
    struct tn_addr end[2]; /* the connection, as each calls it */
    bool cut;
    struct {
        int to;
        size_t len;
        uint8_t data[SIM_PACKET_LEN];
    } queue[QUEUE];
    size_t count;
    uint64_t full; /* datagrams of full size that were sent by it */
    uint64_t data;          /* packets that came by it */
} net;

static const struct tn_nat blocked = {.mapping = TN_NAT_BLOCKED};
static const struct tn_nat easy = {.mapping = TN_NAT_ENDPOINT, .filtering = TN_NAT_FILTER_PORT};

static struct tn_node *node(int i)
{
    return net.s->node[i].node;
}

static uint32_t slot(int from, int to)
{
    return sim_peer_slot(net.s, from, to);
}

static void on_stream(struct simnode *n, const struct tn_addr *to, const struct tn_buf *b)
{
    int from = n == &net.s->node[net.a] ? 0 : 1;

    assert_true(tn_addr_equal(to, &net.end[from]));
    net.full += b->len > 1400;
    if (net.cut)
        return;
    assert_true(net.count < QUEUE && b->len <= SIM_PACKET_LEN);
    net.queue[net.count].to = from ? net.a : net.b;
    net.queue[net.count].len = b->len;
    memcpy(net.queue[net.count++].data, b->mem + b->off, b->len);
}

static void deliver(void)
{
    size_t count = net.count;

    for (size_t i = 0; i < count; i++) {
        uint8_t mem[SIM_PACKET_LEN];
        struct tn_buf b = {.mem = mem, .cap = sizeof mem, .len = net.queue[i].len};
        int to = net.queue[i].to;
        uint32_t peer = TN_NO_PEER;

        memcpy(mem, net.queue[i].data, b.len);
        net.data += tn_from_net(node(to), &b, &net.end[to == net.a ? 0 : 1], net.s->w->now, &peer) == TN_DELIVER;
        sim_pump(net.s, to);
    }
    memmove(net.queue, net.queue + count, (net.count - count) * sizeof net.queue[0]);
    net.count -= count;
}

static void run(uint64_t us)
{
    for (uint64_t done = 0; done < us; done += STEP_US) {
        sim_run(net.s, STEP_US);
        deliver();
    }
}

/* Traffic from a to b for so many tenths of a second. */
static void talk(unsigned tenths)
{
    static uint32_t tag;

    for (unsigned i = 0; i < tenths; i++) {
        sim_send(net.s, net.a, net.b, 500, ++tag);
        run(TN_MS(100));
    }
}

static unsigned events(int i)
{
    return (unsigned)net.s->node[i].events[TN_EV_TCP];
}

static bool last_is(int i, uint32_t token)
{
    return events(i) > 0 && net.s->node[i].last_event[TN_EV_TCP].token == token;
}

static struct tn_addr outside(uint8_t last, uint16_t port)
{
    const uint8_t ip[4] = {55, 2, last, 2};

    return tn_addr_v4(ip, port);
}

/* UDP between them does not get through: both NATs draw ports. */
static void build(const struct tn_nat *nat_a, const struct tn_nat *nat_b)
{
    const uint8_t share[4] = {0, 0, 0, 1};

    memset(&net, 0, sizeof net);
    net.s = sim_new(sim_seed(7700));
    sim_add_coordinator(net.s, "55.1.0.10", 10000);
    net.a = sim_add_member(net.s, "a", "192.168.1.10",
                           world_add_nat(net.s->w, "55.2.1.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF), 10000);
    net.b = sim_add_member(net.s, "b", "192.168.2.10",
                           world_add_nat(net.s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF), 10000);
    for (int i = 0; i < 2; i++) {
        net.s->node[i ? net.b : net.a].on_stream = on_stream;
        net.end[i] = tn_addr_stream(share, (uint64_t)(i + 1));
        tn_node_set_tcp(node(i ? net.b : net.a), true);
    }
    sim_run(net.s, TN_S(2));
    tn_node_set_nat(node(net.a), nat_a, net.s->w->now);
    tn_node_set_nat(node(net.b), nat_b, net.s->w->now);
}

static int destroy(void **state)
{
    (void)state;
    sim_free(net.s);
    return 0;
}

static void offer(int from, int to, const struct tn_addr *list, size_t count, bool ask)
{
    assert_int_equal(tn_node_tcp_offer(node(from), slot(from, to), list, count, ask, net.s->w->now), TN_OK);
    sim_pump(net.s, from);
}

static void opened(int i)
{
    int other = i == net.a ? net.b : net.a;

    assert_int_equal(tn_node_tcp_opened(node(i), slot(i, other), &net.end[i == net.a ? 0 : 1], net.s->w->now), TN_OK);
    sim_pump(net.s, i);
}

static void closed(int i)
{
    int other = i == net.a ? net.b : net.a;

    tn_node_tcp_closed(node(i), slot(i, other), &net.end[i == net.a ? 0 : 1], net.s->w->now);
    sim_pump(net.s, i);
}

static void each_learns_the_others_addresses_and_the_connection_becomes_the_path(void **state)
{
    struct tn_addr list[TN_TCP_ADDRS_MAX], a = outside(1, 40001), b = outside(2, 40002);

    (void)state;
    build(&blocked, &easy);
    talk(5);
    assert_true(last_is(net.a, TN_TCP_BEGIN));
    assert_int_equal(events(net.b), 0); /* it has UDP: the other begins */
    offer(net.a, net.b, &a, 1, true);
    run(TN_MS(200));
    assert_true(last_is(net.b, TN_TCP_ASKED));
    assert_int_equal(tn_node_tcp_offered(node(net.b), slot(net.b, net.a), list), 1);
    assert_true(tn_addr_equal(&list[0], &a));
    offer(net.b, net.a, &b, 1, false);
    run(TN_MS(200));
    assert_true(last_is(net.a, TN_TCP_ANSWERED));
    assert_int_equal(tn_node_tcp_offered(node(net.a), slot(net.a, net.b), list), 1);
    assert_true(tn_addr_equal(&list[0], &b));
    opened(net.a);
    opened(net.b);
    talk(10);
    assert_int_equal(sim_path(net.s, net.a, net.b), TN_PATH_DIRECT);
    assert_int_equal(sim_path(net.s, net.b, net.a), TN_PATH_DIRECT);
    assert_true(net.data > 3);
}

/* b accepted a connection of which it knows nothing: a's PING tells. */
static void one_end_that_knows_is_enough(void **state)
{
    (void)state;
    build(&blocked, &blocked);
    talk(5);
    opened(net.a);
    talk(10);
    assert_int_equal(sim_path(net.s, net.a, net.b), TN_PATH_DIRECT);
    assert_int_equal(sim_path(net.s, net.b, net.a), TN_PATH_DIRECT);
}

static void a_connection_that_is_cut_is_left_for_the_relay_and_forgotten_when_it_ends(void **state)
{
    struct tn_cand c;
    uint64_t relayed;

    (void)state;
    build(&blocked, &blocked);
    talk(5);
    opened(net.a);
    talk(20);
    assert_int_equal(sim_path(net.s, net.a, net.b), TN_PATH_DIRECT);
    net.cut = true;
    talk(30);
    assert_int_equal(sim_path(net.s, net.a, net.b), TN_PATH_RELAY);
    relayed = net.s->coord.relayed;
    closed(net.a);
    closed(net.b);
    talk(10);
    assert_true(net.s->coord.relayed >= relayed + 10);
    for (uint32_t i = 0; tn_node_peer_candidate(node(net.a), slot(net.a, net.b), i, &c); i++)
        assert_int_not_equal(c.origin, TN_CAND_TCP);
}

/* What answers is not the peer: nothing it says is authentic, and it never gets a packet of full size. */
static void a_connection_with_somebody_else_carries_nothing(void **state)
{
    uint8_t junk[148] = {4};

    (void)state;
    build(&blocked, &blocked);
    talk(5);
    opened(net.a);
    net.cut = true; /* what a sends goes to nobody who could open it */
    for (int i = 0; i < 20; i++) {
        struct tn_buf b = {.mem = junk, .cap = sizeof junk, .len = sizeof junk};
        uint32_t peer = TN_NO_PEER;

        assert_int_equal(tn_from_net(node(net.a), &b, &net.end[0], net.s->w->now, &peer), TN_DROP);
        assert_int_equal(peer, TN_NO_PEER);
        talk(1);
    }
    assert_int_equal(net.full, 0);
    assert_int_equal(sim_path(net.s, net.a, net.b), TN_PATH_RELAY);
}

static void nothing_begins_where_udp_passes_or_tcp_is_off(void **state)
{
    (void)state;
    build(&easy, &easy);
    talk(100);
    assert_int_equal(events(net.a) + events(net.b), 0);
    sim_free(net.s);
    build(&blocked, &blocked);
    tn_node_set_tcp(node(net.a), false);
    tn_node_set_tcp(node(net.b), false);
    talk(100);
    assert_int_equal(events(net.a) + events(net.b), 0);
}

static void who_has_it_off_says_so(void **state)
{
    struct tn_addr a = outside(1, 40001), list[TN_TCP_ADDRS_MAX];

    (void)state;
    build(&blocked, &easy);
    tn_node_set_tcp(node(net.b), false);
    talk(5);
    offer(net.a, net.b, &a, 1, true);
    run(TN_MS(300));
    assert_true(last_is(net.a, TN_TCP_ANSWERED));
    assert_int_equal(tn_node_tcp_offered(node(net.a), slot(net.a, net.b), list), 0);
    assert_int_equal(events(net.b), 0);
}

static void it_is_not_tried_too_often(void **state)
{
    (void)state;
    build(&blocked, &easy);
    talk(250);
    assert_int_equal(events(net.a), 1);
    talk(6000);
    assert_in_range(events(net.a), 3, 6);
}

static void a_peer_that_asks_again_and_again_is_served_seldom(void **state)
{
    struct tn_addr a = outside(1, 40001), b = outside(2, 40002);
    unsigned answers = 0;

    (void)state;
    build(&easy, &easy);
    talk(5);
    for (int i = 0; i < 30; i++) { /* 15 s */
        unsigned before = events(net.a);

        offer(net.a, net.b, &a, 1, true);
        talk(2);
        if (i == 0)
            offer(net.b, net.a, &b, 1, false);
        talk(3);
        answers += events(net.a) > before;
    }
    assert_int_equal(events(net.b), 1);
    assert_in_range(answers, 2, 17); /* repeated while it may have been lost, and no longer */
}

static void an_answer_that_nobody_asked_for_changes_nothing(void **state)
{
    struct tn_addr b = outside(2, 40002), list[TN_TCP_ADDRS_MAX];

    (void)state;
    build(&easy, &easy);
    talk(5);
    offer(net.b, net.a, &b, 1, false);
    run(TN_MS(300));
    assert_int_equal(events(net.a), 0);
    assert_int_equal(tn_node_tcp_offered(node(net.a), slot(net.a, net.b), list), 0);
}

static void nobody_is_sent_to_loopback_the_overlay_or_a_service(void **state)
{
    const uint8_t loopback[4] = {127, 0, 0, 1}, inner[4] = {10, 77, 0, 1}, multicast[4] = {224, 0, 0, 1};
    struct tn_addr bad[] = {tn_addr_v4(loopback, 40000), tn_addr_v4(inner, 40000), tn_addr_v4(multicast, 40000),
                            outside(1, 25), outside(1, 1023), net.end[0]};
    struct tn_addr list[TN_TCP_ADDRS_MAX], good = outside(1, 1024);

    (void)state;
    build(&blocked, &easy);
    talk(5);
    offer(net.a, net.b, bad, 6, true);
    run(TN_MS(300));
    assert_true(last_is(net.b, TN_TCP_ASKED));
    assert_int_equal(tn_node_tcp_offered(node(net.b), slot(net.b, net.a), list), 0);
    run(TN_S(21));
    bad[5] = good;
    offer(net.a, net.b, bad, 6, true);
    run(TN_MS(300));
    assert_int_equal(tn_node_tcp_offered(node(net.b), slot(net.b, net.a), list), 1);
    assert_true(tn_addr_equal(&list[0], &good));
}

/* Candidates that were silent for want of UDP are left alone for ten minutes, but not when UDP passes again. */
static void when_udp_passes_again_all_is_tried_anew(void **state)
{
    struct tn_cand c;
    bool quiet = false;

    (void)state;
    build(&easy, &easy);
    talk(300);
    for (uint32_t i = 0; tn_node_peer_candidate(node(net.a), slot(net.a, net.b), i, &c); i++)
        quiet = quiet || c.quiet_until_us > net.s->w->now.us;
    assert_true(quiet);
    node(net.a)->coord.home = TN_FAMILY_STREAM; /* as the coordinator's client would have it */
    tn_tcp_watch_udp(node(net.a), net.s->w->now);
    tn_tcp_watch_udp(node(net.a), net.s->w->now);
    sim_pump(net.s, net.a);
    assert_int_equal(events(net.a), 1); /* said once */
    assert_true(last_is(net.a, TN_TCP_UDP));
    node(net.a)->coord.home = TN_FAMILY_V4;
    tn_tcp_watch_udp(node(net.a), net.s->w->now);
    sim_pump(net.s, net.a);
    assert_int_equal(events(net.a), 2);
    for (uint32_t i = 0; tn_node_peer_candidate(node(net.a), slot(net.a, net.b), i, &c); i++)
        assert_int_equal(c.quiet_until_us, 0);
    node(net.a)->connected = false;
    node(net.a)->coord.home = TN_FAMILY_STREAM; /* TLS is tried to one that is dead */
    tn_tcp_watch_udp(node(net.a), net.s->w->now);
    sim_pump(net.s, net.a);
    assert_int_equal(events(net.a), 2);
}

static void a_peer_that_is_none_is_refused(void **state)
{
    struct tn_addr a = outside(1, 40001), list[TN_TCP_ADDRS_MAX];

    (void)state;
    build(&blocked, &easy);
    assert_int_equal(tn_node_tcp_offer(node(net.a), 15, &a, 1, true, net.s->w->now), TN_ENOENT);
    assert_int_equal(tn_node_tcp_opened(node(net.a), 15, &net.end[0], net.s->w->now), TN_ENOENT);
    assert_int_equal(tn_node_tcp_offered(node(net.a), 15, list), 0);
    tn_node_tcp_closed(node(net.a), 15, &net.end[0], net.s->w->now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_learns_the_others_addresses_and_the_connection_becomes_the_path, destroy),
        cmocka_unit_test_teardown(one_end_that_knows_is_enough, destroy),
        cmocka_unit_test_teardown(a_connection_that_is_cut_is_left_for_the_relay_and_forgotten_when_it_ends, destroy),
        cmocka_unit_test_teardown(a_connection_with_somebody_else_carries_nothing, destroy),
        cmocka_unit_test_teardown(nothing_begins_where_udp_passes_or_tcp_is_off, destroy),
        cmocka_unit_test_teardown(who_has_it_off_says_so, destroy),
        cmocka_unit_test_teardown(it_is_not_tried_too_often, destroy),
        cmocka_unit_test_teardown(a_peer_that_asks_again_and_again_is_served_seldom, destroy),
        cmocka_unit_test_teardown(an_answer_that_nobody_asked_for_changes_nothing, destroy),
        cmocka_unit_test_teardown(nobody_is_sent_to_loopback_the_overlay_or_a_service, destroy),
        cmocka_unit_test_teardown(when_udp_passes_again_all_is_tried_anew, destroy),
        cmocka_unit_test_teardown(a_peer_that_is_none_is_refused, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
