/* The answer "too big" quotes the packet's beginning behind its own two headers: up to 576 bytes
 * in all for IPv4 (RFC 1812, 4.3.2.3), up to 1280 for IPv6 (RFC 4443, 2.4). It comes from
 * the address that was spoken to, because every host lets that in through the
 * interface by which it sent; a host's check of source addresses would drop our own. */
#include "ip.h"

#include <string.h>

#include "bytes.h"
#include "ct.h"

#define IP4_LEN 20u
#define IP6_LEN 40u
#define ICMP_LEN 8u
#define ICMP4_MAX 576u
#define PROTO_ICMP 1
#define PROTO_ICMP6 58
#define TTL 64

size_t tn_ip_len(const uint8_t *ip, size_t len)
{
    size_t total = 0;

    if (len >= IP4_LEN && ip[0] >> 4 == 4) {
        total = tn_get_be16(ip + 2);
        if (total < IP4_LEN)
            total = 0;
    } else if (len >= IP6_LEN && ip[0] >> 4 == 6) {
        total = IP6_LEN + tn_get_be16(ip + 4);
    }
    return total <= len ? total : 0;
}

bool tn_ip_may_split(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 && !(ip[6] & 0x40);
}

uint32_t tn_ip_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (; len > 1; data += 2, len -= 2)
        sum += tn_get_be16(data);
    if (len)
        sum += (uint32_t)data[0] << 8;
    return sum;
}

uint16_t tn_ip_checksum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static bool is_error4(const uint8_t *ip, size_t header)
{
    uint8_t type = ip[header];

    return ip[9] == PROTO_ICMP &&
           (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
}

/* One host's address: not 0, not a group, not broadcast. */
static bool is_host4(const uint8_t *a)
{
    return a[0] != 0 && a[0] < 224;
}

static size_t too_big4(uint8_t *ip, size_t len, uint16_t mtu)
{
    size_t header = (size_t)(ip[0] & 15) * 4, quote = len;
    uint8_t from[4], to[4];

    if (header < IP4_LEN || header >= len || (tn_get_be16(ip + 6) & 0x1fff) ||
        is_error4(ip, header) || !is_host4(ip + 12) || !is_host4(ip + 16))
        return 0;
    if (quote > ICMP4_MAX - IP4_LEN - ICMP_LEN)
        quote = ICMP4_MAX - IP4_LEN - ICMP_LEN;
    memcpy(from, ip + 16, 4);
    memcpy(to, ip + 12, 4);
    memmove(ip + IP4_LEN + ICMP_LEN, ip, quote);
    len = IP4_LEN + ICMP_LEN + quote;
    memset(ip, 0, IP4_LEN + ICMP_LEN);
    ip[0] = 0x45;
    tn_put_be16(ip + 2, (uint16_t)len);
    ip[8] = TTL;
    ip[9] = PROTO_ICMP;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, to, 4);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, IP4_LEN)));
    ip[IP4_LEN] = 3;     /* destination unreachable */
    ip[IP4_LEN + 1] = 4; /* fragmentation needed */
    tn_put_be16(ip + IP4_LEN + 6, mtu);
    tn_put_be16(ip + IP4_LEN + 2, tn_ip_checksum(tn_ip_sum(0, ip + IP4_LEN, len - IP4_LEN)));
    return len;
}

static size_t too_big6(uint8_t *ip, size_t len, uint16_t mtu)
{
    size_t quote = len;
    uint8_t from[16], to[16];
    uint32_t sum;

    if ((ip[6] == PROTO_ICMP6 && ip[IP6_LEN] < 128) || ip[8] == 0xff || ip[24] == 0xff ||
        tn_ct_is_zero(ip + 8, 16))
        return 0;
    if (quote > TN_IP6_MIN_MTU - IP6_LEN - ICMP_LEN)
        quote = TN_IP6_MIN_MTU - IP6_LEN - ICMP_LEN;
    if (quote > len - IP6_LEN - ICMP_LEN)
        quote = len - IP6_LEN - ICMP_LEN;
    memcpy(from, ip + 24, 16);
    memcpy(to, ip + 8, 16);
    memmove(ip + IP6_LEN + ICMP_LEN, ip, quote);
    len = IP6_LEN + ICMP_LEN + quote;
    memset(ip, 0, IP6_LEN + ICMP_LEN);
    ip[0] = 0x60;
    tn_put_be16(ip + 4, (uint16_t)(len - IP6_LEN));
    ip[6] = PROTO_ICMP6;
    ip[7] = TTL;
    memcpy(ip + 8, from, 16);
    memcpy(ip + 24, to, 16);
    ip[IP6_LEN] = 2; /* packet too big */
    tn_put_be32(ip + IP6_LEN + 4, mtu);
    sum = tn_ip_sum(PROTO_ICMP6 + (uint32_t)(len - IP6_LEN), ip + 8, 32);
    tn_put_be16(ip + IP6_LEN + 2, tn_ip_checksum(tn_ip_sum(sum, ip + IP6_LEN, len - IP6_LEN)));
    return len;
}

size_t tn_ip_too_big(uint8_t *ip, size_t len, uint16_t mtu)
{
    if (len < ICMP4_MAX)
        return 0;
    return ip[0] >> 4 == 4 ? too_big4(ip, len, mtu) : ip[0] >> 4 == 6 ? too_big6(ip, len, mtu) : 0;
}
