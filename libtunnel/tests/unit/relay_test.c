/* The relay's header and table of channels, and the relay itself. */
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

/* ---- header and table ---- */

static void the_header_has_the_bytes_of_the_specification(void **state)
{
    static const uint8_t want[] = {0x94, 1, 0x12, 0x34, 0xa0, 0xb0, 0xc0, 0xd0, 4, 0, 0, 0};
    uint8_t mem[128];
    struct tn_buf b;
    uint16_t channel;
    uint32_t index;

    (void)state;
    net_wireguard(&b, mem, sizeof(mem), 64);
    assert_int_equal(tn_relay_push_header(&b, 0x1234, 0xa0b0c0d0), 0);
    assert_int_equal(b.len, 72);
    assert_memory_equal(tn_buf_data(&b), want, sizeof(want));
    assert_int_equal(tn_relay_decode(tn_buf_data(&b), b.len, &channel, &index), 0);
    assert_int_equal(channel, 0x1234);
    assert_int_equal(index, 0xa0b0c0d0);
    for (size_t len = 0; len < TN_RELAY_HEADER_LEN; len++)
        assert_int_equal(tn_relay_decode(tn_buf_data(&b), len, &channel, &index), TN_EINVAL);
    tn_buf_data(&b)[1] = 2;
    assert_int_equal(tn_relay_decode(tn_buf_data(&b), b.len, &channel, &index), TN_EINVAL);
    b.off = 7;
    assert_int_equal(tn_relay_push_header(&b, 1, 1), TN_ENOSPC);
}

static void only_what_looks_like_wireguard_passes(void **state)
{
    uint8_t d[1600] = {0};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        d[0] = (uint8_t)type;
        for (size_t len = 0; len < 200; len++) {
            bool want = (type == 1 && len == 148) || (type == 2 && len == 92) ||
                        (type == 3 && len == 64) || (type == 4 && len >= 32);

            assert_int_equal(tn_relay_is_wireguard(d, len), want);
        }
    }
    d[0] = 4;
    for (int i = 1; i < 4; i++) {
        d[i] = 1;
        assert_false(tn_relay_is_wireguard(d, 64));
        d[i] = 0;
    }
}

static void a_channel_is_found_by_identity_and_the_table_ends(void **state)
{
    struct tn_relay_channel row[3];
    uint8_t a[32] = {1}, b[32] = {2}, c[32] = {3}, d[32] = {4};

    (void)state;
    memset(row, 0, sizeof(row));
    assert_int_equal(tn_relay_find(row, 3, row[0].identity), 0); /* a free row is nobody's */
    assert_int_equal(tn_relay_take(row, 3, a), 1);
    assert_int_equal(tn_relay_take(row, 3, b), 2);
    assert_int_equal(tn_relay_take(row, 3, a), 1);
    assert_int_equal(tn_relay_take(row, 3, c), 3);
    assert_int_equal(tn_relay_take(row, 3, d), 0);
    assert_int_equal(tn_relay_find(row, 3, b), 2);
    row[1].state = TN_RELAY_FREE;
    assert_int_equal(tn_relay_find(row, 3, b), 0);
    assert_int_equal(tn_relay_take(row, 3, d), 2);
}

/* ---- frames ---- */

static struct net *two_bound(uint64_t seed, uint16_t *channel)
{
    struct net *n = net_of_members(seed, 2);

    assert_int_equal(tn_coord_client_bind(&n->client[0].c, n->client[1].identity, channel, n->now),
                     0);
    net_run(n, TN_S(1));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_BIND_RESULT], 1);
    assert_int_equal(n->client[0].last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_OK);
    return n;
}

static void a_frame_arrives_as_it_was_sent(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(1, &channel);

    (void)state;
    for (size_t len = 32; len <= TN_RELAY_MAX_LEN - 8; len += 61) {
        uint8_t want[1600];

        memset(want, 0x77, sizeof(want));
        memcpy(want, (uint8_t[]){4, 0, 0, 0}, 4);
        n->client[1].relayed_in = 0;
        assert_int_equal(net_relay(n, 0, channel, len), 0);
        net_run(n, TN_MS(30));
        assert_int_equal(n->client[1].relayed_in, 1);
        assert_int_equal(n->client[1].relayed_len, len);
        assert_memory_equal(n->client[1].relayed, want, len);
    }
    net_free(n);
}

static void a_frame_may_follow_its_bind_at_once(void **state)
{
    struct net *n = net_of_members(2, 2);
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &channel, n->now),
                     0);
    assert_int_equal(net_relay(n, 0, channel, 64), TN_ESTATE); /* not polled out yet */
    net_drain(n, &n->client[0]);
    assert_int_equal(net_relay(n, 0, channel, 64), 0);
    net_run(n, TN_MS(30));
    assert_int_equal(n->client[1].relayed_in, 1);
    net_free(n);
}

/* A frame as client 0 would send it, altered by the caller, handed to the server. */
static size_t offer(struct net *n, const struct tn_addr *src, uint16_t channel, uint32_t index,
                    const uint8_t *inner, size_t len)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t frame[1700];

    tn_relay_encode(frame, channel, index);
    memcpy(frame + TN_RELAY_HEADER_LEN, inner, len);
    return tn_server_on_datagram(&n->server, 0, src, frame, len + TN_RELAY_HEADER_LEN, n->now, out);
}

static void frames_that_are_not_in_order_are_dropped_by_reason(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(3, &channel);
    struct net_client *a = &n->client[0];
    const struct tn_server_counters *c = tn_server_counters(&n->server);
    uint32_t index = a->c.session.remote_index;
    struct tn_addr elsewhere = a->at[0];
    uint8_t data[1600] = {4};

    (void)state;
    assert_int_equal(offer(n, &a->at[0], channel, index, data, 64), 1);
    assert_int_equal(offer(n, &a->at[0], channel + 1, index, data, 64), 0); /* not bound */
    assert_int_equal(offer(n, &a->at[0], 0, index, data, 64), 0);
    assert_int_equal(c->drop_relay_unbound, 2);
    elsewhere.port++;
    assert_int_equal(offer(n, &elsewhere, channel, index, data, 64), 0);
    assert_int_equal(offer(n, &a->at[1], channel, index, data, 64), 0); /* the other family */
    assert_int_equal(offer(n, &n->client[1].at[0], channel, index, data, 64), 0);
    assert_int_equal(c->drop_relay_source, 3);
    assert_int_equal(offer(n, &a->at[0], channel, index + 32, data, 64), 0); /* another generation */
    assert_int_equal(offer(n, &a->at[0], channel, 0, data, 64), 0);
    assert_int_equal(c->drop_relay_session, 2);
    assert_int_equal(offer(n, &a->at[0], channel, index, data, 31), 0);
    assert_int_equal(offer(n, &a->at[0], channel, index, data, 0), 0);
    assert_int_equal(offer(n, &a->at[0], channel, index, data, TN_RELAY_MAX_LEN - 7), 0);
    data[0] = 0x94; /* a frame in a frame */
    assert_int_equal(offer(n, &a->at[0], channel, index, data, 64), 0);
    assert_int_equal(c->drop_relay_inner, 4);
    assert_int_equal(c->relay_packets, 1);
    assert_int_equal(c->relay_bytes, 72);
    net_free(n);
}

static void a_frame_to_a_member_that_is_away_is_dropped(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(4, &channel);

    (void)state;
    n->client[1].used = false;
    net_run(n, TN_S(80));
    assert_int_equal(net_relay(n, 0, channel, 64), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_away, 1);
    net_free(n);
}

static void a_channel_follows_its_member_to_a_new_session(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(5, &channel);
    struct net_client *b = &n->client[1];

    (void)state;
    for (int i = 0; i < 5; i++) {
        tn_coord_client_stop(&b->c);
        b->at[0].port += 7;
        tn_coord_client_start(&b->c, n->now);
        net_run(n, TN_S(1));
        b->relayed_in = 0;
        assert_int_equal(net_relay(n, 0, channel, 64), 0);
        net_run(n, TN_MS(100));
        assert_int_equal(b->relayed_in, 1);
    }
    net_free(n);
}

static void a_channel_bound_to_another_member_goes_there(void **state)
{
    struct net *n = net_of_members(6, 3);
    struct net_client *a = &n->client[0];
    uint16_t first, second;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&a->c, n->client[1].identity, &first, n->now), 0);
    net_run(n, TN_MS(100));
    tn_coord_client_unbind(&a->c, first);
    assert_int_equal(tn_coord_client_bind(&a->c, n->client[2].identity, &second, n->now), 0);
    assert_int_equal(second, first);
    net_run(n, TN_MS(100));
    assert_int_equal(net_relay(n, 0, second, 64), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[1].relayed_in, 0);
    assert_int_equal(n->client[2].relayed_in, 1);
    assert_int_equal(n->server.gauge.channels, 1);
    net_free(n);
}

static void nobody_binds_himself_or_a_stranger_and_channels_end(void **state)
{
    struct net *n = net_of_members(7, 4);
    struct net_client *a = &n->client[0];
    uint8_t nobody[32] = {8};
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&a->c, a->identity, &channel, n->now), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(a->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(tn_coord_client_bind(&a->c, nobody, &channel, n->now), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(a->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(n->server.gauge.channels, 0);
    n->server.cfg.channels_per_session = 2;
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(tn_coord_client_bind(&a->c, n->client[i].identity, &channel, n->now), 0);
        net_run(n, TN_MS(100));
        assert_int_equal(a->last[TN_COORD_EV_BIND_RESULT].status, i < 3 ? TN_STATUS_OK
                                                                        : TN_STATUS_LIMIT);
    }
    assert_int_equal(n->server.gauge.channels, 2);
    tn_coord_client_stop(&a->c);
    net_run(n, TN_S(81));
    assert_int_equal(n->server.gauge.channels, 0); /* given back with the session */
    net_free(n);
}

static void the_budget_of_a_member_bounds_what_it_relays(void **state)
{
    uint16_t channel, other;
    struct net *n = two_bound(8, &channel);
    const struct tn_server_counters *c = tn_server_counters(&n->server);
    uint64_t began, sent = 0;

    (void)state;
    n->server.cfg.relay_bytes_per_s = 100000;
    n->server.cfg.relay_burst_bytes = 20000;
    assert_int_equal(tn_coord_client_bind(&n->client[1].c, n->client[0].identity, &other, n->now),
                     0);
    net_run(n, TN_S(1));
    began = n->now.us;
    while (n->now.us < began + TN_S(10)) {
        assert_int_equal(net_relay(n, 0, channel, 992), 0);
        sent += 1000;
        net_run(n, TN_MS(2)); /* 500,000 bytes a second */
    }
    net_run(n, TN_MS(100));
    assert_in_range(c->relay_bytes, 990000, 1030000);
    assert_int_equal(c->relay_bytes + c->drop_relay_rate * 1000, sent);
    assert_int_equal(net_relay(n, 1, other, 992), 0); /* the other member has its own */
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[0].relayed_in, 1);
    net_free(n);
}

static void a_budget_is_not_filled_up_by_a_new_session(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(9, &channel);
    struct net_client *a = &n->client[0];

    (void)state;
    n->server.cfg.relay_bytes_per_s = 1;
    n->server.cfg.relay_burst_bytes = 500;
    assert_int_equal(net_relay(n, 0, channel, 400), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[1].relayed_in, 1);
    tn_coord_client_stop(&a->c);
    tn_coord_client_start(&a->c, n->now);
    net_run(n, TN_S(1));
    assert_int_equal(net_relay(n, 0, channel, 400), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[1].relayed_in, 1);
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_rate, 1);
    net_free(n);
}

static void goodbye_ends_a_session_at_once_and_fills_up_no_budget(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(12, &channel);
    struct net_client *a = &n->client[0];
    uint8_t out[TN_CTL_MAX_LEN];
    struct tn_addr dst;
    size_t len;

    (void)state;
    n->server.cfg.relay_bytes_per_s = 1;
    n->server.cfg.relay_burst_bytes = 500;
    assert_int_equal(net_relay(n, 0, channel, 400), 0);
    net_run(n, TN_MS(100));
    len = tn_coord_client_bye(&a->c, n->now, out, sizeof(out), &dst);
    assert_int_equal(len, TN_MSG_HEADER_LEN + TN_CTL_DATA_OVERHEAD);
    net_send(n, true, 0, &a->at[0], &dst, out, len);
    net_run(n, TN_MS(20));
    assert_int_equal(offer(n, &a->at[0], channel, a->c.session.remote_index,
                           (const uint8_t[32]){4}, 32), 0);
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_session, 1);
    assert_int_equal(tn_coord_client_connect(&n->client[1].c, a->identity, n->now), 0);
    net_run(n, TN_MS(50));
    assert_int_equal(n->client[1].last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_UNREACHABLE);
    tn_coord_client_stop(&a->c);
    tn_coord_client_start(&a->c, n->now);
    net_run(n, TN_S(1));
    assert_int_equal(net_relay(n, 0, channel, 400), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[1].relayed_in, 1);
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_rate, 1);
    net_run(n, TN_S(10));
    assert_int_equal(n->server.gauge.members, 2);
    net_free(n);
}

static void relayed_frames_keep_no_session_alive(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(10, &channel);
    struct net_client *a = &n->client[0];
    uint32_t index = a->c.session.remote_index;
    uint8_t data[64] = {4};

    (void)state;
    a->used = false;
    for (int i = 0; i < 100; i++) {
        offer(n, &a->at[0], channel, index, data, sizeof(data));
        net_run(n, TN_S(1));
    }
    assert_int_equal(n->server.gauge.members, 1);
    net_free(n);
}

static void a_member_takes_frames_from_its_coordinator_only(void **state)
{
    uint16_t channel;
    struct net *n = two_bound(11, &channel);
    struct net_client *b = &n->client[1];
    uint8_t mem[160];
    struct tn_buf b1;
    struct tn_addr elsewhere = n->server_at[0];

    (void)state;
    elsewhere.port++;
    for (int what = 0; what < 5; what++) {
        net_wireguard(&b1, mem, sizeof(mem), 64);
        if (what == 3)
            tn_buf_data(&b1)[0] = 5;
        assert_int_equal(tn_relay_push_header(&b1, what == 1, b->c.session.local_index +
                                                                  (what == 2)), 0);
        assert_int_equal(tn_coord_client_open_relay(
                             &b->c, what == 4 ? &elsewhere : &n->server_at[0], &b1),
                         what ? TN_EINVAL : 0);
        assert_int_equal(b1.len, what ? 72 : 64);
    }
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_has_the_bytes_of_the_specification),
        cmocka_unit_test(only_what_looks_like_wireguard_passes),
        cmocka_unit_test(a_channel_is_found_by_identity_and_the_table_ends),
        cmocka_unit_test(a_frame_arrives_as_it_was_sent),
        cmocka_unit_test(a_frame_may_follow_its_bind_at_once),
        cmocka_unit_test(frames_that_are_not_in_order_are_dropped_by_reason),
        cmocka_unit_test(a_frame_to_a_member_that_is_away_is_dropped),
        cmocka_unit_test(a_channel_follows_its_member_to_a_new_session),
        cmocka_unit_test(a_channel_bound_to_another_member_goes_there),
        cmocka_unit_test(nobody_binds_himself_or_a_stranger_and_channels_end),
        cmocka_unit_test(the_budget_of_a_member_bounds_what_it_relays),
        cmocka_unit_test(a_budget_is_not_filled_up_by_a_new_session),
        cmocka_unit_test(goodbye_ends_a_session_at_once_and_fills_up_no_budget),
        cmocka_unit_test(relayed_frames_keep_no_session_alive),
        cmocka_unit_test(a_member_takes_frames_from_its_coordinator_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
