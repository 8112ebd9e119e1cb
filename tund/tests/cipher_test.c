#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/crypto/backends/backends.h"
#include "tund/cipher.h"

static struct tn_cipher slow, fast, wrong, gullible, absent;
static int loaded;

static bool load(void)
{
    loaded++;
    return true;
}

static bool not_there(void)
{
    return false;
}

static void unload(void)
{
    loaded--;
}

static void seal_slowly(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                        size_t ad_len, const uint8_t nonce[12], const uint8_t key[32])
{
    uint8_t spare[9000 + 16];

    for (int i = 0; i < 4; i++)
        tn_aead_seal_nonce(spare, in, len, ad, ad_len, nonce, key);
    tn_aead_seal_nonce(out, in, len, ad, ad_len, nonce, key);
}

/* At one length, one bit. */
static void seal_wrongly(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                         size_t ad_len, const uint8_t nonce[12], const uint8_t key[32])
{
    tn_aead_seal_nonce(out, in, len, ad, ad_len, nonce, key);
    out[0] ^= len == 127;
}

static int open_anything(uint8_t *out, const uint8_t *in, size_t len, const uint8_t *ad,
                         size_t ad_len, const uint8_t nonce[12], const uint8_t key[32])
{
    return tn_aead_open_nonce(out, in, len, ad, ad_len, nonce, key) == TN_EINVAL ? TN_EINVAL : 0;
}

static const struct tn_cipher *all(size_t i)
{
    static const struct tn_cipher *const list[] = {&slow, &absent, &wrong, &gullible, &fast};

    return i < sizeof list / sizeof list[0] ? list[i] : NULL;
}

static const struct tn_cipher *none_that_works(size_t i)
{
    static const struct tn_cipher *const list[] = {&absent, &wrong, &gullible};

    return i < sizeof list / sizeof list[0] ? list[i] : NULL;
}

static int set_up(void **state)
{
    slow = fast = wrong = gullible = absent = tn_cipher_sodium;
    slow.load = fast.load = wrong.load = gullible.load = load;
    slow.unload = fast.unload = wrong.unload = gullible.unload = unload;
    slow.seal = seal_slowly;
    wrong.seal = seal_wrongly;
    gullible.open = open_anything;
    absent.load = not_there;
    slow.name = "slow";
    fast.name = "fast";
    wrong.name = "wrong";
    gullible.name = "gullible";
    absent.name = "absent";
    loaded = 0;
    return tn_crypto_init();
}

static void the_fastest_of_those_that_are_right_is_taken(void **state)
{
    assert_ptr_equal(cipher_fastest(all), &fast);
    assert_int_equal(loaded, 1);
}

static void one_that_seals_otherwise_or_opens_what_was_forged_is_not_taken(void **state)
{
    assert_true(cipher_agrees(&fast));
    assert_false(cipher_agrees(&wrong));
    assert_false(cipher_agrees(&gullible));
    assert_ptr_equal(cipher_fastest(none_that_works), &tn_cipher_sodium);
    assert_int_equal(loaded, 0);
}

static void the_choice_is_among_those_that_are_installed(void **state)
{
    const struct tn_cipher *c, *chosen;
    bool known = false;

    cipher_choose();
    chosen = tn_cipher_in_use();
    for (size_t i = 0; (c = tn_cipher_known(i)); i++)
        known = known || c == chosen;
    assert_true(known);
    assert_true(cipher_agrees(chosen));
    tn_cipher_use(&tn_cipher_sodium);
    chosen->unload();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_fastest_of_those_that_are_right_is_taken, set_up),
        cmocka_unit_test_setup(one_that_seals_otherwise_or_opens_what_was_forged_is_not_taken,
                               set_up),
        cmocka_unit_test_setup(the_choice_is_among_those_that_are_installed, set_up),
    };

    return cmocka_run_group_tests_name("tund_cipher", tests, NULL, NULL);
}
