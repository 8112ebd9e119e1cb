/* base/text: base64 and hex. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/base/text.h"
#include "libtunnel/crypto/crypto.h"

static void encode(char *out, size_t cap, const void *data, size_t len, enum tn_text_base64 kind)
{
    assert_int_equal(tn_text_base64_encode(out, cap, data, len, kind), 0);
}

static int decode(const char *text, enum tn_text_base64 kind, uint8_t out[64], size_t *len)
{
    return tn_text_base64_decode(out, 64, len, text, strlen(text), kind);
}

/* RFC 4648 section 10. */
static void base64_is_as_the_rfc_shows(void **state)
{
    static const char *const padded[] = {"",     "Zg==",     "Zm8=",     "Zm9v",
                                         "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    static const char *const bare[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    char text[16];
    uint8_t back[64];
    size_t len;

    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        encode(text, sizeof(text), "foobar", n, TN_TEXT_BASE64);
        assert_string_equal(text, padded[n]);
        assert_int_equal(decode(text, TN_TEXT_BASE64, back, &len), 0);
        assert_int_equal(len, n);
        assert_memory_equal(back, "foobar", n);
        encode(text, sizeof(text), "foobar", n, TN_TEXT_BASE64URL);
        assert_string_equal(text, bare[n]);
        assert_int_equal(strlen(text), TN_TEXT_BASE64URL_LEN(n));
        assert_int_equal(decode(text, TN_TEXT_BASE64URL, back, &len), 0);
        assert_int_equal(len, n);
    }
}

static void the_alphabets_are_those_of_the_rfc(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t bytes[48];
    uint8_t back[64];
    char text[65];
    size_t len;

    (void)state;
    for (unsigned i = 0; i < 64; i += 4) {
        bytes[i / 4 * 3] = (uint8_t)(i << 2 | (i + 1) >> 4);
        bytes[i / 4 * 3 + 1] = (uint8_t)((i + 1) << 4 | (i + 2) >> 2);
        bytes[i / 4 * 3 + 2] = (uint8_t)((i + 2) << 6 | (i + 3));
    }
    encode(text, sizeof(text), bytes, sizeof(bytes), TN_TEXT_BASE64);
    assert_memory_equal(text, alphabet, 62);
    assert_string_equal(text + 62, "+/");
    assert_int_equal(decode(text, TN_TEXT_BASE64, back, &len), 0);
    assert_memory_equal(back, bytes, sizeof(bytes));
    encode(text, sizeof(text), bytes, sizeof(bytes), TN_TEXT_BASE64URL);
    assert_memory_equal(text, alphabet, 62);
    assert_string_equal(text + 62, "-_");
    assert_int_equal(decode(text, TN_TEXT_BASE64URL, back, &len), 0);
    assert_memory_equal(back, bytes, sizeof(bytes));
}

static void exactly_the_64_letters_are_taken_at_every_place(void **state)
{
    uint8_t back[64];
    size_t len;

    (void)state;
    for (unsigned place = 0; place < 8; place++) {
        unsigned standard = 0;
        unsigned url = 0;

        for (unsigned c = 0; c < 256; c++) {
            char text[9] = "AAAAAAAA";

            text[place] = (char)c;
            if (tn_text_base64_decode(back, 64, &len, text, 8, TN_TEXT_BASE64) == 0)
                standard++;
            if (tn_text_base64_decode(back, 64, &len, text, 8, TN_TEXT_BASE64URL) == 0)
                url++;
        }
        /* At the last place there may also be padding. */
        assert_int_equal(standard, place == 7 ? 65 : 64);
        assert_int_equal(url, 64);
    }
}

static void a_second_text_for_the_same_bytes_is_refused(void **state)
{
    static const char *const standard[] = {"Zg",   "Zg=",  "Zh==", "Zm9=", "Zm9vZg",  "Zg==Zm9v",
                                           "====", "A===", "=",    "==",   "Zg==\n", " Zg=",
                                           "Zm8==", "Z-==", "Zm9vYmF_"};
    static const char *const url[] = {"Z", "Zh", "Zm9", "Zg==", "Zm8=", "Zm9vY", "Zg ", "Zg\n", "Z+", "Zm9/"};
    uint8_t back[64] = {0x55};
    size_t len = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(standard) / sizeof(*standard); i++)
        assert_int_equal(decode(standard[i], TN_TEXT_BASE64, back, &len), TN_EINVAL);
    for (size_t i = 0; i < sizeof(url) / sizeof(*url); i++)
        assert_int_equal(decode(url[i], TN_TEXT_BASE64URL, back, &len), TN_EINVAL);
    assert_int_equal(back[0], 0x55);
    assert_int_equal(len, 77);
}

static void what_does_not_fit_is_refused_and_nothing_is_written(void **state)
{
    uint8_t back[4] = {1, 2, 3, 4};
    char text[9] = "unused";
    size_t len = 77;

    (void)state;
    assert_int_equal(tn_text_base64_encode(text, 8, "foobar", 6, TN_TEXT_BASE64), TN_ENOSPC);
    assert_int_equal(tn_text_base64_encode(text, 6, "foob", 4, TN_TEXT_BASE64URL), TN_ENOSPC);
    assert_int_equal(tn_text_hex_encode(text, 8, "foob", 4), TN_ENOSPC);
    assert_string_equal(text, "unused");
    assert_int_equal(tn_text_base64_decode(back, 4, &len, "Zm9vYmFy", 8, TN_TEXT_BASE64),
                     TN_ENOSPC);
    assert_int_equal(tn_text_hex_decode(back, 4, &len, "0011223344", 10), TN_ENOSPC);
    assert_memory_equal(back, ((uint8_t[]){1, 2, 3, 4}), 4);
    assert_int_equal(len, 77);
    assert_int_equal(tn_text_base64_encode(text, 9, "foobar", 6, TN_TEXT_BASE64), 0);
}

static void random_bytes_come_back_from_every_text_form(void **state)
{
    static const uint8_t seed[32] = {7};
    struct tn_rng rng;
    uint8_t bytes[64];
    uint8_t back[64];
    char text[130];
    size_t len;

    (void)state;
    tn_rng_init(&rng, seed);
    for (size_t round = 0; round < 2000; round++) {
        size_t n = tn_rng_below(&rng, 65);

        tn_rng_bytes(&rng, bytes, sizeof(bytes));
        for (int kind = TN_TEXT_BASE64; kind <= TN_TEXT_BASE64URL; kind++) {
            encode(text, sizeof(text), bytes, n, (enum tn_text_base64)kind);
            assert_int_equal(decode(text, (enum tn_text_base64)kind, back, &len), 0);
            assert_int_equal(len, n);
            assert_memory_equal(back, bytes, n);
        }
        assert_int_equal(tn_text_hex_encode(text, sizeof(text), bytes, n), 0);
        assert_int_equal(tn_text_hex_decode(back, sizeof(back), &len, text, 2 * n), 0);
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void hex_is_written_small_and_read_in_either_case(void **state)
{
    uint8_t back[64];
    char text[17];
    size_t len;
    unsigned good = 0;

    (void)state;
    assert_int_equal(
        tn_text_hex_encode(text, sizeof(text), "\x01\x23\x45\x67\x89\xab\xcd\xef", 8), 0);
    assert_string_equal(text, "0123456789abcdef");
    assert_int_equal(tn_text_hex_decode(back, 64, &len, "0123456789ABCDEF", 16), 0);
    assert_memory_equal(back, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
    assert_int_equal(tn_text_hex_decode(back, 64, &len, "012", 3), TN_EINVAL);
    for (unsigned c = 0; c < 256; c++) {
        char pair[2] = {'0', (char)c};

        if (tn_text_hex_decode(back, 64, &len, pair, 2) == 0)
            good++;
    }
    assert_int_equal(good, 22);
}

static void a_key_is_read_at_its_exact_length_only(void **state)
{
    static const char base64[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    uint8_t key[32];
    uint8_t ones[32];
    char text[TN_TEXT_KEY_BASE64_SIZE];
    char hex[TN_TEXT_KEY_HEX_SIZE];

    (void)state;
    memset(ones, 1, sizeof(ones));
    tn_text_key_to_base64(text, ones);
    assert_string_equal(text, base64);
    tn_text_key_to_hex(hex, ones);
    assert_int_equal(strlen(hex), 64);
    assert_int_equal(tn_text_key_from_base64(key, text, 44), 0);
    assert_memory_equal(key, ones, 32);
    memset(key, 9, sizeof(key));
    for (size_t n = 0; n < 44; n++)
        assert_int_equal(tn_text_key_from_base64(key, text, n), TN_EINVAL);
    for (size_t n = 0; n < 64; n++)
        assert_int_equal(tn_text_key_from_hex(key, hex, n), TN_EINVAL);
    /* 33 bytes, and 31, in as many characters. */
    text[43] = 'A';
    assert_int_equal(tn_text_key_from_base64(key, text, 44), TN_EINVAL);
    memcpy(text, base64, sizeof(base64));
    text[42] = '=';
    assert_int_equal(tn_text_key_from_base64(key, text, 44), TN_EINVAL);
    assert_int_equal(key[0], 9);
    assert_int_equal(tn_text_key_from_hex(key, hex, 64), 0);
    assert_memory_equal(key, ones, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_as_the_rfc_shows),
        cmocka_unit_test(the_alphabets_are_those_of_the_rfc),
        cmocka_unit_test(exactly_the_64_letters_are_taken_at_every_place),
        cmocka_unit_test(a_second_text_for_the_same_bytes_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused_and_nothing_is_written),
        cmocka_unit_test(random_bytes_come_back_from_every_text_form),
        cmocka_unit_test(hex_is_written_small_and_read_in_either_case),
        cmocka_unit_test(a_key_is_read_at_its_exact_length_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
