/* member/card: three signatures, one encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "member_fixture.h"

static void make(struct tn_card *c, unsigned number, uint64_t epoch)
{
    assert_int_equal(fix_card(c, FIX_NETWORK, number, epoch), 0);
}

static void own_network(uint8_t pub[32])
{
    fix_network_public(pub, FIX_NETWORK);
}

static void check_foreign(const char *name, uint64_t epoch)
{
    uint8_t foreign[TN_CARD_MAX_LEN];
    uint8_t bytes[TN_CARD_MAX_LEN];
    uint8_t pub[32];
    struct tn_card c;
    struct tn_card back;
    size_t foreign_len = fix_vector_bytes(name, foreign, sizeof(foreign));
    size_t len;

    assert_true(foreign_len > 0);
    make(&c, 0, epoch);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, foreign_len);
    assert_memory_equal(bytes, foreign, len);
    assert_int_equal(tn_card_decode(&back, foreign, foreign_len), 0);
    assert_true(tn_card_equal(&back, &c));
    assert_int_equal(tn_card_verify(&back, NULL), 0);
    own_network(pub);
    assert_int_equal(tn_card_verify(&back, pub), 0);
    assert_int_equal(tn_card_has_left(&back), epoch == TN_EPOCH_LEFT);
}

static void the_foreign_cards_are_ours_byte_for_byte(void **state)
{
    (void)state;
    check_foreign("card", 1);
    check_foreign("card_left", TN_EPOCH_LEFT);
}

static void a_node_id_is_the_foreign_one(void **state)
{
    uint8_t want[TN_NODE_ID_LEN];
    uint8_t id[TN_NODE_ID_LEN];
    struct tn_card c;

    (void)state;
    assert_int_equal(fix_vector_bytes("node_id", want, sizeof(want)), sizeof(want));
    make(&c, 0, 1);
    tn_node_id(id, c.identity);
    assert_memory_equal(id, want, sizeof(id));
}

static void a_card_cut_anywhere_or_with_one_byte_more_is_refused(void **state)
{
    uint8_t bytes[TN_CARD_MAX_LEN + 1] = {0};
    struct tn_card c;
    struct tn_card back;
    struct tn_card before;
    size_t len;

    (void)state;
    make(&c, 1, 1);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    memset(&back, 0x55, sizeof(back));
    before = back;
    for (size_t n = 0; n < len; n++)
        assert_int_equal(tn_card_decode(&back, bytes, n), TN_EINVAL);
    assert_int_equal(tn_card_decode(&back, bytes, len + 1), TN_EINVAL);
    assert_memory_equal(&back, &before, sizeof(back));
}

static void a_card_with_any_bit_flipped_is_refused(void **state)
{
    uint8_t bytes[TN_CARD_MAX_LEN];
    uint8_t again[TN_CARD_MAX_LEN];
    uint8_t pub[32];
    struct tn_card c;
    struct tn_card back;
    size_t len;
    size_t again_len;

    (void)state;
    own_network(pub);
    make(&c, 1, 1);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (tn_card_decode(&back, bytes, len) == 0) {
            assert_int_not_equal(tn_card_verify(&back, pub), 0);
            assert_int_not_equal(tn_card_verify(&back, NULL), 0);
            assert_false(tn_card_equal(&back, &c));
            assert_int_equal(tn_card_encode(&back, again, sizeof(again), &again_len), 0);
            assert_int_equal(again_len, len);
            assert_memory_equal(again, bytes, len);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void the_longest_card_has_its_stated_length(void **state)
{
    uint8_t bytes[TN_CARD_MAX_LEN];
    struct tn_card c;
    size_t len;

    (void)state;
    memset(&c, 0, sizeof(c));
    fix_cert_fields(&c.cert, FIX_NETWORK, 1);
    memset(c.cert.name, 'a', 63);
    memset(c.cert.network, 'b', 63);
    fix_cert_resign(&c.cert, FIX_NETWORK);
    assert_int_equal(fix_card_sign(&c, 1, 1), 0);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, TN_CARD_MAX_LEN);
    assert_int_equal(len, 511);
    assert_int_equal(tn_card_encode(&c, bytes, len - 1, &len), TN_ENOSPC);
}

static void a_card_of_another_network_is_denied(void **state)
{
    struct tn_card c;
    uint8_t pub[32];

    (void)state;
    own_network(pub);
    assert_int_equal(fix_card(&c, 9, 1, 1), 0);
    assert_int_equal(tn_card_verify(&c, NULL), 0);
    assert_int_equal(tn_card_verify(&c, pub), TN_EDENIED);
}

static void an_epoch_of_zero_and_a_key_of_zero_are_impossible(void **state)
{
    uint8_t bytes[TN_CARD_MAX_LEN];
    uint8_t identity[32];
    uint8_t zero[32] = {0};
    uint8_t key[32] = {4};
    struct tn_card c;
    struct tn_card before;
    size_t len;

    (void)state;
    make(&c, 1, 1);
    before = c;
    fix_seed(identity, FIX_SEED_IDENTITY, 1);
    assert_int_equal(tn_card_sign_key(&c, identity, 0, key), TN_EINVAL);
    assert_int_equal(tn_card_sign_key(&c, identity, TN_EPOCH_LEFT, key), TN_EINVAL);
    assert_int_equal(tn_card_sign_key(&c, identity, 2, zero), TN_EINVAL);
    assert_memory_equal(&c, &before, sizeof(c));
    c.epoch = 0;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EINVAL);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), TN_EINVAL);
    c = before;
    memset(c.wireguard_public, 0, 32);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EINVAL);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), TN_EINVAL);
}

static void a_card_that_says_left_carries_no_key(void **state)
{
    static const uint8_t zero[32];
    uint8_t bytes[TN_CARD_MAX_LEN];
    struct tn_card c;
    size_t len;

    (void)state;
    make(&c, 1, TN_EPOCH_LEFT);
    assert_memory_equal(c.wireguard_public, zero, 32);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    bytes[len - 65] = 1; /* last byte of the WireGuard key */
    assert_int_equal(tn_card_decode(&c, bytes, len), TN_EINVAL);
    c.wireguard_public[31] = 1;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EINVAL);
}

static void a_seed_of_somebody_else_cannot_sign(void **state)
{
    struct tn_card c;
    struct tn_card before;
    uint8_t seed[32];
    uint8_t key[32] = {4};

    (void)state;
    make(&c, 1, 1);
    before = c;
    fix_seed(seed, FIX_SEED_INVITE, 2);
    assert_int_equal(tn_card_sign_membership(&c, seed), TN_EAUTH);
    fix_seed(seed, FIX_SEED_IDENTITY, 2);
    assert_int_equal(tn_card_sign_key(&c, seed, 2, key), TN_EAUTH);
    assert_int_equal(tn_card_sign_left(&c, seed), TN_EAUTH);
    assert_memory_equal(&c, &before, sizeof(c));
}

/* What a coordinator could try with everything it sees. */
static void a_swapped_wireguard_key_does_not_verify(void **state)
{
    struct tn_card c;
    struct tn_card other;

    (void)state;
    make(&c, 1, 1);
    make(&other, 2, 1);
    memcpy(c.wireguard_public, other.wireguard_public, 32);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    memcpy(c.key_sig, other.key_sig, 64); /* a real signature, but of another identity */
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

static void an_old_key_under_a_raised_epoch_does_not_verify(void **state)
{
    struct tn_card c;

    (void)state;
    make(&c, 1, 1);
    c.epoch = 7;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

static void an_identity_in_place_of_the_joiners_does_not_verify(void **state)
{
    struct tn_card c;
    struct tn_card other;

    (void)state;
    make(&c, 1, 1);
    make(&other, 2, 1);
    /* Everything below the membership signature is consistent: only that signature is not. */
    memcpy(c.identity, other.identity, 32);
    c.epoch = other.epoch;
    memcpy(c.wireguard_public, other.wireguard_public, 32);
    memcpy(c.key_sig, other.key_sig, 64);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    memcpy(c.membership_sig, other.membership_sig, 64);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

static void a_moved_address_does_not_verify(void **state)
{
    struct tn_card c;

    (void)state;
    make(&c, 1, 1);
    c.cert.ipv4[3]++;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    make(&c, 1, 1);
    c.cert.ipv6[15]++;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    make(&c, 1, 1);
    c.cert.not_after_s++;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    make(&c, 1, 1);
    c.joined_at_s++;
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

static void signatures_carried_over_from_another_network_do_not_verify(void **state)
{
    struct tn_card c;
    struct tn_card other;

    (void)state;
    /* Same invite, identity and WireGuard keys in both networks, so that only the network id differs. */
    make(&c, 1, 1);
    assert_int_equal(fix_card(&other, 9, 1, 1), 0);
    memcpy(c.membership_sig, other.membership_sig, 64);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    make(&c, 1, 1);
    memcpy(c.key_sig, other.key_sig, 64);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

/* One key in all three roles, so that nothing but the labels tells the signatures apart. */
static void a_signature_of_one_kind_never_passes_for_another(void **state)
{
    static const uint8_t wireguard[32] = {4};
    uint8_t seed[32];
    uint8_t *place[3];
    uint8_t sig[3][64];
    struct tn_card good;
    struct tn_card c;

    (void)state;
    memset(&good, 0, sizeof(good));
    fix_cert_fields(&good.cert, FIX_NETWORK, 1);
    fix_network_seed(seed, FIX_NETWORK);
    tn_ed25519_public(good.cert.invite_public, seed);
    tn_ed25519_public(good.identity, seed);
    assert_int_equal(tn_cert_sign(&good.cert, seed), 0);
    assert_int_equal(tn_card_sign_membership(&good, seed), 0);
    assert_int_equal(tn_card_sign_key(&good, seed, 1, wireguard), 0);
    assert_int_equal(tn_card_verify(&good, NULL), 0);
    place[0] = c.cert.signature;
    place[1] = c.membership_sig;
    place[2] = c.key_sig;
    memcpy(sig[0], good.cert.signature, 64);
    memcpy(sig[1], good.membership_sig, 64);
    memcpy(sig[2], good.key_sig, 64);
    for (int to = 0; to < 3; to++) {
        for (int from = 0; from < 3; from++) {
            c = good;
            memcpy(place[to], sig[from], 64);
            assert_int_equal(tn_card_verify(&c, NULL), to == from ? 0 : TN_EAUTH);
        }
    }
}

/* RFC 8032 section 5.1.7: S + L verifies the same equation, and would be a second card. */
static void a_signature_with_the_group_order_added_is_refused(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      [31] = 0x10};
    struct tn_card good;
    struct tn_card c;
    uint8_t *sigs[3] = {c.cert.signature, c.membership_sig, c.key_sig};

    (void)state;
    make(&good, 1, 1);
    for (int k = 0; k < 3; k++) {
        unsigned carry = 0;

        c = good;
        for (int i = 0; i < 32; i++) {
            carry += sigs[k][32 + i] + order[i];
            sigs[k][32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_int_equal(carry, 0);
        assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
    }
}

/* With the neutral element as key, R neutral and S zero, a lax verifier takes any message. */
static void keys_of_small_order_sign_nothing(void **state)
{
    static const uint8_t neutral[32] = {1};
    static const uint8_t any_message[64] = {1};
    uint8_t seed[32];
    struct tn_card c;

    (void)state;
    make(&c, 1, 1);
    memcpy(c.cert.invite_public, neutral, 32);
    fix_cert_resign(&c.cert, FIX_NETWORK); /* the owner signed it, even */
    memcpy(c.membership_sig, any_message, 64);
    assert_int_equal(tn_cert_verify(&c.cert, NULL), 0);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);

    make(&c, 1, 1);
    memcpy(c.identity, neutral, 32);
    fix_seed(seed, FIX_SEED_INVITE, 1);
    assert_int_equal(tn_card_sign_membership(&c, seed), 0);
    memcpy(c.key_sig, any_message, 64);
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

static void a_new_key_under_a_higher_epoch_verifies(void **state)
{
    struct tn_card c;
    struct tn_card first;
    uint8_t seed[32];
    uint8_t key[32] = {0x77};

    (void)state;
    make(&c, 1, 1);
    first = c;
    fix_seed(seed, FIX_SEED_IDENTITY, 1);
    assert_int_equal(tn_card_sign_key(&c, seed, 2, key), 0);
    assert_int_equal(c.epoch, 2);
    assert_memory_equal(c.wireguard_public, key, 32);
    assert_int_equal(tn_card_verify(&c, NULL), 0);
    assert_memory_equal(c.membership_sig, first.membership_sig, 64);
    assert_false(tn_card_equal(&c, &first));
}

/* What was signed before there were flags has none, whatever its bits. */
static void an_epoch_below_2_to_16_has_no_flags(void **state)
{
    struct tn_card c = {.epoch = 1};

    (void)state;
    for (c.epoch = 0; c.epoch < TN_EPOCH_FLAGS_FROM; c.epoch += 13)
        assert_false(tn_card_relays(&c));
    c.epoch = TN_EPOCH_FLAGS_FROM + 1;
    assert_true(tn_card_relays(&c));
    c.epoch = TN_EPOCH_FLAGS_FROM + 0xfffe; /* flags that are not known */
    assert_false(tn_card_relays(&c));
    c.epoch = TN_EPOCH_FLAGS_FROM + 0xffff;
    assert_true(tn_card_relays(&c));
    c.epoch = TN_EPOCH_LEFT;
    assert_false(tn_card_relays(&c));
}

static void the_next_epoch_is_higher_says_what_it_is_told_and_ends_before_left(void **state)
{
    static const uint64_t from[] = {1, 2, 65535, 65536, 65537, UINT64_MAX >> 1, UINT64_MAX - 0x10000};
    struct tn_card c = {0}, next = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) {
        for (int on = 0; on <= 1; on++) {
            c.epoch = from[i];
            next.epoch = tn_card_next_epoch(&c, on);
            assert_true(next.epoch > c.epoch && next.epoch != TN_EPOCH_LEFT);
            assert_int_equal(tn_card_relays(&next), on);
        }
    }
    c.epoch = UINT64_MAX - 0xffff; /* the last count */
    assert_true(tn_card_next_epoch(&c, true) == 0);
    c.epoch = TN_EPOCH_LEFT;
    assert_true(tn_card_next_epoch(&c, true) == 0);
}

/* The vectors' card 1 of docs/PROTOCOL.md section 3.2, marked: eight bytes of it and its signature are others. */
static void a_marked_card_is_signed_like_any_other_and_nobody_else_can_mark_it(void **state)
{
    uint8_t bytes[TN_CARD_MAX_LEN];
    struct tn_card c, back;
    size_t len, before;

    (void)state;
    make(&c, 1, 1);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &before), 0);
    make(&c, 1, 0x10001);
    assert_int_equal(tn_card_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, before);
    assert_int_equal(tn_card_decode(&back, bytes, len), 0);
    assert_int_equal(tn_card_verify(&back, NULL), 0);
    assert_true(tn_card_relays(&back));
    back.epoch = 0x10000; /* taken off by somebody on the way */
    assert_int_equal(tn_card_verify(&back, NULL), TN_EAUTH);
    make(&c, 1, 0x10000);
    c.epoch = 0x10001; /* put on */
    assert_int_equal(tn_card_verify(&c, NULL), TN_EAUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_foreign_cards_are_ours_byte_for_byte),
        cmocka_unit_test(a_node_id_is_the_foreign_one),
        cmocka_unit_test(a_card_cut_anywhere_or_with_one_byte_more_is_refused),
        cmocka_unit_test(a_card_with_any_bit_flipped_is_refused),
        cmocka_unit_test(the_longest_card_has_its_stated_length),
        cmocka_unit_test(a_card_of_another_network_is_denied),
        cmocka_unit_test(an_epoch_of_zero_and_a_key_of_zero_are_impossible),
        cmocka_unit_test(a_card_that_says_left_carries_no_key),
        cmocka_unit_test(a_seed_of_somebody_else_cannot_sign),
        cmocka_unit_test(a_swapped_wireguard_key_does_not_verify),
        cmocka_unit_test(an_old_key_under_a_raised_epoch_does_not_verify),
        cmocka_unit_test(an_identity_in_place_of_the_joiners_does_not_verify),
        cmocka_unit_test(a_moved_address_does_not_verify),
        cmocka_unit_test(signatures_carried_over_from_another_network_do_not_verify),
        cmocka_unit_test(a_signature_of_one_kind_never_passes_for_another),
        cmocka_unit_test(a_signature_with_the_group_order_added_is_refused),
        cmocka_unit_test(keys_of_small_order_sign_nothing),
        cmocka_unit_test(a_new_key_under_a_higher_epoch_verifies),
        cmocka_unit_test(an_epoch_below_2_to_16_has_no_flags),
        cmocka_unit_test(the_next_epoch_is_higher_says_what_it_is_told_and_ends_before_left),
        cmocka_unit_test(a_marked_card_is_signed_like_any_other_and_nobody_else_can_mark_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
