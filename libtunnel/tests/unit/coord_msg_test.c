/* The messages of the control channel, against bytes typed from PROTOCOL.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/coord/msg.h"
#include "vectors.h"

#define ID "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define V4 "00000000000000000000ffff c0000201 0d96" /* 192.0.2.1:3478 */
#define V6 "20010db8000000000000000000000001 c350"  /* [2001:db8::1]:50000 */

/* 55 bytes of CHECK's padding, of which there are 165 */
#define ZERO11 "0000000000000000000000"
#define ZERO55 ZERO11 ZERO11 ZERO11 ZERO11 ZERO11

struct sample {
    const char *name;
    const char *hex;
};

/* One of each, in the order of the table in PROTOCOL.md. */
static const struct sample samples[] = {
    {"PING", "01 00 0102 00002710"},
    {"PING's answer", "81 00 0102" V4 "0000000000000007 000000006b49d200"},
    {"CANDIDATES", "02 00 0001 02 01" V4 "02" V6},
    {"CANDIDATES, none", "02 00 0001 00"},
    {"CANDIDATES' answer", "82 00 0001"},
    {"JOIN", "03 00 0002 01020304"},
    {"JOIN's answer", "83 00 0002 0000000000000009"},
    {"JOIN refused", "83 05 0002"},
    {"LOOKUP by identity", "04 00 0003 01" ID},
    {"LOOKUP by address", "04 00 0003 02 fd000000000000000000000000000001"},
    {"LOOKUP by name", "04 00 0003 03 6e6173"},
    {"LOOKUP by key", "04 00 0003 04" ID},
    {"LOOKUP's answer", "84 00 0003 01020304"},
    {"LOOKUP refused", "84 03 0003"},
    {"SYNC", "05 00 0004 0000000000000005"},
    {"SYNC's answer", "85 00 0004 0000000000000006 0000000000000009 01020304"},
    {"SYNC's answer, no more", "85 00 0004 0000000000000009 0000000000000009"},
    {"CONNECT", "06 00 0005" ID "01 03" V4},
    {"CONNECT's answer", "86 00 0005 001e 02 04" V4 "02" V6},
    {"CONNECT refused", "86 04 0005"},
    {"BIND", "07 00 0006 0001" ID},
    {"BIND's answer", "87 00 0006 ffff"},
    {"UPDATE", "08 00 0007 01020304"},
    {"UPDATE's answer", "88 00 0007 000000000000000a"},
    {"PUNCH", "40 00 0000" ID "0014 01 02" V6},
    {"NEWS", "41 00 0000 000000000000000b"},
    {"ANEW", "42 00 0000" ID},
    {"BYE", "09 00 0008"},
    {"CHECK", "0a 00 0009 c0c1c2c3c4c5c6c7" V4 "06" ZERO55 ZERO55 ZERO55},
    {"CHECK's answer", "8a 00 0009 02"},
    {"CHECK refused", "8a 0f 0009"},
    {"LINK", "0b 00 000a 03 0102 a1a2a3a4 b1b2b3b4 0000000000010000 0000000000020000"},
    {"LINK's answer", "8b 00 000a 03"},
    {"LINK refused", "8b 03 000a"},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void every_message_has_the_bytes_of_the_specification(void **state)
{
    uint8_t want[TN_MSG_MAX_LEN], got[TN_MSG_MAX_LEN];
    struct tn_msg m;
    size_t len, got_len;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        len = unhex(want, sizeof(want), samples[i].hex);
        if (tn_msg_decode(want, len, &m) ||
            tn_msg_encode(&m, got, sizeof(got), &got_len) || got_len != len ||
            memcmp(got, want, len))
            fail_msg("%s", samples[i].name);
    }
}

static void decoding_reads_each_field(void **state)
{
    uint8_t in[TN_MSG_MAX_LEN];
    struct tn_msg m;
    struct tn_addr v4 = tn_addr_v4((uint8_t[]){192, 0, 2, 1}, 3478);
    size_t len;

    (void)state;
    len = unhex(in, sizeof(in), samples[1].hex);
    assert_int_equal(tn_msg_decode(in, len, &m), 0);
    assert_int_equal(m.type, TN_MSG_PING | TN_MSG_ANSWER);
    assert_int_equal(m.request_id, 0x0102);
    assert_true(tn_addr_equal(&m.observed, &v4));
    assert_int_equal(m.roster_seq, 7);
    assert_int_equal(m.unix_s, 1800000000u);
    len = unhex(in, sizeof(in), samples[15].hex);
    assert_int_equal(tn_msg_decode(in, len, &m), 0);
    assert_int_equal(m.seq, 6);
    assert_int_equal(m.roster_seq, 9);
    assert_int_equal(m.card_len, 4);
    assert_ptr_equal(m.card, in + 20);
    len = unhex(in, sizeof(in), samples[18].hex);
    assert_int_equal(tn_msg_decode(in, len, &m), 0);
    assert_int_equal(m.delay_ms, 30);
    assert_int_equal(m.cand_count, 2);
    assert_int_equal(m.cand[0].origin, TN_CAND_PEER_REFLEXIVE);
    assert_int_equal(m.cand[1].addr.port, 50000);
    len = unhex(in, sizeof(in), samples[20].hex);
    assert_int_equal(tn_msg_decode(in, len, &m), 0);
    assert_int_equal(m.channel, 1);
    assert_int_equal(m.identity[0], 0xa0);
    assert_int_equal(m.identity[31], 0xbf);
}

/* A card or a name has no length of its own, so a cut one is a shorter one. */
static bool may_be_cut(const uint8_t *msg, size_t to)
{
    switch (msg[0]) {
    case TN_MSG_JOIN:
    case TN_MSG_UPDATE:
    case TN_MSG_LOOKUP | TN_MSG_ANSWER:
        return to > 4 && msg[1] == 0;
    case TN_MSG_LOOKUP:
        return msg[4] == TN_BY_NAME && to > 5;
    case TN_MSG_SYNC | TN_MSG_ANSWER:
        return to >= 20;
    default:
        return false;
    }
}

static void a_message_that_is_cut_anywhere_is_refused(void **state)
{
    uint8_t in[TN_MSG_MAX_LEN];
    struct tn_msg m, before;
    size_t len;

    (void)state;
    memset(&before, 0x5a, sizeof(before));
    for (size_t i = 0; i < SAMPLES; i++) {
        len = unhex(in, sizeof(in), samples[i].hex);
        for (size_t to = 0; to < len; to++) {
            uint8_t *exact = test_malloc(to + 1); /* so that a sanitizer sees a read beyond */

            memcpy(exact, in, to);
            m = before;
            if (may_be_cut(in, to)) {
                assert_int_equal(tn_msg_decode(exact, to, &m), 0);
            } else {
                if (tn_msg_decode(exact, to, &m) != TN_EINVAL)
                    fail_msg("%s cut to %zu", samples[i].name, to);
                assert_memory_equal(&m, &before, sizeof(m));
            }
            test_free(exact);
        }
    }
}

static void a_byte_too_many_is_refused(void **state)
{
    uint8_t in[TN_MSG_MAX_LEN + 1];
    struct tn_msg m;
    size_t len;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        len = unhex(in, sizeof(in), samples[i].hex);
        in[len] = 1;
        if (!may_be_cut(in, len) && tn_msg_decode(in, len + 1, &m) != TN_EINVAL)
            fail_msg("%s", samples[i].name);
    }
}

static void unknown_types_and_states_are_refused(void **state)
{
    uint8_t in[4] = {0};
    struct tn_msg m;

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        in[0] = (uint8_t)type;
        in[1] = TN_STATUS_LIMIT; /* an answer without a body */
        assert_int_equal(tn_msg_decode(in, 4, &m),
                         (type >= 0x81 && type <= 0x88) || type == 0x8a || type == 0x8b ? 0 : TN_EINVAL);
    }
    in[0] = TN_MSG_JOIN | TN_MSG_ANSWER;
    for (unsigned status = 1; status < 256; status++) {
        in[1] = (uint8_t)status;
        assert_int_equal(tn_msg_decode(in, 4, &m), status <= 15 ? 0 : TN_EINVAL);
    }
}

static void fields_out_of_their_bounds_are_refused(void **state)
{
    static const char *const bad[] = {
        "03 00 0002",                                        /* JOIN without a card */
        "04 00 0003 00 6e",                                  /* LOOKUP by nothing */
        "04 00 0003 05" ID,                                  /* by the unknown */
        "04 00 0003 01 6e6173",                              /* identity too short */
        "04 00 0003 02" ID,                                  /* address too long */
        "04 00 0003 03",                                     /* no name */
        "04 00 0003 03" ID ID,                               /* a name of 64 */
        "07 00 0006 0000" ID,                                /* channel 0 */
        "87 00 0006 0000",                                   /* the same in an answer */
        "02 00 0001 01 00" V4,                               /* no origin */
        "02 00 0001 01 05" V4,                               /* unknown origin */
        "02 00 0001 02 01" V4,                               /* one of two */
        "06 00 0005" ID "00 00",                             /* a byte behind */
        "86 00 0005 001e 0b",                                /* eleven candidates */
        "0a 00 0009 c0c1c2c3c4c5c6c7" V4 "00" ZERO55 ZERO55 ZERO55, /* from nowhere */
        "0a 00 0009 c0c1c2c3c4c5c6c7" V4 "08" ZERO55 ZERO55 ZERO55, /* from who knows where */
        "0a 00 0009 c0c1c2c3c4c5c6c7" V4 "0101" ZERO55 ZERO55 ZERO11 ZERO11 ZERO11 ZERO11
        "00000000000000000000",                                     /* padding that says something */
        "8a 00 0009 08",
        "02 00 0001 09 01" V4 "01" V4 "01" V4 "01" V4 "01" V4 "01" V4 "01" V4 "01" V4 "01" V4,
    };
    uint8_t in[TN_MSG_MAX_LEN + 1] = {TN_MSG_JOIN};
    struct tn_msg m;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len = unhex(in, sizeof(in), bad[i]);

        if (tn_msg_decode(in, len, &m) != TN_EINVAL)
            fail_msg("%s", bad[i]);
    }
    memset(in, 0, sizeof(in));
    in[0] = TN_MSG_JOIN;
    assert_int_equal(tn_msg_decode(in, 4 + TN_MSG_CARD_MAX, &m), 0);
    assert_int_equal(tn_msg_decode(in, 4 + TN_MSG_CARD_MAX + 1, &m), TN_EINVAL);
}

static void what_cannot_be_said_is_not_encoded(void **state)
{
    uint8_t card[TN_MSG_CARD_MAX + 1] = {1}, out[TN_MSG_MAX_LEN];
    struct tn_msg m = {.type = TN_MSG_JOIN, .card = card, .card_len = sizeof(card)};
    size_t len = 77;

    (void)state;
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m.card_len = 0;
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m.card_len = TN_MSG_CARD_MAX;
    m.status = TN_STATUS_LIMIT; /* a request has none */
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m = (struct tn_msg){.type = TN_MSG_BIND};
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m = (struct tn_msg){.type = TN_MSG_CANDIDATES, .cand_count = 9};
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m = (struct tn_msg){.type = TN_MSG_PUNCH | TN_MSG_ANSWER, .status = TN_STATUS_LIMIT};
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m = (struct tn_msg){.type = 0x3f};
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    m = (struct tn_msg){.type = TN_MSG_LOOKUP | TN_MSG_ANSWER, .status = TN_STATUS_NO_ANSWER};
    assert_int_equal(tn_msg_encode(&m, out, sizeof(out), &len), TN_EINVAL);
    assert_int_equal(len, 77);
}

static void a_buffer_that_is_too_small_is_never_overrun(void **state)
{
    uint8_t in[TN_MSG_MAX_LEN];
    struct tn_msg m;
    size_t len, got;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        len = unhex(in, sizeof(in), samples[i].hex);
        assert_int_equal(tn_msg_decode(in, len, &m), 0);
        for (size_t cap = 0; cap < len; cap++) {
            uint8_t *out = test_malloc(cap + 1);

            out[cap] = 0xa5;
            assert_int_equal(tn_msg_encode(&m, out, cap, &got), TN_ENOSPC);
            assert_int_equal(out[cap], 0xa5);
            test_free(out);
        }
    }
}

static void every_status_has_its_own_sentence(void **state)
{
    (void)state;
    for (unsigned a = 0; a < TN_STATUS_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(tn_status_text((uint8_t)a), tn_status_text((uint8_t)b));
    }
    assert_string_equal(tn_status_text(TN_STATUS_COUNT), "unknown status");
    assert_string_not_equal(tn_status_text(TN_STATUS_NO_ANSWER), "unknown status");
}

static void control_datagrams_are_known_by_two_bytes(void **state)
{
    uint8_t d[2];

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        d[0] = (uint8_t)first;
        d[1] = 1;
        assert_int_equal(tn_ctl_is_control(d, 2), (first >= 0x90 && first <= 0x94) || (first >= 0x97 && first <= 0x99));
        assert_false(tn_ctl_is_control(d, 1));
        d[1] = 2;
        assert_false(tn_ctl_is_control(d, 2));
    }
}

static void a_dial_back_has_the_bytes_of_the_specification(void **state)
{
    uint8_t nonce[TN_DIAL_NONCE_LEN], want[TN_CTL_DIAL_LEN], got[TN_CTL_DIAL_LEN + 1], from;

    (void)state;
    assert_int_equal(unhex(want, sizeof(want), "96 01 04 00 c0c1c2c3c4c5c6c7"), sizeof(want));
    tn_ctl_dial_encode(TN_DIAL_ADDRESS, want + 4, got);
    assert_memory_equal(got, want, sizeof(want));
    assert_true(tn_ctl_dial_decode(got, sizeof(want), &from, nonce));
    assert_int_equal(from, TN_DIAL_ADDRESS);
    assert_memory_equal(nonce, want + 4, sizeof(nonce));
    for (size_t len = 0; len <= sizeof(got); len++)
        assert_int_equal(tn_ctl_dial_decode(got, len, &from, nonce), len == sizeof(want));
    for (size_t bit = 0; bit < 32; bit++) { /* the nonce may be any */
        got[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tn_ctl_dial_decode(got, sizeof(want), &from, nonce));
        got[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_has_the_bytes_of_the_specification),
        cmocka_unit_test(decoding_reads_each_field),
        cmocka_unit_test(a_message_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(a_byte_too_many_is_refused),
        cmocka_unit_test(unknown_types_and_states_are_refused),
        cmocka_unit_test(fields_out_of_their_bounds_are_refused),
        cmocka_unit_test(what_cannot_be_said_is_not_encoded),
        cmocka_unit_test(a_buffer_that_is_too_small_is_never_overrun),
        cmocka_unit_test(every_status_has_its_own_sentence),
        cmocka_unit_test(control_datagrams_are_known_by_two_bytes),
        cmocka_unit_test(a_dial_back_has_the_bytes_of_the_specification),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
