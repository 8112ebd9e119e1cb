/* LOST: a coordinator that starts again is found by its members at once, and a forger can hurry them a
 * few times a day and no more. Time is simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/member_fixture.h"
#include "coordnet.h"
#include "libtunnel/coord/server_lost.h"

/* ---- on the wire ---- */

static void a_lost_has_the_bytes_of_the_specification(void **state)
{
    static const uint8_t want[] = {0x97, 0x01, 0x00, 0x00, 0x11, 0x22, 0x33, 0x44,
                                   1,    2,    3,    4,    5,    6,    7,    8};
    uint8_t out[TN_CTL_LOST_LEN];
    const uint8_t *echo = NULL;
    uint32_t index = 0;

    assert_int_equal(tn_ctl_lost_encode(0x11223344, want + 8, out), 16);
    assert_memory_equal(out, want, sizeof(want));
    assert_true(tn_ctl_lost_decode(out, 16, &index, &echo));
    assert_int_equal(index, 0x11223344);
    assert_ptr_equal(echo, out + 8);
    assert_int_equal(tn_ctl_lost_encode(0x11223344, NULL, out), 8);
    assert_true(tn_ctl_lost_decode(out, 8, &index, &echo));
    assert_null(echo);
}

static void a_bent_or_cut_one_is_none(void **state)
{
    uint8_t d[TN_CTL_LOST_LEN + 1] = {0};
    const uint8_t *echo;
    uint32_t index;

    (void)tn_ctl_lost_encode(7, (const uint8_t *)"12345678", d);
    for (size_t len = 0; len <= sizeof(d); len++)
        assert_int_equal(tn_ctl_lost_decode(d, len, &index, &echo), len == 8 || len == 16);
    for (size_t bit = 0; bit < 32; bit++) { /* type, version, zeros */
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tn_ctl_lost_decode(d, 16, &index, &echo));
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ---- a coordinator that starts again ---- */

#define CALLED 4 /* members at most */

static struct tn_server_place place[CALLED];

static unsigned note_places(struct net *n)
{
    uint32_t slot = 0;
    unsigned count = 0;

    while (tn_server_place_next(&n->server, &slot, n->now, &place[count]))
        count++;
    return count;
}

static void call(struct net *n, const struct tn_server_place *p)
{
    uint8_t out[TN_CTL_LOST_LEN];
    size_t len = tn_ctl_lost_encode(p->index, NULL, out);

    net_send(n, false, p->port, &n->server_at[0], &p->addr, out, len);
}

static unsigned joined[NET_CLIENTS];

static bool is_new(struct net *n)
{
    for (int i = 0; i < NET_CLIENTS; i++) {
        if (n->client[i].used && n->client[i].seen[TN_COORD_EV_CONNECTED] != joined[i])
            return true;
    }
    return false;
}

/* As a node does, each new session begins with JOIN. */
static void run(struct net *n, uint64_t for_us)
{
    uint64_t end = n->now.us + for_us;

    while (net_run_until(n, end - n->now.us, is_new)) {
        for (unsigned i = 0; i < NET_CLIENTS; i++) {
            if (!n->client[i].used || n->client[i].seen[TN_COORD_EV_CONNECTED] == joined[i])
                continue;
            joined[i] = n->client[i].seen[TN_COORD_EV_CONNECTED];
            net_join(n, i, FIX_NETWORK);
            net_drain(n, &n->client[i]);
        }
    }
}

static struct net *members(uint64_t seed, unsigned count)
{
    struct net *n = net_of_members(seed, count);

    for (unsigned i = 0; i < NET_CLIENTS; i++)
        joined[i] = n->client[i].seen[TN_COORD_EV_CONNECTED];
    return n;
}

static bool are_back(struct net *n)
{
    for (int i = 0; i < NET_CLIENTS; i++) {
        if (n->client[i].used && n->client[i].seen[TN_COORD_EV_CONNECTED] < 2)
            return false;
    }
    return true;
}

static void pay_for_bytes(struct net *n, unsigned i, uint64_t keepalive_s)
{
    struct net_client *k = &n->client[i];

    k->c.cfg.beats = true;
    k->c.cfg.renew_us = TN_S(7 * 86400);
    k->c.cfg.backoff_max_us = TN_S(900);
    k->c.row[TN_COORD_AT_RENEW] = TN_NEVER;
    tn_coord_client_set_keepalive(&k->c, TN_S(keepalive_s), n->now);
    run(n, TN_S(3));
}

static void members_who_are_called_are_back_at_once(void **state)
{
    struct net *n = members(1, 2);

    pay_for_bytes(n, 0, 1240);
    pay_for_bytes(n, 1, 1240);
    assert_int_equal(note_places(n), 2);
    assert_true(tn_server_has(&n->server, place[0].client_public, n->now));
    net_start_server(n);
    assert_false(tn_server_has(&n->server, place[0].client_public, n->now));
    call(n, &place[0]);
    call(n, &place[1]);
    /* call, BEAT, its LOST, INIT twice: less than seven ways of 10 ms, without a timeout */
    assert_true(net_run_until(n, TN_MS(70), are_back));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_DISCONNECTED], 0);
    run(n, TN_S(1));
    assert_int_equal(note_places(n), 2); /* members as before */
    net_free(n);
}

/* Whose PINGs get no LOST: a PING, and its repetition. */
static void others_who_are_called_are_back_in_seconds(void **state)
{
    struct net *n = members(1, 2);

    assert_int_equal(note_places(n), 2);
    net_start_server(n);
    call(n, &place[0]);
    call(n, &place[1]);
    assert_true(net_run_until(n, TN_S(4), are_back));
    net_free(n);
}

static void who_is_not_called_learns_it_by_its_next_beat(void **state)
{
    struct net *n = members(2, 1);
    struct net_client *k = &n->client[0];
    size_t sent;

    pay_for_bytes(n, 0, 60);
    net_start_server(n);
    sent = k->sent;
    assert_true(net_run_until(n, TN_S(61), are_back));
    run(n, TN_S(1));
    /* one BEAT, INIT twice, JOIN is the node's; then what a new session begins with */
    assert_in_range(k->sent - sent, 4, 6);
    net_free(n);
}

static void one_that_waits_for_its_next_attempt_is_called_too(void **state)
{
    struct net *n = members(3, 1);
    struct net_client *k = &n->client[0];

    pay_for_bytes(n, 0, 60);
    assert_int_equal(note_places(n), 1);
    n->server_up = false;
    run(n, TN_S(3 * 3600));
    assert_int_equal(k->c.state, TN_COORD_WAIT);
    assert_false(tn_coord_client_is_connected(&k->c));
    run(n, k->c.row[TN_COORD_AT_ATTEMPT] < n->now.us + TN_S(60) ? TN_S(90) : 0);
    assert_int_equal(k->c.state, TN_COORD_WAIT);
    net_start_server(n);
    call(n, &place[0]);
    assert_true(net_run_until(n, TN_MS(60), are_back));
    net_free(n);
}

/* ---- forgers ---- */

static void forge(struct net *n, uint32_t index, const uint8_t *echo)
{
    uint8_t out[TN_CTL_LOST_LEN];
    size_t len = tn_ctl_lost_encode(index, echo, out);

    net_send(n, false, 0, &n->server_at[0], &n->client[0].at[0], out, len);
}

static void a_days_flood_costs_who_pays_for_bytes_28_beats(void **state)
{
    struct net *n = members(4, 1);
    struct net_client *k = &n->client[0];
    size_t sent, bytes;

    pay_for_bytes(n, 0, 7200);
    sent = k->sent;
    bytes = k->sent_bytes;
    for (unsigned i = 0; i < 86400; i++) {
        forge(n, i % 2 ? k->c.session.local_index : k->c.session.remote_index,
              i % 2 ? NULL : (const uint8_t *)"no echo!");
        run(n, TN_S(1));
    }
    assert_true(tn_coord_client_is_connected(&k->c));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1);
    assert_in_range(k->sent - sent, 12 + 20, 12 + 28);
    assert_int_equal(k->sent_bytes - bytes, (k->sent - sent) * TN_CTL_BEAT_LEN);
    net_free(n);
}

/* Sees each BEAT and answers first. */
static bool answer_beats(struct net *n, struct net_packet *p)
{
    if (p->to_server && p->data[0] == TN_CTL_BEAT) {
        uint8_t out[TN_CTL_LOST_LEN];
        struct net_packet *f;

        f = net_send(n, false, 0, &n->server_at[0], &n->client[0].at[0], out,
                     tn_ctl_lost_encode(n->client[0].c.session.remote_index,
                                        p->data + p->len - TN_CTL_ECHO_LEN, out));
        f->at_us = n->now.us + 1;
        n->count++;
    }
    return true;
}

static void who_sees_the_beats_can_ask_for_a_few_handshakes_and_cannot_end_the_session(void **state)
{
    struct net *n = members(5, 1);
    struct net_client *k = &n->client[0];

    pay_for_bytes(n, 0, 60);
    n->tap = answer_beats;
    for (unsigned i = 0; i < 86400; i += 10) {
        forge(n, k->c.session.local_index, NULL);
        run(n, TN_S(10));
        assert_true(tn_coord_client_is_connected(&k->c));
    }
    assert_true(n->count > 1000);
    assert_in_range(k->seen[TN_COORD_EV_CONNECTED], 24, 1 + 28);
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0);
    net_free(n);
}

static void a_wrong_index_echo_or_source_does_nothing(void **state)
{
    struct net *n = members(6, 1);
    struct net_client *k = &n->client[0];
    struct tn_addr elsewhere = net_v4(99, 3478);
    uint8_t out[TN_CTL_LOST_LEN];
    size_t sent;

    pay_for_bytes(n, 0, 7200);
    sent = k->sent;
    for (uint32_t bit = 0; bit < 32; bit++) {
        forge(n, k->c.session.local_index ^ (uint32_t)1 << bit, NULL);
        forge(n, k->c.session.remote_index ^ (uint32_t)1 << bit, (const uint8_t *)"no echo!");
    }
    forge(n, 0, NULL);
    net_send(n, false, 0, &elsewhere, &k->at[0], out,
             tn_ctl_lost_encode(k->c.session.local_index, NULL, out));
    run(n, TN_S(60));
    assert_int_equal(k->sent, sent);
    /* the same with the right ones, so that the test can fail */
    forge(n, k->c.session.local_index, NULL);
    run(n, TN_S(1));
    assert_int_equal(k->sent, sent + 1);
    net_free(n);
}

/* ---- the coordinator's answer ---- */

static size_t ask(struct net *n, uint8_t host, const uint8_t *data, size_t len,
                  struct tn_server_out out[TN_SERVER_OUT_MAX])
{
    struct tn_addr src = net_v4(host, 5000);
    uint8_t copy[64];

    memcpy(copy, data, len);
    return tn_server_on_datagram(&n->server, 0, &src, copy, len, n->now, out);
}

static void only_a_beat_that_names_no_session_is_answered_and_with_less(void **state)
{
    static const uint8_t first[] = {TN_CTL_DATA, TN_CTL_BEAT, TN_LINK_DATA, TN_LINK_INITIATION};
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct net *n = members(7, 1);
    uint8_t d[64];

    memset(d, 0x5a, sizeof(d));
    for (size_t kind = 0; kind < sizeof(first); kind++) {
        for (size_t len = 1; len <= sizeof(d); len++) {
            d[0] = first[kind];
            d[1] = kind < 2 ? TN_CTL_VERSION : d[1];
            if (ask(n, 50, d, len, out) == 0) {
                assert_true(kind != 1 || len != TN_CTL_BEAT_LEN);
                continue;
            }
            assert_true(kind == 1 && len == TN_CTL_BEAT_LEN);
            assert_true(out[0].len == TN_CTL_LOST_LEN && out[0].len < len);
            assert_memory_equal(out[0].data + 8, d + len - 8, 8);
        }
    }
    net_free(n);
}

static void one_source_is_told_so_no_more_than_its_share(void **state)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct net *n = members(8, 1);
    uint8_t beat[TN_CTL_BEAT_LEN] = {TN_CTL_BEAT, TN_CTL_VERSION};
    unsigned told = 0;

    for (unsigned i = 0; i < 100000; i++) {
        told += (unsigned)ask(n, 50, beat, sizeof(beat), out);
        net_advance(n, n->now.us + 100); /* ten seconds in all */
    }
    assert_in_range(told, 390, 401);
    assert_int_equal(ask(n, 51, beat, sizeof(beat), out), 1); /* another one's is whole */
    assert_int_equal(tn_server_counters(&n->server)->lost_told, told + 1);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_has_the_bytes_of_the_specification),
        cmocka_unit_test(a_bent_or_cut_one_is_none),
        cmocka_unit_test(members_who_are_called_are_back_at_once),
        cmocka_unit_test(others_who_are_called_are_back_in_seconds),
        cmocka_unit_test(who_is_not_called_learns_it_by_its_next_beat),
        cmocka_unit_test(one_that_waits_for_its_next_attempt_is_called_too),
        cmocka_unit_test(a_days_flood_costs_who_pays_for_bytes_28_beats),
        cmocka_unit_test(who_sees_the_beats_can_ask_for_a_few_handshakes_and_cannot_end_the_session),
        cmocka_unit_test(a_wrong_index_echo_or_source_does_nothing),
        cmocka_unit_test(only_a_beat_that_names_no_session_is_answered_and_with_less),
        cmocka_unit_test(one_source_is_told_so_no_more_than_its_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
