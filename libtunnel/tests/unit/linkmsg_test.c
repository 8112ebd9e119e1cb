#include "libtunnel/path/linkmsg.h"
#include "vectors.h"

static struct tn_link_msg a_ping(uint16_t size)
{
    return (struct tn_link_msg){
        .type = TN_LINK_PING, .size = size, .txid = 0x0102030405060708u};
}

static void a_small_ping_has_these_bytes(void **state)
{
    const struct tn_link_msg m = a_ping(32);
    uint8_t got[32], want[32];

    (void)state;
    unhex_exactly(want, 32, "01000020 0102030405060708 00000000 00000000 00000000 00000000 00000000");
    memset(got, 0xee, sizeof(got));
    assert_int_equal(tn_link_encode(&m, got, sizeof(got)), TN_OK);
    assert_memory_equal(got, want, 32);
}

static void a_pong_has_these_bytes(void **state)
{
    const uint8_t ip[4] = {192, 0, 2, 9};
    const struct tn_addr seen = tn_addr_v4(ip, 0x1234);
    struct tn_link_msg ping = a_ping(32), pong;
    uint8_t got[32], want[32];

    (void)state;
    ping.full = true;
    tn_link_answer(&ping, &seen, &pong);
    unhex_exactly(want, 32, "02010020 0102030405060708 00000000000000000000ffffc0000209 1234 0000");
    assert_int_equal(tn_link_encode(&pong, got, sizeof(got)), TN_OK);
    assert_memory_equal(got, want, 32);
}

static void a_nat_message_has_these_bytes(void **state)
{
    const struct tn_link_msg m = {.type = TN_LINK_NAT, .size = 32, .search = true, .port = 0x1234,
                                  .nat = {.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT,
                                          .ports = TN_NAT_PORTS_SEQUENTIAL, .sure = true, .step = 2}};
    uint8_t got[32], want[32];
    struct tn_link_msg back;

    (void)state;
    unhex_exactly(want, 32, "04020020 04030201 0002 0000 0000 0000 1234 0000000000000000000000000000");
    assert_int_equal(tn_link_encode(&m, got, sizeof(got)), TN_OK);
    assert_memory_equal(got, want, 32);
    assert_int_equal(tn_link_decode(got, 32, &back), TN_OK);
    assert_true(back.search && back.port == 0x1234 && back.nat.step == 2 && back.nat.mapping == TN_NAT_PORT);
    got[1] = 1; /* "full size" is of PING and PONG */
    assert_int_equal(tn_link_decode(got, 32, &back), TN_EINVAL);
    got[1] = 0;
    got[4] = 9; /* no such mapping */
    assert_int_equal(tn_link_decode(got, 32, &back), TN_EINVAL);
}

static void what_is_written_is_read_back(void **state)
{
    const uint8_t ip[4] = {198, 51, 100, 7};
    const struct tn_addr seen = tn_addr_v4(ip, 41641);
    const uint16_t sizes[] = {32, 33, 64, 1024, 1400, 9000};
    uint8_t buf[9000];

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct tn_link_msg ping = a_ping(sizes[i]), pong, got;

        ping.full = sizes[i] == 1400;
        assert_int_equal(tn_link_encode(&ping, buf, sizeof(buf)), TN_OK);
        assert_int_equal(tn_link_decode(buf, sizes[i], &got), TN_OK);
        assert_int_equal(got.type, TN_LINK_PING);
        assert_int_equal(got.full, ping.full);
        assert_int_equal(got.size, sizes[i]);
        assert_true(got.txid == ping.txid);
        tn_link_answer(&got, &seen, &pong);
        assert_int_equal(pong.size, ping.size);
        assert_int_equal(tn_link_encode(&pong, buf, sizeof(buf)), TN_OK);
        assert_int_equal(tn_link_decode(buf, sizes[i], &got), TN_OK);
        assert_int_equal(got.type, TN_LINK_PONG);
        assert_true(tn_addr_equal(&got.observed, &seen));
    }
}

static void a_pong_through_the_relay_observes_nothing(void **state)
{
    struct tn_link_msg ping = a_ping(32), pong;

    (void)state;
    tn_link_answer(&ping, NULL, &pong);
    assert_true(tn_addr_is_zero(&pong.observed));
}

static void a_message_cut_at_any_length_is_refused(void **state)
{
    struct tn_link_msg m = a_ping(64), got;
    const struct tn_link_msg before = {.txid = 5};
    uint8_t buf[64];

    (void)state;
    for (uint8_t type = TN_LINK_PING; type <= TN_LINK_NAT; type = type == TN_LINK_PONG ? TN_LINK_NAT : type + 1) {
        m.type = type;
        assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_OK);
        for (size_t cut = 0; cut < 64; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);

            assert_non_null(exact);
            memcpy(exact, buf, cut);
            got = before;
            assert_int_equal(tn_link_decode(exact, cut, &got), TN_EINVAL);
            assert_true(got.txid == 5);
            free(exact);
        }
    }
}

static void only_the_padding_of_wireguard_may_follow(void **state)
{
    const struct tn_link_msg m = a_ping(33);
    struct tn_link_msg got;
    uint8_t buf[64] = {0};

    (void)state;
    assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_OK);
    assert_int_equal(tn_link_decode(buf, 48, &got), TN_OK);
    assert_int_equal(tn_link_decode(buf, 49, &got), TN_EINVAL);
    buf[47] = 1;
    assert_int_equal(tn_link_decode(buf, 48, &got), TN_EINVAL);
}

static void each_flipped_bit_outside_txid_and_address_is_noticed(void **state)
{
    struct tn_link_msg m = a_ping(32), got;
    uint8_t buf[32];

    (void)state;
    assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_OK);
    for (size_t bit = 0; bit < 32 * 8; bit++) {
        bool free_bit = (bit >= 32 && bit < 96) || bit == 8; /* txid; the full flag */

        if (bit / 8 == 0 && (bit % 8) < 2)
            continue; /* 1 to 0 or 3: below; a PING that turns into a PONG has padding as address */
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_link_decode(buf, 32, &got), free_bit ? TN_OK : TN_EINVAL);
        buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    buf[0] = 0;
    assert_int_equal(tn_link_decode(buf, 32, &got), TN_EINVAL);
    buf[0] = 3;
    assert_int_equal(tn_link_decode(buf, 32, &got), TN_EINVAL);
}

static void what_cannot_be_encoded_is_refused(void **state)
{
    struct tn_link_msg m = a_ping(31);
    uint8_t buf[64];

    (void)state;
    assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_EINVAL);
    m.size = 65;
    assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_ENOSPC);
    m.size = 64;
    m.type = 3;
    assert_int_equal(tn_link_encode(&m, buf, sizeof(buf)), TN_EINVAL);
}

static void ip_packets_are_no_link_messages(void **state)
{
    const uint8_t v4 = 0x45, v6 = 0x60, ping = 1;

    (void)state;
    assert_false(tn_link_is_message(&v4, 1));
    assert_false(tn_link_is_message(&v6, 1));
    assert_false(tn_link_is_message(&ping, 0));
    assert_true(tn_link_is_message(&ping, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_ping_has_these_bytes),
        cmocka_unit_test(a_pong_has_these_bytes),
        cmocka_unit_test(a_nat_message_has_these_bytes),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_pong_through_the_relay_observes_nothing),
        cmocka_unit_test(a_message_cut_at_any_length_is_refused),
        cmocka_unit_test(only_the_padding_of_wireguard_may_follow),
        cmocka_unit_test(each_flipped_bit_outside_txid_and_address_is_noticed),
        cmocka_unit_test(what_cannot_be_encoded_is_refused),
        cmocka_unit_test(ip_packets_are_no_link_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
