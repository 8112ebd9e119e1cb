#include "segment.h"

#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ip.h"

#define TCP 6

static uint16_t tcp_sum(const uint8_t *ip, size_t head, size_t len)
{
    uint32_t sum = TCP + (uint32_t)len;

    sum = head == 20 ? tn_ip_sum(sum, ip + 12, 8) : tn_ip_sum(sum, ip + 8, 32);
    return tn_ip_checksum(tn_ip_sum(sum, ip + head, len));
}

static void write_ip(uint8_t *ip, const struct segment *s, size_t head, size_t len)
{
    if (head == 20) {
        ip[0] = 0x45;
        tn_put_be16(ip + 2, (uint16_t)(head + len));
        ip[8] = 64;
        ip[9] = TCP;
        memcpy(ip + 12, s->src.ip + 12, 4);
        memcpy(ip + 16, s->dst.ip + 12, 4);
        tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    } else {
        ip[0] = 0x60;
        tn_put_be16(ip + 4, (uint16_t)len);
        ip[6] = TCP;
        ip[7] = 64;
        memcpy(ip + 8, s->src.ip, 16);
        memcpy(ip + 24, s->dst.ip, 16);
    }
}

size_t segment_write(uint8_t *ip, const struct segment *s)
{
    size_t head = tn_addr_is_v4(&s->dst) ? 20 : 40, tcp_len = s->flags & SEGMENT_SYN ? 24 : 20;
    size_t len = tcp_len + s->data_len;
    uint8_t *tcp = ip + head;

    memset(ip, 0, head + tcp_len);
    write_ip(ip, s, head, len);
    tn_put_be16(tcp, s->src.port);
    tn_put_be16(tcp + 2, s->dst.port);
    tn_put_be32(tcp + 4, s->seq);
    tn_put_be32(tcp + 8, s->ack);
    tcp[12] = (uint8_t)(tcp_len << 2);
    tcp[13] = s->flags;
    tn_put_be16(tcp + 14, 60000);
    if (s->flags & SEGMENT_SYN)
        memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
    if (s->data_len)
        memcpy(tcp + tcp_len, s->data, s->data_len);
    tn_put_be16(tcp + 16, tcp_sum(ip, head, len));
    return head + len;
}

bool segment_read(const uint8_t *ip, size_t len, struct segment *s)
{
    bool v4 = len >= 40 && ip[0] >> 4 == 4;
    size_t head = v4 ? 20 : 40, tcp_len;
    const uint8_t *tcp = ip + head;

    if (len < head + 20 || ip[v4 ? 9 : 6] != TCP || (v4 && tn_ip_checksum(tn_ip_sum(0, ip, 20))))
        return false;
    tcp_len = (size_t)(tcp[12] >> 4) * 4;
    if (tcp_sum(ip, head, len - head) || tcp_len < 20 || head + tcp_len > len)
        return false;
    s->src = v4 ? tn_addr_v4(ip + 12, tn_get_be16(tcp)) : tn_addr_v6(ip + 8, tn_get_be16(tcp));
    s->dst = v4 ? tn_addr_v4(ip + 16, tn_get_be16(tcp + 2)) : tn_addr_v6(ip + 24, tn_get_be16(tcp + 2));
    s->seq = tn_get_be32(tcp + 4);
    s->ack = tn_get_be32(tcp + 8);
    s->flags = tcp[13];
    s->options = tcp + 20;
    s->data = tcp + tcp_len;
    s->data_len = len - head - tcp_len;
    return true;
}
