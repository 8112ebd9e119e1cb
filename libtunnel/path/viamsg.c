/* 06 VIA       00 len[2] address[4]  datagram[len]      to the member that relays: for whom it is
 * 07 VIA_FROM  00 len[2] address[4]  datagram[len]      from it: who sent it
 *
 * Both are as long as each other, so a relay's output is never longer than its input. */
#include "viamsg.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"

#define PADDING_MAX 15

void tn_viamsg_encode(const struct tn_viamsg *m, uint8_t out[TN_VIAMSG_HEADER_LEN])
{
    out[0] = m->from ? TN_VIAMSG_FROM : TN_VIAMSG_TO;
    out[1] = 0;
    tn_put_be16(out + 2, m->len);
    memcpy(out + 4, m->ipv4, 4);
}

int tn_viamsg_decode(const uint8_t *inner, size_t len, struct tn_viamsg *m)
{
    struct tn_viamsg d;
    size_t whole;

    if (len < TN_VIAMSG_HEADER_LEN || !tn_viamsg_is(inner[0]) || inner[1] != 0)
        return TN_EINVAL;
    d.from = inner[0] == TN_VIAMSG_FROM;
    d.len = tn_get_be16(inner + 2);
    memcpy(d.ipv4, inner + 4, 4);
    whole = TN_VIAMSG_HEADER_LEN + (size_t)d.len;
    if (d.len < TN_VIAMSG_DATAGRAM_MIN || len < whole || len - whole > PADDING_MAX ||
        !tn_ct_is_zero(inner + whole, len - whole))
        return TN_EINVAL;
    *m = d;
    return TN_OK;
}
