/* The message TCP, docs/PROTOCOL.md section 5.7:
 *
 *   0c flags[1] size[2] count[1] { address[18] }   zeros up to size
 *
 * `size` follows from the count, so that there is one way to say a thing. */
#include "tcpmsg.h"

#include "../base/ct.h"
#include "../base/cursor.h"

#define FLAG_ASK 0x01
#define HEADER_LEN 5
#define MIN_LEN 32
#define WG_PADDING_MAX 15

static size_t size_of(size_t count)
{
    size_t len = HEADER_LEN + count * TN_ADDR_WIRE_LEN;

    return len < MIN_LEN ? MIN_LEN : len;
}

size_t tn_tcp_encode(const struct tn_tcp_msg *m, uint8_t out[TN_TCP_MSG_MAX])
{
    struct tn_writer w;
    size_t size;

    if (m->count > TN_TCP_ADDRS_MAX)
        return 0;
    size = size_of(m->count);
    tn_writer_init(&w, out, size);
    tn_write_u8(&w, TN_TCP_FIRST);
    tn_write_u8(&w, m->ask ? FLAG_ASK : 0);
    tn_write_u16(&w, (uint16_t)size);
    tn_write_u8(&w, m->count);
    for (uint8_t i = 0; i < m->count; i++) {
        uint8_t *at = tn_write_room(&w, TN_ADDR_WIRE_LEN);

        if (at)
            tn_addr_encode(&m->addr[i], at);
    }
    tn_write_zeros(&w, size - w.len);
    return size;
}

int tn_tcp_decode(const uint8_t *inner, size_t len, struct tn_tcp_msg *m)
{
    struct tn_tcp_msg d = {0};
    struct tn_reader r;
    uint8_t type, flags;
    size_t size;

    tn_reader_init(&r, inner, len);
    type = tn_read_u8(&r);
    flags = tn_read_u8(&r);
    size = tn_read_u16(&r);
    d.ask = flags == FLAG_ASK;
    d.count = tn_read_u8(&r);
    if (!tn_reader_ok(&r) || type != TN_TCP_FIRST || (flags & ~FLAG_ASK) || d.count > TN_TCP_ADDRS_MAX)
        return TN_EINVAL;
    if (size != size_of(d.count) || size > len || len - size > WG_PADDING_MAX)
        return TN_EINVAL;
    for (uint8_t i = 0; i < d.count; i++) {
        const uint8_t *at = tn_read_view(&r, TN_ADDR_WIRE_LEN);

        if (!at)
            return TN_EINVAL;
        tn_addr_decode(at, &d.addr[i]);
    }
    if (!tn_ct_is_zero(inner + (len - r.left), r.left))
        return TN_EINVAL;
    *m = d;
    return TN_OK;
}
