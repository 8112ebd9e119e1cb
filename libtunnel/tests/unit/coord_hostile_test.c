/* What strangers can do to the coordinator: nothing that is kept, nothing that is longer than what
 * they sent, and no harm to members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"
#include "libtunnel/base/bytes.h"
#include "member_fixture.h"

/* All that datagrams could change, but for counters and the space that answers are made in. */
struct picture {
    struct tn_server server;
    struct tn_server_session session[NET_SESSIONS];
    struct tn_server_channel channels[NET_CHANNELS];
    uint32_t bucket[3][NET_BUCKETS];
    uint64_t writes;
};

static void take_picture(const struct net *n, struct picture *p)
{
    memset(p, 0, sizeof(*p));
    memcpy(&p->server, &n->server, sizeof(p->server));
    memset(&p->server.counter, 0, sizeof(p->server.counter));
    memset(p->server.scratch, 0, sizeof(p->server.scratch));
    memset(p->server.lost, 0, sizeof(p->server.lost)); /* how often it may yet be told LOST */
    memcpy(p->session, n->session, sizeof(p->session));
    memcpy(p->channels, n->channels, sizeof(p->channels));
    memcpy(p->bucket, n->bucket, sizeof(p->bucket));
    p->writes = n->store.writes;
}

static struct picture before, after;

/* Hands in one datagram of a stranger and keeps the books. Returns the bytes that came out. */
static size_t account(struct net *n, const struct tn_addr *src, const uint8_t *data, size_t len)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t *exact = test_malloc(len + 1);
    size_t count, bytes = 0;

    memcpy(exact, data, len);
    take_picture(n, &before);
    count = tn_server_on_datagram(&n->server, 1, src, exact, len, n->now, out);
    take_picture(n, &after);
    for (size_t i = 0; i < count; i++) {
        bytes += out[i].len;
        assert_true(tn_addr_equal(&out[i].dst, src)); /* to nobody else */
        assert_int_equal(out[i].port, 1);
        assert_int_not_equal(out[i].data[0], TN_CTL_RESP);
    }
    assert_in_range(count, 0, 1);
    assert_in_range(bytes, 0, len);
    assert_memory_equal(&before, &after, sizeof(before));
    test_free(exact);
    return bytes;
}

static bool keep_upward(struct net *n, struct net_packet *p)
{
    if (p->to_server && p->data[0] == (uint8_t)n->count)
        n->kept = *p;
    return true;
}

/* The last datagram of this kind that client 0 sent. */
static struct net_packet caught(struct net *n, uint8_t kind)
{
    n->tap = keep_upward;
    n->count = kind;
    n->kept.len = 0;
    tn_coord_client_stop(&n->client[0].c);
    tn_coord_client_start(&n->client[0].c, n->now);
    net_run(n, TN_S(1));
    n->tap = NULL;
    assert_int_equal(n->kept.data[0], kind);
    assert_in_range(n->kept.len, 24, 1600);
    return n->kept;
}

/* What is answered to one who has no session. */
static size_t due(const uint8_t *data, size_t len)
{
    if (len == TN_CTL_INIT_LEN && data[0] == TN_CTL_INIT)
        return TN_CTL_COOKIE_LEN;
    return 0;
}

static void garbage_is_met_with_silence(void **state)
{
    struct net *n = net_of_members(1, 2);
    struct tn_addr stranger = net_v4(66, 6666);
    uint8_t data[1600];

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        size_t len = tn_rng_below(&n->rng, sizeof(data));
        size_t out;

        tn_rng_bytes(&n->rng, data, len);
        if (len && i % 2)
            data[0] = (uint8_t)(0x8f + tn_rng_below(&n->rng, 8));
        if (len > 1 && i % 4 > 1)
            data[1] = TN_CTL_VERSION;
        out = account(n, &stranger, data, len);
        if (out)
            assert_int_equal(out, due(data, len));
    }
    net_free(n);
}

static void no_kind_of_datagram_brings_back_more_than_was_sent(void **state)
{
    static const uint8_t kinds[] = {TN_CTL_INIT, TN_CTL_DATA};
    struct tn_addr stranger = net_v4(66, 6666);
    struct net *n = net_of_members(2, 2);

    (void)state;
    for (size_t k = 0; k < sizeof(kinds); k++) {
        struct net_packet p = caught(n, kinds[k]);

        for (size_t len = 0; len <= p.len; len++) {
            size_t out = account(n, &stranger, p.data, len);

            assert_int_equal(out, p.data[0] == TN_CTL_INIT ? due(p.data, len) : 0);
        }
        for (size_t bit = 0; bit < p.len * 8; bit++) {
            p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            account(n, &stranger, p.data, p.len);
            p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        p.data[p.len] = 0;
        assert_int_equal(account(n, &stranger, p.data, p.len + 1), 0); /* one byte too many */
    }
    net_free(n);
}

static void answers_and_relay_frames_of_strangers_are_dropped(void **state)
{
    struct net *n = net_of_members(3, 2);
    struct tn_addr stranger = net_v4(66, 6666);
    uint8_t data[200] = {0, TN_CTL_VERSION};

    (void)state;
    for (unsigned kind = TN_CTL_COOKIE; kind <= TN_CTL_PUNCH; kind++) {
        data[0] = (uint8_t)kind;
        for (size_t len = 0; len <= sizeof(data); len++)
            assert_int_equal(account(n, &stranger, data, len), due(data, len));
    }
    for (uint32_t index = 0; index < 100000; index += 7) { /* guessed sessions */
        tn_relay_encode(data, 1, index * 42949u);
        data[8] = 4;
        assert_int_equal(account(n, &n->client[1].at[0], data, 100), 0);
    }
    net_free(n);
}

static void data_of_a_session_with_any_bit_flipped_changes_nothing(void **state)
{
    struct net *n = net_of_members(4, 1);
    struct net_packet p = caught(n, TN_CTL_DATA);

    (void)state;
    for (size_t bit = 0; bit <= p.len * 8; bit++) { /* the last: a replay, as it was */
        struct net_packet forged = p;

        if (bit < p.len * 8)
            forged.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(account(n, &p.src, forged.data, forged.len), 0);
    }
    assert_in_range(tn_server_counters(&n->server)->drop_replay, 1, 200);
    net_free(n);
}

static size_t give(struct net *n, const struct tn_addr *src, const struct net_packet *p)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct net_packet copy = *p;

    return tn_server_on_datagram(&n->server, 0, src, copy.data, copy.len, n->now, out);
}

static void a_replayed_init_moves_nobody(void **state)
{
    struct net *n = net_of_members(5, 2);
    struct net_packet init = caught(n, TN_CTL_INIT);
    struct tn_addr thief = net_v4(66, 6666);
    uint16_t channel;

    (void)state;
    assert_int_equal(give(n, &init.src, &init), 0); /* from the same address: its stamp is known */
    assert_int_equal(tn_server_counters(&n->server)->drop_stamp, 1);
    net_put_cookie(n, &thief, &init);
    assert_int_equal(give(n, &thief, &init), 0); /* from elsewhere, with a good cookie */
    assert_int_equal(tn_server_counters(&n->server)->drop_stamp, 2);
    assert_int_equal(n->server.gauge.tentative, 0);

    net_start_server(n); /* it has forgotten the stamp */
    net_put_cookie(n, &thief, &init);
    assert_int_equal(give(n, &thief, &init), 1); /* a RESP that the thief cannot read */
    assert_int_equal(n->server.gauge.tentative, 1);
    assert_int_equal(n->server.gauge.members, 0);
    net_run(n, TN_S(30)); /* the member comes back by itself, and is served */
    assert_int_equal(n->server.gauge.members, 2);
    assert_int_equal(n->server.gauge.tentative, 0);
    assert_int_equal(tn_coord_client_bind(&n->client[1].c, n->client[0].identity, &channel, n->now),
                     0);
    net_run(n, TN_S(1));
    assert_int_equal(net_relay(n, 1, channel, 64), 0);
    net_run(n, TN_S(1));
    assert_int_equal(n->client[0].relayed_in, 1);
    net_free(n);
}

static void a_replay_while_the_member_is_connected_leaves_its_session(void **state)
{
    struct net *n = net_of_members(6, 1);
    struct net_client *k = &n->client[0];
    struct net_packet init = caught(n, TN_CTL_INIT);
    struct tn_addr thief = net_v4(66, 6666);
    uint32_t slot = tn_ctl_index_slot(k->c.session.remote_index, n->server.slot_bits);

    (void)state;
    memset(n->session[slot].tai64n, 0, TN_CTL_TAI64N_LEN); /* even if the stamp were new */
    net_put_cookie(n, &thief, &init);
    assert_int_equal(give(n, &thief, &init), 1);
    net_run(n, TN_S(60));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 2); /* the first, and caught()'s */
    assert_int_equal(n->server.gauge.members, 1);
    assert_true(tn_addr_equal(&n->session[slot].seen[0].addr, &k->at[0]));
    net_free(n);
}

static void a_cookie_is_for_one_address_one_index_and_four_minutes(void **state)
{
    struct net *n = net_new(7);
    struct net_packet init;
    struct tn_addr src = net_v4(1, 51820), other = net_v4(1, 51821), third = net_v4(2, 51820);

    (void)state;
    n->server_up = true;
    net_add(n, 0, 1);
    init = caught(n, TN_CTL_INIT);
    assert_true(tn_addr_equal(&init.src, &src));
    n->client[0].used = false;
    init.data[60] ^= 1; /* so that the handshake itself fails: only the cookie is looked at */
    assert_int_equal(give(n, &src, &init), 0);
    assert_int_equal(tn_server_counters(&n->server)->drop_handshake, 1);
    assert_int_equal(account(n, &other, init.data, init.len), TN_CTL_COOKIE_LEN);
    assert_int_equal(account(n, &third, init.data, init.len), TN_CTL_COOKIE_LEN);
    init.data[7] ^= 1;
    assert_int_equal(account(n, &src, init.data, init.len), TN_CTL_COOKIE_LEN);
    init.data[7] ^= 1;
    net_run(n, TN_S(119));
    assert_int_equal(give(n, &src, &init), 0); /* the key before still counts */
    net_run(n, TN_S(122));
    assert_int_equal(account(n, &src, init.data, init.len), TN_CTL_COOKIE_LEN);
    assert_int_equal(tn_server_counters(&n->server)->drop_handshake, 2);
    net_free(n);
}

static void a_crowd_of_strangers_pushes_no_member_out(void **state)
{
    struct net *n = net_of_members(8, 4);
    struct net_client *late = &n->client[4];

    (void)state;
    net_crowd(n, 500, false);
    assert_int_equal(n->server.gauge.members, 4);
    assert_int_equal(n->server.gauge.tentative, NET_SESSIONS / 4);
    net_crowd(n, 500, true);
    assert_int_equal(n->server.gauge.members, 4);
    assert_int_equal(n->server.gauge.guests, NET_SESSIONS / 4);
    net_add(n, 4, 1); /* and one that comes in the middle of it gets in */
    net_join(n, 4, FIX_NETWORK);
    net_run(n, TN_S(2));
    assert_int_equal(late->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(n->server.gauge.members, 5);
    net_run(n, TN_S(100));
    assert_int_equal(n->server.gauge.guests, 0);
    assert_int_equal(n->server.gauge.tentative, 0);
    assert_int_equal(n->server.gauge.members, 5);
    net_free(n);
}

static void a_full_table_of_members_refuses_in_silence(void **state)
{
    struct net *n = net_of_members(9, 4);
    uint32_t was = n->server.free_session;
    struct net_client *k;

    (void)state;
    n->server.free_session = TN_SERVER_NONE; /* as if all the others were members */
    k = net_add(n, 4, 1);
    net_run(n, TN_S(3));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 0);
    assert_true(tn_server_counters(&n->server)->drop_full > 0);
    assert_int_equal(n->server.gauge.members, 4);
    n->server.free_session = was;
    net_run(n, TN_S(30));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1);
    net_free(n);
}

static void one_address_gets_its_share_of_handshakes_and_no_more(void **state)
{
    struct net *n = net_of_members(10, 1);
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct tn_addr src = net_v4(66, 6666);
    unsigned answered = 0;
    struct net_client *k;

    (void)state;
    n->server.cfg.handshakes_per_s = 4;
    memset(n->server.limit, 0, sizeof(n->server.limit));
    for (unsigned i = 0; i < 200; i++) {
        uint8_t priv[32], stamp[TN_CTL_TAI64N_LEN] = {0};
        struct net_packet p = {.len = TN_CTL_INIT_LEN};
        struct tn_ctl_local local;
        struct tn_ik ik;

        tn_rng_bytes(&n->rng, priv, 32);
        assert_int_equal(tn_ctl_local_init(&local, priv, n->server_public), 0);
        assert_int_equal(tn_ctl_create_init(&ik, &local, &n->rng, i, NULL, stamp, p.data), 0);
        src.port = (uint16_t)(1024 + i); /* another port is no other host */
        net_put_cookie(n, &src, &p);
        answered += tn_server_on_datagram(&n->server, 0, &src, p.data, p.len, n->now, out) == 1;
        net_advance(n, n->now.us + TN_MS(10));
    }
    assert_in_range(answered, 26, 29); /* 20 at once, 4 a second for 2 s */
    k = net_add(n, 1, 1);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1); /* others do not feel it */
    net_free(n);
}

static void a_member_with_a_malformed_request_is_told_so(void **state)
{
    struct net *n = net_of_members(11, 1);
    struct net_client *k = &n->client[0];
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t d[64] = {0};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool request = (type >= TN_MSG_PING && type <= TN_MSG_UPDATE) || type == TN_MSG_CHECK ||
                       type == TN_MSG_LINK;
        size_t count;

        memset(d, 0, sizeof(d));
        memcpy(d + 16, (uint8_t[]){(uint8_t)type, 0, 0x12, 0x34, 9}, 5);
        assert_int_equal(tn_ctl_seal(&k->c.session, d, 5), 0);
        count = tn_server_on_datagram(&n->server, 0, &k->at[0], d, 5 + TN_CTL_DATA_OVERHEAD, n->now,
                                      out);
        assert_int_equal(count, request);
        if (count) {
            assert_int_equal(tn_ctl_open(&k->c.session, out[0].data, out[0].len), 0);
            assert_int_equal(out[0].data[16], type | TN_MSG_ANSWER);
            assert_int_equal(out[0].data[17], TN_STATUS_MALFORMED);
            assert_int_equal(out[0].data[18], 0x12);
            assert_int_equal(out[0].data[19], 0x34);
        }
    }
    net_free(n);
}

static void too_many_requests_are_met_with_silence(void **state)
{
    struct net *n = net_of_members(23, 2);
    struct net_client *a = &n->client[0];
    unsigned answered = 0;

    (void)state;
    n->delay_us = TN_MS(1);
    for (unsigned i = 0; i < 400; i++) {
        unsigned were = a->seen[TN_COORD_EV_LOOKUP_FAILED];
        uint8_t key[32] = {(uint8_t)i, (uint8_t)(i >> 8)};

        if (tn_coord_client_lookup(&a->c, TN_BY_IDENTITY, key, 32, i, n->now))
            break;
        net_run(n, 2 * n->delay_us + 1);
        answered += a->seen[TN_COORD_EV_LOOKUP_FAILED] > were;
    }
    assert_in_range(answered, 200, 399); /* 800 units and 200 a second, 4 each */
    assert_true(tn_server_counters(&n->server)->drop_request_rate > 0);
    assert_int_equal(tn_coord_client_lookup(&n->client[1].c, TN_BY_NAME, "laptop", 6, 1, n->now), 0);
    net_run(n, TN_MS(50));
    assert_int_equal(n->client[1].seen[TN_COORD_EV_CARD], 1); /* others do not feel it */
    net_free(n);
}

static void an_ended_session_is_dead_before_it_is_swept_up(void **state)
{
    struct net *n = net_of_members(12, 2);
    struct net_client *k = &n->client[0];
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t d[128] = {0};
    struct tn_msg m = {.type = TN_MSG_CONNECT, .request_id = 7};
    size_t len;

    (void)state;
    net_advance(n, n->now.us + TN_S(60)); /* no tick is called */
    memcpy(d + 16, (uint8_t[]){TN_MSG_PING, 0, 0, 1, 0, 0, 0, 0}, 8);
    assert_int_equal(tn_ctl_seal(&k->c.session, d, 8), 0);
    assert_int_equal(tn_server_on_datagram(&n->server, 0, &k->at[0], d, 40, n->now, out), 1);
    net_advance(n, n->now.us + TN_S(20));
    memcpy(m.identity, n->client[1].identity, 32);
    assert_int_equal(tn_msg_encode(&m, d + 16, sizeof(d) - 16, &len), 0);
    assert_int_equal(tn_ctl_seal(&k->c.session, d, len), 0);
    assert_int_equal(tn_server_on_datagram(&n->server, 0, &k->at[0], d,
                                           len + TN_CTL_DATA_OVERHEAD, n->now, out), 1);
    assert_int_equal(tn_ctl_open(&k->c.session, out[0].data, out[0].len), 0);
    assert_int_equal(out[0].data[17], TN_STATUS_UNREACHABLE); /* the other was silent for 80 s */
    net_advance(n, n->now.us + TN_S(76));
    memcpy(d + 16, (uint8_t[]){TN_MSG_PING, 0, 0, 2, 0, 0, 0, 0}, 8);
    assert_int_equal(tn_ctl_seal(&k->c.session, d, 8), 0);
    assert_int_equal(account(n, &k->at[0], d, 40), 0);
    assert_int_equal(tn_server_counters(&n->server)->drop_no_session, 1);
    net_free(n);
}

static void a_newcomer_pushes_out_the_tentative_first_then_a_guest(void **state)
{
    struct net *n = net_of_members(13, 2);
    struct tn_server_gauges g;

    (void)state;
    net_crowd(n, 2, true);
    net_crowd(n, 1, false);
    tn_server_gauges(&n->server, &g);
    assert_int_equal(g.guests, 2);
    assert_int_equal(g.tentative, 1);
    n->server.free_session = TN_SERVER_NONE; /* as if all the others were members */
    net_crowd(n, 1, false);
    tn_server_gauges(&n->server, &g);
    assert_int_equal(g.guests, 2);
    assert_int_equal(g.tentative, 1);
    net_crowd(n, 1, true); /* takes that one's place, becomes a guest */
    net_crowd(n, 1, false);
    tn_server_gauges(&n->server, &g);
    assert_int_equal(g.guests, 2); /* three, less the oldest */
    assert_int_equal(g.tentative, 1);
    assert_int_equal(g.members, 2);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_is_met_with_silence),
        cmocka_unit_test(no_kind_of_datagram_brings_back_more_than_was_sent),
        cmocka_unit_test(answers_and_relay_frames_of_strangers_are_dropped),
        cmocka_unit_test(data_of_a_session_with_any_bit_flipped_changes_nothing),
        cmocka_unit_test(a_replayed_init_moves_nobody),
        cmocka_unit_test(a_replay_while_the_member_is_connected_leaves_its_session),
        cmocka_unit_test(a_cookie_is_for_one_address_one_index_and_four_minutes),
        cmocka_unit_test(a_crowd_of_strangers_pushes_no_member_out),
        cmocka_unit_test(a_full_table_of_members_refuses_in_silence),
        cmocka_unit_test(one_address_gets_its_share_of_handshakes_and_no_more),
        cmocka_unit_test(a_member_with_a_malformed_request_is_told_so),
        cmocka_unit_test(an_ended_session_is_dead_before_it_is_swept_up),
        cmocka_unit_test(a_newcomer_pushes_out_the_tentative_first_then_a_guest),
        cmocka_unit_test(too_many_requests_are_met_with_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
