/* Frames: cut at every length, every length byte, and a queue against a model. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/frames.h"

static void a_frame_is_its_length_and_the_datagram(void **state)
{
    /* PROTOCOL.md section 8 */
    uint8_t bytes[] = {0x00, 0x03, 0x93, 0x01, 0x00, 0x00, 0x01};
    uint8_t *data;
    size_t len;

    assert_int_equal(frame_next(bytes, sizeof(bytes), &data, &len), 5);
    assert_ptr_equal(data, bytes + 2);
    assert_int_equal(len, 3);
    assert_int_equal(frame_next(bytes + 5, 2, &data, &len), 0);
}

static void a_frame_that_is_cut_waits_for_the_rest(void **state)
{
    static uint8_t bytes[FRAME_MAX];
    uint8_t *data = NULL;
    size_t len = 99;

    bytes[0] = FRAME_DATAGRAM_MAX >> 8;
    bytes[1] = FRAME_DATAGRAM_MAX & 0xff;
    for (size_t n = 0; n < FRAME_MAX; n++)
        assert_int_equal(frame_next(bytes, n, &data, &len), 0);
    assert_null(data);
    assert_int_equal(len, 99);
    assert_int_equal(frame_next(bytes, FRAME_MAX, &data, &len), FRAME_MAX);
}

static void what_can_be_no_frame_is_refused_at_once(void **state)
{
    uint8_t bytes[FRAME_HEADER_LEN];
    uint8_t *data;
    size_t len;

    for (unsigned n = 0; n <= 0xffff; n++) {
        bytes[0] = (uint8_t)(n >> 8);
        bytes[1] = (uint8_t)n;
        assert_int_equal(frame_next(bytes, sizeof(bytes), &data, &len),
                         n == 0 || n > FRAME_DATAGRAM_MAX ? -EPROTO : 0);
    }
}

static void a_datagram_that_no_frame_holds_is_refused(void **state)
{
    static uint8_t mem[2 * FRAME_MAX], data[FRAME_DATAGRAM_MAX + 1];
    struct frame_queue q;

    frame_queue_init(&q, mem, sizeof(mem));
    assert_int_equal(frame_queue_push(&q, data, 0), TN_EINVAL);
    assert_int_equal(frame_queue_push(&q, data, sizeof(data)), TN_EINVAL);
    assert_int_equal(frame_queue_push(&q, data, sizeof(data) - 1), 0);
    assert_int_equal(q.used, FRAME_MAX);
}

static void a_full_queue_loses_its_oldest(void **state)
{
    uint8_t mem[FRAME_MAX], out[FRAME_MAX], data[1000];
    struct frame_queue q;

    frame_queue_init(&q, mem, sizeof(mem));
    for (int i = 0; i < 5; i++) {
        memset(data, i, sizeof(data));
        assert_int_equal(frame_queue_push(&q, data, sizeof(data)), 0);
    }
    assert_int_equal(q.dropped, 3);
    assert_int_equal(frame_queue_take(&q, out, sizeof(out)), 2004);
    assert_int_equal(out[2], 3);
    assert_int_equal(out[1002 + 2], 4);
    assert_int_equal(frame_queue_take(&q, out, sizeof(out)), 0);
}

static void only_whole_frames_are_taken(void **state)
{
    uint8_t mem[FRAME_MAX], out[100], data[40] = {0};
    struct frame_queue q;

    frame_queue_init(&q, mem, sizeof(mem));
    for (int i = 0; i < 3; i++)
        assert_int_equal(frame_queue_push(&q, data, sizeof(data)), 0);
    assert_int_equal(frame_queue_take(&q, out, sizeof(out)), 84);
    assert_int_equal(frame_queue_take(&q, out, 41), 0);
    assert_int_equal(frame_queue_take(&q, out, 42), 42);
}

/* Whatever is pushed and taken, in whatever sizes: what comes out went in, in order. */
static void a_queue_keeps_order_and_content(void **state)
{
    static uint8_t mem[8192], out[4096], data[FRAME_DATAGRAM_MAX];
    struct frame_queue q;
    uint32_t pushed = 0, last = 0;

    srand(7);
    frame_queue_init(&q, mem, sizeof(mem));
    for (int round = 0; round < 20000; round++) {
        size_t n = 4 + (size_t)rand() % (FRAME_DATAGRAM_MAX - 3), done = 0, taken;

        pushed++;
        memset(data, (int)(pushed & 0xff), n);
        memcpy(data, &pushed, 4);
        assert_int_equal(frame_queue_push(&q, data, n), 0);
        if (rand() % 3)
            continue;
        taken = frame_queue_take(&q, out, (size_t)rand() % sizeof(out));
        while (done < taken) {
            uint8_t *found;
            size_t len;
            uint32_t number;
            ssize_t whole = frame_next(out + done, taken - done, &found, &len);

            assert_true(whole > 0);
            memcpy(&number, found, 4);
            assert_true(number > last);
            last = number;
            for (size_t i = 4; i < len; i++)
                assert_int_equal(found[i], number & 0xff);
            done += (size_t)whole;
        }
        assert_int_equal(done, taken);
    }
    assert_true(q.dropped > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_its_length_and_the_datagram),
        cmocka_unit_test(a_frame_that_is_cut_waits_for_the_rest),
        cmocka_unit_test(what_can_be_no_frame_is_refused_at_once),
        cmocka_unit_test(a_datagram_that_no_frame_holds_is_refused),
        cmocka_unit_test(a_full_queue_loses_its_oldest),
        cmocka_unit_test(only_whole_frames_are_taken),
        cmocka_unit_test(a_queue_keeps_order_and_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
