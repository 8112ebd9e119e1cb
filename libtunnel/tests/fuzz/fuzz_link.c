/* Link compression, fed anything at both ends: what is read is in bounds, and what is packed is unpacked to
 * the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ROOM 64
#define MAX 1500

static const uint8_t key[32] = {1, 2, 3};

static void must(int ok)
{
    if (!ok)
        abort();
}

/* The first bytes of a message are taken for a context that fits it, now and then. */
static void contexts(const uint8_t *data, size_t len, struct tn_link_context ctx[TN_LINK_CONTEXTS])
{
    memset(ctx, 0, TN_LINK_CONTEXTS * sizeof(*ctx));
    ctx[1] = (struct tn_link_context){.channel = 1, .tx_index = 0x41414141, .rx_index = 0x42424242};
    if (len < 16)
        return;
    ctx[2] = (struct tn_link_context){.channel = 2,
                                      .tx_index = tn_get_le32(data + 4),
                                      .rx_index = tn_get_le32(data + 4),
                                      .tx_base = tn_get_le64(data + 8) & ~(uint64_t)0xff,
                                      .rx_base = tn_get_le64(data + 8) & ~(uint64_t)0xfff};
}

static void read_frames(const uint8_t *data, size_t len, const struct tn_link_context *ctx)
{
    uint8_t mem[2 * ROOM + MAX], out[MAX];
    struct tn_buf b = {.mem = mem, .cap = sizeof(mem), .off = ROOM, .len = len};
    struct tn_link_head h;

    memcpy(tn_buf_data(&b), data, len);
    if (tn_link_unpack_down(&b, ctx, key, 7) == TN_OK)
        must(b.off >= ROOM - TN_LINK_GROWTH_FRONT && b.off + b.len <= sizeof(mem) && b.len >= 32);
    if (tn_link_read_up(data, len, &h) == TN_OK)
        must(tn_link_rebuild_up(&h, data, len, &ctx[h.context], key, out, sizeof(out)) <=
             len + TN_LINK_GROWTH_BACK);
}

static void pack(const uint8_t *data, size_t len, const struct tn_link_context *ctx)
{
    uint8_t mem[2 * ROOM + MAX], out[MAX], *frame;
    struct tn_buf b = {.mem = mem, .cap = sizeof(mem), .off = ROOM, .len = len};
    struct tn_link_head h;
    size_t packed;

    memcpy(tn_buf_data(&b), data, len);
    if (tn_link_pack_up(&b, ctx, 2, 9)) {
        must(tn_link_read_up(tn_buf_data(&b), b.len, &h) == TN_OK && h.index == 9);
        must(tn_link_rebuild_up(&h, tn_buf_data(&b), b.len, &ctx[h.context], key, out, MAX) == len);
        if (h.kind == TN_LINK_DATA)
            must(memcmp(out, data, len) == 0);
    }
    memcpy(mem + ROOM, data, len);
    packed = tn_link_pack_down(mem + ROOM, len, ctx, key, 9, &frame);
    if (!packed)
        return;
    b = (struct tn_buf){.mem = mem, .cap = sizeof(mem), .off = (size_t)(frame - mem), .len = packed};
    must(tn_link_unpack_down(&b, ctx, key, 9) == TN_OK && b.len == len);
    must(memcmp(tn_buf_data(&b), data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tn_link_context ctx[TN_LINK_CONTEXTS];

    if (!len || len > MAX - TN_LINK_GROWTH_BACK)
        return 0;
    contexts(data, len, ctx);
    read_frames(data, len, ctx);
    pack(data, len, ctx);
    return 0;
}
