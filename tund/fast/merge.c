/* How it works: as inet_gro_receive, tcp_gro_receive and udp_gro_receive_segment of Linux do, and
 * stricter where they would lose a bit. A flow is held with its first packet whole
 * and the payloads that follow. A packet is appended when everything in its headers is what splitting
 * would make of the first packet's:
 *
 *   IPv4      no options, no fragment, same TOS (with ECN), TTL and DF, id one above the last
 *   IPv6      no extension header, same traffic class, flow label and hop limit
 *   TCP       next sequence number; same acknowledgement, window, options and flags, but CWR on
 *             the first only and FIN and PSH on the last only; neither SYN, RST nor URG
 *   UDP       with a checksum
 *   payload   as long as the first one's; a shorter one is the last
 *   checksums right. A wrong one would be made right by splitting, so it is never merged.
 *
 * The kernel would also take equal ids with DF, and does not look at the urgent pointer.
 *
 * What cannot be merged goes out after all that is held between the same two addresses,
 * so packets of a flow stay in order. A first packet's checksum is not looked at before
 * a second comes. */
#include "merge.h"

#include <string.h>

#include "headers.h"
#include "libtunnel/base/bytes.h"
#include "sum.h"

struct parsed {
    uint8_t *packet;
    size_t len;
    uint16_t l4_off, hdr_len, payload_len;
    uint8_t flags; /* of TCP */
    bool v4, tcp;
};

/* ---- one packet ---- */

static bool parse_ip(struct parsed *p, uint8_t *proto)
{
    const uint8_t *ip = p->packet;

    if (p->len >= FAST_IP4_LEN + FAST_UDP_LEN && ip[0] == 0x45) {
        p->v4 = true;
        p->l4_off = FAST_IP4_LEN;
        *proto = ip[9];
        /* all but DF must be zero: fragments, and the bit that is reserved */
        return tn_get_be16(ip + 2) == p->len && !(tn_get_be16(ip + 6) & 0xbfff);
    }
    if (p->len >= FAST_IP6_LEN + FAST_UDP_LEN && ip[0] >> 4 == 6) {
        p->l4_off = FAST_IP6_LEN;
        *proto = ip[6];
        return tn_get_be16(ip + 4) + FAST_IP6_LEN == p->len;
    }
    return false;
}

static bool parse_tcp(struct parsed *p)
{
    const uint8_t *tcp = p->packet + p->l4_off;
    size_t len;

    if (p->len < p->l4_off + FAST_TCP_LEN_MIN)
        return false;
    len = tcp[12] / 16 * 4u;
    p->flags = tcp[FAST_TCP_FLAGS];
    if (len < FAST_TCP_LEN_MIN || p->l4_off + len >= p->len)
        return false;
    if ((p->flags & (FAST_TCP_ACK | FAST_TCP_SYN | FAST_TCP_RST | FAST_TCP_URG)) != FAST_TCP_ACK)
        return false;
    p->hdr_len = (uint16_t)(p->l4_off + len);
    return true;
}

/* False: it is of no kind that is merged. Checksums are not looked at. */
static bool parse(const struct fast_merge *m, struct parsed *p)
{
    uint8_t proto;

    if (p->len > FAST_PACKET_MAX || !parse_ip(p, &proto))
        return false;
    if (proto == FAST_PROTO_TCP && (p->v4 ? m->kinds.tcp4 : m->kinds.tcp6)) {
        p->tcp = true;
        if (!parse_tcp(p) || (p->flags & FAST_TCP_CWR && !m->kinds.tcp_ecn))
            return false;
    } else if (proto == FAST_PROTO_UDP && m->kinds.udp) {
        const uint8_t *udp = p->packet + p->l4_off;

        p->hdr_len = (uint16_t)(p->l4_off + FAST_UDP_LEN);
        if (tn_get_be16(udp + 4) != p->len - p->l4_off || !tn_get_be16(udp + FAST_UDP_CHECK) ||
            p->len == p->hdr_len)
            return false;
    } else {
        return false;
    }
    p->payload_len = (uint16_t)(p->len - p->hdr_len);
    return true;
}

/* Are the checksums those that splitting would write? 0xffff is right where 0 is, but is not that. */
static bool verify(const uint8_t *packet, size_t len, uint16_t l4_off, bool v4, bool tcp)
{
    const uint8_t *l4 = packet + l4_off;
    uint64_t sum = fast_sum_pseudo(packet, v4, tcp ? FAST_PROTO_TCP : FAST_PROTO_UDP, len - l4_off);

    if (v4 && (fast_fold(fast_sum(packet, FAST_IP4_LEN, 0)) != 0xffff ||
               tn_get_be16(packet + 10) == 0xffff))
        return false;
    if (tcp && tn_get_be16(l4 + FAST_TCP_CHECK) == 0xffff)
        return false;
    return fast_fold(fast_sum(l4, len - l4_off, sum)) == 0xffff;
}

/* ---- a flow ---- */

static bool same_addresses(const uint8_t *a, const uint8_t *b, bool v4)
{
    return v4 ? !memcmp(a + 12, b + 12, 8) : !memcmp(a + 8, b + 8, 32);
}

static bool same_flow(const struct fast_flow *f, const struct parsed *p)
{
    const uint8_t *first = f->piece[0].iov_base;

    return f->v4 == p->v4 && f->tcp == p->tcp &&
           !memcmp(first + f->l4_off, p->packet + p->l4_off, 4) &&
           same_addresses(first, p->packet, p->v4);
}

static bool ip_follows(const struct fast_flow *f, const struct parsed *p)
{
    const uint8_t *a = f->piece[0].iov_base, *b = p->packet;

    if (!f->v4)
        return !memcmp(a, b, 4) && a[7] == b[7];
    return a[1] == b[1] && a[8] == b[8] && !memcmp(a + 6, b + 6, 2) &&
           (uint16_t)(tn_get_be16(a + 4) + f->count) == tn_get_be16(b + 4);
}

static bool tcp_follows(const struct fast_flow *f, const struct parsed *p)
{
    const uint8_t *a = (const uint8_t *)f->piece[0].iov_base + f->l4_off, *b = p->packet + p->l4_off;
    const uint8_t not_compared = FAST_TCP_FIN | FAST_TCP_PSH;

    return tn_get_be32(b + 4) == f->next_seq && !memcmp(a + 8, b + 8, 4) && a[12] == b[12] &&
           !(p->flags & FAST_TCP_CWR) &&
           !((a[FAST_TCP_FLAGS] ^ p->flags) & ~(not_compared | FAST_TCP_CWR) & 0xff) &&
           !memcmp(a + 14, b + 14, 2) && !memcmp(a + 18, b + 18, f->hdr_len - f->l4_off - 18u);
}

static bool can_append(struct fast_flow *f, const struct parsed *p)
{
    if (f->count == FAST_MERGE_PACKETS || p->payload_len > f->gso_size ||
        f->len + p->payload_len > FAST_PACKET_MAX || f->hdr_len != p->hdr_len)
        return false;
    if (!ip_follows(f, p) || (f->tcp && !tcp_follows(f, p)))
        return false;
    if (!f->verified)
        f->verified = verify(f->piece[0].iov_base, f->len, f->l4_off, f->v4, f->tcp);
    return f->verified && verify(p->packet, p->len, p->l4_off, p->v4, p->tcp);
}

static void begin(struct fast_flow *f, const struct parsed *p)
{
    f->piece[0] = (struct iovec){.iov_base = p->packet, .iov_len = p->len};
    f->count = 1;
    f->len = (uint32_t)p->len;
    f->l4_off = p->l4_off;
    f->hdr_len = p->hdr_len;
    f->gso_size = p->payload_len;
    f->last_flags = p->flags;
    f->v4 = p->v4;
    f->tcp = p->tcp;
    f->verified = false;
    if (f->tcp)
        f->next_seq = tn_get_be32(p->packet + p->l4_off + 4) + p->payload_len;
}

static void append(struct fast_flow *f, const struct parsed *p)
{
    f->piece[f->count++] =
        (struct iovec){.iov_base = p->packet + p->hdr_len, .iov_len = p->payload_len};
    f->len += p->payload_len;
    f->next_seq += p->payload_len;
    f->last_flags = p->flags;
}

/* Nothing may follow this packet in the same merged one. */
static bool ends(const struct fast_flow *f, const struct parsed *p)
{
    return p->payload_len < f->gso_size || (p->tcp && p->flags & (FAST_TCP_FIN | FAST_TCP_PSH));
}

/* Makes the first packet's headers those of the whole. */
static void complete(struct fast_flow *f, struct virtio_net_hdr *h)
{
    uint8_t *ip = f->piece[0].iov_base, *l4 = ip + f->l4_off;
    size_t l4_len = f->len - f->l4_off;
    uint16_t check;

    h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h->gso_size = f->gso_size;
    h->hdr_len = f->hdr_len;
    h->csum_start = f->l4_off;
    h->csum_offset = f->tcp ? FAST_TCP_CHECK : FAST_UDP_CHECK;
    if (f->tcp) {
        h->gso_type = f->v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        if (l4[FAST_TCP_FLAGS] & FAST_TCP_CWR)
            h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        l4[FAST_TCP_FLAGS] |= f->last_flags & (FAST_TCP_FIN | FAST_TCP_PSH);
    } else {
        h->gso_type = FAST_GSO_UDP_L4;
        tn_put_be16(l4 + 4, (uint16_t)l4_len);
    }
    if (f->v4) {
        tn_put_be16(ip + 2, (uint16_t)f->len);
        memset(ip + 10, 0, 2);
        check = (uint16_t)~fast_fold(fast_sum(ip, FAST_IP4_LEN, 0));
        memcpy(ip + 10, &check, sizeof check);
    } else {
        tn_put_be16(ip + 4, (uint16_t)(f->len - FAST_IP6_LEN));
    }
    check = fast_fold(fast_sum_pseudo(ip, f->v4, f->tcp ? FAST_PROTO_TCP : FAST_PROTO_UDP, l4_len));
    memcpy(l4 + h->csum_offset, &check, sizeof check);
}

/* ---- all of them ---- */

void fast_merge_init(struct fast_merge *m, const struct fast_merge_kinds *kinds,
                     int (*write)(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov,
                                  int count),
                     void *ctx)
{
    m->used = 0;
    for (uint8_t i = 0; i < FAST_MERGE_FLOWS; i++)
        m->order[i] = i;
    m->kinds = *kinds;
    m->write = write;
    m->ctx = ctx;
}

/* Writes the flow at this place of the order, and frees it. */
static int release(struct fast_merge *m, uint32_t place)
{
    uint8_t at = m->order[place];
    struct fast_flow *f = &m->flow[at];
    struct virtio_net_hdr h = {0};

    if (f->count > 1)
        complete(f, &h);
    m->used--;
    memmove(m->order + place, m->order + place + 1, m->used - place);
    m->order[m->used] = at;
    return m->write(m->ctx, &h, f->piece, (int)f->count);
}

static int keep_first(int err, int next)
{
    return err ? err : next;
}

/* Everything held between the addresses of this packet. */
static int release_related(struct fast_merge *m, const uint8_t *packet, size_t len)
{
    bool v4 = len >= FAST_IP4_LEN && packet[0] >> 4 == 4;
    int err = 0;

    if (!v4 && (len < FAST_IP6_LEN || packet[0] >> 4 != 6))
        return 0;
    for (uint32_t i = 0; i < m->used;) {
        const struct fast_flow *f = &m->flow[m->order[i]];

        if (f->v4 == v4 && same_addresses(f->piece[0].iov_base, packet, v4))
            err = keep_first(err, release(m, i));
        else
            i++;
    }
    return err;
}

static int write_alone(struct fast_merge *m, uint8_t *packet, size_t len)
{
    const struct virtio_net_hdr h = {0};
    const struct iovec iov = {.iov_base = packet, .iov_len = len};

    return m->write(m->ctx, &h, &iov, 1);
}

static int start(struct fast_merge *m, const struct parsed *p)
{
    struct fast_flow *f;
    int err = 0;

    if (p->tcp && p->flags & (FAST_TCP_FIN | FAST_TCP_PSH))
        return write_alone(m, p->packet, p->len);
    if (m->used == FAST_MERGE_FLOWS)
        err = release(m, 0);
    f = &m->flow[m->order[m->used++]];
    begin(f, p);
    return err;
}

int fast_merge_push(struct fast_merge *m, uint8_t *packet, size_t len)
{
    struct parsed p = {.packet = packet, .len = len};
    int err;

    if (!parse(m, &p)) {
        err = release_related(m, packet, len);
        return keep_first(err, write_alone(m, packet, len));
    }
    for (uint32_t i = 0; i < m->used; i++) {
        struct fast_flow *f = &m->flow[m->order[i]];

        if (!same_flow(f, &p))
            continue;
        if (!can_append(f, &p)) {
            err = release(m, i);
            return keep_first(err, start(m, &p));
        }
        append(f, &p);
        return ends(f, &p) ? release(m, i) : 0;
    }
    return start(m, &p);
}

int fast_merge_flush(struct fast_merge *m)
{
    int err = 0;

    while (m->used)
        err = keep_first(err, release(m, 0));
    return err;
}
