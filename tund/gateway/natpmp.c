/* NAT-PMP's datagrams, RFC 6886 sections 3.2 to 3.5:
 *
 *   ask address  version[1] = 0  op[1] = 0
 *   ask map      version[1] = 0  op[1] = 1 UDP, 2 TCP  reserved[2]  internal[2]  external[2]  lifetime[4]
 *   answer       version[1] = 0  op[1] = 128 + op  result[2]  epoch[4]
 *                then for an address: ip[4]; for a map: internal[2] external[2] lifetime[4] */
#include "natpmp.h"

#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/cursor.h"

#define ANSWER_BIT 128
#define HEAD_LEN 8

void natpmp_ask_address(uint8_t out[NATPMP_ASK_ADDRESS_LEN])
{
    out[0] = NATPMP_VERSION;
    out[1] = NATPMP_ADDRESS;
}

void natpmp_ask_map(uint8_t out[NATPMP_ASK_MAP_LEN], bool tcp, uint16_t internal, uint16_t external,
                    uint32_t lifetime_s)
{
    memset(out, 0, NATPMP_ASK_MAP_LEN);
    out[1] = tcp ? NATPMP_MAP_TCP : NATPMP_MAP_UDP;
    tn_put_be16(out + 4, internal);
    tn_put_be16(out + 6, external);
    tn_put_be32(out + 8, lifetime_s);
}

int natpmp_decode(struct natpmp_answer *out, const uint8_t *data, size_t len)
{
    struct natpmp_answer got = {0};
    struct tn_reader r;
    uint8_t version, op, ip[4] = {0};

    tn_reader_init(&r, data, len);
    version = tn_read_u8(&r);
    op = tn_read_u8(&r);
    got.result = tn_read_u16(&r);
    got.epoch_s = tn_read_u32(&r);
    if (!tn_reader_ok(&r) || version != NATPMP_VERSION || op < ANSWER_BIT ||
        op > ANSWER_BIT + NATPMP_MAP_TCP || len > NATPMP_ANSWER_MAX)
        return TN_EINVAL;
    got.op = op - ANSWER_BIT;
    if (got.result != NATPMP_SUCCESS && len == HEAD_LEN) {
        *out = got;
        return 0;
    }
    if (got.op == NATPMP_ADDRESS) {
        tn_read_bytes(&r, ip, sizeof ip);
        got.external = tn_addr_v4(ip, 0);
    } else {
        got.internal_port = tn_read_u16(&r);
        got.external_port = tn_read_u16(&r);
        got.lifetime_s = tn_read_u32(&r);
    }
    if (!tn_reader_done(&r))
        return TN_EINVAL;
    *out = got;
    return 0;
}
