/* The seam between cards and the coordinator: what cards.c tells the store is what the card says, and
 * the coordinator and the members agree on whom they take. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "libtunnel/cards.h"
#include "libtunnel/member/roster.h"

#include "member_fixture.h"
#include "memstore.h"

static size_t encode(const struct tn_card *c, uint8_t out[TN_MSG_CARD_MAX])
{
    size_t len = 0;

    assert_int_equal(tn_card_encode(c, out, TN_MSG_CARD_MAX, &len), 0);
    return len;
}

static void the_facts_are_what_the_card_says(void **state)
{
    uint8_t data[TN_MSG_CARD_MAX], id[TN_NETWORK_ID_LEN];
    struct tn_card_facts f;
    struct tn_card c;
    size_t len;

    (void)state;
    assert_int_equal(fix_card(&c, FIX_NETWORK, 3, 7), 0);
    len = encode(&c, data);
    memset(&f, 0xff, sizeof(f));
    assert_int_equal(tn_card_ops.inspect(data, len, &f), 0);
    tn_network_id(id, c.cert.network_public);
    assert_memory_equal(f.network_public, c.cert.network_public, 32);
    assert_memory_equal(f.network_id, id, sizeof(id));
    assert_memory_equal(f.invite_id, c.cert.invite_id, sizeof(f.invite_id));
    assert_memory_equal(f.identity, c.identity, 32);
    assert_memory_equal(f.wireguard_public, c.wireguard_public, 32);
    assert_memory_equal(f.ipv4, c.cert.ipv4, 4);
    assert_memory_equal(f.ipv6, c.cert.ipv6, 16);
    assert_string_equal(f.name, "node-3");
    assert_int_equal(f.epoch, 7);
    assert_int_equal(f.not_after_s, FIX_NOT_AFTER_S);
    assert_int_equal(f.joined_at_s, FIX_JOINED_AT_S);
    assert_false(f.left);
}

static void a_card_that_says_left_has_no_key(void **state)
{
    static const uint8_t zero[32];
    uint8_t data[TN_MSG_CARD_MAX];
    struct tn_card_facts f;
    struct tn_card c;

    (void)state;
    assert_int_equal(fix_card(&c, FIX_NETWORK, 1, TN_EPOCH_LEFT), 0);
    assert_int_equal(tn_card_ops.inspect(data, encode(&c, data), &f), 0);
    assert_true(f.left);
    assert_int_equal(f.epoch, UINT64_MAX);
    assert_memory_equal(f.wireguard_public, zero, 32);
}

/* Whatever stands in the bytes, a refusal leaves no fact behind that somebody might use. */
static void refuse(const uint8_t *data, size_t len, bool whole)
{
    struct tn_card_facts f, untouched;
    int err;

    memset(&f, 0x5c, sizeof(f));
    untouched = f;
    err = tn_card_ops.inspect(data, len, &f);
    assert_true(err == TN_EINVAL || (whole && err == TN_EAUTH));
    assert_memory_equal(&f, &untouched, sizeof(f));
}

static void a_card_cut_at_any_length_is_refused(void **state)
{
    uint8_t data[TN_MSG_CARD_MAX + 1] = {0};
    struct tn_card c;
    size_t len;

    (void)state;
    assert_int_equal(fix_card(&c, FIX_NETWORK, 2, 1), 0);
    len = encode(&c, data);
    for (size_t i = 0; i < len; i++)
        refuse(data, i, false);
    refuse(data, len + 1, false);
}

static void a_card_with_any_bit_flipped_is_refused(void **state)
{
    uint8_t data[TN_MSG_CARD_MAX];
    struct tn_card c;
    size_t len;

    (void)state;
    assert_int_equal(fix_card(&c, FIX_NETWORK, 2, 1), 0);
    len = encode(&c, data);
    for (size_t i = 0; i < len * 8; i++) {
        data[i / 8] ^= (uint8_t)(1u << i % 8);
        refuse(data, len, true);
        data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

/* The coordinator spends the invite, the members decide: they must not disagree on the time. */
static void coordinator_and_members_agree_on_which_clock_is_wrong(void **state)
{
    static const int64_t off[] = {-86402, -86401, -86400, -86399, -1, 0, 1, 1000000};
    static const uint64_t end[] = {FIX_JOINED_AT_S - 1, FIX_JOINED_AT_S, FIX_NOT_AFTER_S};
    uint8_t data[TN_MSG_CARD_MAX], network[32];
    struct tn_card_facts f;
    unsigned refused = 0;
    struct tn_card c;

    (void)state;
    fix_network_public(network, FIX_NETWORK);
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]) * 3; i++) {
        uint64_t now_s = (uint64_t)((int64_t)FIX_JOINED_AT_S + off[i / 3]);
        struct tn_roster_result what;
        struct tn_member members[1];
        struct tn_roster roster;
        int err;

        memset(&c, 0, sizeof(c));
        fix_cert_fields(&c.cert, FIX_NETWORK, 2);
        c.cert.not_after_s = end[i % 3];
        fix_cert_resign(&c.cert, FIX_NETWORK);
        c.joined_at_s = FIX_JOINED_AT_S;
        assert_int_equal(fix_card_sign(&c, 2, 1), 0);
        assert_int_equal(tn_card_ops.inspect(data, encode(&c, data), &f), 0);
        tn_roster_init(&roster, members, 1, network);
        err = tn_roster_check(&roster, &c, now_s, &what);
        assert_true(err == 0 || err == TN_EEXPIRED);
        assert_int_equal(tn_card_facts_clock_is_wrong(&f, now_s), err != 0);
        refused += err != 0;
    }
    assert_int_equal(refused, 8 + 2 * 2); /* one end before the joining, or a clock two seconds too far */
}

static uint8_t join(struct tn_store s, const uint8_t *card, size_t len, uint64_t now_s)
{
    struct tn_store_place place;
    struct tn_card_facts f;

    assert_int_equal(tn_card_ops.inspect(card, len, &f), 0);
    return s.ops->member_join(s.ctx, &f, card, len, now_s, &place);
}

static void a_card_from_an_impossible_time_does_not_spend_its_invite(void **state)
{
    static struct tn_memstore m;
    struct tn_store s = tn_memstore_store(&m);
    uint8_t data[TN_MSG_CARD_MAX];
    struct tn_card c;
    size_t len;

    (void)state;
    tn_memstore_init(&m);
    assert_int_equal(fix_card(&c, FIX_NETWORK, 2, 1), 0);
    len = encode(&c, data);
    assert_int_equal(join(s, data, len, FIX_JOINED_AT_S - 86401), TN_STATUS_CLOCK);
    assert_int_equal(m.member_count, 0);
    assert_int_equal(m.network_count, 0);
    /* the same machine, its clock set right, redeems the same invite */
    c.joined_at_s = FIX_JOINED_AT_S - 86401;
    assert_int_equal(fix_card_sign(&c, 2, 1), 0);
    len = encode(&c, data);
    assert_int_equal(join(s, data, len, FIX_JOINED_AT_S - 86401), TN_STATUS_OK);
    /* who is a member stays one, when the coordinator's clock is wrong for once */
    assert_int_equal(join(s, data, len, 1), TN_STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_facts_are_what_the_card_says),
        cmocka_unit_test(a_card_that_says_left_has_no_key),
        cmocka_unit_test(a_card_cut_at_any_length_is_refused),
        cmocka_unit_test(a_card_with_any_bit_flipped_is_refused),
        cmocka_unit_test(coordinator_and_members_agree_on_which_clock_is_wrong),
        cmocka_unit_test(a_card_from_an_impossible_time_does_not_spend_its_invite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
