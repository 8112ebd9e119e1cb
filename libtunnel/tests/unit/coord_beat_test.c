/* BEATs: the smallest signs of life, and a session that lives as long as they promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"

static struct tn_ctl_session member, server;

static int begin(void **state)
{
    memset(&member, 0, sizeof(member));
    for (int i = 0; i < 32; i++) {
        member.send_key[i] = (uint8_t)i;
        member.recv_key[i] = (uint8_t)(0x80 + i);
    }
    member.local_index = 0x11223344;
    member.remote_index = 0x55667788;
    server = member;
    memcpy(server.send_key, member.recv_key, 32);
    memcpy(server.recv_key, member.send_key, 32);
    server.local_index = member.remote_index;
    server.remote_index = member.local_index;
    return 0;
}

static void a_beat_has_the_bytes_of_the_specification(void **state)
{
    /* computed with Python's hashlib.blake2s from docs/PROTOCOL.md section 4.3 */
    static const uint8_t want[] = {0x98, 0x01, 0x00, 0x07, 0x55, 0x66, 0x77, 0x88, 0x04,
                                   0xd8, 0xe6, 0x89, 0xf0, 0x28, 0x94, 0xbe, 0xaa, 0x1d};
    uint8_t out[TN_CTL_BEAT_LEN];

    member.send_counter = 7;
    assert_int_equal(tn_ctl_beat_create(&member, 1240, out), 0);
    assert_memory_equal(out, want, sizeof(want));
    assert_int_equal(member.send_counter, 8);
}

static void both_ends_understand_each_other_once(void **state)
{
    uint8_t beat[TN_CTL_BEAT_LEN], back[TN_CTL_BEAT_ANSWER_LEN];
    uint8_t observed[TN_CTL_OBSERVED_LEN], got[TN_CTL_OBSERVED_LEN];
    struct tn_addr at = net_v4(9, 5000);
    uint16_t interval;

    tn_ctl_observed(&at, observed);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(tn_ctl_beat_create(&member, (uint16_t)i, beat), 0);
        assert_int_equal(tn_ctl_beat_consume(&server, beat, sizeof(beat), &interval), 0);
        assert_int_equal(interval, i);
        assert_int_equal(tn_ctl_beat_consume(&server, beat, sizeof(beat), &interval), TN_EREPLAY);
        assert_int_equal(tn_ctl_beat_answer_create(&server, observed, back), 0);
        assert_int_equal(tn_ctl_beat_answer_consume(&member, back, sizeof(back), got), 0);
        assert_memory_equal(got, observed, sizeof(got));
        assert_int_equal(tn_ctl_beat_answer_consume(&member, back, sizeof(back), got), TN_EREPLAY);
    }
}

static void the_half_of_a_counter_stands_for_the_nearest_whole_one(void **state)
{
    static const uint64_t at[] = {0, 1, 0x7fff, 0x8000, 0xffff, 0x10000, 0x10001, 0x17fff, 0x18000,
                                  0x123456789abcdef0, UINT64_MAX - 70000, UINT64_MAX - 1};
    uint8_t beat[TN_CTL_BEAT_LEN];
    uint16_t interval;

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        for (uint64_t lost = 0; lost < 30000; lost += 9999) {
            begin(state);
            server.window.next = at[i] > lost ? at[i] - lost : 0;
            member.send_counter = at[i];
            assert_int_equal(tn_ctl_beat_create(&member, 1, beat), 0);
            assert_int_equal(tn_ctl_beat_consume(&server, beat, sizeof(beat), &interval), 0);
            assert_int_equal(server.window.next, at[i] + 1);
        }
    }
    member.send_counter = UINT64_MAX;
    assert_int_equal(tn_ctl_beat_create(&member, 1, beat), TN_ENOKEY);
    /* one that is 2^16 old has the same bytes on the wire, and another tag */
    begin(state);
    assert_int_equal(tn_ctl_beat_create(&member, 1, beat), 0);
    server.window.next = 0x10000;
    assert_int_equal(tn_ctl_beat_consume(&server, beat, sizeof(beat), &interval), TN_EAUTH);
}

static void a_bent_or_cut_beat_changes_nothing(void **state)
{
    uint8_t beat[TN_CTL_BEAT_LEN + 1] = {0};
    struct tn_ctl_session before = server;
    uint16_t interval = 77;

    assert_int_equal(tn_ctl_beat_create(&member, 1, beat), 0);
    for (size_t len = 0; len <= sizeof(beat); len++) {
        if (len != TN_CTL_BEAT_LEN)
            assert_int_equal(tn_ctl_beat_consume(&server, beat, len, &interval), TN_EINVAL);
    }
    for (size_t bit = 0; bit < TN_CTL_BEAT_LEN * 8; bit++) {
        beat[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(tn_ctl_beat_consume(&server, beat, TN_CTL_BEAT_LEN, &interval), 0);
        beat[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(interval, 77);
    assert_memory_equal(&before, &server, sizeof(server));
    assert_int_equal(tn_ctl_beat_consume(&server, beat, TN_CTL_BEAT_LEN, &interval), 0);
}

static void an_answer_is_no_beat_and_goes_one_way(void **state)
{
    uint8_t observed[TN_CTL_OBSERVED_LEN] = {1}, back[TN_CTL_BEAT_ANSWER_LEN], beat[TN_CTL_BEAT_LEN];
    uint16_t interval;

    assert_int_equal(tn_ctl_beat_create(&member, 1, beat), 0);
    assert_int_equal(tn_ctl_beat_answer_create(&server, observed, back), 0);
    server.local_index = member.local_index; /* as if sent back to its sender */
    memcpy(server.recv_key, server.send_key, 32);
    assert_int_not_equal(tn_ctl_beat_consume(&server, back, sizeof(back), &interval), 0);
    assert_int_not_equal(tn_ctl_beat_answer_consume(&member, beat, sizeof(beat), observed), 0);
}

/* ---- in a session ---- */

static struct net *with_beats(uint64_t keepalive_s)
{
    struct net *n = net_of_members(1, 2);
    struct net_client *k = &n->client[0];

    k->c.cfg.beats = true;
    k->c.cfg.renew_us = TN_S(7 * 86400);
    k->c.row[TN_COORD_AT_RENEW] = TN_NEVER;
    tn_coord_client_set_keepalive(&k->c, TN_S(keepalive_s), n->now);
    net_run(n, TN_S(3));
    return n;
}

static struct tn_server_session *session_of(struct net *n)
{
    for (size_t i = 0; i < NET_SESSIONS; i++) {
        if (n->session[i].state == TN_SERVER_MEMBER &&
            !memcmp(n->session[i].client_public, n->client[0].public_key, 32))
            return &n->session[i];
    }
    return NULL;
}

static void a_session_lives_as_long_as_its_beats_promise(void **state)
{
    struct net *n = with_beats(1240);
    struct net_client *k = &n->client[0];
    size_t sent = k->sent, bytes = k->sent_bytes;

    assert_int_equal(session_of(n)->life_us, TN_S(2 * 1240 + 75));
    net_run(n, TN_S(86400));
    assert_true(tn_coord_client_is_connected(&k->c));
    assert_non_null(session_of(n));
    assert_in_range(k->sent - sent, 69, 70);
    assert_int_equal(k->sent_bytes - bytes, (k->sent - sent) * TN_CTL_BEAT_LEN);
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0);
    /* it goes away without a word */
    tn_coord_client_stop(&k->c);
    net_run(n, TN_S(1240));
    assert_non_null(session_of(n));
    net_run(n, TN_S(1240 + 75 + 90));
    assert_null(session_of(n));
    net_free(n);
}

static void a_dead_coordinator_is_found_out_by_three_beats(void **state)
{
    struct net *n = with_beats(60);
    struct net_client *k = &n->client[0];
    size_t sent;

    n->server_up = false;
    net_run(n, TN_S(60));
    sent = k->sent;
    net_run(n, TN_S(20));
    assert_false(tn_coord_client_is_connected(&k->c));
    assert_in_range(k->sent - sent, 3, 15);
    n->server_up = true;
    k->c.attempts_failed = 0;
    net_run(n, TN_S(20));
    assert_true(tn_coord_client_is_connected(&k->c));
    net_free(n);
}

static bool move_away(struct net *n, struct net_packet *p)
{
    if (p->to_server)
        p->src.port = 1;
    else if (p->dst.port == 1)
        p->dst.port = n->client[0].at[0].port;
    return true;
}

static void a_port_that_has_changed_is_told(void **state)
{
    struct net *n = with_beats(60);

    net_run(n, TN_S(200));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_MAPPING_LOST], 0);
    n->tap = move_away;
    net_run(n, TN_S(61));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_MAPPING_LOST], 1);
    net_run(n, TN_S(300)); /* the new one stays */
    assert_int_equal(n->client[0].seen[TN_COORD_EV_MAPPING_LOST], 1);
    assert_int_equal(session_of(n)->seen[0].addr.port, 1); /* and is where relayed frames go */
    net_free(n);
}

static void a_guest_does_not_live_longer_by_beating(void **state)
{
    struct net *n = net_new(3);
    struct net_client *k;

    k = net_add(n, 0, 1);
    k->c.cfg.beats = true;
    assert_true(net_run_until(n, TN_S(5), net_all_connected));
    net_run(n, TN_S(1));
    tn_coord_client_set_keepalive(&k->c, TN_S(1240), n->now);
    net_run(n, TN_S(5));
    for (size_t i = 0; i < NET_SESSIONS; i++)
        assert_int_equal(n->session[i].life_us, 0);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_beat_has_the_bytes_of_the_specification, begin),
        cmocka_unit_test_setup(both_ends_understand_each_other_once, begin),
        cmocka_unit_test_setup(the_half_of_a_counter_stands_for_the_nearest_whole_one, begin),
        cmocka_unit_test_setup(a_bent_or_cut_beat_changes_nothing, begin),
        cmocka_unit_test_setup(an_answer_is_no_beat_and_goes_one_way, begin),
        cmocka_unit_test(a_session_lives_as_long_as_its_beats_promise),
        cmocka_unit_test(a_dead_coordinator_is_found_out_by_three_beats),
        cmocka_unit_test(a_port_that_has_changed_is_told),
        cmocka_unit_test(a_guest_does_not_live_longer_by_beating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
