#include <pthread.h>
#include <stdlib.h>

#include "libtunnel/crypto/backends/backends.h"
#include "vectors.h"
#include "wycheproof.h"

/* Each library that is installed, one after another; those that are not are named. */
static unsigned with_each(void (*test)(const struct tn_cipher *c))
{
    const struct tn_cipher *c;
    unsigned count = 0;

    for (size_t i = 0; (c = tn_cipher_known(i)); i++) {
        if (!c->load()) {
            print_message("# %s is not here\n", c->name);
            continue;
        }
        print_message("# %s\n", c->name);
        test(c);
        c->unload();
        count++;
    }
    return count;
}

static void agrees_with_wycheproof(const struct tn_cipher *cipher)
{
    FILE *f = open_vectors("wycheproof_chacha20_poly1305.txt");
    static struct wycheproof_case c;
    uint8_t out[1024 + 16];
    unsigned opened = 0, refused = 0;

    while (next_case(f, &c, 12)) {
        if (c.nonce_len != 12)
            continue;
        if (c.valid) {
            cipher->seal(out, c.msg, c.len, c.ad, c.ad_len, c.nonce, c.key);
            assert_memory_equal(out, c.sealed, c.len + 16);
            assert_int_equal(
                cipher->open(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce, c.key), 0);
            assert_memory_equal(out, c.msg, c.len);
            opened++;
        } else {
            assert_int_equal(
                cipher->open(out, c.sealed, c.len + 16, c.ad, c.ad_len, c.nonce, c.key), TN_EAUTH);
            refused++;
        }
    }
    fclose(f);
    assert_int_equal(opened, 256);
    assert_int_equal(refused, 60);
}

static void each_library_agrees_on_every_wycheproof_case(void **state)
{
    (void)state;
    assert_true(with_each(agrees_with_wycheproof) >= 2); /* libsodium, and OpenSSL of scripts/deps */
}

static void fill(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 7 + len);
}

/* In place, at every length up to some blocks, and at those around the MTU and the largest. */
static void seals_as_libsodium(const struct tn_cipher *c)
{
    static uint8_t want[65536 + 16], got[65536 + 16], plain[65536];
    uint8_t key[32] = {9, 8, 7}, nonce[12] = {0, 0, 0, 0, 1, 2, 3};

    for (size_t len = 0; len <= 65536; len += len < 600 ? 1 : len < 1400 ? 100 : len < 1600 ? 1 : 7993) {
        fill(plain, len);
        memcpy(got, plain, len);
        tn_aead_seal_nonce(want, plain, len, NULL, 0, nonce, key);
        c->seal(got, got, len, NULL, 0, nonce, key);
        assert_memory_equal(got, want, len + 16);
        assert_int_equal(c->open(got, got, len + 16, NULL, 0, nonce, key), 0);
        assert_memory_equal(got, plain, len);
    }
}

static void each_library_seals_as_libsodium_at_every_length(void **state)
{
    (void)state;
    with_each(seals_as_libsodium);
}

static void refuses(const struct tn_cipher *c)
{
    uint8_t key[32] = {1}, nonce[12] = {2}, sealed[36], out[36];

    c->seal(sealed, (const uint8_t *)"twenty bytes of text", 20, NULL, 0, nonce, key);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(c->open(out, sealed, 36, NULL, 0, nonce, key), TN_EAUTH);
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_int_equal(c->open(out, sealed, len, NULL, 0, nonce, key),
                         len < 16 ? TN_EINVAL : TN_EAUTH);
    nonce[0] ^= 1;
    assert_int_equal(c->open(out, sealed, 36, NULL, 0, nonce, key), TN_EAUTH);
    nonce[0] ^= 1;
    key[31] ^= 1;
    assert_int_equal(c->open(out, sealed, 36, NULL, 0, nonce, key), TN_EAUTH);
    key[31] ^= 1;
    assert_int_equal(c->open(out, sealed, 36, NULL, 0, nonce, key), 0);
    assert_memory_equal(out, "twenty bytes of text", 20);
}

static void each_library_refuses_flipped_bits_truncation_and_another_key(void **state)
{
    (void)state;
    with_each(refuses);
}

struct job {
    const struct tn_cipher *c;
    uint8_t key[32];
    unsigned wrong;
};

static void *seal_and_open_much(void *arg)
{
    struct job *j = arg;
    uint8_t want[1420 + 16], got[1420 + 16];

    for (unsigned i = 0; i < 500; i++) {
        uint8_t nonce[12] = {(uint8_t)i, (uint8_t)(i >> 8)};

        memset(got, (int)i, 1420);
        memcpy(want, got, 1420);
        tn_aead_seal_nonce(want, want, 1420, NULL, 0, nonce, j->key);
        j->c->seal(got, got, 1420, NULL, 0, nonce, j->key);
        j->wrong += memcmp(got, want, sizeof(got)) != 0;
        j->wrong += j->c->open(got, got, sizeof(got), NULL, 0, nonce, j->key) != 0;
    }
    j->c->leave();
    return NULL;
}

static void works_in_threads(const struct tn_cipher *c)
{
    struct job job[3] = {{c, {1}, 0}, {c, {2}, 0}, {c, {3}, 0}};
    pthread_t thread[3];

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, seal_and_open_much, &job[i]), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(job[i].wrong, 0);
    }
}

static void each_library_works_in_several_threads_at_once(void **state)
{
    (void)state;
    with_each(works_in_threads);
}

/* The packet's form: in place, no additional data, the counter as nonce. */
static void a_packet_is_sealed_by_the_cipher_in_use(void **state)
{
    uint8_t key[32] = {5}, a[20 + 16] = "twenty bytes of text", b[20 + 16] = "twenty bytes of text";

    (void)state;
    assert_ptr_equal(tn_cipher_in_use(), &tn_cipher_sodium);
    tn_aead_seal(a, a, 20, NULL, 0, 0x1122334455667788ull, key);
    tn_cipher_seal(b, 20, 0x1122334455667788ull, key);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(tn_cipher_open(b, sizeof(b), 0x1122334455667789ull, key), TN_EAUTH);
    assert_int_equal(tn_cipher_open(a, sizeof(a), 0x1122334455667788ull, key), 0);
    assert_memory_equal(a, "twenty bytes of text", 20);
}

static int set_up(void **state)
{
    (void)state;
    return tn_crypto_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_library_agrees_on_every_wycheproof_case),
        cmocka_unit_test(each_library_seals_as_libsodium_at_every_length),
        cmocka_unit_test(each_library_refuses_flipped_bits_truncation_and_another_key),
        cmocka_unit_test(each_library_works_in_several_threads_at_once),
        cmocka_unit_test(a_packet_is_sealed_by_the_cipher_in_use),
    };

    return cmocka_run_group_tests_name("cipher", tests, set_up, NULL);
}
