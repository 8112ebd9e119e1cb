#include "libtunnel/path/frag.h"
#include "libtunnel/path/linkmsg.h"
#include "vectors.h"

#define ROWS 4

static struct tn_frag_row row[ROWS];
static struct tn_frag_table table;
static uint8_t packet[TN_FRAG_PACKET_MAX];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(packet); i++)
        packet[i] = (uint8_t)(i * 7 + i / 256);
    tn_frag_init(&table, row, ROWS);
    return 0;
}

/* A part as it comes out of a session; its length. */
static size_t part_of(uint8_t out[1300], uint8_t part, uint8_t parts, uint16_t id, uint16_t total)
{
    struct tn_frag f = {.part = part, .parts = parts, .id = id, .total = total}, before = f;
    size_t at = 0, len = tn_frag_part_len(&f);

    for (before.part = 0; before.part < part; before.part++)
        at += tn_frag_part_len(&before);
    tn_frag_encode(out, &f);
    memcpy(out + TN_FRAG_HEADER_LEN, packet + at, len);
    return TN_FRAG_HEADER_LEN + len;
}

static size_t half(uint8_t out[1300], uint8_t part, uint16_t id, uint16_t total)
{
    return part_of(out, part, 2, id, total);
}

static uint8_t *put_part(uint32_t peer, uint8_t part, uint8_t parts, uint16_t id, uint16_t total,
                         uint64_t now_us)
{
    uint8_t wire[1300];
    struct tn_frag f;

    assert_int_equal(tn_frag_decode(wire, part_of(wire, part, parts, id, total), &f), TN_OK);
    return tn_frag_put(&table, peer, &f, now_us);
}

static uint8_t *put(uint32_t peer, uint8_t part, uint16_t id, uint16_t total, uint64_t now_us)
{
    return put_part(peer, part, 2, id, total, now_us);
}

static int keep(uint32_t peer, uint8_t parts, uint16_t id, uint16_t total, uint64_t now_us)
{
    const struct tn_frag f = {.parts = parts, .id = id, .total = total};

    return tn_frag_keep(&table, peer, &f, packet, now_us);
}

static void a_fragment_has_these_bytes(void **state)
{
    uint8_t got[6], want[6];

    (void)state;
    tn_frag_encode(got, &(struct tn_frag){.part = 1, .parts = 2, .id = 0x1234, .total = 1280});
    unhex_exactly(want, 6, "0301 1234 0500");
    assert_memory_equal(got, want, 6);
    tn_frag_encode(got, &(struct tn_frag){.part = 2, .parts = 3, .id = 0x1234, .total = 1280});
    unhex_exactly(want, 6, "0332 1234 0500");
    assert_memory_equal(got, want, 6);
}

static void a_packet_of_any_length_is_joined_in_either_order(void **state)
{
    (void)state;
    for (uint16_t total = TN_FRAG_PACKET_MIN; total <= TN_FRAG_PACKET_MAX; total++) {
        uint8_t first = total & 2 ? 1 : 0;
        uint8_t *got;

        assert_null(put(7, first, total, total, 1000));
        got = put(7, !first, total, total, 1001);
        assert_non_null(got);
        assert_memory_equal(got, packet, total);
    }
}

static void a_packet_goes_in_as_few_parts_as_pass(void **state)
{
    assert_int_equal(tn_frag_parts(1280, 984), 2);
    assert_int_equal(tn_frag_parts(1280, 646), 2);
    assert_int_equal(tn_frag_parts(1280, 645), 3);
    assert_int_equal(tn_frag_parts(1280, 496), 3);
    assert_int_equal(tn_frag_parts(1280, 400), 4);
    assert_int_equal(tn_frag_parts(1280, 326), 4);
    assert_int_equal(tn_frag_parts(1280, 325), 0);
}

static void a_packet_of_any_length_is_joined_from_parts_in_any_order(void **state)
{
    for (uint16_t total = TN_FRAG_PACKET_MIN; total <= TN_FRAG_PACKET_MAX; total++) {
        for (uint8_t parts = 3; parts <= TN_FRAG_PARTS_MAX; parts++) {
            uint8_t *got = NULL;

            for (uint8_t i = 0; i < parts; i++) {
                assert_null(got);
                got = put_part(7, (uint8_t)((i + total) % parts), parts, total, total, 1000);
            }
            assert_non_null(got);
            assert_memory_equal(got, packet, total);
        }
    }
}

static void all_parts_but_the_first_go_out_in_order(void **state)
{
    uint8_t out[1300], want[1300];
    uint32_t peer;

    for (uint8_t parts = 2; parts <= TN_FRAG_PARTS_MAX; parts++) {
        assert_int_equal(keep(3, parts, 8, 1279, 10), TN_OK);
        for (uint8_t i = 1; i < parts; i++) {
            size_t len = part_of(want, i, parts, 8, 1279);

            assert_int_equal(tn_frag_next_out(&table, out, &peer), len);
            assert_memory_equal(out, want, len);
        }
        assert_false(tn_frag_has_out(&table));
    }
}

static void a_number_of_parts_that_cannot_be_is_refused(void **state)
{
    uint8_t wire[1300];
    struct tn_frag f;

    for (unsigned second = 0; second < 256; second++) {
        unsigned parts = second >> 4 ? second >> 4 : 2, part = second & 15;
        bool good = parts <= 4 && part < parts && second >> 4 != 1 && second >> 4 != 2;
        size_t len = part_of(wire, good ? (uint8_t)part : 0, good ? (uint8_t)parts : 2, 1, 1000);

        wire[1] = (uint8_t)second;
        assert_int_equal(tn_frag_decode(wire, len, &f), good ? TN_OK : TN_EINVAL);
    }
}

static void a_fragment_cut_at_any_length_is_refused(void **state)
{
    uint8_t wire[1300];
    size_t len = half(wire, 0, 1, 1001);
    const struct tn_frag before = {.id = 99};
    struct tn_frag f;

    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);

        assert_non_null(exact);
        memcpy(exact, wire, cut);
        f = before;
        assert_int_equal(tn_frag_decode(exact, cut, &f), TN_EINVAL);
        assert_int_equal(f.id, 99);
        free(exact);
    }
}

static void only_the_padding_of_wireguard_may_follow(void **state)
{
    uint8_t wire[1300] = {0};
    size_t len = half(wire, 1, 1, 1001);
    struct tn_frag f;

    (void)state;
    memset(wire + len, 0, 16);
    assert_int_equal(tn_frag_decode(wire, len + 15, &f), TN_OK);
    assert_int_equal(tn_frag_decode(wire, len + 16, &f), TN_EINVAL);
    wire[len + 14] = 1;
    assert_int_equal(tn_frag_decode(wire, len + 15, &f), TN_EINVAL);
}

static void each_flipped_bit_of_the_header_but_the_id_is_noticed(void **state)
{
    uint8_t wire[1300];
    size_t len = half(wire, 0, 1, 1000);
    struct tn_frag f;

    (void)state;
    for (size_t bit = 0; bit < TN_FRAG_HEADER_LEN * 8; bit++) {
        /* the last bit of the part: halves of an even packet have one length; of the length, the bit
         * by which the half stays as long */
        bool free_bit = (bit >= 16 && bit < 32) || bit == 8;

        wire[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (tn_frag_decode(wire, len, &f) == TN_OK && !free_bit)
            fail_msg("bit %zu", bit);
        wire[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void a_packet_that_is_no_packet_is_refused(void **state)
{
    uint8_t wire[3000] = {TN_LINK_FRAGMENT, 0, 0, 1};
    struct tn_frag f;

    (void)state;
    tn_frag_encode(wire, &(struct tn_frag){.parts = 2, .id = 1, .total = TN_FRAG_PACKET_MAX + 2});
    assert_int_equal(tn_frag_decode(wire, 6 + TN_FRAG_PACKET_MAX / 2 + 1, &f), TN_EINVAL);
    tn_frag_encode(wire, &(struct tn_frag){.parts = 2, .id = 1, .total = TN_FRAG_PACKET_MIN - 1});
    assert_int_equal(tn_frag_decode(wire, 6 + TN_FRAG_PACKET_MIN / 2, &f), TN_EINVAL);
    tn_frag_encode(wire, &(struct tn_frag){.parts = 2, .id = 1});
    assert_int_equal(tn_frag_decode(wire, 6, &f), TN_EINVAL);
}

static void halves_of_different_packets_or_peers_do_not_meet(void **state)
{
    (void)state;
    assert_null(put(1, 0, 5, 1000, 10));
    assert_null(put(2, 1, 5, 1000, 10)); /* another peer */
    assert_null(put(1, 1, 6, 1000, 10)); /* another packet */
    assert_null(put(1, 1, 5, 1001, 10)); /* another length */
    assert_null(put(1, 0, 5, 1000, 10)); /* the same half again */
    assert_null(put_part(1, 1, 3, 5, 1000, 10)); /* in another number of parts */
    assert_non_null(put(1, 1, 5, 1000, 10));
}

static void a_half_is_not_kept_longer_than_its_life(void **state)
{
    (void)state;
    assert_null(put(1, 0, 5, 1000, 10));
    assert_null(put(1, 1, 5, 1000, 10 + TN_FRAG_LIFE_US));
    assert_null(put(1, 0, 6, 1000, 10));
    assert_non_null(put(1, 1, 6, 1000, 10 + TN_FRAG_LIFE_US - 1));
}

static void a_peer_that_floods_pushes_out_only_his_own(void **state)
{
    (void)state;
    assert_null(put(1, 0, 1, 1000, 10));
    for (uint16_t id = 0; id < 1000; id++)
        assert_null(put(2, 0, id, 1000, 11 + id));
    assert_non_null(put(1, 1, 1, 1000, 2000));
    assert_non_null(put(2, 1, 999, 1000, 2000)); /* his latest is there */
    assert_null(put(2, 1, 1, 1000, 2000));
}

static void the_oldest_makes_room_for_a_new_peer(void **state)
{
    (void)state;
    for (uint32_t peer = 0; peer < ROWS; peer++)
        assert_null(put(peer, 0, 1, 1000, 10 + peer));
    assert_null(put(99, 0, 1, 1000, 50));
    assert_non_null(put(99, 1, 1, 1000, 51));
    assert_null(put(0, 1, 1, 1000, 52)); /* it was the oldest */
    assert_non_null(put(3, 1, 1, 1000, 53));
}

static void the_second_half_waits_and_goes_out(void **state)
{
    uint8_t out[1300], want[1300];
    uint32_t peer = 0;

    (void)state;
    assert_false(tn_frag_has_out(&table));
    assert_int_equal(tn_frag_next_out(&table, out, &peer), 0);
    assert_int_equal(keep(3, 2, 8, 1279, 10), TN_OK);
    assert_int_equal(keep(4, 2, 9, 1000, 11), TN_OK);
    assert_true(tn_frag_has_out(&table));
    assert_int_equal(tn_frag_next_out(&table, out, &peer), half(want, 1, 8, 1279));
    assert_int_equal(peer, 3);
    assert_memory_equal(out, want, half(want, 1, 8, 1279));
    assert_int_equal(tn_frag_next_out(&table, out, &peer), 6 + 500);
    assert_int_equal(peer, 4);
    assert_false(tn_frag_has_out(&table));
}

static void what_waits_to_go_is_not_pushed_out_by_what_comes(void **state)
{
    uint8_t out[1300];
    uint32_t peer;

    (void)state;
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(keep(i, 2, 1, 1000, 10), TN_OK);
    assert_int_equal(keep(9, 2, 1, 1000, 10), TN_ENOSPC);
    assert_null(put(9, 0, 1, 1000, 10));
    assert_null(put(9, 1, 1, 1000, 10));
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(tn_frag_next_out(&table, out, &peer), 506);
}

static void a_peer_that_is_gone_leaves_nothing(void **state)
{
    (void)state;
    assert_null(put(1, 0, 5, 1000, 10));
    assert_int_equal(keep(1, 2, 8, 1000, 10), TN_OK);
    assert_null(put(2, 0, 5, 1000, 10));
    tn_frag_forget(&table, 1);
    assert_false(tn_frag_has_out(&table));
    assert_null(put(1, 1, 5, 1000, 10));
    assert_non_null(put(2, 1, 5, 1000, 10));
}

static void without_memory_nothing_is_joined(void **state)
{
    (void)state;
    tn_frag_init(&table, NULL, 7);
    assert_null(put(1, 0, 5, 1000, 10));
    assert_null(put(1, 1, 5, 1000, 10));
    assert_int_equal(keep(1, 2, 8, 1000, 10), TN_ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fragment_has_these_bytes),
        TEST(a_packet_of_any_length_is_joined_in_either_order),
        TEST(a_packet_goes_in_as_few_parts_as_pass),
        TEST(a_packet_of_any_length_is_joined_from_parts_in_any_order),
        TEST(all_parts_but_the_first_go_out_in_order),
        TEST(a_number_of_parts_that_cannot_be_is_refused),
        TEST(a_fragment_cut_at_any_length_is_refused),
        TEST(only_the_padding_of_wireguard_may_follow),
        TEST(each_flipped_bit_of_the_header_but_the_id_is_noticed),
        TEST(a_packet_that_is_no_packet_is_refused),
        TEST(halves_of_different_packets_or_peers_do_not_meet),
        TEST(a_half_is_not_kept_longer_than_its_life),
        TEST(a_peer_that_floods_pushes_out_only_his_own),
        TEST(the_oldest_makes_room_for_a_new_peer),
        TEST(the_second_half_waits_and_goes_out),
        TEST(what_waits_to_go_is_not_pushed_out_by_what_comes),
        TEST(a_peer_that_is_gone_leaves_nothing),
        TEST(without_memory_nothing_is_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
