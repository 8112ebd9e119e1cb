/* TCP on the device: lwIP and the example's web server behind the device's IP, with a client that is written out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../app/tcp.h"
#include "inside.h"
#include "libtunnel/base/ip.h"

#define FIN 1
#define SYN 2
#define RST 4
#define ACK 16

static struct bridge b;
static struct app app;
static uint64_t now_us = 1;

/* The laptop's end of one connection, and what came last. */
struct client {
    int family;
    uint16_t port;
    uint32_t seq, ack;
    /* of the last packet */
    uint8_t packet[BRIDGE_MTU];
    size_t len, head;
    uint8_t flags;
    const uint8_t *data;
    size_t data_len;
};

static uint64_t clock_us(void *ctx)
{
    return now_us;
}

static int begin(void **state)
{
    static const uint8_t ip4[4] = {10, 77, 0, 2};
    static const uint8_t ip6[16] = {0xfd, 1, 2, 3, 4, 5, [15] = 2};
    uint8_t seed[32] = {1};

    memset(&b, 0, sizeof b);
    b.buf = (struct tn_buf){.mem = b.mem, .cap = sizeof b.mem};
    b.ipv4 = tn_addr_v4(ip4, 0);
    b.ipv6 = tn_addr_v6(ip6, 0);
    tn_rng_init(&b.node.rng, seed);
    return app_start(&app, &b, clock_us, NULL) || app_tcp_start(&app);
}

static uint32_t pseudo(const uint8_t *ip, size_t head, size_t len)
{
    uint32_t sum = 6 + (uint32_t)len;

    return head == 20 ? tn_ip_sum(sum, ip + 12, 8) : tn_ip_sum(sum, ip + 8, 32);
}

/* A segment to port 80 of the device; an MSS of 1460 with SYN. */
static size_t make(const struct client *c, uint8_t *ip, uint8_t flags, const char *text)
{
    size_t head = c->family == 4 ? 20 : 40, tcp_len = flags & SYN ? 24 : 20, len = tcp_len + strlen(text);
    uint8_t *tcp = ip + head;

    memset(ip, 0, head + tcp_len);
    if (c->family == 4) {
        ip[0] = 0x45;
        tn_put_be16(ip + 2, (uint16_t)(head + len));
        ip[8] = 64;
        ip[9] = 6;
        memcpy(ip + 12, b.ipv4.ip + 12, 4);
        memcpy(ip + 16, b.ipv4.ip + 12, 4);
        ip[15] = 1;
        tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    } else {
        ip[0] = 0x60;
        tn_put_be16(ip + 4, (uint16_t)len);
        ip[6] = 6;
        ip[7] = 64;
        memcpy(ip + 8, b.ipv6.ip, 16);
        memcpy(ip + 24, b.ipv6.ip, 16);
        ip[23] = 1;
    }
    tn_put_be16(tcp, c->port);
    tn_put_be16(tcp + 2, 80);
    tn_put_be32(tcp + 4, c->seq);
    tn_put_be32(tcp + 8, c->ack);
    tcp[12] = (uint8_t)(tcp_len << 2);
    tcp[13] = flags;
    tn_put_be16(tcp + 14, 60000);
    if (flags & SYN)
        memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
    memcpy(tcp + tcp_len, text, strlen(text));
    tn_put_be16(tcp + 16, tn_ip_checksum(tn_ip_sum(pseudo(ip, head, len), tcp, len)));
    return head + len;
}

static void put(const uint8_t *packet, size_t len)
{
    b.buf.off = TN_BUF_HEADROOM;
    b.buf.len = len;
    memcpy(tn_buf_data(&b.buf), packet, len);
    assert_false(bridge_ip_input(&b)); /* an answer comes by poll */
}

static void tell(struct client *c, uint8_t flags, const char *text)
{
    uint8_t packet[BRIDGE_MTU];

    put(packet, make(c, packet, flags, text));
    c->seq += (uint32_t)strlen(text) + !!(flags & (SYN | FIN));
}

/* The next packet of the device, looked at; false: there is none. */
static bool take(struct client *c)
{
    uint8_t *tcp;
    size_t len;

    c->len = b.stack->poll(b.stack->ctx, c->packet, sizeof c->packet);
    if (!c->len)
        return false;
    c->head = c->packet[0] >> 4 == 4 ? 20 : 40;
    assert_int_equal(c->packet[0] >> 4, c->family);
    tcp = c->packet + c->head;
    len = c->len - c->head;
    if (c->family == 4)
        assert_int_equal(tn_ip_checksum(tn_ip_sum(0, c->packet, 20)), 0);
    assert_int_equal(tn_ip_checksum(tn_ip_sum(pseudo(c->packet, c->head, len), tcp, len)), 0);
    assert_int_equal(tn_get_be16(tcp), 80);
    assert_int_equal(tn_get_be16(tcp + 2), c->port);
    c->flags = tcp[13];
    c->data = tcp + (tcp[12] >> 4) * 4;
    c->data_len = len - (size_t)(tcp[12] >> 4) * 4;
    return true;
}

static void tick(uint64_t us)
{
    now_us += us;
    b.stack->tick(b.stack->ctx, now_us);
}

static void connect_to(struct client *c)
{
    tell(c, SYN, "");
    assert_true(take(c));
    assert_int_equal(c->flags, SYN | ACK);
    c->ack = tn_get_be32(c->packet + c->head + 4) + 1;
    tell(c, ACK, "");
}

/* Until the device has closed; what it sent, and how much. */
static size_t read_all(struct client *c, char *out, size_t cap)
{
    size_t total = 0;

    for (int turns = 0; turns < 1000; turns++) {
        while (take(c)) {
            assert_false(c->flags & RST);
            assert_int_equal(tn_get_be32(c->packet + c->head + 4), c->ack); /* nothing is lost here */
            assert_true(total + c->data_len <= cap);
            memcpy(out + total, c->data, c->data_len);
            total += c->data_len;
            c->ack += (uint32_t)c->data_len + (c->flags & FIN);
            tell(c, c->flags & FIN ? FIN | ACK : ACK, "");
            if (!(c->flags & FIN))
                continue;
            assert_true(take(c)); /* which is acknowledged */
            assert_false(take(c));
            return total;
        }
        tick(250000);
    }
    fail_msg("%s", "the device does not close");
    return 0;
}

static void a_connection_says_what_a_packet_may_have(void **state)
{
    for (int family = 4; family <= 6; family += 2) {
        struct client c = {.family = family, .port = (uint16_t)(1000 + family), .seq = 7};
        uint32_t first;

        tell(&c, SYN, "");
        assert_true(take(&c));
        assert_int_equal(c.flags, SYN | ACK);
        assert_int_equal(c.packet[c.head + 20], 2);
        assert_int_equal(tn_get_be16(c.packet + c.head + 22), BRIDGE_MTU - c.head - 20);
        first = tn_get_be32(c.packet + c.head + 4);
        c.ack = first + 1;
        tell(&c, RST | ACK, "");
        c.port++; /* another one begins with another number */
        c.seq = 7;
        tell(&c, SYN, "");
        assert_true(take(&c));
        assert_int_not_equal(tn_get_be32(c.packet + c.head + 4), first);
        c.ack = tn_get_be32(c.packet + c.head + 4) + 1;
        tell(&c, RST | ACK, "");
    }
}

static void bytes_come_in_packets_that_fit(void **state)
{
    char got[6000];

    for (int family = 4; family <= 6; family += 2) {
        struct client c = {.family = family, .port = (uint16_t)(2000 + family)};
        const char *body;
        size_t len;

        connect_to(&c);
        tell(&c, ACK, "GET /bytes/5000 HTTP/1.1\r\nHost: x\r\n\r\n");
        len = read_all(&c, got, sizeof got);
        assert_memory_equal(got, "HTTP/1.1 200 OK\r\n", 17);
        body = got + len - 5000;
        assert_memory_equal(body - 4, "\r\n\r\n", 4);
        for (size_t i = 0; i < 5000; i++)
            assert_int_equal((uint8_t)body[i], (i ^ i >> 8) & 255);
    }
}

static void an_upload_is_summed_up_however_it_is_cut(void **state)
{
    /* BLAKE2s of "abc" (RFC 7693, appendix B) */
    static const char sum[] = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982\n";
    static const char whole[] = "POST /upload HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    char got[1000];

    for (size_t cut = 1; cut < sizeof whole - 1; cut++) {
        struct client c = {.family = 4, .port = (uint16_t)(3000 + cut)};
        char part[sizeof whole];
        size_t len;

        connect_to(&c);
        memcpy(part, whole, cut);
        part[cut] = '\0';
        tell(&c, ACK, part);
        while (take(&c))
            ;
        tell(&c, ACK, whole + cut);
        len = read_all(&c, got, sizeof got);
        assert_memory_equal(got + len - 65, sum, 65);
        tick(250000);
    }
}

static void what_is_bent_or_cut_opens_nothing(void **state)
{
    struct client c = {.family = 6, .port = 4000};
    uint8_t packet[BRIDGE_MTU], bent[BRIDGE_MTU];
    size_t len = make(&c, packet, SYN, "");

    for (size_t cut = 40; cut < len; cut++) { /* with a length that is right again */
        memcpy(bent, packet, cut);
        tn_put_be16(bent + 4, (uint16_t)(cut - 40));
        put(bent, cut);
        assert_false(take(&c));
    }
    for (size_t bit = 40 * 8; bit < len * 8; bit++) {
        memcpy(bent, packet, len);
        bent[bit / 8] ^= (uint8_t)(1 << bit % 8);
        put(bent, len);
        assert_false(take(&c)); /* its sum is wrong */
    }
    put(packet, len);
    assert_true(take(&c));
    c.seq++;
    c.ack = tn_get_be32(c.packet + c.head + 4) + 1;
    tell(&c, RST | ACK, "");
}

static void whoever_leaves_is_forgotten_and_the_device_sleeps(void **state)
{
    struct client c = {.family = 4, .port = 5000};
    int turns = 0;

    connect_to(&c);
    tell(&c, ACK, "GET /bytes/5000 HTTP/1.1\r\n\r\n");
    /* no more of it: the minute without progress ends the connection, with a reset */
    for (c.flags = 0; !(c.flags & RST) && turns < 400; turns++) {
        assert_true(b.stack->deadline(b.stack->ctx) <= now_us + 250000);
        tick(250000);
        while (take(&c))
            ;
    }
    assert_in_range(turns, 4 * 55, 4 * 65);
    for (turns = 0; b.stack->deadline(b.stack->ctx) != UINT64_MAX && turns < 400; turns++)
        tick(250000);
    assert_true(turns < 400);
    assert_int_equal(b.stack->deadline(b.stack->ctx), UINT64_MAX);
}

static void there_is_one_stack_for_one_device(void **state)
{
    static struct bridge other;
    struct app second;

    assert_int_equal(app_start(&second, &other, clock_us, NULL), 0);
    assert_int_equal(app_tcp_start(&second), TN_EEXIST);
    assert_null(other.stack);
    assert_int_equal(app_tcp_start(&app), 0); /* after another start of the same, it goes on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_connection_says_what_a_packet_may_have, begin),
        cmocka_unit_test_setup(bytes_come_in_packets_that_fit, begin),
        cmocka_unit_test_setup(an_upload_is_summed_up_however_it_is_cut, begin),
        cmocka_unit_test_setup(what_is_bent_or_cut_opens_nothing, begin),
        cmocka_unit_test_setup(whoever_leaves_is_forgotten_and_the_device_sleeps, begin),
        cmocka_unit_test_setup(there_is_one_stack_for_one_device, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
