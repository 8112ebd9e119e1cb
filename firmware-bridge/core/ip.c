/* The device's IP: its two addresses, ICMP echo in both families, UDP (RFC 791, 792, 768, 8200,
 * 4443). A packet is answered in place, so nothing is kept of it. Fragments, options that would have
 * to be acted on, and what is not for us are dropped; no error messages but "port unreachable",
 * which costs one small packet and saves the asker its time-out. TCP is another stack's (bridge_set_stack). */
#include "inside.h"

#include <string.h>

#define V4_LEN 20u
#define V6_LEN 40u
#define UDP_LEN 8u
#define TTL 64
#define ICMP 1
#define TCP 6
#define UDP 17
#define ICMP6 58

/* One packet, whose header was understood. */
struct packet {
    uint8_t *ip, *body;
    size_t body_len;
    uint8_t protocol;
    bool v6;
};

/* ---- sums (RFC 1071) ---- */

static uint32_t sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
    for (; len > 1; p += 2, len -= 2)
        sum += tn_get_be16(p);
    if (len)
        sum += (uint32_t)p[0] << 8;
    return sum;
}

static uint16_t sum_end(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Of the body with its pseudo header; a right one gives 0. */
static uint16_t body_sum(const struct packet *p)
{
    uint32_t sum = (uint32_t)p->body_len + p->protocol;

    sum = p->v6 ? sum_add(sum, p->ip + 8, 32) : sum_add(sum, p->ip + 12, 8);
    return sum_end(sum_add(sum, p->body, p->body_len));
}

/* ---- headers ---- */

static bool parse_v4(struct packet *p, size_t len, const uint8_t own[4])
{
    size_t head = (size_t)(p->ip[0] & 15) * 4, total;

    if (len < V4_LEN || head < V4_LEN)
        return false;
    total = tn_get_be16(p->ip + 2);
    if (total < head || total > len || (tn_get_be16(p->ip + 6) & 0x3fff) ||
        sum_end(sum_add(0, p->ip, head)) || memcmp(p->ip + 16, own, 4))
        return false;
    p->body = p->ip + head;
    p->body_len = total - head;
    p->protocol = p->ip[9];
    return true;
}

static bool parse_v6(struct packet *p, size_t len, const uint8_t own[16])
{
    size_t body;

    if (len < V6_LEN)
        return false;
    body = tn_get_be16(p->ip + 4);
    if (V6_LEN + body > len || memcmp(p->ip + 24, own, 16))
        return false;
    p->v6 = true;
    p->body = p->ip + V6_LEN;
    p->body_len = body;
    p->protocol = p->ip[6];
    return true;
}

static void write_v4(uint8_t *ip, size_t len, uint16_t ident, uint8_t protocol)
{
    ip[0] = 0x45;
    ip[1] = 0;
    tn_put_be16(ip + 2, (uint16_t)len);
    tn_put_be16(ip + 4, ident);
    tn_put_be16(ip + 6, 0x4000); /* nobody may cut it: the path's MTU is known */
    ip[8] = TTL;
    ip[9] = protocol;
    tn_put_be16(ip + 10, 0);
    tn_put_be16(ip + 10, sum_end(sum_add(0, ip, V4_LEN)));
}

static void write_v6(uint8_t *ip, size_t body_len, uint8_t protocol)
{
    tn_put_be32(ip, 0x60000000);
    tn_put_be16(ip + 4, (uint16_t)body_len);
    ip[6] = protocol;
    ip[7] = TTL;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = a[i];

        a[i] = b[i];
        b[i] = c;
    }
}

/* The packet goes back to its sender, with `body_len` bytes of body as they now are. */
static void turn_round(struct bridge *b, struct packet *p, size_t body_len)
{
    if (p->v6) {
        swap(p->ip + 8, p->ip + 24, 16);
        write_v6(p->ip, body_len, p->protocol);
    } else {
        swap(p->ip + 12, p->ip + 16, 4);
        if (p->body != p->ip + V4_LEN) { /* options are not sent back */
            memmove(p->ip + V4_LEN, p->body, body_len);
            p->body = p->ip + V4_LEN;
        }
        write_v4(p->ip, V4_LEN + body_len, b->next_ident++, p->protocol);
    }
    p->body_len = body_len;
    b->buf.len = (size_t)(p->body - p->ip) + body_len;
}

/* ---- ICMP ---- */

static bool on_echo(struct bridge *b, struct packet *p)
{
    uint8_t request = p->v6 ? 128 : 8;
    uint16_t sum;

    if (p->body_len < 8 || p->body[0] != request || p->body[1])
        return false;
    sum = p->v6 ? body_sum(p) : sum_end(sum_add(0, p->body, p->body_len));
    if (sum)
        return false;
    turn_round(b, p, p->body_len);
    p->body[0] = p->v6 ? 129 : 0;
    tn_put_be16(p->body + 2, 0);
    tn_put_be16(p->body + 2, p->v6 ? body_sum(p) : sum_end(sum_add(0, p->body, p->body_len)));
    return true;
}

/* The packet's own beginning is quoted behind 8 bytes: type, code, sum, zeros. */
static bool say_unreachable(struct bridge *b, struct packet *p)
{
    size_t quote = (size_t)(p->body - p->ip) + UDP_LEN;
    size_t head = p->v6 ? V6_LEN : V4_LEN;
    uint8_t *start = p->ip;

    memmove(start + head + 8, start, quote);
    p->body = start + head;
    p->protocol = p->v6 ? ICMP6 : ICMP;
    turn_round(b, p, 8 + quote);
    memset(p->body, 0, 8);
    p->body[0] = p->v6 ? 1 : 3;
    p->body[1] = p->v6 ? 4 : 3;
    tn_put_be16(p->body + 2, p->v6 ? body_sum(p) : sum_end(sum_add(0, p->body, p->body_len)));
    return true;
}

/* ---- UDP ---- */

static struct bridge_port *find_port(struct bridge *b, uint16_t port)
{
    for (size_t i = 0; i < BRIDGE_UDP_PORTS; i++) {
        if (b->port[i].port == port)
            return &b->port[i];
    }
    return NULL;
}

static void put_udp_sum(struct packet *p)
{
    uint16_t sum;

    tn_put_be16(p->body + 6, 0);
    sum = body_sum(p);
    tn_put_be16(p->body + 6, sum ? sum : 0xffff);
}

static bool on_udp(struct bridge *b, struct packet *p)
{
    struct bridge_datagram d;
    struct bridge_port *port;
    size_t len, answer;

    if (p->body_len < UDP_LEN)
        return false;
    len = tn_get_be16(p->body + 4);
    if (len < UDP_LEN || len > p->body_len)
        return false;
    p->body_len = len;
    if ((p->v6 || tn_get_be16(p->body + 6)) && body_sum(p))
        return false;
    d.to_port = tn_get_be16(p->body + 2);
    port = d.to_port ? find_port(b, d.to_port) : NULL;
    if (!port)
        return say_unreachable(b, p);
    d.from = p->v6 ? tn_addr_v6(p->ip + 8, tn_get_be16(p->body))
                   : tn_addr_v4(p->ip + 12, tn_get_be16(p->body));
    d.data = p->body + UDP_LEN;
    d.len = len - UDP_LEN;
    d.room = bridge_udp_max(&d.from);
    answer = port->handler(port->ctx, &d);
    if (!answer || answer > d.room)
        return false;
    turn_round(b, p, UDP_LEN + answer);
    swap(p->body, p->body + 2, 2);
    tn_put_be16(p->body + 4, (uint16_t)p->body_len);
    put_udp_sum(p);
    return true;
}

size_t bridge_udp_max(const struct tn_addr *to)
{
    return BRIDGE_MTU - UDP_LEN - (tn_addr_is_v4(to) ? V4_LEN : V6_LEN);
}

size_t bridge_ip_udp(struct bridge *b, uint8_t *packet, uint16_t from_port, const struct tn_addr *to,
                     const void *data, size_t len)
{
    struct packet p = {.ip = packet, .protocol = UDP, .v6 = !tn_addr_is_v4(to)};

    p.body = packet + (p.v6 ? V6_LEN : V4_LEN);
    p.body_len = UDP_LEN + len;
    if (p.v6) {
        memcpy(packet + 8, b->ipv6.ip, 16);
        memcpy(packet + 24, to->ip, 16);
        write_v6(packet, p.body_len, UDP);
    } else {
        memcpy(packet + 12, b->ipv4.ip + 12, 4);
        memcpy(packet + 16, to->ip + 12, 4);
        write_v4(packet, V4_LEN + p.body_len, b->next_ident++, UDP);
    }
    tn_put_be16(p.body, from_port);
    tn_put_be16(p.body + 2, to->port);
    tn_put_be16(p.body + 4, (uint16_t)p.body_len);
    memcpy(p.body + UDP_LEN, data, len);
    put_udp_sum(&p);
    return (size_t)(p.body - packet) + p.body_len;
}

int bridge_udp_bind(struct bridge *b, uint16_t port, bridge_udp_handler *handler, void *ctx)
{
    struct bridge_port *row = find_port(b, port);

    if (!port)
        return TN_EINVAL;
    if (!handler) {
        if (row)
            row->port = 0;
        return 0;
    }
    if (row)
        return TN_EEXIST;
    row = find_port(b, 0);
    if (!row)
        return TN_ENOSPC;
    *row = (struct bridge_port){port, handler, ctx};
    return 0;
}

/* ---- in ---- */

bool bridge_ip_input(struct bridge *b)
{
    struct packet p = {.ip = tn_buf_data(&b->buf)};
    bool ok;

    if (p.ip[0] >> 4 == 4)
        ok = parse_v4(&p, b->buf.len, b->ipv4.ip + 12);
    else
        ok = parse_v6(&p, b->buf.len, b->ipv6.ip);
    if (ok && p.protocol == TCP && b->stack) {
        b->stack->input(b->stack->ctx, p.ip, (size_t)(p.body - p.ip) + p.body_len);
        return false; /* what it answers comes by its poll */
    }
    if (ok && p.protocol == (p.v6 ? ICMP6 : ICMP))
        ok = on_echo(b, &p);
    else if (ok && p.protocol == UDP)
        return on_udp(b, &p);
    else
        ok = false;
    if (!ok)
        b->dropped++;
    return ok;
}
