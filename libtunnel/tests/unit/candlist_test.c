#include "libtunnel/base/candlist.h"
#include "vectors.h"

static size_t make_list(struct tn_cand_wire *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t ip[4] = {192, 0, 2, (uint8_t)(i + 1)};

        list[i].origin = (uint8_t)(1 + i % 4);
        list[i].addr = tn_addr_v4(ip, (uint16_t)(1000 + i));
    }
    return count;
}

static size_t encode(const struct tn_cand_wire *list, size_t count, uint8_t *out, size_t cap)
{
    struct tn_writer w;

    tn_writer_init(&w, out, cap);
    tn_candlist_write(&w, list, count);
    return tn_writer_ok(&w) ? w.len : 0;
}

static void a_list_has_these_bytes(void **state)
{
    struct tn_cand_wire list[2];
    uint8_t got[64], want[39];

    (void)state;
    make_list(list, 2);
    unhex_exactly(want, sizeof(want),
                  "02 01 00000000000000000000ffffc0000201 03e8 02 00000000000000000000ffffc0000202 03e9");
    assert_int_equal(encode(list, 2, got, sizeof(got)), 39);
    assert_int_equal(TN_CANDLIST_LEN(2), 39);
    assert_memory_equal(got, want, 39);
}

static void every_count_is_read_back(void **state)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX], got[TN_CANDLIST_MAX];
    uint8_t buf[256];

    (void)state;
    for (size_t count = 0; count <= TN_CANDLIST_MAX; count++) {
        size_t len = encode(list, make_list(list, count), buf, sizeof(buf));
        struct tn_reader r;

        assert_int_equal(len, TN_CANDLIST_LEN(count));
        tn_reader_init(&r, buf, len);
        assert_int_equal(tn_candlist_read(&r, got, TN_CANDLIST_MAX), count);
        assert_true(tn_reader_done(&r));
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(got[i].origin, list[i].origin);
            assert_true(tn_addr_equal(&got[i].addr, &list[i].addr));
        }
    }
}

static void a_list_cut_at_any_length_is_refused_and_touches_nothing(void **state)
{
    struct tn_cand_wire list[3], got[TN_CANDLIST_MAX];
    uint8_t buf[64];
    size_t len = encode(list, make_list(list, 3), buf, sizeof(buf));

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        struct tn_reader r;

        memset(got, 0x5a, sizeof(got));
        tn_reader_init(&r, buf, cut);
        assert_int_equal(tn_candlist_read(&r, got, TN_CANDLIST_MAX), 0);
        assert_false(tn_reader_ok(&r));
        assert_int_equal(got[0].origin, 0x5a);
    }
}

static void more_than_the_caller_wants_is_refused(void **state)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX + 1], got[TN_CANDLIST_MAX];
    struct tn_reader r;
    uint8_t buf[256] = {0};
    size_t len = encode(list, make_list(list, 9), buf, sizeof(buf));

    (void)state;
    tn_reader_init(&r, buf, len);
    assert_int_equal(tn_candlist_read(&r, got, TN_CANDLIST_SEND_MAX), 0);
    assert_false(tn_reader_ok(&r));
    buf[0] = TN_CANDLIST_MAX + 1;
    tn_reader_init(&r, buf, sizeof(buf));
    assert_int_equal(tn_candlist_read(&r, got, 255), 0);
    assert_false(tn_reader_ok(&r));
    assert_int_equal(encode(list, make_list(list, TN_CANDLIST_MAX + 1), buf, sizeof(buf)), 0);
}

static void an_unknown_origin_is_refused_on_both_sides(void **state)
{
    struct tn_cand_wire list[1], got[1];
    struct tn_reader r;
    uint8_t buf[64];
    size_t len = encode(list, make_list(list, 1), buf, sizeof(buf));

    (void)state;
    for (unsigned origin = 0; origin < 256; origin++) {
        bool known = origin >= 1 && origin <= 4;

        buf[1] = (uint8_t)origin;
        tn_reader_init(&r, buf, len);
        assert_int_equal(tn_candlist_read(&r, got, 1), known ? 1 : 0);
        assert_int_equal(tn_reader_ok(&r), known);
        list[0].origin = (uint8_t)origin;
        assert_int_equal(encode(list, 1, buf, sizeof(buf)), known ? len : 0);
    }
}

static void a_buffer_too_small_fails_the_writer(void **state)
{
    struct tn_cand_wire list[2];
    uint8_t buf[64];

    (void)state;
    make_list(list, 2);
    for (size_t cap = 0; cap < 39; cap++)
        assert_int_equal(encode(list, 2, buf, cap), 0);
    assert_int_equal(encode(list, 2, buf, 39), 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_these_bytes),
        cmocka_unit_test(every_count_is_read_back),
        cmocka_unit_test(a_list_cut_at_any_length_is_refused_and_touches_nothing),
        cmocka_unit_test(more_than_the_caller_wants_is_refused),
        cmocka_unit_test(an_unknown_origin_is_refused_on_both_sides),
        cmocka_unit_test(a_buffer_too_small_fails_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
