/* The member's requests: repeated until answered, given up, asked again after JOIN. */
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

static void sync_brings_every_card_once_and_says_when_it_is_done(void **state)
{
    struct net *n = net_of_members(23, 6);
    struct net_client *k = &n->client[0];

    (void)state;
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0); /* not doubled */
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 6);
    assert_false(k->last[TN_COORD_EV_CARD].of_lookup);
    assert_int_equal(k->seen[TN_COORD_EV_SYNC_DONE], 1);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].seq, 6);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_OK);
    assert_int_equal(tn_coord_client_sync(&k->c, 5, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 7);
    net_free(n);
}

static void a_roster_that_grows_is_told_with_the_next_keepalive(void **state)
{
    struct net *n = net_of_members(24, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    assert_int_equal(k->last[TN_COORD_EV_ROSTER_SEQ].seq, 1);
    net_add(n, 1, 1);
    net_join(n, 1, FIX_NETWORK);
    net_run(n, TN_S(16));
    assert_int_equal(k->last[TN_COORD_EV_ROSTER_SEQ].seq, 2);
    net_free(n);
}

static void a_lookup_answers_by_every_key(void **state)
{
    struct net *n = net_of_members(25, 2);
    struct net_client *k = &n->client[0];
    uint8_t ip[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 2};

    (void)state;
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_IDENTITY, n->client[1].identity, 32, 1,
                                            n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_ADDRESS, ip, 16, 2, n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "node-1", 6, 3, n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_WIREGUARD, n->client[1].public_key, 32, 4,
                                            n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 4);
    assert_true(k->last[TN_COORD_EV_CARD].of_lookup);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "node-7", 6, 9, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_LOOKUP_FAILED], 1);
    assert_int_equal(k->last[TN_COORD_EV_LOOKUP_FAILED].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(k->last[TN_COORD_EV_LOOKUP_FAILED].token, 9);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "", 0, 9, n->now), TN_EINVAL);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_ADDRESS, ip, 4, 9, n->now), TN_EINVAL);
    net_free(n);
}

static bool drop_questions(struct net *n, struct net_packet *p)
{
    (void)n;
    return !p->to_server || p->data[0] != TN_CTL_DATA || p->len < 60; /* PINGs pass */
}

static void a_question_without_an_answer_is_given_up(void **state)
{
    struct net *n = net_of_members(26, 2);
    struct net_client *k = &n->client[0];
    unsigned extra;

    (void)state;
    n->tap = drop_questions;
    assert_int_equal(tn_coord_client_connect(&k->c, n->client[1].identity, n->now), 0);
    for (extra = 0; extra < 20; extra++) {
        uint8_t key[32] = {(uint8_t)extra};

        if (tn_coord_client_lookup(&k->c, TN_BY_IDENTITY, key, 32, extra, n->now))
            break;
    }
    assert_int_equal(extra, TN_COORD_REQUESTS - 1); /* the table is full */
    net_run(n, TN_S(12));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECT_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_NO_ANSWER);
    assert_memory_equal(k->last[TN_COORD_EV_CONNECT_RESULT].identity, n->client[1].identity, 32);
    assert_int_equal(k->seen[TN_COORD_EV_LOOKUP_FAILED], TN_COORD_REQUESTS - 1);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 1); /* PINGs were answered: no reconnect */
    net_free(n);
}

static void what_needs_a_member_waits_for_join(void **state)
{
    struct net *n = net_of_members(27, 2);
    struct net_client *k = net_add(n, 2, 1);
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    assert_int_equal(tn_coord_client_connect(&k->c, n->client[1].identity, n->now), 0);
    net_join(n, 2, FIX_NETWORK);
    net_run(n, TN_S(2));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->seen[TN_COORD_EV_BIND_RESULT], 1);
    net_free(n);
}

static void a_guest_is_refused_everything_else(void **state)
{
    struct net *n = net_of_members(28, 1);
    struct net_client *k = net_add(n, 1, 1);
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[0].identity, &channel, n->now), 0);
    assert_int_equal(tn_coord_client_connect(&k->c, n->client[0].identity, n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "laptop", 6, 1, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_NOT_MEMBER);
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_NOT_MEMBER);
    assert_int_equal(k->last[TN_COORD_EV_LOOKUP_FAILED].status, TN_STATUS_NOT_MEMBER);
    assert_int_equal(k->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_NOT_MEMBER);
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 0);
    assert_int_equal(net_relay(n, 1, channel, 64), TN_ESTATE);
    net_free(n);
}

/* A message as the coordinator would seal it for client 0. */
static void from_coordinator(struct net *n, struct tn_msg *m)
{
    struct net_client *k = &n->client[0];
    uint32_t slot = tn_ctl_index_slot(k->c.session.remote_index, n->server.slot_bits);
    uint8_t d[TN_CTL_MAX_LEN];
    size_t len;

    assert_int_equal(tn_msg_encode(m, d + TN_CTL_DATA_HEADER_LEN, TN_MSG_MAX_LEN, &len), 0);
    assert_int_equal(tn_ctl_seal(&n->session[slot].keys, d, len), 0);
    assert_int_equal(tn_coord_client_on_datagram(&k->c, &n->server_at[0], d,
                                                 len + TN_CTL_DATA_OVERHEAD, n->now), 0);
    net_drain(n, k);
}

static void a_sync_that_goes_in_circles_is_ended(void **state)
{
    struct net *n = net_of_members(32, 1);
    struct net_client *k = &n->client[0];
    uint8_t card[4] = {1};
    struct tn_msg m = {.type = TN_MSG_SYNC | TN_MSG_ANSWER, .seq = 9, .roster_seq = 50,
                       .card = card, .card_len = 4};

    (void)state;
    assert_int_equal(tn_coord_client_sync(&k->c, 8, n->now), 0);
    net_drain(n, k);
    m.request_id = k->c.next_id;
    from_coordinator(n, &m);
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 1);
    m.request_id = k->c.next_id; /* of the question after it */
    from_coordinator(n, &m);
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 1);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_MALFORMED);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].seq, 9);
    net_free(n);
}

static bool drop_first_join(struct net *n, struct net_packet *p)
{
    if (!p->to_server || p->len < 300 || n->count)
        return true;
    n->count = 1;
    return false;
}

static void what_overtakes_join_is_asked_again(void **state)
{
    struct net *n = net_of_members(33, 2);
    struct net_client *k = net_add(n, 2, 1);
    uint16_t channel;

    (void)state;
    n->tap = drop_first_join;
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    assert_int_equal(tn_coord_client_connect(&k->c, n->client[1].identity, n->now), 0);
    net_join(n, 2, FIX_NETWORK);
    net_run(n, TN_S(2));
    assert_int_equal(n->count, 1);
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->seen[TN_COORD_EV_SYNC_DONE], 1);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_OK);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECT_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->seen[TN_COORD_EV_BIND_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_OK);
    net_free(n);
}

static void a_join_that_fails_fails_what_waited_for_it(void **state)
{
    struct net *n = net_of_members(34, 2);
    struct net_client *k = net_add(n, 2, 1);
    uint16_t channel;

    (void)state;
    n->tap = drop_first_join;
    n->store.member_max = 2;
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    net_join(n, 2, FIX_NETWORK);
    net_run(n, TN_S(2));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_LIMIT);
    assert_int_equal(k->last[TN_COORD_EV_SYNC_DONE].status, TN_STATUS_NOT_MEMBER);
    assert_int_equal(k->channel[channel - 1].state, TN_RELAY_REFUSED);
    net_free(n);
}

static void many_channels_are_bound_a_few_at_a_time(void **state)
{
    struct net *n = net_of_members(35, 1);
    struct net_client *k = &n->client[0];
    size_t sent = k->sent;
    uint16_t channel;

    (void)state;
    for (uint8_t i = 0; i < NET_ROWS; i++) {
        uint8_t identity[32] = {i, 1};

        assert_int_equal(tn_coord_client_bind(&k->c, identity, &channel, n->now), 0);
    }
    assert_int_equal(tn_coord_client_bind(&k->c, k->identity, &channel, n->now), TN_ENOSPC);
    net_drain(n, k);
    assert_int_equal(k->sent - sent, 16);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_BIND_RESULT], NET_ROWS);
    net_free(n);
}

static void a_new_key_of_our_own_makes_a_new_session(void **state)
{
    struct net *n = net_of_members(22, 1);
    struct net_client *k = &n->client[0];
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len;

    (void)state;
    tn_rng_bytes(&n->rng, k->private_key, 32);
    assert_int_equal(tn_x25519_public(k->public_key, k->private_key), 0);
    len = net_card(n, FIX_NETWORK, 0, 2, k->public_key, card);
    assert_int_equal(tn_coord_client_update(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_UPDATE_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_UPDATE_RESULT].seq, 2);
    assert_int_equal(tn_coord_client_set_key(&k->c, k->private_key, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 2);
    assert_int_equal(n->server.gauge.members, 1); /* the same member, the old session is gone */
    assert_int_equal(n->server.gauge.guests, 0);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync_brings_every_card_once_and_says_when_it_is_done),
        cmocka_unit_test(a_roster_that_grows_is_told_with_the_next_keepalive),
        cmocka_unit_test(a_lookup_answers_by_every_key),
        cmocka_unit_test(a_question_without_an_answer_is_given_up),
        cmocka_unit_test(what_needs_a_member_waits_for_join),
        cmocka_unit_test(a_guest_is_refused_everything_else),
        cmocka_unit_test(a_sync_that_goes_in_circles_is_ended),
        cmocka_unit_test(what_overtakes_join_is_asked_again),
        cmocka_unit_test(a_join_that_fails_fails_what_waited_for_it),
        cmocka_unit_test(a_new_key_of_our_own_makes_a_new_session),
        cmocka_unit_test(many_channels_are_bound_a_few_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
