/* Trains through the relay: whole where all goes to one member, and frame by frame the same as if each
 * had come alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "coordnet.h"
#include "libtunnel/base/bytes.h"

#define FRAME_MAX 160
#define TRAIN_MAX 80

static struct {
    uint8_t data[TRAIN_MAX * FRAME_MAX];
    size_t len, segment;
} train;

/* A frame as client i sends it on a channel, `len` bytes of WireGuard inside, to the train's end. */
static uint8_t *add_frame(struct net *n, unsigned i, uint16_t channel, uint8_t fill, size_t len)
{
    uint8_t mem[512], *at = train.data + train.len;
    struct tn_addr dst;
    struct tn_buf b;

    net_wireguard(&b, mem, sizeof(mem), len);
    memset(tn_buf_data(&b) + 4, fill, len - 4);
    assert_int_equal(tn_coord_client_push_relay(&n->client[i].c, channel, &b, &dst, n->now), 0);
    assert_true(train.len + b.len <= sizeof(train.data));
    memcpy(at, tn_buf_data(&b), b.len);
    if (!train.len)
        train.segment = b.len;
    train.len += b.len;
    return at;
}

static struct tn_server_train as_train(struct net *n, unsigned i)
{
    return (struct tn_server_train){.src = &n->client[i].at[0],
                                    .data = train.data,
                                    .len = train.len,
                                    .segment = train.segment,
                                    .now = n->now};
}

static uint16_t bind(struct net *n, unsigned from, unsigned to)
{
    uint16_t channel;

    assert_int_equal(
        tn_coord_client_bind(&n->client[from].c, n->client[to].identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    return channel;
}

static struct net *three_members(uint64_t seed, uint16_t channel[3])
{
    struct net *n = net_of_members(seed, 3);

    train.len = 0;
    channel[1] = bind(n, 0, 1);
    channel[2] = bind(n, 0, 2);
    return n;
}

/* Does the frame open at client i, with the fill that it began with? */
static void assert_opens(struct net *n, unsigned i, uint8_t *frame, size_t len, uint8_t fill)
{
    struct tn_buf b = {.mem = frame, .cap = len, .len = len};
    const struct tn_addr *from = &n->server_at[0];

    assert_int_equal(tn_coord_client_open_relay(&n->client[i].c, from, &b), 0);
    assert_int_equal(tn_buf_data(&b)[b.len - 1], fill);
}

static void a_train_to_one_member_stays_whole(void **state)
{
    uint16_t channel[3];
    struct net *n = three_members(1, channel);
    struct tn_server_train t;
    struct tn_server_flight f;

    (void)state;
    for (uint8_t i = 0; i < 10; i++)
        add_frame(n, 0, channel[1], i, i < 9 ? 96 : 64);
    t = as_train(n, 0);
    assert_true(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(f.frames, 10);
    assert_ptr_equal(f.data, train.data);
    assert_int_equal(f.len, train.len);
    assert_int_equal(f.segment, 104);
    assert_true(tn_addr_equal(&f.dst, &n->client[1].at[0]));
    for (uint8_t i = 0; i < 10; i++)
        assert_opens(n, 1, f.data + i * 104, i < 9 ? 104 : 72, i);
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(tn_server_counters(&n->server)->relay_packets, 10);
    assert_int_equal(tn_server_counters(&n->server)->relay_bytes, train.len);
    net_free(n);
}

static void frames_for_two_members_make_flights_in_order(void **state)
{
    static const uint8_t to[] = {1, 1, 2, 1, 2, 2, 2};
    static const uint32_t frames[] = {2, 1, 1, 3};
    uint16_t channel[3];
    struct net *n = three_members(2, channel);
    struct tn_server_train t;
    struct tn_server_flight f;
    uint8_t at = 0;

    (void)state;
    for (uint8_t i = 0; i < sizeof(to); i++)
        add_frame(n, 0, channel[to[i]], i, 64);
    t = as_train(n, 0);
    for (unsigned k = 0; k < 4; k++) {
        assert_true(tn_server_relay_next(&n->server, &t, &f));
        assert_int_equal(f.frames, frames[k]);
        for (uint32_t i = 0; i < f.frames; i++, at++)
            assert_opens(n, to[at], f.data + i * 72, 72, at);
    }
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    net_free(n);
}

static void a_frame_that_may_not_pass_is_a_hole_and_counted(void **state)
{
    uint16_t channel[3];
    struct net *n = three_members(3, channel);
    const struct tn_server_counters *c = tn_server_counters(&n->server);
    struct tn_server_train t;
    struct tn_server_flight f;
    uint8_t *frame;

    (void)state;
    for (uint8_t i = 0; i < 6; i++) {
        frame = add_frame(n, 0, channel[1], i, 64);
        if (i == 1)
            frame[8] = 9; /* no WireGuard message */
        else if (i == 3)
            tn_put_be16(frame + 2, 999); /* a channel that is not bound */
        else if (i == 4)
            frame[7] ^= 1; /* somebody else's session, or none */
    }
    t = as_train(n, 0);
    for (uint8_t i = 0; i < 6; i++) {
        if (i == 1 || i == 3 || i == 4)
            continue;
        assert_true(tn_server_relay_next(&n->server, &t, &f));
        assert_int_equal(f.frames, 1);
        assert_opens(n, 1, f.data, f.len, i);
    }
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(c->drop_relay_inner, 1);
    assert_int_equal(c->drop_relay_unbound, 1);
    assert_int_equal(c->drop_relay_session + c->drop_relay_source, 1);
    assert_int_equal(c->relay_packets, 3);
    net_free(n);
}

static void a_train_from_elsewhere_does_not_pass(void **state)
{
    uint16_t channel[3];
    struct net *n = three_members(4, channel);
    struct tn_addr elsewhere = net_v4(66, 66);
    struct tn_server_train t;
    struct tn_server_flight f;

    (void)state;
    for (uint8_t i = 0; i < 5; i++)
        add_frame(n, 0, channel[1], i, 64);
    t = as_train(n, 0);
    t.src = &elsewhere;
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_source, 5);
    net_free(n);
}

static void a_flight_is_never_longer_than_the_kernel_takes(void **state)
{
    uint16_t channel[3];
    struct net *n = three_members(5, channel);
    struct tn_server_train t;
    struct tn_server_flight f;

    (void)state;
    for (uint8_t i = 0; i < 80; i++)
        add_frame(n, 0, channel[1], i, 32);
    t = as_train(n, 0);
    assert_true(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(f.frames, TN_SERVER_FLIGHT_FRAMES);
    assert_true(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(f.frames, 80 - TN_SERVER_FLIGHT_FRAMES);
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    net_free(n);
}

static void a_member_pays_for_each_frame_of_a_train(void **state)
{
    uint16_t channel[3];
    struct net *n = three_members(6, channel);
    struct tn_server_train t;
    struct tn_server_flight f;

    (void)state;
    n->server.cfg.relay_bytes_per_s = 1000;
    n->server.cfg.relay_burst_bytes = 104 * 4;
    n->server.mem.session[0].relay.level = 0; /* whichever it is: it fills up to the burst */
    n->now.us += TN_S(10);
    for (uint8_t i = 0; i < 10; i++)
        add_frame(n, 0, channel[1], i, 96);
    t = as_train(n, 0);
    assert_true(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(f.frames, 4);
    assert_false(tn_server_relay_next(&n->server, &t, &f));
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_rate, 6);
    net_free(n);
}

static unsigned offer(struct net *n, unsigned from, uint16_t channel, unsigned count)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < count; i++) {
        struct tn_server_train t;
        struct tn_server_flight f;

        train.len = 0;
        add_frame(n, from, channel, 1, 32);
        t = as_train(n, from);
        passed += tn_server_relay_next(&n->server, &t, &f);
    }
    return passed;
}

static void in_an_overload_a_flood_does_not_push_out_another_member(void **state)
{
    uint16_t channel[3], back;
    struct net *n = three_members(7, channel);
    unsigned flood = 0, polite = 0;

    (void)state;
    back = bind(n, 1, 2);
    for (int pass = 0; pass < 4; pass++) {
        tn_server_relay_pass(&n->server, 64 * 1010);
        flood = offer(n, 0, channel[1], 500);
        polite = offer(n, 1, back, 5);
    }
    assert_int_equal(polite, 5);
    assert_in_range(flood, 50, 64);
    assert_true(tn_server_counters(&n->server)->drop_relay_share > 1000);
    tn_server_relay_pass(&n->server, 0);
    assert_int_equal(offer(n, 0, channel[1], 500), 500);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_train_to_one_member_stays_whole),
        cmocka_unit_test(frames_for_two_members_make_flights_in_order),
        cmocka_unit_test(a_frame_that_may_not_pass_is_a_hole_and_counted),
        cmocka_unit_test(a_train_from_elsewhere_does_not_pass),
        cmocka_unit_test(a_flight_is_never_longer_than_the_kernel_takes),
        cmocka_unit_test(a_member_pays_for_each_frame_of_a_train),
        cmocka_unit_test(in_an_overload_a_flood_does_not_push_out_another_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
