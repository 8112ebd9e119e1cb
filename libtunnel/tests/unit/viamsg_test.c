/* VIA and VIA_FROM on the wire: the bytes of PROTOCOL.md section 5.6, cut, flipped and padded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/path/viamsg.h"

#define DATAGRAM 32
#define LEN (TN_VIAMSG_HEADER_LEN + DATAGRAM)

/* the example of the specification: a keepalive for 10.77.0.2 */
static const uint8_t head[TN_VIAMSG_HEADER_LEN] = {6, 0, 0, 32, 10, 77, 0, 2};

static void make(uint8_t out[LEN + 32])
{
    memset(out, 0, LEN + 32);
    memcpy(out, head, sizeof head);
    memset(out + sizeof head, 0x5a, DATAGRAM);
}

static void a_message_has_the_bytes_of_the_specification(void **state)
{
    struct tn_viamsg m = {.len = DATAGRAM, .ipv4 = {10, 77, 0, 2}}, back = {0};
    uint8_t out[TN_VIAMSG_HEADER_LEN], d[LEN + 32];

    (void)state;
    tn_viamsg_encode(&m, out);
    assert_memory_equal(out, head, sizeof head);
    make(d);
    assert_int_equal(tn_viamsg_decode(d, LEN, &back), 0);
    assert_false(back.from);
    assert_int_equal(back.len, DATAGRAM);
    assert_memory_equal(back.ipv4, m.ipv4, 4);
    m.from = true;
    tn_viamsg_encode(&m, out);
    assert_int_equal(out[0], 7);
    assert_memory_equal(out + 1, head + 1, sizeof head - 1);
    memcpy(d, out, sizeof out);
    assert_int_equal(tn_viamsg_decode(d, LEN, &back), 0);
    assert_true(back.from);
}

static void one_cut_anywhere_is_refused_and_only_zeros_may_follow(void **state)
{
    struct tn_viamsg m;
    uint8_t d[LEN + 32];

    (void)state;
    make(d);
    for (size_t len = 0; len <= LEN + 20; len++) {
        bool good = len >= LEN && len <= LEN + 15;

        m.len = 77;
        assert_int_equal(tn_viamsg_decode(d, len, &m), good ? 0 : TN_EINVAL);
        assert_int_equal(m.len, good ? DATAGRAM : 77);
    }
    for (size_t i = LEN; i < LEN + 15; i++) {
        d[i] = 1;
        assert_int_equal(tn_viamsg_decode(d, LEN + 15, &m), TN_EINVAL);
        d[i] = 0;
    }
}

/* Of the first four bytes the type alone may change, to the other one; the address says what it says. */
static void every_flipped_bit_of_type_flags_and_length_is_refused(void **state)
{
    struct tn_viamsg m;
    uint8_t d[LEN + 32];

    (void)state;
    make(d);
    for (unsigned bit = 0; bit < 32; bit++) {
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(tn_viamsg_decode(d, LEN, &m), bit == 0 ? 0 : TN_EINVAL);
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void no_datagram_is_shorter_than_wireguards_shortest(void **state)
{
    struct tn_viamsg m;
    uint8_t d[LEN + 32];

    (void)state;
    make(d);
    d[3] = DATAGRAM - 1;
    d[LEN - 1] = 0;
    assert_int_equal(tn_viamsg_decode(d, LEN, &m), TN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_the_bytes_of_the_specification),
        cmocka_unit_test(one_cut_anywhere_is_refused_and_only_zeros_may_follow),
        cmocka_unit_test(every_flipped_bit_of_type_flags_and_length_is_refused),
        cmocka_unit_test(no_datagram_is_shorter_than_wireguards_shortest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
