/* TCP on the device: lwIP and the example's web server behind the device's IP, with a client that is written out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../app/tcp.h"
#include "inside.h"
#include "segment.h"

#define FIN SEGMENT_FIN
#define SYN SEGMENT_SYN
#define RST SEGMENT_RST
#define ACK SEGMENT_ACK

static struct bridge b;
static struct app app;
static uint64_t now_us = 1;

/* The laptop's end of one connection, and what came last. */
struct client {
    int family;
    uint16_t port;
    uint32_t seq, ack;
    /* the last packet that came */
    uint8_t packet[BRIDGE_MTU];
    size_t len;
    struct segment got;
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

/* A segment to port 80 of the device. */
static size_t make(const struct client *c, uint8_t *ip, uint8_t flags, const char *text)
{
    struct segment s = {.src = c->family == 4 ? b.ipv4 : b.ipv6, .seq = c->seq, .ack = c->ack, .flags = flags,
                        .data = (const uint8_t *)text, .data_len = strlen(text)};

    s.dst = s.src;
    s.dst.port = 80;
    s.src.ip[15] = 1;
    s.src.port = c->port;
    return segment_write(ip, &s);
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
    c->len = b.stack->poll(b.stack->ctx, c->packet, sizeof c->packet);
    if (!c->len)
        return false;
    assert_true(segment_read(c->packet, c->len, &c->got));
    assert_int_equal(c->packet[0] >> 4, c->family);
    assert_int_equal(c->got.src.port, 80);
    assert_int_equal(c->got.dst.port, c->port);
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
    assert_int_equal(c->got.flags, SYN | ACK);
    c->ack = c->got.seq + 1;
    tell(c, ACK, "");
}

/* Until the device has closed; what it sent, and how much. */
static size_t read_all(struct client *c, char *out, size_t cap)
{
    size_t total = 0;

    for (int turns = 0; turns < 1000; turns++) {
        while (take(c)) {
            assert_false(c->got.flags & RST);
            assert_int_equal(c->got.seq, c->ack); /* nothing is lost here */
            assert_true(total + c->got.data_len <= cap);
            memcpy(out + total, c->got.data, c->got.data_len);
            total += c->got.data_len;
            c->ack += (uint32_t)c->got.data_len + (c->got.flags & FIN);
            tell(c, c->got.flags & FIN ? FIN | ACK : ACK, "");
            if (!(c->got.flags & FIN))
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
        assert_int_equal(c.got.flags, SYN | ACK);
        assert_int_equal(c.got.options[0], 2); /* MSS */
        assert_int_equal(tn_get_be16(c.got.options + 2), BRIDGE_MTU - (family == 4 ? 40 : 60));
        first = c.got.seq;
        c.ack = first + 1;
        tell(&c, RST | ACK, "");
        c.port++; /* another one begins with another number */
        c.seq = 7;
        tell(&c, SYN, "");
        assert_true(take(&c));
        assert_int_not_equal(c.got.seq, first);
        c.ack = c.got.seq + 1;
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
    c.ack = c.got.seq + 1;
    tell(&c, RST | ACK, "");
}

static void whoever_leaves_is_forgotten_and_the_device_sleeps(void **state)
{
    struct client c = {.family = 4, .port = 5000};
    int turns = 0;

    connect_to(&c);
    tell(&c, ACK, "GET /bytes/5000 HTTP/1.1\r\n\r\n");
    /* no more of it: the minute without progress ends the connection, with a reset */
    for (c.got.flags = 0; !(c.got.flags & RST) && turns < 400; turns++) {
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
