#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

static void check(const char *scalar_hex, const char *point_hex, const char *want_hex)
{
    uint8_t scalar[32], point[32], want[32], out[32];

    unhex_exactly(scalar, 32, scalar_hex);
    unhex_exactly(point, 32, point_hex);
    unhex_exactly(want, 32, want_hex);
    assert_int_equal(tn_x25519(out, scalar, point), 0);
    assert_memory_equal(out, want, 32);
}

/* RFC 7748, section 5.2. */
static void the_two_vectors_of_the_rfc_come_out(void **state)
{
    (void)state;
    check("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
          "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
          "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    check("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
          "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
          "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

/* RFC 7748, section 5.2: k, u = X25519(k, u), k, starting from the base point. */
static void iterating_a_thousand_times_gives_the_rfc_s_values(void **state)
{
    uint8_t k[32] = {9}, u[32] = {9}, out[32], want[32];

    (void)state;
    for (int i = 1; i <= 1000; i++) {
        assert_int_equal(tn_x25519(out, k, u), 0);
        memcpy(u, k, 32);
        memcpy(k, out, 32);
        if (i == 1) {
            unhex_exactly(want, 32,
                          "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
            assert_memory_equal(k, want, 32);
        }
    }
    unhex_exactly(want, 32, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    assert_memory_equal(k, want, 32);
}

/* RFC 7748, section 6.1. */
static void both_ends_of_the_rfc_s_exchange_agree(void **state)
{
    static const char *const alice =
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    static const char *const alice_public =
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    static const char *const bob =
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    static const char *const bob_public =
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
    static const char *const shared =
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    uint8_t priv[32], pub[32], want[32];

    (void)state;
    check(alice, bob_public, shared);
    check(bob, alice_public, shared);
    unhex_exactly(priv, 32, alice);
    unhex_exactly(want, 32, alice_public);
    assert_int_equal(tn_x25519_public(pub, priv), 0);
    assert_memory_equal(pub, want, 32);
    unhex_exactly(priv, 32, bob);
    unhex_exactly(want, 32, bob_public);
    assert_int_equal(tn_x25519_public(pub, priv), 0);
    assert_memory_equal(pub, want, 32);
}

static void wycheproof_agrees_on_every_case(void **state)
{
    FILE *f = open_vectors("wycheproof_x25519.txt");
    char line[512];
    unsigned seen = 0, refused = 0;

    (void)state;
    while (fgets(line, sizeof(line), f)) {
        uint8_t pub[32], priv[32], want[32], out[32];
        char *field[6];

        assert_int_equal(split_fields(line, field, 6), 6);
        unhex_exactly(pub, 32, field[2]);
        unhex_exactly(priv, 32, field[3]);
        unhex_exactly(want, 32, field[4]);
        memset(out, 0x55, sizeof(out));
        if (strstr(field[5], "ZeroSharedSecret")) {
            assert_int_equal(tn_x25519(out, priv, pub), TN_EAUTH);
            assert_int_equal(out[0], 0x55); /* untouched */
            refused++;
        } else {
            assert_int_equal(tn_x25519(out, priv, pub), 0);
            assert_memory_equal(out, want, 32);
        }
        seen++;
    }
    fclose(f);
    assert_int_equal(seen, 518);
    assert_int_equal(refused, 31);
}

/* The points of order 1, 2, 4 and 8, canonical or not: cr.yp.to/ecdh.html and RFC 7748, section 7. */
static void points_of_low_order_are_refused(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t priv[32], point[32], out[32];

    (void)state;
    memset(priv, 0x42, sizeof(priv));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        unhex_exactly(point, 32, points[i]);
        assert_int_equal(tn_x25519(out, priv, point), TN_EAUTH);
        point[31] |= 0x80; /* the high bit is ignored by RFC 7748 */
        assert_int_equal(tn_x25519(out, priv, point), TN_EAUTH);
    }
}

static void clamping_makes_no_difference_to_the_public_key(void **state)
{
    uint8_t priv[32], a[32], b[32];

    (void)state;
    memset(priv, 0xff, sizeof(priv));
    assert_int_equal(tn_x25519_public(a, priv), 0);
    tn_x25519_clamp(priv);
    assert_int_equal(priv[0] & 7, 0);
    assert_int_equal(priv[31] & 0xc0, 0x40);
    assert_int_equal(tn_x25519_public(b, priv), 0);
    assert_memory_equal(a, b, 32);
}

static int set_up(void **state)
{
    (void)state;
    return tn_crypto_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_vectors_of_the_rfc_come_out),
        cmocka_unit_test(iterating_a_thousand_times_gives_the_rfc_s_values),
        cmocka_unit_test(both_ends_of_the_rfc_s_exchange_agree),
        cmocka_unit_test(wycheproof_agrees_on_every_case),
        cmocka_unit_test(points_of_low_order_are_refused),
        cmocka_unit_test(clamping_makes_no_difference_to_the_public_key),
    };

    return cmocka_run_group_tests_name("x25519", tests, set_up, NULL);
}
