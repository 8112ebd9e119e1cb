#include "libtunnel/base/bytes.h"
#include "vectors.h"
#include "libtunnel/wg/cookie.h"
#include "libtunnel/wg/keys.h"
#include "libtunnel/wg/noise.h"

/* One end: its key, its handshake with the other end, its MACs. */
struct end {
    struct tn_wg_local local;
    struct tn_wg_handshake hs;
    struct tn_cookie_maker maker;
    struct tn_cookie_checker checker;
};

static struct tn_rng rng;
static struct end a, b; /* a begins */
static uint8_t psk[32];
static const uint64_t start_us = TN_S(1000);
static uint32_t stamp_s;

static int set_up(void **state)
{
    const uint8_t seed[32] = {5};
    uint8_t key[32];

    (void)state;
    tn_rng_init(&rng, seed);
    tn_rng_bytes(&rng, key, sizeof(key));
    assert_int_equal(tn_wg_local_set(&a.local, key), 0);
    tn_rng_bytes(&rng, key, sizeof(key));
    assert_int_equal(tn_wg_local_set(&b.local, key), 0);
    tn_rng_bytes(&rng, psk, sizeof(psk));
    tn_noise_init(&a.hs, &a.local, b.local.pub, psk);
    tn_noise_init(&b.hs, &b.local, a.local.pub, psk);
    tn_cookie_maker_init(&a.maker, b.local.pub);
    tn_cookie_maker_init(&b.maker, a.local.pub);
    tn_cookie_checker_init(&a.checker, a.local.pub);
    tn_cookie_checker_init(&b.checker, b.local.pub);
    stamp_s = 1;
    return 0;
}

static void initiate(struct end *from, uint32_t local_index, uint8_t msg[148])
{
    uint8_t stamp[12] = {0x40};

    tn_put_be32(stamp + 4, stamp_s++);
    assert_int_equal(
        tn_noise_create_initiation(&from->local, &from->hs, &rng, stamp, local_index, msg), 0);
    tn_cookie_add_macs(&from->maker, msg, 148, start_us);
}

/* What a responder does with an initiation up to the session. */
static int respond(struct end *to, const uint8_t msg[148], uint64_t now_us, uint8_t out[92],
                   struct tn_session *s)
{
    struct tn_addr from = {.port = 1};
    struct tn_noise_initiation in;
    int rc;

    if (tn_cookie_check(&to->checker, msg, 148, &from, now_us) == TN_MAC_INVALID)
        return TN_EAUTH;
    rc = tn_noise_consume_initiation(&to->local, msg, &in);
    if (rc)
        return rc;
    rc = tn_noise_accept_initiation(&to->hs, &in, now_us);
    if (rc)
        return rc;
    rc = tn_noise_create_response(&to->hs, &in, &rng, 0xbbbb, now_us, out, s);
    if (rc)
        return rc;
    tn_cookie_add_macs(&to->maker, out, 92, now_us);
    return 0;
}

static int finish(struct end *to, const uint8_t msg[92], struct tn_session *s)
{
    struct tn_addr from = {.port = 1};

    if (tn_wg_classify(msg, 92) != TN_WG_RESPONSE ||
        tn_cookie_check(&to->checker, msg, 92, &from, start_us) == TN_MAC_INVALID)
        return TN_EAUTH;
    return tn_noise_consume_response(&to->local, &to->hs, msg, start_us, s);
}

static void a_handshake_gives_both_ends_the_same_session(void **state)
{
    struct tn_session sa, sb;
    uint8_t init[148], resp[92], data[16 + 5 + 16] = {0};

    (void)state;
    initiate(&a, 0xaaaa, init);
    assert_int_equal(tn_wg_classify(init, 148), TN_WG_INITIATION);
    assert_true(tn_noise_is_waiting(&a.hs, 0xaaaa));
    assert_false(tn_noise_is_waiting(&a.hs, 0xaaab));
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    assert_int_equal(tn_wg_classify(resp, 92), TN_WG_RESPONSE);
    assert_int_equal(finish(&a, resp, &sa), 0);
    assert_false(tn_noise_is_waiting(&a.hs, 0xaaaa));

    assert_true(sa.initiator && !sb.initiator);
    assert_int_equal(sa.local_index, 0xaaaa);
    assert_int_equal(sa.remote_index, 0xbbbb);
    assert_int_equal(sb.local_index, 0xbbbb);
    assert_int_equal(sb.remote_index, 0xaaaa);
    assert_memory_equal(sa.send_key, sb.recv_key, 32);
    assert_memory_equal(sa.recv_key, sb.send_key, 32);
    assert_memory_not_equal(sa.send_key, sa.recv_key, 32);
    assert_true(sa.birth_us == start_us && sb.birth_us == start_us);
    memcpy(data + 16, "hello", 5);
    tn_session_seal(&sa, 0, data, 5);
    assert_int_equal(tn_session_open(&sb, data, sizeof(data)), 0);
    assert_memory_equal(data + 16, "hello", 5);
}

static void each_flipped_bit_of_an_initiation_is_refused(void **state)
{
    struct tn_wg_handshake before = b.hs;
    struct tn_session s = {.local_index = 7};
    uint8_t init[148], resp[92] = {9};

    (void)state;
    initiate(&a, 0xaaaa, init);
    for (size_t bit = 0; bit < 8 * 132; bit++) {
        init[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(respond(&b, init, start_us, resp, &s), TN_EAUTH);
        init[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bit = 8 * 8; bit < 8 * 116; bit++) { /* the same with a mac1 that fits */
        uint8_t forged[148];

        memcpy(forged, init, sizeof(forged));
        forged[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        tn_cookie_add_macs(&a.maker, forged, 148, start_us);
        assert_int_equal(respond(&b, forged, start_us, resp, &s), TN_EAUTH);
    }
    assert_memory_equal(&b.hs, &before, sizeof(before)); /* forgeries left no trace */
    assert_int_equal(resp[0], 9);
    assert_int_equal(s.local_index, 7);
    init[140] ^= 1; /* mac2 does not count while there is no load */
    assert_int_equal(respond(&b, init, start_us, resp, &s), 0);
}

static void each_flipped_bit_of_a_response_is_refused(void **state)
{
    struct tn_wg_handshake before;
    struct tn_session s = {.local_index = 7}, sb;
    uint8_t init[148], resp[92];

    (void)state;
    initiate(&a, 0xaaaa, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    before = a.hs;
    for (size_t bit = 0; bit < 8 * 76; bit++) {
        resp[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(finish(&a, resp, &s), TN_EAUTH);
        resp[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bit = 8 * 8; bit < 8 * 60; bit++) {
        uint8_t forged[92];

        memcpy(forged, resp, sizeof(forged));
        forged[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        tn_cookie_add_macs(&b.maker, forged, 92, start_us);
        assert_int_equal(finish(&a, forged, &s), bit < 8 * 12 ? TN_ESTATE : TN_EAUTH);
    }
    assert_memory_equal(&a.hs, &before, sizeof(before)); /* the handshake lives on */
    assert_int_equal(s.local_index, 7);
    resp[80] ^= 1; /* mac2 */
    assert_int_equal(finish(&a, resp, &s), 0);
}

static void a_response_is_consumed_once(void **state)
{
    struct tn_session sa, sb;
    uint8_t init[148], resp[92];

    (void)state;
    initiate(&a, 0xaaaa, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    assert_int_equal(finish(&a, resp, &sa), 0);
    assert_int_equal(finish(&a, resp, &sa), TN_ESTATE);
}

static void a_new_initiation_makes_the_old_response_useless(void **state)
{
    struct tn_session sa, sb;
    uint8_t init[148], again[148], resp[92];

    (void)state;
    initiate(&a, 0xaaaa, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    initiate(&a, 0xaaab, again);
    assert_int_equal(finish(&a, resp, &sa), TN_ESTATE);
    initiate(&a, 0xaaaa, again); /* not even under the same index */
    assert_int_equal(finish(&a, resp, &sa), TN_EAUTH);
}

static void a_replayed_or_older_initiation_is_refused(void **state)
{
    struct tn_session s;
    uint8_t older[148], newer[148], resp[92];

    (void)state;
    initiate(&a, 1, older);
    initiate(&a, 2, newer);
    assert_int_equal(respond(&b, newer, start_us, resp, &s), 0);
    assert_int_equal(respond(&b, newer, start_us + TN_S(1), resp, &s), TN_EREPLAY);
    assert_int_equal(respond(&b, older, start_us + TN_S(1), resp, &s), TN_EREPLAY);
    stamp_s = 2; /* an equal stamp in a new message */
    initiate(&a, 3, older);
    assert_int_equal(respond(&b, older, start_us + TN_S(1), resp, &s), TN_EREPLAY);
}

static void initiations_of_one_peer_are_taken_twenty_milliseconds_apart(void **state)
{
    struct tn_session s;
    uint8_t init[148], resp[92];

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(respond(&b, init, start_us, resp, &s), 0);
    initiate(&a, 2, init);
    assert_int_equal(respond(&b, init, start_us + TN_MS(20) - 1, resp, &s), TN_ELIMIT);
    assert_int_equal(respond(&b, init, start_us + TN_MS(20), resp, &s), 0);
}

static void a_wrong_preshared_key_fails_at_the_response(void **state)
{
    struct tn_session sa, sb;
    uint8_t init[148], resp[92], other[32] = {1};

    (void)state;
    tn_noise_set_psk(&b.hs, other);
    initiate(&a, 1, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0); /* psk2: not known before */
    assert_int_equal(finish(&a, resp, &sa), TN_EAUTH);
    tn_noise_set_psk(&a.hs, other);
    assert_int_equal(finish(&a, resp, &sa), 0);
    assert_memory_equal(sa.send_key, sb.recv_key, 32);
}

static void an_initiation_is_accepted_for_its_own_peer_only(void **state)
{
    struct tn_noise_initiation in;
    struct tn_wg_handshake wrong;
    struct tn_wg_local stranger = {0};
    uint8_t init[148], key[32] = {3};

    (void)state;
    assert_int_equal(tn_wg_local_set(&stranger, key), 0);
    tn_noise_init(&wrong, &b.local, stranger.pub, psk);
    initiate(&a, 1, init);
    assert_int_equal(tn_noise_consume_initiation(&b.local, init, &in), 0);
    assert_memory_equal(in.remote_static, a.local.pub, 32);
    assert_int_equal(in.remote_index, 1);
    assert_int_equal(tn_noise_accept_initiation(&wrong, &in, start_us), TN_EAUTH);
    assert_int_equal(tn_noise_consume_initiation(&stranger, init, &in), TN_EAUTH);
}

/* Anyone can write the first half of an initiation in another's name, since it takes only public
 * keys; it is the second half that needs the private one. */
static void knowing_public_keys_is_not_enough(void **state)
{
    struct tn_wg_handshake forged, before = b.hs;
    struct tn_noise_initiation in;
    struct tn_wg_local liar = {0};
    struct tn_session s;
    uint8_t msg[148], resp[92], key[32] = {3}, stamp[12] = {0x40};

    (void)state;
    assert_int_equal(tn_wg_local_set(&liar, key), 0);
    tn_noise_init(&forged, &liar, b.local.pub, psk);
    memcpy(liar.pub, a.local.pub, 32);
    assert_int_equal(tn_noise_create_initiation(&liar, &forged, &rng, stamp, 1, msg), 0);
    tn_cookie_add_macs(&a.maker, msg, 148, start_us);
    assert_int_equal(tn_noise_consume_initiation(&b.local, msg, &in), 0);
    assert_memory_equal(in.remote_static, a.local.pub, 32);
    assert_int_equal(respond(&b, msg, start_us, resp, &s), TN_EAUTH);
    assert_memory_equal(&b.hs, &before, sizeof(before));
}

static void steps_out_of_order_are_refused(void **state)
{
    struct tn_noise_initiation in;
    struct tn_session s;
    uint8_t init[148], resp[92] = {2};

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(tn_noise_consume_initiation(&b.local, init, &in), 0);
    assert_int_equal(tn_noise_create_response(&b.hs, &in, &rng, 2, start_us, resp, &s), TN_ESTATE);
    assert_int_equal(tn_noise_consume_response(&b.local, &b.hs, resp, start_us, &s), TN_ESTATE);
    tn_noise_clear(&a.hs);
    tn_put_le32(resp + 8, 0); /* an idle handshake has index 0, and does not wait for it */
    assert_int_equal(tn_noise_consume_response(&a.local, &a.hs, resp, start_us, &s), TN_ESTATE);
}

static void when_both_begin_at_once_both_handshakes_finish(void **state)
{
    struct tn_session a_began[2], b_began[2];
    uint8_t from_a[148], from_b[148], to_a[92], to_b[92];

    (void)state;
    initiate(&a, 1, from_a);
    initiate(&b, 2, from_b);
    assert_int_equal(respond(&b, from_a, start_us, to_a, &a_began[1]), 0);
    assert_int_equal(respond(&a, from_b, start_us, to_b, &b_began[0]), 0);
    assert_int_equal(finish(&a, to_a, &a_began[0]), 0);
    assert_int_equal(finish(&b, to_b, &b_began[1]), 0);
    assert_memory_equal(a_began[0].send_key, a_began[1].recv_key, 32);
    assert_memory_equal(b_began[0].send_key, b_began[1].recv_key, 32);
}

static void a_peer_with_a_low_order_key_exists_but_never_shakes_hands(void **state)
{
    static const uint8_t zero[32], one[32] = {1};
    const uint8_t *points[] = {zero, one};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tn_wg_handshake hs;
        uint8_t msg[148], stamp[12] = {0x40};

        tn_noise_init(&hs, &a.local, points[i], NULL);
        assert_int_equal(tn_noise_create_initiation(&a.local, &hs, &rng, stamp, 1, msg), TN_EAUTH);
        assert_int_equal(hs.state, TN_NOISE_IDLE);
    }
}

static void low_order_ephemerals_are_refused(void **state)
{
    struct tn_noise_initiation in;
    struct tn_session s, sb;
    uint8_t init[148], resp[92];

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    memset(init + 8, 0, 32);
    assert_int_equal(tn_noise_consume_initiation(&b.local, init, &in), TN_EAUTH);
    memset(resp + 12, 0, 32);
    assert_int_equal(tn_noise_consume_response(&a.local, &a.hs, resp, start_us, &s), TN_EAUTH);
}

static void without_a_private_key_there_is_no_handshake(void **state)
{
    static const uint8_t zero[32];
    struct tn_noise_initiation in;
    uint8_t init[148], stamp[12] = {0x41};

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(tn_wg_local_set(&b.local, zero), 0);
    assert_false(b.local.has_key);
    tn_noise_set_local(&b.hs, &b.local);
    assert_int_equal(tn_noise_consume_initiation(&b.local, init, &in), TN_ENOKEY);
    assert_int_equal(tn_noise_create_initiation(&b.local, &b.hs, &rng, stamp, 1, init), TN_ENOKEY);
}

static void a_new_local_key_ends_what_is_in_flight_and_works(void **state)
{
    struct tn_session sa, sb;
    uint8_t init[148], resp[92], key[32] = {8};

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    assert_int_equal(tn_wg_local_set(&a.local, key), 0);
    tn_noise_set_local(&a.hs, &a.local);
    tn_cookie_checker_init(&a.checker, a.local.pub);
    assert_int_equal(tn_noise_consume_response(&a.local, &a.hs, resp, start_us, &sa), TN_ESTATE);
    tn_noise_init(&b.hs, &b.local, a.local.pub, psk);
    tn_cookie_maker_init(&b.maker, a.local.pub);
    initiate(&a, 1, init);
    assert_int_equal(respond(&b, init, start_us, resp, &sb), 0);
    assert_int_equal(finish(&a, resp, &sa), 0);
}

static void secrets_of_a_handshake_are_wiped(void **state)
{
    static const struct tn_ik no_ik;
    static const struct tn_noise_initiation no_initiation;
    struct tn_noise_initiation in;
    struct tn_session sa, sb;
    uint8_t init[148], resp[92];

    (void)state;
    initiate(&a, 1, init);
    assert_int_equal(tn_noise_consume_initiation(&b.local, init, &in), 0);
    assert_int_equal(tn_noise_accept_initiation(&b.hs, &in, start_us), 0);
    assert_int_equal(tn_noise_create_response(&b.hs, &in, &rng, 2, start_us, resp, &sb), 0);
    assert_memory_equal(&in, &no_initiation, sizeof(in));
    assert_int_equal(tn_noise_consume_response(&a.local, &a.hs, resp, start_us, &sa), 0);
    assert_memory_equal(&a.hs.ik, &no_ik, sizeof(no_ik));
    tn_session_wipe(&sa);
    for (size_t i = 0; i < sizeof(sa); i++)
        assert_int_equal(((uint8_t *)&sa)[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_handshake_gives_both_ends_the_same_session, set_up),
        cmocka_unit_test_setup(each_flipped_bit_of_an_initiation_is_refused, set_up),
        cmocka_unit_test_setup(each_flipped_bit_of_a_response_is_refused, set_up),
        cmocka_unit_test_setup(a_response_is_consumed_once, set_up),
        cmocka_unit_test_setup(a_new_initiation_makes_the_old_response_useless, set_up),
        cmocka_unit_test_setup(a_replayed_or_older_initiation_is_refused, set_up),
        cmocka_unit_test_setup(initiations_of_one_peer_are_taken_twenty_milliseconds_apart,
                               set_up),
        cmocka_unit_test_setup(a_wrong_preshared_key_fails_at_the_response, set_up),
        cmocka_unit_test_setup(an_initiation_is_accepted_for_its_own_peer_only, set_up),
        cmocka_unit_test_setup(knowing_public_keys_is_not_enough, set_up),
        cmocka_unit_test_setup(steps_out_of_order_are_refused, set_up),
        cmocka_unit_test_setup(when_both_begin_at_once_both_handshakes_finish, set_up),
        cmocka_unit_test_setup(a_peer_with_a_low_order_key_exists_but_never_shakes_hands, set_up),
        cmocka_unit_test_setup(low_order_ephemerals_are_refused, set_up),
        cmocka_unit_test_setup(without_a_private_key_there_is_no_handshake, set_up),
        cmocka_unit_test_setup(a_new_local_key_ends_what_is_in_flight_and_works, set_up),
        cmocka_unit_test_setup(secrets_of_a_handshake_are_wiped, set_up),
    };

    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
