/* Two plain nodes under one clock: the whole of WireGuard's life, through
 * tn_from_tun and tn_from_net only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "simnode.h"

struct pair {
    struct sim *s;
    int a, b;
    uint32_t tag;
};

static struct pair *start(uint64_t seed, const uint8_t psk[32])
{
    static struct pair p;

    p = (struct pair){.s = sim_new(sim_seed(seed))};
    p.a = sim_add_plain(p.s, "55.2.1.2", -1, 5000);
    p.b = sim_add_plain(p.s, "55.2.2.2", -1, 5000);
    sim_peer_plain(p.s, p.a, p.b, psk);
    return &p;
}

static bool b_has_tag(void *ctx)
{
    struct pair *p = ctx;

    return sim_last_tag_is(&p->s->node[p->b], p->tag);
}

static bool a_has_tag(void *ctx)
{
    struct pair *p = ctx;

    return sim_last_tag_is(&p->s->node[p->a], p->tag);
}

static bool send_and_see(struct pair *p, int from, size_t len, uint64_t max_us)
{
    p->tag++;
    sim_send(p->s, from, from == p->a ? p->b : p->a, len, p->tag);
    return sim_run_until(p->s, from == p->a ? b_has_tag : a_has_tag, p, max_us);
}

static void the_first_packet_makes_a_session_in_one_round_trip_and_arrives(void **state)
{
    struct pair *p = start(1, NULL);
    uint64_t began = p->s->w->now.us;

    (void)state;
    assert_true(send_and_see(p, p->a, 100, TN_S(1)));
    assert_in_range(p->s->w->now.us - began, 30000, 31000); /* 1.5 round trips of 20 ms */
    assert_true(send_and_see(p, p->b, 1420, TN_S(1)));
    assert_int_equal(p->s->node[p->a].last_len, 1420);
    sim_free(p->s);
}

static void a_preshared_key_must_be_the_same_at_both_ends(void **state)
{
    static const uint8_t psk[32] = {7};
    static const uint8_t other[32] = {8};
    struct pair *p = start(2, psk);

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    sim_free(p->s);
    p = start(2, psk);
    tn_node_peer_set_psk(p->s->node[p->b].node, sim_peer_slot(p->s, p->b, p->a), other);
    assert_false(send_and_see(p, p->a, 64, TN_S(30)));
    assert_int_equal(p->s->node[p->b].delivered, 0);
    sim_free(p->s);
}

static void traffic_goes_on_over_every_rekey_without_a_lost_packet(void **state)
{
    struct pair *p = start(3, NULL);
    uint64_t end = p->s->w->now.us + TN_S(900);
    uint64_t sent = 0;

    (void)state;
    while (p->s->w->now.us < end) {
        assert_true(send_and_see(p, sent % 2 ? p->b : p->a, 200, TN_S(3)));
        sent++;
        sim_run(p->s, TN_MS(500));
    }
    assert_int_equal(p->s->node[p->a].delivered + p->s->node[p->b].delivered, sent);
    assert_in_range(p->s->node[p->a].events[TN_EV_SESSION], 7, 10); /* one in 120 s */
    sim_free(p->s);
}

static void crossing_initiations_leave_one_usable_session_each_way(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct pair *p = start(100 + seed, NULL);
        struct tn_addr a = p->s->w->host[p->s->node[p->a].host].ip;

        a.port = SIM_PORT;
        tn_node_peer_set_endpoint(p->s->node[p->b].node, sim_peer_slot(p->s, p->b, p->a), &a);
        p->s->w->host[0].jitter_us = p->s->w->host[1].jitter_us = 20000;
        sim_send(p->s, p->a, p->b, 64, 1);
        sim_send(p->s, p->b, p->a, 64, 2);
        sim_run(p->s, TN_S(1));
        assert_true(send_and_see(p, p->a, 64, TN_S(1)));
        assert_true(send_and_see(p, p->b, 64, TN_S(1)));
        sim_free(p->s);
    }
}

static void a_third_of_loss_delays_the_session_but_does_not_prevent_it(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct pair *p = start(400 + seed, NULL);
        uint64_t end = p->s->w->now.us + TN_S(85); /* 17 attempts, of which half pass */

        p->s->w->host[0].loss_ppm = p->s->w->host[1].loss_ppm = 160000;
        while (p->s->w->now.us < end && !send_and_see(p, p->a, 64, TN_S(1)))
            continue;
        assert_true(p->s->w->now.us < end);
        sim_free(p->s);
    }
}

static void a_peer_that_moves_is_followed(void **state)
{
    struct pair *p = start(5, NULL);

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    assert_true(send_and_see(p, p->b, 64, TN_S(1)));
    p->s->w->host[p->s->node[p->a].host].ip = world_ip("55.9.9.9");
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    assert_true(send_and_see(p, p->b, 64, TN_S(1)));
    sim_free(p->s);
}

static void a_node_that_restarts_is_back_with_the_next_packet_it_sends(void **state)
{
    struct pair *p = start(6, NULL);

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    sim_restart(p->s, p->a);
    sim_peer_plain(p->s, p->a, p->b, NULL);
    assert_true(send_and_see(p, p->a, 64, TN_S(6)));
    sim_free(p->s);
}

static void a_persistent_keepalive_keeps_the_nat_open(void **state)
{
    struct sim *s = sim_new(sim_seed(7));
    int nat = world_add_nat(s->w, "55.2.1.2", -1, WORLD_MAP_EIM, WORLD_FILTER_APDF);
    struct pair p = {.s = s};

    (void)state;
    s->w->nat[nat].lifetime_us = TN_S(30);
    p.a = sim_add_plain(s, "192.168.1.2", nat, 5000);
    p.b = sim_add_plain(s, "55.2.2.2", -1, 5000);
    sim_peer_plain(s, p.a, p.b, NULL);
    tn_node_peer_set_keepalive(s->node[p.a].node, sim_peer_slot(s, p.a, p.b), 25, s->w->now);
    sim_pump(s, p.a);
    sim_run(s, TN_S(600));
    assert_true(send_and_see(&p, p.b, 64, TN_S(1)));
    sim_free(s);
}

static void a_packet_from_an_address_that_is_not_the_peers_is_dropped(void **state)
{
    struct pair *p = start(8, NULL);
    const struct tn_counters *c = tn_node_counters(p->s->node[p->b].node);
    uint32_t slot;

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    slot = sim_peer_slot(p->s, p->b, p->a);
    tn_node_allowed_clear(p->s->node[p->b].node, slot);
    assert_false(send_and_see(p, p->a, 64, TN_S(1)));
    assert_int_equal(c->drop_source, 1);
    sim_free(p->s);
}

/* every datagram that can be made by flipping one bit of a real one, and every truncation */
struct mangler {
    struct sim *s;
    int a, b;
    uint8_t data[WORLD_DATAGRAM];
    size_t len;
    bool armed;
};

static void mangle_receive(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                           uint8_t *data, size_t len)
{
    struct mangler *m = ctx;

    (void)src;
    (void)dst;
    if (!m->armed)
        return;
    memcpy(m->data, data, len);
    m->len = len;
    m->armed = false;
}

static enum tn_verdict give(struct mangler *m, const uint8_t *data, size_t len, size_t *answered)
{
    uint8_t mem[2048 + 64], out[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};
    struct tn_buf reply = {.mem = out, .cap = sizeof out};
    struct tn_addr src = world_ip("55.8.8.8");
    struct tn_route route;
    uint32_t peer;
    enum tn_verdict v;

    src.port = 999;
    memcpy(tn_buf_data(&b), data, len);
    v = tn_from_net(m->s->node[m->b].node, &b, &src, m->s->w->now, &peer);
    *answered = 0;
    while (tn_poll_out(m->s->node[m->b].node, &reply, m->s->w->now, &route))
        *answered += reply.len;
    return v;
}

static void forged_datagrams_are_met_with_silence_and_change_nothing(void **state)
{
    struct mangler m = {.s = sim_new(sim_seed(9))};
    struct tn_peer_info before, after;
    uint64_t handshakes;
    size_t answered;

    (void)state;
    m.a = sim_add_plain(m.s, "55.2.1.2", -1, 5000);
    m.b = sim_add_plain(m.s, "55.2.2.2", -1, 5000);
    sim_peer_plain(m.s, m.a, m.b, NULL);
    sim_send(m.s, m.a, m.b, 64, 1);
    sim_run(m.s, TN_S(1));
    /* catch the next data packet instead of delivering it */
    m.s->w->host[m.s->node[m.b].host].receive = mangle_receive;
    m.s->w->host[m.s->node[m.b].host].ctx = &m;
    m.armed = true;
    sim_send(m.s, m.a, m.b, 64, 2);
    sim_run(m.s, TN_MS(100));
    assert_int_equal(m.len, 64 + 32);
    assert_true(tn_node_peer_info(m.s->node[m.b].node, 0, &before));
    handshakes = m.s->node[m.b].events[TN_EV_SESSION];
    for (size_t i = 0; i < m.len * 8; i++) {
        m.data[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(give(&m, m.data, m.len, &answered), TN_DELIVER);
        assert_int_equal(answered, 0);
        m.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < m.len; len++) {
        assert_int_not_equal(give(&m, m.data, len, &answered), TN_DELIVER);
        assert_int_equal(answered, 0);
    }
    assert_true(tn_node_peer_info(m.s->node[m.b].node, 0, &after));
    assert_true(tn_addr_equal(&before.endpoint, &after.endpoint));
    assert_int_equal(before.rx_bytes, after.rx_bytes);
    assert_int_equal(handshakes, m.s->node[m.b].events[TN_EV_SESSION]);
    /* the real one still passes, once */
    assert_int_equal(give(&m, m.data, m.len, &answered), TN_DELIVER);
    assert_int_equal(give(&m, m.data, m.len, &answered), TN_DROP);
    sim_free(m.s);
}

static void a_dead_peer_is_given_up_after_ninety_seconds_and_found_again(void **state)
{
    struct pair *p = start(10, NULL);

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    assert_true(send_and_see(p, p->b, 64, TN_S(1)));
    p->s->w->host[p->s->node[p->b].host].down = true;
    sim_run(p->s, TN_S(200));
    sim_send(p->s, p->a, p->b, 64, 1000);
    sim_run(p->s, TN_S(120));
    assert_int_equal(p->s->node[p->a].events[TN_EV_GAVE_UP], 1);
    p->s->w->host[p->s->node[p->b].host].down = false;
    assert_true(send_and_see(p, p->a, 64, TN_S(6)));
    sim_free(p->s);
}

static void ten_minutes_of_silence_remove_every_key(void **state)
{
    struct pair *p = start(11, NULL);
    struct tn_keys *keys;

    (void)state;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    sim_run(p->s, TN_S(600));
    keys = &p->s->node[p->a].mem.peers[sim_peer_slot(p->s, p->a, p->b)].keys;
    assert_int_equal(tn_keys_youngest_us(keys), TN_NEVER);
    for (int i = 0; i < 3; i++)
        assert_true(tn_ct_is_zero(keys->pair[i].session.send_key, 32));
    assert_true(send_and_see(p, p->a, 64, TN_S(2)));
    sim_free(p->s);
}

static void a_clock_that_goes_back_years_does_not_lock_a_restarted_node_out(void **state)
{
    struct pair *p = start(12, NULL);

    (void)state;
    p->s->node[p->a].stamp_ceiling_ns = p->s->w->now.unix_ns + TN_S(600) * 1000u;
    assert_true(send_and_see(p, p->a, 64, TN_S(1)));
    p->s->w->now.unix_ns -= 10ull * 365 * 86400 * 1000000000u;
    sim_restart(p->s, p->a);
    sim_peer_plain(p->s, p->a, p->b, NULL);
    assert_true(send_and_see(p, p->a, 64, TN_S(6)));
    sim_free(p->s);
}

static void all_slots_can_be_used_and_one_given_back_is_taken_again(void **state)
{
    struct pair *p = start(13, NULL);
    struct tn_node *node = p->s->node[p->a].node;
    uint32_t peer, first = sim_peer_slot(p->s, p->a, p->b);
    uint8_t pub[32] = {9};

    (void)state;
    for (uint32_t i = 1; i < SIM_PEERS; i++) {
        pub[1] = (uint8_t)i;
        assert_int_equal(tn_node_peer_add(node, pub, p->s->w->now, &peer), 0);
        assert_int_not_equal(peer, first);
    }
    pub[1] = 0xff;
    assert_int_equal(tn_node_peer_add(node, pub, p->s->w->now, &peer), TN_ENOSPC);
    for (uint32_t slot = 2; slot < SIM_PEERS; slot += 5) {
        tn_node_peer_remove(node, slot);
        assert_int_equal(tn_node_peer_add(node, pub, p->s->w->now, &peer), 0);
        assert_int_equal(peer, slot);
        pub[1]--;
    }
    assert_int_equal(tn_node_peer_add(node, pub, p->s->w->now, &peer), TN_ENOSPC);
    sim_free(p->s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_packet_makes_a_session_in_one_round_trip_and_arrives),
        cmocka_unit_test(all_slots_can_be_used_and_one_given_back_is_taken_again),
        cmocka_unit_test(a_preshared_key_must_be_the_same_at_both_ends),
        cmocka_unit_test(traffic_goes_on_over_every_rekey_without_a_lost_packet),
        cmocka_unit_test(crossing_initiations_leave_one_usable_session_each_way),
        cmocka_unit_test(a_third_of_loss_delays_the_session_but_does_not_prevent_it),
        cmocka_unit_test(a_peer_that_moves_is_followed),
        cmocka_unit_test(a_node_that_restarts_is_back_with_the_next_packet_it_sends),
        cmocka_unit_test(a_persistent_keepalive_keeps_the_nat_open),
        cmocka_unit_test(a_packet_from_an_address_that_is_not_the_peers_is_dropped),
        cmocka_unit_test(forged_datagrams_are_met_with_silence_and_change_nothing),
        cmocka_unit_test(a_dead_peer_is_given_up_after_ninety_seconds_and_found_again),
        cmocka_unit_test(ten_minutes_of_silence_remove_every_key),
        cmocka_unit_test(a_clock_that_goes_back_years_does_not_lock_a_restarted_node_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
