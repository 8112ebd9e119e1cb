/* The coordinator's memory: lists and hash tables hold together, and nothing is left in it. */
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

/* Walks every list and chain, and counts what it finds against the gauges. */
static void check_tables(const struct net *n)
{
    uint32_t by_state[4] = {0}, keyed = 0, named = 0, hashed = 0, owned = 0, spare = 0;
    const struct tn_server *s = &n->server;

    for (uint32_t i = 0; i < NET_SESSIONS; i++) {
        const struct tn_server_session *x = &n->session[i];
        uint32_t own = 0;

        by_state[x->state]++;
        if (x->state == TN_SERVER_FREE)
            continue;
        for (uint32_t at = x->channels; at != TN_SERVER_NONE; at = n->channels[at].owner_next) {
            assert_int_equal(n->channels[at].owner, i);
            assert_in_range(++own, 1, NET_CHANNELS);
        }
        assert_int_equal(own, x->channel_count);
        owned += own;
    }
    for (uint32_t i = 0; i < NET_BUCKETS; i++) {
        for (uint32_t at = n->bucket[0][i]; at != TN_SERVER_NONE; at = n->session[at].key_next)
            assert_in_range(++keyed, 1, NET_SESSIONS);
        for (uint32_t at = n->bucket[1][i]; at != TN_SERVER_NONE; at = n->session[at].member_next)
            assert_in_range(++named, 1, NET_SESSIONS);
        for (uint32_t at = n->bucket[2][i]; at != TN_SERVER_NONE; at = n->channels[at].hash_next)
            assert_in_range(++hashed, 1, NET_CHANNELS);
    }
    for (uint32_t at = s->free_channel; at != TN_SERVER_NONE; at = n->channels[at].owner_next)
        assert_in_range(++spare, 1, NET_CHANNELS);
    assert_int_equal(by_state[TN_SERVER_TENTATIVE], s->gauge.tentative);
    assert_int_equal(by_state[TN_SERVER_GUEST], s->gauge.guests);
    assert_int_equal(by_state[TN_SERVER_MEMBER], s->gauge.members);
    assert_int_equal(keyed, NET_SESSIONS - by_state[TN_SERVER_FREE]);
    assert_int_equal(named, s->gauge.members);
    assert_int_equal(hashed, s->gauge.channels);
    assert_int_equal(owned, s->gauge.channels);
    assert_int_equal(spare + owned, NET_CHANNELS);
}

/* Something that members do, at random. */
static void stir(struct net *n, unsigned i)
{
    struct net_client *k = &n->client[i];
    uint16_t channel;

    switch (tn_rng_below(&n->rng, 8)) {
    case 0:
        tn_coord_client_stop(&k->c);
        k->at[0].port++;
        tn_coord_client_start(&k->c, n->now);
        break;
    case 1:
        tn_coord_client_unbind(&k->c, (uint16_t)(1 + tn_rng_below(&n->rng, 8)));
        break;
    case 2:
        tn_coord_client_suspect(&k->c, n->now);
        break;
    case 3:
        k->used = !k->used; /* asleep, or awake again */
        break;
    case 4:
        net_crowd(n, 1 + tn_rng_below(&n->rng, 4), tn_rng_below(&n->rng, 2));
        break;
    default:
        assert_int_equal(
            tn_coord_client_bind(&k->c, n->client[tn_rng_below(&n->rng, 6)].identity, &channel,
                                 n->now), 0);
        break;
    }
}

static void the_tables_hold_through_a_long_coming_and_going(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 306; seed++) {
        struct net *n = net_of_members(seed, 6);

        n->loss_percent = 5;
        for (int round = 0; round < 400; round++) {
            stir(n, tn_rng_below(&n->rng, 6));
            net_run(n, TN_MS(tn_rng_below(&n->rng, 4000)));
            check_tables(n);
        }
        for (unsigned i = 0; i < 6; i++)
            n->client[i].used = false;
        net_run(n, TN_S(200));
        check_tables(n);
        assert_int_equal(n->server.gauge.channels, 0);
        assert_int_equal(n->server.gauge.members + n->server.gauge.guests, 0);
        net_free(n);
    }
}

static void a_guest_that_comes_anew_when_guests_are_full_takes_its_own_place(void **state)
{
    struct net *n = net_new(27);
    struct net_client *k = net_add(n, 0, 1);

    (void)state;
    net_run(n, TN_S(1));
    net_crowd(n, NET_SESSIONS / 4 - 1, true); /* the first is the oldest now */
    check_tables(n);
    tn_coord_client_stop(&k->c);
    tn_coord_client_start(&k->c, n->now);
    net_run(n, TN_S(1));
    check_tables(n);
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 2);
    assert_int_equal(n->server.gauge.guests, NET_SESSIONS / 4);
    net_free(n);
}

static void a_member_has_one_session_whatever_its_key(void **state)
{
    struct net *n = net_of_members(28, 2);
    struct net_client *k = net_add(n, 2, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 0, 2, k->public_key, card);

    (void)state; /* the state of member 0 was copied to another machine, which took a new key */
    assert_int_equal(tn_coord_client_join(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(n->server.gauge.members, 2);
    assert_int_equal(n->server.gauge.guests, 0);
    check_tables(n);
    net_free(n);
}

static void a_session_may_leave_and_join_by_another_invite(void **state)
{
    struct net *n = net_of_members(29, 2);
    struct net_client *k = &n->client[0];
    uint8_t card[TN_MSG_CARD_MAX];
    uint16_t channel;
    size_t len;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    len = net_card(n, FIX_NETWORK, 0, TN_EPOCH_LEFT, k->public_key, card);
    assert_int_equal(tn_coord_client_update(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(1));
    check_tables(n);
    len = net_card(n, FIX_NETWORK, 5, 1, k->public_key, card);
    assert_int_equal(tn_coord_client_join(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    tn_coord_client_unbind(&k->c, channel);
    assert_int_equal(tn_coord_client_bind(&k->c, n->client[1].identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(n->server.gauge.members, 2);
    assert_int_equal(n->server.gauge.channels, 1);
    check_tables(n);
    net_free(n);
}

static void wiping_leaves_no_key_behind(void **state)
{
    struct net *n = net_of_members(24, 2);

    (void)state;
    tn_server_wipe(&n->server);
    for (size_t i = 0; i < sizeof(n->server); i++)
        assert_int_equal(((const uint8_t *)&n->server)[i], 0);
    for (size_t i = 0; i < sizeof(n->session); i++)
        assert_int_equal(((const uint8_t *)n->session)[i], 0);
    free(n);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
    struct net *n = net_new(25);
    struct tn_server_memory mem = n->server.mem;
    static struct tn_server s;

    (void)state;
    mem.bucket_len = 3;
    assert_int_equal(tn_server_init(&s, &mem, &n->cfg, n->now), TN_EINVAL);
    mem = n->server.mem;
    mem.session_count = 0;
    assert_int_equal(tn_server_init(&s, &mem, &n->cfg, n->now), TN_EINVAL);
    mem.session_count = (1u << 20) + 1;
    assert_int_equal(tn_server_init(&s, &mem, &n->cfg, n->now), TN_EINVAL);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_hold_through_a_long_coming_and_going),
        cmocka_unit_test(a_guest_that_comes_anew_when_guests_are_full_takes_its_own_place),
        cmocka_unit_test(a_member_has_one_session_whatever_its_key),
        cmocka_unit_test(a_session_may_leave_and_join_by_another_invite),
        cmocka_unit_test(wiping_leaves_no_key_behind),
        cmocka_unit_test(sizes_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
