/* member/roster: who is taken in, what replaces what, and who is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "roster_fixture.h"

/* ---- what is taken in ---- */

static void a_valid_card_is_taken_in_and_found(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_roster_result result;
    const struct tn_member *m = &w.members[1];
    struct tn_addr a;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 0, 1), TN_ROSTER_ADDED);
    make(&c, 1, 1);
    assert_int_equal(tn_roster_offer(&w.roster, &c, NOW_S, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_ADDED);
    assert_int_equal(result.index, 1);
    assert_int_equal(w.roster.count, 2);
    assert_int_equal(w.roster.last_seq, 2);
    assert_int_equal(m->seq, 2);
    assert_ptr_equal(tn_roster_find_identity(&w.roster, c.identity), m);
    assert_ptr_equal(tn_roster_find_invite(&w.roster, c.cert.invite_id), m);
    assert_ptr_equal(tn_roster_find_wireguard(&w.roster, c.wireguard_public), m);
    assert_ptr_equal(tn_roster_find_name(&w.roster, "node-1", 6), m);
    assert_null(tn_roster_find_name(&w.roster, "node-1", 5));
    assert_null(tn_roster_find_name(&w.roster, "node-11", 7));
    assert_ptr_equal(tn_roster_find_ipv4(&w.roster, c.cert.ipv4), m);
    assert_ptr_equal(tn_roster_find_ipv6(&w.roster, c.cert.ipv6), m);
    a = tn_card_address4(&c);
    assert_ptr_equal(tn_roster_find_address(&w.roster, &a), m);
    a = tn_card_address6(&c);
    a.port = 9;
    assert_ptr_equal(tn_roster_find_address(&w.roster, &a), m);
    make(&c, 2, 1);
    assert_null(tn_roster_find_identity(&w.roster, c.identity));
    assert_null(tn_roster_find_invite(&w.roster, c.cert.invite_id));
    assert_null(tn_roster_find_wireguard(&w.roster, c.wireguard_public));
    assert_null(tn_roster_find_ipv4(&w.roster, c.cert.ipv4));
    assert_null(tn_roster_find_ipv6(&w.roster, c.cert.ipv6));
}

static void the_same_card_again_changes_nothing(void **state)
{
    struct world w;
    struct world before;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    before = w;
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_KNOWN);
    assert_memory_equal(&w, &before, sizeof(w));
}

static void the_same_epoch_and_key_signed_anew_change_nothing(void **state)
{
    struct world w;
    struct world before;
    struct tn_card c;
    struct tn_roster_result result;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    before = w;
    make(&c, 1, 1);
    c.joined_at_s++;
    assert_int_equal(fix_card_sign(&c, 1, 1), 0);
    assert_int_equal(tn_roster_offer(&w.roster, &c, NOW_S, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_KNOWN);
    assert_memory_equal(&w, &before, sizeof(w));
}

static void a_higher_epoch_replaces_the_key(void **state)
{
    struct world w;
    struct tn_card first;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 0, 1), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&first, 1, 1);
    make(&c, 1, 5);
    assert_int_equal(offer_member(&w, 1, 5), TN_ROSTER_UPDATED);
    assert_int_equal(w.roster.count, 2);
    assert_int_equal(w.members[1].seq, 3);
    assert_ptr_equal(tn_roster_find_wireguard(&w.roster, c.wireguard_public), &w.members[1]);
    assert_null(tn_roster_find_wireguard(&w.roster, first.wireguard_public));
}

static void a_check_says_what_an_offer_would_and_changes_nothing(void **state)
{
    struct world w;
    struct world before;
    struct tn_card c;
    struct tn_roster_result result;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 0, 1), TN_ROSTER_ADDED);
    before = w;
    make(&c, 1, 1);
    assert_int_equal(tn_roster_check(&w.roster, &c, NOW_S, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_ADDED);
    assert_int_equal(result.index, 1);
    make(&c, 0, 2);
    assert_int_equal(tn_roster_check(&w.roster, &c, NOW_S, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_UPDATED);
    assert_int_equal(result.index, 0);
    assert_memory_equal(&w, &before, sizeof(w));
}

/* ---- leaving ---- */

static void a_member_that_left_stays_as_a_tombstone(void **state)
{
    struct world w;
    struct tn_card c;
    const struct tn_member *m;

    (void)state;
    begin(&w);
    make(&c, 1, 1);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    assert_int_equal(w.roster.count, 1);
    assert_int_equal(w.roster.last_seq, 2);
    m = tn_roster_find_identity(&w.roster, c.identity);
    assert_non_null(m);
    assert_true(m->left);
    assert_ptr_equal(tn_roster_find_invite(&w.roster, c.cert.invite_id), m);
    assert_null(tn_roster_find_name(&w.roster, "node-1", 6));
    assert_null(tn_roster_find_ipv4(&w.roster, c.cert.ipv4));
    assert_null(tn_roster_find_ipv6(&w.roster, c.cert.ipv6));
    assert_null(tn_roster_find_wireguard(&w.roster, m->card.wireguard_public));
    assert_null(tn_roster_next(&w.roster, NULL));
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_KNOWN);
}

static void no_old_card_brings_back_who_has_left(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 4), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    for (uint64_t epoch = 1; epoch < 8; epoch++) {
        make(&c, 1, epoch);
        refuse(&w, &c, TN_EREPLAY);
    }
    make(&c, 1, TN_EPOCH_LEFT - 1);
    refuse(&w, &c, TN_EREPLAY);
}

static void a_tombstone_met_first_keeps_the_member_out(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_ADDED);
    assert_true(w.members[0].left);
    make(&c, 1, 1);
    refuse(&w, &c, TN_EREPLAY);
}

static void name_and_addresses_of_who_has_left_are_free_again(void **state)
{
    struct world w;
    struct tn_card c;

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    make(&c, 2, 1);
    memcpy(c.cert.name, "node-1", 7);
    memcpy(c.cert.ipv4, w.members[0].card.cert.ipv4, 4);
    memcpy(c.cert.ipv6, w.members[0].card.cert.ipv6, 16);
    fix_cert_resign(&c.cert, FIX_NETWORK);
    assert_int_equal(fix_card_sign(&c, 2, 1), 0);
    refuse(&w, &c, TN_EEXIST);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    assert_int_equal(offer(&w, &c), 0);
    assert_ptr_equal(tn_roster_find_name(&w.roster, "node-1", 6), &w.members[1]);
    /* The other way round too: who meets the heir first still learns that the first one left. */
    begin(&w);
    assert_int_equal(offer(&w, &c), 0);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_ADDED);
    assert_ptr_equal(tn_roster_find_name(&w.roster, "node-1", 6), &w.members[0]);
}

static void the_invite_of_who_has_left_stays_used(void **state)
{
    struct world w;
    struct tn_card c;
    uint8_t seed[32];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 1, TN_EPOCH_LEFT), TN_ROSTER_ADDED);
    make(&c, 1, 1);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    tn_ed25519_public(c.identity, seed);
    fix_seed(seed, FIX_SEED_INVITE, 1);
    assert_int_equal(tn_card_sign_membership(&c, seed), 0);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    assert_int_equal(tn_card_sign_key(&c, seed, 1, (uint8_t[32]){9}), 0);
    refuse(&w, &c, TN_ELIMIT);
}

/* ---- time ---- */

static void a_card_that_joined_after_its_invite_ended_is_refused(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_roster_result result;

    (void)state;
    begin(&w);
    make(&c, 1, 1);
    c.joined_at_s = FIX_NOT_AFTER_S + 1;
    assert_int_equal(fix_card_sign(&c, 1, 1), 0);
    refuse(&w, &c, TN_EEXPIRED);
    /* Not only because that is the future: whatever the time is, and when it is not known. */
    assert_int_equal(tn_roster_offer(&w.roster, &c, FIX_NOT_AFTER_S + 10, &result), TN_EEXPIRED);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 0, &result), TN_EEXPIRED);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 1, &result), TN_EEXPIRED);
    c.joined_at_s = FIX_NOT_AFTER_S;
    assert_int_equal(fix_card_sign(&c, 1, 1), 0);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 0, &result), 0);
}

static void an_invite_that_ended_since_is_no_reason_to_refuse(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_roster_result result;

    (void)state;
    begin(&w);
    make(&c, 1, 1);
    assert_int_equal(
        tn_roster_offer(&w.roster, &c, (uint64_t)FIX_NOT_AFTER_S + 100000, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_ADDED);
}

static void a_card_from_the_future_is_refused_by_a_clock_that_is_known(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_roster_result result;
    uint64_t limit = FIX_JOINED_AT_S - TN_ROSTER_CLOCK_SLACK_S;

    (void)state;
    begin(&w);
    make(&c, 1, 1);
    assert_int_equal(tn_roster_offer(&w.roster, &c, limit - 1, &result), TN_EEXPIRED);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 1, &result), TN_EEXPIRED);
    assert_int_equal(tn_roster_check(&w.roster, &c, limit, &result), 0);
    assert_int_equal(tn_roster_check(&w.roster, &c, UINT64_MAX, &result), 0);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 0, &result), 0);
    /* Once a member, it can change its key and leave whatever our clock says. */
    make(&c, 1, 2);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 1, &result), 0);
    make(&c, 1, TN_EPOCH_LEFT);
    assert_int_equal(tn_roster_offer(&w.roster, &c, 1, &result), 0);
}

/* ---- finding and walking ---- */

static void a_node_id_is_found_by_its_first_letters(void **state)
{
    struct world w;
    const struct tn_member *found = NULL;
    char hex[TN_TEXT_HEX_LEN(TN_NODE_ID_LEN) + 1];

    (void)state;
    begin(&w);
    assert_int_equal(offer_member(&w, 0, 1), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(&w, 1, 1), TN_ROSTER_ADDED);
    assert_int_equal(tn_text_hex_encode(hex, sizeof(hex), w.members[0].node_id, 8), 0);
    assert_string_equal(hex, "530fe75dbe1a80bd");
    for (size_t len = 1; len <= 16; len++) {
        found = NULL;
        assert_int_equal(tn_roster_find_node_id(&w.roster, hex, len, &found), 0);
        assert_ptr_equal(found, &w.members[0]);
    }
    assert_int_equal(tn_roster_find_node_id(&w.roster, "530FE", 5, &found), 0);
    found = NULL;
    assert_int_equal(tn_roster_find_node_id(&w.roster, "", 0, &found), TN_EINVAL);
    assert_int_equal(tn_roster_find_node_id(&w.roster, "53g", 3, &found), TN_EINVAL);
    assert_int_equal(tn_roster_find_node_id(&w.roster, "530fe75dbe1a80bd0", 17, &found), TN_EINVAL);
    assert_int_equal(tn_roster_find_node_id(&w.roster, "530e", 4, &found), TN_ENOENT);
    assert_int_equal(tn_roster_find_node_id(&w.roster, "5310", 4, &found), TN_ENOENT);
    w.members[1].node_id[0] = 0x53; /* two that begin alike */
    assert_int_equal(tn_roster_find_node_id(&w.roster, "53", 2, &found), TN_EEXIST);
    w.members[1].left = true;
    assert_null(found);
    assert_int_equal(tn_roster_find_node_id(&w.roster, "53", 2, &found), 0);
}

static void sync_walks_every_change_once_in_order(void **state)
{
    struct world w;
    const struct tn_member *m;
    uint64_t seq = 0;
    static const size_t want[] = {0, 2, 1, 3};

    (void)state;
    begin(&w);
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(offer_member(&w, n, 1), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(&w, 1, 2), TN_ROSTER_UPDATED);
    assert_int_equal(offer_member(&w, 3, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    for (size_t k = 0; k < 4; k++) {
        m = tn_roster_find_after(&w.roster, seq);
        assert_non_null(m);
        assert_int_equal(tn_roster_index(&w.roster, m), want[k]);
        seq = m->seq;
    }
    assert_int_equal(seq, w.roster.last_seq);
    assert_null(tn_roster_find_after(&w.roster, seq));
    assert_null(tn_roster_find_after(&w.roster, UINT64_MAX));
}

static void a_walk_meets_each_member_but_no_tombstone(void **state)
{
    struct world w;
    const struct tn_member *m = NULL;
    size_t count = 0;

    (void)state;
    begin(&w);
    assert_null(tn_roster_next(&w.roster, NULL));
    for (unsigned n = 0; n < MAX; n++)
        assert_int_equal(offer_member(&w, n, n % 3 == 0 ? TN_EPOCH_LEFT : 1), TN_ROSTER_ADDED);
    while ((m = tn_roster_next(&w.roster, m))) {
        assert_int_not_equal(tn_roster_index(&w.roster, m) % 3, 0);
        count++;
    }
    assert_int_equal(count, 5);
}

static void a_forgotten_place_is_the_next_newcomers(void **state)
{
    struct world w;
    struct tn_card card;

    (void)state;
    begin(&w);
    for (unsigned n = 1; n <= 3; n++)
        assert_int_equal(offer_member(&w, n, 1), TN_ROSTER_ADDED);
    make(&card, 2, 1);
    tn_roster_forget(&w.roster, 1);
    assert_null(tn_roster_find_identity(&w.roster, card.identity));
    assert_null(tn_roster_find_wireguard(&w.roster, card.wireguard_public));
    assert_null(tn_roster_find_invite(&w.roster, card.cert.invite_id));
    assert_ptr_equal(tn_roster_next(&w.roster, &w.roster.members[0]), &w.roster.members[2]);
    assert_int_equal(offer_member(&w, 4, 1), TN_ROSTER_ADDED); /* another takes the place */
    assert_int_equal(w.roster.count, 3);
    assert_int_equal(offer_member(&w, 2, 1), TN_ROSTER_ADDED); /* and who was forgotten comes back behind */
    assert_int_equal(w.roster.count, 4);
    assert_ptr_equal(tn_roster_find_identity(&w.roster, card.identity), &w.roster.members[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_card_is_taken_in_and_found),
        cmocka_unit_test(the_same_card_again_changes_nothing),
        cmocka_unit_test(the_same_epoch_and_key_signed_anew_change_nothing),
        cmocka_unit_test(a_higher_epoch_replaces_the_key),
        cmocka_unit_test(a_check_says_what_an_offer_would_and_changes_nothing),
        cmocka_unit_test(a_member_that_left_stays_as_a_tombstone),
        cmocka_unit_test(no_old_card_brings_back_who_has_left),
        cmocka_unit_test(a_tombstone_met_first_keeps_the_member_out),
        cmocka_unit_test(name_and_addresses_of_who_has_left_are_free_again),
        cmocka_unit_test(the_invite_of_who_has_left_stays_used),
        cmocka_unit_test(a_card_that_joined_after_its_invite_ended_is_refused),
        cmocka_unit_test(an_invite_that_ended_since_is_no_reason_to_refuse),
        cmocka_unit_test(a_card_from_the_future_is_refused_by_a_clock_that_is_known),
        cmocka_unit_test(a_node_id_is_found_by_its_first_letters),
        cmocka_unit_test(sync_walks_every_change_once_in_order),
        cmocka_unit_test(a_walk_meets_each_member_but_no_tombstone),
        cmocka_unit_test(a_forgotten_place_is_the_next_newcomers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
