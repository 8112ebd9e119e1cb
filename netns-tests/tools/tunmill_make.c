/* How it works: a few flows go on, so that packets follow one another as merging wants it; each packet
 * then has a small chance of each oddity: flags, options, another TTL, TOS, window or id, a fragment, a
 * wrong or missing checksum, bytes behind the packet. Some are large ones that the kernel or the
 * tunnel has to split. */
#include "tunmill.h"

#include <string.h>

static uint64_t next64(struct mill *m)
{
    /* splitmix64 */
    uint64_t z = m->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t mill_below(struct mill *m, uint32_t bound)
{
    return (uint32_t)(next64(m) % bound);
}

static bool one_in(struct mill *m, uint32_t n)
{
    return mill_below(m, n) == 0;
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t add16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void mill_init(struct mill *m, uint64_t seed)
{
    m->state = seed;
    for (unsigned i = 0; i < MILL_FLOWS; i++)
        m->flow[i] = (struct mill_flow){.v4 = i % 2,
                                        .tcp = i % 4 < 2,
                                        .sport = (uint16_t)(20000 + i),
                                        .dport = (uint16_t)(30000 + i),
                                        .id = (uint16_t)next64(m),
                                        .seq = (uint32_t)next64(m),
                                        .ack = (uint32_t)next64(m),
                                        .options_len = i % 3 == 0 ? 12 : 0};
}

/* ---- headers ---- */

static size_t put_ip(struct mill *m, struct mill_flow *f, uint8_t *ip, size_t options_len)
{
    memset(ip, 0, 60);
    if (!f->v4) {
        ip[0] = 0x60;
        ip[6] = f->tcp ? IPPROTO_TCP : IPPROTO_UDP;
        ip[7] = one_in(m, 40) ? 17 : 64;
        ip[1] = one_in(m, 40) ? 0x30 : 0;
        ip[3] = one_in(m, 40) ? 7 : 1;
        memcpy(ip + 8, m->src6, 16);
        memcpy(ip + 24, m->dst6, 16);
        return 40;
    }
    ip[0] = (uint8_t)(0x45 + options_len / 4);
    ip[1] = one_in(m, 40) ? 3 : 0;
    put16(ip + 4, f->id++);
    if (one_in(m, 40))
        f->id += 3;
    ip[6] = one_in(m, 40) ? 0 : 0x40;
    ip[8] = one_in(m, 40) ? 17 : 64;
    ip[9] = f->tcp ? IPPROTO_TCP : IPPROTO_UDP;
    memcpy(ip + 12, m->src4, 4);
    memcpy(ip + 16, m->dst4, 4);
    memset(ip + 20, 1, options_len); /* no operation */
    return 20 + options_len;
}

static uint8_t tcp_flags(struct mill *m)
{
    static const uint8_t odd[] = {0x01, 0x08, 0x18, 0x02, 0x04, 0x20, 0x40, 0x80, 0xc0};

    return one_in(m, 8) ? 0x10 | odd[mill_below(m, sizeof odd)] : 0x10;
}

static size_t put_tcp(struct mill *m, struct mill_flow *f, uint8_t *tcp, size_t payload)
{
    size_t options = one_in(m, 40) ? 40 : f->options_len;

    memset(tcp, 0, 20);
    put16(tcp, f->sport);
    put16(tcp + 2, f->dport);
    put32(tcp + 4, f->seq);
    put32(tcp + 8, f->ack);
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = tcp_flags(m);
    put16(tcp + 14, one_in(m, 40) ? 501 : 500);
    if (one_in(m, 60))
        put16(tcp + 18, 5); /* an urgent pointer without the flag */
    memset(tcp + 20, one_in(m, 40) ? 0 : 1, options);
    f->seq += (uint32_t)payload;
    if (one_in(m, 30))
        f->seq += 1000; /* one was lost */
    if (one_in(m, 30))
        f->ack += 77;
    return 20 + options;
}

static size_t put_udp(struct mill_flow *f, uint8_t *udp, size_t payload)
{
    put16(udp, f->sport);
    put16(udp + 2, f->dport);
    put16(udp + 4, 8 + payload);
    put16(udp + 6, 0);
    return 8;
}

/* ---- whole packets ---- */

static void put_ip_length(struct mill_packet *p, bool v4, size_t ip_len)
{
    if (v4) {
        put16(p->data + 2, p->len);
        put16(p->data + 10, 0);
        put16(p->data + 10, (uint16_t)~fold(add16(p->data, ip_len, 0)));
    } else {
        put16(p->data + 4, p->len - 40);
    }
}

static uint32_t pseudo(const struct mill_packet *p, bool v4, bool tcp, size_t l4_len)
{
    uint32_t sum = (uint32_t)l4_len + (tcp ? IPPROTO_TCP : IPPROTO_UDP);

    return v4 ? add16(p->data + 12, 8, sum) : add16(p->data + 8, 32, sum);
}

static void checksum(struct mill *m, struct mill_packet *p, const struct mill_flow *f, size_t at)
{
    uint8_t *field = p->data + at + (f->tcp ? 16 : 6);
    uint16_t sum;

    put16(field, 0);
    sum = (uint16_t)~fold(add16(p->data + at, p->len - at, pseudo(p, f->v4, f->tcp, p->len - at)));
    if (!sum && !f->tcp)
        sum = 0xffff;
    if (one_in(m, 40))
        sum ^= 0x1111; /* a wrong one stays wrong */
    if (!f->tcp && f->v4 && one_in(m, 20))
        sum = 0; /* none */
    put16(field, sum);
}

static size_t payload_len(struct mill *m, size_t most)
{
    if (one_in(m, 5))
        return mill_below(m, (uint32_t)most + 1);
    return most;
}

static void fill(struct mill *m, uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = next64(m);

        memcpy(p + i, &v, len - i < 8 ? len - i : 8);
    }
}

static void make_small(struct mill *m, struct mill_flow *f, struct mill_packet *p)
{
    size_t ip_len = put_ip(m, f, p->data, f->v4 && one_in(m, 30) ? 8 : 0);
    size_t payload = payload_len(m, 1000 + 200 * (f->sport % 2));
    size_t at = ip_len, l4_len;

    l4_len = f->tcp ? put_tcp(m, f, p->data + at, payload) : put_udp(f, p->data + at, payload);
    fill(m, p->data + at + l4_len, payload);
    p->len = at + l4_len + payload;
    if (f->v4 && one_in(m, 25)) { /* the first fragment, one in the middle, the last */
        put16(p->data + 6, (one_in(m, 2) ? 0x2000 : 0) | mill_below(m, 3) * 100);
    }
    put_ip_length(p, f->v4, ip_len);
    checksum(m, p, f, at);
    if (one_in(m, 40)) { /* a link may add bytes behind */
        memset(p->data + p->len, 0xee, 6);
        p->len += 6;
    }
}

static void make_large(struct mill *m, struct mill_flow *f, struct mill_packet *p)
{
    size_t segment = 200 + mill_below(m, 1100);
    size_t payload = segment * (1 + mill_below(m, 30)) + 1 + mill_below(m, (uint32_t)segment);
    size_t ip_len = put_ip(m, f, p->data, 0), l4_len;
    uint8_t *l4 = p->data + ip_len;

    if (payload > 60000)
        payload = 60000;
    l4_len = f->tcp ? put_tcp(m, f, l4, payload) : put_udp(f, l4, payload);
    if (f->tcp)
        l4[13] &= (uint8_t)~0x26; /* no SYN, RST or URG on what is to be split */
    fill(m, l4 + l4_len, payload);
    p->len = ip_len + l4_len + payload;
    put_ip_length(p, f->v4, ip_len);
    put16(l4 + (f->tcp ? 16 : 6), fold(pseudo(p, f->v4, f->tcp, p->len - ip_len)));
    p->h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    p->h.gso_type = f->tcp ? f->v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6
                           : 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */;
    if (f->tcp && l4[13] & 0x80)
        p->h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    p->h.hdr_len = (uint16_t)(ip_len + l4_len);
    p->h.gso_size = (uint16_t)segment;
    p->h.csum_start = (uint16_t)ip_len;
    p->h.csum_offset = f->tcp ? 16 : 6;
    p->segments = (unsigned)((payload + segment - 1) / segment);
    if (f->v4)
        f->id = (uint16_t)(f->id + p->segments - 1);
}

void mill_next(struct mill *m, struct mill_packet *p)
{
    if (one_in(m, 6))
        m->last = mill_below(m, MILL_FLOWS);
    memset(&p->h, 0, sizeof p->h);
    p->segments = 1;
    if (one_in(m, 12))
        make_large(m, &m->flow[m->last], p);
    else
        make_small(m, &m->flow[m->last], p);
}

void mill_marker(struct mill *m, uint32_t number, struct mill_packet *p)
{
    struct mill_flow f = {.v4 = true, .sport = 9, .dport = 9};

    memset(&p->h, 0, sizeof p->h);
    put_ip(m, &f, p->data, 0);
    put_udp(&f, p->data + 20, 4);
    put32(p->data + 28, number);
    p->len = 32;
    p->data[8] = 64;
    put_ip_length(p, true, 20);
    p->segments = 1;
}

int64_t mill_marker_number(const uint8_t *packet, size_t len)
{
    static const uint8_t nine[4] = {0, 9, 0, 9};

    if (len != 32 || packet[0] != 0x45 || packet[9] != IPPROTO_UDP || memcmp(packet + 20, nine, 4))
        return -1;
    return (int64_t)packet[28] << 24 | packet[29] << 16 | packet[30] << 8 | packet[31];
}
