/* Packets that wait for a session: order, limits, and a random walk against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/stage.h"

static uint8_t packet[65536], got[65536];

static void fill(size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        packet[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void packets_come_back_whole_and_in_order(void **state)
{
    static const size_t lens[] = {1, 511, 512, 513, 1420, 9000, 65535};
    struct stage s;

    assert_int_equal(stage_init(&s, 2), 0);
    for (uint32_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        fill(lens[i], i);
        stage_push(&s, 1, packet, lens[i]);
    }
    assert_int_equal(stage_count(&s, 1), sizeof lens / sizeof lens[0]);
    assert_int_equal(stage_count(&s, 0), 0);
    for (uint32_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        fill(lens[i], i);
        assert_int_equal(stage_pop(&s, 1, got, sizeof got), lens[i]);
        assert_memory_equal(got, packet, lens[i]);
    }
    assert_int_equal(stage_pop(&s, 1, got, sizeof got), 0);
    assert_int_equal(s.used, 0);
    stage_free(&s);
}

static void the_oldest_goes_when_a_peer_has_too_many(void **state)
{
    struct stage s;

    assert_int_equal(stage_init(&s, 1), 0);
    for (uint32_t i = 0; i < STAGE_PEER_MAX + 5; i++) {
        memcpy(packet, &i, sizeof i);
        stage_push(&s, 0, packet, 100);
    }
    assert_int_equal(stage_count(&s, 0), STAGE_PEER_MAX);
    assert_int_equal(s.dropped, 5);
    for (uint32_t i = 5; i < STAGE_PEER_MAX + 5; i++) {
        uint32_t n;

        assert_int_equal(stage_pop(&s, 0, got, sizeof got), 100);
        memcpy(&n, got, sizeof n);
        assert_int_equal(n, i);
    }
    stage_free(&s);
}

static void a_peer_gets_room_when_others_filled_the_pool(void **state)
{
    struct stage s;

    assert_int_equal(stage_init(&s, 10), 0);
    for (uint32_t peer = 0; peer < 9; peer++) {
        for (int i = 0; i < 128; i++)
            stage_push(&s, peer, packet, 4000);
    }
    assert_true(s.used <= STAGE_CHUNK_COUNT);
    fill(1400, 3);
    stage_push(&s, 9, packet, 1400);
    assert_int_equal(stage_count(&s, 9), 1);
    assert_int_equal(stage_pop(&s, 9, got, sizeof got), 1400);
    assert_memory_equal(got, packet, 1400);
    stage_free(&s);
}

static void dropping_a_peer_gives_its_room_back(void **state)
{
    struct stage s;

    assert_int_equal(stage_init(&s, 2), 0);
    stage_push(&s, 0, packet, 5000);
    stage_push(&s, 1, packet, 600);
    stage_drop(&s, 0);
    assert_int_equal(stage_count(&s, 0), 0);
    assert_int_equal(stage_count(&s, 1), 1);
    assert_int_equal(s.used, 2);
    stage_drop(&s, 7);
    stage_push(&s, 7, packet, 100);
    assert_int_equal(stage_pop(&s, 7, got, sizeof got), 0);
    stage_free(&s);
}

#define PEERS 5
struct model {
    struct {
        uint32_t id;
        size_t len;
    } at[STAGE_PEER_MAX + 1];
    uint32_t count;
};

/* With packets this small only the limit on packets counts, which the model knows. */
static void a_random_walk_agrees_with_a_plain_model(void **state)
{
    static struct model m[PEERS];
    unsigned seed = 20240817;
    struct stage s;

    memset(m, 0, sizeof m);
    print_message("# seed %u\n", seed);
    srandom(seed);
    assert_int_equal(stage_init(&s, PEERS), 0);
    for (uint32_t id = 1; id < 40000; id++) {
        uint32_t peer = (uint32_t)random() % PEERS;
        struct model *p = &m[peer];

        if (random() % 100 < 55) {
            size_t len = 4 + (size_t)random() % 1500;

            memset(packet, (int)id, len);
            memcpy(packet, &id, sizeof id);
            stage_push(&s, peer, packet, len);
            p->at[p->count].id = id;
            p->at[p->count++].len = len;
            if (p->count > STAGE_PEER_MAX)
                memmove(p->at, p->at + 1, --p->count * sizeof p->at[0]);
        } else if (random() % 500 == 0) {
            stage_drop(&s, peer);
            p->count = 0;
        } else {
            size_t len = stage_pop(&s, peer, got, sizeof got);
            uint32_t n;

            assert_int_equal(len, p->count ? p->at[0].len : 0);
            if (!len)
                continue;
            memcpy(&n, got, sizeof n);
            assert_int_equal(n, p->at[0].id);
            if (len > 4)
                assert_int_equal(got[len - 1], (uint8_t)n);
            memmove(p->at, p->at + 1, --p->count * sizeof p->at[0]);
        }
        assert_int_equal(stage_count(&s, peer), p->count);
    }
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_back_whole_and_in_order),
        cmocka_unit_test(the_oldest_goes_when_a_peer_has_too_many),
        cmocka_unit_test(a_peer_gets_room_when_others_filled_the_pool),
        cmocka_unit_test(dropping_a_peer_gives_its_room_back),
        cmocka_unit_test(a_random_walk_agrees_with_a_plain_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
