/* member/roster: what a hostile coordinator, invitee or member may try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "roster_fixture.h"

static void a_card_of_another_network_is_denied(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(fix_card(&c, 9, 1, 1), 0);
    refuse(&w, &c, TN_EDENIED);
    /* The coordinator's own network, dressed as ours: its key cannot be ours. */
    make(&c, 1, 1);
    fix_cert_resign(&c.cert, 9);
    refuse(&w, &c, TN_EAUTH);
}

static void a_member_that_the_coordinator_made_up_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_card own;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 0, 1), TN_ROSTER_ADDED);
    make(&own, 0, 1);
    make(&c, 1, 1);
    /* It has a real certificate from a card it saw, and keys of its own. */
    c.cert = own.cert;
    refuse(&w, &c, TN_EAUTH);
    make(&c, 1, 1);
    memset(c.cert.signature, 0, 64);
    refuse(&w, &c, TN_EAUTH);
    make(&c, 1, 1);
    memset(c.membership_sig, 0, 64);
    refuse(&w, &c, TN_EAUTH);
    make(&c, 1, 1);
    memset(c.key_sig, 0, 64);
    refuse(&w, &c, TN_EAUTH);
}

static void a_swapped_wireguard_key_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_card mallory;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&mallory, 2, 3);
    make(&c, 1, 1);
    memcpy(c.wireguard_public, mallory.wireguard_public, 32);
    refuse(&w, &c, TN_EAUTH);
    c.epoch = 3;
    refuse(&w, &c, TN_EAUTH);
    memcpy(c.key_sig, mallory.key_sig, 64);
    refuse(&w, &c, TN_EAUTH);
}

static void an_older_epoch_is_refused_as_a_replay(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 5), TN_ROSTER_ADDED);
    for (uint64_t epoch = 1; epoch < 5; epoch++) {
        make(&c, 1, epoch);
        refuse(&w, &c, TN_EREPLAY);
    }
}

static void the_same_epoch_with_another_key_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    uint8_t seed[32];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 5), TN_ROSTER_ADDED);
    make(&c, 1, 5);
    fix_seed(seed, FIX_SEED_IDENTITY, 1);
    assert_int_equal(tn_card_sign_key(&c, seed, 5, (uint8_t[32]){9}), 0);
    refuse(&w, &c, TN_EREPLAY);
}

static void a_moved_address_is_refused(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&c, 1, 2);
    c.cert.ipv4[3] = 99;
    refuse(&w, &c, TN_EAUTH);
    make(&c, 1, 2);
    c.cert.ipv6[15] = 99;
    refuse(&w, &c, TN_EAUTH);
}

static void an_invite_redeemed_by_a_second_identity_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    uint8_t seed[32];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    /* The invitee signs a second identity: every signature is right. */
    make(&c, 1, 1);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    tn_ed25519_public(c.identity, seed);
    fix_seed(seed, FIX_SEED_INVITE, 1);
    assert_int_equal(tn_card_sign_membership(&c, seed), 0);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    assert_int_equal(tn_card_sign_key(&c, seed, 1, (uint8_t[32]){9}), 0);
    assert_int_equal(tn_card_verify(&c, w.roster.network_public), 0);
    refuse(&w, &c, TN_ELIMIT);
}

static void an_identity_known_under_another_invite_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    uint8_t seed[32];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    memset(&c, 0, sizeof(c));
    fix_cert(&c.cert, FIX_NETWORK, 2);
    c.joined_at_s = FIX_JOINED_AT_S;
    fix_seed(seed, FIX_SEED_IDENTITY, 1);
    tn_ed25519_public(c.identity, seed);
    fix_seed(seed, FIX_SEED_INVITE, 2);
    assert_int_equal(tn_card_sign_membership(&c, seed), 0);
    fix_seed(seed, FIX_SEED_IDENTITY, 1);
    assert_int_equal(tn_card_sign_key(&c, seed, 2, (uint8_t[32]){9}), 0);
    assert_int_equal(tn_card_verify(&c, w.roster.network_public), 0);
    refuse(&w, &c, TN_ELIMIT);
}

static void another_certificate_for_a_known_invite_is_refused(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&c, 1, 2);
    c.cert.ipv4[3] = 99;
    fix_cert_resign(&c.cert, FIX_NETWORK);
    assert_int_equal(tn_card_verify(&c, w.roster.network_public), 0);
    refuse(&w, &c, TN_ELIMIT);
}

/* Member 2 with one claim of member 1: everything is signed as it should be. */
static void make_claimer(struct tn_card *c)
{
    make(c, 2, 1);
}

static void sign_claimer(struct tn_card *c)
{
    fix_cert_resign(&c->cert, FIX_NETWORK);
    assert_int_equal(fix_card_sign(c, 2, 1), 0);
}

static void a_name_or_an_address_of_another_member_is_refused(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make_claimer(&c);
    memcpy(c.cert.name, "node-1", 7);
    sign_claimer(&c);
    refuse(&w, &c, TN_EEXIST);
    make_claimer(&c);
    memcpy(c.cert.ipv4, w.members[0].card.cert.ipv4, 4);
    sign_claimer(&c);
    refuse(&w, &c, TN_EEXIST);
    c.cert.ipv4_bits = 16; /* the same address in a wider prefix */
    sign_claimer(&c);
    refuse(&w, &c, TN_EEXIST);
    make_claimer(&c);
    memcpy(c.cert.ipv6, w.members[0].card.cert.ipv6, 16);
    sign_claimer(&c);
    refuse(&w, &c, TN_EEXIST);
    make_claimer(&c);
    assert_int_equal(offer(&w, &c), 0);
}

static void a_wireguard_key_of_another_member_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    uint8_t seed[32];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&c, 2, 1);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    assert_int_equal(tn_card_sign_key(&c, seed, 1, w.members[0].card.wireguard_public), 0);
    refuse(&w, &c, TN_EEXIST);
    assert_int_equal(offer_member(&w, 2, 1), TN_ROSTER_ADDED);
    assert_int_equal(tn_card_sign_key(&c, seed, 2, w.members[0].card.wireguard_public), 0);
    refuse(&w, &c, TN_EEXIST); /* nor by changing over to it */
}

static void an_impossible_card_is_refused(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    make(&c, 1, 1);
    c.epoch = 0;
    refuse(&w, &c, TN_EINVAL);
    make(&c, 1, 1);
    c.cert.ipv4_bits = 31;
    fix_cert_resign(&c.cert, FIX_NETWORK);
    refuse(&w, &c, TN_EINVAL);
}

static void a_full_table_refuses_the_next_member_and_still_updates(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    for (unsigned n = 0; n < MAX; n++)
        assert_int_equal(offer_member(&w, n, 1), TN_ROSTER_ADDED);
    make(&c, MAX, 1);
    refuse(&w, &c, TN_ENOSPC);
    assert_int_equal(offer_member(&w, 3, 2), TN_ROSTER_UPDATED);
    assert_int_equal(offer_member(&w, 4, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    refuse(&w, &c, TN_ENOSPC); /* a tombstone keeps its place */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_of_another_network_is_denied),
        cmocka_unit_test(a_member_that_the_coordinator_made_up_is_refused),
        cmocka_unit_test(a_swapped_wireguard_key_is_refused),
        cmocka_unit_test(an_older_epoch_is_refused_as_a_replay),
        cmocka_unit_test(the_same_epoch_with_another_key_is_refused),
        cmocka_unit_test(a_moved_address_is_refused),
        cmocka_unit_test(an_invite_redeemed_by_a_second_identity_is_refused),
        cmocka_unit_test(an_identity_known_under_another_invite_is_refused),
        cmocka_unit_test(another_certificate_for_a_known_invite_is_refused),
        cmocka_unit_test(a_name_or_an_address_of_another_member_is_refused),
        cmocka_unit_test(a_wireguard_key_of_another_member_is_refused),
        cmocka_unit_test(an_impossible_card_is_refused),
        cmocka_unit_test(a_full_table_refuses_the_next_member_and_still_updates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
