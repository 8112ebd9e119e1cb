/* Packets between a real TUN, real sockets and the io seam, as the kernel makes them: the same whichever
 * of the two ways was built. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"
#include "tund/io.h"
#include "tund/netlink.h"
#include "tund/tests/sealed.h"

#define PORT 5001
#define COUNT 100
#define WAIT_MS 5000
#define DATAGRAM_LEN 1201

static uv_loop_t loop;
static struct tun tun;
static struct udp udp, other;
static struct nl nl;
static struct io *io;
static int sent_now, got, batches;
static uint8_t got_first[COUNT];
static size_t got_len[COUNT];

static void send_now(void *ctx, const uint8_t *data, size_t len, const struct tn_addr *to, uint8_t ttl,
                     const struct tn_addr *local)
{
    sent_now++;
    if (udp_send(&udp, data, len, to, ttl, local))
        fail_msg("cannot send");
}

static void on_datagram(void *ctx, struct udp *u, struct tn_buf *b, const struct udp_source *from)
{
    assert_int_equal(from->remote.port, udp.port);
    assert_false(tn_addr_is_zero(&from->local));
    assert_true(got < COUNT);
    got_first[got] = tn_buf_data(b)[0];
    got_len[got++] = b->len;
}

static void on_batch_end(void *ctx, struct udp *u)
{
    batches++;
}

/* `other` reads through the io too, so that trains in are tried. */
static int setup(void **state)
{
    const struct udp_config any = {0};
    const struct udp_handler inner = {.on_datagram = on_datagram, .on_batch_end = on_batch_end};
    const uint8_t ip[4] = {10, 9, 0, 1}, prefix[4] = {10, 9, 0, 0};
    struct tn_addr address = tn_addr_v4(ip, 0), network = tn_addr_v4(prefix, 0);
    struct udp_handler outer;

    sent_now = got = batches = 0;
    io = io_new(&tun, &udp, 2, send_now, NULL);
    if (!io || uv_loop_init(&loop) || io_open_tun(io, "tn0", 1420) || nl_open(&nl))
        return -1;
    io_udp_handler(io, &inner, &outer);
    return udp_open(&udp, &loop, &any, &outer) || udp_open(&other, &loop, &any, &outer) ||
           nl_link_up(&nl, "lo", 0) || nl_link_up(&nl, "tn0", 0) ||
           nl_addr_add(&nl, "tn0", &address, 24) ||
           nl_route_add(&nl, "tn0", &network, 24, NULL, 0, 0);
}

static int teardown(void **state)
{
    udp_close(&udp);
    udp_close(&other);
    uv_run(&loop, UV_RUN_DEFAULT);
    nl_close(&nl);
    tun_close(&tun);
    io_free(io);
    return uv_loop_close(&loop);
}

static int kernel_socket(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(0x0a090001);
    assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof at));
    return fd;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* RFC 1071 over bytes, without what the programs use. */
static uint16_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void check_udp(const uint8_t *ip, size_t len, size_t payload, uint8_t fill)
{
    assert_int_equal(len, 28 + payload);
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(tn_get_be16(ip + 2), len);
    assert_int_equal(ip[9], 17);
    assert_int_equal(sum16(ip, 20, 0), 0xffff);
    assert_int_equal(tn_get_be16(ip + 24), len - 20);
    assert_int_not_equal(tn_get_be16(ip + 26), 0);
    assert_int_equal(sum16(ip + 20, len - 20, sum16(ip + 12, 8, (uint32_t)(len - 20 + 17))), 0xffff);
    for (size_t i = 0; i < payload; i++)
        assert_int_equal(ip[28 + i], fill);
}

/* The next UDP packet from the TUN; others, as IPv6's own, are passed over. */
static void read_udp(struct tn_buf *b)
{
    for (;;) {
        int n = io_read(io, b);

        if (n == -EAGAIN) {
            wait_readable(tun.fd);
            continue;
        }
        assert_true(n > 0);
        assert_true(b->off >= TN_BUF_HEADROOM && tn_buf_tailroom(b) >= TN_BUF_TAILROOM);
        if (tn_buf_data(b)[0] == 0x45 && tn_buf_data(b)[9] == 17)
            return;
    }
}

static void a_train_from_a_socket_is_read_as_packets(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = kernel_socket(), segment = 1000;
    uint8_t data[10300];
    uint16_t id = 0;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i / 1000);
    to.sin_addr.s_addr = htonl(0x0a090002);
    assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    assert_int_equal(sendto(fd, data, sizeof data, 0, (struct sockaddr *)&to, sizeof to), sizeof data);
    for (uint8_t i = 0; i <= 10; i++) {
        struct tn_buf b;

        read_udp(&b);
        check_udp(tn_buf_data(&b), b.len, i < 10 ? 1000 : 300, i);
        if (i)
            assert_int_equal(tn_get_be16(tn_buf_data(&b) + 4), (uint16_t)(id + 1));
        id = tn_get_be16(tn_buf_data(&b) + 4);
    }
    close(fd);
}

static void make_udp(uint8_t *ip, uint16_t id, size_t payload, uint8_t fill)
{
    size_t len = 28 + payload;

    memset(ip, 0, 28);
    memset(ip + 28, fill, payload);
    ip[0] = 0x45;
    tn_put_be16(ip + 2, (uint16_t)len);
    tn_put_be16(ip + 4, id);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, (uint8_t[]){10, 9, 0, 2, 10, 9, 0, 1}, 8);
    tn_put_be16(ip + 10, (uint16_t)~sum16(ip, 20, 0));
    tn_put_be16(ip + 20, 7000);
    tn_put_be16(ip + 22, PORT);
    tn_put_be16(ip + 24, (uint16_t)(len - 20));
    tn_put_be16(ip + 26, (uint16_t)~sum16(ip + 20, len - 20, sum16(ip + 12, 8, (uint32_t)(len - 20 + 17))));
}

#define GROUP 50
#define DAMAGED 33

/* Two runs of packets, each with a short one at its end; one in the middle is damaged. */
static void write_group(void)
{
    static uint8_t packet[GROUP][1100];

    for (int i = 0; i < GROUP; i++) {
        struct tn_buf b = {.mem = packet[i], .cap = sizeof packet[i]};
        size_t payload = i % 25 == 24 ? 500 : 1000;

        make_udp(packet[i], (uint16_t)i, payload, (uint8_t)i);
        if (i == DAMAGED)
            packet[i][40] ^= 1;
        b.len = 28 + payload;
        assert_int_equal(io_write(io, &b), 0);
    }
    io_flush(io);
}

static void packets_that_are_written_arrive_each_by_itself_and_whole(void **state)
{
    uint8_t data[2000];
    int fd = kernel_socket();

    for (int round = 0; round < 3; round++) {
        write_group();
        for (int i = 0; i < GROUP; i++) {
            if (i == DAMAGED)
                continue; /* the kernel must see that and drop it */
            wait_readable(fd);
            assert_int_equal(recv(fd, data, sizeof data, 0), i % 25 == 24 ? 500 : 1000);
            assert_int_equal(data[0], i);
            assert_int_equal(data[499], i);
        }
        assert_int_equal(recv(fd, data, sizeof data, MSG_DONTWAIT), -1);
    }
    close(fd);
}

/* Takes packets from the TUN and sends them, as they are, from the buffers they were read to. */
static void send_read_packets(const struct tn_addr *to)
{
    struct sockaddr_in away = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = kernel_socket();
    uint8_t data[DATAGRAM_LEN];

    away.sin_addr.s_addr = htonl(0x0a090002);
    for (int i = 0; i < COUNT; i++) {
        struct tn_buf b;

        memset(data, i, sizeof data);
        assert_true(sendto(fd, data, sizeof data, 0, (struct sockaddr *)&away, sizeof away) > 0);
        read_udp(&b);
        tn_buf_pull(&b, 28);
        io_send(io, &b, to, 0, NULL, NULL);
    }
    io_flush(io);
    close(fd);
}

static void on_deadline(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_until_all_came(void)
{
    uv_timer_t deadline;

    uv_timer_init(&loop, &deadline);
    uv_timer_start(&deadline, on_deadline, WAIT_MS, 0);
    while (got < COUNT && uv_timer_get_due_in(&deadline))
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(got, COUNT);
    assert_true(batches > 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(got_first[i], i);
        assert_int_equal(got_len[i], DATAGRAM_LEN);
    }
}

static void datagrams_arrive_in_order_and_whole_over_both_families(void **state)
{
    const uint8_t four[4] = {127, 0, 0, 1}, six[16] = {[15] = 1};
    struct tn_addr to = tn_addr_v4(four, other.port);

    send_read_packets(&to);
    run_until_all_came();
    got = 0;
    to = tn_addr_v6(six, other.port);
    send_read_packets(&to);
    run_until_all_came();
}

static void a_link_too_narrow_for_trains_gets_fragments(void **state)
{
    const uint8_t four[4] = {127, 0, 0, 1};
    struct tn_addr to = tn_addr_v4(four, other.port);

    assert_int_equal(nl_link_up(&nl, "lo", 700), 0);
    send_read_packets(&to);
    run_until_all_came();
    assert_int_equal(sent_now, COUNT); /* each by itself in the end */
    io_on_network_change(io);
    assert_int_equal(nl_link_up(&nl, "lo", 65535), 0);
}

static void the_offloads_have_names(void **state)
{
    char text[IO_DESCRIBE_LEN];

    io_describe(io, text, sizeof text);
    assert_true(strlen(text) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_train_from_a_socket_is_read_as_packets, setup, teardown),
        cmocka_unit_test_setup_teardown(packets_that_are_written_arrive_each_by_itself_and_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(datagrams_arrive_in_order_and_whole_over_both_families, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_link_too_narrow_for_trains_gets_fragments, setup, teardown),
        cmocka_unit_test_setup_teardown(the_offloads_have_names, setup, teardown),
    };

    if (!sealed_enter()) {
        print_error("cannot make a network namespace\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
