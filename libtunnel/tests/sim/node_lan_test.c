/* Members of one LAN, while the coordinator is away. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simnode.h"

struct net {
    struct sim *s;
    int a, b;
    uint32_t tag;
};

static bool b_has_tag(void *ctx)
{
    struct net *n = ctx;

    return sim_last_tag_is(&n->s->node[n->b], n->tag);
}

static bool to_b(struct net *n, uint64_t max_us)
{
    sim_send(n->s, n->a, n->b, 84, ++n->tag);
    return sim_run_until(n->s, b_has_tag, n, max_us);
}

/* To every other node: all are on one LAN here. */
static void on_lan(struct simnode *n, const struct tn_buf *b)
{
    struct world *w = n->sim->w;

    n->lan_sent++;
    for (int i = 0; i < SIM_NODES; i++) {
        const struct simnode *other = &n->sim->node[i];
        struct tn_addr to;

        if (!other->used || other == n)
            continue;
        to = w->host[other->host].ip;
        to.port = SIM_PORT;
        world_send(w, n->host, SIM_PORT, &to, 1, tn_buf_data(b), b->len);
    }
}

/* After a restart the roster is what was on the disk. */
static void restart(struct net *n, int i, bool lan)
{
    uint8_t card[TN_CARD_MAX_LEN];
    size_t len;
    int other = i == n->a ? n->b : n->a;

    sim_restart(n->s, i);
    assert_int_equal(tn_card_encode(&n->s->node[other].card, card, sizeof card, &len), 0);
    assert_int_equal(tn_node_load_member(n->s->node[i].node, card, len, n->s->w->now), 0);
    tn_node_set_lan(n->s->node[i].node, lan, n->s->w->now);
    n->s->node[i].lan_sent = 0;
    n->s->node[i].on_lan = on_lan;
}

/* Two members who know each other from the coordinator, which is then gone; both restarted. */
static struct net alone(uint64_t seed, bool lan)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.a = sim_add_member(n.s, "nas", "55.2.1.10", -1, 500);
    n.b = sim_add_member(n.s, "laptop", "55.2.1.11", -1, 500);
    sim_run(n.s, TN_S(40));
    assert_true(to_b(&n, TN_S(2)));
    sim_coordinator_stop(n.s);
    restart(&n, n.a, lan);
    restart(&n, n.b, lan);
    return n;
}

static void two_members_find_each_other_without_the_coordinator(void **state)
{
    struct net n = alone(1, true);
    uint64_t start_us = n.s->w->now.us;

    assert_true(to_b(&n, TN_S(2)));
    assert_in_range(n.s->w->now.us - start_us, TN_MS(500), TN_S(1));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_DIRECT);
    sim_run(n.s, TN_S(1));
    assert_int_equal(sim_path(n.s, n.b, n.a), TN_PATH_DIRECT);
    assert_int_equal(n.s->node[n.a].lan_sent, 1);
    assert_int_equal(n.s->node[n.b].lan_sent, 0);
    sim_free(n.s);
}

static void without_leave_nothing_is_multicast(void **state)
{
    struct net n = alone(2, false);

    assert_false(to_b(&n, TN_S(20)));
    assert_int_equal(n.s->node[n.a].lan_sent, 0);
    sim_free(n.s);
}

static void while_the_coordinator_is_there_nothing_is_multicast(void **state)
{
    struct net n = alone(3, true);

    sim_coordinator_start(n.s);
    restart(&n, n.a, true);
    restart(&n, n.b, true);
    sim_run(n.s, TN_S(3));
    assert_true(to_b(&n, TN_S(2)));
    sim_run(n.s, TN_S(60));
    assert_true(to_b(&n, TN_S(2)));
    assert_int_equal(n.s->node[n.a].lan_sent + n.s->node[n.b].lan_sent, 0);
    sim_free(n.s);
}

/* Who is not there is looked for as often as WireGuard asks, for as long as it asks. */
static void a_member_who_is_elsewhere_costs_one_multicast_in_five_seconds(void **state)
{
    struct net n = alone(4, true);

    n.s->node[n.b].used = false;
    sim_send(n.s, n.a, n.b, 84, ++n.tag);
    sim_run(n.s, TN_S(200));
    assert_in_range(n.s->node[n.a].lan_sent, 15, 20);
    n.s->node[n.b].used = true;
    sim_free(n.s);
}

static void a_copy_of_a_multicast_makes_nothing(void **state)
{
    struct net n = alone(5, true);
    struct simnode *a = &n.s->node[n.a], *b = &n.s->node[n.b];
    uint8_t mem[2048], copy[TN_WG_INITIATION_LEN];
    struct tn_buf buf = {.mem = mem, .cap = sizeof mem};
    const struct tn_addr thief = tn_addr_v4((const uint8_t[]){55, 2, 1, 66}, 4444);
    struct tn_route route = {0};
    uint32_t peer;

    b->used = false; /* what is sent to it is shown here first */
    sim_send(n.s, n.a, n.b, 84, ++n.tag);
    n.s->w->now.us += TN_MS(600);
    tn_tick(a->node, n.s->w->now);
    while (!tn_addr_is_lan(&route.to))
        assert_true(tn_poll_out(a->node, &buf, n.s->w->now, &route));
    assert_int_equal(buf.len, sizeof copy);
    memcpy(copy, tn_buf_data(&buf), sizeof copy);
    b->used = true;
    assert_int_equal(tn_from_net(b->node, &buf, &thief, n.s->w->now, &peer), TN_CONSUMED);
    while (tn_poll_out(b->node, &buf, n.s->w->now, &route) && !tn_addr_equal(&route.to, &thief))
        ;
    assert_true(tn_addr_equal(&route.to, &thief)); /* the first to bring it is answered: it may be the sender */
    memcpy(tn_buf_data(&buf), copy, sizeof copy);
    buf.len = sizeof copy;
    (void)tn_from_net(b->node, &buf, &thief, n.s->w->now, &peer);
    while (tn_poll_out(b->node, &buf, n.s->w->now, &route))
        assert_false(tn_addr_equal(&route.to, &thief) && tn_buf_data(&buf)[0] == 2); /* the stamp is known */
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_find_each_other_without_the_coordinator),
        cmocka_unit_test(without_leave_nothing_is_multicast),
        cmocka_unit_test(while_the_coordinator_is_there_nothing_is_multicast),
        cmocka_unit_test(a_member_who_is_elsewhere_costs_one_multicast_in_five_seconds),
        cmocka_unit_test(a_copy_of_a_multicast_makes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
