/* How it works: as tcp_gso_segment, __udp_gso_segment and inet_gso_segment of Linux do. Every
 * segment gets a copy of the headers. The IPv4 id counts up; of TCP's flags CWR stays
 * with the first, FIN and PSH with the last; lengths and checksums are each segment's own.
 *
 * The checksum field of a packet with NEEDS_CSUM holds the pseudo header's sum with the length of
 * the whole; taking that length off leaves what is common to all segments, so addresses (which
 * a routing header may have changed) are never looked at. hdr_len of the vnet header is a
 * hint and not used (virtio 1.2, 5.1.6.2). */
#include "split.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "headers.h"
#include "libtunnel/base/bytes.h"
#include "sum.h"

int fast_complete_checksum(const struct virtio_net_hdr *h, uint8_t *packet, size_t len)
{
    size_t start = h->csum_start, at = start + h->csum_offset;
    uint16_t check;

    if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return 0;
    if (at + sizeof check > len)
        return -EINVAL;
    check = (uint16_t)~fast_fold(fast_sum(packet + start, len - start, 0));
    if (!check)
        check = 0xffff; /* for UDP zero means none, and for the others it is the same */
    memcpy(packet + at, &check, sizeof check);
    return 0;
}

/* Where the transport header begins, or 0 where the IP header is not what the vnet header says. */
static size_t transport_offset(const struct virtio_net_hdr *h, const uint8_t *packet, size_t len,
                               bool v4, uint8_t proto)
{
    size_t start = h->csum_start;

    if (v4) {
        if (len < FAST_IP4_LEN || packet[0] >> 4 != 4 || packet[0] % 16 < 5 || packet[9] != proto)
            return 0;
        return start == packet[0] % 16 * 4u && tn_get_be16(packet + 2) == len ? start : 0;
    }
    if (len < FAST_IP6_LEN || packet[0] >> 4 != 6 || start < FAST_IP6_LEN || start % 8)
        return 0;
    return tn_get_be16(packet + 4) + FAST_IP6_LEN == len ? start : 0;
}

static int transport_length(const struct fast_split *s, const struct virtio_net_hdr *h)
{
    const uint8_t *l4 = s->packet + s->l4_off;
    size_t min = s->tcp ? FAST_TCP_LEN_MIN : FAST_UDP_LEN, len;

    if (s->l4_off + min >= s->len || h->csum_offset != (s->tcp ? FAST_TCP_CHECK : FAST_UDP_CHECK))
        return -EINVAL;
    len = s->tcp ? l4[12] / 16 * 4u : FAST_UDP_LEN;
    return len >= min && s->l4_off + len < s->len ? (int)len : -EINVAL;
}

int fast_split_begin(struct fast_split *s, const struct virtio_net_hdr *h, const uint8_t *packet,
                     size_t len)
{
    struct fast_split n = {.packet = packet, .len = len, .gso_size = h->gso_size};
    uint8_t kind = (uint8_t)(h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN);
    uint16_t check, whole;
    int l4_len;

    if (!h->gso_size || !len || len > FAST_PACKET_MAX || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return -EINVAL;
    if (kind != VIRTIO_NET_HDR_GSO_TCPV4 && kind != VIRTIO_NET_HDR_GSO_TCPV6 && kind != FAST_GSO_UDP_L4)
        return -EINVAL;
    n.tcp = kind != FAST_GSO_UDP_L4;
    n.v4 = n.tcp ? kind == VIRTIO_NET_HDR_GSO_TCPV4 : packet[0] >> 4 == 4;
    n.l4_off = transport_offset(h, packet, len, n.v4, n.tcp ? FAST_PROTO_TCP : FAST_PROTO_UDP);
    if (!n.l4_off)
        return -EINVAL;
    l4_len = transport_length(&n, h);
    if (l4_len < 0)
        return l4_len;
    n.at = n.hdr_len = n.l4_off + (size_t)l4_len;
    memcpy(&check, packet + n.l4_off + h->csum_offset, sizeof check);
    whole = n.tcp ? (uint16_t)(len - n.l4_off) : tn_get_be16(packet + n.l4_off + 4);
    n.base = (uint64_t)check + (uint16_t)~htons(whole);
    *s = n;
    return 0;
}

size_t fast_split_next_len(const struct fast_split *s)
{
    size_t left = s->len - s->at;

    if (s->done)
        return 0;
    return s->hdr_len + (left < s->gso_size ? left : s->gso_size);
}

static void fix_ip(const struct fast_split *s, uint8_t *ip, size_t len)
{
    uint16_t check;

    if (!s->v4) {
        tn_put_be16(ip + 4, (uint16_t)(len - FAST_IP6_LEN));
        return;
    }
    tn_put_be16(ip + 2, (uint16_t)len);
    tn_put_be16(ip + 4, (uint16_t)(tn_get_be16(ip + 4) + s->index));
    memset(ip + 10, 0, 2);
    check = (uint16_t)~fast_fold(fast_sum(ip, s->l4_off, 0));
    memcpy(ip + 10, &check, sizeof check);
}

static void fix_tcp(const struct fast_split *s, uint8_t *tcp, bool last)
{
    tn_put_be32(tcp + 4, tn_get_be32(tcp + 4) + (uint32_t)(s->at - s->hdr_len));
    if (!last)
        tcp[FAST_TCP_FLAGS] &= (uint8_t) ~(FAST_TCP_FIN | FAST_TCP_PSH);
    if (s->index)
        tcp[FAST_TCP_FLAGS] &= (uint8_t)~FAST_TCP_CWR;
}

size_t fast_split_next(struct fast_split *s, uint8_t *out)
{
    size_t len = fast_split_next_len(s), part = len - s->hdr_len, l4_len = len - s->l4_off;
    uint8_t *l4 = out + s->l4_off, *field = l4 + (s->tcp ? FAST_TCP_CHECK : FAST_UDP_CHECK);
    uint64_t sum = s->base + htons((uint16_t)l4_len);
    uint16_t check;

    if (!len)
        return 0;
    memcpy(out, s->packet, s->hdr_len);
    fix_ip(s, out, len);
    if (s->tcp)
        fix_tcp(s, l4, s->at + part == s->len);
    else
        tn_put_be16(l4 + 4, (uint16_t)l4_len);
    memset(field, 0, sizeof check);
    sum = fast_sum(l4, s->hdr_len - s->l4_off, sum);
    check = (uint16_t)~fast_fold(fast_sum_copy(out + s->hdr_len, s->packet + s->at, part, sum));
    if (!check && !s->tcp)
        check = 0xffff;
    memcpy(field, &check, sizeof check);
    s->at += part;
    s->index++;
    s->done = s->at == s->len;
    return len;
}
