/* The small cryptography (crypto/small/, named small_* here) against libsodium's, which the seam of this
 * program is. The vectors of the RFCs and of Wycheproof run with the small code under the seam as well:
 * x25519_small, aead_small and ed25519_small on a PC, and all tests on the chip. */
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/crypto/small/small.h"
#include "vectors.h"

#include <sodium.h>

int small_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);
void small_aead_seal_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                           const uint8_t nonce[12], const uint8_t key[32]);
int small_aead_open_nonce(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                          const uint8_t nonce[12], const uint8_t key[32]);
void small_xaead_seal(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                      const uint8_t nonce[24], const uint8_t key[32]);
int small_xaead_open(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad, size_t ad_len,
                     const uint8_t nonce[24], const uint8_t key[32]);
void small_ed25519_public(uint8_t pub[32], const uint8_t seed[32]);
void small_ed25519_sign(uint8_t sig[64], const void *msg, size_t len, const uint8_t seed[32]);
int small_ed25519_verify(const uint8_t sig[64], const void *msg, size_t len, const uint8_t pub[32]);

static struct tn_rng rng;

static int seeded(void **state)
{
    (void)state;
    tn_rng_init(&rng, (const uint8_t[32]){1, 2, 3});
    return 0;
}

/* Random, and where carries and borrows are at their worst: long runs of ones and zeros, a number next to
 * 0, to 2^255 and to 2^256. */
static void fill(uint8_t *out, size_t len, unsigned kind)
{
    tn_rng_bytes(&rng, out, len);
    switch (kind % 8) {
    case 0:
        memset(out, 0xff, len);
        break;
    case 1:
        memset(out, 0, len);
        out[0] = (uint8_t)(kind / 8);
        break;
    case 2:
        memset(out, 0xff, len);
        out[0] = (uint8_t)(0xd0 + tn_rng_below(&rng, 48));
        out[len - 1] = kind & 8 ? 0x7f : 0xff;
        break;
    case 3:
        for (size_t i = 0; i < len; i++)
            out[i] = out[i] & 1 ? 0xff : 0;
        break;
    default:
        break;
    }
}

static void x25519_agrees(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t scalar[32], point[32], mine[32] = {0}, its[32] = {0};

        fill(scalar, 32, i);
        fill(point, 32, i / 5);
        assert_int_equal(small_x25519(mine, scalar, point), tn_x25519(its, scalar, point));
        assert_memory_equal(mine, its, 32);
    }
}

static void signatures_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        uint8_t seed[32], msg[300], pub[32], mine[64], its[64];
        size_t len = i % sizeof msg;

        fill(seed, sizeof seed, i);
        fill(msg, sizeof msg, i / 3);
        tn_ed25519_public(pub, seed);
        small_ed25519_public(mine, seed);
        assert_memory_equal(mine, pub, 32);
        small_ed25519_sign(mine, msg, len, seed);
        tn_ed25519_sign(its, msg, len, seed);
        assert_memory_equal(mine, its, 64);
        assert_int_equal(small_ed25519_verify(its, msg, len, pub), 0);
    }
}

/* A key, R or S that is wrong, or only written in another way. */
static void what_libsodium_refuses_is_refused(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t seed[32], pub[32], sig[64];
        int its;

        fill(seed, sizeof seed, i);
        tn_ed25519_public(pub, seed);
        tn_ed25519_sign(sig, seed, 32, seed);
        if (i % 4 == 1)
            fill(pub, 32, i / 4);
        else if (i % 4 == 2)
            fill(sig + (i / 4 % 2 ? 32 : 0), 32, i / 8);
        else if (i % 4 == 3)
            sig[tn_rng_below(&rng, 64)] ^= (uint8_t)(1u << tn_rng_below(&rng, 8));
        its = tn_ed25519_verify(sig, seed, 32, pub);
        assert_int_equal(small_ed25519_verify(sig, seed, 32, pub), its);
        accepted += its == 0;
    }
    assert_in_range(accepted, 250, 260);
}

static void sealed_bytes_agree_at_each_length(void **state)
{
    static uint8_t msg[400], mine[416], its[416], ad[64];

    (void)state;
    for (unsigned i = 0; i < 1600; i++) {
        uint8_t key[32], nonce[24];
        size_t len = i % sizeof msg, ad_len = i % (sizeof ad + 1);

        fill(key, sizeof key, i);
        fill(nonce, sizeof nonce, i / 3);
        fill(msg, sizeof msg, i / 5);
        fill(ad, sizeof ad, i / 7);
        tn_aead_seal_nonce(its, msg, len, ad, ad_len, nonce, key);
        small_aead_seal_nonce(mine, msg, len, ad, ad_len, nonce, key);
        assert_memory_equal(mine, its, len + 16);
        assert_int_equal(small_aead_open_nonce(mine, mine, len + 16, ad, ad_len, nonce, key), 0);
        assert_memory_equal(mine, msg, len);
        tn_xaead_seal(its, msg, len, ad, ad_len, nonce, key);
        small_xaead_seal(mine, msg, len, ad, ad_len, nonce, key);
        assert_memory_equal(mine, its, len + 16);
        mine[tn_rng_below(&rng, (uint32_t)len + 16)] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(small_xaead_open(mine, mine, len + 16, ad, ad_len, nonce, key), TN_EAUTH);
    }
}

static void sha512_agrees_at_each_length_to_300(void **state)
{
    uint8_t text[300], mine[64], its[64];

    (void)state;
    tn_rng_bytes(&rng, text, sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        struct tn_sha512 s;

        tn_sha512_init(&s);
        tn_sha512_update(&s, text, len / 2);
        tn_sha512_update(&s, text + len / 2, len - len / 2);
        tn_sha512_final(&s, mine);
        crypto_hash_sha512(its, text, len);
        assert_memory_equal(mine, its, 64);
    }
}

static void numbers_modulo_the_group_order_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t n[64], a[32], b[32], c[32], mine[32], its[32];

        fill(n, sizeof n, i);
        crypto_core_ed25519_scalar_reduce(its, n);
        tn_scalar_reduce(n);
        assert_memory_equal(n, its, 32);
        fill(a, sizeof a, i);
        fill(b, sizeof b, i / 3);
        fill(c, sizeof c, i / 5);
        c[31] &= 127; /* libsodium adds 32 bytes */
        tn_scalar_muladd(mine, a, b, c);
        crypto_core_ed25519_scalar_mul(its, a, b);
        crypto_core_ed25519_scalar_add(its, its, c);
        assert_memory_equal(mine, its, 32);
    }
}

static void the_group_order_itself_is_not_canonical(void **state)
{
    uint8_t n[32];

    (void)state;
    unhex_exactly(n, 32, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    assert_false(tn_scalar_is_canonical(n));
    n[0]--;
    assert_true(tn_scalar_is_canonical(n));
    n[31] = 0xff;
    assert_false(tn_scalar_is_canonical(n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(x25519_agrees, seeded),
        cmocka_unit_test_setup(signatures_agree, seeded),
        cmocka_unit_test_setup(what_libsodium_refuses_is_refused, seeded),
        cmocka_unit_test_setup(sealed_bytes_agree_at_each_length, seeded),
        cmocka_unit_test_setup(sha512_agrees_at_each_length_to_300, seeded),
        cmocka_unit_test_setup(numbers_modulo_the_group_order_agree, seeded),
        cmocka_unit_test_setup(the_group_order_itself_is_not_canonical, seeded),
    };

    return cmocka_run_group_tests_name("small", tests, NULL, NULL);
}
