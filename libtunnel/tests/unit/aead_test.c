#include "libtunnel/base/bytes.h"
#include "libtunnel/crypto/crypto.h"
#include "vectors.h"
#include "wycheproof.h"

static const char rfc_sunscreen[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";

/* RFC 8439, section 2.8.2. */
static void the_sealing_vector_of_the_rfc_comes_out(void **state)
{
    uint8_t key[32], nonce[12], ad[12], want[130], out[130];
    size_t len = sizeof(rfc_sunscreen) - 1;

    (void)state;
    unhex_exactly(key, 32, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    unhex_exactly(nonce, 12, "070000004041424344454647");
    unhex_exactly(ad, 12, "50515253c0c1c2c3c4c5c6c7");
    unhex_exactly(want, sizeof(want),
                  "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                  "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                  "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                  "3ff4def08e4b7a9de576d26586cec64b6116"
                  "1ae10b594f09e26a7e902ecbd0600691");
    tn_aead_seal_nonce(out, (const uint8_t *)rfc_sunscreen, len, ad, 12, nonce, key);
    assert_memory_equal(out, want, sizeof(want));
}

/* RFC 8439, appendix A.5: the first four bytes of its nonce are zero, the rest is a counter. */
static void the_opening_vector_of_the_rfc_comes_out(void **state)
{
    static const char text[] =
        "Internet-Drafts are draft documents valid for a maximum of six months and may be "
        "updated, replaced, or obsoleted by other documents at any time. It is inappropriate to "
        "use Internet-Drafts as reference material or to cite them other than as "
        "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
    uint8_t key[32], ad[12], sealed[281], out[265];

    (void)state;
    unhex_exactly(key, 32, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    unhex_exactly(ad, 12, "f33388860000000000004e91");
    unhex_exactly(sealed, sizeof(sealed),
                  "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
                  "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
                  "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
                  "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
                  "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
                  "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
                  "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
                  "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
                  "a6ad5cb4022b02709b"
                  "eead9d67890cbb22392336fea1851f38");
    assert_int_equal(tn_aead_open(out, sealed, sizeof(sealed), ad, 12, 0x0807060504030201ull, key),
                     0);
    assert_memory_equal(out, text, sizeof(out));
}

/* draft-irtf-cfrg-xchacha-03, appendix A.3.1. */
static void the_xchacha_vector_of_the_draft_comes_out(void **state)
{
    uint8_t key[32], nonce[24], ad[12], want[130], out[130];
    size_t len = sizeof(rfc_sunscreen) - 1;

    (void)state;
    unhex_exactly(key, 32, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    unhex_exactly(nonce, 24, "404142434445464748494a4b4c4d4e4f5051525354555657");
    unhex_exactly(ad, 12, "50515253c0c1c2c3c4c5c6c7");
    unhex_exactly(want, sizeof(want),
                  "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                  "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                  "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                  "21f9664c97637da9768812f615c68b13b52e"
                  "c0875924c1c7987947deafd8780acf49");
    tn_xaead_seal(out, (const uint8_t *)rfc_sunscreen, len, ad, 12, nonce, key);
    assert_memory_equal(out, want, sizeof(want));
    assert_int_equal(tn_xaead_open(out, want, sizeof(want), ad, 12, nonce, key), 0);
    assert_memory_equal(out, rfc_sunscreen, len);
}

static void wycheproof_agrees_on_every_chacha20_poly1305_case(void **state)
{
    FILE *f = open_vectors("wycheproof_chacha20_poly1305.txt");
    static struct wycheproof_case c;
    uint8_t out[1024 + 16];
    unsigned opened = 0, refused = 0, other_nonce = 0;

    (void)state;
    while (next_case(f, &c, 12)) {
        if (c.nonce_len != 12) { /* the seam takes no nonce of another length */
            assert_false(c.valid);
            other_nonce++;
            continue;
        }
        if (c.valid) {
            tn_aead_seal_nonce(out, c.msg, c.len, c.ad, c.ad_len, c.nonce, c.key);
            assert_memory_equal(out, c.sealed, c.len + 16);
            assert_int_equal(tn_aead_open_nonce(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce,
                                                c.key),
                             0);
            assert_memory_equal(out, c.msg, c.len);
            opened++;
        } else {
            assert_int_equal(tn_aead_open_nonce(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce,
                                                c.key),
                             TN_EAUTH);
            refused++;
        }
    }
    fclose(f);
    assert_int_equal(opened, 256);
    assert_int_equal(refused, 60);
    assert_int_equal(other_nonce, 9);
}

static void wycheproof_agrees_on_every_xchacha20_poly1305_case(void **state)
{
    FILE *f = open_vectors("wycheproof_xchacha20_poly1305.txt");
    static struct wycheproof_case c;
    uint8_t out[1024 + 16];
    unsigned opened = 0, refused = 0, other_nonce = 0;

    (void)state;
    while (next_case(f, &c, 24)) {
        if (c.nonce_len != 24) {
            assert_false(c.valid);
            other_nonce++;
            continue;
        }
        if (c.valid) {
            tn_xaead_seal(out, c.msg, c.len, c.ad, c.ad_len, c.nonce, c.key);
            assert_memory_equal(out, c.sealed, c.len + 16);
            assert_int_equal(
                tn_xaead_open(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce, c.key), 0);
            assert_memory_equal(out, c.msg, c.len);
            opened++;
        } else {
            assert_int_equal(
                tn_xaead_open(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce, c.key),
                TN_EAUTH);
            refused++;
        }
    }
    fclose(f);
    assert_int_equal(opened, 246);
    assert_int_equal(refused, 60);
    assert_int_equal(other_nonce, 9);
}

static void the_counter_is_the_last_eight_bytes_of_the_nonce(void **state)
{
    uint8_t key[32] = {1}, nonce[12] = {0}, a[20], b[20];

    (void)state;
    tn_put_le64(nonce + 4, 0x1122334455667788ull);
    tn_aead_seal(a, (const uint8_t *)"four", 4, NULL, 0, 0x1122334455667788ull, key);
    tn_aead_seal_nonce(b, (const uint8_t *)"four", 4, NULL, 0, nonce, key);
    assert_memory_equal(a, b, sizeof(a));
}

static void sealing_and_opening_work_in_place(void **state)
{
    uint8_t key[32] = {1}, buf[116], apart[116], plain[100];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)i;
    memcpy(buf, plain, sizeof(plain));
    tn_aead_seal(apart, plain, sizeof(plain), key, 5, 7, key);
    tn_aead_seal(buf, buf, sizeof(plain), key, 5, 7, key);
    assert_memory_equal(buf, apart, sizeof(buf));
    assert_int_equal(tn_aead_open(buf, buf, sizeof(buf), key, 5, 7, key), 0);
    assert_memory_equal(buf, plain, sizeof(plain));
}

static void each_flipped_bit_and_each_truncation_is_refused(void **state)
{
    uint8_t key[32] = {1}, ad[4] = {2}, sealed[36], out[36];

    (void)state;
    tn_aead_seal(sealed, (const uint8_t *)"twenty bytes of text", 20, ad, 4, 9, key);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_aead_open(out, sealed, 36, ad, 4, 9, key), TN_EAUTH);
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_int_equal(tn_aead_open(out, sealed, len, ad, 4, 9, key),
                         len < 16 ? TN_EINVAL : TN_EAUTH);
    assert_int_equal(tn_aead_open(out, sealed, 36, ad, 3, 9, key), TN_EAUTH);
    assert_int_equal(tn_aead_open(out, sealed, 36, ad, 4, 10, key), TN_EAUTH);
    assert_int_equal(tn_xaead_open(out, sealed, 15, ad, 4, sealed, key), TN_EINVAL);
    assert_int_equal(tn_aead_open(out, sealed, 36, ad, 4, 9, key), 0);
}

static int set_up(void **state)
{
    (void)state;
    return tn_crypto_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sealing_vector_of_the_rfc_comes_out),
        cmocka_unit_test(the_opening_vector_of_the_rfc_comes_out),
        cmocka_unit_test(the_xchacha_vector_of_the_draft_comes_out),
        cmocka_unit_test(wycheproof_agrees_on_every_chacha20_poly1305_case),
        cmocka_unit_test(wycheproof_agrees_on_every_xchacha20_poly1305_case),
        cmocka_unit_test(the_counter_is_the_last_eight_bytes_of_the_nonce),
        cmocka_unit_test(sealing_and_opening_work_in_place),
        cmocka_unit_test(each_flipped_bit_and_each_truncation_is_refused),
    };

    return cmocka_run_group_tests_name("aead", tests, set_up, NULL);
}
