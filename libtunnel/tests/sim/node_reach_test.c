/* Members behind each kind of NAT ask the coordinator to dial back: what they learn is
 * what the NAT does, and a gateway's mapping is believed only when it forwards. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simnode.h"

#define DELAY_US 10000

struct net {
    struct sim *s;
    int a, nat;
};

static void build(struct net *n, uint64_t seed, bool two_addresses, enum world_mapping mapping,
                  enum world_filter filter)
{
    n->s = sim_new(sim_seed(seed));
    sim_add_coordinator(n->s, "55.1.0.10", 0);
    if (two_addresses)
        sim_add_coordinator_address(n->s, "55.1.0.11", 0);
    n->nat = world_add_nat(n->s->w, "55.2.1.2", -1, mapping, filter);
    n->a = sim_add_member(n->s, "a", "192.168.1.10", n->nat, DELAY_US);
}

static struct tn_node *node_of(const struct net *n)
{
    return n->s->node[n->a].node;
}

static struct tn_addr observed(const struct net *n)
{
    struct tn_coord_info info;

    tn_node_coord_info(node_of(n), &info);
    return info.observed_v4;
}

static uint8_t verdict(const struct net *n, const struct tn_addr *addr)
{
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(node_of(n), i, &row); i++) {
        if (tn_addr_equal(&row.addr, addr))
            return row.verdict;
    }
    return 255;
}

static void a_member_learns_what_its_nat_lets_in(void **state)
{
    static const struct {
        enum world_mapping mapping;
        enum world_filter filter;
        bool two_addresses;
        uint8_t verdict;
    } rows[] = {
        {WORLD_MAP_EIM, WORLD_FILTER_EIF, true, TN_REACH_OPEN},
        {WORLD_MAP_EIM, WORLD_FILTER_ADF, true, TN_REACH_RESTRICTED},
        {WORLD_MAP_EIM, WORLD_FILTER_APDF, true, TN_REACH_CLOSED},
        {WORLD_MAP_APDM, WORLD_FILTER_APDF, true, TN_REACH_CLOSED},
        {WORLD_MAP_EIM, WORLD_FILTER_EIF, false, TN_REACH_OPEN},
        {WORLD_MAP_EIM, WORLD_FILTER_ADF, false, TN_REACH_OPEN}, /* one address cannot tell */
        {WORLD_MAP_EIM, WORLD_FILTER_APDF, false, TN_REACH_CLOSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net n;
        struct tn_addr at;

        build(&n, 300 + i, rows[i].two_addresses, rows[i].mapping, rows[i].filter);
        sim_run(n.s, TN_S(5));
        at = observed(&n);
        assert_int_equal(verdict(&n, &at), rows[i].verdict);
        assert_int_equal(n.s->node[n.a].events[TN_EV_REACH], 1);
        assert_int_equal(n.s->node[n.a].last_event[TN_EV_REACH].status, rows[i].verdict);
        sim_free(n.s);
    }
}

static void a_member_without_a_nat_is_open(void **state)
{
    struct net n = {.s = sim_new(sim_seed(310))};
    struct tn_addr at;

    (void)state;
    sim_add_coordinator(n.s, "55.1.0.10", 0);
    sim_add_coordinator_address(n.s, "55.1.0.11", 0);
    n.a = sim_add_member(n.s, "a", "55.2.1.10", -1, DELAY_US);
    sim_run(n.s, TN_S(5));
    at = observed(&n);
    assert_int_equal(verdict(&n, &at), TN_REACH_OPEN);
    sim_free(n.s);
}

/* What the gateway has mapped for the node: in the world, a row that it could not have made itself. */
static struct tn_addr map_port(struct net *n, uint16_t port, bool forwards)
{
    struct world_nat *nat = &n->s->w->nat[n->nat];
    struct tn_cand_wire list[2] = {{.origin = TN_CAND_HOST}, {.origin = TN_CAND_MAPPED}};

    list[0].addr = n->s->w->host[n->s->node[n->a].host].ip;
    list[0].addr.port = SIM_PORT;
    list[1].addr = nat->ip;
    list[1].addr.port = port;
    if (forwards)
        nat->forward = (struct world_forward){.port = port, .inside = list[0].addr};
    tn_node_set_candidates(node_of(n), list, 2, n->s->w->now);
    sim_pump(n->s, n->a);
    return list[1].addr;
}

static bool told(struct net *n, const struct tn_addr *addr)
{
    const struct tn_server *server = n->s->coord.server;

    for (uint32_t i = 0; i < server->mem.session_count; i++) {
        const struct tn_server_session *x = &server->mem.session[i];

        for (uint8_t k = 0; x->state == TN_SERVER_MEMBER && k < x->cand_count; k++) {
            if (tn_addr_equal(&x->cand[k].addr, addr))
                return true;
        }
    }
    return false;
}

static void a_mapping_that_forwards_is_open_whatever_the_nat(void **state)
{
    struct net n;
    struct tn_addr mapped, at;

    (void)state;
    build(&n, 320, true, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    sim_run(n.s, TN_S(5));
    mapped = map_port(&n, 51820, true);
    sim_run(n.s, TN_S(5));
    at = observed(&n);
    assert_int_equal(verdict(&n, &mapped), TN_REACH_OPEN);
    assert_int_equal(verdict(&n, &at), TN_REACH_CLOSED);
    assert_true(told(&n, &mapped));
    sim_free(n.s);
}

static void a_mapping_that_does_not_forward_is_reported_and_told_to_nobody(void **state)
{
    struct net n;
    struct tn_addr mapped;

    (void)state;
    build(&n, 321, true, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    sim_run(n.s, TN_S(5));
    mapped = map_port(&n, 51820, false);
    sim_run(n.s, TN_S(10));
    assert_int_equal(n.s->node[n.a].last_event[TN_EV_REACH].status, TN_REACH_CLOSED);
    assert_int_equal(n.s->node[n.a].last_event[TN_EV_REACH].token, TN_CAND_MAPPED);
    assert_true(tn_addr_equal(&n.s->node[n.a].last_event[TN_EV_REACH].addr, &mapped));
    assert_false(told(&n, &mapped));
    sim_free(n.s);
}

static void a_mapping_of_another_router_is_not_ours_to_check(void **state)
{
    struct net n;
    struct tn_cand_wire list = {.origin = TN_CAND_MAPPED, .addr = world_ip("55.9.9.9")};

    (void)state;
    build(&n, 322, true, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    list.addr.port = 51820;
    sim_run(n.s, TN_S(5));
    tn_node_set_candidates(node_of(&n), &list, 1, n.s->w->now);
    sim_run(n.s, TN_S(5));
    assert_int_equal(verdict(&n, &list.addr), TN_REACH_ELSEWHERE);
    sim_free(n.s);
}

static void lost_datagrams_do_not_close_an_open_address(void **state)
{
    struct net n;
    struct tn_addr at;

    (void)state;
    for (uint64_t seed = 330; seed < 340; seed++) {
        build(&n, seed, true, WORLD_MAP_EIM, WORLD_FILTER_EIF);
        n.s->w->host[n.s->node[n.a].host].loss_ppm = 100000;
        sim_run(n.s, TN_S(120));
        at = observed(&n);
        assert_int_equal(verdict(&n, &at), TN_REACH_OPEN);
        sim_free(n.s);
    }
}

struct path_wanted {
    struct sim *s;
    int a, b;
};

static bool is_direct(void *ctx)
{
    struct path_wanted *p = ctx;

    return sim_path(p->s, p->a, p->b) == TN_PATH_DIRECT && sim_path(p->s, p->b, p->a) == TN_PATH_DIRECT;
}

/* Two symmetric NATs, but one has mapped a port: the other just sends. */
static void a_verified_mapping_makes_any_pair_direct(void **state)
{
    struct net n;
    struct path_wanted wanted;

    (void)state;
    build(&n, 340, true, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    wanted = (struct path_wanted){n.s, n.a, 0};
    wanted.b = sim_add_member(n.s, "b", "192.168.2.10",
                              world_add_nat(n.s->w, "55.2.2.2", -1, WORLD_MAP_APDM,
                                            WORLD_FILTER_APDF),
                              DELAY_US);
    sim_run(n.s, TN_S(5));
    map_port(&n, 51820, true);
    sim_run(n.s, TN_S(5));
    sim_send(n.s, wanted.b, wanted.a, 100, 1);
    assert_true(sim_run_until(n.s, is_direct, &wanted, TN_S(2)));
    sim_free(n.s);
}

/* The two talk all the time, by the mapping; then the gateway forwards nothing any more. */
static void a_mapping_that_stops_to_forward_is_found_out_by_the_path_that_dies(void **state)
{
    (void)state;
    for (uint64_t seed = 341; seed < 346; seed++) {
        struct net n;
        struct path_wanted wanted;
        struct tn_addr mapped;

        build(&n, seed, true, WORLD_MAP_APDM, WORLD_FILTER_APDF);
        wanted = (struct path_wanted){n.s, n.a, 0};
        wanted.b = sim_add_member(n.s, "b", "192.168.2.10",
                                  world_add_nat(n.s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF),
                                  DELAY_US);
        sim_run(n.s, TN_S(5));
        mapped = map_port(&n, 51820, true);
        sim_run(n.s, TN_S(5));
        sim_send(n.s, wanted.b, wanted.a, 100, 1);
        assert_true(sim_run_until(n.s, is_direct, &wanted, TN_S(2)));
        sim_run(n.s, TN_S(30));
        assert_int_equal(verdict(&n, &mapped), TN_REACH_OPEN);
        n.s->w->nat[n.nat].forward.port = 0;
        world_forget_mappings(n.s->w, n.nat);
        for (int i = 0; i < 60 && verdict(&n, &mapped) == TN_REACH_OPEN; i++) { /* 6 s */
            sim_send(n.s, wanted.b, wanted.a, 100, 1);
            sim_send(n.s, wanted.a, wanted.b, 100, 1);
            sim_run(n.s, TN_MS(100));
        }
        assert_int_equal(verdict(&n, &mapped), TN_REACH_CLOSED);
        sim_run(n.s, TN_S(1));
        assert_false(told(&n, &mapped));
        sim_free(n.s);
    }
}

static uint8_t told_mapping(const struct sim *s, int at, int of)
{
    struct tn_peer_info info;

    assert_true(tn_node_peer_info(s->node[at].node, sim_peer_slot(s, at, of), &info));
    return info.nat.mapping;
}

static void members_tell_each_other_what_their_nats_do(void **state)
{
    static const struct tn_nat easy = {.mapping = TN_NAT_ENDPOINT, .filtering = TN_NAT_FILTER_PORT};
    static const struct tn_nat hard = {.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT};
    struct net n;
    int b;

    (void)state;
    build(&n, 350, true, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    b = sim_add_member(n.s, "b", "192.168.2.10",
                       world_add_nat(n.s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF), DELAY_US);
    sim_run(n.s, TN_S(2));
    tn_node_set_nat(node_of(&n), &easy, n.s->w->now);
    tn_node_set_nat(n.s->node[b].node, &hard, n.s->w->now);
    assert_int_equal(told_mapping(n.s, n.a, b), TN_NAT_UNKNOWN);
    sim_send(n.s, n.a, b, 100, 1); /* a session, through the relay */
    sim_run(n.s, TN_S(2));
    assert_int_equal(told_mapping(n.s, n.a, b), TN_NAT_PORT);
    assert_int_equal(told_mapping(n.s, b, n.a), TN_NAT_ENDPOINT);
    tn_node_set_nat(n.s->node[b].node, &easy, n.s->w->now); /* it has moved */
    sim_pump(n.s, b);
    sim_run(n.s, TN_S(1));
    assert_int_equal(told_mapping(n.s, n.a, b), TN_NAT_ENDPOINT);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_learns_what_its_nat_lets_in),
        cmocka_unit_test(a_member_without_a_nat_is_open),
        cmocka_unit_test(a_mapping_that_forwards_is_open_whatever_the_nat),
        cmocka_unit_test(a_mapping_that_does_not_forward_is_reported_and_told_to_nobody),
        cmocka_unit_test(a_mapping_of_another_router_is_not_ours_to_check),
        cmocka_unit_test(lost_datagrams_do_not_close_an_open_address),
        cmocka_unit_test(a_verified_mapping_makes_any_pair_direct),
        cmocka_unit_test(a_mapping_that_stops_to_forward_is_found_out_by_the_path_that_dies),
        cmocka_unit_test(members_tell_each_other_what_their_nats_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
