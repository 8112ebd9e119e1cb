/* A NAT that draws a port for each peer against one that lets in only ports it has sent to:
 * found in a block of ports, found where ports are counted, and left alone where it would cost
 * too much or cannot be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simnode.h"

#define DELAY_US 10000
#define BUDGET 20000

struct net {
    struct sim *s;
    int hard, easy;
    struct world_nat *nat; /* the hard one's */
};

static const struct tn_nat easy_nat = {.mapping = TN_NAT_ENDPOINT, .filtering = TN_NAT_FILTER_PORT,
                                       .ports = TN_NAT_PORTS_PRESERVED};

/* first 0: it counts by `step` instead of drawing. */
static void build(struct net *n, uint64_t seed, uint16_t first, uint16_t last, int step)
{
    struct tn_nat hard_nat = {.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT};
    int nat;

    n->s = sim_new(seed);
    sim_add_coordinator(n->s, "55.1.0.10", 0);
    nat = world_add_nat(n->s->w, "55.2.1.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n->nat = &n->s->w->nat[nat];
    n->nat->first_port = first;
    n->nat->last_port = last;
    n->nat->step = step;
    n->nat->next_port = 30000;
    n->hard = sim_add_member(n->s, "hard", "192.168.1.10", nat, DELAY_US);
    n->easy = sim_add_member(n->s, "easy", "192.168.2.10",
                             world_add_nat(n->s->w, "55.2.2.2", -1, WORLD_MAP_EIM, WORLD_FILTER_APDF),
                             DELAY_US);
    sim_run(n->s, TN_S(2));
    hard_nat.ports = step ? TN_NAT_PORTS_SEQUENTIAL : TN_NAT_PORTS_RANDOM;
    hard_nat.step = (int16_t)step;
    hard_nat.first_port = first;
    hard_nat.last_port = last;
    tn_node_set_nat(n->s->node[n->hard].node, &hard_nat, n->s->w->now);
    tn_node_set_nat(n->s->node[n->easy].node, &easy_nat, n->s->w->now);
    tn_node_set_search(n->s->node[n->hard].node, BUDGET);
    tn_node_set_search(n->s->node[n->easy].node, BUDGET);
}

static bool is_direct(void *ctx)
{
    struct net *n = ctx;

    return sim_path(n->s, n->hard, n->easy) == TN_PATH_DIRECT &&
           sim_path(n->s, n->easy, n->hard) == TN_PATH_DIRECT;
}

/* Traffic for `for_s` seconds; true as soon as both are direct. */
static bool talk(struct net *n, int from, int to, unsigned for_s)
{
    for (unsigned i = 0; i < for_s * 5; i++) {
        sim_send(n->s, from, to, 100, i);
        if (sim_run_until(n->s, is_direct, n, TN_MS(200)))
            return true;
    }
    return false;
}

/* What both spent on punches, with IP and UDP headers. */
static uint64_t cost(const struct net *n)
{
    return 32 * (n->s->node[n->hard].punches_sent + n->s->node[n->easy].punches_sent);
}

static void a_block_of_512_ports_is_found_98_times_of_100(void **state)
{
    uint64_t seed = sim_seed(9000), worst = 0;
    unsigned direct = 0;

    (void)state;
    for (unsigned run = 0; run < 200; run++) {
        struct net n;
        uint16_t first = (uint16_t)(1024 + 311 * run);

        build(&n, seed + run, first, (uint16_t)(first + 511), 0);
        direct += talk(&n, run % 2 ? n.hard : n.easy, run % 2 ? n.easy : n.hard, 10);
        worst = cost(&n) > worst ? cost(&n) : worst;
        sim_free(n.s);
    }
    print_message("# %u of 200 direct within 10 s, at most %llu bytes\n", direct, (unsigned long long)worst);
    assert_in_range(direct, 196, 200);
    assert_in_range(worst, 1, 20000);
}

static void a_nat_that_counts_is_found(void **state)
{
    static const int steps[] = {1, 2, -1};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct net n;

            build(&n, 9300 + 10 * i + seed, 0, 0, steps[i]);
            assert_true(talk(&n, n.easy, n.hard, 5));
            assert_in_range(cost(&n), 1, 20000);
            sim_free(n.s);
        }
    }
}

static void data_flows_by_the_socket_that_was_found(void **state)
{
    struct net n;
    uint64_t before;

    (void)state;
    build(&n, 9400, 50000, 50511, 0);
    assert_true(talk(&n, n.hard, n.easy, 10));
    assert_int_not_equal(n.s->node[n.hard].search.detour, 0);
    before = n.s->coord.relayed;
    for (uint32_t i = 0; i < 20; i++) {
        sim_send(n.s, n.hard, n.easy, 500, 1000 + i);
        sim_send(n.s, n.easy, n.hard, 500, 2000 + i);
        sim_run(n.s, TN_MS(100));
        assert_true(sim_last_tag_is(&n.s->node[n.easy], 1000 + i));
        assert_true(sim_last_tag_is(&n.s->node[n.hard], 2000 + i));
    }
    assert_int_equal(n.s->coord.relayed, before);
    sim_free(n.s);
}

static void all_ports_are_not_searched_for_that_budget(void **state)
{
    struct net n;

    (void)state;
    build(&n, 9500, 0, 0, 0);
    assert_false(talk(&n, n.easy, n.hard, 10));
    assert_int_equal(n.s->node[n.hard].events[TN_EV_SEARCH], 0);
    sim_free(n.s);
}

static void nothing_is_searched_without_a_budget_at_either_end(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        struct tn_peer_info info;
        struct net n;

        build(&n, 9510, 50000, 50511, 0);
        tn_node_set_search(n.s->node[end ? n.hard : n.easy].node, 0);
        assert_false(talk(&n, n.easy, n.hard, 5));
        assert_true(tn_node_peer_info(n.s->node[n.easy].node, sim_peer_slot(n.s, n.easy, n.hard), &info));
        assert_int_equal(info.search_sent, 0);
        sim_free(n.s);
    }
}

static void who_says_that_he_pays_for_bytes_is_not_searched(void **state)
{
    struct tn_nat reserved = easy_nat;
    struct net n;

    (void)state;
    build(&n, 9520, 50000, 50511, 0);
    reserved.reserved = true;
    tn_node_set_nat(n.s->node[n.easy].node, &reserved, n.s->w->now);
    assert_false(talk(&n, n.easy, n.hard, 5));
    assert_int_equal(n.s->node[n.hard].events[TN_EV_SEARCH], 0);
    sim_free(n.s);
}

static void a_search_that_fails_is_not_repeated_at_once(void **state)
{
    struct net n;

    (void)state;
    build(&n, 9530, 50000, 50511, 0);
    n.nat->first_port = 1024; /* it has changed, and nobody knows */
    n.nat->last_port = 40000;
    talk(&n, n.easy, n.hard, 25);
    assert_int_equal(n.s->node[n.hard].events[TN_EV_SEARCH], 1);
    talk(&n, n.easy, n.hard, 600);
    assert_in_range(n.s->node[n.hard].events[TN_EV_SEARCH], 2, 5);
    sim_free(n.s);
}

/* A member that names any address has no one sent to it: only where the coordinator sees the peer. */
static void only_the_peers_own_address_is_ever_probed(void **state)
{
    struct net n;

    (void)state;
    build(&n, 9540, 50000, 50511, 0);
    tn_node_search_sent(n.s->node[n.hard].node, sim_peer_slot(n.s, n.hard, n.easy), 0, n.s->w->now);
    sim_pump(n.s, n.hard);
    sim_run(n.s, TN_S(1)); /* no candidates are known, so nothing is probed, whatever it says */
    assert_int_equal(n.s->node[n.easy].punches_sent, 0);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_512_ports_is_found_98_times_of_100),
        cmocka_unit_test(a_nat_that_counts_is_found),
        cmocka_unit_test(data_flows_by_the_socket_that_was_found),
        cmocka_unit_test(all_ports_are_not_searched_for_that_budget),
        cmocka_unit_test(nothing_is_searched_without_a_budget_at_either_end),
        cmocka_unit_test(who_says_that_he_pays_for_bytes_is_not_searched),
        cmocka_unit_test(a_search_that_fails_is_not_repeated_at_once),
        cmocka_unit_test(only_the_peers_own_address_is_ever_probed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
