/* Runs on the emulated chip: the small code against the functions of libsodium that it stands for, which
 * are linked here under their own names. */
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../small.h"
#include "libtunnel/crypto/crypto.h"

/* libsodium's SHA-512, compiled under these names (meson.build). */
int reference_sha512(unsigned char *out, const unsigned char *in, unsigned long long len);

static struct tn_rng rng;

static int seeded(void **state)
{
    tn_rng_init(&rng, (const uint8_t[32]){1, 2, 3});
    return 0;
}

static void sha512_agrees_at_each_length_to_300(void **state)
{
    static uint8_t text[300];
    uint8_t mine[64], its[64];

    tn_rng_bytes(&rng, text, sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        crypto_hash_sha512(mine, text, len);
        reference_sha512(its, text, len);
        assert_memory_equal(mine, its, 64);
    }
}

static void sha512_of_the_standard_s_examples(void **state)
{
    /* FIPS 180-4's example "abc" */
    static const uint8_t want[8] = {0xdd, 0xaf, 0x35, 0xa1, 0x93, 0x61, 0x7a, 0xba};
    uint8_t out[64];

    crypto_hash_sha512(out, (const uint8_t *)"abc", 3);
    assert_memory_equal(out, want, sizeof want);
}

/* Random, and where carries and borrows are at their worst. */
static void fill(uint8_t *out, size_t len, int round)
{
    tn_rng_bytes(&rng, out, len);
    if (round % 5 == 0)
        memset(out, 0xff, len);
    if (round % 7 == 0)
        memset(out, 0, len / 2);
    if (round % 11 == 0)
        memset(out + len / 2, 0, len - len / 2);
}

static void reduction_agrees(void **state)
{
    for (int i = 0; i < 200; i++) {
        uint8_t mine[64], its[64];

        fill(mine, sizeof mine, i);
        memcpy(its, mine, sizeof its);
        small_reduce(mine);
        sc25519_reduce(its);
        assert_memory_equal(mine, its, 32);
    }
}

static void reduction_at_the_group_order(void **state)
{
    static const uint8_t order[64] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    static const uint8_t zero[64];
    uint8_t n[64];

    for (int more = -1; more <= 1; more++) {
        uint8_t want[64] = {0};

        memcpy(n, order, sizeof n);
        n[0] = (uint8_t)(n[0] + more);
        if (more < 0)
            memcpy(want, n, sizeof want);
        else
            want[0] = (uint8_t)more;
        small_reduce(n);
        assert_memory_equal(n, want, sizeof n);
    }
    memset(n, 0, sizeof n);
    small_reduce(n);
    assert_memory_equal(n, zero, sizeof n);
}

static void multiplication_and_addition_agree(void **state)
{
    for (int i = 0; i < 200; i++) {
        uint8_t a[32], b[32], c[32], mine[32], its[32];

        fill(a, sizeof a, i);
        fill(b, sizeof b, i + 1);
        fill(c, sizeof c, i + 2);
        small_muladd(mine, a, b, c);
        sc25519_muladd(its, a, b, c);
        assert_memory_equal(mine, its, sizeof mine);
    }
}

static void multiples_of_the_base_point_agree(void **state)
{
    for (int i = 0; i < 8; i++) {
        uint8_t a[32], mine[32], its[32];
        ge25519_p3 h;

        fill(a, sizeof a, i);
        a[31] &= 127; /* libsodium's precondition */
        small_scalarmult_base(&h, a);
        ge25519_p3_tobytes(mine, &h);
        ge25519_scalarmult_base(&h, a);
        ge25519_p3_tobytes(its, &h);
        assert_memory_equal(mine, its, sizeof mine);
    }
}

static void double_multiples_agree(void **state)
{
    for (int i = 0; i < 8; i++) {
        uint8_t a[32], b[32], p[32], mine[32], its[32];
        ge25519_p3 point;
        ge25519_p2 r;

        fill(a, sizeof a, i);
        fill(b, sizeof b, i + 1);
        fill(p, sizeof p, i + 2);
        a[31] &= 15; /* below the group order, as in a signature */
        b[31] &= 15;
        p[31] &= 15;
        ge25519_scalarmult_base(&point, p);
        small_double_scalarmult_vartime(&r, a, &point, b);
        ge25519_tobytes(mine, &r);
        ge25519_double_scalarmult_vartime(&r, a, &point, b);
        ge25519_tobytes(its, &r);
        assert_memory_equal(mine, its, sizeof mine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sha512_agrees_at_each_length_to_300, seeded),
        cmocka_unit_test_setup(sha512_of_the_standard_s_examples, seeded),
        cmocka_unit_test_setup(reduction_agrees, seeded),
        cmocka_unit_test_setup(reduction_at_the_group_order, seeded),
        cmocka_unit_test_setup(multiplication_and_addition_agree, seeded),
        cmocka_unit_test_setup(multiples_of_the_base_point_agree, seeded),
        cmocka_unit_test_setup(double_multiples_agree, seeded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
