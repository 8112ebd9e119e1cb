/* member/invite: one line of text, and what can be wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "member_fixture.h"

#define PREFIX_LEN (sizeof(TN_INVITE_PREFIX) - 1)
#define HOST_LEN 23 /* of the fixture's coordinator */
#define CERT_AT (32 + 2 + 1 + HOST_LEN)

static size_t make(char text[TN_INVITE_TEXT_SIZE], unsigned number)
{
    struct tn_invite i;
    size_t len;

    fix_invite(&i, FIX_NETWORK, number);
    assert_int_equal(tn_invite_encode(&i, text, TN_INVITE_TEXT_SIZE, &len), 0);
    assert_int_equal(len, strlen(text));
    return len;
}

/* The bytes of an invite, with room; their number. */
static size_t bytes_of(const char *text, size_t len, uint8_t bytes[TN_INVITE_MAX_LEN + 8])
{
    size_t count;

    assert_int_equal(tn_text_base64_decode(bytes, TN_INVITE_MAX_LEN, &count, text + PREFIX_LEN,
                                           len - PREFIX_LEN, TN_TEXT_BASE64URL),
                     0);
    return count;
}

/* Reads bytes as an invite whose check value was made to match. */
static int decode_checked(uint8_t *bytes, size_t count, struct tn_invite *i)
{
    char text[TN_INVITE_TEXT_SIZE + 16] = TN_INVITE_PREFIX;
    uint8_t hash[32];

    tn_blake2s(hash, 32, NULL, 0, bytes, count - 4);
    memcpy(bytes + count - 4, hash, 4);
    assert_int_equal(tn_text_base64_encode(text + PREFIX_LEN, sizeof(text) - PREFIX_LEN, bytes,
                                           count, TN_TEXT_BASE64URL),
                     0);
    return tn_invite_decode(i, text, strlen(text));
}

static void the_foreign_invite_is_ours_letter_for_letter(void **state)
{
    char foreign[TN_INVITE_TEXT_SIZE];
    char text[TN_INVITE_TEXT_SIZE];
    size_t foreign_len = fix_vector("invite", foreign, sizeof(foreign));
    struct tn_invite i;
    struct tn_invite want;

    (void)state;
    assert_true(foreign_len > 0);
    assert_int_equal(make(text, 0), foreign_len);
    assert_string_equal(text, foreign);
    assert_int_equal(tn_invite_decode(&i, foreign, foreign_len), 0);
    fix_invite(&want, FIX_NETWORK, 0);
    assert_true(tn_cert_equal(&i.cert, &want.cert));
    assert_memory_equal(i.invite_seed, want.invite_seed, 32);
    assert_memory_equal(i.coordinator.public_key, want.coordinator.public_key, 32);
    assert_string_equal(i.coordinator.host, "coordinator.example.net");
    assert_int_equal(i.coordinator.port, 7717);
}

static void the_foreign_address_is_the_one_inside(void **state)
{
    char foreign[TN_URL_SIZE];
    char text[TN_URL_SIZE];
    struct tn_invite i;

    (void)state;
    assert_true(fix_vector("url", foreign, sizeof(foreign)) > 0);
    fix_invite(&i, FIX_NETWORK, 0);
    assert_int_equal(tn_url_encode(&i.coordinator, text, sizeof(text), NULL), 0);
    assert_string_equal(text, foreign);
}

static void the_longest_invite_fits(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    struct tn_invite i;
    struct tn_invite back;
    size_t len;

    (void)state;
    fix_invite(&i, FIX_NETWORK, 1);
    memset(i.coordinator.host, 'a', 253);
    i.coordinator.host[60] = i.coordinator.host[120] = i.coordinator.host[180] = '.';
    i.coordinator.host[240] = '.';
    memset(i.cert.name, 'b', 63);
    memset(i.cert.network, 'c', 63);
    fix_cert_resign(&i.cert, FIX_NETWORK);
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text), &len), 0);
    assert_int_equal(len, TN_INVITE_TEXT_SIZE - 1);
    assert_int_equal(tn_invite_decode(&back, text, len), 0);
    assert_string_equal(back.coordinator.host, i.coordinator.host);
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text) - 1, &len), TN_ENOSPC);
}

static void blanks_around_an_invite_are_passed_over(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    char wide[TN_INVITE_TEXT_SIZE + 16];
    struct tn_invite i;
    size_t len = make(text, 1);

    (void)state;
    memcpy(wide, " \t\n", 3);
    memcpy(wide + 3, text, len);
    memcpy(wide + 3 + len, " \r\n", 3);
    assert_int_equal(tn_invite_decode(&i, wide, len + 6), 0);
    memmove(wide + 53, wide + 50, len - 44);
    memcpy(wide + 50, "\r\n ", 3); /* but not those inside: the line was broken */
    assert_int_equal(tn_invite_decode(&i, wide, len + 9), TN_EINVAL);
}

static void what_is_no_invite_is_named_as_such(void **state)
{
    static const char *const bad[] = {"", " \n", "tund-invite-1", "tund-invite-2.AAAA", "hello",
                                      "tund://host:7717/", "Tund-Invite-1.AAAA"};
    struct tn_invite i;

    (void)state;
    for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++)
        assert_int_equal(tn_invite_decode(&i, bad[k], strlen(bad[k])), TN_ENOENT);
}

static void every_mistyped_letter_is_a_typing_mistake(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                  "+/=., \n\x80\xff";
    char text[TN_INVITE_TEXT_SIZE];
    struct tn_invite i, wiped;
    size_t len = make(text, 1);

    (void)state;
    memset(&i, 0x55, sizeof(i));
    memset(&wiped, 0, sizeof(wiped));
    for (size_t at = PREFIX_LEN; at < len; at++) {
        char right = text[at];

        for (size_t k = 0; k < sizeof(letters); k++) { /* the NUL too */
            text[at] = letters[k];
            if (letters[k] != right)
                assert_int_equal(tn_invite_decode(&i, text, len), TN_EINVAL);
        }
        text[at] = right;
    }
    assert_memory_equal(&i, &wiped, sizeof(i)); /* nothing of a secret that may be a letter off */
    assert_int_equal(tn_invite_decode(&i, text, len), 0);
}

static void two_letters_exchanged_are_a_typing_mistake(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    struct tn_invite i;
    size_t len = make(text, 1);

    (void)state;
    for (size_t at = PREFIX_LEN; at + 1 < len; at++) {
        char first = text[at];

        text[at] = text[at + 1];
        text[at + 1] = first;
        if (text[at] != first)
            assert_int_equal(tn_invite_decode(&i, text, len), TN_EINVAL);
        text[at + 1] = text[at];
        text[at] = first;
    }
}

static void an_invite_cut_anywhere_or_with_a_letter_more_is_refused(void **state)
{
    char text[TN_INVITE_TEXT_SIZE + 1];
    struct tn_invite i;
    size_t len = make(text, 1);

    (void)state;
    for (size_t n = 0; n < len; n++)
        assert_int_equal(tn_invite_decode(&i, text, n), n < PREFIX_LEN ? TN_ENOENT : TN_EINVAL);
    for (unsigned c = 0; c < 256; c++) {
        text[len] = (char)c;
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            assert_int_equal(tn_invite_decode(&i, text, len + 1), TN_EINVAL);
    }
}

static void an_altered_invite_is_refused_even_when_its_check_matches(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    uint8_t bytes[TN_INVITE_MAX_LEN + 8];
    struct tn_invite i;
    size_t count = bytes_of(text, make(text, 1), bytes);
    unsigned denied = 0;
    unsigned forged = 0;

    (void)state;
    /* Certificate and seed; where the coordinator is, nobody signs. */
    for (size_t bit = CERT_AT * 8; bit < (count - 4) * 8; bit++) {
        int err;

        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        err = decode_checked(bytes, count, &i);
        denied += err == TN_EDENIED;
        forged += err == TN_EAUTH;
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(denied + forged, (count - 4 - CERT_AT) * 8);
    assert_true(denied > 0 && forged > 32 * 8);
    assert_int_equal(decode_checked(bytes, count, &i), 0);
}

static void bytes_cut_or_added_are_refused_even_when_the_check_matches(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    uint8_t bytes[TN_INVITE_MAX_LEN + 8] = {0};
    uint8_t copy[TN_INVITE_MAX_LEN + 8];
    struct tn_invite i;
    size_t count = bytes_of(text, make(text, 1), bytes);

    (void)state;
    for (size_t n = 4; n < count; n++) {
        memcpy(copy, bytes, sizeof(copy));
        assert_int_equal(decode_checked(copy, n, &i), TN_EDENIED);
    }
    memcpy(copy, bytes, sizeof(copy));
    assert_int_equal(decode_checked(copy, count + 1, &i), TN_EDENIED);
}

static void a_coordinator_that_cannot_be_is_denied(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    uint8_t bytes[TN_INVITE_MAX_LEN + 8];
    uint8_t copy[TN_INVITE_MAX_LEN + 8];
    struct tn_invite i;
    size_t count = bytes_of(text, make(text, 1), bytes);

    (void)state;
    memcpy(copy, bytes, sizeof(copy));
    memset(copy, 0, 32); /* key */
    assert_int_equal(decode_checked(copy, count, &i), TN_EDENIED);
    memcpy(copy, bytes, sizeof(copy));
    memset(copy + 32, 0, 2); /* port */
    assert_int_equal(decode_checked(copy, count, &i), TN_EDENIED);
    memcpy(copy, bytes, sizeof(copy));
    copy[35] = '\0'; /* host */
    assert_int_equal(decode_checked(copy, count, &i), TN_EDENIED);
    memcpy(copy, bytes, sizeof(copy));
    copy[35 + HOST_LEN - 1] = '\0'; /* a NUL at its end: a second encoding of a shorter one */
    assert_int_equal(decode_checked(copy, count, &i), TN_EDENIED);
    memcpy(copy, bytes, sizeof(copy));
    copy[34] = 254;
    assert_int_equal(decode_checked(copy, count, &i), TN_EDENIED);
}

static void an_invite_with_another_seed_is_neither_written_nor_read(void **state)
{
    char text[TN_INVITE_TEXT_SIZE] = "unused";
    uint8_t bytes[TN_INVITE_MAX_LEN + 8];
    struct tn_invite i;
    size_t count;

    (void)state;
    fix_invite(&i, FIX_NETWORK, 1);
    fix_seed(i.invite_seed, FIX_SEED_INVITE, 2);
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text), NULL), TN_EAUTH);
    assert_string_equal(text, "unused");
    count = bytes_of(text, make(text, 1), bytes);
    fix_seed(bytes + count - 36, FIX_SEED_INVITE, 2);
    assert_int_equal(decode_checked(bytes, count, &i), TN_EAUTH);
}

static void an_impossible_invite_is_not_written(void **state)
{
    char text[TN_INVITE_TEXT_SIZE] = "unused";
    char full[TN_INVITE_TEXT_SIZE];
    struct tn_invite good;
    struct tn_invite i;

    (void)state;
    fix_invite(&good, FIX_NETWORK, 1);
    i = good;
    i.coordinator.port = 0;
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text), NULL), TN_EINVAL);
    i = good;
    i.cert.flags = 0x80;
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text), NULL), TN_EINVAL);
    i = good;
    i.cert.not_after_s++;
    assert_int_equal(tn_invite_encode(&i, text, sizeof(text), NULL), TN_EAUTH);
    assert_string_equal(text, "unused");
    for (size_t cap = 0, need = make(full, 1) + 1; cap < need; cap++)
        assert_int_equal(tn_invite_encode(&good, text, cap, NULL), TN_ENOSPC);
    assert_string_equal(text, "unused");
}

static void an_expired_invite_is_read_so_that_it_can_be_named_expired(void **state)
{
    char text[TN_INVITE_TEXT_SIZE];
    struct tn_invite i;
    size_t len = make(text, 1);

    (void)state;
    assert_int_equal(tn_invite_decode(&i, text, len), 0);
    assert_true(tn_cert_is_expired(&i.cert, FIX_NOT_AFTER_S + 1));
}

static void a_wiped_invite_holds_nothing(void **state)
{
    struct tn_invite i;
    struct tn_invite zero;

    (void)state;
    fix_invite(&i, FIX_NETWORK, 1);
    memset(&zero, 0, sizeof(zero));
    tn_invite_wipe(&i);
    assert_memory_equal(&i, &zero, sizeof(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_foreign_invite_is_ours_letter_for_letter),
        cmocka_unit_test(the_foreign_address_is_the_one_inside),
        cmocka_unit_test(the_longest_invite_fits),
        cmocka_unit_test(blanks_around_an_invite_are_passed_over),
        cmocka_unit_test(what_is_no_invite_is_named_as_such),
        cmocka_unit_test(every_mistyped_letter_is_a_typing_mistake),
        cmocka_unit_test(two_letters_exchanged_are_a_typing_mistake),
        cmocka_unit_test(an_invite_cut_anywhere_or_with_a_letter_more_is_refused),
        cmocka_unit_test(an_altered_invite_is_refused_even_when_its_check_matches),
        cmocka_unit_test(bytes_cut_or_added_are_refused_even_when_the_check_matches),
        cmocka_unit_test(a_coordinator_that_cannot_be_is_denied),
        cmocka_unit_test(an_invite_with_another_seed_is_neither_written_nor_read),
        cmocka_unit_test(an_impossible_invite_is_not_written),
        cmocka_unit_test(an_expired_invite_is_read_so_that_it_can_be_named_expired),
        cmocka_unit_test(a_wiped_invite_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
