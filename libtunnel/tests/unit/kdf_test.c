/* There is no RFC vector for HMAC-BLAKE2s; these values were computed with Python's hmac and
 * hashlib, which share no code with ours. The captures in wg_capture_test.c hold the KDF too. */
#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)i;
}

static void hmac_agrees_with_another_implementation(void **state)
{
    static const struct {
        size_t key_len, len;
        const char *mac;
    } cases[] = {
        {0, 0, "eaf4bb25938f4d20e72656bbbc7a9bf63c0c18537333c35bdb67db1402661acd"},
        {32, 0, "e2641d24dfa8dd89e8cb77f1cdc77d8c006e5bebdfc4d6a3a3a6f8d5b7586fb0"},
        {32, 50, "16dbe549faeb700617b13658d2668ea0d2a8d494e950cb51ae2c25957ff0d4b2"},
        {64, 64, "16b4112bb7a7d3d85ee3baf8649046691596c5adab68f93ab0ebb4d798b8444d"},
        {65, 3, "b929fd9b297b402a8da5fd0212b683a37c91cfb8daba86fa1435a20a362eef4b"},
        {200, 129, "02a767b258f773797af6424b8d6347b9c1ed8b2cd74cd18475895f1fa9dd16f7"},
    };
    uint8_t data[256], out[32], want[32];

    (void)state;
    fill(data, sizeof(data));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unhex_exactly(want, 32, cases[i].mac);
        tn_hmac(out, data, cases[i].key_len, data, cases[i].len);
        assert_memory_equal(out, want, 32);
    }
}

static void three_outputs_agree_with_another_implementation(void **state)
{
    uint8_t ck[32], in[20], t[3][32], want[32];

    (void)state;
    fill(ck, sizeof(ck));
    fill(in, sizeof(in));
    tn_kdf(t[0], t[1], t[2], ck, in, sizeof(in));
    unhex_exactly(want, 32, "18cbf55e64e00a2363a09c38fd89641592dd48f60c25fd2486bd601e5d7fc30e");
    assert_memory_equal(t[0], want, 32);
    unhex_exactly(want, 32, "60ecbb0fb844f73d69963f933a446f25a6e09df799e48c1a03a05297d89e6cfa");
    assert_memory_equal(t[1], want, 32);
    unhex_exactly(want, 32, "6d7183c1648fb14f68129ea35a1e5f536c3c040f2eb03d7d08af69d09b110b2e");
    assert_memory_equal(t[2], want, 32);
    tn_kdf(t[0], NULL, NULL, ck, NULL, 0);
    unhex_exactly(want, 32, "7a38c34bf2b8738d7374ca77c44ecb309a11d2b2528304fa86052c365e722624");
    assert_memory_equal(t[0], want, 32);
}

static void fewer_outputs_are_the_same_as_the_first_of_more(void **state)
{
    uint8_t ck[32], three[3][32], two[2][32], one[32];

    (void)state;
    fill(ck, sizeof(ck));
    tn_kdf(three[0], three[1], three[2], ck, "in", 2);
    tn_kdf(two[0], two[1], NULL, ck, "in", 2);
    tn_kdf(one, NULL, NULL, ck, "in", 2);
    assert_memory_equal(one, three[0], 32);
    assert_memory_equal(two[0], three[0], 32);
    assert_memory_equal(two[1], three[1], 32);
}

static void an_output_may_replace_the_chaining_key_or_the_input(void **state)
{
    uint8_t ck[32], in[32], apart[2][32];

    (void)state;
    fill(ck, sizeof(ck));
    memset(in, 3, sizeof(in));
    tn_kdf(apart[0], apart[1], NULL, ck, in, sizeof(in));
    tn_kdf(ck, in, NULL, ck, in, sizeof(in));
    assert_memory_equal(ck, apart[0], 32);
    assert_memory_equal(in, apart[1], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_agrees_with_another_implementation),
        cmocka_unit_test(three_outputs_agree_with_another_implementation),
        cmocka_unit_test(fewer_outputs_are_the_same_as_the_first_of_more),
        cmocka_unit_test(an_output_may_replace_the_chaining_key_or_the_input),
    };

    return cmocka_run_group_tests_name("kdf", tests, NULL, NULL);
}
