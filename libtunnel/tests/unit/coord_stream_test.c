/* The control session and the relay when UDP is blocked, and when it works again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../sim/coordnet.h"
#include "member_fixture.h"

/* ---- a firewall ---- */

static bool is_stream(const struct net_packet *p)
{
    return tn_addr_is_stream(&p->src) || tn_addr_is_stream(&p->dst);
}

static bool no_udp(struct net *n, struct net_packet *p)
{
    return is_stream(p);
}

/* Of client 0 only. */
static bool no_udp_for_first(struct net *n, struct net_packet *p)
{
    const struct tn_addr *own = &n->client[0].at[0];

    return is_stream(p) || (!tn_addr_equal(&p->src, own) && !tn_addr_equal(&p->dst, own));
}

static bool udp_goes_out_only(struct net *n, struct net_packet *p)
{
    return is_stream(p) || p->to_server;
}

static bool nothing(struct net *n, struct net_packet *p)
{
    return false;
}

static bool wants_stream(struct net *n)
{
    return tn_coord_client_wants_stream(&n->client[0].c);
}

static bool wants_none(struct net *n)
{
    return !wants_stream(n);
}

static bool is_home_on_stream(struct net *n)
{
    return n->client[0].c.home == TN_FAMILY_STREAM;
}

static bool is_home_on_udp(struct net *n)
{
    return !is_home_on_stream(n);
}

/* The slot of client i's session. */
static const struct tn_server_session *session_of(const struct net *n, unsigned i)
{
    for (unsigned slot = 0; slot < NET_SESSIONS; slot++) {
        if (n->session[slot].state == TN_SERVER_MEMBER &&
            !memcmp(n->session[slot].identity, n->client[i].identity, 32))
            return &n->session[slot];
    }
    return NULL;
}

/* Two members, the first one on a stream and with UDP blocked, each with a channel to the other. */
static struct net *net_half_blocked(uint64_t seed, uint16_t channel[2])
{
    struct net *n = net_of_members(seed, 2);

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(tn_coord_client_bind(&n->client[i].c, n->client[1 - i].identity,
                                              &channel[i], n->now),
                         0);
    net_run(n, TN_S(1));
    n->tap = no_udp_for_first;
    tn_coord_client_suspect(&n->client[0].c, n->now);
    assert_true(net_run_until(n, TN_S(2), wants_stream));
    net_stream(n, 0, true);
    assert_true(net_run_until(n, TN_S(1), is_home_on_stream));
    net_run(n, TN_S(1));
    return n;
}

static void assert_relays(struct net *n, const uint16_t channel[2])
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned before = n->client[1 - i].relayed_in;

        assert_int_equal(net_relay(n, i, channel[i], 800), 0);
        net_run(n, TN_MS(100));
        assert_int_equal(n->client[1 - i].relayed_in, before + 1);
        assert_int_equal(n->client[1 - i].relayed_len, 800);
    }
}

/* ---- tests ---- */

static void nobody_wants_a_stream_while_udp_works(void **state)
{
    struct net *n = net_of_members(1, 1);

    net_run(n, TN_S(7500)); /* two renewals of keys among it */
    assert_int_equal(n->client[0].seen[TN_COORD_EV_STREAM], 0);
    assert_true(n->client[0].seen[TN_COORD_EV_CONNECTED] >= 3);
    net_free(n);
}

static void a_start_without_udp_connects_by_a_stream(void **state)
{
    struct net *n = net_new(2);
    struct net_client *k = net_add(n, 0, 3);
    uint64_t start_us = n->now.us;

    n->tap = no_udp;
    net_join(n, 0, FIX_NETWORK);
    assert_true(net_run_until(n, TN_S(2), wants_stream));
    assert_in_range(n->now.us - start_us, 1, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_STREAM], 1);
    net_stream(n, 0, true);
    assert_true(net_run_until(n, TN_S(1), net_all_joined));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->c.home, TN_FAMILY_STREAM);
    /* nobody tells it, or others, that it is to be found at a stream's address */
    assert_true(tn_addr_is_zero(&k->last[TN_COORD_EV_CONNECTED].addr));
    assert_int_equal(k->seen[TN_COORD_EV_OBSERVED], 0);
    net_run(n, TN_S(600));
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0);
    assert_int_equal(k->seen[TN_COORD_EV_STREAM], 1);
    net_free(n);
}

static void without_any_address_a_stream_is_enough(void **state)
{
    struct net *n = net_new(3);
    struct net_client *k = net_add(n, 0, 0);

    assert_true(net_run_until(n, TN_S(1), wants_stream));
    assert_int_equal(k->sent, 0);
    net_stream(n, 0, true);
    assert_true(net_run_until(n, TN_S(1), net_all_connected));
    net_stream(n, 0, false);
    net_run(n, TN_S(1));
    assert_false(tn_coord_client_is_connected(&k->c));
    net_stream(n, 0, true);
    net_run(n, TN_S(1));
    assert_true(tn_coord_client_is_connected(&k->c));
    net_free(n);
}

static void a_session_whose_udp_is_cut_goes_on_by_a_stream(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(4, channel);

    assert_int_equal(n->client[0].seen[TN_COORD_EV_DISCONNECTED], 0);
    assert_relays(n, channel);
    net_run(n, TN_S(120));
    assert_relays(n, channel);
    assert_int_equal(n->client[1].seen[TN_COORD_EV_STREAM], 0);
    net_free(n);
}

static void both_ends_may_be_blocked(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(5, channel);

    n->tap = no_udp;
    tn_coord_client_suspect(&n->client[1].c, n->now);
    net_run(n, TN_S(1));
    assert_true(tn_coord_client_wants_stream(&n->client[1].c));
    net_stream(n, 1, true);
    net_run(n, TN_S(1));
    assert_relays(n, channel);
    net_free(n);
}

static void udp_that_is_back_is_used_again_and_the_stream_let_go(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(6, channel);
    struct net_client *k = &n->client[0];

    n->tap = NULL;
    assert_true(net_run_until(n, TN_S(6), is_home_on_udp));
    net_run(n, TN_MS(100));
    assert_int_equal(session_of(n, 0)->home, TN_FAMILY_V4);
    assert_relays(n, channel);
    assert_true(wants_stream(n)); /* it is kept warm */
    assert_true(net_run_until(n, TN_S(31), wants_none));
    net_stream(n, 0, false);
    net_run(n, TN_S(60));
    assert_relays(n, channel);
    assert_int_equal(k->seen[TN_COORD_EV_STREAM], 2);
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0);
    net_free(n);
}

static void a_warm_stream_takes_over_within_a_second(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(7, channel);

    n->tap = NULL;
    assert_true(net_run_until(n, TN_S(6), is_home_on_udp));
    net_run(n, TN_S(1));
    n->tap = no_udp_for_first;
    tn_coord_client_suspect(&n->client[0].c, n->now);
    assert_true(net_run_until(n, TN_MS(1100), is_home_on_stream));
    net_run(n, TN_S(120)); /* longer than it would have been kept */
    assert_true(wants_stream(n));
    assert_relays(n, channel);
    net_free(n);
}

static void udp_that_only_leads_out_does_not_take_the_relay_with_it(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(8, channel);

    n->tap = udp_goes_out_only;
    for (int i = 0; i < 20; i++) {
        net_run(n, TN_S(1));
        assert_int_equal(session_of(n, 0)->home, TN_FAMILY_STREAM);
    }
    n->tap = NULL;
    net_run(n, TN_S(6));
    assert_int_equal(session_of(n, 0)->home, TN_FAMILY_V4);
    net_free(n);
}

static void a_stream_that_falls_silent_is_replaced(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(9, channel);
    struct net_client *k = &n->client[0];
    unsigned before = k->seen[TN_COORD_EV_STREAM];

    n->tap = nothing;
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_S(2));
    assert_int_equal(k->seen[TN_COORD_EV_STREAM], before + 1);
    assert_true(wants_stream(n));
    n->tap = no_udp_for_first;
    net_stream(n, 0, true);
    net_run(n, TN_S(1));
    assert_relays(n, channel);
    net_free(n);
}

static void a_stream_that_breaks_leaves_the_session_alone(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(10, channel);

    net_stream(n, 0, false);
    net_run(n, TN_MS(500));
    net_stream(n, 0, true);
    net_run(n, TN_S(1));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_DISCONNECTED], 0);
    assert_relays(n, channel);
    net_free(n);
}

static void others_are_not_told_of_a_stream_as_a_candidate(void **state)
{
    uint16_t channel[2];
    struct net *n = net_half_blocked(11, channel);
    struct net_client *k = &n->client[1];

    net_run(n, TN_S(80)); /* the UDP address is too old by then */
    assert_int_equal(tn_coord_client_connect(&k->c, n->client[0].identity, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECT_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].cand_count, 0);
    net_free(n);
}

static void streams_of_one_share_have_one_budget_of_handshakes(void **state)
{
    struct net *n = net_new(12);
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t share[2][4] = {{55, 9, 0, 1}, {55, 9, 0, 2}};

    n->cfg.handshakes_per_s = 2;
    net_start_server(n);
    for (unsigned i = 0; i < 24; i++) { /* the second home begins when the first has had its share */
        struct tn_addr src = tn_addr_stream(share[i / 12], 50 + i);
        struct net_packet init = {.len = TN_CTL_INIT_LEN};
        uint8_t stamp[TN_CTL_TAI64N_LEN] = {0};
        struct tn_ctl_local local;
        uint8_t priv[32];
        struct tn_ik ik;

        tn_rng_bytes(&n->rng, priv, 32);
        assert_int_equal(tn_ctl_local_init(&local, priv, n->server_public), 0);
        assert_int_equal(tn_ctl_create_init(&ik, &local, &n->rng, i, NULL, stamp, init.data), 0);
        net_put_cookie(n, &src, &init);
        assert_int_equal(tn_server_on_datagram(&n->server, 0, &src, init.data, init.len, n->now, out),
                         i % 12 < 10 ? 1 : 0); /* the burst is five seconds' worth */
    }
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_wants_a_stream_while_udp_works),
        cmocka_unit_test(a_start_without_udp_connects_by_a_stream),
        cmocka_unit_test(without_any_address_a_stream_is_enough),
        cmocka_unit_test(a_session_whose_udp_is_cut_goes_on_by_a_stream),
        cmocka_unit_test(both_ends_may_be_blocked),
        cmocka_unit_test(udp_that_is_back_is_used_again_and_the_stream_let_go),
        cmocka_unit_test(a_warm_stream_takes_over_within_a_second),
        cmocka_unit_test(udp_that_only_leads_out_does_not_take_the_relay_with_it),
        cmocka_unit_test(a_stream_that_falls_silent_is_replaced),
        cmocka_unit_test(a_stream_that_breaks_leaves_the_session_alone),
        cmocka_unit_test(others_are_not_told_of_a_stream_as_a_candidate),
        cmocka_unit_test(streams_of_one_share_have_one_budget_of_handshakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
