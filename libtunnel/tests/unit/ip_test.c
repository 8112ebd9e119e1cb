/* Sums and answers that were written by others: RFC 1071's example, and headers as of Linux. */
#include "libtunnel/base/ip.h"
#include "libtunnel/base/bytes.h"
#include "vectors.h"

static void make4(uint8_t *ip, size_t len)
{
    memset(ip, 0x5a, len);
    unhex_exactly(ip, 20, "4500 0000 1234 4000 4011 0000 0a4d0001 0a4d0002");
    tn_put_be16(ip + 2, (uint16_t)len);
}

static void make6(uint8_t *ip, size_t len)
{
    memset(ip, 0x5a, len);
    unhex_exactly(ip, 40, "60000000 0000 11 40 fd000000000000000000000000000001 "
                          "fd000000000000000000000000000002");
    tn_put_be16(ip + 4, (uint16_t)(len - 40));
}

static void the_sum_is_that_of_rfc_1071(void **state)
{
    const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                              0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

    (void)state;
    assert_int_equal(tn_ip_checksum(tn_ip_sum(0, data, sizeof(data))), (uint16_t)~0xddf2);
    assert_int_equal(tn_ip_checksum(tn_ip_sum(0, header, sizeof(header))), 0xb861);
    assert_int_equal(tn_ip_sum(0, data, 3), 0x0001 + 0xf200); /* an odd byte is a high one */
}

static void a_length_is_believed_only_where_it_can_be(void **state)
{
    uint8_t ip[1400];

    (void)state;
    make4(ip, 1000);
    assert_int_equal(tn_ip_len(ip, 1000), 1000);
    assert_int_equal(tn_ip_len(ip, 1400), 1000);
    for (size_t cut = 0; cut < 1000; cut++)
        assert_int_equal(tn_ip_len(ip, cut), 0);
    tn_put_be16(ip + 2, 19);
    assert_int_equal(tn_ip_len(ip, 1000), 0);
    make6(ip, 1280);
    assert_int_equal(tn_ip_len(ip, 1400), 1280);
    for (size_t cut = 0; cut < 1280; cut++)
        assert_int_equal(tn_ip_len(ip, cut), 0);
    ip[0] = 0x50;
    assert_int_equal(tn_ip_len(ip, 1400), 0);
}

static void only_ipv4_without_the_bit_may_be_split(void **state)
{
    uint8_t ip[1400];

    (void)state;
    make4(ip, 1000);
    assert_false(tn_ip_may_split(ip));
    ip[6] = 0;
    assert_true(tn_ip_may_split(ip));
    make6(ip, 1280);
    ip[6] = 0;
    assert_false(tn_ip_may_split(ip));
}

static void the_answer_to_ipv4_quotes_it_and_names_the_mtu(void **state)
{
    uint8_t ip[1400], was[1400], want[8];

    (void)state;
    make4(ip, sizeof(ip));
    memcpy(was, ip, sizeof(ip));
    assert_int_equal(tn_ip_too_big(ip, sizeof(ip), 984), 576);
    assert_int_equal(tn_ip_len(ip, 576), 576);
    assert_int_equal(tn_ip_checksum(tn_ip_sum(0, ip, 20)), 0);
    assert_memory_equal(ip + 12, was + 16, 4);
    assert_memory_equal(ip + 16, was + 12, 4);
    assert_int_equal(ip[9], 1);
    assert_int_equal(tn_ip_checksum(tn_ip_sum(0, ip + 20, 576 - 20)), 0);
    unhex_exactly(want, 8, "0304 0000 0000 03d8");
    assert_memory_equal(ip + 20, want, 2);
    assert_memory_equal(ip + 24, want + 4, 4);
    assert_memory_equal(ip + 28, was, 576 - 28);
}

static void the_answer_to_ipv6_quotes_it_and_names_the_mtu(void **state)
{
    uint8_t ip[1400], was[1400];
    uint32_t sum;

    (void)state;
    make6(ip, sizeof(ip));
    memcpy(was, ip, sizeof(ip));
    assert_int_equal(tn_ip_too_big(ip, sizeof(ip), 1280), 1280);
    assert_int_equal(tn_ip_len(ip, 1280), 1280);
    assert_memory_equal(ip + 8, was + 24, 16);
    assert_memory_equal(ip + 24, was + 8, 16);
    assert_int_equal(ip[6], 58);
    sum = tn_ip_sum(58 + 1240, ip + 8, 32);
    assert_int_equal(tn_ip_checksum(tn_ip_sum(sum, ip + 40, 1240)), 0);
    assert_int_equal(ip[40], 2);
    assert_int_equal(ip[41], 0);
    assert_int_equal(tn_get_be32(ip + 44), 1280);
    assert_memory_equal(ip + 48, was, 1280 - 48);
}

static void refused(uint8_t *ip, size_t len)
{
    uint8_t was[1400];

    memcpy(was, ip, len);
    assert_int_equal(tn_ip_too_big(ip, len, 984), 0);
    assert_memory_equal(ip, was, len);
}

static void what_may_not_be_answered_is_not(void **state)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12};
    uint8_t ip[1400];

    (void)state;
    for (size_t i = 0; i < sizeof(errors4); i++) {
        make4(ip, 1000);
        ip[9] = 1;
        ip[20] = errors4[i];
        refused(ip, 1000);
    }
    ip[20] = 8; /* an echo request is */
    assert_int_equal(tn_ip_too_big(ip, 1000, 984), 576);
    make4(ip, 1000);
    ip[7] = 1; /* a later fragment */
    refused(ip, 1000);
    make4(ip, 1000);
    ip[12] = 224; /* from a group */
    refused(ip, 1000);
    ip[12] = 0;
    refused(ip, 1000);
    make4(ip, 1000);
    ip[16] = 255; /* to all */
    refused(ip, 1000);
    make4(ip, 1000);
    ip[0] = 0x44; /* a header shorter than itself */
    refused(ip, 1000);
    make4(ip, 500); /* nothing so short is too big */
    refused(ip, 500);
    make6(ip, 1300);
    ip[6] = 58;
    ip[40] = 1;
    refused(ip, 1300);
    make6(ip, 1300);
    ip[8] = 0xff;
    refused(ip, 1300);
    make6(ip, 1300);
    ip[24] = 0xff;
    refused(ip, 1300);
    make6(ip, 1300);
    memset(ip + 8, 0, 16);
    refused(ip, 1300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_that_of_rfc_1071),
        cmocka_unit_test(a_length_is_believed_only_where_it_can_be),
        cmocka_unit_test(only_ipv4_without_the_bit_may_be_split),
        cmocka_unit_test(the_answer_to_ipv4_quotes_it_and_names_the_mtu),
        cmocka_unit_test(the_answer_to_ipv6_quotes_it_and_names_the_mtu),
        cmocka_unit_test(what_may_not_be_answered_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
