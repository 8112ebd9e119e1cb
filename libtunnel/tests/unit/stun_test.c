/* Vectors: RFC 5769 sections 2.1 to 2.3, typed from the RFC. */
#include "libtunnel/path/stun.h"
#include "vectors.h"

static const char rfc5769_request[] =
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf";

static const char rfc5769_answer_v4[] =
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96";

static const char rfc5769_answer_v6[] =
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c";

static const uint8_t rfc5769_txid[12] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                         0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

static struct tn_addr addr_v4(void)
{
    const uint8_t ip[4] = {192, 0, 2, 1};

    return tn_addr_v4(ip, 32853);
}

static struct tn_addr addr_v6(void)
{
    uint8_t ip[16];

    unhex_exactly(ip, sizeof(ip), "20010db81234567800112233 44556677");
    return tn_addr_v6(ip, 32853);
}

static void the_answers_of_rfc_5769_are_understood(void **state)
{
    struct tn_addr want, got = {.port = 1};
    uint8_t msg[128];
    size_t len;

    (void)state;
    len = unhex(msg, sizeof(msg), rfc5769_answer_v4);
    assert_int_equal(tn_stun_consume_answer(msg, len, rfc5769_txid, &got), TN_OK);
    want = addr_v4();
    assert_true(tn_addr_equal(&got, &want));
    len = unhex(msg, sizeof(msg), rfc5769_answer_v6);
    assert_int_equal(tn_stun_consume_answer(msg, len, rfc5769_txid, &got), TN_OK);
    want = addr_v6();
    assert_true(tn_addr_equal(&got, &want));
}

static void an_answer_cut_at_any_length_is_refused_and_touches_nothing(void **state)
{
    const char *const answer[] = {rfc5769_answer_v4, rfc5769_answer_v6};
    const struct tn_addr before = {.port = 7};
    uint8_t msg[128];

    (void)state;
    for (size_t a = 0; a < 2; a++) {
        size_t len = unhex(msg, sizeof(msg), answer[a]);

        for (size_t cut = 0; cut < len; cut++) {
            struct tn_addr got = before;
            uint8_t *exact = malloc(cut ? cut : 1); /* for the address sanitizer */

            assert_non_null(exact);
            memcpy(exact, msg, cut);
            assert_int_equal(tn_stun_consume_answer(exact, cut, rfc5769_txid, &got), TN_EINVAL);
            assert_true(tn_addr_equal(&got, &before));
            free(exact);
        }
    }
}

static void each_flipped_bit_is_caught_by_the_fingerprint(void **state)
{
    uint8_t msg[128];
    size_t len;

    (void)state;
    len = unhex(msg, sizeof(msg), rfc5769_answer_v6);
    for (size_t bit = 0; bit < len * 8; bit++) {
        struct tn_addr got;

        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (tn_stun_consume_answer(msg, len, rfc5769_txid, &got) == TN_OK)
            /* the only ones left turn FINGERPRINT itself into an attribute that nobody knows */
            assert_true(bit / 8 >= len - 8 && bit / 8 < len - 6);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void another_transaction_is_told_apart(void **state)
{
    uint8_t msg[128], txid[12];
    struct tn_addr got = {.port = 9};
    size_t len;

    (void)state;
    len = unhex(msg, sizeof(msg), rfc5769_answer_v4);
    memcpy(txid, rfc5769_txid, 12);
    txid[11] ^= 1;
    assert_int_equal(tn_stun_consume_answer(msg, len, txid, &got), TN_EAUTH);
    assert_int_equal(got.port, 9);
}

static void a_request_gets_an_answer_of_its_own_length(void **state)
{
    const struct tn_addr src[2] = {addr_v4(), addr_v6()};
    uint8_t request[TN_STUN_MAX_LEN], answer[TN_STUN_MAX_LEN];
    struct tn_addr got;

    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        size_t want = v6 ? TN_STUN_V6_LEN : TN_STUN_V4_LEN;

        assert_int_equal(tn_stun_request(v6, rfc5769_txid, request, sizeof(request)), want);
        assert_true(tn_stun_is_message(request, want));
        assert_int_equal(tn_stun_answer(request, want, &src[v6], NULL, answer, sizeof(answer)), want);
        assert_int_equal(tn_stun_consume_answer(answer, want, rfc5769_txid, &got), TN_OK);
        assert_true(tn_addr_equal(&got, &src[v6]));
    }
}

static void the_answer_has_the_bytes_of_the_rfc(void **state)
{
    const struct tn_addr src = addr_v6();
    uint8_t request[TN_STUN_MAX_LEN], answer[TN_STUN_MAX_LEN], want[24];
    size_t len;

    (void)state;
    len = tn_stun_request(true, rfc5769_txid, request, sizeof(request));
    assert_int_equal(tn_stun_answer(request, len, &src, NULL, answer, sizeof(answer)), 44);
    unhex_exactly(want, sizeof(want), "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9");
    assert_memory_equal(answer + 20, want, 24);
    assert_memory_equal(answer, "\x01\x01\x00\x18\x21\x12\xa4\x42", 8);
}

static void a_request_without_padding_is_met_with_silence(void **state)
{
    const struct tn_addr v4 = addr_v4(), v6 = addr_v6();
    uint8_t request[TN_STUN_MAX_LEN], out[TN_STUN_MAX_LEN];

    (void)state;
    tn_stun_request(false, rfc5769_txid, request, sizeof(request));
    request[3] = 0;
    assert_int_equal(tn_stun_answer(request, 20, &v4, NULL, out, sizeof(out)), 0);
    request[3] = 12;
    assert_int_equal(tn_stun_answer(request, 32, &v4, NULL, out, sizeof(out)), 32);
    assert_int_equal(tn_stun_answer(request, 32, &v6, NULL, out, sizeof(out)), 0); /* the answer is 44 */
}

static void an_attribute_that_must_be_known_is_met_with_silence(void **state)
{
    const struct tn_addr src = addr_v4();
    uint8_t msg[128], out[TN_STUN_MAX_LEN];
    size_t len;

    (void)state;
    len = unhex(msg, sizeof(msg), rfc5769_request); /* has PRIORITY and USERNAME */
    assert_int_equal(tn_stun_answer(msg, len, &src, NULL, out, sizeof(out)), 0);
    len = tn_stun_request(false, rfc5769_txid, msg, sizeof(msg));
    msg[20] = 0x7f;
    assert_int_equal(tn_stun_answer(msg, len, &src, NULL, out, sizeof(out)), 0);
    msg[20] = 0x80; /* may be ignored */
    assert_int_equal(tn_stun_answer(msg, len, &src, NULL, out, sizeof(out)), 32);
}

static void answers_indications_and_garbage_are_never_answered(void **state)
{
    const uint16_t types[] = {0x0101, 0x0111, 0x0011, 0x0000, 0x0002, 0x0003, 0x4001, 0x8001, 0xffff};
    const struct tn_addr src = addr_v4();
    uint8_t msg[TN_STUN_MAX_LEN], out[TN_STUN_MAX_LEN];
    size_t len = tn_stun_request(false, rfc5769_txid, msg, sizeof(msg));

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        msg[0] = (uint8_t)(types[i] >> 8);
        msg[1] = (uint8_t)types[i];
        assert_int_equal(tn_stun_answer(msg, len, &src, NULL, out, sizeof(out)), 0);
    }
    msg[0] = 0;
    msg[1] = 1;
    for (size_t bit = 0; bit < 32; bit++) { /* the magic cookie */
        msg[4 + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_stun_answer(msg, len, &src, NULL, out, sizeof(out)), 0);
        msg[4 + bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void an_answer_is_never_longer_than_its_request(void **state)
{
    const struct tn_addr src[2] = {addr_v4(), addr_v6()};
    uint8_t msg[256] = {0}, out[TN_STUN_MAX_LEN];

    (void)state;
    memcpy(msg, "\x00\x01\x00\x00\x21\x12\xa4\x42", 8);
    msg[20] = 0x00;
    msg[21] = 0x26;
    for (size_t len = 0; len <= 255; len++) {
        msg[2] = 0;
        msg[3] = (uint8_t)(len - 20);
        msg[23] = (uint8_t)(len - 24);
        for (int v6 = 0; v6 < 2; v6++)
            assert_true(tn_stun_answer(msg, len, &src[v6], NULL, out, sizeof(out)) <= len);
    }
}

static void the_other_address_is_told_to_whom_has_room_for_it(void **state)
{
    uint8_t v4[4] = {192, 0, 2, 1}, o4[4] = {192, 0, 2, 9};
    uint8_t v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1}, o6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 9};
    struct tn_addr src[2] = {tn_addr_v4(v4, 40000), tn_addr_v6(v6, 40000)};
    struct tn_addr other[2] = {tn_addr_v4(o4, 3479), tn_addr_v6(o6, 3479)}, mapped, told;
    uint8_t request[TN_STUN_MAX_LEN], answer[TN_STUN_MAX_LEN], id[TN_STUN_TXID_LEN] = {7};

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t plain = i ? TN_STUN_V6_LEN : TN_STUN_V4_LEN, whole = i ? TN_STUN_OTHER_V6_LEN : TN_STUN_OTHER_V4_LEN;

        for (size_t len = plain; len <= whole; len += 4) {
            size_t want = len < whole ? plain : whole;

            assert_int_equal(tn_stun_request_of(len, id, request, sizeof(request)), len);
            assert_int_equal(tn_stun_answer(request, len, &src[i], &other[i], answer, sizeof(answer)), want);
            assert_int_equal(tn_stun_consume_other(answer, want, id, &mapped, &told), 0);
            assert_true(tn_addr_equal(&mapped, &src[i]));
            assert_int_equal(tn_addr_equal(&told, &other[i]), len == whole);
            assert_int_equal(tn_addr_is_zero(&told), len != whole);
        }
        assert_int_equal(tn_stun_answer(request, whole, &src[i], &other[!i], answer, sizeof(answer)), plain);
    }
}

static void a_request_may_be_of_any_length_that_udp_carries(void **state)
{
    static uint8_t request[2048], answer[TN_STUN_MAX_LEN];
    uint8_t id[TN_STUN_TXID_LEN] = {7}, v4[4] = {192, 0, 2, 1};
    struct tn_addr src = tn_addr_v4(v4, 40000);

    (void)state;
    for (size_t len = 0; len <= sizeof(request); len += 2) {
        bool fits = len % 4 == 0 && len >= TN_STUN_V4_LEN;

        assert_int_equal(tn_stun_request_of(len, id, request, sizeof(request)), fits ? len : 0);
        if (fits)
            assert_int_equal(tn_stun_answer(request, len, &src, NULL, answer, sizeof(answer)), TN_STUN_V4_LEN);
    }
    assert_int_equal(tn_stun_request_of(1472, id, request, 1471), 0);
    assert_int_equal(tn_stun_request_of(65504, id, request, 70000), 0); /* refused before it is written */
}

static void no_room_is_no_answer(void **state)
{
    const struct tn_addr src = addr_v4();
    uint8_t msg[TN_STUN_MAX_LEN], out[TN_STUN_MAX_LEN];

    (void)state;
    assert_int_equal(tn_stun_request(false, rfc5769_txid, msg, 31), 0);
    assert_int_equal(tn_stun_request(false, rfc5769_txid, msg, 32), 32);
    assert_int_equal(tn_stun_answer(msg, 32, &src, NULL, out, 31), 0);
}

static void two_mapped_addresses_or_none_are_refused(void **state)
{
    uint8_t msg[64] = {0};
    struct tn_addr got;

    (void)state;
    memcpy(msg, "\x01\x01\x00\x18\x21\x12\xa4\x42", 8);
    memcpy(msg + 8, rfc5769_txid, 12);
    unhex_exactly(msg + 20, 12, "002000080001a147e112a643");
    unhex_exactly(msg + 32, 12, "002000080001a147e112a643");
    assert_int_equal(tn_stun_consume_answer(msg, 44, rfc5769_txid, &got), TN_EINVAL);
    msg[3] = 12;
    assert_int_equal(tn_stun_consume_answer(msg, 32, rfc5769_txid, &got), TN_OK);
    msg[25] = 3; /* no such family */
    assert_int_equal(tn_stun_consume_answer(msg, 32, rfc5769_txid, &got), TN_EINVAL);
    msg[3] = 0;
    assert_int_equal(tn_stun_consume_answer(msg, 20, rfc5769_txid, &got), TN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answers_of_rfc_5769_are_understood),
        cmocka_unit_test(an_answer_cut_at_any_length_is_refused_and_touches_nothing),
        cmocka_unit_test(each_flipped_bit_is_caught_by_the_fingerprint),
        cmocka_unit_test(another_transaction_is_told_apart),
        cmocka_unit_test(a_request_gets_an_answer_of_its_own_length),
        cmocka_unit_test(the_answer_has_the_bytes_of_the_rfc),
        cmocka_unit_test(a_request_without_padding_is_met_with_silence),
        cmocka_unit_test(an_attribute_that_must_be_known_is_met_with_silence),
        cmocka_unit_test(answers_indications_and_garbage_are_never_answered),
        cmocka_unit_test(an_answer_is_never_longer_than_its_request),
        cmocka_unit_test(the_other_address_is_told_to_whom_has_room_for_it),
        cmocka_unit_test(a_request_may_be_of_any_length_that_udp_carries),
        cmocka_unit_test(no_room_is_no_answer),
        cmocka_unit_test(two_mapped_addresses_or_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
