/* A NAT's behaviour on the wire and in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtunnel/base/nat.h"
#include "vectors.h"

static const char sample[] = "04 03 02 05 fffe 1000 11ff 0000";

static int decode(const uint8_t *in, size_t len, struct tn_nat *nat)
{
    struct tn_reader r;

    tn_reader_init(&r, in, len);
    tn_nat_read(&r, nat);
    return tn_reader_done(&r);
}

static void the_bytes_are_those_of_the_specification(void **state)
{
    uint8_t in[TN_NAT_WIRE_LEN], out[TN_NAT_WIRE_LEN];
    struct tn_writer w;
    struct tn_nat nat;

    (void)state;
    assert_int_equal(unhex(in, sizeof in, sample), sizeof in);
    assert_true(decode(in, sizeof in, &nat));
    assert_int_equal(nat.mapping, TN_NAT_PORT);
    assert_int_equal(nat.filtering, TN_NAT_FILTER_PORT);
    assert_int_equal(nat.ports, TN_NAT_PORTS_SEQUENTIAL);
    assert_true(nat.sure && nat.open && !nat.hairpin && !nat.reserved);
    assert_int_equal(nat.step, -2);
    assert_int_equal(nat.first_port, 4096);
    assert_int_equal(nat.last_port, 4607);
    tn_writer_init(&w, out, sizeof out);
    tn_nat_write(&w, &nat);
    assert_true(tn_writer_ok(&w));
    assert_memory_equal(in, out, sizeof in);
}

static void what_is_cut_or_unknown_is_refused_and_touches_nothing(void **state)
{
    static const char *const bad[] = {
        "06 03 02 05 fffe 1000 11ff 0000", /* mapping */
        "04 04 02 05 fffe 1000 11ff 0000", /* filtering */
        "04 03 04 05 fffe 1000 11ff 0000", /* ports */
        "04 03 02 10 fffe 1000 11ff 0000", /* a flag */
        "04 03 02 05 fffe 1200 11ff 0000", /* a range that ends before it begins */
        "04 03 02 05 fffe 1000 11ff 0001", /* what is to be zero */
    };
    uint8_t in[TN_NAT_WIRE_LEN];
    struct tn_nat nat, before;

    (void)state;
    memset(&before, 0x5a, sizeof before);
    nat = before;
    unhex(in, sizeof in, sample);
    for (size_t len = 0; len < sizeof in; len++)
        assert_false(decode(in, len, &nat));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unhex(in, sizeof in, bad[i]);
        assert_false(decode(in, sizeof in, &nat));
    }
    assert_memory_equal(&nat, &before, sizeof nat);
}

static void every_kind_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (uint8_t a = 0; a <= TN_NAT_BLOCKED; a++) {
        for (uint8_t b = 0; b < a; b++)
            assert_string_not_equal(tn_nat_mapping_name(a), tn_nat_mapping_name(b));
    }
    for (uint8_t a = 0; a <= TN_NAT_FILTER_PORT; a++) {
        for (uint8_t b = 0; b < a; b++) {
            assert_string_not_equal(tn_nat_filtering_name(a), tn_nat_filtering_name(b));
            assert_string_not_equal(tn_nat_ports_name(a), tn_nat_ports_name(b));
        }
    }
    assert_string_equal(tn_nat_mapping_name(99), "unknown");
    assert_string_equal(tn_nat_filtering_name(99), "unknown");
    assert_string_equal(tn_nat_ports_name(99), "unknown");
}

#define EIM(f) {.mapping = TN_NAT_ENDPOINT, .filtering = (f)}
#define HARD {.mapping = TN_NAT_PORT, .filtering = TN_NAT_FILTER_PORT}

static void pairs_are_judged_as_theory_has_it(void **state)
{
    static const struct {
        struct tn_nat a, b;
        enum tn_nat_pair want;
    } rows[] = {
        {EIM(TN_NAT_FILTER_PORT), EIM(TN_NAT_FILTER_PORT), TN_PAIR_PUNCH},
        {EIM(TN_NAT_FILTER_PORT), {.mapping = TN_NAT_NONE}, TN_PAIR_PUNCH},
        {EIM(TN_NAT_FILTER_NONE), HARD, TN_PAIR_PUNCH},
        {EIM(TN_NAT_FILTER_ADDRESS), HARD, TN_PAIR_PUNCH},
        {EIM(TN_NAT_FILTER_PORT), HARD, TN_PAIR_SEARCH},
        {EIM(TN_NAT_FILTER_UNKNOWN), HARD, TN_PAIR_SEARCH},
        {EIM(TN_NAT_FILTER_PORT), {.mapping = TN_NAT_ADDRESS}, TN_PAIR_SEARCH},
        {HARD, HARD, TN_PAIR_RELAY},
        {HARD, {.mapping = TN_NAT_ADDRESS}, TN_PAIR_RELAY},
        {HARD, {.mapping = TN_NAT_PORT, .open = true}, TN_PAIR_PUNCH}, /* a mapped port */
        {HARD, {.mapping = TN_NAT_BLOCKED}, TN_PAIR_BLOCKED},
        {HARD, {.mapping = TN_NAT_UNKNOWN}, TN_PAIR_UNKNOWN},
        {{.mapping = TN_NAT_UNKNOWN, .open = true}, HARD, TN_PAIR_PUNCH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tn_nat_pair(&rows[i].a, &rows[i].b), rows[i].want);
        assert_int_equal(tn_nat_pair(&rows[i].b, &rows[i].a), rows[i].want);
    }
    for (uint8_t a = 0; a <= TN_PAIR_BLOCKED; a++) {
        for (uint8_t b = 0; b < a; b++)
            assert_string_not_equal(tn_nat_pair_name(a), tn_nat_pair_name(b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_specification),
        cmocka_unit_test(what_is_cut_or_unknown_is_refused_and_touches_nothing),
        cmocka_unit_test(every_kind_has_a_word_of_its_own),
        cmocka_unit_test(pairs_are_judged_as_theory_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
