#include "libtunnel/base/bytes.h"
#include "vectors.h"
#include "libtunnel/wg/cookie.h"

static struct tn_rng rng;
static struct tn_cookie_checker checker; /* of the responder */
static struct tn_cookie_maker maker;     /* of the initiator, for that responder */
static uint8_t msg[148];
static struct tn_addr from;
static const uint64_t start_us = TN_S(1000);

static int set_up(void **state)
{
    const uint8_t seed[32] = {4}, ip[4] = {192, 0, 2, 1};
    uint8_t responder[32];

    (void)state;
    tn_rng_init(&rng, seed);
    tn_rng_bytes(&rng, responder, sizeof(responder));
    tn_cookie_checker_init(&checker, responder);
    tn_cookie_maker_init(&maker, responder);
    from = tn_addr_v4(ip, 51820);
    tn_rng_bytes(&rng, msg, sizeof(msg));
    memcpy(msg, "\1\0\0\0", 4);
    tn_cookie_add_macs(&maker, msg, sizeof(msg), start_us);
    return 0;
}

static enum tn_mac_verdict check(uint64_t now_us)
{
    return tn_cookie_check(&checker, msg, sizeof(msg), &from, now_us);
}

/* The responder is under load: the initiator gets a cookie and sends again. */
static void exchange_cookie(uint64_t now_us)
{
    uint8_t reply[64];

    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, now_us, reply);
    assert_int_equal(tn_cookie_consume_reply(&maker, reply, now_us), 0);
    tn_cookie_add_macs(&maker, msg, sizeof(msg), now_us);
}

static void mac1_alone_is_valid_but_without_a_cookie(void **state)
{
    static const uint8_t zero[16];

    (void)state;
    assert_int_equal(check(start_us), TN_MAC_VALID);
    assert_memory_equal(msg + 132, zero, 16);
}

static void each_flipped_bit_up_to_mac1_makes_the_message_invalid(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * 132; bit++) {
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(check(start_us), TN_MAC_INVALID);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof(msg); len++)
        assert_int_equal(tn_cookie_check(&checker, msg, len, &from, start_us), TN_MAC_INVALID);
}

static void mac1_for_another_public_key_is_invalid(void **state)
{
    uint8_t other[32] = {1};

    (void)state;
    tn_cookie_checker_init(&checker, other);
    assert_int_equal(check(start_us), TN_MAC_INVALID);
}

static void a_returned_cookie_makes_mac2_valid(void **state)
{
    (void)state;
    exchange_cookie(start_us);
    assert_int_equal(check(start_us), TN_MAC_WITH_COOKIE);
    for (size_t bit = 8 * 132; bit < 8 * 148; bit++) {
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(check(start_us), TN_MAC_VALID);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void responses_carry_macs_too(void **state)
{
    uint8_t response[92] = {2}, reply[64];

    (void)state;
    tn_cookie_add_macs(&maker, response, sizeof(response), start_us);
    assert_int_equal(tn_cookie_check(&checker, response, 92, &from, start_us), TN_MAC_VALID);
    tn_cookie_create_reply(&checker, &rng, response, 92, &from, start_us, reply);
    assert_int_equal(tn_cookie_consume_reply(&maker, reply, start_us), 0);
    tn_cookie_add_macs(&maker, response, sizeof(response), start_us);
    assert_int_equal(tn_cookie_check(&checker, response, 92, &from, start_us), TN_MAC_WITH_COOKIE);
}

static void a_cookie_is_bound_to_address_and_port(void **state)
{
    struct tn_addr home = from;

    (void)state;
    exchange_cookie(start_us);
    from.port++;
    assert_int_equal(check(start_us), TN_MAC_VALID);
    from = home;
    from.ip[15] ^= 1;
    assert_int_equal(check(start_us), TN_MAC_VALID);
    from = home;
    from.ip[10] = 0; /* no longer a mapped address */
    assert_int_equal(check(start_us), TN_MAC_VALID);
    from = home;
    assert_int_equal(check(start_us), TN_MAC_WITH_COOKIE);
}

static void a_cookie_dies_with_the_secret_after_two_minutes(void **state)
{
    (void)state;
    exchange_cookie(start_us);
    assert_int_equal(check(start_us + TN_S(120) - 1), TN_MAC_WITH_COOKIE);
    assert_int_equal(check(start_us + TN_S(120)), TN_MAC_VALID);
    exchange_cookie(start_us + TN_S(120)); /* a new secret */
    assert_int_equal(check(start_us + TN_S(120)), TN_MAC_WITH_COOKIE);
}

static void mac2_alone_tells_who_shows_a_cookie(void **state)
{
    (void)state;
    assert_false(tn_cookie_is_shown(&checker, msg, sizeof(msg), &from, start_us));
    exchange_cookie(start_us);
    assert_true(tn_cookie_is_shown(&checker, msg, sizeof(msg), &from, start_us));
    assert_false(tn_cookie_is_shown(&checker, msg, sizeof(msg), &from, start_us + TN_S(120)));
    for (size_t bit = 0; bit < 8 * sizeof(msg); bit++) { /* mac1 is among what mac2 covers */
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(tn_cookie_is_shown(&checker, msg, sizeof(msg), &from, start_us));
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof(msg); len++)
        assert_false(tn_cookie_is_shown(&checker, msg, len, &from, start_us));
}

static void the_secret_changes_only_when_it_is_old(void **state)
{
    uint8_t first[32], reply[64];

    (void)state;
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us, reply);
    memcpy(first, checker.secret, 32);
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us + TN_S(119), reply);
    assert_memory_equal(first, checker.secret, 32);
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us + TN_S(120), reply);
    assert_memory_not_equal(first, checker.secret, 32);
}

static void the_maker_stops_using_a_cookie_five_seconds_early(void **state)
{
    static const uint8_t zero[16];

    (void)state;
    exchange_cookie(start_us);
    tn_cookie_add_macs(&maker, msg, sizeof(msg), start_us + TN_S(115) - 1);
    assert_memory_not_equal(msg + 132, zero, 16);
    tn_cookie_add_macs(&maker, msg, sizeof(msg), start_us + TN_S(115));
    assert_memory_equal(msg + 132, zero, 16);
}

static void a_checker_without_a_secret_takes_no_cookie(void **state)
{
    (void)state;
    /* A zero mac2, and one made with a cookie of zeros, both guess at an unset secret. */
    assert_int_equal(check(0), TN_MAC_VALID);
    maker.has_cookie = true;
    maker.cookie_birth_us = start_us;
    tn_cookie_add_macs(&maker, msg, sizeof(msg), start_us);
    assert_int_equal(check(start_us), TN_MAC_VALID);
    assert_false(checker.has_secret); /* and checking made none */
}

static void a_reply_is_smaller_than_what_it_answers_and_names_the_sender(void **state)
{
    uint8_t reply[64];

    (void)state;
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us, reply);
    assert_int_equal(tn_wg_classify(reply, sizeof(reply)), TN_WG_COOKIE_REPLY);
    assert_int_equal(tn_wg_receiver(reply), tn_wg_sender(msg));
    assert_true(sizeof(reply) < TN_WG_RESPONSE_LEN);
}

static void each_flipped_bit_of_a_reply_is_refused(void **state)
{
    uint8_t reply[64];
    struct tn_cookie_maker before = maker;

    (void)state;
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us, reply);
    for (size_t bit = 8 * 8; bit < 8 * 64; bit++) { /* nonce and sealed cookie */
        reply[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_cookie_consume_reply(&maker, reply, start_us), TN_EAUTH);
        reply[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_memory_equal(&maker, &before, sizeof(maker));
    assert_int_equal(tn_cookie_consume_reply(&maker, reply, start_us), 0);
}

static void a_reply_is_taken_once_and_only_for_the_last_message(void **state)
{
    uint8_t first[64], second[64], newer[148];
    struct tn_cookie_maker fresh;
    uint8_t other[32] = {9};

    (void)state;
    tn_cookie_create_reply(&checker, &rng, msg, sizeof(msg), &from, start_us, first);
    memcpy(newer, msg, sizeof(newer));
    newer[20] ^= 1;
    tn_cookie_add_macs(&maker, newer, sizeof(newer), start_us);
    assert_int_equal(tn_cookie_consume_reply(&maker, first, start_us), TN_EAUTH);
    tn_cookie_create_reply(&checker, &rng, newer, sizeof(newer), &from, start_us, second);
    assert_int_equal(tn_cookie_consume_reply(&maker, second, start_us), 0);
    assert_int_equal(tn_cookie_consume_reply(&maker, second, start_us), TN_ESTATE);

    tn_cookie_maker_init(&fresh, other);
    assert_int_equal(tn_cookie_consume_reply(&fresh, second, start_us), TN_ESTATE);
    tn_cookie_add_macs(&fresh, newer, sizeof(newer), start_us);
    assert_int_equal(tn_cookie_consume_reply(&fresh, second, start_us), TN_EAUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mac1_alone_is_valid_but_without_a_cookie, set_up),
        cmocka_unit_test_setup(each_flipped_bit_up_to_mac1_makes_the_message_invalid, set_up),
        cmocka_unit_test_setup(mac1_for_another_public_key_is_invalid, set_up),
        cmocka_unit_test_setup(a_returned_cookie_makes_mac2_valid, set_up),
        cmocka_unit_test_setup(responses_carry_macs_too, set_up),
        cmocka_unit_test_setup(a_cookie_is_bound_to_address_and_port, set_up),
        cmocka_unit_test_setup(a_cookie_dies_with_the_secret_after_two_minutes, set_up),
        cmocka_unit_test_setup(mac2_alone_tells_who_shows_a_cookie, set_up),
        cmocka_unit_test_setup(the_secret_changes_only_when_it_is_old, set_up),
        cmocka_unit_test_setup(the_maker_stops_using_a_cookie_five_seconds_early, set_up),
        cmocka_unit_test_setup(a_checker_without_a_secret_takes_no_cookie, set_up),
        cmocka_unit_test_setup(a_reply_is_smaller_than_what_it_answers_and_names_the_sender,
                               set_up),
        cmocka_unit_test_setup(each_flipped_bit_of_a_reply_is_refused, set_up),
        cmocka_unit_test_setup(a_reply_is_taken_once_and_only_for_the_last_message, set_up),
    };

    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
