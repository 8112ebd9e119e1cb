/* A network that changes under a stream: NATs that give another port, at one end and at both; a link that is metered. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "simnode.h"

#define SEEDS 10

struct net {
    struct sim *s;
    int a, b, nat_a, nat_b;
};

/* Two port-restricted NATs whose ports count up, so that each mapping is at another place. */
static struct net members(uint64_t seed)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.nat_a = world_add_nat(n.s->w, "55.2.1.2", -1, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    n.nat_b = world_add_nat(n.s->w, "55.2.2.2", -1, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    n.s->w->nat[n.nat_a].step = n.s->w->nat[n.nat_b].step = 1;
    n.s->w->nat[n.nat_a].next_port = n.s->w->nat[n.nat_b].next_port = 30000;
    n.a = sim_add_member(n.s, "nas", "192.168.1.10", n.nat_a, 10000);
    n.b = sim_add_member(n.s, "laptop", "192.168.2.10", n.nat_b, 10000);
    sim_run(n.s, TN_S(40));
    return n;
}

/* A stream both ways, a packet each 5 ms. */
static void stream(struct net *n, uint64_t for_us)
{
    static uint32_t tag;

    for (uint64_t us = 0; us < for_us; us += 5000) {
        sim_send(n->s, n->a, n->b, 500, ++tag);
        sim_send(n->s, n->b, n->a, 500, tag);
        sim_run(n->s, 5000);
    }
}

static bool is_direct(const struct net *n)
{
    return sim_path(n->s, n->a, n->b) == TN_PATH_DIRECT && sim_path(n->s, n->b, n->a) == TN_PATH_DIRECT;
}

/* The longest gap of a stream, in microseconds, after NATs have lost their tables. */
static uint64_t gap_after_rebinding(uint64_t seed, bool both)
{
    struct net n = members(seed);
    struct simnode *a = &n.s->node[n.a], *b = &n.s->node[n.b];
    uint64_t gap_us;

    stream(&n, TN_S(3) + seed * 37000);
    assert_true(is_direct(&n));
    a->longest_gap_us = b->longest_gap_us = 0;
    world_forget_mappings(n.s->w, n.nat_a);
    if (both)
        world_forget_mappings(n.s->w, n.nat_b);
    stream(&n, TN_S(2));
    assert_true(is_direct(&n));
    gap_us = a->longest_gap_us > b->longest_gap_us ? a->longest_gap_us : b->longest_gap_us;
    sim_free(n.s);
    return gap_us;
}

static void a_stream_outlives_a_new_port_at_one_end_with_a_gap_of_half_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        assert_in_range(gap_after_rebinding(seed, false), 1, TN_MS(500));
}

static void a_stream_outlives_new_ports_at_both_ends_with_a_gap_of_half_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        assert_in_range(gap_after_rebinding(seed, true), 1, TN_MS(500));
}

/* What `from` has sent on direct ways to `to`. */
static uint64_t sent_direct(const struct net *n, int from, int to)
{
    uint32_t peer = sim_peer_slot(n->s, from, to);
    uint64_t packets = 0;
    struct tn_cand c;

    for (uint32_t i = 0; tn_node_peer_candidate(n->s->node[from].node, peer, i, &c); i++)
        packets += c.out_packets;
    return packets;
}

static uint64_t sent_by_both(const struct net *n)
{
    return sent_direct(n, n->a, n->b) + sent_direct(n, n->b, n->a);
}

static void an_idle_path_to_a_metered_link_gets_no_heartbeat_from_either_end(void **state)
{
    struct tn_nat nat = {.mapping = TN_NAT_ENDPOINT, .filtering = TN_NAT_FILTER_PORT,
                         .ports = TN_NAT_PORTS_PRESERVED};
    struct net n = members(3);
    uint64_t before;

    (void)state;
    stream(&n, TN_S(3));
    assert_true(is_direct(&n));
    sim_run(n.s, TN_S(60));
    before = sent_by_both(&n);
    sim_run(n.s, TN_S(300));
    assert_true(sent_by_both(&n) >= before + 10); /* so it is counted */

    nat.reserved = true;
    tn_node_set_nat(n.s->node[n.a].node, &nat, n.s->w->now);
    sim_run(n.s, TN_S(60)); /* the other end hears it */
    before = sent_by_both(&n);
    sim_run(n.s, TN_S(600));
    assert_int_equal(sent_by_both(&n), before);
    stream(&n, TN_S(3));
    assert_true(is_direct(&n));

    nat.reserved = false;
    tn_node_set_nat(n.s->node[n.a].node, &nat, n.s->w->now);
    sim_run(n.s, TN_S(60));
    before = sent_by_both(&n);
    sim_run(n.s, TN_S(300));
    assert_true(sent_by_both(&n) >= before + 10);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_outlives_a_new_port_at_one_end_with_a_gap_of_half_a_second),
        cmocka_unit_test(an_idle_path_to_a_metered_link_gets_no_heartbeat_from_either_end),
        cmocka_unit_test(a_stream_outlives_new_ports_at_both_ends_with_a_gap_of_half_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
