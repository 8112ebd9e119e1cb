/* Requests and answers: laid out by the figures of RFC 6886 sections 3.2 to 3.5. Answers marked so
 * are what miniupnpd 2.3.1 sent. */
#include "hexed.h"
#include "tund/gateway/natpmp.h"

static const char address_answer[] = "0080 0000 00000001 37020102";          /* miniupnpd */
static const char map_answer[] = "0081 0000 00000001 ca6c ca6c 00001c20";     /* miniupnpd */
static const char deleted_answer[] = "0081 0000 00000001 ca6c 0000 00000000"; /* miniupnpd */

static bool takes(const uint8_t *data, size_t len)
{
    struct natpmp_answer a;

    return natpmp_decode(&a, data, len) == 0;
}

static void requests_look_as_in_the_rfc(void **state)
{
    uint8_t ask[NATPMP_ASK_ADDRESS_LEN], map[NATPMP_ASK_MAP_LEN], want[16];

    natpmp_ask_address(ask);
    assert_memory_equal(ask, "\0\0", 2);
    natpmp_ask_map(map, false, 51820, 40001, 7200);
    assert_int_equal(unhex(want, sizeof want, "0001 0000 ca6c 9c41 00001c20"), sizeof map);
    assert_memory_equal(map, want, sizeof map);
    natpmp_ask_map(map, true, 51820, 0, 0);
    assert_int_equal(unhex(want, sizeof want, "0002 0000 ca6c 0000 00000000"), sizeof map);
    assert_memory_equal(map, want, sizeof map);
}

static void answers_of_a_real_gateway_are_understood(void **state)
{
    const struct tn_addr outside = ip4(55, 2, 1, 2);
    struct natpmp_answer a;
    uint8_t msg[32];
    size_t len = unhex(msg, sizeof msg, address_answer);

    assert_int_equal(natpmp_decode(&a, msg, len), 0);
    assert_int_equal(a.op, NATPMP_ADDRESS);
    assert_int_equal(a.epoch_s, 1);
    assert_true(tn_addr_equal(&a.external, &outside));
    len = unhex(msg, sizeof msg, map_answer);
    assert_int_equal(natpmp_decode(&a, msg, len), 0);
    assert_int_equal(a.op, NATPMP_MAP_UDP);
    assert_int_equal(a.internal_port, 51820);
    assert_int_equal(a.external_port, 51820);
    assert_int_equal(a.lifetime_s, 7200);
    len = unhex(msg, sizeof msg, deleted_answer);
    assert_int_equal(natpmp_decode(&a, msg, len), 0);
    assert_int_equal(a.lifetime_s, 0);
}

static void an_error_may_be_short_or_long(void **state)
{
    struct natpmp_answer a;
    uint8_t msg[32];
    size_t len = unhex(msg, sizeof msg, "0081 0001 00000007"); /* as to a PCP request */

    assert_int_equal(natpmp_decode(&a, msg, len), 0);
    assert_int_equal(a.result, NATPMP_UNSUPPORTED_VERSION);
    len = unhex(msg, sizeof msg, "0081 0002 00000007 ca6c 0000 00000000");
    assert_int_equal(natpmp_decode(&a, msg, len), 0);
    assert_int_equal(a.result, NATPMP_NOT_AUTHORIZED);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const bad[] = {
        "0000 0000 00000001 37020102",               /* a request's operation */
        "0280 0000 00000001 37020102",               /* another version */
        "0083 0000 00000001 ca6c ca6c 00001c20",     /* an operation that there is not */
        "0080 0000 00000001 37020102 00",            /* a byte too many */
        "0080 0000 00000001 37020102 00000000",      /* a map's length */
        "0081 0000 00000001 ca6c ca6c",              /* an address's length */
        "0081 0000 00000001",                        /* a success as short as an error */
        "0081 0002 00000001 ca6c",                   /* an error of a length in between */
        "0081 0000 00000001 ca6c ca6c 00001c20 0000",
    };
    uint8_t msg[32];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t len = unhex(msg, sizeof msg, bad[i]);

        assert_false(takes(msg, len));
    }
}

static void answers_cut_at_any_length_are_refused_and_flips_are_what_they_say(void **state)
{
    const char *const good[] = {address_answer, map_answer};
    uint8_t msg[32];

    for (size_t i = 0; i < 2; i++) {
        size_t len = unhex(msg, sizeof msg, good[i]);

        assert_int_equal(cuts_taken(msg, len, takes), 0);
        /* There is no checksum: refused are the bits of the version and of the operation. A result
         * that is not 0 is an error of full length. */
        assert_int_equal(flips_refused(msg, len, takes), 16);
    }
}

static void a_failed_decode_touches_nothing(void **state)
{
    struct natpmp_answer a, before;
    uint8_t msg[32];
    size_t len = unhex(msg, sizeof msg, map_answer);

    memset(&a, 0x5a, sizeof a);
    before = a;
    assert_int_equal(natpmp_decode(&a, msg, len - 1), TN_EINVAL);
    assert_memory_equal(&a, &before, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_look_as_in_the_rfc),
        cmocka_unit_test(answers_of_a_real_gateway_are_understood),
        cmocka_unit_test(an_error_may_be_short_or_long),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(answers_cut_at_any_length_are_refused_and_flips_are_what_they_say),
        cmocka_unit_test(a_failed_decode_touches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
