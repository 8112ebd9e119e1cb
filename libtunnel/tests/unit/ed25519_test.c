#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

struct vector {
    const char *seed, *pub, *msg, *sig;
};

/* RFC 8032, section 7.1: TEST 1, 2, 3 and SHA(abc). */
static const struct vector rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "-",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
     "b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
     "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
     "c6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
     "ebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
     "e0303dca179c138ac17ad9bef1177331a704"},
};

static void the_vectors_of_the_rfc_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
        uint8_t seed[32], pub[32], msg[64], sig[64], out[64];
        size_t len = unhex(msg, sizeof(msg), rfc8032[i].msg);

        unhex_exactly(seed, 32, rfc8032[i].seed);
        unhex_exactly(sig, 64, rfc8032[i].sig);
        unhex_exactly(pub, 32, rfc8032[i].pub);
        tn_ed25519_public(out, seed);
        assert_memory_equal(out, pub, 32);
        tn_ed25519_sign(out, msg, len, seed);
        assert_memory_equal(out, sig, 64);
        assert_int_equal(tn_ed25519_verify(sig, msg, len, pub), 0);
    }
}

static void each_flipped_bit_of_signature_message_and_key_is_refused(void **state)
{
    uint8_t seed[32] = {5}, pub[32], sig[64], msg[24] = "what the owner has said";

    (void)state;
    tn_ed25519_public(pub, seed);
    tn_ed25519_sign(sig, msg, sizeof(msg), seed);
    for (size_t bit = 0; bit < 8 * sizeof(sig); bit++) {
        sig[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_ed25519_verify(sig, msg, sizeof(msg), pub), TN_EAUTH);
        sig[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bit = 0; bit < 8 * sizeof(msg); bit++) {
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_ed25519_verify(sig, msg, sizeof(msg), pub), TN_EAUTH);
        msg[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t bit = 0; bit < 8 * sizeof(pub); bit++) {
        pub[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_ed25519_verify(sig, msg, sizeof(msg), pub), TN_EAUTH);
        pub[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(tn_ed25519_verify(sig, msg, sizeof(msg) - 1, pub), TN_EAUTH);
    assert_int_equal(tn_ed25519_verify(sig, msg, sizeof(msg), pub), 0);
}

/* S and S + L verify alike unless S is held below the group order L (RFC 8032, section 5.1.7). */
static void a_signature_with_s_above_the_group_order_is_refused(void **state)
{
    uint8_t order[32], seed[32] = {5}, pub[32], sig[64];
    unsigned carry = 0;

    (void)state;
    unhex_exactly(order, 32, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    tn_ed25519_public(pub, seed);
    tn_ed25519_sign(sig, "x", 1, seed);
    assert_int_equal(tn_ed25519_verify(sig, "x", 1, pub), 0);
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(tn_ed25519_verify(sig, "x", 1, pub), TN_EAUTH);
}

/* With a key of small order one signature fits many messages; R = the key, S = 0 would pass. */
static void keys_of_small_order_are_refused(void **state)
{
    static const char *const keys[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* not canonical */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        uint8_t pub[32], sig[64] = {0};

        unhex_exactly(pub, 32, keys[i]);
        for (int m = 0; m < 16; m++) {
            uint8_t msg = (uint8_t)m;

            sig[0] = 1; /* R = the neutral element */
            assert_int_equal(tn_ed25519_verify(sig, &msg, 1, pub), TN_EAUTH);
            memcpy(sig, pub, 32);
            assert_int_equal(tn_ed25519_verify(sig, &msg, 1, pub), TN_EAUTH);
            memset(sig, 0, sizeof(sig));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_come_out),
        cmocka_unit_test(each_flipped_bit_of_signature_message_and_key_is_refused),
        cmocka_unit_test(a_signature_with_s_above_the_group_order_is_refused),
        cmocka_unit_test(keys_of_small_order_are_refused),
    };

    return cmocka_run_group_tests_name("ed25519", tests, NULL, NULL);
}
