/* The wire's model of one way, held to exact numbers under a made-up clock. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000

static struct wire_way way[2];

static int setup(void **state)
{
    (void)state;
    wire_way_init(&way[0], 7);
    wire_way_init(&way[1], 8);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wire_way_wipe(&way[0]);
    wire_way_wipe(&way[1]);
    return 0;
}

static void set(const char *words)
{
    char copy[200];

    assert_true(strlen(words) < sizeof copy);
    strcpy(copy, words);
    assert_null(wire_apply(way, copy));
}

static void push_numbered(uint32_t number, uint32_t len, int64_t now_ns)
{
    uint8_t frame[2000] = { 0 };

    memcpy(frame, &number, sizeof number);
    wire_way_push(&way[0], frame, len, now_ns);
}

/* The number of the frame that is due now, -1 when there is none. */
static int pop_number(int64_t now_ns)
{
    struct wire_frame *f = wire_way_pop(&way[0], now_ns);
    uint32_t number;

    if (!f)
        return -1;
    memcpy(&number, f->data, sizeof number);
    free(f);
    return (int)number;
}

static void a_plain_wire_passes_a_frame_at_once_and_whole(void **state)
{
    (void)state;
    wire_way_push(&way[0], (const uint8_t *)"hello", 5, 100);
    struct wire_frame *f = wire_way_pop(&way[0], 100);
    assert_non_null(f);
    assert_int_equal(f->len, 5);
    assert_memory_equal(f->data, "hello", 5);
    free(f);
    assert_int_equal(way[0].held_bytes, 0);
    assert_true(wire_way_next_ns(&way[0]) == WIRE_NEVER);
}

static void a_delayed_frame_is_due_exactly_then(void **state)
{
    (void)state;
    set("ab.delay=10");
    push_numbered(1, 100, 0);
    assert_true(wire_way_next_ns(&way[0]) == 10 * MS);
    assert_int_equal(pop_number(10 * MS - 1), -1);
    assert_int_equal(pop_number(10 * MS), 1);
}

static void jitter_stays_within_its_bounds_and_keeps_order(void **state)
{
    int64_t earliest = WIRE_NEVER, latest = 0;

    (void)state;
    set("delay=10 jitter=5");
    /* far apart: each alone, so order cannot hold one back */
    for (uint32_t i = 0; i < 1000; i++) {
        int64_t sent = (int64_t)i * 100 * MS;

        push_numbered(i, 100, sent);
        int64_t took = wire_way_next_ns(&way[0]) - sent;
        earliest = took < earliest ? took : earliest;
        latest = took > latest ? took : latest;
        assert_int_equal(pop_number(sent + took), i);
    }
    assert_in_range(earliest, 5 * MS, 5.2 * MS);
    assert_in_range(latest, 14.8 * MS, 15 * MS);
    for (uint32_t i = 0; i < 1000; i++)
        push_numbered(i, 100, 200000LL * MS + i);
    int64_t now = 0;
    for (int i = 0; i < 1000; i++) {
        if (wire_way_next_ns(&way[0]) > now)
            now = wire_way_next_ns(&way[0]);
        assert_int_equal(pop_number(now), i);
    }
    /* waiting behind a frame that was held longer is no lateness of the wire */
    assert_true(way[0].count.late_max_ns == 0);
}

static void lost_frames_are_as_many_as_asked_for(void **state)
{
    (void)state;
    set("loss=5");
    for (uint32_t i = 0; i < 100000; i++) {
        push_numbered(i, 60, i);
        pop_number(i);
    }
    assert_in_range(way[0].count.lost, 4800, 5200);
    assert_int_equal(way[0].count.received, 100000);
}

static void the_same_seed_gives_the_same_fate(void **state)
{
    static const char word[] = "loss=30 jitter=4 delay=5";
    char copy[sizeof word];

    (void)state;
    wire_way_init(&way[1], 7); /* as way[0] */
    memcpy(copy, word, sizeof word);
    assert_null(wire_apply(way, copy));
    for (int i = 0; i < 1000; i++) {
        uint8_t frame[60] = { 0 };

        wire_way_push(&way[0], frame, sizeof frame, (int64_t)i * MS);
        wire_way_push(&way[1], frame, sizeof frame, (int64_t)i * MS);
        assert_true(way[0].last_due_ns == way[1].last_due_ns);
    }
    assert_int_equal(way[0].count.lost, way[1].count.lost);
    assert_in_range(way[0].count.lost, 250, 350);
}

static void the_rate_spaces_frames_out(void **state)
{
    (void)state;
    set("rate=8000"); /* a byte each microsecond */
    push_numbered(1, 976, 0);
    push_numbered(2, 976, 0);
    assert_int_equal(pop_number(1 * MS - 1), -1);
    assert_int_equal(pop_number(1 * MS), 1); /* with 24 bytes of Ethernet around it */
    assert_int_equal(pop_number(2 * MS - 1), -1);
    assert_int_equal(pop_number(2 * MS), 2);
}

static void a_full_queue_drops_the_newest(void **state)
{
    (void)state;
    set("rate=8000 queue=3000");
    for (uint32_t i = 1; i <= 5; i++)
        push_numbered(i, 976, 0);
    assert_int_equal(way[0].count.overflowed, 2);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(pop_number(100 * MS), i);
    assert_int_equal(pop_number(100 * MS), -1);
}

static void a_long_delay_does_not_hold_more_than_the_bound(void **state)
{
    uint32_t pushed = WIRE_HELD_MAX_BYTES / 2000 + 100;

    (void)state;
    set("delay=60000");
    for (uint32_t i = 0; i < pushed; i++)
        push_numbered(i, 2000, i);
    assert_true(way[0].held_bytes <= WIRE_HELD_MAX_BYTES);
    assert_int_equal(way[0].count.overflowed, pushed - WIRE_HELD_MAX_BYTES / 2000);
}

static void a_reordered_frame_overtakes_all_others(void **state)
{
    (void)state;
    set("delay=10");
    push_numbered(1, 100, 0);
    push_numbered(2, 100, 0);
    set("reorder=100");
    push_numbered(3, 100, 1 * MS);
    assert_int_equal(pop_number(1 * MS), 3);
    assert_int_equal(pop_number(1 * MS), -1);
    assert_int_equal(pop_number(10 * MS), 1);
    assert_int_equal(pop_number(10 * MS), 2);
}

static void a_cut_wire_passes_nothing_until_it_is_mended(void **state)
{
    (void)state;
    set("ab.cut=1");
    push_numbered(1, 100, 0);
    assert_int_equal(pop_number(1000 * MS), -1);
    set("ab.cut=0");
    push_numbered(2, 100, 1000 * MS);
    assert_int_equal(pop_number(1000 * MS), 2);
    assert_int_equal(way[0].count.lost, 1);
}

static void a_setting_for_one_way_leaves_the_other_alone(void **state)
{
    (void)state;
    set("delay=10 ba.delay=30 ab.loss=1");
    assert_true(way[0].set.delay_ms == 10 && way[1].set.delay_ms == 30);
    assert_true(way[0].set.loss_pct == 1 && way[1].set.loss_pct == 0);
}

static void one_wrong_word_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "nonsense", "delay", "delay=", "delay=x", "delay=1x", "delay=-1", "loss=101", "cut=2",
        "loss=nan", "delays=1", "dela=1", "=1", "ab.=1", "ab.ba.delay=1", "queue=1e12",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char words[100] = "delay=5 ";

        strcat(words, wrong[i]);
        assert_string_equal(wire_apply(way, words), wrong[i]);
        assert_true(way[0].set.delay_ms == 0 && way[1].set.delay_ms == 0);
    }
}

static void a_description_too_long_for_its_place_is_cut(void **state)
{
    char small[16];

    (void)state;
    assert_int_equal(wire_describe(way, small, sizeof small), sizeof small - 1);
    assert_int_equal(strlen(small), sizeof small - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_wire_passes_a_frame_at_once_and_whole),
        TEST(a_delayed_frame_is_due_exactly_then),
        TEST(jitter_stays_within_its_bounds_and_keeps_order),
        TEST(lost_frames_are_as_many_as_asked_for),
        TEST(the_same_seed_gives_the_same_fate),
        TEST(the_rate_spaces_frames_out),
        TEST(a_full_queue_drops_the_newest),
        TEST(a_long_delay_does_not_hold_more_than_the_bound),
        TEST(a_reordered_frame_overtakes_all_others),
        TEST(a_cut_wire_passes_nothing_until_it_is_mended),
        TEST(a_setting_for_one_way_leaves_the_other_alone),
        TEST(one_wrong_word_changes_nothing),
        TEST(a_description_too_long_for_its_place_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
