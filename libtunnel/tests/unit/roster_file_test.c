/* member/roster: what a file may claim, and what a power cut leaves of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roster_fixture.h"

static void fill(struct world *w, uint8_t *file, size_t *len)
{
    begin(w);
    for (unsigned n = 0; n < 5; n++)
        assert_int_equal(offer_member(w, n, 1), TN_ROSTER_ADDED);
    assert_int_equal(offer_member(w, 1, 2), TN_ROSTER_UPDATED);
    assert_int_equal(offer_member(w, 3, TN_EPOCH_LEFT), TN_ROSTER_LEFT);
    assert_int_equal(tn_roster_encode(&w->roster, file, TN_ROSTER_FILE_LEN(MAX), len), 0);
    assert_int_equal(*len, TN_ROSTER_FILE_LEN(5));
}

static void a_roster_comes_back_from_disk_as_it_was(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_roster_load report = {0};
    size_t len;

    (void)state;
    fill(&w, file, &len);
    begin(&back);
    assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), 0);
    assert_int_equal(report.loaded, 5);
    assert_int_equal(report.damaged + report.refused, 0);
    assert_int_equal(back.roster.last_seq, w.roster.last_seq);
    assert_int_equal(back.roster.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(tn_card_equal(&back.members[i].card, &w.members[i].card));
        assert_memory_equal(back.members[i].node_id, w.members[i].node_id, 8);
        assert_int_equal(back.members[i].seq, w.members[i].seq);
        assert_int_equal(back.members[i].left, i == 3);
    }
    assert_int_equal(tn_roster_encode(&w.roster, file, len - 1, &len), TN_ENOSPC);
}

static void the_epoch_floor_survives_a_restart(void **state)
{
    struct world w;
    struct world back;
    struct tn_card c;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_roster_load report;
    size_t len;

    (void)state;
    fill(&w, file, &len);
    begin(&back);
    assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), 0);
    make(&c, 1, 1);
    refuse(&back, &c, TN_EREPLAY);
    make(&c, 3, 1);
    refuse(&back, &c, TN_EREPLAY);
}

static void a_file_cut_at_any_byte_gives_its_whole_records(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    size_t len;

    (void)state;
    fill(&w, file, &len);
    len = TN_ROSTER_FILE_LEN(2);
    for (size_t n = 0; n <= len; n++) {
        struct tn_roster_load report = {77, 77, 77};
        uint8_t *cut = malloc(n ? n : 1); /* its own, so that a read past the end is seen */

        assert_non_null(cut);
        memcpy(cut, file, n);
        begin(&back);
        if (n < TN_ROSTER_HEAD_LEN) {
            assert_int_equal(tn_roster_decode(&back.roster, cut, n, &report), TN_EINVAL);
            assert_int_equal(report.loaded, 77);
        } else {
            size_t whole = (n - TN_ROSTER_HEAD_LEN) / TN_ROSTER_RECORD_LEN;

            assert_int_equal(tn_roster_decode(&back.roster, cut, n, &report), 0);
            assert_int_equal(report.loaded, whole);
            assert_int_equal(report.damaged, n != TN_ROSTER_FILE_LEN(whole));
            assert_int_equal(report.refused, 0);
            assert_int_equal(back.roster.count, whole);
        }
        free(cut);
    }
}

static void a_flipped_bit_costs_one_record_and_no_other(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_roster_load report;
    size_t len;
    size_t end = TN_ROSTER_FILE_LEN(2);

    (void)state;
    fill(&w, file, &len);
    for (size_t bit = TN_ROSTER_FILE_LEN(1) * 8; bit < end * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        begin(&back);
        /* Records 0 to 2: the one in the middle is hit. */
        assert_int_equal(tn_roster_decode(&back.roster, file, TN_ROSTER_FILE_LEN(3), &report), 0);
        assert_int_equal(report.loaded, 2);
        assert_int_equal(report.damaged, 1);
        assert_null(tn_roster_find_identity(&back.roster, w.members[1].card.identity));
        file[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* Makes a record's check value match whatever stands before it. */
static void recheck(uint8_t *record)
{
    tn_blake2s(record + TN_ROSTER_RECORD_LEN - 8, 8, NULL, 0, record, TN_ROSTER_RECORD_LEN - 8);
}

static void a_forged_record_is_refused_even_when_its_check_matches(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    uint8_t *record = file + TN_ROSTER_FILE_LEN(1);
    struct tn_roster_load report;
    size_t len;
    size_t card_len;

    (void)state;
    fill(&w, file, &len);
    card_len = (size_t)record[8] * 256 + record[9];
    for (size_t bit = 8 * 8; bit < (10 + card_len) * 8; bit += 5) {
        record[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        recheck(record);
        begin(&back);
        assert_int_equal(tn_roster_decode(&back.roster, file, TN_ROSTER_FILE_LEN(3), &report), 0);
        assert_int_equal(report.loaded, 2);
        assert_int_equal(report.refused, 1);
        record[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void a_file_of_another_network_gives_nothing(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    uint8_t pub[32];
    struct tn_roster_load report;
    size_t len;

    (void)state;
    fill(&w, file, &len);
    begin(&back);
    fix_network_public(pub, 9);
    tn_roster_init(&back.roster, back.members, MAX, pub);
    assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), 0);
    assert_int_equal(report.refused, 5);
    assert_int_equal(back.roster.count, 0);
}

static void a_file_with_another_head_is_not_ours(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_roster_load report;
    size_t len;

    (void)state;
    fill(&w, file, &len);
    for (size_t bit = 0; bit < TN_ROSTER_HEAD_LEN * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        begin(&back);
        assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), TN_EINVAL);
        assert_int_equal(back.roster.count, 0);
        file[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void a_file_larger_than_the_table_is_refused_whole(void **state)
{
    struct world w;
    struct world back;
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_roster_load report = {77, 77, 77};
    size_t len;

    (void)state;
    fill(&w, file, &len);
    begin(&back);
    back.roster.max = 4;
    assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), TN_ENOSPC);
    assert_int_equal(back.roster.count, 0);
    assert_int_equal(report.loaded, 77);
    back.roster.max = 5; /* just enough, and a card that is there already takes no second place */
    assert_int_equal(offer_member(&back, 4, 1), TN_ROSTER_ADDED);
    assert_int_equal(tn_roster_decode(&back.roster, file, len, &report), 0);
    assert_int_equal(report.loaded, 5);
}

static void a_restored_card_keeps_its_seq_unless_that_is_taken(void **state)
{
    struct world w;
    struct tn_card c;
    struct tn_roster_result result;

    (void)state;
    begin(&w);
    make(&c, 0, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 40, &result), 0);
    assert_int_equal(w.members[0].seq, 40);
    assert_int_equal(w.roster.last_seq, 40);
    make(&c, 1, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 7, &result), 0);
    assert_int_equal(w.members[1].seq, 7);
    assert_int_equal(w.roster.last_seq, 40);
    make(&c, 2, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 40, &result), 0);
    assert_int_equal(w.members[2].seq, 41);
    make(&c, 3, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 0, &result), 0);
    assert_int_equal(w.members[3].seq, 42);
    make(&c, 4, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, UINT64_MAX, &result), 0);
    assert_int_equal(w.members[4].seq, 43);
    assert_int_equal(w.roster.last_seq, 43);
    make(&c, 0, 1);
    assert_int_equal(tn_roster_restore(&w.roster, &c, 99, &result), 0);
    assert_int_equal(result.change, TN_ROSTER_KNOWN);
    assert_int_equal(w.members[0].seq, 40);
}

static void a_record_with_the_longest_card_is_full(void **state)
{
    struct tn_member m;
    struct tn_card back;
    uint8_t record[TN_ROSTER_RECORD_LEN];
    uint64_t seq = 0;

    (void)state;
    memset(&m, 0, sizeof(m));
    fix_cert_fields(&m.card.cert, FIX_NETWORK, 1);
    memset(m.card.cert.name, 'a', 63);
    memset(m.card.cert.network, 'b', 63);
    fix_cert_resign(&m.card.cert, FIX_NETWORK);
    assert_int_equal(fix_card_sign(&m.card, 1, 1), 0);
    m.seq = 0x0102030405060708;
    assert_int_equal(tn_roster_encode_member(&m, record), 0);
    assert_memory_equal(record, "\1\2\3\4\5\6\7\10\1\377", 10);
    assert_int_equal(tn_roster_decode_member(record, &back, &seq), 0);
    assert_true(tn_card_equal(&back, &m.card));
    assert_true(seq == m.seq);
    m.card.epoch = 0;
    assert_int_equal(tn_roster_encode_member(&m, record), TN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_roster_comes_back_from_disk_as_it_was),
        cmocka_unit_test(the_epoch_floor_survives_a_restart),
        cmocka_unit_test(a_file_cut_at_any_byte_gives_its_whole_records),
        cmocka_unit_test(a_flipped_bit_costs_one_record_and_no_other),
        cmocka_unit_test(a_forged_record_is_refused_even_when_its_check_matches),
        cmocka_unit_test(a_file_of_another_network_gives_nothing),
        cmocka_unit_test(a_file_with_another_head_is_not_ours),
        cmocka_unit_test(a_file_larger_than_the_table_is_refused_whole),
        cmocka_unit_test(a_restored_card_keeps_its_seq_unless_that_is_taken),
        cmocka_unit_test(a_record_with_the_longest_card_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
