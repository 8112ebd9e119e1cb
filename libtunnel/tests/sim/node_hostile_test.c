/* What strangers and hostile members send to a node, and what it never does for them: answer with more
 * than came, change anything before it is proven, work without measure. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "simnode.h"

#define TAPPED 8

/* Datagrams to b that are kept instead of delivered. */
struct rig {
    struct sim *s;
    int a, b;
    struct {
        uint8_t data[WORLD_DATAGRAM];
        size_t len;
    } tapped[TAPPED];
    int count;
    struct tn_addr from;
    world_receive_fn *receive;
    void *ctx;
};

static void on_tapped(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                      uint8_t *data, size_t len)
{
    struct rig *r = ctx;

    (void)dst;
    if (r->count == TAPPED)
        return;
    memcpy(r->tapped[r->count].data, data, len);
    r->tapped[r->count++].len = len;
    r->from = *src;
}

static void tap(struct rig *r, bool on)
{
    struct world_host *h = &r->s->w->host[r->s->node[r->b].host];

    if (on) {
        r->count = 0;
        r->receive = h->receive;
        r->ctx = h->ctx;
        h->receive = on_tapped;
        h->ctx = r;
    } else {
        h->receive = r->receive;
        h->ctx = r->ctx;
    }
}

static struct tn_node *node_of(const struct rig *r, int i)
{
    return r->s->node[i].node;
}

static struct rig plain(uint64_t seed)
{
    struct rig r = {.s = sim_new(sim_seed(seed))};

    r.a = sim_add_plain(r.s, "55.2.1.2", -1, 5000);
    r.b = sim_add_plain(r.s, "55.2.2.2", -1, 5000);
    sim_peer_plain(r.s, r.a, r.b, NULL);
    return r;
}

static struct rig members(uint64_t seed)
{
    struct rig r = {.s = sim_new(sim_seed(seed))};

    sim_add_coordinator(r.s, "55.1.0.10", 10000);
    r.a = sim_add_member(r.s, "nas", "55.2.1.10", -1, 10000);
    r.b = sim_add_member(r.s, "laptop", "55.2.2.10", -1, 10000);
    sim_run(r.s, TN_S(40));
    assert_int_not_equal(sim_peer_slot(r.s, r.a, r.b), TN_NO_PEER);
    return r;
}

/* Hands a datagram to node i; what it sends because of it is counted and goes nowhere. */
static enum tn_verdict give(struct rig *r, int i, const uint8_t *data, size_t len,
                            const struct tn_addr *src, size_t *answered)
{
    uint8_t mem[2048 + 64], out[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};
    struct tn_buf reply = {.mem = out, .cap = sizeof out};
    struct tn_route route;
    enum tn_verdict v;
    uint32_t peer;

    memcpy(tn_buf_data(&b), data, len);
    v = tn_from_net(node_of(r, i), &b, src, r->s->w->now, &peer);
    *answered = 0;
    while (tn_poll_out(node_of(r, i), &reply, r->s->w->now, &route))
        *answered += reply.len;
    return v;
}

static struct tn_addr stranger(void)
{
    struct tn_addr a = world_ip("55.8.8.8");

    a.port = 999;
    return a;
}

static struct tn_addr endpoint_of(struct rig *r, int i)
{
    struct tn_peer_info info;

    assert_true(tn_node_peer_info(node_of(r, i), 0, &info));
    return info.endpoint;
}

static void an_initiation_with_any_bit_flipped_is_met_with_silence(void **state)
{
    struct rig r = plain(1);
    struct tn_addr src = stranger();
    size_t answered;

    (void)state;
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100));
    assert_int_equal(r.tapped[0].len, TN_WG_INITIATION_LEN);
    for (size_t i = 0; i < (TN_WG_INITIATION_LEN - 16) * 8; i++) { /* mac2 counts under load only */
        r.tapped[0].data[i / 8] ^= (uint8_t)(1u << i % 8);
        give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &src, &answered);
        assert_int_equal(answered, 0);
        r.tapped[0].data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &r.from, &answered);
    assert_int_equal(answered, TN_WG_RESPONSE_LEN);
    sim_free(r.s);
}

static void a_replayed_initiation_moves_nobody_and_is_not_answered(void **state)
{
    struct rig r = plain(2);
    struct tn_addr src = stranger(), before, after;
    size_t answered;

    (void)state;
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100));
    give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &r.from, &answered);
    before = endpoint_of(&r, r.b);
    assert_true(tn_addr_equal(&before, &r.from));
    give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &src, &answered);
    assert_int_equal(answered, 0);
    after = endpoint_of(&r, r.b);
    assert_true(tn_addr_equal(&before, &after));
    assert_int_equal(tn_node_counters(node_of(&r, r.b))->drop_replay, 1);
    sim_free(r.s);
}

static void a_flood_gets_cookies_at_most_and_the_peer_still_gets_in(void **state)
{
    struct rig r = plain(3);
    struct tn_addr src = stranger();
    size_t answered, in = 0, out = 0;

    (void)state;
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100));
    tap(&r, false);
    for (int i = 0; i < 200 && !sim_last_tag_is(&r.s->node[r.b], 1); i++) {
        for (int k = 0; k < 100; k++) { /* 1000 a second */
            give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &src, &answered);
            assert_true(answered == 0 || answered == TN_WG_COOKIE_REPLY_LEN ||
                        (answered == TN_WG_RESPONSE_LEN && i == 0 && k == 0));
            in += TN_WG_INITIATION_LEN;
            out += answered;
        }
        sim_run(r.s, TN_MS(100));
    }
    assert_true(sim_last_tag_is(&r.s->node[r.b], 1));
    assert_true(out < in / 2);
    assert_true(tn_node_counters(node_of(&r, r.b))->drop_load > 1000);
    sim_free(r.s);
}

/* Forgeries from one place, so many in a tenth of a second; the bytes that they were answered with. */
static size_t flood(struct rig *r, const struct tn_addr *src, int count)
{
    size_t answered, out = 0;

    for (int k = 0; k < count; k++) {
        give(r, r->b, r->tapped[0].data, TN_WG_INITIATION_LEN, src, &answered);
        out += answered;
    }
    sim_run(r->s, TN_MS(100));
    return out;
}

static void in_a_flood_cookies_are_few_and_a_newcomer_is_in_at_once(void **state)
{
    struct rig r = plain(9);
    struct tn_addr src = stranger();
    size_t out = 0;
    int tenths = 0;

    (void)state;
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100)); /* all that it sent is lost, and so is its first initiation */
    tap(&r, false);
    (void)flood(&r, &src, 5000);
    for (int i = 0; i < 10; i++)
        out += flood(&r, &src, 5000);
    /* 50,000 in a second: 2000 cookies, and the source's own 20 */
    assert_in_range(out / TN_WG_COOKIE_REPLY_LEN, 1900, 2600);
    while (!r.s->node[r.a].events[TN_EV_SESSION] && tenths++ < 70)
        (void)flood(&r, &src, 5000);
    /* it tries again after 5 s, is told a cookie, and shows it at once */
    assert_true(r.s->node[r.a].events[TN_EV_SESSION]);
    assert_in_range(tenths, 30, 50);
    sim_free(r.s);
}

static void a_cookie_brings_one_initiation_at_once_and_no_more_for_a_while(void **state)
{
    struct rig r = plain(10);
    struct tn_addr src = stranger();
    struct tn_cookie_checker checker;
    uint8_t reply[TN_WG_COOKIE_REPLY_LEN], mem[2048];
    struct tn_buf again = {.mem = mem, .cap = sizeof mem}, b;
    struct tn_route route;
    struct tn_rng rng;
    uint32_t peer;

    (void)state;
    tn_rng_init(&rng, (const uint8_t[32]){1});
    tn_cookie_checker_init(&checker, r.s->node[r.b].wg_pub);
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100));
    assert_int_equal(r.count, 1);
    memcpy(mem, r.tapped[0].data, TN_WG_INITIATION_LEN);
    for (int i = 0; i < 3; i++) { /* who sits in the middle with the peer's key might answer each */
        tn_cookie_create_reply(&checker, &rng, tn_buf_data(&again), TN_WG_INITIATION_LEN, &src,
                               r.s->w->now.us, reply);
        b = (struct tn_buf){.mem = reply, .cap = sizeof reply, .len = sizeof reply};
        (void)tn_from_net(node_of(&r, r.a), &b, &src, r.s->w->now, &peer);
        assert_int_equal(tn_poll_out(node_of(&r, r.a), &again, r.s->w->now, &route), i == 0);
        assert_int_equal(tn_wg_classify(tn_buf_data(&again), TN_WG_INITIATION_LEN), TN_WG_INITIATION);
    }
    assert_false(tn_ct_is_zero(tn_buf_data(&again) + TN_WG_INITIATION_LEN - TN_WG_MAC_LEN, TN_WG_MAC_LEN));
    sim_free(r.s);
}

static void who_shows_a_cookie_is_heard_when_a_forger_has_spent_all_that_were_his(void **state)
{
    struct rig r = plain(11);
    struct tn_node *b = node_of(&r, r.b);
    struct tn_cookie_maker maker;
    uint8_t forged[TN_WG_INITIATION_LEN], reply[TN_WG_COOKIE_REPLY_LEN], mem[2048];
    struct tn_buf again = {.mem = mem, .cap = sizeof mem}, in = {.mem = reply, .cap = sizeof reply,
                                                                 .len = sizeof reply};
    struct tn_route route;
    size_t answered;
    uint32_t peer;

    (void)state;
    tap(&r, true);
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_MS(100));
    memcpy(forged, r.tapped[0].data, sizeof forged);
    forged[60] ^= 1;
    tn_cookie_maker_init(&maker, r.s->node[r.b].wg_pub);
    tn_cookie_add_macs(&maker, forged, sizeof forged, r.s->w->now.us);
    do /* under his address */
        give(&r, r.b, forged, sizeof forged, &r.from, &answered);
    while (answered || !tn_load_is_high(&b->load, r.s->w->now.us));
    tn_cookie_create_reply(&b->checker, &b->rng, r.tapped[0].data, TN_WG_INITIATION_LEN, &r.from,
                           r.s->w->now.us, reply);
    (void)tn_from_net(node_of(&r, r.a), &in, &r.from, r.s->w->now, &peer);
    assert_true(tn_poll_out(node_of(&r, r.a), &again, r.s->w->now, &route));
    give(&r, r.b, r.tapped[0].data, TN_WG_INITIATION_LEN, &r.from, &answered);
    assert_int_equal(answered, 0);
    give(&r, r.b, tn_buf_data(&again), TN_WG_INITIATION_LEN, &r.from, &answered);
    assert_int_equal(answered, TN_WG_RESPONSE_LEN);
    sim_free(r.s);
}

/* A link message in a session of node i with the other, as a datagram. */
static size_t seal_link(struct rig *r, int i, uint32_t peer, const struct tn_link_msg *m,
                        uint8_t out[WORLD_DATAGRAM])
{
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = m->size};

    assert_int_equal(tn_link_encode(m, tn_buf_data(&b), 1500), 0);
    assert_int_equal(tn_tx_seal(node_of(r, i), peer, &b, false, r->s->w->now), 0);
    memcpy(out, tn_buf_data(&b), b.len);
    return b.len;
}

static void a_plain_peers_link_message_is_dropped(void **state)
{
    struct rig r = plain(4);
    struct tn_link_msg ping = {.type = TN_LINK_PING, .size = 64, .txid = 7};
    uint8_t data[WORLD_DATAGRAM];
    size_t answered, len;

    (void)state;
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_S(1));
    len = seal_link(&r, r.a, 0, &ping, data);
    r.from = r.s->w->host[r.s->node[r.a].host].ip;
    r.from.port = SIM_PORT;
    assert_int_equal(give(&r, r.b, data, len, &r.from, &answered), TN_DROP);
    assert_int_equal(answered, 0);
    assert_int_equal(tn_node_counters(node_of(&r, r.b))->drop_malformed, 1);
    sim_free(r.s);
}

static void a_pong_that_answers_another_ping_tells_the_user_nothing(void **state)
{
    struct rig r = members(5);
    struct tn_link_msg pong = {.type = TN_LINK_PONG, .size = 64};
    struct tn_addr from = r.s->w->host[r.s->node[r.b].host].ip;
    uint32_t peer = sim_peer_slot(r.s, r.a, r.b);
    uint8_t data[WORLD_DATAGRAM];
    size_t answered, len;

    (void)state;
    from.port = SIM_PORT;
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_S(2));
    r.s->w->host[r.s->node[r.b].host].down = true;
    assert_int_equal(tn_node_ping(node_of(&r, r.a), peer, 64, 77, r.s->w->now), 0);
    sim_pump(r.s, r.a);
    pong.txid = r.s->node[r.a].mem.peers[peer].ping.txid ^ 1;
    len = seal_link(&r, r.b, sim_peer_slot(r.s, r.b, r.a), &pong, data);
    assert_int_equal(give(&r, r.a, data, len, &from, &answered), TN_CONSUMED);
    sim_pump(r.s, r.a);
    assert_int_equal(r.s->node[r.a].events[TN_EV_PONG], 0);
    pong.txid ^= 1;
    len = seal_link(&r, r.b, sim_peer_slot(r.s, r.b, r.a), &pong, data);
    give(&r, r.a, data, len, &from, &answered);
    sim_pump(r.s, r.a);
    assert_int_equal(r.s->node[r.a].events[TN_EV_PONG], 1);
    sim_free(r.s);
}

static void an_address_of_the_overlay_is_neither_a_candidate_nor_a_source(void **state)
{
    struct rig r = members(6);
    struct tn_link_msg ping = {.type = TN_LINK_PING, .size = 64, .txid = 7};
    struct tn_addr real = r.s->w->host[r.s->node[r.a].host].ip;
    struct tn_cand_wire list[4];
    uint32_t peer = sim_peer_slot(r.s, r.a, r.b);
    uint8_t data[WORLD_DATAGRAM];
    struct tn_cand c;
    size_t answered, len;

    (void)state;
    list[0].addr = world_ip("10.77.0.200");
    list[1].addr = tn_card_address6(&r.s->node[r.b].card);
    list[2].addr = world_ip("10.77.1.1"); /* of another prefix: a LAN may have it */
    list[3].addr = real;
    for (int i = 0; i < 4; i++) {
        list[i].origin = TN_CAND_HOST;
        list[i].addr.port = SIM_PORT;
    }
    tn_path_punch(node_of(&r, r.a), peer, list, 4, 0, r.s->w->now);
    assert_true(tn_node_peer_candidate(node_of(&r, r.a), peer, 0, &c));
    assert_true(tn_addr_equal(&c.addr, &list[2].addr));
    assert_true(tn_node_peer_candidate(node_of(&r, r.a), peer, 1, &c));
    assert_true(tn_addr_equal(&c.addr, &list[3].addr)); /* our own: shown, and left alone */
    assert_int_equal(c.verdict, TN_CAND_REFUSED);
    assert_false(tn_node_peer_candidate(node_of(&r, r.a), peer, 2, &c));
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_S(1));
    len = seal_link(&r, r.a, peer, &ping, data);
    assert_int_equal(give(&r, r.b, data, len, &list[0].addr, &answered), TN_DROP);
    assert_int_equal(answered, 0);
    assert_int_equal(give(&r, r.b, data, len, &list[3].addr, &answered), TN_CONSUMED);
    assert_int_equal(answered, 64 + TN_WG_DATA_OVERHEAD);
    sim_free(r.s);
}

/* A frame as the relay hands it to b: an initiation of a stranger who knows b's key. */
static size_t relayed_initiation(struct rig *r, uint8_t out[WORLD_DATAGRAM])
{
    const uint8_t stamp[TN_WG_STAMP_LEN] = {0x40, 1};
    struct tn_wg_handshake hs;
    struct tn_cookie_maker maker;
    struct tn_wg_local local = {0};
    uint8_t priv[32];

    tn_rng_bytes(&r->s->w->rng, priv, 32);
    assert_int_equal(tn_wg_local_set(&local, priv), 0);
    tn_noise_init(&hs, &local, r->s->node[r->b].wg_pub, NULL);
    tn_cookie_maker_init(&maker, r->s->node[r->b].wg_pub);
    tn_relay_encode(out, 0, node_of(r, r->b)->coord.session.local_index);
    assert_int_equal(tn_noise_create_initiation(&local, &hs, &r->s->w->rng, stamp, 1, out + 8), 0);
    tn_cookie_add_macs(&maker, out + 8, TN_WG_INITIATION_LEN, r->s->w->now.us);
    return 8 + TN_WG_INITIATION_LEN;
}

static void a_member_that_floods_through_the_relay_costs_a_bounded_number_of_handshakes(void **state)
{
    struct rig r = members(7);
    struct tn_addr coord = r.s->w->host[r.s->coord.host].ip;
    const struct tn_counters *c = tn_node_counters(node_of(&r, r.b));
    uint8_t frame[WORLD_DATAGRAM];
    size_t len = relayed_initiation(&r, frame), answered, out = 0;
    uint64_t dropped = c->drop_load, strangers = c->drop_auth;

    (void)state;
    coord.port = 3478;
    for (int i = 0; i < 5000; i++) {
        give(&r, r.b, frame, len, &coord, &answered);
        out += answered;
    }
    assert_in_range(c->drop_load - dropped, 4000, 4999);
    assert_true(c->drop_auth > strangers);
    assert_true(out < 2 * len); /* one LOOKUP, and no more for a while */
    assert_false(tn_load_is_high(&node_of(&r, r.b)->load, r.s->w->now.us));
    sim_free(r.s);
}

static int lookups(const struct tn_node *n)
{
    int count = 0;

    for (int i = 0; i < TN_COORD_REQUESTS; i++)
        count += n->coord.request[i].type == TN_MSG_LOOKUP;
    return count;
}

static void packets_to_nobody_do_not_keep_a_stranger_from_being_looked_up(void **state)
{
    struct rig r = members(8);
    struct tn_addr coord = r.s->w->host[r.s->coord.host].ip;
    uint8_t frame[WORLD_DATAGRAM], nobody[16] = {0xfd};
    size_t len = relayed_initiation(&r, frame), answered;

    (void)state;
    coord.port = 3478;
    for (int i = 0; i < 100; i++) { /* a scan: one question in 200 ms, whatever the address */
        nobody[15] = (uint8_t)i;
        tn_overlay_on_unknown_address(node_of(&r, r.b), nobody, r.s->w->now);
    }
    assert_int_equal(lookups(node_of(&r, r.b)), 1);
    give(&r, r.b, frame, len, &coord, &answered);
    assert_int_equal(lookups(node_of(&r, r.b)), 2);
    sim_free(r.s);
}

static void a_card_that_is_not_ours_makes_no_member_of_us(void **state)
{
    struct rig r = members(9);
    struct tn_card other = r.s->node[r.b].card, forged = r.s->node[r.a].card;

    (void)state;
    forged.membership_sig[3] ^= 1;
    assert_int_equal(tn_node_set_card(node_of(&r, r.a), &other, r.s->w->now), TN_EINVAL);
    assert_int_equal(tn_node_set_card(node_of(&r, r.a), &forged, r.s->w->now), TN_EAUTH);
    assert_int_equal(tn_node_roster(node_of(&r, r.a))->count, 2);
    assert_int_equal(tn_node_peer_find(node_of(&r, r.a), r.s->node[r.a].wg_pub), TN_NO_PEER);
    sim_free(r.s);
}

static void the_length_of_a_packet_is_hidden_to_sixteen_bytes_but_never_above_the_mtu(void **state)
{
    static const size_t sent[] = {65, 79, 80, 81, 1419, 1420}, seen[] = {80, 80, 80, 96, 1420, 1420};
    struct rig r = plain(10);

    (void)state;
    sim_send(r.s, r.a, r.b, 64, 1);
    sim_run(r.s, TN_S(1));
    tap(&r, true);
    for (int i = 0; i < 6; i++)
        sim_send(r.s, r.a, r.b, sent[i], 2);
    sim_run(r.s, TN_MS(100));
    assert_int_equal(r.count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(r.tapped[i].len, seen[i] + TN_WG_DATA_OVERHEAD);
    sim_free(r.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initiation_with_any_bit_flipped_is_met_with_silence),
        cmocka_unit_test(a_replayed_initiation_moves_nobody_and_is_not_answered),
        cmocka_unit_test(a_flood_gets_cookies_at_most_and_the_peer_still_gets_in),
        cmocka_unit_test(in_a_flood_cookies_are_few_and_a_newcomer_is_in_at_once),
        cmocka_unit_test(who_shows_a_cookie_is_heard_when_a_forger_has_spent_all_that_were_his),
        cmocka_unit_test(a_cookie_brings_one_initiation_at_once_and_no_more_for_a_while),
        cmocka_unit_test(a_plain_peers_link_message_is_dropped),
        cmocka_unit_test(a_pong_that_answers_another_ping_tells_the_user_nothing),
        cmocka_unit_test(an_address_of_the_overlay_is_neither_a_candidate_nor_a_source),
        cmocka_unit_test(a_member_that_floods_through_the_relay_costs_a_bounded_number_of_handshakes),
        cmocka_unit_test(packets_to_nobody_do_not_keep_a_stranger_from_being_looked_up),
        cmocka_unit_test(a_card_that_is_not_ours_makes_no_member_of_us),
        cmocka_unit_test(the_length_of_a_packet_is_hidden_to_sixteen_bytes_but_never_above_the_mtu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
