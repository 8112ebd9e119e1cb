/* What was lost comes back by itself: a coordinator's memory, a clock, a place in a queue, sleep. And the
 * node's deadlines are where its next duty is. */
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

static struct net plain(uint64_t seed)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    n.a = sim_add_plain(n.s, "55.2.1.2", -1, 5000);
    n.b = sim_add_plain(n.s, "55.2.2.2", -1, 5000);
    sim_peer_plain(n.s, n.a, n.b, NULL);
    return n;
}

static struct net members(uint64_t seed)
{
    struct net n = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(n.s, "55.1.0.10", 10000);
    n.a = sim_add_member(n.s, "nas", "55.2.1.10", -1, 10000);
    n.b = sim_add_member(n.s, "laptop", "55.2.2.10", -1, 10000);
    sim_run(n.s, TN_S(40));
    return n;
}

static struct tn_keys *keys_of(struct net *n, int from, int to)
{
    return &n->s->node[from].mem.peers[sim_peer_slot(n->s, from, to)].keys;
}

/* ---- the coordinator forgets ---- */

/* The same key, another memory, so quickly that nobody noticed that it was away. */
static void lose_memory(struct net *n)
{
    sim_coordinator_stop(n->s);
    tn_memstore_init(&n->s->coord.store);
    sim_coordinator_start(n->s);
}

static void a_coordinator_with_an_old_memory_gets_its_members_back(void **state)
{
    struct net n = members(1);

    (void)state;
    assert_int_equal(n.s->coord.store.member_count, 2);
    lose_memory(&n);
    sim_run(n.s, TN_S(40));
    assert_int_equal(n.s->coord.store.member_count, 2);
    assert_true(to_b(&n, TN_S(2))); /* by the relay */
    sim_free(n.s);
}

static void members_who_come_after_a_lost_memory_are_heard_of(void **state)
{
    struct net n = members(2);
    int c;

    (void)state;
    /* the network had seen more changes than it will have after the loss */
    n.s->coord.store.network[0].seq += 50;
    n.s->coord.store.member[1].seq = n.s->coord.store.network[0].seq;
    sim_run(n.s, TN_S(20));
    assert_int_equal(n.s->node[n.a].node->synced_seq, 52);
    lose_memory(&n);
    sim_run(n.s, TN_S(40));
    c = sim_add_member(n.s, "phone", "55.2.3.10", -1, 10000);
    sim_run(n.s, TN_S(40));
    assert_int_not_equal(sim_peer_slot(n.s, n.a, c), TN_NO_PEER);
    sim_free(n.s);
}

static void a_card_that_says_left_is_not_lost_on_the_way_to_a_coordinator_that_is_down(void **state)
{
    struct net n = members(3);
    struct tn_card left = n.s->node[n.a].card;

    (void)state;
    sim_coordinator_stop(n.s);
    assert_int_equal(tn_card_sign_left(&left, n.s->node[n.a].identity_seed), 0);
    assert_int_equal(tn_node_publish_card(n.s->node[n.a].node, &left, n.s->w->now), 0);
    sim_run(n.s, TN_S(60));
    assert_int_equal(n.s->node[n.a].events[TN_EV_UPDATED], 0);
    sim_coordinator_start(n.s);
    sim_run(n.s, TN_S(60));
    assert_int_equal(n.s->node[n.a].events[TN_EV_UPDATED], 1);
    assert_int_equal(n.s->node[n.a].last_event[TN_EV_UPDATED].status, TN_STATUS_OK);
    assert_int_equal(sim_peer_slot(n.s, n.b, n.a), TN_NO_PEER);
    sim_free(n.s);
}

/* ---- clocks ---- */

static void a_restart_with_a_clock_set_back_does_not_wait_for_the_old_session_to_die(void **state)
{
    struct net n = members(4);
    uint64_t joined = n.s->node[n.a].events[TN_EV_JOINED];

    (void)state;
    n.s->w->now.unix_ns -= 10ull * 365 * 86400 * 1000000000u;
    sim_restart(n.s, n.a);
    sim_run(n.s, TN_S(5));
    assert_int_equal(n.s->node[n.a].events[TN_EV_JOINED], joined + 1);
    sim_free(n.s);
}

static void no_handshake_goes_out_above_the_stored_ceiling(void **state)
{
    struct net n = plain(5);
    struct tn_node *node = n.s->node[n.a].node;
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    struct tn_event e;

    (void)state;
    node->stamp.last_ns = node->stamp.ceiling_ns = n.s->w->now.unix_ns - 1;
    tn_tx_want_handshake(node, 0, n.s->w->now);
    assert_false(tn_poll_out(node, &b, n.s->w->now, &route));
    assert_true(tn_poll_event(node, &e));
    assert_int_equal(e.kind, TN_EV_STAMP);
    assert_false(tn_poll_out(node, &b, n.s->w->now, &route));
    tn_node_extend_stamp(node, e.unix_ns);
    assert_true(tn_poll_out(node, &b, n.s->w->now, &route));
    assert_int_equal(b.len, TN_WG_INITIATION_LEN);
    sim_free(n.s);
}

/* ---- sessions and settings ---- */

static void a_machine_that_slept_beyond_a_keys_life_wakes_without_it(void **state)
{
    struct net n = plain(6);
    struct tn_keys *keys;

    (void)state;
    assert_true(to_b(&n, TN_S(1)));
    keys = keys_of(&n, n.a, n.b);
    n.s->w->now.us += TN_S(181);
    tn_on_network_change(n.s->node[n.a].node, n.s->w->now);
    assert_int_equal(tn_keys_youngest_us(keys), TN_NEVER);
    for (int i = 0; i < 3; i++)
        assert_true(tn_ct_is_zero(keys->pair[i].session.send_key, 32));
    sim_free(n.s);
}

static void a_new_private_key_ends_every_session_at_once(void **state)
{
    struct net n = plain(7);
    struct tn_keys *keys;

    (void)state;
    assert_true(to_b(&n, TN_S(1)));
    keys = keys_of(&n, n.a, n.b);
    assert_int_not_equal(tn_keys_youngest_us(keys), TN_NEVER);
    assert_int_equal(tn_node_set_private_key(n.s->node[n.a].node, n.s->node[n.b].wg_priv), 0);
    assert_int_equal(tn_keys_youngest_us(keys), TN_NEVER);
    for (int i = 0; i < 3; i++)
        assert_true(tn_ct_is_zero(keys->pair[i].session.send_key, 32));
    sim_free(n.s);
}

static void the_slot_of_a_removed_peer_keeps_none_of_its_prefixes(void **state)
{
    struct net n = plain(8);
    struct tn_node *node = n.s->node[n.a].node;
    const uint8_t other[32] = {9};
    uint32_t slot;

    (void)state;
    tn_node_peer_remove(node, 0);
    assert_int_equal(tn_node_peer_add(node, other, n.s->w->now, &slot), 0);
    assert_int_equal(slot, 0);
    sim_send(n.s, n.a, n.b, 84, 1);
    assert_int_equal(tn_node_counters(node)->drop_no_route, 1);
    sim_free(n.s);
}

/* ---- deadlines ---- */

static void data_that_was_sent_sets_the_moment_at_which_silence_means_something(void **state)
{
    struct net n = plain(9);
    uint64_t due;

    (void)state;
    assert_true(to_b(&n, TN_S(1)));
    sim_run(n.s, TN_S(60));
    sim_send(n.s, n.a, n.b, 84, ++n.tag);
    due = tn_next_deadline(n.s->node[n.a].node, NULL);
    assert_in_range(due - n.s->w->now.us, TN_S(15), TN_S(15) + TN_MS(334));
    sim_run(n.s, TN_MS(20));
    due = tn_next_deadline(n.s->node[n.b].node, NULL); /* b owes a keepalive */
    assert_in_range(due - n.s->w->now.us, TN_S(9), TN_S(10));
    sim_free(n.s);
}

/* ---- paths ---- */

static void a_packet_that_waits_for_the_relay_goes_with_it_at_once(void **state)
{
    struct net n = members(10);
    struct simnode *a = &n.s->node[n.a];
    uint8_t card[TN_CARD_MAX_LEN];
    uint64_t up = a->events[TN_EV_COORD_UP];
    size_t len;

    (void)state;
    n.s->w->host[a->host].down = true;
    sim_restart(n.s, n.a);
    assert_int_equal(tn_card_encode(&n.s->node[n.b].card, card, sizeof card, &len), 0);
    assert_int_equal(tn_node_load_member(a->node, card, len, n.s->w->now), 0);
    sim_send(n.s, n.a, n.b, 84, ++n.tag);
    sim_run(n.s, TN_S(3));
    n.s->w->host[a->host].down = false;
    while (a->events[TN_EV_COORD_UP] == up)
        sim_run(n.s, TN_MS(1));
    assert_true(sim_run_until(n.s, b_has_tag, &n, TN_MS(250)));
    sim_free(n.s);
}

static void who_has_just_joined_can_speak_first(void **state)
{
    struct net n = members(11);
    struct net back;
    int c;

    (void)state;
    n.s->coord.loses_news = true;
    c = sim_add_member(n.s, "phone", "55.2.3.10", -1, 10000);
    for (int i = 0; i < 1000 && sim_peer_slot(n.s, c, n.b) == TN_NO_PEER; i++)
        sim_run(n.s, TN_MS(1));
    assert_int_equal(sim_peer_slot(n.s, n.b, c), TN_NO_PEER);
    back = (struct net){.s = n.s, .a = c, .b = n.b, .tag = 100};
    assert_true(to_b(&back, TN_S(1)));
    sim_free(n.s);
}

static void an_address_that_cannot_be_sent_to_is_left_at_once(void **state)
{
    struct net n = members(12);
    struct tn_addr b = n.s->w->host[n.s->node[n.b].host].ip;

    (void)state;
    for (int i = 0; i < 100 && sim_path(n.s, n.a, n.b) != TN_PATH_DIRECT; i++)
        to_b(&n, TN_MS(100));
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_DIRECT);
    b.port = SIM_PORT;
    tn_on_send_error(n.s->node[n.a].node, &b, n.s->w->now);
    assert_int_equal(sim_path(n.s, n.a, n.b), TN_PATH_RELAY);
    sim_pump(n.s, n.a);
    assert_true(to_b(&n, TN_MS(200)));
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_with_an_old_memory_gets_its_members_back),
        cmocka_unit_test(members_who_come_after_a_lost_memory_are_heard_of),
        cmocka_unit_test(a_card_that_says_left_is_not_lost_on_the_way_to_a_coordinator_that_is_down),
        cmocka_unit_test(a_restart_with_a_clock_set_back_does_not_wait_for_the_old_session_to_die),
        cmocka_unit_test(no_handshake_goes_out_above_the_stored_ceiling),
        cmocka_unit_test(a_machine_that_slept_beyond_a_keys_life_wakes_without_it),
        cmocka_unit_test(a_new_private_key_ends_every_session_at_once),
        cmocka_unit_test(the_slot_of_a_removed_peer_keeps_none_of_its_prefixes),
        cmocka_unit_test(data_that_was_sent_sets_the_moment_at_which_silence_means_something),
        cmocka_unit_test(a_packet_that_waits_for_the_relay_goes_with_it_at_once),
        cmocka_unit_test(who_has_just_joined_can_speak_first),
        cmocka_unit_test(an_address_that_cannot_be_sent_to_is_left_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
