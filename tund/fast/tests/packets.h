/* Packets for tests, made from a description; checksums the slow way, bytes as the RFCs draw them. */
#ifndef TUND_FAST_TESTS_PACKETS_H
#define TUND_FAST_TESTS_PACKETS_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "tund/fast/headers.h"

struct packet_plan {
    bool v6, udp;
    uint8_t host, port; /* last bytes of source address and port: the flow */
    uint8_t tos, ttl, flags, ip_options_len, tcp_options_len, fill;
    uint16_t id, frag, window, payload_len;
    uint32_t seq, ack, label;
};

struct packet {
    uint8_t data[65536];
    size_t len, l4_off, hdr_len;
};

/* RFC 1071, with bytes as they are on the wire; an odd byte counts as the upper one. */
static inline uint32_t packet_sum(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static inline bool packet_is_v6(const struct packet *p)
{
    return p->data[0] >> 4 == 6;
}

static inline uint32_t packet_pseudo(const struct packet *p, bool udp)
{
    uint32_t sum = (uint32_t)(p->len - p->l4_off) + (udp ? 17 : 6);

    return packet_is_v6(p) ? packet_sum(p->data + 8, 32, sum) : packet_sum(p->data + 12, 8, sum);
}

/* Right checksums in place of whatever is there. */
static inline void packet_seal(struct packet *p, bool udp)
{
    uint8_t *field = p->data + p->l4_off + (udp ? 6 : 16);
    uint16_t check;

    if (!packet_is_v6(p)) {
        tn_put_be16(p->data + 10, 0);
        tn_put_be16(p->data + 10, (uint16_t)~packet_sum(p->data, p->l4_off, 0));
    }
    tn_put_be16(field, 0);
    check = (uint16_t)~packet_sum(p->data + p->l4_off, p->len - p->l4_off, packet_pseudo(p, udp));
    tn_put_be16(field, udp && !check ? 0xffff : check);
}

static inline void packet_ip(struct packet *p, const struct packet_plan *w)
{
    uint8_t *ip = p->data;

    if (w->v6) {
        tn_put_be32(ip, 6u << 28 | (uint32_t)w->tos << 20 | w->label);
        tn_put_be16(ip + 4, (uint16_t)(p->len - 40));
        ip[6] = w->udp ? 17 : 6;
        ip[7] = w->ttl;
        ip[8] = ip[24] = 0xfd;
        ip[23] = w->host;
        ip[39] = 1;
        return;
    }
    ip[0] = (uint8_t)(0x45 + w->ip_options_len / 4);
    ip[1] = w->tos;
    tn_put_be16(ip + 2, (uint16_t)p->len);
    tn_put_be16(ip + 4, w->id);
    tn_put_be16(ip + 6, w->frag);
    ip[8] = w->ttl;
    ip[9] = w->udp ? 17 : 6;
    memcpy(ip + 12, (uint8_t[]){10, 9, 0, w->host, 10, 8, 0, 1}, 8);
    memset(ip + 20, 1, w->ip_options_len); /* no operation */
}

static inline void packet_make(struct packet *p, const struct packet_plan *w)
{
    size_t tcp_len = 20u + w->tcp_options_len;
    uint8_t *l4;

    p->l4_off = w->v6 ? 40 : 20u + w->ip_options_len;
    p->hdr_len = p->l4_off + (w->udp ? 8 : tcp_len);
    p->len = p->hdr_len + w->payload_len;
    memset(p->data, 0, p->hdr_len);
    packet_ip(p, w);
    l4 = p->data + p->l4_off;
    tn_put_be16(l4, (uint16_t)(4000 + w->port));
    tn_put_be16(l4 + 2, 5001);
    if (w->udp) {
        tn_put_be16(l4 + 4, (uint16_t)(8 + w->payload_len));
    } else {
        tn_put_be32(l4 + 4, w->seq);
        tn_put_be32(l4 + 8, w->ack);
        l4[12] = (uint8_t)(tcp_len / 4 << 4);
        l4[13] = w->flags;
        tn_put_be16(l4 + 14, w->window);
        memset(l4 + 20, 1, w->tcp_options_len);
    }
    for (size_t i = 0; i < w->payload_len; i++)
        p->data[p->hdr_len + i] = (uint8_t)((w->seq + i) * 7 + (i >> 8) + w->fill);
    packet_seal(p, w->udp);
}

/* Makes of a whole packet what the kernel would hand over to be split: partial checksum and header. */
static inline struct virtio_net_hdr packet_partial(struct packet *p, bool udp, uint16_t gso_size)
{
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_size = gso_size,
                               .csum_start = (uint16_t)p->l4_off, .csum_offset = udp ? 6 : 16,
                               .hdr_len = (uint16_t)p->hdr_len};

    h.gso_type = udp ? FAST_GSO_UDP_L4
                     : packet_is_v6(p) ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    tn_put_be16(p->data + p->l4_off + h.csum_offset, (uint16_t)packet_pseudo(p, udp));
    return h;
}

#endif
