/* A laptop and a device, whose modem drops what is longer than 1024 bytes, behind a carrier's NAT and by the
 * relay: what fits goes in one piece, IPv6 in two, and what fits in no way is answered. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "simnode.h"

#define DELAY_US 10000

struct net {
    struct sim *s;
    int laptop, device;
    uint64_t want;
};

static bool both_up(void *ctx)
{
    struct net *n = ctx;

    return sim_peer_slot(n->s, n->laptop, n->device) != TN_NO_PEER &&
           n->s->node[n->laptop].events[TN_EV_JOINED] && n->s->node[n->device].events[TN_EV_JOINED];
}

/* The carrier's NAT is symmetric, as the home's. */
static void open_net(struct net *n, uint64_t seed)
{
    uint8_t card[TN_CARD_MAX_LEN];
    size_t len;
    int home, carrier;

    *n = (struct net){.s = sim_new(seed)};
    sim_add_coordinator(n->s, "55.1.0.10", DELAY_US);
    home = world_add_nat(n->s->w, "55.2.1.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    carrier = world_add_nat(n->s->w, "55.2.2.2", -1, WORLD_MAP_APDM, WORLD_FILTER_APDF);
    n->laptop = sim_add_member(n->s, "laptop", "192.168.1.10", home, DELAY_US);
    n->device = sim_add_device(n->s, "electron", "10.0.0.7", carrier, DELAY_US);
    assert_true(sim_run_until(n->s, both_up, n, TN_S(60)));
    /* a device looks up whom it speaks with; here it need not */
    assert_int_equal(tn_card_encode(&n->s->node[n->laptop].card, card, sizeof card, &len), 0);
    assert_int_equal(tn_node_load_member(n->s->node[n->device].node, card, len, n->s->w->now), 0);
}

/* A packet of either family whose bytes are all accounted for. */
static size_t make(const struct net *n, bool v6, int from, int to, uint8_t *ip, size_t len,
                   uint32_t tag)
{
    const struct tn_card *src = &n->s->node[from].card, *dst = &n->s->node[to].card;

    memset(ip, 0, 40);
    if (v6) {
        ip[0] = 0x60;
        tn_put_be16(ip + 4, (uint16_t)(len - 40));
        ip[6] = 253;
        ip[7] = 64;
        memcpy(ip + 8, src->cert.ipv6, 16);
        memcpy(ip + 24, dst->cert.ipv6, 16);
    } else {
        ip[0] = 0x45;
        tn_put_be16(ip + 2, (uint16_t)len);
        ip[6] = 0x40;
        ip[8] = 64;
        ip[9] = 253;
        memcpy(ip + 12, src->cert.ipv4, 4);
        memcpy(ip + 16, dst->cert.ipv4, 4);
    }
    for (size_t i = 40; i < len; i++)
        ip[i] = (uint8_t)(i * 31 + tag);
    return len;
}

static bool has_come(void *ctx)
{
    struct net *n = ctx;

    return n->s->node[n->laptop].delivered + n->s->node[n->device].delivered >= n->want;
}

static void expect_to_arrive(struct net *n, bool v6, int from, int to, size_t len, uint32_t tag)
{
    uint8_t ip[SIM_PACKET_LEN];

    n->want = n->s->node[n->laptop].delivered + n->s->node[n->device].delivered + 1;
    sim_send_packet(n->s, from, ip, make(n, v6, from, to, ip, len, tag));
    assert_true(sim_run_until(n->s, has_come, n, TN_S(10)));
    assert_int_equal(n->s->node[to].last_len, len);
    assert_memory_equal(n->s->node[to].last, ip, len);
}

static void expect_too_big(struct net *n, bool v6, int from, int to, size_t len, uint32_t mtu)
{
    uint8_t ip[SIM_PACKET_LEN];
    struct simnode *a = &n->s->node[from];
    uint64_t before = a->answered, came = n->s->node[to].delivered;
    const uint8_t *icmp = a->last + (v6 ? 40 : 20);

    sim_send_packet(n->s, from, ip, make(n, v6, from, to, ip, len, 1));
    assert_int_equal(a->answered, before + 1);
    assert_int_equal(v6 ? tn_get_be32(icmp + 4) : tn_get_be16(icmp + 6), mtu);
    assert_int_equal(icmp[0], v6 ? 2 : 3);
    assert_memory_equal(icmp + 8, ip, 40);
    sim_run(n->s, TN_S(1));
    assert_int_equal(n->s->node[to].delivered, came);
}

static void expect_small_datagrams(const struct net *n)
{
    assert_in_range(n->s->node[n->device].longest_in, 1000, TN_DEVICE_DATAGRAM);
    assert_in_range(n->s->node[n->device].longest_out, 1000, TN_DEVICE_DATAGRAM);
    assert_int_equal(n->s->node[n->laptop].longest_out, TN_DEVICE_DATAGRAM);
}

static const struct tn_counters *counters(const struct net *n, int i)
{
    return tn_node_counters(n->s->node[i].node);
}

static void each_length_up_to_what_fits_passes_both_ways(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(11));
    for (int way = 0; way < 2; way++) {
        int from = way ? n.device : n.laptop, to = way ? n.laptop : n.device;

        for (size_t len = 40; len <= TN_DEVICE_MTU; len += len < 960 ? 59 : 1)
            expect_to_arrive(&n, false, from, to, len, (uint32_t)len);
        assert_int_equal(counters(&n, from)->tx_fragments, 0);
        for (size_t len = 60; len <= 1280; len += 61)
            expect_to_arrive(&n, true, from, to, len, (uint32_t)len);
        expect_to_arrive(&n, true, from, to, 984, 1);
        assert_in_range(counters(&n, from)->tx_fragments, 2, 100);
        expect_to_arrive(&n, true, from, to, 985, 2);
        expect_to_arrive(&n, true, from, to, 1280, 3);
    }
    expect_small_datagrams(&n);
    assert_int_equal(counters(&n, n.laptop)->drop_malformed, 0);
    assert_int_equal(counters(&n, n.device)->drop_malformed, 0);
    sim_free(n.s);
}

static void what_cannot_be_sent_is_answered_and_nothing_is_clamped(void **state)
{
    uint8_t ip[SIM_PACKET_LEN];
    struct net n;

    (void)state;
    open_net(&n, sim_seed(12));
    expect_to_arrive(&n, false, n.laptop, n.device, 100, 1);
    for (int way = 0; way < 2; way++) {
        int from = way ? n.device : n.laptop, to = way ? n.laptop : n.device;

        expect_too_big(&n, false, from, to, 985, 984);
        expect_too_big(&n, false, from, to, 1400, 984);
        expect_too_big(&n, true, from, to, 1281, 1280);
        expect_too_big(&n, true, from, to, 1400, 1280);
    }
    /* IPv4 that may be split goes as two sealed fragments, and comes as one packet */
    n.want = n.s->node[n.laptop].delivered + n.s->node[n.device].delivered + 1;
    make(&n, false, n.laptop, n.device, ip, 1200, 9);
    ip[6] = 0;
    sim_send_packet(n.s, n.laptop, ip, 1200);
    assert_true(sim_run_until(n.s, has_come, &n, TN_S(5)));
    assert_int_equal(n.s->node[n.device].last_len, 1200);
    assert_int_equal(counters(&n, n.laptop)->drop_too_big, 4);
    sim_free(n.s);
}

static void a_ping_to_a_device_is_no_longer_than_it_can_take(void **state)
{
    struct tn_peer_info info;
    struct net n;
    uint32_t peer;

    (void)state;
    open_net(&n, sim_seed(13));
    expect_to_arrive(&n, false, n.laptop, n.device, 100, 1);
    peer = sim_peer_slot(n.s, n.laptop, n.device);
    assert_true(tn_node_peer_info(n.s->node[n.laptop].node, peer, &info));
    assert_true(info.is_device);
    assert_int_equal(info.mtu, TN_DEVICE_MTU);
    assert_int_equal(tn_node_ping(n.s->node[n.laptop].node, peer, 985, 1, n.s->w->now), TN_EINVAL);
    assert_int_equal(tn_node_ping(n.s->node[n.laptop].node, peer, 984, 1, n.s->w->now), 0);
    sim_pump(n.s, n.laptop);
    sim_run(n.s, TN_S(1));
    assert_int_equal(n.s->node[n.laptop].last_event[TN_EV_PONG].token, 1);
    expect_small_datagrams(&n);
    sim_free(n.s);
}

static void nothing_is_padded_where_a_device_pays(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(14));
    for (int way = 0; way < 2; way++) {
        int from = way ? n.device : n.laptop, to = way ? n.laptop : n.device;

        expect_to_arrive(&n, false, from, to, 200, 1);
        n.s->node[from].longest_out = 0;
        expect_to_arrive(&n, false, from, to, 201, 2);
        assert_int_equal(n.s->node[from].longest_out, 201 + 32 + 8);
    }
    sim_free(n.s);
}

/* An ordinary UDP datagram, as a host sends it. */
static size_t make_udp(const struct net *n, int from, int to, uint8_t *ip, size_t payload, uint32_t tag)
{
    size_t len = 28 + payload;
    uint16_t sum;

    make(n, false, from, to, ip, len, tag);
    ip[9] = 17;
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    tn_put_be16(ip + 20, 0xf0b1);
    tn_put_be16(ip + 22, 0xf0b2);
    tn_put_be16(ip + 24, (uint16_t)(8 + payload));
    for (size_t i = 28; i < len; i++)
        ip[i] = (uint8_t)(i * 7 + tag);
    tn_put_be16(ip + 26, 0);
    sum = tn_ip_checksum(tn_ip_sum(tn_ip_sum(17 + 8 + (uint32_t)payload, ip + 12, 8), ip + 20,
                                   8 + payload));
    tn_put_be16(ip + 26, sum ? sum : 0xffff);
    return len;
}

static void expect_udp(struct net *n, int from, int to, size_t payload, size_t datagram)
{
    uint8_t ip[SIM_PACKET_LEN];
    size_t len = make_udp(n, from, to, ip, payload, 3);

    n->want = n->s->node[n->laptop].delivered + n->s->node[n->device].delivered + 1;
    n->s->node[n->device].longest_in = n->s->node[n->device].longest_out = 0;
    sim_send_packet(n->s, from, ip, len);
    assert_true(sim_run_until(n->s, has_come, n, TN_S(5)));
    assert_int_equal(n->s->node[to].last_len, len);
    assert_memory_equal(n->s->node[to].last, ip, len);
    assert_int_equal(from == n->device ? n->s->node[from].longest_out : n->s->node[to].longest_in,
                     datagram);
}

/* 2 bytes of ports and 16 of tag, and 7 or 3 of frame: once both are known to understand it. */
static void a_warm_session_carries_little_besides_the_payload(void **state)
{
    struct net n;

    (void)state;
    open_net(&n, sim_seed(16));
    for (int i = 0; i < 5; i++)
        expect_to_arrive(&n, false, n.device, n.laptop, 200, (uint32_t)i);
    sim_run(n.s, TN_S(1));
    expect_udp(&n, n.device, n.laptop, 900, 900 + 28 + 16 + 7); /* it may be an old member */
    expect_udp(&n, n.laptop, n.device, 900, 900 + 2 + 16 + 3);
    expect_udp(&n, n.device, n.laptop, 900, 900 + 2 + 16 + 7);
    expect_udp(&n, n.device, n.laptop, 956, 956 + 2 + 16 + 7);
    assert_int_equal(counters(&n, n.laptop)->drop_malformed, 0);
    assert_int_equal(counters(&n, n.device)->drop_malformed, 0);
    sim_free(n.s);
}

/* For an hour, with rekeys and a coordinator that restarts in between, whole or compressed. */
static void what_is_left_out_is_never_missed(void **state)
{
    uint8_t ip[SIM_PACKET_LEN];
    struct net n;
    uint64_t sent = 0;

    (void)state;
    open_net(&n, sim_seed(17));
    expect_to_arrive(&n, false, n.device, n.laptop, 200, 0);
    for (int k = 0; k < 1200; k++) {
        int from = k % 3 ? n.device : n.laptop, to = k % 3 ? n.laptop : n.device;

        if (k == 700) {
            sim_coordinator_stop(n.s);
            sim_coordinator_start(n.s);
            sim_run(n.s, TN_S(90));
        }
        sim_send_packet(n.s, from, ip, make_udp(&n, from, to, ip, 100 + (size_t)k % 800, (uint32_t)k));
        sim_run(n.s, TN_S(3));
        sent++;
        assert_memory_equal(n.s->node[to].last, ip, 28 + 100 + (size_t)k % 800);
    }
    assert_in_range(tn_server_counters(n.s->coord.server)->link_rebuilt, 200, sent);
    assert_in_range(tn_server_counters(n.s->coord.server)->link_packed, 100, sent);
    assert_int_equal(counters(&n, n.laptop)->drop_auth, 0);
    assert_int_equal(counters(&n, n.device)->drop_auth, 0);
    sim_free(n.s);
}

/* What arrives is what was sent, whole, whatever is lost on the way and in which order it comes. */
static void loss_and_reordering_lose_packets_and_mix_none(void **state)
{
    uint8_t ip[SIM_PACKET_LEN], want[SIM_PACKET_LEN];
    uint64_t joined;
    struct net n;

    (void)state;
    open_net(&n, sim_seed(15));
    expect_to_arrive(&n, true, n.laptop, n.device, 100, 1);
    n.s->w->host[n.s->node[n.laptop].host].loss_ppm = 100000;
    n.s->w->host[n.s->node[n.laptop].host].jitter_us = 60000;
    joined = n.s->node[n.device].delivered;
    for (uint32_t i = 0; i < 400; i++) {
        uint64_t before = n.s->node[n.device].delivered;
        size_t len = 986 + i % 290;

        sim_send_packet(n.s, n.laptop, ip, make(&n, true, n.laptop, n.device, ip, len, i));
        sim_run(n.s, TN_MS(7));
        if (n.s->node[n.device].delivered == before)
            continue;
        len = n.s->node[n.device].last_len;
        make(&n, true, n.laptop, n.device, want, len, 0);
        for (size_t k = 41; k < len; k++) /* one tag throughout: halves of one packet */
            assert_int_equal((uint8_t)(n.s->node[n.device].last[k] - n.s->node[n.device].last[k - 1]),
                             31);
    }
    joined = n.s->node[n.device].delivered - joined;
    assert_in_range(joined, 200, 380); /* 0.9 * 0.9 of 400, but for halves that crowd each other out */
    assert_in_range(n.s->node[n.device].longest_in, 1, TN_DEVICE_DATAGRAM);
    sim_free(n.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_up_to_what_fits_passes_both_ways),
        cmocka_unit_test(what_cannot_be_sent_is_answered_and_nothing_is_clamped),
        cmocka_unit_test(a_ping_to_a_device_is_no_longer_than_it_can_take),
        cmocka_unit_test(nothing_is_padded_where_a_device_pays),
        cmocka_unit_test(a_warm_session_carries_little_besides_the_payload),
        cmocka_unit_test(what_is_left_out_is_never_missed),
        cmocka_unit_test(loss_and_reordering_lose_packets_and_mix_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
