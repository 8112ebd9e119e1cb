/* The member's end of the control channel, against a real coordinator over a simulated network. */
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

static bool first_connected(struct net *n)
{
    return n->client[0].seen[TN_COORD_EV_CONNECTED] > 0;
}

static bool first_disconnected(struct net *n)
{
    return n->client[0].seen[TN_COORD_EV_DISCONNECTED] > 0;
}

static void a_connection_takes_two_round_trips(void **state)
{
    struct net *n = net_new(1);
    uint64_t began = n->now.us;
    struct net_client *k = net_add(n, 0, 1);

    (void)state;
    assert_true(net_run_until(n, TN_S(1), first_connected));
    assert_int_equal(n->now.us - began, 4 * n->delay_us);
    assert_true(tn_coord_client_is_connected(&k->c));
    assert_true(tn_addr_equal(&k->last[TN_COORD_EV_CONNECTED].addr, &k->at[0]));
    assert_int_equal(k->last[TN_COORD_EV_CONNECTED].unix_s, NET_EPOCH_S);
    assert_int_equal(k->last[TN_COORD_EV_RTT].rtt_us, 2 * n->delay_us);
    net_run(n, 2 * n->delay_us);
    assert_int_equal(tn_server_counters(&n->server)->sessions_confirmed, 1);
    assert_int_equal(k->seen[TN_COORD_EV_OBSERVED], 1);
    net_free(n);
}

static void a_request_made_early_goes_with_the_first_data(void **state)
{
    struct net *n = net_new(2);
    uint64_t began = n->now.us;
    struct net_client *k = net_add(n, 0, 1);

    (void)state;
    net_join(n, 0, FIX_NETWORK);
    assert_true(net_run_until(n, TN_S(1), net_all_joined));
    assert_int_equal(n->now.us - began, 6 * n->delay_us);
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].seq, 1);
    assert_int_equal(n->store.member_count, 1);
    net_free(n);
}

static bool first_has_its_channel(struct net *n)
{
    return n->client[0].channel[0].state == TN_RELAY_BOUND;
}

static void thirty_percent_loss_only_costs_time(void **state)
{
    uint64_t worst = 0;

    (void)state;
    for (uint64_t seed = 100; seed < 160; seed++) {
        struct net *n = net_new(seed);
        uint64_t began = n->now.us;
        uint16_t channel;

        n->loss_percent = 30;
        for (unsigned i = 0; i < 3; i++) {
            net_add(n, i, 1);
            net_join(n, i, FIX_NETWORK);
        }
        assert_true(net_run_until(n, TN_S(120), net_all_joined));
        if (n->now.us - began > worst)
            worst = n->now.us - began;
        assert_int_equal(n->store.member_count, 3);
        assert_int_equal(tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &channel,
                                              n->now),
                         0);
        assert_int_equal(channel, 1);
        net_run(n, TN_S(120));
        assert_true(net_run_until(n, TN_S(20), first_has_its_channel)); /* a new session binds it anew */
        for (unsigned i = 0; i < 3; i++)
            assert_true(n->client[i].seen[TN_COORD_EV_CONNECTED] >= 1);
        net_free(n);
    }
    assert_in_range(worst, 0, TN_S(60));
}

static void silence_is_told_and_tried_again_with_longer_waits(void **state)
{
    struct net *n = net_new(3);
    struct net_client *k;

    (void)state;
    n->server_up = false;
    k = net_add(n, 0, 1);
    assert_true(net_run_until(n, TN_S(10), first_disconnected));
    assert_int_equal(k->last[TN_COORD_EV_DISCONNECTED].reason, TN_COORD_NO_ANSWER);
    net_run(n, TN_S(600));
    assert_in_range(k->seen[TN_COORD_EV_DISCONNECTED], 24, 60); /* 8 s of trying, up to 15 s of rest */
    assert_in_range(k->seen[TN_COORD_EV_RESOLVE], 2 * k->seen[TN_COORD_EV_DISCONNECTED],
                    2 * k->seen[TN_COORD_EV_DISCONNECTED] + 1); /* soon, and at the end of each attempt */
    assert_in_range(k->sent, 150, 360);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 0);
    n->server_up = true;
    assert_true(net_run_until(n, TN_S(16), first_connected));
    net_free(n);
}

static void a_coordinator_with_another_key_is_named_as_such(void **state)
{
    struct net *n = net_new(4);
    struct net_client *k;
    uint8_t right[32];

    (void)state;
    memcpy(right, n->server_public, 32);
    n->server_public[5] ^= 1; /* the pinned one */
    k = net_add(n, 0, 1);
    assert_true(net_run_until(n, TN_S(10), first_disconnected));
    assert_int_equal(k->last[TN_COORD_EV_DISCONNECTED].reason, TN_COORD_BAD_KEY);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 0);
    assert_int_equal(tn_server_counters(&n->server)->handshakes, 0);
    net_free(n);
}

/* ---- forgeries ---- */

/* Each COOKIE comes first as a forged one; the true one comes behind it. */
static bool forge_cookie(struct net *n, struct net_packet *p)
{
    if (p->data[0] == TN_CTL_COOKIE && !n->count) {
        struct net_packet *f = &n->flight[NET_FLIGHT - 1];

        n->count = 1;
        *f = *p;
        f->data[8] ^= 1;
        f->at_us--;
    }
    return true;
}

static void a_forged_cookie_costs_one_init_and_no_more(void **state)
{
    struct net *n = net_new(5);
    struct net_client *k = net_add(n, 0, 1);

    (void)state;
    n->tap = forge_cookie;
    assert_true(net_run_until(n, TN_S(1), first_connected));
    assert_in_range(k->sent, 2, 4);
    net_free(n);
}

static void a_cookie_counts_only_when_it_is_waited_for(void **state)
{
    struct net *n = net_new(6);
    struct net_client *k = net_add(n, 0, 3);
    uint8_t cookie[TN_CTL_COOKIE_LEN] = {TN_CTL_COOKIE, TN_CTL_VERSION};
    struct tn_addr other = net_v4(99, 3478);
    struct tn_coord_client before;

    (void)state;
    net_drain(n, k); /* INIT is out */
    tn_put_be32(cookie + 4, k->c.client_index + 1);
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &n->server_at[0], cookie, 24, n->now),
                     TN_EINVAL); /* another index */
    tn_put_be32(cookie + 4, k->c.client_index);
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &other, cookie, 24, n->now), TN_EINVAL);
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &n->server_at[1], cookie, 24, n->now),
                     TN_EINVAL); /* INIT went to the other family */
    for (size_t len = 0; len < 24; len++)
        assert_int_equal(tn_coord_client_on_datagram(&k->c, &n->server_at[0], cookie, len, n->now),
                         TN_EINVAL);
    assert_false(k->c.has_cookie);
    assert_true(net_run_until(n, TN_S(1), first_connected));
    net_run(n, TN_MS(100));
    before = k->c;
    tn_put_be32(cookie + 4, k->c.client_index);
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &n->server_at[0], cookie, 24, n->now),
                     TN_EINVAL); /* connected: nobody waits */
    before.dropped++;
    assert_memory_equal(&before, &k->c, sizeof(before));
    net_free(n);
}

static bool keep_answers(struct net *n, struct net_packet *p)
{
    if (!p->to_server && (p->data[0] == TN_CTL_RESP || p->data[0] == TN_CTL_DATA) &&
        !n->kept.used)
        n->kept = *p;
    return true;
}

static void forged_and_replayed_datagrams_change_nothing(void **state)
{
    struct net *n = net_new(7);
    struct net_client *k = net_add(n, 0, 3);
    struct tn_coord_client before;
    struct net_packet kept[2];

    (void)state;
    n->tap = keep_answers;
    assert_true(net_run_until(n, TN_S(1), first_connected));
    kept[0] = n->kept; /* RESP */
    n->kept.used = false;
    net_run(n, TN_MS(100));
    kept[1] = n->kept; /* the first DATA, long opened */
    assert_int_equal(kept[0].data[0], TN_CTL_RESP);
    assert_int_equal(kept[1].data[0], TN_CTL_DATA);
    before = k->c;
    for (int which = 0; which < 2; which++) {
        for (size_t bit = 0; bit <= kept[which].len * 8; bit++) { /* the last: not altered */
            struct net_packet p = kept[which];

            if (bit < p.len * 8)
                p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(
                tn_coord_client_on_datagram(&k->c, &p.src, p.data, p.len, n->now), 0);
            before.dropped++;
            assert_memory_equal(&before, &k->c, sizeof(before));
        }
    }
    net_free(n);
}

static bool hold_data(struct net *n, struct net_packet *p)
{
    if (p->to_server || p->data[0] != TN_CTL_DATA)
        return true;
    n->kept = *p;
    return false;
}

static void an_authentic_answer_counts_from_the_coordinators_address_only(void **state)
{
    struct net *n = net_of_members(8, 1);
    struct net_client *k = &n->client[0];
    struct tn_addr elsewhere = n->server_at[0];
    struct net_packet again;

    (void)state;
    n->tap = hold_data;
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_MS(100));
    again = n->kept;
    elsewhere.port++;
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &elsewhere, again.data, again.len, n->now),
                     TN_EINVAL);
    again = n->kept;
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &again.src, again.data, again.len, n->now),
                     0);
    net_free(n);
}

/* ---- recovery ---- */

static void a_restarted_coordinator_is_found_by_itself(void **state)
{
    struct net *n = net_of_members(9, 2);
    struct net_client *k = &n->client[0];
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->channel[0].state, TN_RELAY_BOUND);
    net_start_server(n); /* it remembers no session */
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    n->client[1].seen[TN_COORD_EV_CONNECTED] = 0;
    assert_true(net_run_until(n, TN_S(20), net_all_connected));
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0); /* so quick that nobody need know */
    assert_int_equal(k->channel[0].state, TN_RELAY_BOUND);
    assert_int_equal(net_relay(n, 0, channel, 64), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(n->client[1].relayed_in, 1);
    net_free(n);
}

static void a_coordinator_that_was_away_is_found_again(void **state)
{
    struct net *n = net_of_members(10, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    n->server_up = false;
    assert_true(net_run_until(n, TN_S(30), first_disconnected));
    assert_false(tn_coord_client_is_connected(&k->c));
    net_run(n, TN_S(300));
    net_start_server(n);
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    assert_true(net_run_until(n, TN_S(16), first_connected));
    net_free(n);
}

static bool is_no_lost(struct net *n, struct net_packet *p)
{
    return p->data[0] != TN_CTL_LOST;
}

static void suspicion_finds_a_restarted_coordinator_within_half_a_second(void **state)
{
    struct net *n = net_of_members(11, 1);
    struct net_client *k = &n->client[0];
    uint64_t began;

    (void)state;
    net_start_server(n);
    n->tap = is_no_lost; /* one that does not say so */
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    began = n->now.us;
    tn_coord_client_suspect(&k->c, n->now);
    tn_coord_client_suspect(&k->c, n->now); /* told again and again: the same */
    assert_true(net_run_until(n, TN_S(20), first_connected));
    assert_in_range(n->now.us - began, TN_MS(450), TN_MS(550)); /* three PINGs, two round trips */
    net_free(n);
}

static void a_wrong_suspicion_costs_one_ping(void **state)
{
    struct net *n = net_of_members(12, 1);
    struct net_client *k = &n->client[0];
    size_t sent = k->sent;

    (void)state;
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_S(3));
    assert_int_equal(k->sent, sent + 1);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1);
    net_free(n);
}

static void a_question_to_a_dead_coordinator_raises_suspicion(void **state)
{
    struct net *n = net_of_members(13, 2);
    struct net_client *k = &n->client[0];

    (void)state;
    net_start_server(n);
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "node-1", 6, 5, n->now), 0);
    assert_true(net_run_until(n, TN_S(3), first_connected));
    net_run(n, TN_MS(200));
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 1); /* asked again on the new session */
    assert_int_equal(k->last[TN_COORD_EV_CARD].token, 5);
    net_free(n);
}

static void a_new_port_at_the_nat_is_noticed_and_told(void **state)
{
    struct net *n = net_of_members(14, 2);
    struct net_client *k = &n->client[0];
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&n->client[1].c, k->identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    k->at[0].port = 40001;
    net_run(n, TN_S(16));
    assert_int_equal(k->seen[TN_COORD_EV_OBSERVED], 2);
    assert_true(tn_addr_equal(&k->last[TN_COORD_EV_OBSERVED].addr, &k->at[0]));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1); /* the session moved along */
    assert_int_equal(net_relay(n, 1, channel, 64), 0);
    net_run(n, TN_MS(100));
    assert_int_equal(k->relayed_in, 1);
    net_free(n);
}

static void a_relay_frame_after_silence_brings_a_ping(void **state)
{
    struct net *n = net_of_members(15, 2);
    struct net_client *k = &n->client[0];
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    net_run(n, TN_S(9));
    k->at[0].port = 40002; /* the NAT forgot */
    assert_int_equal(net_relay(n, 0, channel, 64), 0);
    net_run(n, TN_MS(50));
    assert_int_equal(n->client[1].relayed_in, 0); /* this one came from a stranger */
    assert_int_equal(net_relay(n, 0, channel, 64), 0);
    net_run(n, TN_MS(50));
    assert_int_equal(n->client[1].relayed_in, 1);
    net_free(n);
}

static void a_nat_that_forgets_is_pinged_more_often(void **state)
{
    struct net *n = net_of_members(16, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t quiet = n->now.us;

        net_run(n, TN_MS(4900));
        if (k->c.ping[0].sent_us < quiet)
            k->at[0].port++; /* nothing went out for 5 s */
        net_run(n, TN_MS(100));
    }
    assert_in_range(k->c.keepalive_us, TN_MS(2500), TN_S(5));
    net_free(n);
}

static void both_families_are_observed(void **state)
{
    struct net *n = net_new(17);
    struct net_client *k = net_add(n, 0, 3);

    (void)state;
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_OBSERVED], 2);
    assert_true(tn_addr_equal(&k->c.observed[0], &k->at[0]));
    assert_true(tn_addr_equal(&k->c.observed[1], &k->at[1]));
    assert_int_equal(k->c.home, 0);
    net_run(n, TN_S(40)); /* the coordinator relays to the family that we are at home in */
    assert_int_equal(n->session[tn_ctl_index_slot(k->c.session.remote_index,
                                                  n->server.slot_bits)].home, 0);
    net_free(n);
}

static bool drop_v4(struct net *n, struct net_packet *p)
{
    (void)n;
    return !tn_addr_is_v4(&p->dst);
}

static void the_other_family_takes_over(void **state)
{
    struct net *n = net_new(18);
    struct net_client *k = net_add(n, 0, 3);

    (void)state;
    n->tap = drop_v4; /* IPv4 leads nowhere from the start */
    assert_true(net_run_until(n, TN_S(2), first_connected));
    assert_int_equal(k->c.home, 1);
    n->tap = NULL;
    net_free(n);

    n = net_new(19);
    k = net_add(n, 0, 3);
    net_run(n, TN_S(2));
    n->tap = drop_v4; /* it breaks later */
    net_run(n, TN_S(25));
    assert_int_equal(k->c.home, 1);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1); /* the same session */
    assert_int_equal(k->seen[TN_COORD_EV_DISCONNECTED], 0);
    net_free(n);

    n = net_new(19);
    k = net_add(n, 0, 3);
    net_run(n, TN_S(2));
    n->tap = drop_v4;
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_S(1));
    assert_int_equal(k->c.home, 1); /* three PINGs, 300 ms apart */
    net_free(n);
}

static void an_address_that_cannot_be_sent_to_is_left_at_once(void **state)
{
    struct net *n = net_new(20);
    struct net_client *k = net_add(n, 0, 3);
    uint64_t began = n->now.us;

    (void)state;
    net_drain(n, k);
    tn_coord_client_on_unreachable(&k->c, &n->server_at[0], n->now);
    n->tap = drop_v4;
    assert_true(net_run_until(n, TN_S(2), first_connected));
    assert_int_equal(n->now.us - began, 4 * n->delay_us);
    net_free(n);

    n = net_new(20);
    k = net_add(n, 0, 3);
    for (int i = 0; i < 100; i++) { /* both are dead: it must not spin */
        net_drain(n, k);
        tn_coord_client_on_unreachable(&k->c, &n->server_at[i & 1], n->now);
    }
    assert_int_equal(k->sent, 2);
    net_free(n);
}

static void keys_are_made_anew_after_an_hour_without_a_gap(void **state)
{
    struct net *n = net_of_members(21, 2);
    uint16_t channel;
    unsigned frames = 0;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &channel, n->now),
                     0);
    net_run(n, TN_S(3590));
    for (int i = 0; i < 400; i++) {
        assert_int_equal(net_relay(n, 0, channel, 100), 0);
        frames++;
        net_run(n, TN_MS(50));
    }
    assert_int_equal(n->client[0].seen[TN_COORD_EV_CONNECTED], 2);
    assert_int_equal(n->client[1].seen[TN_COORD_EV_CONNECTED], 2);
    assert_int_equal(n->client[0].seen[TN_COORD_EV_DISCONNECTED], 0);
    assert_int_equal(n->client[1].relayed_in, frames);
    net_free(n);
}

static void an_idle_hour_costs_a_ping_each_15_s(void **state)
{
    struct net *n = net_of_members(29, 1);
    struct net_client *k = &n->client[0];
    size_t sent = k->sent;

    (void)state;
    net_run(n, TN_S(3000));
    assert_in_range(k->sent - sent, 199, 201);
    assert_int_equal(k->seen[TN_COORD_EV_RTT], 1 + 201);
    net_free(n);
}

static void a_stopped_client_is_silent_until_it_is_started(void **state)
{
    struct net *n = net_of_members(30, 1);
    struct net_client *k = &n->client[0];
    size_t sent;

    (void)state;
    tn_coord_client_stop(&k->c);
    net_drain(n, k);
    sent = k->sent;
    net_run(n, TN_S(300));
    assert_int_equal(k->sent, sent);
    assert_int_equal(k->last[TN_COORD_EV_DISCONNECTED].reason, TN_COORD_STOPPED);
    assert_int_equal(tn_coord_client_next_deadline(&k->c, NULL), TN_NEVER);
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    tn_coord_client_start(&k->c, n->now);
    assert_true(net_run_until(n, TN_S(1), first_connected));
    net_free(n);
}

static void a_clock_that_goes_back_does_not_lock_us_out(void **state)
{
    struct net *n = net_of_members(31, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    n->now.unix_ns -= (uint64_t)86400 * 1000000000u;
    k->seen[TN_COORD_EV_CONNECTED] = 0;
    tn_coord_client_stop(&k->c);
    tn_coord_client_start(&k->c, n->now); /* the old session lives on at the coordinator */
    assert_true(net_run_until(n, TN_S(2), first_connected));
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_takes_two_round_trips),
        cmocka_unit_test(a_request_made_early_goes_with_the_first_data),
        cmocka_unit_test(thirty_percent_loss_only_costs_time),
        cmocka_unit_test(silence_is_told_and_tried_again_with_longer_waits),
        cmocka_unit_test(a_coordinator_with_another_key_is_named_as_such),
        cmocka_unit_test(a_forged_cookie_costs_one_init_and_no_more),
        cmocka_unit_test(a_cookie_counts_only_when_it_is_waited_for),
        cmocka_unit_test(forged_and_replayed_datagrams_change_nothing),
        cmocka_unit_test(an_authentic_answer_counts_from_the_coordinators_address_only),
        cmocka_unit_test(a_restarted_coordinator_is_found_by_itself),
        cmocka_unit_test(a_coordinator_that_was_away_is_found_again),
        cmocka_unit_test(suspicion_finds_a_restarted_coordinator_within_half_a_second),
        cmocka_unit_test(a_wrong_suspicion_costs_one_ping),
        cmocka_unit_test(a_question_to_a_dead_coordinator_raises_suspicion),
        cmocka_unit_test(a_new_port_at_the_nat_is_noticed_and_told),
        cmocka_unit_test(a_relay_frame_after_silence_brings_a_ping),
        cmocka_unit_test(a_nat_that_forgets_is_pinged_more_often),
        cmocka_unit_test(both_families_are_observed),
        cmocka_unit_test(the_other_family_takes_over),
        cmocka_unit_test(an_address_that_cannot_be_sent_to_is_left_at_once),
        cmocka_unit_test(keys_are_made_anew_after_an_hour_without_a_gap),
        cmocka_unit_test(an_idle_hour_costs_a_ping_each_15_s),
        cmocka_unit_test(a_stopped_client_is_silent_until_it_is_started),
        cmocka_unit_test(a_clock_that_goes_back_does_not_lock_us_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
