/* The coordinator: who gets in, who is told what about whom, and what it keeps. */
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

static uint8_t join_status(struct net *n, unsigned i, const uint8_t *card, size_t len)
{
    struct net_client *k = &n->client[i];
    unsigned before = k->seen[TN_COORD_EV_JOIN_RESULT];

    assert_int_equal(tn_coord_client_join(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(2));
    assert_int_equal(k->seen[TN_COORD_EV_JOIN_RESULT], before + 1);
    return k->last[TN_COORD_EV_JOIN_RESULT].status;
}

/* Member `number`'s card, with another identity and all signatures made by the invite's holder. */
static size_t card_of_another(struct net *n, unsigned number, unsigned identity_number,
                              const uint8_t wireguard_public[32], uint8_t *out)
{
    struct tn_card card;
    uint8_t invite[32], identity[32];
    size_t len;

    (void)n;
    assert_int_equal(fix_card(&card, FIX_NETWORK, number, 1), 0);
    fix_seed(invite, FIX_SEED_INVITE, number);
    fix_seed(identity, FIX_SEED_IDENTITY, identity_number);
    tn_ed25519_public(card.identity, identity);
    assert_int_equal(tn_card_sign_membership(&card, invite), 0);
    assert_int_equal(tn_card_sign_key(&card, identity, 1, wireguard_public), 0);
    assert_int_equal(tn_card_encode(&card, out, TN_MSG_CARD_MAX, &len), 0);
    return len;
}

/* ---- joining ---- */

static void a_join_is_in_the_store_before_it_is_answered(void **state)
{
    struct net *n = net_of_members(1, 2);

    (void)state;
    assert_int_equal(n->store.member_count, 2);
    assert_int_equal(n->store.network_count, 1);
    assert_int_equal(n->server.gauge.members, 2);
    assert_int_equal(n->server.gauge.guests, 0);
    assert_int_equal(n->client[0].last[TN_COORD_EV_JOIN_RESULT].seq +
                         n->client[1].last[TN_COORD_EV_JOIN_RESULT].seq,
                     3);
    net_free(n);
}

static void a_join_of_the_same_card_again_changes_nothing(void **state)
{
    struct net *n = net_of_members(2, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 0, 1, n->client[0].public_key, card);

    (void)state;
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_OK);
    assert_int_equal(n->client[0].last[TN_COORD_EV_JOIN_RESULT].seq, 1);
    assert_int_equal(n->store.writes, 1);
    net_free(n);
}

static void a_used_invite_is_refused_by_name(void **state)
{
    struct net *n = net_of_members(3, 1);
    struct net_client *k = net_add(n, 1, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = card_of_another(n, 0, 77, k->public_key, card);

    (void)state;
    assert_int_equal(join_status(n, 1, card, len), TN_STATUS_INVITE_USED);
    assert_int_equal(n->store.member_count, 1);
    net_free(n);
}

static void an_expired_invite_is_refused_by_name(void **state)
{
    struct net *n = net_new(4);
    struct net_client *k = net_add(n, 0, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 0, 1, k->public_key, card);

    (void)state;
    n->now.unix_ns = ((uint64_t)FIX_NOT_AFTER_S + 1) * 1000000000u;
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_INVITE_EXPIRED);
    assert_int_equal(n->store.member_count, 0);
    assert_int_equal(n->store.network_count, 0);
    net_free(n);
}

static void an_invite_that_expires_later_stays_good_for_its_member(void **state)
{
    struct net *n = net_of_members(5, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 0, 1, n->client[0].public_key, card);

    (void)state;
    n->now.unix_ns = ((uint64_t)FIX_NOT_AFTER_S + 1) * 1000000000u;
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_OK);
    net_free(n);
}

static void an_altered_card_is_refused_at_every_byte(void **state)
{
    struct net *n = net_new(6);
    struct net_client *k = net_add(n, 0, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 0, 1, k->public_key, card);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        uint8_t status;

        card[i] ^= 0x04;
        status = join_status(n, 0, card, len);
        if (status != TN_STATUS_BAD_SIGNATURE && status != TN_STATUS_MALFORMED)
            fail_msg("byte %zu: status %u", i, status);
        card[i] ^= 0x04;
    }
    assert_int_equal(n->store.member_count, 0);
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_OK);
    net_free(n);
}

static void a_card_under_a_key_that_the_session_has_not_is_refused(void **state)
{
    struct net *n = net_of_members(7, 1);
    struct net_client *k = net_add(n, 1, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 1, 1, n->client[0].public_key, card);

    (void)state; /* somebody else's WireGuard key, well signed: he cannot prove to hold it */
    assert_int_equal(join_status(n, 1, card, len), TN_STATUS_TAKEN);
    len = net_card(n, FIX_NETWORK, 0, 1, n->client[0].public_key, card);
    assert_int_equal(join_status(n, 1, card, len), TN_STATUS_TAKEN); /* a member's own card, copied */
    assert_int_equal(n->server.gauge.members, 1);
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 0);
    net_free(n);
}

static void a_member_cannot_bring_a_card_of_another_network(void **state)
{
    struct net *n = net_of_members(8, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, 2, 5, 1, n->client[0].public_key, card);

    (void)state;
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_OTHER_NETWORK);
    len = net_card(n, FIX_NETWORK, 5, 1, n->client[0].public_key, card);
    assert_int_equal(join_status(n, 0, card, len), TN_STATUS_TAKEN); /* nor another member's */
    assert_int_equal(n->store.network_count, 1);
    assert_int_equal(n->store.member_count, 1);
    net_free(n);
}

static void of_two_joins_with_one_invite_exactly_one_gets_in(void **state)
{
    (void)state;
    for (uint64_t seed = 200; seed < 300; seed++) {
        struct net *n = net_new(seed);
        unsigned in = 0, used = 0;

        n->loss_percent = seed % 2 ? 20 : 0;
        for (unsigned i = 0; i < 4; i++) {
            struct net_client *k = net_add(n, i, 1);
            uint8_t card[TN_MSG_CARD_MAX];
            size_t len = card_of_another(n, 3, 50 + i, k->public_key, card);

            assert_int_equal(tn_coord_client_join(&k->c, card, len, n->now), 0);
        }
        assert_true(net_run_until(n, TN_S(200), net_all_joined));
        for (unsigned i = 0; i < 4; i++) {
            in += n->client[i].last[TN_COORD_EV_JOIN_RESULT].status == TN_STATUS_OK;
            used += n->client[i].last[TN_COORD_EV_JOIN_RESULT].status == TN_STATUS_INVITE_USED;
        }
        assert_int_equal(in, 1);
        assert_int_equal(used, 3);
        assert_int_equal(n->store.member_count, 1);
        net_free(n);
    }
}

static void a_taken_name_or_address_is_refused(void **state)
{
    struct net *n = net_of_members(9, 1);
    struct net_client *k = net_add(n, 1, 1);
    struct tn_card card;
    uint8_t data[TN_MSG_CARD_MAX], seed[32];
    size_t len;

    (void)state;
    for (int what = 0; what < 2; what++) {
        assert_int_equal(fix_card(&card, FIX_NETWORK, 1, 1), 0);
        if (what == 0)
            memcpy(card.cert.name, "laptop", 7);
        else
            card.cert.ipv4[3] = 1;
        fix_cert_resign(&card.cert, FIX_NETWORK);
        assert_int_equal(fix_card_sign(&card, 1, 1), 0);
        fix_seed(seed, FIX_SEED_IDENTITY, 1);
        assert_int_equal(tn_card_sign_key(&card, seed, 1, k->public_key), 0);
        assert_int_equal(tn_card_encode(&card, data, sizeof(data), &len), 0);
        assert_int_equal(join_status(n, 1, data, len), TN_STATUS_TAKEN);
    }
    assert_int_equal(n->store.member_count, 1);
    net_free(n);
}

static void limits_of_networks_and_members_hold(void **state)
{
    struct net *n = net_of_members(10, 2);
    struct net_client *k = net_add(n, 2, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len;

    (void)state;
    n->store.member_max = 2;
    n->store.network_max = 1;
    len = net_card(n, FIX_NETWORK, 2, 1, k->public_key, card);
    assert_int_equal(join_status(n, 2, card, len), TN_STATUS_LIMIT);
    len = net_card(n, 2, 2, 1, k->public_key, card);
    assert_int_equal(join_status(n, 2, card, len), TN_STATUS_LIMIT);
    net_free(n);
}

static void a_store_that_fails_is_named_and_nobody_is_in(void **state)
{
    struct net *n = net_of_members(11, 1);
    struct net_client *k = net_add(n, 1, 1);
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, 1, 1, k->public_key, card);

    (void)state;
    net_run(n, TN_S(1));
    n->store.broken = true;
    assert_int_equal(join_status(n, 1, card, len), TN_STATUS_STORE);
    assert_int_equal(tn_coord_client_lookup(&n->client[0].c, TN_BY_NAME, "laptop", 6, 1, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(n->client[0].last[TN_COORD_EV_LOOKUP_FAILED].status, TN_STATUS_TRY_LATER);
    n->store.broken = false;
    assert_int_equal(join_status(n, 1, card, len), TN_STATUS_OK);
    net_free(n);
}

/* ---- updates ---- */

static uint8_t update_status(struct net *n, unsigned i, uint64_t epoch)
{
    struct net_client *k = &n->client[i];
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, FIX_NETWORK, i, epoch, k->public_key, card);
    unsigned before = k->seen[TN_COORD_EV_UPDATE_RESULT];

    assert_int_equal(tn_coord_client_update(&k->c, card, len, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_UPDATE_RESULT], before + 1);
    return k->last[TN_COORD_EV_UPDATE_RESULT].status;
}

static void an_update_needs_a_higher_epoch(void **state)
{
    struct net *n = net_of_members(12, 1);

    (void)state;
    assert_int_equal(update_status(n, 0, 1), TN_STATUS_OK); /* the same card: nothing changes */
    assert_int_equal(n->store.writes, 1);
    assert_int_equal(update_status(n, 0, 3), TN_STATUS_OK);
    assert_int_equal(n->client[0].last[TN_COORD_EV_UPDATE_RESULT].seq, 2);
    assert_int_equal(update_status(n, 0, 2), TN_STATUS_OLD_EPOCH);
    assert_int_equal(n->store.member[0].facts.epoch, 3);
    net_free(n);
}

static void a_member_that_left_is_a_guest_and_nobody_reaches_it(void **state)
{
    struct net *n = net_of_members(13, 2);
    struct net_client *k = &n->client[0];
    uint16_t channel;

    (void)state;
    assert_int_equal(tn_coord_client_bind(&n->client[1].c, k->identity, &channel, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(update_status(n, 0, TN_EPOCH_LEFT), TN_STATUS_OK);
    assert_int_equal(update_status(n, 0, TN_EPOCH_LEFT), TN_STATUS_OK); /* repeated: still answered */
    assert_int_equal(n->server.gauge.members, 1);
    assert_int_equal(n->server.gauge.guests, 1);
    assert_int_equal(net_relay(n, 1, channel, 64), 0);
    assert_int_equal(tn_coord_client_connect(&n->client[1].c, k->identity, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->relayed_in, 0);
    assert_int_equal(tn_server_counters(&n->server)->drop_relay_away, 1);
    assert_int_equal(n->client[1].last[TN_COORD_EV_CONNECT_RESULT].status,
                     TN_STATUS_NO_SUCH_MEMBER);
    net_join(n, 0, FIX_NETWORK); /* its invite brings it in no more */
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OLD_EPOCH);
    net_free(n);
}

static void a_dropped_member_has_no_session(void **state)
{
    struct net *n = net_of_members(14, 2);

    (void)state;
    tn_server_drop_member(&n->server, 1, n->client[0].identity);
    tn_server_drop_member(&n->server, 2, n->client[1].identity); /* another network: nobody */
    assert_int_equal(n->server.gauge.members, 1);
    net_free(n);
}

/* ---- brokering ---- */

static void connect_tells_both_ends_the_others_candidates(void **state)
{
    struct net *n = net_of_members(15, 1);
    struct net_client *a = &n->client[0], *b;
    struct tn_cand_wire own[5] = {
        {TN_CAND_HOST, tn_addr_v4((uint8_t[]){192, 168, 1, 5}, 7000)},
        {TN_CAND_HOST, tn_addr_v4((uint8_t[]){127, 0, 0, 1}, 7000)}, /* must not be handed on */
        {TN_CAND_HOST, tn_addr_v4((uint8_t[]){169, 254, 169, 254}, 7000)},
        {TN_CAND_MAPPED, net_v4(2, 51820)}, /* the same as observed */
        {TN_CAND_HOST, tn_addr_v4((uint8_t[]){224, 0, 0, 1}, 7000)},
    };

    (void)state;
    b = net_add(n, 1, 3);
    net_join(n, 1, FIX_NETWORK);
    tn_coord_client_candidates(&b->c, own, 5, n->now);
    net_run(n, TN_S(2));
    assert_int_equal(tn_coord_client_connect(&a->c, b->identity, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_OK);
    assert_memory_equal(a->last[TN_COORD_EV_CONNECT_RESULT].identity, b->identity, 32);
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].cand_count, 3);
    assert_int_equal(a->cand[0].origin, TN_CAND_REFLEXIVE);
    assert_true(tn_addr_equal(&a->cand[0].addr, &b->at[0]));
    assert_true(tn_addr_equal(&a->cand[1].addr, &b->at[1]));
    assert_true(tn_addr_equal(&a->cand[2].addr, &own[0].addr));
    assert_int_equal(b->seen[TN_COORD_EV_PUNCH], 1);
    assert_memory_equal(b->last[TN_COORD_EV_PUNCH].identity, a->identity, 32);
    assert_int_equal(b->last[TN_COORD_EV_PUNCH].cand_count, 1);
    assert_true(tn_addr_equal(&b->cand[0].addr, &a->at[0]));
    net_free(n);
}

static bool drop_v6(struct net *n, struct net_packet *p)
{
    (void)n;
    return tn_addr_is_v4(&p->dst);
}

static void an_address_that_fell_silent_is_not_handed_on(void **state)
{
    struct net *n = net_of_members(26, 1);
    struct net_client *a = &n->client[0], *b = net_add(n, 1, 3);

    (void)state;
    net_join(n, 1, FIX_NETWORK);
    net_run(n, TN_S(2));
    n->tap = drop_v6;
    net_run(n, TN_S(100));
    assert_int_equal(tn_coord_client_connect(&a->c, b->identity, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].cand_count, 1);
    assert_true(tn_addr_equal(&a->cand[0].addr, &b->at[0]));
    net_free(n);
}

static uint64_t punch_at[2];

static bool slow_first(struct net *n, struct net_packet *p)
{
    const struct tn_addr *client = p->to_server ? &p->src : &p->dst;

    if (tn_addr_equal(client, &n->client[0].at[0]))
        p->at_us += TN_MS(70); /* one way: 80 ms in all */
    return true;
}

static bool both_told(struct net *n)
{
    if (n->client[0].seen[TN_COORD_EV_CONNECT_RESULT] && !punch_at[0])
        punch_at[0] = n->now.us + n->client[0].last[TN_COORD_EV_CONNECT_RESULT].delay_ms * 1000u;
    if (n->client[1].seen[TN_COORD_EV_PUNCH] && !punch_at[1])
        punch_at[1] = n->now.us + n->client[1].last[TN_COORD_EV_PUNCH].delay_ms * 1000u;
    return punch_at[0] && punch_at[1];
}

static void both_ends_punch_at_the_same_moment(void **state)
{
    struct net *n = net_new(16);
    uint64_t apart;

    (void)state;
    n->tap = slow_first;
    for (unsigned i = 0; i < 2; i++) {
        net_add(n, i, 1);
        net_join(n, i, FIX_NETWORK);
    }
    net_run(n, TN_S(2));
    memset(punch_at, 0, sizeof(punch_at));
    assert_int_equal(tn_coord_client_connect(&n->client[0].c, n->client[1].identity, n->now), 0);
    assert_true(net_run_until(n, TN_S(2), both_told));
    apart = punch_at[0] > punch_at[1] ? punch_at[0] - punch_at[1] : punch_at[1] - punch_at[0];
    assert_in_range(apart, 0, 2000);
    assert_in_range(n->client[1].last[TN_COORD_EV_PUNCH].delay_ms, 75, 85);
    net_free(n);
}

static void a_member_that_is_away_is_unreachable_at_once(void **state)
{
    struct net *n = net_of_members(17, 3);
    struct net_client *a = &n->client[0];
    uint8_t nobody[32] = {9};

    (void)state;
    n->client[1].used = false; /* it vanishes */
    net_run(n, TN_S(80));
    assert_int_equal(tn_coord_client_connect(&a->c, n->client[1].identity, n->now), 0);
    net_run(n, 2 * n->delay_us);
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_UNREACHABLE);
    assert_int_equal(tn_coord_client_connect(&a->c, nobody, n->now), 0);
    net_run(n, 2 * n->delay_us);
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(tn_coord_client_connect(&a->c, a->identity, n->now), 0);
    net_run(n, 2 * n->delay_us);
    assert_int_equal(a->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    net_free(n);
}

static void members_of_another_network_are_nobody(void **state)
{
    struct net *n = net_of_members(18, 1);
    struct net_client *k = net_add(n, 1, 1);
    struct net_client *other = &n->client[0];
    uint16_t channel;

    (void)state;
    net_join(n, 1, 2);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].seq, 1); /* it counts by itself */
    assert_int_equal(tn_coord_client_connect(&k->c, other->identity, n->now), 0);
    assert_int_equal(tn_coord_client_bind(&k->c, other->identity, &channel, n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_WIREGUARD, other->public_key, 32, 1,
                                            n->now), 0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_IDENTITY, other->identity, 32, 2, n->now),
                     0);
    assert_int_equal(tn_coord_client_lookup(&k->c, TN_BY_NAME, "laptop", 6, 3, n->now), 0);
    assert_int_equal(tn_coord_client_sync(&k->c, 0, n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_CONNECT_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(k->last[TN_COORD_EV_BIND_RESULT].status, TN_STATUS_NO_SUCH_MEMBER);
    assert_int_equal(k->seen[TN_COORD_EV_LOOKUP_FAILED], 3);
    assert_int_equal(k->seen[TN_COORD_EV_CARD], 1); /* its own */
    assert_int_equal(other->seen[TN_COORD_EV_PUNCH], 0);
    net_free(n);
}

/* ---- sessions ---- */

static void a_silent_session_ends_after_75_s(void **state)
{
    struct net *n = net_of_members(19, 2);

    (void)state;
    n->client[0].used = false;
    net_run(n, TN_S(58)); /* the last PING was up to 15 s ago */
    assert_int_equal(n->server.gauge.members, 2);
    net_run(n, TN_S(23));
    assert_int_equal(n->server.gauge.members, 1);
    assert_int_equal(tn_server_counters(&n->server)->sessions_expired, 1);
    net_free(n);
}

static void a_new_session_replaces_the_old_one_with_its_first_data(void **state)
{
    struct net *n = net_of_members(20, 2);
    struct net_client *k = &n->client[0];

    (void)state;
    for (int i = 0; i < 20; i++) {
        tn_coord_client_stop(&k->c);
        tn_coord_client_start(&k->c, n->now);
        k->at[0].port++;
        net_run(n, TN_S(1));
    }
    assert_int_equal(k->seen[TN_COORD_EV_CONNECTED], 21);
    assert_int_equal(n->server.gauge.members, 2);
    assert_int_equal(n->server.gauge.tentative, 0);
    assert_int_equal(tn_server_counters(&n->server)->sessions_replaced, 20);
    net_free(n);
}

static void a_session_whose_member_the_store_does_not_know_is_a_guests(void **state)
{
    struct net *n = net_of_members(21, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    tn_memstore_init(&n->store); /* the disk was lost */
    net_start_server(n);
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_S(3));
    assert_int_equal(n->server.gauge.guests, 1);
    net_join(n, 0, FIX_NETWORK);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_JOIN_RESULT].status, TN_STATUS_OK);
    assert_int_equal(n->server.gauge.members, 1);
    assert_int_equal(n->server.gauge.guests, 0);
    net_free(n);
}

static void a_store_that_cannot_be_read_makes_no_guests_of_members(void **state)
{
    struct net *n = net_of_members(22, 1);
    struct net_client *k = &n->client[0];

    (void)state;
    net_start_server(n);
    n->store.broken = true;
    tn_coord_client_suspect(&k->c, n->now);
    net_run(n, TN_S(2));
    assert_int_equal(n->server.gauge.guests, 0);
    assert_int_equal(n->server.gauge.members, 0);
    n->store.broken = false;
    net_run(n, TN_S(20));
    assert_int_equal(n->server.gauge.members, 1);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_is_in_the_store_before_it_is_answered),
        cmocka_unit_test(a_join_of_the_same_card_again_changes_nothing),
        cmocka_unit_test(a_used_invite_is_refused_by_name),
        cmocka_unit_test(an_expired_invite_is_refused_by_name),
        cmocka_unit_test(an_invite_that_expires_later_stays_good_for_its_member),
        cmocka_unit_test(an_altered_card_is_refused_at_every_byte),
        cmocka_unit_test(a_card_under_a_key_that_the_session_has_not_is_refused),
        cmocka_unit_test(a_member_cannot_bring_a_card_of_another_network),
        cmocka_unit_test(of_two_joins_with_one_invite_exactly_one_gets_in),
        cmocka_unit_test(a_taken_name_or_address_is_refused),
        cmocka_unit_test(limits_of_networks_and_members_hold),
        cmocka_unit_test(a_store_that_fails_is_named_and_nobody_is_in),
        cmocka_unit_test(an_update_needs_a_higher_epoch),
        cmocka_unit_test(a_member_that_left_is_a_guest_and_nobody_reaches_it),
        cmocka_unit_test(a_dropped_member_has_no_session),
        cmocka_unit_test(connect_tells_both_ends_the_others_candidates),
        cmocka_unit_test(an_address_that_fell_silent_is_not_handed_on),
        cmocka_unit_test(both_ends_punch_at_the_same_moment),
        cmocka_unit_test(a_member_that_is_away_is_unreachable_at_once),
        cmocka_unit_test(members_of_another_network_are_nobody),
        cmocka_unit_test(a_silent_session_ends_after_75_s),
        cmocka_unit_test(a_new_session_replaces_the_old_one_with_its_first_data),
        cmocka_unit_test(a_session_whose_member_the_store_does_not_know_is_a_guests),
        cmocka_unit_test(a_store_that_cannot_be_read_makes_no_guests_of_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
