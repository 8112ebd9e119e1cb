#include "libtunnel/crypto/crypto.h"
#include "vectors.h"

static void seed_counting_up(struct tn_rng *r)
{
    uint8_t seed[32];

    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)i;
    tn_rng_init(r, seed);
}

/* Block 1 of ChaCha20 (RFC 8439, section 2.3) under the seed, then under its first 32 bytes;
 * computed with another implementation. */
static void the_stream_is_chacha20_with_fast_key_erasure(void **state)
{
    struct tn_rng r;
    uint8_t out[10], want[10];

    (void)state;
    seed_counting_up(&r);
    tn_rng_bytes(&r, out, sizeof(out));
    unhex_exactly(want, sizeof(want), "7208086dd1ee3c5d9d81");
    assert_memory_equal(out, want, sizeof(want));
    tn_rng_bytes(&r, out, sizeof(out));
    unhex_exactly(want, sizeof(want), "d5ea3aec6dc9a9d86d4a");
    assert_memory_equal(out, want, sizeof(want));
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    struct tn_rng a, b;
    uint8_t x[500], y[500];

    (void)state;
    seed_counting_up(&a);
    seed_counting_up(&b);
    for (int i = 0; i < 100; i++)
        assert_int_equal(tn_rng_u32(&a), tn_rng_u32(&b));
    tn_rng_bytes(&a, x, sizeof(x));
    tn_rng_bytes(&b, y, sizeof(y));
    assert_memory_equal(x, y, sizeof(x));
}

static void nothing_given_out_is_found_in_the_state(void **state)
{
    struct tn_rng r;
    uint8_t out[64];

    (void)state;
    seed_counting_up(&r);
    tn_rng_bytes(&r, out, sizeof(out));
    for (size_t i = 0; i + 8 <= sizeof(out); i++) {
        for (size_t j = 0; j + 8 <= sizeof(r.key); j++)
            assert_memory_not_equal(out + i, r.key + j, 8);
    }
}

static void only_the_asked_bytes_are_written_and_no_chunk_repeats(void **state)
{
    static uint8_t out[1000 + 1];
    struct tn_rng r;

    (void)state;
    seed_counting_up(&r);
    out[1000] = 0x77;
    tn_rng_bytes(&r, out, 1000);
    assert_int_equal(out[1000], 0x77);
    for (size_t i = 96; i + 96 <= 1000; i += 96)
        assert_memory_not_equal(out, out + i, 16);
}

static void numbers_below_a_bound_are_even_and_below_it(void **state)
{
    struct tn_rng r;
    unsigned seen[6] = {0};

    (void)state;
    seed_counting_up(&r);
    for (int i = 0; i < 60000; i++) {
        uint32_t v = tn_rng_below(&r, 6);

        assert_in_range(v, 0, 5);
        seen[v]++;
    }
    for (int i = 0; i < 6; i++) /* sigma is 91: more than five of them from the mean */
        assert_in_range(seen[i], 9500, 10500);
    assert_int_equal(tn_rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(tn_rng_below(&r, 0x80000001u) <= 0x80000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_is_chacha20_with_fast_key_erasure),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(nothing_given_out_is_found_in_the_state),
        cmocka_unit_test(only_the_asked_bytes_are_written_and_no_chunk_repeats),
        cmocka_unit_test(numbers_below_a_bound_are_even_and_below_it),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
