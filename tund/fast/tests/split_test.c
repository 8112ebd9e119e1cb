/* Splitting what the TUN gives: against packets that were made one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packets.h"
#include "tund/fast/split.h"
#include "tund/fast/sum.h"

#define ACK FAST_TCP_ACK
#define TAIL_FLAGS (FAST_TCP_FIN | FAST_TCP_PSH)

static struct packet whole, wanted;
static uint8_t out[65536];

static struct packet_plan plan(bool v6, bool udp)
{
    return (struct packet_plan){.v6 = v6, .udp = udp, .host = 7, .port = 3, .tos = 2, .ttl = 61,
                                .flags = ACK, .id = 0xfffe, .frag = 0x4000, .window = 501,
                                .tcp_options_len = 12, .seq = 0xfffffff0, .ack = 77, .label = 0x12345};
}

/* Splits `whole`, made by w, and compares each segment with one made by itself. */
static void check_split(struct packet_plan w, size_t total, uint16_t gso_size)
{
    struct packet_plan part = w;
    struct virtio_net_hdr h;
    struct fast_split s;
    size_t done = 0;

    w.payload_len = (uint16_t)total;
    packet_make(&whole, &w);
    h = packet_partial(&whole, w.udp, gso_size);
    assert_int_equal(fast_split_begin(&s, &h, whole.data, whole.len), 0);
    for (size_t n; (n = fast_split_next_len(&s)); done += part.payload_len) {
        part.payload_len = (uint16_t)(total - done < gso_size ? total - done : gso_size);
        part.id = (uint16_t)(w.id + s.index);
        part.seq = w.seq + (uint32_t)done;
        part.flags = w.flags;
        if (done)
            part.flags &= (uint8_t)~FAST_TCP_CWR;
        if (done + part.payload_len < total)
            part.flags &= (uint8_t)~TAIL_FLAGS;
        packet_make(&wanted, &part);
        memcpy(wanted.data + wanted.hdr_len, whole.data + whole.hdr_len + done, part.payload_len);
        packet_seal(&wanted, w.udp);
        assert_int_equal(n, wanted.len);
        assert_int_equal(fast_split_next(&s, out), n);
        assert_memory_equal(out, wanted.data, n);
    }
    assert_int_equal(done, total);
    assert_int_equal(fast_split_next_len(&s), 0);
}

static void the_sum_is_that_of_rfc_1071(void **state)
{
    const uint8_t bytes[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    const uint8_t wanted_sum[2] = {0xdd, 0xf2};
    uint16_t sum = fast_fold(fast_sum(bytes, sizeof bytes, 0));

    assert_memory_equal(&sum, wanted_sum, 2);
}

static void a_sum_of_any_length_is_that_of_the_slow_way(void **state)
{
    uint8_t bytes[200], copy[200];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(255 - i * i);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint8_t slow[2];
        uint16_t fast = fast_fold(fast_sum(bytes, len, 0));
        uint16_t copied = fast_fold(fast_sum_copy(copy, bytes, len, 0));

        tn_put_be16(slow, (uint16_t)packet_sum(bytes, len, 0));
        assert_memory_equal(&fast, slow, 2);
        assert_int_equal(copied, fast);
        assert_memory_equal(copy, bytes, len);
    }
}

static void a_large_packet_becomes_those_that_were_made_one_by_one(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        struct packet_plan w = plan(kind & 1, kind & 2);

        check_split(w, 3000, 1000);
        check_split(w, 3001, 1000);
        check_split(w, 999, 1000);
        check_split(w, 1, 65535);
        check_split(w, 301, 1);
        check_split(w, 65400, 1400);
    }
}

static void cwr_stays_with_the_first_and_fin_and_psh_with_the_last(void **state)
{
    struct packet_plan w = plan(false, false);

    w.flags = ACK | FAST_TCP_CWR | TAIL_FLAGS | 0x40; /* and ECE, which all keep */
    check_split(w, 4000, 1400);
    w.v6 = true;
    check_split(w, 4000, 1400);
}

static void ip_options_are_copied_to_all(void **state)
{
    struct packet_plan w = plan(false, false);

    w.ip_options_len = 8;
    w.tcp_options_len = 40;
    check_split(w, 4000, 1400);
    w.udp = true;
    check_split(w, 4000, 1400);
}

static void a_header_that_lies_is_refused(void **state)
{
    struct packet_plan w = plan(false, false);
    struct virtio_net_hdr good, h;
    struct fast_split s;

    w.payload_len = 3000;
    packet_make(&whole, &w);
    good = packet_partial(&whole, false, 1000);
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        h = good;                                                                                  \
        change;                                                                                    \
        assert_int_equal(fast_split_begin(&s, &h, whole.data, whole.len), -EINVAL);               \
    } while (0)
    REFUSED(h.gso_size = 0);
    REFUSED(h.flags = 0);
    REFUSED(h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
    REFUSED(h.gso_type = VIRTIO_NET_HDR_GSO_UDP);
    REFUSED(h.gso_type = FAST_GSO_UDP_L4);
    REFUSED(h.gso_type = 77);
    REFUSED(h.csum_start = 24);
    REFUSED(h.csum_start = 65535);
    whole.data[28 + 12] = 0x50; /* so that a header could begin there */
    REFUSED(h.csum_start = 28);
    REFUSED(h.csum_offset = 6);
    REFUSED(h.csum_offset = 65535);
#undef REFUSED
    h = good;
    h.hdr_len = 65535; /* a hint, and not taken */
    assert_int_equal(fast_split_begin(&s, &h, whole.data, whole.len), 0);
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(fast_split_begin(&s, &good, whole.data, len), -EINVAL);
}

static void a_checksum_that_was_left_to_us_is_completed(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        struct packet_plan w = plan(kind & 1, kind & 2);
        struct virtio_net_hdr h;

        w.payload_len = 333;
        packet_make(&whole, &w);
        wanted = whole;
        h = packet_partial(&whole, w.udp, 0);
        assert_memory_not_equal(whole.data, wanted.data, whole.len);
        assert_int_equal(fast_complete_checksum(&h, whole.data, whole.len), 0);
        assert_memory_equal(whole.data, wanted.data, whole.len);
        h.flags = 0;
        assert_int_equal(fast_complete_checksum(&h, whole.data, whole.len), 0);
        assert_memory_equal(whole.data, wanted.data, whole.len);
    }
}

static void a_checksum_beyond_the_packet_is_refused(void **state)
{
    struct packet_plan w = plan(false, true);
    struct virtio_net_hdr h;

    packet_make(&whole, &w);
    h = packet_partial(&whole, true, 0);
    wanted = whole;
    h.csum_offset = (uint16_t)(whole.len - h.csum_start - 1);
    assert_int_equal(fast_complete_checksum(&h, whole.data, whole.len), -EINVAL);
    h.csum_offset = 65535;
    h.csum_start = 65535;
    assert_int_equal(fast_complete_checksum(&h, whole.data, whole.len), -EINVAL);
    assert_memory_equal(whole.data, wanted.data, whole.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_that_of_rfc_1071),
        cmocka_unit_test(a_sum_of_any_length_is_that_of_the_slow_way),
        cmocka_unit_test(a_large_packet_becomes_those_that_were_made_one_by_one),
        cmocka_unit_test(cwr_stays_with_the_first_and_fin_and_psh_with_the_last),
        cmocka_unit_test(ip_options_are_copied_to_all),
        cmocka_unit_test(a_header_that_lies_is_refused),
        cmocka_unit_test(a_checksum_that_was_left_to_us_is_completed),
        cmocka_unit_test(a_checksum_beyond_the_packet_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
