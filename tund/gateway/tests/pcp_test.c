/* Requests and answers: laid out by the figures of RFC 6887 sections 7.1, 7.2, 11.1 and 14.1. Answers
 * marked so are what miniupnpd 2.3.1 sent. */
#include "hexed.h"
#include "tund/gateway/pcp.h"

#define NONCE "6e61746c61626e6f6e636521"

static const char announce_answer[] = "02800000 00000000 00000001 000000000000000000000000"; /* miniupnpd */
static const char map_answer[] = "02810000 00001c20 00000001 000000000000000000000000" /* miniupnpd */
                                 NONCE "11000000 ca6cca6c 00000000000000000000ffff37020102";
static const char mismatch_answer[] = "0281000c 00000000 00000001 000000000000000000000000" /* miniupnpd */
                                      NONCE "11000000 ca6c0000 00000000000000000000ffff00000000";

static bool takes(const uint8_t *data, size_t len)
{
    struct pcp_answer a;

    return pcp_decode(&a, data, len) == 0;
}

static struct pcp_map asked(void)
{
    struct pcp_map m = {.protocol = 17, .internal_port = 51820};

    memcpy(m.nonce, "natlabnonce!", PCP_NONCE_LEN);
    return m;
}

static void requests_look_as_in_the_rfc(void **state)
{
    const struct tn_addr own = ip4(192, 168, 1, 2);
    uint8_t head[PCP_HEAD_LEN], msg[PCP_MAP_LEN], want[PCP_MAP_LEN];
    struct pcp_map m = asked();

    pcp_ask_announce(head, &own);
    unhex(want, sizeof want, "02000000 00000000 00000000000000000000ffffc0a80102");
    assert_memory_equal(head, want, sizeof head);
    m.external = ip4(0, 0, 0, 0);
    m.external.port = 40001;
    pcp_ask_map(msg, &own, &m, 7200);
    assert_int_equal(unhex(want, sizeof want,
                           "02010000 00001c20 00000000000000000000ffffc0a80102" NONCE
                           "11000000 ca6c9c41 00000000000000000000ffff00000000"), sizeof msg);
    assert_memory_equal(msg, want, sizeof msg);
}

static void answers_of_a_real_gateway_are_understood(void **state)
{
    struct tn_addr outside = ip4(55, 2, 1, 2);
    struct pcp_map m = asked();
    struct pcp_answer a;
    uint8_t msg[128];
    size_t len = unhex(msg, sizeof msg, announce_answer);

    assert_int_equal(pcp_decode(&a, msg, len), 0);
    assert_int_equal(a.opcode, PCP_ANNOUNCE);
    assert_int_equal(a.epoch_s, 1);
    assert_false(a.has_map);
    len = unhex(msg, sizeof msg, map_answer);
    assert_int_equal(pcp_decode(&a, msg, len), 0);
    assert_int_equal(a.result, PCP_SUCCESS);
    assert_int_equal(a.lifetime_s, 7200);
    assert_true(pcp_is_answer_to(&a, &m));
    outside.port = 51820;
    assert_true(tn_addr_equal(&a.map.external, &outside));
    len = unhex(msg, sizeof msg, mismatch_answer);
    assert_int_equal(pcp_decode(&a, msg, len), 0);
    assert_int_equal(a.result, PCP_ADDRESS_MISMATCH);
    assert_true(pcp_is_answer_to(&a, &m));
}

static void only_the_same_nonce_protocol_and_port_are_an_answer(void **state)
{
    struct pcp_answer a;
    uint8_t msg[128];
    struct pcp_map m;
    size_t len = unhex(msg, sizeof msg, map_answer);

    assert_int_equal(pcp_decode(&a, msg, len), 0);
    for (size_t bit = 0; bit < PCP_NONCE_LEN * 8; bit++) {
        m = asked();
        m.nonce[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(pcp_is_answer_to(&a, &m));
    }
    m = asked();
    m.protocol = 6;
    assert_false(pcp_is_answer_to(&a, &m));
    m = asked();
    m.internal_port++;
    assert_false(pcp_is_answer_to(&a, &m));
    len = unhex(msg, sizeof msg, announce_answer);
    assert_int_equal(pcp_decode(&a, msg, len), 0);
    m = (struct pcp_map){0};
    assert_false(pcp_is_answer_to(&a, &m));
}

static void options_are_passed_over_if_they_are_whole(void **state)
{
    static const struct {
        const char *option;
        bool good;
    } rows[] = {
        {"01000000", true},                 /* THIRD_PARTY's number, no data */
        {"02000000 03000004 00000000", true},
        {"80000003 01020300", true},        /* 3 bytes, filled up */
        {"80000004", false},                /* data are missing */
        {"80000009 0102030405060708", false},
        {"8000ffff", false},
    };
    uint8_t msg[256];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = unhex(msg, sizeof msg, map_answer);

        len += unhex(msg + len, sizeof msg - len, rows[i].option);
        assert_int_equal(takes(msg, len), rows[i].good);
    }
}

static void an_error_may_lack_the_mapping(void **state)
{
    struct pcp_answer a;
    uint8_t msg[64];
    size_t len = unhex(msg, sizeof msg, "02810004 00000e10 00000001 000000000000000000000000");

    assert_int_equal(pcp_decode(&a, msg, len), 0);
    assert_int_equal(a.result, PCP_UNSUPP_OPCODE);
    assert_false(a.has_map);
    assert_int_equal(a.lifetime_s, 3600);
    msg[3] = PCP_SUCCESS; /* a success must have it */
    assert_false(takes(msg, len));
}

static void another_version_is_heard_only_when_it_refuses_ours(void **state)
{
    struct pcp_answer a;
    uint8_t msg[64];
    size_t len = unhex(msg, sizeof msg, "01810001");

    assert_int_equal(pcp_decode(&a, msg, len), 0);
    assert_int_equal(a.version, 1);
    assert_int_equal(a.result, PCP_UNSUPP_VERSION);
    msg[3] = 0;
    assert_false(takes(msg, len));
    len = unhex(msg, sizeof msg, "00810001 00000001"); /* NAT-PMP's own */
    assert_false(takes(msg, len));
}

static void what_is_no_answer_is_refused(void **state)
{
    uint8_t msg[PCP_MESSAGE_MAX + 8] = {0};
    size_t len = unhex(msg, sizeof msg, map_answer);

    msg[1] = 0x01; /* a request */
    assert_false(takes(msg, len));
    msg[1] = 0x82; /* PEER, which we never ask */
    assert_false(takes(msg, len));
    msg[1] = 0x81;
    assert_true(takes(msg, len));
    assert_false(takes(msg, len + 1));
    assert_true(takes(msg, PCP_MESSAGE_MAX)); /* filled up with options of no length */
    assert_false(takes(msg, PCP_MESSAGE_MAX + 4));
}

static void answers_cut_at_any_length_are_refused_and_flips_are_what_they_say(void **state)
{
    uint8_t msg[128];
    size_t len = unhex(msg, sizeof msg, map_answer);

    assert_int_equal(cuts_taken(msg, len, takes), 0);
    /* There is no checksum (the nonce is compared by who asked): refused are the bits of the version and
     * of the operation. As an ANNOUNCE its nonce would be an option that does not fit. */
    assert_int_equal(flips_refused(msg, len, takes), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_look_as_in_the_rfc),
        cmocka_unit_test(answers_of_a_real_gateway_are_understood),
        cmocka_unit_test(only_the_same_nonce_protocol_and_port_are_an_answer),
        cmocka_unit_test(options_are_passed_over_if_they_are_whole),
        cmocka_unit_test(an_error_may_lack_the_mapping),
        cmocka_unit_test(another_version_is_heard_only_when_it_refuses_ours),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(answers_cut_at_any_length_are_refused_and_flips_are_what_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
