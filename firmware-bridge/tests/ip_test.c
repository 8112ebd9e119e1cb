/* The device's IP, packet by packet. Echo and UDP as a laptop sees them are in sim_device_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "inside.h"

static struct bridge b;
static struct bridge_datagram seen;
static size_t answer_len;

/* 10.77.0.1 pings 10.77.0.2; begin() fills in the sums */
static uint8_t ping4[] = {
    0x45, 0, 0, 36, 0x1c, 0x46, 0x40, 0, 64, 1, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2,
    8, 0, 0, 0, 0, 0x4d, 0, 1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
};

static size_t handler(void *ctx, struct bridge_datagram *d)
{
    seen = *d;
    if (answer_len)
        memset(d->data, 0x33, answer_len);
    return answer_len;
}

static void put(const uint8_t *packet, size_t len)
{
    b.buf.off = TN_BUF_HEADROOM;
    b.buf.len = len;
    memcpy(tn_buf_data(&b.buf), packet, len);
}

/* RFC 1071 over any bytes that begin at an even place. */
static uint16_t sum(uint32_t s, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static int begin(void **state)
{
    static const uint8_t ip4[4] = {10, 77, 0, 2};
    static const uint8_t ip6[16] = {0xfd, 1, 2, 3, 4, 5, [15] = 2};

    memset(&b, 0, sizeof b);
    b.buf = (struct tn_buf){.mem = b.mem, .cap = sizeof b.mem};
    b.ipv4 = tn_addr_v4(ip4, 0);
    b.ipv6 = tn_addr_v6(ip6, 0);
    answer_len = 0;
    memset(&seen, 0, sizeof seen);
    memset(ping4 + 10, 0, 2);
    memset(ping4 + 22, 0, 2);
    tn_put_be16(ping4 + 10, sum(0, ping4, 20));
    tn_put_be16(ping4 + 22, sum(0, ping4 + 20, sizeof ping4 - 20));
    return bridge_udp_bind(&b, 9000, handler, NULL);
}

/* A UDP packet to port `to` of the device; 4 or 6. */
static size_t make_udp(uint8_t *out, int family, uint16_t to, size_t len)
{
    struct tn_addr own4 = b.ipv4, own6 = b.ipv6, dst = family == 4 ? b.ipv4 : b.ipv6;
    uint8_t data[1024];
    size_t n;

    memset(data, 0x44, sizeof data);
    b.ipv4.ip[15] = 1; /* written as if by the neighbour */
    b.ipv6.ip[15] = 1;
    dst.port = to;
    n = bridge_ip_udp(&b, out, 5000, &dst, data, len);
    b.ipv4 = own4;
    b.ipv6 = own6;
    return n;
}

static void an_echo_request_is_answered_in_place(void **state)
{
    uint8_t *ip = tn_buf_data(&b.buf);

    put(ping4, sizeof ping4);
    ip = tn_buf_data(&b.buf);
    assert_true(bridge_ip_input(&b));
    assert_int_equal(b.buf.len, sizeof ping4);
    assert_memory_equal(ip + 12, "\x0a\x4d\x00\x02\x0a\x4d\x00\x01", 8);
    assert_int_equal(ip[20], 0);
    assert_memory_equal(ip + 24, ping4 + 24, sizeof ping4 - 24);
    assert_int_equal(sum(0, ip, 20), 0);
    assert_int_equal(sum(0, ip + 20, sizeof ping4 - 20), 0);
    assert_int_equal(b.dropped, 0);
}

static void what_is_not_whole_is_dropped(void **state)
{
    for (size_t len = 20; len < sizeof ping4; len++) { /* the node delivers no less */
        put(ping4, len);
        assert_false(bridge_ip_input(&b));
    }
    for (size_t bit = 0; bit < sizeof ping4 * 8; bit++) {
        uint8_t bent[sizeof ping4];

        memcpy(bent, ping4, sizeof bent);
        bent[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bent[0] >> 4 != 4)
            continue;
        put(bent, sizeof bent);
        assert_false(bridge_ip_input(&b));
    }
    assert_true(b.dropped > 0);
}

/* Sets the header's sum anew, so that nothing else refuses it. */
static bool input_with(size_t at, uint8_t value)
{
    uint8_t *ip;

    put(ping4, sizeof ping4);
    ip = tn_buf_data(&b.buf);
    ip[at] = value;
    ip[10] = ip[11] = 0;
    tn_put_be16(ip + 10, sum(0, ip, 20));
    return bridge_ip_input(&b);
}

static void fragments_and_packets_for_others_are_dropped(void **state)
{
    assert_true(input_with(6, 0x00));
    assert_false(input_with(6, 0x20)); /* more follow */
    assert_false(input_with(7, 0x01)); /* at an offset */
    assert_false(input_with(19, 3));   /* another's address */
    assert_false(input_with(9, 99));   /* no such protocol */
    assert_false(input_with(2, 0xff)); /* longer than what came */
}

static void options_are_not_sent_back(void **state)
{
    uint8_t packet[sizeof ping4 + 4];

    memcpy(packet, ping4, 20);
    memcpy(packet + 20, "\x01\x01\x01\x00", 4);
    memcpy(packet + 24, ping4 + 20, sizeof ping4 - 20);
    packet[0] = 0x46;
    packet[3] += 4;
    packet[10] = packet[11] = 0;
    tn_put_be16(packet + 10, sum(0, packet, 24));
    put(packet, sizeof packet);
    assert_true(bridge_ip_input(&b));
    assert_int_equal(b.buf.len, sizeof ping4);
    assert_int_equal(tn_buf_data(&b.buf)[0], 0x45);
    assert_int_equal(sum(0, tn_buf_data(&b.buf) + 20, sizeof ping4 - 20), 0);
}

static void a_datagram_reaches_its_handler_and_the_answer_goes_back(void **state)
{
    for (int family = 4; family <= 6; family += 2) {
        size_t head = family == 4 ? 20 : 40, len;
        uint8_t packet[BRIDGE_MTU], *ip;
        static struct bridge back;

        answer_len = 0;
        len = make_udp(packet, family, 9000, 100);
        put(packet, len);
        assert_false(bridge_ip_input(&b)); /* taken, not answered */
        assert_int_equal(seen.to_port, 9000);
        assert_int_equal(seen.from.port, 5000);
        assert_int_equal(seen.from.ip[15], 1);
        assert_int_equal(seen.len, 100);
        assert_int_equal(seen.room, BRIDGE_MTU - head - 8);
        answer_len = seen.room;
        put(packet, len);
        assert_true(bridge_ip_input(&b));
        assert_int_equal(b.buf.len, BRIDGE_MTU);
        /* the neighbour's own IP takes it */
        ip = tn_buf_data(&b.buf);
        back = b;
        back.buf.mem = back.mem;
        back.ipv4.ip[15] = back.ipv6.ip[15] = 1;
        back.port[0].port = 5000;
        answer_len = 0;
        assert_false(bridge_ip_input(&back));
        assert_int_equal(seen.to_port, 5000);
        assert_int_equal(seen.from.port, 9000);
        assert_int_equal(seen.from.ip[15], 2);
        assert_int_equal(seen.len, BRIDGE_MTU - head - 8);
        assert_int_equal(ip[head + 8], 0x33);
        assert_int_equal(back.dropped, 0);
    }
}

static void a_bent_datagram_reaches_nobody(void **state)
{
    uint8_t packet[200];
    size_t len = make_udp(packet, 6, 9000, 20);

    for (size_t bit = 4; bit < len * 8; bit++) {
        bool is_unsummed = bit / 8 < 4 || bit / 8 == 7; /* class, label, hop limit: no sum covers them */

        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(&seen, 0, sizeof seen);
        put(packet, len);
        (void)bridge_ip_input(&b);
        if (packet[0] >> 4 == 6 && !is_unsummed)
            assert_int_equal(seen.to_port, 0);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    len = make_udp(packet, 6, 9000, 20);
    packet[46] = packet[47] = 0; /* IPv6 has to have a sum */
    put(packet, len);
    assert_false(bridge_ip_input(&b));
    assert_int_equal(seen.to_port, 0);
}

static void a_port_that_nobody_has_is_called_unreachable(void **state)
{
    for (int family = 4; family <= 6; family += 2) {
        size_t head = family == 4 ? 20 : 40, len, quote = head + 8;
        uint8_t packet[BRIDGE_MTU], *ip;
        uint32_t pseudo = 0;

        len = make_udp(packet, family, 9001, BRIDGE_MTU - head - 8);
        put(packet, len);
        assert_true(bridge_ip_input(&b));
        ip = tn_buf_data(&b.buf);
        assert_int_equal(b.buf.len, head + 8 + quote);
        assert_int_equal(ip[head], family == 4 ? 3 : 1);
        assert_int_equal(ip[head + 1], family == 4 ? 3 : 4);
        assert_memory_equal(ip + head + 8, packet, quote);
        if (family == 6) {
            pseudo = 58 + 8 + (uint32_t)quote;
            for (size_t k = 8; k < 40; k += 2)
                pseudo += tn_get_be16(ip + k);
        }
        assert_int_equal(sum(pseudo, ip + head, 8 + quote), 0);
    }
}

static size_t taken;

static void take(void *ctx, uint8_t *ip, size_t len)
{
    assert_ptr_equal(ctx, &taken);
    taken = len;
}

static void tcp_is_for_another_stack_where_there_is_one(void **state)
{
    static const struct bridge_stack stack = {.input = take, .ctx = &taken};
    uint8_t packet[200];
    size_t len = make_udp(packet, 6, 9000, 20);

    taken = 0;
    assert_false(input_with(9, 6)); /* dropped: there is none */
    assert_int_equal(b.dropped, 1);
    bridge_set_stack(&b, &stack);
    assert_false(input_with(9, 6));
    assert_int_equal(taken, sizeof ping4);
    taken = 0;
    assert_false(input_with(19, 3)); /* another's address */
    assert_int_equal(taken, 0);
    packet[6] = 6;
    put(packet, len);
    assert_false(bridge_ip_input(&b));
    assert_int_equal(taken, len);
    taken = 0;
    packet[39] ^= 1; /* another's address */
    put(packet, len);
    assert_false(bridge_ip_input(&b));
    assert_int_equal(taken, 0);
    assert_int_equal(b.dropped, 3);
}

static void ports_are_bound_once_and_let_go(void **state)
{
    assert_int_equal(bridge_udp_bind(&b, 9000, handler, NULL), TN_EEXIST);
    assert_int_equal(bridge_udp_bind(&b, 0, handler, NULL), TN_EINVAL);
    for (uint16_t i = 1; i < BRIDGE_UDP_PORTS; i++)
        assert_int_equal(bridge_udp_bind(&b, i, handler, NULL), 0);
    assert_int_equal(bridge_udp_bind(&b, 99, handler, NULL), TN_ENOSPC);
    assert_int_equal(bridge_udp_bind(&b, 1, NULL, NULL), 0);
    assert_int_equal(bridge_udp_bind(&b, 99, handler, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_echo_request_is_answered_in_place, begin),
        cmocka_unit_test_setup(what_is_not_whole_is_dropped, begin),
        cmocka_unit_test_setup(fragments_and_packets_for_others_are_dropped, begin),
        cmocka_unit_test_setup(options_are_not_sent_back, begin),
        cmocka_unit_test_setup(a_datagram_reaches_its_handler_and_the_answer_goes_back, begin),
        cmocka_unit_test_setup(a_bent_datagram_reaches_nobody, begin),
        cmocka_unit_test_setup(a_port_that_nobody_has_is_called_unreachable, begin),
        cmocka_unit_test_setup(tcp_is_for_another_stack_where_there_is_one, begin),
        cmocka_unit_test_setup(ports_are_bound_once_and_let_go, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
