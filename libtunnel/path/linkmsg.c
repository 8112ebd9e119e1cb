/* PING, PONG and NAT, docs/PROTOCOL.md section 5:
 *
 *   01 PING  flags[1] size[2] txid[8]               zeros up to size
 *   02 PONG  flags[1] size[2] txid[8] observed[18]  zeros up to size
 *   04 NAT   flags[1] size[2] nat[12] port[2]       zeros up to size
 *
 * A PONG is as long as its PING, so a path is checked in both directions with the
 * same length. WireGuard pads to 16 bytes: what follows `size` must be that, and zero. */
#include "linkmsg.h"

#include "../base/ct.h"
#include "../base/cursor.h"

#define FLAG_FULL 0x01   /* PING, PONG */
#define FLAG_SEARCH 0x02 /* NAT */
#define WG_PADDING_MAX 15

static bool type_is_known(uint8_t type)
{
    return type == TN_LINK_PING || type == TN_LINK_PONG || type == TN_LINK_NAT;
}

int tn_link_encode(const struct tn_link_msg *m, uint8_t *out, size_t cap)
{
    struct tn_writer w;

    if (!type_is_known(m->type) || m->size < TN_LINK_MIN_LEN)
        return TN_EINVAL;
    if (cap < m->size)
        return TN_ENOSPC;
    tn_writer_init(&w, out, m->size);
    tn_write_u8(&w, m->type);
    if (m->type == TN_LINK_NAT) {
        tn_write_u8(&w, m->search ? FLAG_SEARCH : 0);
        tn_write_u16(&w, m->size);
        tn_nat_write(&w, &m->nat);
        tn_write_u16(&w, m->port);
    } else {
        tn_write_u8(&w, m->full ? FLAG_FULL : 0);
        tn_write_u16(&w, m->size);
        tn_write_u64(&w, m->txid);
    }
    if (m->type == TN_LINK_PONG) {
        uint8_t *at = tn_write_room(&w, TN_ADDR_WIRE_LEN);

        if (at)
            tn_addr_encode(&m->observed, at);
    }
    tn_write_zeros(&w, m->size - w.len);
    return tn_writer_ok(&w) ? TN_OK : TN_ENOSPC;
}

int tn_link_decode(const uint8_t *inner, size_t len, struct tn_link_msg *m)
{
    struct tn_link_msg d = { 0 };
    struct tn_reader r;
    const uint8_t *at;
    uint8_t flags, known;

    tn_reader_init(&r, inner, len);
    d.type = tn_read_u8(&r);
    flags = tn_read_u8(&r);
    d.size = tn_read_u16(&r);
    known = d.type == TN_LINK_NAT ? FLAG_SEARCH : FLAG_FULL;
    if (d.type == TN_LINK_NAT) {
        d.search = (flags & FLAG_SEARCH) != 0;
        tn_nat_read(&r, &d.nat);
        d.port = tn_read_u16(&r);
    } else {
        d.full = (flags & FLAG_FULL) != 0;
        d.txid = tn_read_u64(&r);
    }
    if (d.type == TN_LINK_PONG) {
        at = tn_read_view(&r, TN_ADDR_WIRE_LEN);
        if (at)
            tn_addr_decode(at, &d.observed);
    }
    if (!tn_reader_ok(&r) || !type_is_known(d.type) || (flags & ~known))
        return TN_EINVAL;
    if (d.size < TN_LINK_MIN_LEN || d.size > len || len - d.size > WG_PADDING_MAX)
        return TN_EINVAL;
    if (!tn_ct_is_zero(inner + (len - r.left), r.left))
        return TN_EINVAL;
    *m = d;
    return TN_OK;
}

void tn_link_answer(const struct tn_link_msg *ping, const struct tn_addr *observed,
                    struct tn_link_msg *pong)
{
    struct tn_link_msg d = { 0 };

    d.type = TN_LINK_PONG;
    d.full = ping->full;
    d.size = ping->size;
    d.txid = ping->txid;
    if (observed)
        d.observed = *observed;
    *pong = d;
}
