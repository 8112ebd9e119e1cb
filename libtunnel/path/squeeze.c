/* A datagram is ordinary when all that is left out can be told by the other end: no options, no
 * fragment and "don't fragment" set, type of service 0, 64 hops, the two members' addresses, lengths
 * and checksums that are right. The sums are computed anew; what was sealed needs none on the way. */
#include "squeeze.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/ip.h"

#define IP_LEN 20u
#define UDP_LEN 8u
#define HEADERS_LEN (IP_LEN + UDP_LEN)
#define TTL 64
#define PROTO_UDP 17
#define NEAR_PORT 0xf0b0u
#define COAP_PORT 5683u

static uint16_t udp_checksum(const uint8_t *ip, size_t len)
{
    uint32_t sum = tn_ip_sum(PROTO_UDP + (uint32_t)(len - IP_LEN), ip + 12, 8);
    uint16_t check = tn_ip_checksum(tn_ip_sum(sum, ip + IP_LEN, len - IP_LEN));

    return check ? check : 0xffff; /* 0 means: none */
}

static bool is_ordinary(const uint8_t *ip, size_t len, const uint8_t src[4], const uint8_t dst[4])
{
    uint8_t copy[HEADERS_LEN];
    uint32_t sum;

    if (len < HEADERS_LEN || ip[0] != 0x45 || ip[1] || tn_get_be16(ip + 2) != len ||
        tn_get_be16(ip + 6) != 0x4000 || ip[8] != TTL || ip[9] != PROTO_UDP ||
        memcmp(ip + 12, src, 4) || memcmp(ip + 16, dst, 4) ||
        tn_get_be16(ip + IP_LEN + 4) != len - IP_LEN)
        return false;
    memcpy(copy, ip, HEADERS_LEN);
    memset(copy + 10, 0, 2);
    if (tn_ip_checksum(tn_ip_sum(0, copy, IP_LEN)) != tn_get_be16(ip + 10))
        return false;
    memset(copy + IP_LEN + 6, 0, 2);
    sum = tn_ip_sum(PROTO_UDP + (uint32_t)(len - IP_LEN), copy + 12, 16);
    sum = tn_ip_sum(sum, ip + HEADERS_LEN, len - HEADERS_LEN);
    if (!tn_ip_checksum(sum))
        return tn_get_be16(ip + IP_LEN + 6) == 0xffff;
    return tn_ip_checksum(sum) == tn_get_be16(ip + IP_LEN + 6);
}

static size_t write_ports(uint8_t out[5], uint16_t from, uint16_t to)
{
    if ((from & 0xfff0) == NEAR_PORT && (to & 0xfff0) == NEAR_PORT) {
        out[0] = TN_SQUEEZED_NEAR;
        out[1] = (uint8_t)((from & 15) << 4 | (to & 15));
        return 2;
    }
    if (to == COAP_PORT) {
        out[0] = TN_SQUEEZED_TO_COAP;
        tn_put_be16(out + 1, from);
        return 3;
    }
    if (from == COAP_PORT) {
        out[0] = TN_SQUEEZED_FROM_COAP;
        tn_put_be16(out + 1, to);
        return 3;
    }
    out[0] = TN_SQUEEZED_PORTS;
    tn_put_be16(out + 1, from);
    tn_put_be16(out + 3, to);
    return 5;
}

/* Bytes of the header, or 0 where there are not so many. */
static size_t read_ports(const uint8_t *in, size_t len, uint16_t *from, uint16_t *to)
{
    static const uint8_t want[] = {5, 2, 3, 3};
    size_t header;

    if (!tn_is_squeezed(in, len))
        return 0;
    header = want[in[0] - TN_SQUEEZED_PORTS];
    if (len < header)
        return 0;
    *from = *to = COAP_PORT;
    if (in[0] == TN_SQUEEZED_NEAR) {
        *from = (uint16_t)(NEAR_PORT | in[1] >> 4);
        *to = (uint16_t)(NEAR_PORT | (in[1] & 15));
        return header;
    }
    if (in[0] != TN_SQUEEZED_FROM_COAP)
        *from = tn_get_be16(in + 1);
    if (in[0] == TN_SQUEEZED_FROM_COAP)
        *to = tn_get_be16(in + 1);
    if (in[0] == TN_SQUEEZED_PORTS)
        *to = tn_get_be16(in + 3);
    return header;
}

bool tn_squeeze(struct tn_buf *b, const uint8_t src[4], const uint8_t dst[4])
{
    const uint8_t *ip = tn_buf_data(b);
    uint8_t header[5];
    size_t len;

    if (!is_ordinary(ip, b->len, src, dst))
        return false;
    len = write_ports(header, tn_get_be16(ip + IP_LEN), tn_get_be16(ip + IP_LEN + 2));
    b->off += HEADERS_LEN - len;
    b->len -= HEADERS_LEN - len;
    memcpy(tn_buf_data(b), header, len);
    return true;
}

/* Makes n bytes of room before the packet; the payload moves back where that is not enough. */
static bool grow_front(struct tn_buf *b, size_t n)
{
    size_t short_of = b->off < n ? n - b->off : 0;

    if (tn_buf_tailroom(b) < short_of)
        return false;
    if (short_of)
        memmove(tn_buf_data(b) + short_of, tn_buf_data(b), b->len);
    b->off += short_of;
    b->off -= n;
    b->len += n;
    return true;
}

int tn_unsqueeze(struct tn_buf *b, const uint8_t src[4], const uint8_t dst[4])
{
    uint16_t from, to;
    size_t header = read_ports(tn_buf_data(b), b->len, &from, &to);
    uint8_t *ip;

    if (!header || b->len - header > UINT16_MAX - HEADERS_LEN)
        return TN_EINVAL;
    if (!grow_front(b, HEADERS_LEN - header))
        return TN_ENOSPC;
    ip = tn_buf_data(b);
    memset(ip, 0, HEADERS_LEN);
    ip[0] = 0x45;
    tn_put_be16(ip + 2, (uint16_t)b->len);
    tn_put_be16(ip + 6, 0x4000);
    ip[8] = TTL;
    ip[9] = PROTO_UDP;
    memcpy(ip + 12, src, 4);
    memcpy(ip + 16, dst, 4);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, IP_LEN)));
    tn_put_be16(ip + IP_LEN, from);
    tn_put_be16(ip + IP_LEN + 2, to);
    tn_put_be16(ip + IP_LEN + 4, (uint16_t)(b->len - IP_LEN));
    tn_put_be16(ip + IP_LEN + 6, udp_checksum(ip, b->len));
    return TN_OK;
}
