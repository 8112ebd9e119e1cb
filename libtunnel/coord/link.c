/* What is left out, and where it comes from again (WireGuard's paper, section 5.4, has the messages):
 *
 *   data        type and reserved: the frame's kind. Receiver index: the context. Counter: its
 *               low 16 bits and the context's base; it is the nonce, so a wrong one opens nothing.
 *   initiation, type and reserved: the kind. mac2 is zero, else the message goes whole. mac1 is keyed by
 *   response    the receiver's public key and covers bytes that are all there: it is computed anew.
 *
 * A message whose mac1 is not that one goes whole too, towards the member; from the member it is
 * made right on the way, which a receiver can only be glad of. */
#include "link.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "../crypto/crypto.h"

enum {
    WG_INITIATION = 1,
    WG_RESPONSE = 2,
    WG_DATA = 4,
    WG_INITIATION_LEN = 148,
    WG_RESPONSE_LEN = 92,
    WG_DATA_MIN_LEN = 32,
    WG_HEADER_LEN = 16,
    WG_TYPE_LEN = 4,
    MAC_LEN = 16,
    MACS_LEN = 2 * MAC_LEN,
    /* of a handshake message, without type and macs */
    INITIATION_BODY_LEN = WG_INITIATION_LEN - WG_TYPE_LEN - MACS_LEN,
    RESPONSE_BODY_LEN = WG_RESPONSE_LEN - WG_TYPE_LEN - MACS_LEN,
};

_Static_assert(TN_LINK_GROWTH_FRONT == WG_HEADER_LEN - TN_LINK_DOWN_LEN, "data grows in front");
_Static_assert(TN_LINK_GROWTH_BACK == MACS_LEN, "handshake messages grow behind");

static void make_mac1(uint8_t out[MAC_LEN], const uint8_t public_key[32], const uint8_t *msg,
                      size_t len)
{
    struct tn_blake2s s;
    uint8_t key[32];

    tn_blake2s_init(&s, sizeof(key), NULL, 0);
    tn_blake2s_update(&s, "mac1----", 8);
    tn_blake2s_update(&s, public_key, 32);
    tn_blake2s_final(&s, key);
    tn_blake2s(out, MAC_LEN, key, sizeof(key), msg, len);
}

/* The frame's kind of a handshake message that may be compressed, or 0. */
static uint8_t shake_kind(const uint8_t *msg, size_t len)
{
    if (len == WG_INITIATION_LEN && tn_get_le32(msg) == WG_INITIATION &&
        tn_ct_is_zero(msg + len - MAC_LEN, MAC_LEN))
        return TN_LINK_INITIATION;
    if (len == WG_RESPONSE_LEN && tn_get_le32(msg) == WG_RESPONSE &&
        tn_ct_is_zero(msg + len - MAC_LEN, MAC_LEN))
        return TN_LINK_RESPONSE;
    return 0;
}

static size_t body_len(uint8_t kind)
{
    return kind == TN_LINK_INITIATION ? INITIATION_BODY_LEN : RESPONSE_BODY_LEN;
}

static bool is_data(const uint8_t *msg, size_t len)
{
    return len >= WG_DATA_MIN_LEN && tn_get_le32(msg) == WG_DATA;
}

/* The counter that has these low bits and lies in the window. */
static uint64_t whole_counter(uint64_t base, uint16_t low)
{
    return base + (uint16_t)(low - (uint16_t)base);
}

static bool is_in_window(uint64_t base, uint64_t counter)
{
    return counter >= base && counter - base < TN_LINK_WINDOW;
}

static void put_data_header(uint8_t out[WG_HEADER_LEN], uint32_t index, uint64_t counter)
{
    tn_put_le32(out, WG_DATA);
    tn_put_le32(out + 4, index);
    tn_put_le64(out + 8, counter);
}

/* Completes a message whose bytes between type and macs are at out + WG_TYPE_LEN. */
static size_t finish_shake(uint8_t kind, uint8_t *out, const uint8_t responder[32])
{
    size_t covered = WG_TYPE_LEN + body_len(kind);

    tn_put_le32(out, kind == TN_LINK_INITIATION ? WG_INITIATION : WG_RESPONSE);
    make_mac1(out + covered, responder, out, covered);
    memset(out + covered + MAC_LEN, 0, MAC_LEN);
    return covered + MACS_LEN;
}

/* ---- to the coordinator ---- */

static bool pack_data_up(struct tn_buf *b, const struct tn_link_context *ctx, uint16_t channel,
                         uint32_t index)
{
    const uint8_t *msg = tn_buf_data(b);
    uint32_t receiver = tn_get_le32(msg + 4);
    uint64_t counter = tn_get_le64(msg + 8);
    uint8_t *at;

    for (uint8_t i = 0; i < TN_LINK_CONTEXTS; i++) {
        if (!ctx[i].channel || ctx[i].channel != channel || ctx[i].tx_index != receiver ||
            !is_in_window(ctx[i].tx_base, counter))
            continue;
        b->off += WG_HEADER_LEN - TN_LINK_UP_LEN;
        b->len -= WG_HEADER_LEN - TN_LINK_UP_LEN;
        at = tn_buf_data(b);
        at[0] = (uint8_t)(TN_LINK_DATA + i);
        tn_put_be32(at + 1, index);
        tn_put_be16(at + 5, (uint16_t)counter);
        return true;
    }
    return false;
}

bool tn_link_pack_up(struct tn_buf *b, const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                     uint16_t channel, uint32_t index)
{
    const uint8_t *msg = tn_buf_data(b);
    uint8_t kind, *at;

    if (is_data(msg, b->len))
        return pack_data_up(b, ctx, channel, index);
    kind = shake_kind(msg, b->len);
    if (!kind || b->off < TN_LINK_UP_LEN - WG_TYPE_LEN)
        return false;
    b->off -= TN_LINK_UP_LEN - WG_TYPE_LEN;
    b->len = TN_LINK_UP_LEN + body_len(kind);
    at = tn_buf_data(b);
    at[0] = kind;
    tn_put_be32(at + 1, index);
    tn_put_be16(at + 5, channel);
    return true;
}

int tn_link_read_up(const uint8_t *frame, size_t len, struct tn_link_head *h)
{
    struct tn_link_head d = {0};

    if (len < TN_LINK_UP_LEN || !tn_link_is_frame(frame, len))
        return TN_EINVAL;
    d.kind = frame[0];
    d.index = tn_get_be32(frame + 1);
    if (d.kind == TN_LINK_INITIATION || d.kind == TN_LINK_RESPONSE) {
        if (len != TN_LINK_UP_LEN + body_len(d.kind))
            return TN_EINVAL;
        d.channel = tn_get_be16(frame + 5);
    } else {
        if (len - TN_LINK_UP_LEN < WG_DATA_MIN_LEN - WG_HEADER_LEN)
            return TN_EINVAL;
        d.context = (uint8_t)(d.kind - TN_LINK_DATA);
        d.kind = TN_LINK_DATA;
        d.counter = tn_get_be16(frame + 5);
    }
    *h = d;
    return TN_OK;
}

size_t tn_link_rebuild_up(const struct tn_link_head *h, const uint8_t *frame, size_t len,
                          const struct tn_link_context *ctx, const uint8_t responder[32],
                          uint8_t *out, size_t cap)
{
    size_t body = len - TN_LINK_UP_LEN;
    bool data = h->kind == TN_LINK_DATA;

    if (body + (data ? WG_HEADER_LEN : WG_TYPE_LEN + MACS_LEN) > cap)
        return 0;
    if (!data) {
        memcpy(out + WG_TYPE_LEN, frame + TN_LINK_UP_LEN, body);
        return finish_shake(h->kind, out, responder);
    }
    put_data_header(out, ctx->tx_index, whole_counter(ctx->tx_base, h->counter));
    memcpy(out + WG_HEADER_LEN, frame + TN_LINK_UP_LEN, body);
    return WG_HEADER_LEN + body;
}

/* ---- to the member ---- */

static size_t pack_data_down(uint8_t *msg, size_t len, const struct tn_link_context *ctx,
                             uint8_t **frame)
{
    uint32_t receiver = tn_get_le32(msg + 4);
    uint64_t counter = tn_get_le64(msg + 8);

    for (uint8_t i = 0; i < TN_LINK_CONTEXTS; i++) {
        if (!ctx[i].channel || ctx[i].rx_index != receiver ||
            !is_in_window(ctx[i].rx_base, counter))
            continue;
        *frame = msg + TN_LINK_GROWTH_FRONT;
        (*frame)[0] = (uint8_t)(TN_LINK_DATA + i);
        tn_put_be16(*frame + 1, (uint16_t)counter);
        return len - TN_LINK_GROWTH_FRONT;
    }
    return 0;
}

size_t tn_link_pack_down(uint8_t *msg, size_t len,
                         const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                         const uint8_t member[32], uint32_t index, uint8_t **frame)
{
    uint8_t mac1[MAC_LEN];
    size_t covered;
    uint8_t kind;

    if (is_data(msg, len))
        return pack_data_down(msg, len, ctx, frame);
    kind = shake_kind(msg, len);
    if (!kind)
        return 0;
    covered = WG_TYPE_LEN + body_len(kind);
    make_mac1(mac1, member, msg, covered);
    if (!tn_ct_equal(mac1, msg + covered, MAC_LEN))
        return 0;
    /* five bytes of header stand where four of type stood: the body moves one on, over mac1 */
    memmove(msg + TN_LINK_SHAKE_LEN, msg + WG_TYPE_LEN, body_len(kind));
    msg[0] = kind;
    tn_put_be32(msg + 1, index);
    *frame = msg;
    return TN_LINK_SHAKE_LEN + body_len(kind);
}

static int unpack_shake(struct tn_buf *b, const uint8_t member[32], uint32_t index)
{
    uint8_t *at = tn_buf_data(b);
    uint8_t kind = at[0];

    if (b->len != TN_LINK_SHAKE_LEN + body_len(kind) || tn_get_be32(at + 1) != index)
        return TN_EINVAL;
    if (tn_buf_tailroom(b) < TN_LINK_GROWTH_BACK)
        return TN_ENOSPC;
    b->off += TN_LINK_SHAKE_LEN - WG_TYPE_LEN;
    b->len = finish_shake(kind, tn_buf_data(b), member);
    return TN_OK;
}

int tn_link_unpack_down(struct tn_buf *b, const struct tn_link_context ctx[TN_LINK_CONTEXTS],
                        const uint8_t member[32], uint32_t index)
{
    const struct tn_link_context *c;
    uint64_t counter;
    uint8_t *at = tn_buf_data(b);

    if (!tn_link_is_frame(at, b->len))
        return TN_EINVAL;
    if (at[0] == TN_LINK_INITIATION || at[0] == TN_LINK_RESPONSE)
        return unpack_shake(b, member, index);
    c = &ctx[at[0] - TN_LINK_DATA];
    if (!c->channel || b->len < TN_LINK_DOWN_LEN + WG_DATA_MIN_LEN - WG_HEADER_LEN)
        return TN_EINVAL;
    counter = whole_counter(c->rx_base, tn_get_be16(at + 1));
    at = tn_buf_push(b, TN_LINK_GROWTH_FRONT);
    if (!at)
        return TN_ENOSPC;
    put_data_header(at, c->rx_index, counter);
    return TN_OK;
}
