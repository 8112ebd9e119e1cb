/* member/cert: names, addresses, and the certificate of an invite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "member_fixture.h"

static void the_foreign_certificate_is_ours_byte_for_byte(void **state)
{
    uint8_t foreign[TN_CERT_MAX_LEN];
    uint8_t bytes[TN_CERT_MAX_LEN];
    uint8_t network_seed[32];
    struct tn_cert c;
    struct tn_cert back;
    size_t foreign_len = fix_vector_bytes("certificate", foreign, sizeof(foreign));
    size_t len;

    (void)state;
    assert_true(foreign_len > 0);
    fix_cert_fields(&c, FIX_NETWORK, 0);
    memset(c.network_public, 0, 32); /* the seed tells it */
    fix_network_seed(network_seed, FIX_NETWORK);
    assert_int_equal(tn_cert_sign(&c, network_seed), 0);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, foreign_len);
    assert_memory_equal(bytes, foreign, len);
    assert_int_equal(tn_cert_decode(&back, foreign, foreign_len), 0);
    assert_true(tn_cert_equal(&back, &c));
    assert_int_equal(tn_cert_verify(&back, NULL), 0);
    assert_int_equal(tn_cert_verify(&back, c.network_public), 0);
    assert_string_equal(back.name, "laptop");
    assert_string_equal(back.network, "home");
}

static void ids_and_prefix_of_a_network_are_the_foreign_ones(void **state)
{
    uint8_t want[32];
    uint8_t pub[32];
    uint8_t id[TN_NETWORK_ID_LEN];
    uint8_t prefix[8];

    (void)state;
    fix_network_public(pub, FIX_NETWORK);
    assert_int_equal(fix_vector_bytes("network_public", want, sizeof(want)), 32);
    assert_memory_equal(pub, want, 32);
    assert_int_equal(fix_vector_bytes("network_id", want, sizeof(want)), sizeof(id));
    tn_network_id(id, pub);
    assert_memory_equal(id, want, sizeof(id));
    assert_int_equal(fix_vector_bytes("prefix6", want, sizeof(want)), sizeof(prefix));
    tn_network_prefix6(prefix, pub);
    assert_memory_equal(prefix, want, sizeof(prefix));
}

static void a_name_is_1_to_63_of_small_letters_digits_and_inner_dashes(void **state)
{
    char name[65];
    unsigned inner = 0;
    unsigned first = 0;
    unsigned last = 0;
    unsigned alone = 0;

    (void)state;
    memset(name, 'a', sizeof(name));
    for (size_t len = 0; len <= sizeof(name); len++)
        assert_int_equal(tn_name_is_valid(name, len), len >= 1 && len <= 63);
    for (unsigned c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'a'};

        inner += tn_name_is_valid(text, 3);
        first += tn_name_is_valid(text + 1, 2);
        last += tn_name_is_valid(text, 2);
        alone += tn_name_is_valid(text + 1, 1);
    }
    assert_int_equal(inner, 37);
    assert_int_equal(first, 36);
    assert_int_equal(last, 36);
    assert_int_equal(alone, 36);
}

/* Whether a certificate with this address would be signed at all. */
static int sign_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t bits)
{
    struct tn_cert cert;
    uint8_t seed[32];

    fix_cert_fields(&cert, FIX_NETWORK, 1);
    memcpy(cert.ipv4, (uint8_t[]){a, b, c, d}, 4);
    cert.ipv4_bits = bits;
    fix_network_seed(seed, FIX_NETWORK);
    return tn_cert_sign(&cert, seed);
}

static void an_ipv4_address_must_be_a_host_of_its_prefix(void **state)
{
    (void)state;
    assert_int_equal(sign_ipv4(10, 77, 0, 1, 24), 0);
    assert_int_equal(sign_ipv4(10, 77, 0, 254, 24), 0);
    assert_int_equal(sign_ipv4(10, 77, 0, 0, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 77, 0, 255, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 77, 0, 0, 23), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 77, 1, 0, 23), 0);
    assert_int_equal(sign_ipv4(10, 77, 0, 255, 23), 0);
    assert_int_equal(sign_ipv4(10, 77, 1, 255, 23), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 77, 0, 1, 30), 0);
    assert_int_equal(sign_ipv4(10, 77, 0, 2, 30), 0);
    assert_int_equal(sign_ipv4(10, 77, 0, 3, 30), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 0, 0, 1, 8), 0);
    assert_int_equal(sign_ipv4(10, 0, 0, 0, 8), TN_EINVAL);
    assert_int_equal(sign_ipv4(10, 255, 255, 255, 8), TN_EINVAL);
    assert_int_equal(sign_ipv4(100, 64, 0, 1, 10), 0);
}

static void an_ipv4_prefix_is_8_to_30_bits_long(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 256; bits++)
        assert_int_equal(sign_ipv4(10, 1, 1, 1, (uint8_t)bits),
                         bits >= 8 && bits <= 30 ? 0 : TN_EINVAL);
}

static void an_ipv4_address_that_no_host_can_have_is_refused(void **state)
{
    (void)state;
    assert_int_equal(sign_ipv4(0, 0, 0, 0, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(0, 0, 0, 1, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(127, 0, 0, 1, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(169, 254, 0, 1, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(169, 253, 0, 1, 24), 0);
    assert_int_equal(sign_ipv4(223, 1, 0, 1, 24), 0);
    assert_int_equal(sign_ipv4(224, 1, 0, 1, 24), TN_EINVAL);
    assert_int_equal(sign_ipv4(255, 255, 255, 254, 24), TN_EINVAL);
}

static void an_ipv6_address_must_be_a_host_of_the_networks_64(void **state)
{
    struct tn_cert c;

    (void)state;
    for (size_t bit = 0; bit < 64; bit++) {
        fix_cert_fields(&c, FIX_NETWORK, 1);
        assert_int_equal(tn_cert_check(&c), 0);
        c.ipv6[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(tn_cert_check(&c), TN_EINVAL);
    }
    fix_cert_fields(&c, FIX_NETWORK, 1);
    memset(c.ipv6 + 8, 0, 8);
    assert_int_equal(tn_cert_check(&c), TN_EINVAL);
    memset(c.ipv6, 0, 16);
    assert_int_equal(tn_cert_check(&c), TN_EINVAL);
}

static void flags_that_nobody_knows_are_refused(void **state)
{
    struct tn_cert c;

    (void)state;
    fix_cert_fields(&c, FIX_NETWORK, 1);
    for (unsigned flags = 0; flags < 256; flags++) {
        c.flags = (uint8_t)flags;
        assert_int_equal(tn_cert_check(&c), flags <= TN_CERT_DEVICE ? 0 : TN_EINVAL);
    }
}

static void names_without_an_end_or_against_the_rule_are_not_signed(void **state)
{
    struct tn_cert c;
    struct tn_cert before;
    uint8_t seed[32];

    (void)state;
    fix_network_seed(seed, FIX_NETWORK);
    fix_cert_fields(&c, FIX_NETWORK, 1);
    memset(c.name, 'a', sizeof(c.name));
    before = c;
    assert_int_equal(tn_cert_sign(&c, seed), TN_EINVAL);
    assert_memory_equal(&c, &before, sizeof(c));
    fix_cert_fields(&c, FIX_NETWORK, 1);
    c.network[0] = '\0';
    assert_int_equal(tn_cert_sign(&c, seed), TN_EINVAL);
    c.network[0] = 'H';
    assert_int_equal(tn_cert_sign(&c, seed), TN_EINVAL);
}

static void the_longest_and_the_shortest_names_fit(void **state)
{
    struct tn_cert c;
    struct tn_cert back;
    uint8_t bytes[TN_CERT_MAX_LEN];
    size_t len;

    (void)state;
    fix_cert_fields(&c, FIX_NETWORK, 1);
    memset(c.name, 'a', 63);
    memset(c.network, 'b', 63);
    fix_cert_resign(&c, FIX_NETWORK);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, TN_CERT_MAX_LEN);
    assert_int_equal(tn_cert_decode(&back, bytes, len), 0);
    assert_int_equal(tn_cert_verify(&back, NULL), 0);
    assert_int_equal(tn_cert_encode(&c, bytes, len - 1, &len), TN_ENOSPC);
    c.name[1] = '\0';
    c.network[1] = '\0';
    fix_cert_resign(&c, FIX_NETWORK);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(len, TN_CERT_MIN_LEN);
    assert_int_equal(tn_cert_decode(&back, bytes, len), 0);
    assert_true(tn_cert_equal(&c, &back)); /* what stands behind the NUL does not count */
    assert_int_equal(tn_cert_verify(&back, NULL), 0);
}

static void a_certificate_cut_anywhere_or_with_one_byte_more_is_refused(void **state)
{
    struct tn_cert c;
    struct tn_cert back;
    struct tn_cert before;
    uint8_t bytes[TN_CERT_MAX_LEN + 1] = {0};
    size_t len;

    (void)state;
    fix_cert(&c, FIX_NETWORK, 1);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    memset(&back, 0x55, sizeof(back));
    before = back;
    for (size_t n = 0; n < len; n++)
        assert_int_equal(tn_cert_decode(&back, bytes, n), TN_EINVAL);
    assert_int_equal(tn_cert_decode(&back, bytes, len + 1), TN_EINVAL);
    assert_memory_equal(&back, &before, sizeof(back));
}

/* A NUL behind a name leaves the decoded name, and so what was signed, as it was. */
static void a_nul_in_a_name_makes_no_second_encoding(void **state)
{
    struct tn_cert c;
    struct tn_cert back;
    uint8_t bytes[TN_CERT_MAX_LEN];
    uint8_t longer[TN_CERT_MAX_LEN];
    size_t name_at = 1 + 1 + 32 + 16 + 32 + 8 + 4 + 1 + 16;
    size_t len;
    size_t end;

    (void)state;
    fix_cert(&c, FIX_NETWORK, 1);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    assert_int_equal(bytes[name_at], strlen(c.name));
    for (int which = 0; which < 2; which++) {
        end = name_at + 1 + bytes[name_at];
        memcpy(longer, bytes, end);
        longer[end] = '\0';
        memcpy(longer + end + 1, bytes + end, len - end);
        longer[name_at]++;
        assert_int_equal(tn_cert_decode(&back, longer, len + 1), TN_EINVAL);
        name_at = end; /* the network's name follows */
    }
    assert_int_equal(name_at + 64, len); /* both names were met */
}

static void a_certificate_with_any_bit_flipped_does_not_verify(void **state)
{
    struct tn_cert c;
    struct tn_cert back;
    uint8_t bytes[TN_CERT_MAX_LEN];
    uint8_t again[TN_CERT_MAX_LEN];
    size_t len;
    size_t again_len;

    (void)state;
    fix_cert(&c, FIX_NETWORK, 1);
    assert_int_equal(tn_cert_encode(&c, bytes, sizeof(bytes), &len), 0);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (tn_cert_decode(&back, bytes, len) == 0) {
            assert_int_equal(tn_cert_verify(&back, NULL), TN_EAUTH);
            assert_false(tn_cert_equal(&back, &c));
            /* What decodes is canonical. */
            assert_int_equal(tn_cert_encode(&back, again, sizeof(again), &again_len), 0);
            assert_int_equal(again_len, len);
            assert_memory_equal(again, bytes, len);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(tn_cert_decode(&back, bytes, len), 0);
    assert_int_equal(tn_cert_verify(&back, NULL), 0);
}

static void a_certificate_of_another_network_is_denied(void **state)
{
    struct tn_cert c;
    uint8_t pub[32];

    (void)state;
    fix_cert(&c, 9, 1);
    fix_network_public(pub, FIX_NETWORK);
    assert_int_equal(tn_cert_verify(&c, NULL), 0);
    assert_int_equal(tn_cert_verify(&c, pub), TN_EDENIED);
    /* One that says our network's name and key, but is signed by another key. */
    fix_cert_fields(&c, FIX_NETWORK, 1);
    fix_cert_resign(&c, 9);
    assert_int_equal(tn_cert_verify(&c, pub), TN_EAUTH);
}

static void an_invite_expires_after_its_last_second(void **state)
{
    struct tn_cert c;

    (void)state;
    fix_cert_fields(&c, FIX_NETWORK, 1);
    assert_false(tn_cert_is_expired(&c, 0));
    assert_false(tn_cert_is_expired(&c, FIX_NOT_AFTER_S));
    assert_true(tn_cert_is_expired(&c, FIX_NOT_AFTER_S + 1));
    assert_true(tn_cert_is_expired(&c, UINT64_MAX));
}

static void the_addresses_are_those_of_the_certificate(void **state)
{
    struct tn_cert c;
    struct tn_addr a;

    (void)state;
    fix_cert_fields(&c, FIX_NETWORK, 1);
    a = tn_cert_address4(&c);
    assert_true(tn_addr_is_v4(&a));
    assert_memory_equal(a.ip + 12, c.ipv4, 4);
    assert_int_equal(a.port, 0);
    a = tn_cert_address6(&c);
    assert_false(tn_addr_is_v4(&a));
    assert_memory_equal(a.ip, c.ipv6, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_foreign_certificate_is_ours_byte_for_byte),
        cmocka_unit_test(ids_and_prefix_of_a_network_are_the_foreign_ones),
        cmocka_unit_test(a_name_is_1_to_63_of_small_letters_digits_and_inner_dashes),
        cmocka_unit_test(an_ipv4_address_must_be_a_host_of_its_prefix),
        cmocka_unit_test(an_ipv4_prefix_is_8_to_30_bits_long),
        cmocka_unit_test(an_ipv4_address_that_no_host_can_have_is_refused),
        cmocka_unit_test(an_ipv6_address_must_be_a_host_of_the_networks_64),
        cmocka_unit_test(flags_that_nobody_knows_are_refused),
        cmocka_unit_test(names_without_an_end_or_against_the_rule_are_not_signed),
        cmocka_unit_test(the_longest_and_the_shortest_names_fit),
        cmocka_unit_test(a_certificate_cut_anywhere_or_with_one_byte_more_is_refused),
        cmocka_unit_test(a_nul_in_a_name_makes_no_second_encoding),
        cmocka_unit_test(a_certificate_with_any_bit_flipped_does_not_verify),
        cmocka_unit_test(a_certificate_of_another_network_is_denied),
        cmocka_unit_test(an_invite_expires_after_its_last_second),
        cmocka_unit_test(the_addresses_are_those_of_the_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
