#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

/* RFC 7693, appendix B. */
static void the_hash_of_abc_is_that_of_the_rfc(void **state)
{
    uint8_t out[32], want[32];

    (void)state;
    unhex_exactly(want, sizeof(want),
                  "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    tn_blake2s(out, sizeof(out), NULL, 0, "abc", 3);
    assert_memory_equal(out, want, sizeof(want));
}

/* The deterministic sequence of RFC 7693, appendix E. */
static void fill_sequence(uint8_t *out, size_t len, uint32_t seed)
{
    uint32_t a = 0xDEAD4BADu * seed;
    uint32_t b = 1;

    for (size_t i = 0; i < len; i++) {
        uint32_t t = a + b;

        a = b;
        b = t;
        out[i] = (uint8_t)(t >> 24);
    }
}

static void the_grand_hash_of_the_rfc_comes_out(void **state)
{
    static const size_t out_lens[] = {16, 20, 28, 32};
    static const size_t in_lens[] = {0, 3, 64, 65, 255, 1024};
    struct tn_blake2s grand;
    uint8_t in[1024], key[32], md[32], want[32];

    (void)state;
    tn_blake2s_init(&grand, 32, NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 6; j++) {
            fill_sequence(in, in_lens[j], (uint32_t)in_lens[j]);
            tn_blake2s(md, out_lens[i], NULL, 0, in, in_lens[j]);
            tn_blake2s_update(&grand, md, out_lens[i]);

            fill_sequence(key, out_lens[i], (uint32_t)out_lens[i]);
            tn_blake2s(md, out_lens[i], key, out_lens[i], in, in_lens[j]);
            tn_blake2s_update(&grand, md, out_lens[i]);
        }
    }
    tn_blake2s_final(&grand, md);
    unhex_exactly(want, sizeof(want),
                  "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
    assert_memory_equal(md, want, sizeof(want));
}

static void every_split_of_the_input_gives_the_same_hash(void **state)
{
    uint8_t in[200], whole[32], parts[32];

    (void)state;
    fill_sequence(in, sizeof(in), 7);
    tn_blake2s(whole, 32, in, 32, in, sizeof(in));
    for (size_t a = 0; a <= sizeof(in); a++) {
        for (size_t b = a; b <= sizeof(in); b += 13) {
            struct tn_blake2s s;

            tn_blake2s_init(&s, 32, in, 32);
            tn_blake2s_update(&s, in, a);
            tn_blake2s_update(&s, in + a, b - a);
            tn_blake2s_update(&s, in + b, sizeof(in) - b);
            tn_blake2s_final(&s, parts);
            assert_memory_equal(parts, whole, 32);
        }
    }
}

static void the_output_length_is_part_of_the_hash(void **state)
{
    uint8_t full[32], part[33];

    (void)state;
    tn_blake2s(full, 32, NULL, 0, "abc", 3);
    for (size_t len = 1; len < 32; len++) {
        memset(part, 0xee, sizeof(part));
        tn_blake2s(part, len, NULL, 0, "abc", 3);
        if (len >= 4)
            assert_memory_not_equal(part, full, len);
        assert_int_equal(part[len], 0xee);
    }
}

static void an_absorbed_key_gives_the_same_hashes_again_and_again(void **state)
{
    uint8_t in[200], once[33], again[33];

    (void)state;
    fill_sequence(in, sizeof(in), 7);
    for (size_t key_len = 1; key_len <= 32; key_len++) {
        struct tn_blake2s_keyed k;

        tn_blake2s_absorb(&k, key_len, in, key_len); /* any length of key and of output */
        for (size_t len = 1; len <= sizeof(in); len++) {
            memset(once, 0xee, sizeof(once));
            memset(again, 0xee, sizeof(again));
            tn_blake2s(once, key_len, in, key_len, in, len);
            tn_blake2s_with(again, &k, in, len);
            assert_memory_equal(once, again, sizeof(once));
        }
    }
}

static void final_wipes_the_state(void **state)
{
    static const struct tn_blake2s zero;
    struct tn_blake2s s;
    uint8_t out[32];

    (void)state;
    memset(&s, 0, sizeof(s));
    tn_blake2s_init(&s, 32, "secret", 6);
    tn_blake2s_final(&s, out);
    assert_memory_equal(&s, &zero, sizeof(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_abc_is_that_of_the_rfc),
        cmocka_unit_test(the_grand_hash_of_the_rfc_comes_out),
        cmocka_unit_test(every_split_of_the_input_gives_the_same_hash),
        cmocka_unit_test(the_output_length_is_part_of_the_hash),
        cmocka_unit_test(an_absorbed_key_gives_the_same_hashes_again_and_again),
        cmocka_unit_test(final_wipes_the_state),
    };

    return cmocka_run_group_tests_name("blake2s", tests, NULL, NULL);
}
