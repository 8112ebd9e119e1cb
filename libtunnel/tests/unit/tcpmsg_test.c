/* The message TCP on the wire. */
#include "libtunnel/path/tcpmsg.h"
#include "vectors.h"

#define PADDED_MAX (TN_TCP_MSG_MAX + 16)

static struct tn_tcp_msg sample(uint8_t count)
{
    const uint8_t v4[4] = {192, 0, 2, 9}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    struct tn_tcp_msg m = {.ask = true, .count = count};

    for (uint8_t i = 0; i < count; i++)
        m.addr[i] = i % 2 ? tn_addr_v6(v6, (uint16_t)(0x2000 + i)) : tn_addr_v4(v4, (uint16_t)(0x1000 + i));
    return m;
}

static void it_has_the_bytes_of_the_specification(void **state)
{
    const struct tn_tcp_msg two = sample(2), none = {0};
    uint8_t got[TN_TCP_MSG_MAX], want[41];

    (void)state;
    unhex_exactly(want, 41, "0c010029 02 00000000000000000000ffffc0000209 1000 20010db8000000000000000000000001 2001");
    assert_int_equal(tn_tcp_encode(&two, got), 41);
    assert_memory_equal(got, want, 41);
    unhex_exactly(want, 32, "0c000020 00 000000000000000000000000000000000000000000000000000000");
    assert_int_equal(tn_tcp_encode(&none, got), 32);
    assert_memory_equal(got, want, 32);
}

static void what_is_written_is_read_back_whatever_padding_follows(void **state)
{
    (void)state;
    for (uint8_t count = 0; count <= TN_TCP_ADDRS_MAX; count++) {
        const struct tn_tcp_msg m = sample(count);
        uint8_t buf[PADDED_MAX] = {0};
        struct tn_tcp_msg back;
        size_t len = tn_tcp_encode(&m, buf);

        for (size_t more = 0; more <= 15; more++) {
            assert_int_equal(tn_tcp_decode(buf, len + more, &back), TN_OK);
            assert_true(back.ask && back.count == count);
            for (uint8_t i = 0; i < count; i++)
                assert_true(tn_addr_equal(&back.addr[i], &m.addr[i]));
        }
        assert_int_equal(tn_tcp_decode(buf, len + 16, &back), TN_EINVAL);
    }
}

static void more_addresses_than_there_may_be_are_not_written(void **state)
{
    struct tn_tcp_msg m = sample(TN_TCP_ADDRS_MAX);
    uint8_t buf[TN_TCP_MSG_MAX];

    (void)state;
    m.count++;
    assert_int_equal(tn_tcp_encode(&m, buf), 0);
}

static void cut_anywhere_it_is_refused(void **state)
{
    const struct tn_tcp_msg m = sample(3);
    uint8_t buf[TN_TCP_MSG_MAX];
    struct tn_tcp_msg back = {.count = 77};
    size_t len = tn_tcp_encode(&m, buf);

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(tn_tcp_decode(buf, cut, &back), TN_EINVAL);
        assert_int_equal(back.count, 77);
    }
}

/* Each bit of what is no address is refused when it is wrong, but for the flag that says "tell me yours". */
static void a_wrong_bit_is_refused(void **state)
{
    const struct tn_tcp_msg m = sample(1);
    uint8_t buf[PADDED_MAX] = {0};
    struct tn_tcp_msg back = {.count = 77};
    size_t len = tn_tcp_encode(&m, buf) + 15;

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bool is_address = bit >= 8 * 5 && bit < 8 * (5 + TN_ADDR_WIRE_LEN), is_ask = bit == 8;

        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(tn_tcp_decode(buf, len, &back), is_address || is_ask ? TN_OK : TN_EINVAL);
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_the_bytes_of_the_specification),
        cmocka_unit_test(what_is_written_is_read_back_whatever_padding_follows),
        cmocka_unit_test(more_addresses_than_there_may_be_are_not_written),
        cmocka_unit_test(cut_anywhere_it_is_refused),
        cmocka_unit_test(a_wrong_bit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
