#include "libtunnel/base/cursor.h"
#include "vectors.h"

static const uint8_t sample[18] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                   0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12};

static void integers_are_read_big_endian_in_order(void **state)
{
    struct tn_reader r;
    uint8_t rest[3];

    (void)state;
    tn_reader_init(&r, sample, sizeof(sample));
    assert_int_equal(tn_read_u8(&r), 0x01);
    assert_int_equal(tn_read_u16(&r), 0x0203);
    assert_int_equal(tn_read_u32(&r), 0x04050607);
    assert_true(tn_read_u64(&r) == 0x08090a0b0c0d0e0full);
    assert_false(tn_reader_done(&r));
    tn_read_bytes(&r, rest, sizeof(rest));
    assert_memory_equal(rest, sample + 15, 3);
    assert_true(tn_reader_done(&r));
}

static void a_read_past_the_end_fails_for_good(void **state)
{
    struct tn_reader r;
    uint8_t out[4] = {9, 9, 9, 9};

    (void)state;
    tn_reader_init(&r, sample, 3);
    assert_int_equal(tn_read_u32(&r), 0);
    assert_false(tn_reader_ok(&r));
    assert_int_equal(tn_read_u8(&r), 0); /* would have fitted */
    assert_null(tn_read_view(&r, 0));
    tn_read_bytes(&r, out, 2);
    assert_int_equal(out[0], 9);
    assert_false(tn_reader_done(&r));
}

static void a_length_that_would_wrap_is_refused(void **state)
{
    struct tn_reader r;
    struct tn_writer w;
    uint8_t out[8];

    (void)state;
    tn_reader_init(&r, sample, sizeof(sample));
    tn_read_u8(&r);
    assert_null(tn_read_view(&r, SIZE_MAX));
    assert_false(tn_reader_ok(&r));
    tn_writer_init(&w, out, sizeof(out));
    tn_write_u8(&w, 1);
    assert_null(tn_write_room(&w, SIZE_MAX));
    assert_false(tn_writer_ok(&w));
}

static void the_reader_stops_at_every_truncation(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 15; len++) {
        struct tn_reader r;

        tn_reader_init(&r, sample, len);
        tn_read_u8(&r);
        tn_read_u16(&r);
        tn_read_u32(&r);
        tn_read_u64(&r);
        assert_int_equal(tn_reader_done(&r), len == 15);
    }
}

static void a_decoder_can_declare_failure_itself(void **state)
{
    struct tn_reader r;

    (void)state;
    tn_reader_init(&r, sample, 0);
    assert_true(tn_reader_done(&r));
    tn_reader_fail(&r);
    assert_false(tn_reader_ok(&r));
}

static void what_is_written_is_read_back(void **state)
{
    struct tn_writer w;
    uint8_t out[18];
    uint8_t *room;

    (void)state;
    memset(out, 0xff, sizeof(out));
    tn_writer_init(&w, out, sizeof(out));
    tn_write_u8(&w, 0x01);
    tn_write_u16(&w, 0x0203);
    tn_write_u32(&w, 0x04050607);
    tn_write_u64(&w, 0x08090a0b0c0d0e0full);
    tn_write_bytes(&w, sample + 15, 1);
    room = tn_write_room(&w, 1);
    assert_ptr_equal(room, out + 16);
    *room = 0x11;
    tn_write_zeros(&w, 1);
    assert_true(tn_writer_ok(&w));
    assert_int_equal(w.len, sizeof(out));
    assert_memory_equal(out, sample, 17);
    assert_int_equal(out[17], 0);
}

static void a_write_that_does_not_fit_writes_nothing(void **state)
{
    struct tn_writer w;
    uint8_t out[4] = {7, 7, 7, 7};

    (void)state;
    tn_writer_init(&w, out, 3);
    tn_write_u32(&w, 0x01020304);
    assert_false(tn_writer_ok(&w));
    tn_write_u8(&w, 1);
    tn_write_zeros(&w, 2);
    tn_write_bytes(&w, sample, 1);
    assert_null(tn_write_room(&w, 0));
    for (size_t i = 0; i < sizeof(out); i++)
        assert_int_equal(out[i], 7);
    assert_int_equal(w.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_big_endian_in_order),
        cmocka_unit_test(a_read_past_the_end_fails_for_good),
        cmocka_unit_test(a_length_that_would_wrap_is_refused),
        cmocka_unit_test(the_reader_stops_at_every_truncation),
        cmocka_unit_test(a_decoder_can_declare_failure_itself),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_write_that_does_not_fit_writes_nothing),
    };

    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
