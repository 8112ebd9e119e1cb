#include "libtunnel/base/bytes.h"
#include "vectors.h"
#include "libtunnel/wg/msg.h"
#include "libtunnel/wg/session.h"

static const struct {
    enum tn_wg_type type;
    size_t len;
} fixed[] = {
    {TN_WG_INITIATION, 148},
    {TN_WG_RESPONSE, 92},
    {TN_WG_COOKIE_REPLY, 64},
};

static void every_type_is_told_by_its_exact_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t len = 0; len <= 300; len++) {
            uint8_t msg[300] = {(uint8_t)fixed[i].type};

            assert_int_equal(tn_wg_classify(msg, len), len == fixed[i].len ? fixed[i].type : 0);
        }
    }
}

static void data_is_at_least_header_and_tag(void **state)
{
    uint8_t msg[2000] = {TN_WG_DATA};

    (void)state;
    for (size_t len = 0; len <= sizeof(msg); len++)
        assert_int_equal(tn_wg_classify(msg, len), len >= 32 ? TN_WG_DATA : TN_WG_NONE);
}

static void a_reserved_byte_that_is_not_zero_is_no_wireguard(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t bit = 8; bit < 32; bit++) {
            uint8_t msg[148] = {(uint8_t)fixed[i].type};

            msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_equal(tn_wg_classify(msg, fixed[i].len), TN_WG_NONE);
        }
    }
}

static void unknown_types_are_no_wireguard(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t msg[148] = {(uint8_t)type};

        if (type < 1 || type > 4) {
            assert_int_equal(tn_wg_classify(msg, 148), TN_WG_NONE);
            assert_int_equal(tn_wg_classify(msg, 64), TN_WG_NONE);
        }
    }
}

static void indices_stand_where_the_paper_puts_them(void **state)
{
    uint8_t msg[148];

    (void)state;
    for (size_t i = 0; i < sizeof(msg); i++)
        msg[i] = (uint8_t)i;
    msg[0] = TN_WG_INITIATION;
    assert_int_equal(tn_wg_sender(msg), 0x07060504);
    msg[0] = TN_WG_RESPONSE;
    assert_int_equal(tn_wg_sender(msg), 0x07060504);
    assert_int_equal(tn_wg_receiver(msg), 0x0b0a0908);
    msg[0] = TN_WG_COOKIE_REPLY;
    assert_int_equal(tn_wg_receiver(msg), 0x07060504);
    msg[0] = TN_WG_DATA;
    assert_int_equal(tn_wg_receiver(msg), 0x07060504);
    assert_true(tn_session_counter(msg) == 0x0f0e0d0c0b0a0908ull);
}

static void padding_fills_to_sixteen_but_not_beyond_the_mtu(void **state)
{
    (void)state;
    assert_int_equal(tn_wg_padding(0, 1420), 0); /* a keepalive stays empty */
    assert_int_equal(tn_wg_padding(1, 1420), 15);
    assert_int_equal(tn_wg_padding(16, 1420), 0);
    assert_int_equal(tn_wg_padding(84, 1420), 12);
    assert_int_equal(tn_wg_padding(1409, 1420), 11); /* not 15 */
    assert_int_equal(tn_wg_padding(1420, 1420), 0);
    assert_int_equal(tn_wg_padding(1421, 1420), 15); /* 1420 and a segment of 1 */
    assert_int_equal(tn_wg_padding(1409, 0), 15);
    for (size_t len = 0; len <= 1420; len++) {
        size_t padded = len + tn_wg_padding(len, 1420);

        assert_true(padded <= 1420 && (padded % 16 == 0 || padded == 1420));
    }
}

static void a_data_message_round_trips_in_place(void **state)
{
    struct tn_session a = {.remote_index = 0x11223344}, b;
    uint8_t msg[16 + 100 + 16], plain[100];

    (void)state;
    memset(a.send_key, 1, 32);
    memset(a.recv_key, 2, 32);
    b = a;
    memcpy(b.send_key, a.recv_key, 32);
    memcpy(b.recv_key, a.send_key, 32);
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)i;
    memcpy(msg + 16, plain, sizeof(plain));
    tn_session_seal(&a, 0x0102030405060708ull, msg, sizeof(plain));
    assert_int_equal(tn_wg_classify(msg, sizeof(msg)), TN_WG_DATA);
    assert_int_equal(tn_wg_receiver(msg), 0x11223344);
    assert_true(tn_session_counter(msg) == 0x0102030405060708ull);
    assert_int_equal(tn_session_open(&b, msg, sizeof(msg)), 0);
    assert_memory_equal(msg + 16, plain, sizeof(plain));
}

static void a_data_message_is_refused_when_any_authenticated_bit_is_wrong(void **state)
{
    struct tn_session s = {.remote_index = 1};
    uint8_t sealed[16 + 20 + 16] = {0}, msg[sizeof(sealed)];

    (void)state;
    tn_session_seal(&s, 5, sealed, 20);
    memcpy(msg, sealed, sizeof(msg));
    assert_int_equal(tn_session_open(&s, msg, sizeof(msg)), 0);
    for (size_t bit = 8 * 8; bit < 8 * sizeof(sealed); bit++) { /* counter, packet and tag */
        memcpy(msg, sealed, sizeof(msg));
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_session_open(&s, msg, sizeof(msg)), TN_EAUTH);
    }
    for (size_t len = 0; len < sizeof(sealed); len++) {
        memcpy(msg, sealed, sizeof(msg));
        assert_int_equal(tn_session_open(&s, msg, len), len < 32 ? TN_EINVAL : TN_EAUTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_told_by_its_exact_length),
        cmocka_unit_test(data_is_at_least_header_and_tag),
        cmocka_unit_test(a_reserved_byte_that_is_not_zero_is_no_wireguard),
        cmocka_unit_test(unknown_types_are_no_wireguard),
        cmocka_unit_test(indices_stand_where_the_paper_puts_them),
        cmocka_unit_test(padding_fills_to_sixteen_but_not_beyond_the_mtu),
        cmocka_unit_test(a_data_message_round_trips_in_place),
        cmocka_unit_test(a_data_message_is_refused_when_any_authenticated_bit_is_wrong),
    };

    return cmocka_run_group_tests_name("wg_msg", tests, NULL, NULL);
}
