/* Link compression's frames: what leaves the member and the relay, byte by byte, and the way back. */
#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/link.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/wg/cookie.h"
#include "libtunnel/wg/msg.h"
#include "vectors.h"

#define ROOM 64

static const uint8_t responder[32] = {9, 8, 7, 6};
static const struct tn_link_context none[TN_LINK_CONTEXTS];

/* A message with room around it. */
struct message {
    uint8_t mem[2 * ROOM + 1600];
    struct tn_buf b;
};

static void begin(struct message *m, size_t len)
{
    for (size_t i = 0; i < sizeof(m->mem); i++)
        m->mem[i] = (uint8_t)(i * 13);
    m->b = (struct tn_buf){.mem = m->mem, .cap = sizeof(m->mem), .off = ROOM, .len = len};
}

static void data(struct message *m, size_t len, uint32_t receiver, uint64_t counter)
{
    begin(m, len);
    tn_put_le32(tn_buf_data(&m->b), 4);
    tn_put_le32(tn_buf_data(&m->b) + 4, receiver);
    tn_put_le64(tn_buf_data(&m->b) + 8, counter);
}

/* With the macs that libtunnel's own handshakes have. */
static void shake(struct message *m, uint8_t type)
{
    struct tn_cookie_maker maker;
    size_t len = type == 1 ? TN_WG_INITIATION_LEN : TN_WG_RESPONSE_LEN;

    begin(m, len);
    tn_put_le32(tn_buf_data(&m->b), type);
    tn_cookie_maker_init(&maker, responder);
    tn_cookie_add_macs(&maker, tn_buf_data(&m->b), len, 1000);
}

static void same(const struct message *a, const uint8_t *msg, size_t len)
{
    assert_int_equal(len, a->b.len);
    assert_memory_equal(msg, tn_buf_data(&a->b), len);
}

/* To the coordinator and back; the frame's length, 0 where it goes whole. */
static size_t go_up(const struct message *was, const struct tn_link_context *ctx, uint16_t channel)
{
    struct message m = *was;
    struct tn_link_head h;
    uint8_t out[1600];

    m.b.mem = m.mem;
    if (!tn_link_pack_up(&m.b, ctx, channel, 0xa1b2c3d4)) {
        same(was, tn_buf_data(&m.b), m.b.len);
        return 0;
    }
    assert_int_equal(tn_link_read_up(tn_buf_data(&m.b), m.b.len, &h), TN_OK);
    assert_int_equal(h.index, 0xa1b2c3d4);
    same(was, out,
         tn_link_rebuild_up(&h, tn_buf_data(&m.b), m.b.len, &ctx[h.context], responder, out,
                            sizeof(out)));
    return m.b.len;
}

static size_t go_down(const struct message *was, const struct tn_link_context *ctx)
{
    struct message m = *was, got;
    uint8_t *frame;
    size_t len;

    m.b.mem = m.mem;
    len = tn_link_pack_down(tn_buf_data(&m.b), m.b.len, ctx, responder, 0x0a0b0c0d, &frame);
    if (!len) {
        same(was, tn_buf_data(&m.b), m.b.len);
        return 0;
    }
    begin(&got, len);
    memcpy(tn_buf_data(&got.b), frame, len);
    assert_int_equal(tn_link_unpack_down(&got.b, ctx, responder, 0x0a0b0c0d), TN_OK);
    same(was, tn_buf_data(&got.b), got.b.len);
    return len;
}

static void a_frame_has_these_bytes(void **state)
{
    const struct tn_link_context ctx[TN_LINK_CONTEXTS] = {
        {0}, {0}, {.channel = 5, .tx_index = 0x11223344, .rx_index = 0x55667788, .tx_base = 0x12345}};
    struct message m;
    uint8_t want[8], *frame;

    (void)state;
    data(&m, 48, 0x11223344, 0x12346);
    unhex_exactly(want, 7, "a2 a1b2c3d4 2346");
    assert_true(tn_link_pack_up(&m.b, ctx, 5, 0xa1b2c3d4));
    assert_int_equal(m.b.len, 48 - 9);
    assert_memory_equal(tn_buf_data(&m.b), want, 7);
    data(&m, 48, 0x55667788, 7);
    unhex_exactly(want, 3, "a2 0007");
    assert_int_equal(tn_link_pack_down(tn_buf_data(&m.b), 48, ctx, responder, 1, &frame), 48 - 13);
    assert_memory_equal(frame, want, 3);
    shake(&m, 1);
    unhex_exactly(want, 7, "a8 a1b2c3d4 0005");
    assert_true(tn_link_pack_up(&m.b, none, 5, 0xa1b2c3d4));
    assert_int_equal(m.b.len, 119);
    assert_memory_equal(tn_buf_data(&m.b), want, 7);
    shake(&m, 2);
    unhex_exactly(want, 5, "a9 0a0b0c0d");
    assert_int_equal(tn_link_pack_down(tn_buf_data(&m.b), 92, none, responder, 0x0a0b0c0d, &frame), 61);
    assert_memory_equal(frame, want, 5);
}

static void data_comes_back_as_it_was_over_the_whole_window(void **state)
{
    static const uint64_t bases[] = {0, 1, 0xff00, 0xffff, 0x10000, 0x123456789, UINT64_MAX - 0x20000};
    struct message m;

    (void)state;
    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        const struct tn_link_context ctx[TN_LINK_CONTEXTS] = {
            {.channel = 1, .tx_index = 3, .rx_index = 4, .tx_base = bases[i], .rx_base = bases[i]}};

        for (uint64_t k = 0; k < TN_LINK_WINDOW; k += k < 3 || k > TN_LINK_WINDOW - 3 ? 1 : 251) {
            data(&m, 32 + k % 700, 3, bases[i] + k);
            assert_int_equal(go_up(&m, ctx, 1), m.b.len - 9);
            data(&m, 32 + k % 700, 4, bases[i] + k);
            assert_int_equal(go_down(&m, ctx), m.b.len - 13);
        }
        data(&m, 64, 3, bases[i] + TN_LINK_WINDOW);
        assert_false(tn_link_pack_up(&m.b, ctx, 1, 1));
        data(&m, 64, 4, bases[i] + TN_LINK_WINDOW);
        assert_int_equal(go_down(&m, ctx), 0);
        data(&m, 64, 4, bases[i] - 1);
        assert_int_equal(go_down(&m, ctx), 0);
    }
}

static void random_messages_come_back_byte_for_byte(void **state)
{
    struct tn_link_context ctx[TN_LINK_CONTEXTS];
    const uint8_t seed[32] = {77};
    struct tn_rng rng;
    struct message m;
    size_t up = 0, down = 0;

    (void)state;
    tn_rng_init(&rng, seed);
    for (int round = 0; round < 20000; round++) {
        uint8_t i = (uint8_t)tn_rng_below(&rng, TN_LINK_CONTEXTS);

        tn_rng_bytes(&rng, ctx, sizeof(ctx));
        for (int k = 0; k < TN_LINK_CONTEXTS; k++)
            ctx[k].channel |= 1;
        switch (tn_rng_below(&rng, 4)) {
        case 0:
            shake(&m, 1);
            break;
        case 1:
            shake(&m, 2);
            break;
        case 2:
            data(&m, 32 + tn_rng_below(&rng, 1000), ctx[i].tx_index,
                 ctx[i].tx_base + tn_rng_below(&rng, 70000));
            break;
        default:
            data(&m, 32 + tn_rng_below(&rng, 1000), ctx[i].rx_index,
                 ctx[i].rx_base + tn_rng_below(&rng, 70000));
            break;
        }
        down += go_down(&m, ctx) != 0;
        up += go_up(&m, ctx, ctx[i].channel) != 0;
    }
    assert_in_range(up, 14000, 15500); /* 3 in 4, less what is beyond the window */
    assert_in_range(down, 14000, 15500);
}

static void handshakes_come_back_with_their_macs(void **state)
{
    struct message m;

    (void)state;
    shake(&m, 1);
    assert_int_equal(go_up(&m, none, 9), 119);
    assert_int_equal(go_down(&m, none), 117);
    shake(&m, 2);
    assert_int_equal(go_up(&m, none, 9), 63);
    assert_int_equal(go_down(&m, none), 61);
}

static void what_cannot_be_left_out_goes_whole(void **state)
{
    const struct tn_link_context ctx[TN_LINK_CONTEXTS] = {
        {.channel = 1, .tx_index = 3, .rx_index = 4}, {.tx_index = 5, .rx_index = 6}};
    struct message m;

    (void)state;
    data(&m, 64, 7, 0); /* nobody's index */
    assert_int_equal(go_down(&m, ctx), 0);
    assert_false(tn_link_pack_up(&m.b, ctx, 1, 1));
    data(&m, 64, 3, 0); /* another channel */
    assert_false(tn_link_pack_up(&m.b, ctx, 2, 1));
    data(&m, 64, 5, 0); /* a context that is not set */
    assert_false(tn_link_pack_up(&m.b, ctx, 0, 1));
    data(&m, 64, 6, 0);
    assert_int_equal(go_down(&m, ctx), 0);
    data(&m, 31, 4, 0);
    assert_int_equal(go_down(&m, ctx), 0);
    shake(&m, 1);
    m.mem[ROOM + 147] = 1; /* a cookie's mac2 */
    assert_int_equal(go_down(&m, ctx), 0);
    assert_false(tn_link_pack_up(&m.b, ctx, 1, 1));
    shake(&m, 2);
    m.mem[ROOM + 70] ^= 1; /* another mac1 */
    assert_int_equal(go_down(&m, ctx), 0);
    shake(&m, 1);
    m.b.len--;
    assert_int_equal(go_down(&m, ctx), 0);
    begin(&m, 64); /* a cookie reply */
    tn_put_le32(tn_buf_data(&m.b), 3);
    assert_int_equal(go_down(&m, ctx), 0);
    assert_false(tn_link_pack_up(&m.b, ctx, 1, 1));
    shake(&m, 1);
    m.b.off = 2; /* no head room */
    memmove(m.mem + 2, m.mem + ROOM, 148);
    assert_false(tn_link_pack_up(&m.b, ctx, 1, 1));
}

static void a_frame_cut_at_any_length_is_refused(void **state)
{
    const struct tn_link_context ctx[TN_LINK_CONTEXTS] = {{.channel = 1, .tx_index = 3, .rx_index = 3}};
    struct tn_link_head h = {.counter = 99};
    struct message m;
    uint8_t *frame;
    size_t len;

    (void)state;
    for (uint8_t type = 1; type <= 4; type += type == 2 ? 2 : 1) {
        if (type == 4)
            data(&m, 32, 3, 0);
        else
            shake(&m, type);
        assert_true(tn_link_pack_up(&m.b, ctx, 1, 1));
        for (size_t cut = 0; cut < m.b.len; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);

            assert_non_null(exact);
            memcpy(exact, tn_buf_data(&m.b), cut);
            assert_int_equal(tn_link_read_up(exact, cut, &h), TN_EINVAL);
            assert_int_equal(h.counter, 99);
            free(exact);
        }
        if (type == 4)
            data(&m, 32, 3, 0);
        else
            shake(&m, type);
        len = tn_link_pack_down(tn_buf_data(&m.b), m.b.len, ctx, responder, 1, &frame);
        assert_true(len);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            struct tn_buf b = {.mem = exact, .cap = cut, .len = cut};

            assert_non_null(exact);
            memcpy(exact, frame, cut);
            assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_EINVAL);
            assert_int_equal(b.len, cut);
            free(exact);
        }
        if (type != 4) { /* handshakes have one length */
            begin(&m, len + 1);
            memcpy(tn_buf_data(&m.b), frame, len);
            assert_int_equal(tn_link_unpack_down(&m.b, ctx, responder, 1), TN_EINVAL);
        }
    }
}

static void what_is_not_for_us_or_has_no_room_is_refused(void **state)
{
    const struct tn_link_context ctx[TN_LINK_CONTEXTS] = {{.channel = 1, .rx_index = 3}};
    uint8_t tight[200] = {0xa0, 0, 1}, out[200];
    struct tn_buf b = {.mem = tight, .cap = 100, .off = 0, .len = 100};
    struct tn_link_head h;

    (void)state;
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_ENOSPC); /* nothing before it */
    tight[0] = 0xa1;
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_EINVAL); /* not set */
    tight[0] = 0xa4;
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_EINVAL); /* no such kind */
    memcpy(tight, (uint8_t[]){0xa8, 0, 0, 0, 1}, 5);
    b.len = b.cap = 117;
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 2), TN_EINVAL); /* another index */
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_ENOSPC); /* nothing behind it */
    b.cap = 149;
    assert_int_equal(tn_link_unpack_down(&b, ctx, responder, 1), TN_OK);
    assert_int_equal(b.len, 148);
    memcpy(tight, (uint8_t[]){0xa0, 0, 0, 0, 1, 0, 0}, 7);
    assert_int_equal(tn_link_read_up(tight, 107, &h), TN_OK);
    assert_int_equal(tn_link_rebuild_up(&h, tight, 107, ctx, responder, out, 115), 0);
    assert_int_equal(tn_link_rebuild_up(&h, tight, 107, ctx, responder, out, 116), 116);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_has_these_bytes),
        cmocka_unit_test(data_comes_back_as_it_was_over_the_whole_window),
        cmocka_unit_test(random_messages_come_back_byte_for_byte),
        cmocka_unit_test(handshakes_come_back_with_their_macs),
        cmocka_unit_test(what_cannot_be_left_out_goes_whole),
        cmocka_unit_test(a_frame_cut_at_any_length_is_refused),
        cmocka_unit_test(what_is_not_for_us_or_has_no_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
