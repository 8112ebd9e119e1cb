/* Link compression between a client and the coordinator: contexts come and go, frames are rebuilt byte
 * for byte, and nobody else can make anything of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"
#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/server_priv.h"
#include "libtunnel/wg/cookie.h"

#define TX 0x01020304u /* the peer's index: in what the member sends */
#define RX 0x0a0b0c0du /* the member's own */
#define LINK_LEN (TN_CTL_DATA_OVERHEAD + TN_MSG_HEADER_LEN + 27)

static size_t longest, shortest, links;
static bool is_deaf;

/* Frames to and from client 0, which pays for them, and LINKs, which an old coordinator does not know. */
static bool tap(struct net *n, struct net_packet *p)
{
    const struct tn_addr *member = &n->client[0].at[0];
    bool own = tn_addr_equal(&p->src, member) || tn_addr_equal(&p->dst, member);

    if (own && (p->data[0] == TN_CTL_RELAY || tn_link_is_frame(p->data, p->len))) {
        longest = p->len > longest ? p->len : longest;
        shortest = p->len < shortest ? p->len : shortest;
    }
    if (p->to_server && p->data[0] == TN_CTL_DATA && p->len == LINK_LEN) {
        links++;
        return !is_deaf;
    }
    return true;
}

static void measure(void)
{
    longest = 0;
    shortest = SIZE_MAX;
}

static struct tn_link_context session(uint16_t channel)
{
    return (struct tn_link_context){.channel = channel, .tx_index = TX, .rx_index = RX};
}

/* 0 and 1 have channels to each other; both numbers are 1. */
static struct net *bound(uint64_t seed)
{
    struct net *n = net_of_members(seed, 3);
    uint16_t a, b;

    assert_int_equal(tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &a, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&n->client[1].c, n->client[0].identity, &b, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(a, 1);
    assert_int_equal(b, 1);
    n->tap = tap;
    links = 0;
    is_deaf = false;
    measure();
    return n;
}

static void link_session(struct net *n, const struct tn_link_context *s)
{
    tn_coord_client_link(&n->client[0].c, s, n->now);
    net_drain(n, &n->client[0]);
}

static struct net *linked(uint64_t seed)
{
    struct net *n = bound(seed);
    struct tn_link_context s = session(1);

    link_session(n, &s);
    net_run(n, TN_S(1));
    assert_int_equal(links, 1);
    assert_true(n->client[0].c.link.answered);
    assert_int_equal(tn_server_counters(&n->server)->links, 1);
    measure();
    return n;
}

struct message {
    uint8_t mem[1700];
    struct tn_buf b;
};

static void data(struct message *m, uint32_t receiver, uint64_t counter, size_t len, uint8_t fill)
{
    memset(m->mem, fill, sizeof(m->mem));
    m->b = (struct tn_buf){.mem = m->mem, .cap = sizeof(m->mem), .off = TN_BUF_HEADROOM, .len = len};
    tn_put_le32(tn_buf_data(&m->b), 4);
    tn_put_le32(tn_buf_data(&m->b) + 4, receiver);
    tn_put_le64(tn_buf_data(&m->b) + 8, counter);
}

static void shake(struct message *m, uint8_t type, const uint8_t responder[32], uint8_t fill)
{
    struct tn_cookie_maker maker;

    data(m, 0, 0, type == 1 ? 148 : 92, fill);
    memset(tn_buf_data(&m->b), fill, m->b.len);
    tn_put_le32(tn_buf_data(&m->b), type);
    tn_cookie_maker_init(&maker, responder);
    tn_cookie_add_macs(&maker, tn_buf_data(&m->b), m->b.len, 1000);
}

/* Sends from client i to the other of the two, and sees it arrive as it was. */
static void passes(struct net *n, unsigned i, struct message *m)
{
    struct net_client *to = &n->client[!i];
    struct message was = *m;
    unsigned before = to->relayed_in;

    was.b.mem = was.mem;
    assert_int_equal(net_relay_buf(n, i, 1, &m->b), 0);
    net_run(n, TN_MS(200));
    assert_int_equal(to->relayed_in, before + 1);
    assert_int_equal(to->relayed_len, was.b.len);
    assert_memory_equal(to->relayed, tn_buf_data(&was.b), was.b.len);
}

static void data_goes_compressed_both_ways_and_comes_as_it_was(void **state)
{
    struct net *n = linked(1);
    struct message m;

    (void)state;
    for (uint64_t k = 0; k < 20; k++) {
        data(&m, TX, k, 32 + 50 * k, (uint8_t)k);
        measure();
        passes(n, 0, &m);
        assert_int_equal(longest, 32 + 50 * k - 9);
        data(&m, RX, k, 32 + 50 * k, (uint8_t)k);
        measure();
        passes(n, 1, &m);
        assert_int_equal(longest, 32 + 50 * k - 13);
    }
    assert_int_equal(tn_server_counters(&n->server)->link_rebuilt, 20);
    assert_int_equal(tn_server_counters(&n->server)->link_packed, 20);
    net_free(n);
}

static void handshakes_go_compressed_once_it_is_known_that_they_may(void **state)
{
    struct net *n = bound(2);
    struct tn_link_context s = session(1);
    struct message m;

    (void)state;
    shake(&m, 1, n->client[1].public_key, 1);
    passes(n, 0, &m);
    assert_int_equal(longest, 156);
    link_session(n, &s);
    net_run(n, TN_S(1));
    for (uint8_t type = 1; type <= 2; type++) {
        shake(&m, type, n->client[1].public_key, 3);
        measure();
        passes(n, 0, &m);
        assert_int_equal(longest, type == 1 ? 119 : 63);
        shake(&m, type, n->client[0].public_key, 4);
        measure();
        passes(n, 1, &m);
        assert_int_equal(longest, type == 1 ? 117 : 61);
    }
    net_free(n);
}

/* The counter goes far; the bases follow in time, and nothing is ever sent whole again. */
static void bases_follow_the_counters(void **state)
{
    struct net *n = linked(3);
    struct tn_link_context s = session(1);
    struct message m;

    (void)state;
    for (uint64_t k = 0; k < 400000; k += 9973) {
        s.tx_base = s.rx_base = k;
        link_session(n, &s);
        net_run(n, TN_MS(200));
        data(&m, TX, k, 64, 1);
        measure();
        passes(n, 0, &m);
        assert_int_equal(longest, 55);
        data(&m, RX, k, 64, 1);
        passes(n, 1, &m);
        assert_int_equal(longest, 55);
    }
    assert_in_range(links, 10, 14);
    net_free(n);
}

/* Random messages of sessions with and without a context, whole ones and handshakes, over a network
 * that loses a fifth: what comes is what was sent. */
static void what_comes_is_what_was_sent(void **state)
{
    struct net *n = linked(4);
    struct tn_link_context s = session(1);
    uint64_t came = 0, counter = 0;

    (void)state;
    n->loss_percent = 20;
    for (unsigned round = 0; round < 3000; round++) {
        unsigned i = tn_rng_below(&n->rng, 2);
        struct net_client *to = &n->client[!i];
        unsigned before = to->relayed_in;
        struct message m, was;

        counter += tn_rng_below(&n->rng, 200);
        s.tx_base = s.rx_base = counter;
        if (round % 500 == 250)
            s.rx_index++, s.tx_index++; /* a new WireGuard session */
        if (i == 0)
            link_session(n, &s);
        switch (tn_rng_below(&n->rng, 6)) {
        case 0:
            shake(&m, 1, to->public_key, (uint8_t)round);
            break;
        case 1:
            shake(&m, 2, to->public_key, (uint8_t)round);
            break;
        case 2:
            data(&m, tn_rng_u32(&n->rng), counter, 40, (uint8_t)round);
            break;
        default:
            data(&m, i ? s.rx_index : s.tx_index, counter, 32 + tn_rng_below(&n->rng, 900),
                 (uint8_t)round);
            break;
        }
        was = m;
        was.b.mem = was.mem;
        if (net_relay_buf(n, i, 1, &m.b))
            continue; /* the control session was lost and is made anew */
        net_run(n, TN_MS(60));
        if (to->relayed_in == before)
            continue;
        came++;
        assert_int_equal(to->relayed_len, was.b.len);
        assert_memory_equal(to->relayed, tn_buf_data(&was.b), was.b.len);
    }
    assert_in_range(came, 1500, 2400);
    assert_in_range(tn_server_counters(&n->server)->link_rebuilt, 300, 2000);
    assert_in_range(tn_server_counters(&n->server)->link_packed, 300, 2000);
    net_free(n);
}

static void a_coordinator_that_does_not_know_it_is_asked_six_times(void **state)
{
    struct net *n = bound(5);
    struct tn_link_context s = session(1);
    struct message m;

    (void)state;
    is_deaf = true;
    for (int k = 0; k < 60; k++) {
        link_session(n, &s);
        net_run(n, TN_S(1));
    }
    assert_int_equal(links, 6);
    data(&m, TX, 0, 64, 1);
    passes(n, 0, &m);
    assert_int_equal(longest, 72);
    net_free(n);
}

static void a_new_control_session_begins_with_nothing(void **state)
{
    struct net *n = linked(6);
    struct tn_link_context s = session(1);
    struct message m;

    (void)state;
    net_start_server(n); /* it has forgotten all */
    tn_coord_client_suspect(&n->client[0].c, n->now);
    net_run(n, TN_S(60));
    assert_true(net_all_connected(n));
    data(&m, TX, 0, 64, 1);
    measure();
    passes(n, 0, &m);
    assert_int_equal(longest, 72);
    link_session(n, &s);
    net_run(n, TN_S(1));
    assert_int_equal(links, 2);
    data(&m, TX, 1, 64, 1);
    measure();
    passes(n, 0, &m);
    assert_int_equal(longest, 55);
    net_free(n);
}

static void a_link_that_was_overtaken_changes_nothing(void **state)
{
    struct net *n = linked(7);
    struct tn_link_context old = session(1);
    struct tn_msg a = {0}, m = {.type = TN_MSG_LINK, .link = old};
    uint32_t slot = tn_ctl_index_slot(n->client[0].c.session.remote_index, n->server.slot_bits);
    const struct tn_server_session *x = &n->server.mem.session[slot];
    uint64_t set = x->link_set[0];

    (void)state;
    m.link.tx_index = 77;
    tn_server_do_link(&n->server, slot, &m, set - 1, &a);
    assert_int_equal(a.status, TN_STATUS_OK);
    assert_int_equal(x->link[0].tx_index, TX);
    tn_server_do_link(&n->server, slot, &m, set + 1, &a);
    assert_int_equal(x->link[0].tx_index, 77);
    net_free(n);
}

static void a_channel_that_is_not_bound_has_no_context(void **state)
{
    struct net *n = bound(8);
    struct tn_link_context s = session(9);

    (void)state;
    link_session(n, &s);
    net_run(n, TN_S(1));
    assert_false(n->client[0].c.link.answered);
    assert_int_equal(tn_server_counters(&n->server)->links, 0);
    net_free(n);
}

/* A frame handed to the server as if it came from `src`. */
static size_t offer(struct net *n, const struct tn_addr *src, const uint8_t *frame, size_t len)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t copy[1600];
    size_t count;

    memcpy(copy, frame, len);
    count = tn_server_on_datagram(&n->server, 0, src, copy, len, n->now, out);
    for (size_t i = 0; i < count; i++)
        assert_in_range(out[i].len, 0, len + 41);
    return count;
}

static void frames_that_are_not_in_order_are_dropped_by_reason(void **state)
{
    struct net *n = linked(9);
    const struct tn_server_counters *c = tn_server_counters(&n->server);
    struct net_client *a = &n->client[0];
    struct tn_addr elsewhere = a->at[0];
    uint8_t f[1600] = {TN_LINK_DATA};

    (void)state;
    tn_put_be32(f + 1, a->c.session.remote_index);
    assert_int_equal(offer(n, &a->at[0], f, 64), 1);
    elsewhere.port++;
    assert_int_equal(offer(n, &elsewhere, f, 64), 0);
    assert_int_equal(offer(n, &n->client[1].at[0], f, 64), 0);
    assert_int_equal(c->drop_relay_source, 2);
    f[0]++;
    assert_int_equal(offer(n, &a->at[0], f, 64), 0); /* a context that is not set */
    f[0]--;
    assert_int_equal(offer(n, &a->at[0], f, 22), 0); /* no tag */
    assert_int_equal(offer(n, &a->at[0], f, 1500), 0); /* too long when it is rebuilt */
    assert_int_equal(c->drop_link, 2);
    f[4] ^= 1;
    assert_int_equal(offer(n, &a->at[0], f, 64), 0); /* another session */
    f[4] ^= 1;
    assert_int_equal(c->drop_relay_session, 1);
    f[0] = TN_LINK_INITIATION;
    tn_put_be16(f + 5, 1);
    assert_int_equal(offer(n, &a->at[0], f, 119), 1);
    tn_put_be16(f + 5, 2);
    assert_int_equal(offer(n, &a->at[0], f, 119), 0);
    assert_int_equal(c->drop_relay_unbound, 2);
    net_free(n);
}

static void noise_moves_no_context(void **state)
{
    struct net *n = linked(10);
    struct net_client *a = &n->client[0];
    struct message m;
    uint8_t f[1200];

    (void)state;
    for (int k = 0; k < 20000; k++) {
        size_t len = 1 + tn_rng_below(&n->rng, sizeof(f) - 1);

        tn_rng_bytes(&n->rng, f, len);
        f[0] = (uint8_t)(TN_LINK_DATA + f[0] % 10);
        if (len >= 5 && k % 2)
            tn_put_be32(f + 1, a->c.session.remote_index);
        offer(n, &a->at[0], f, len);
        if (k % 100 == 0)
            net_run(n, TN_MS(100));
    }
    data(&m, TX, 5, 64, 1);
    measure();
    passes(n, 0, &m);
    data(&m, RX, 5, 64, 1);
    passes(n, 1, &m);
    assert_int_equal(longest, 55);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_goes_compressed_both_ways_and_comes_as_it_was),
        cmocka_unit_test(handshakes_go_compressed_once_it_is_known_that_they_may),
        cmocka_unit_test(bases_follow_the_counters),
        cmocka_unit_test(what_comes_is_what_was_sent),
        cmocka_unit_test(a_coordinator_that_does_not_know_it_is_asked_six_times),
        cmocka_unit_test(a_new_control_session_begins_with_nothing),
        cmocka_unit_test(a_link_that_was_overtaken_changes_nothing),
        cmocka_unit_test(a_channel_that_is_not_bound_has_no_context),
        cmocka_unit_test(frames_that_are_not_in_order_are_dropped_by_reason),
        cmocka_unit_test(noise_moves_no_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
