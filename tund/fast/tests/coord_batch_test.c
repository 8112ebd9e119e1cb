/* The coordinator's batches on a loopback of their own: what the relay gets, what it sends, and in which
 * order. The server is played by on_train: a frame's channel is the number of the client it goes to. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/msg.h"
#include "tund/coord_net.h"
#include "tund/netlink.h"

#include "../../tests/sealed.h"

#define CLIENTS 4
#define DEADLINE_MS 5000
#define FRAMES_MAX 6000

static uv_loop_t loop;
static struct coord_net net;
static int client[CLIENTS];
static struct tn_addr client_at[CLIENTS];
static struct {
    int datagrams, passes, trains, frames;
    uint64_t capacity; /* the largest that a pass began with */
} seen;

/* ---- the server ---- */

static void on_datagram(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data, size_t len)
{
    seen.datagrams++;
    assert_int_not_equal(data[0], TN_CTL_RELAY);
}

static void on_batch_end(void *ctx)
{
}

static void on_pass(void *ctx, uint64_t capacity)
{
    seen.passes++;
    if (capacity > seen.capacity)
        seen.capacity = capacity;
}

static bool on_train(void *ctx, struct tn_server_train *t, struct tn_server_flight *f)
{
    uint16_t channel;

    if (!t->len)
        return false;
    assert_int_equal(t->data[0], TN_CTL_RELAY);
    channel = tn_get_be16(t->data + 2);
    assert_in_range(channel, 0, CLIENTS - 1);
    *f = (struct tn_server_flight){.receiver = channel, .dst = client_at[channel], .data = t->data,
                                   .segment = t->segment < t->len ? t->segment : t->len};
    seen.trains++;
    while (t->len && f->frames < TN_SERVER_FLIGHT_FRAMES && tn_get_be16(t->data + 2) == channel) {
        size_t len = t->segment < t->len ? t->segment : t->len;

        f->frames++;
        f->len += len;
        t->data += len;
        t->len -= len;
    }
    seen.frames += (int)f->frames;
    return true;
}

static const struct coord_net_handler handler = {.on_datagram = on_datagram,
                                                 .on_batch_end = on_batch_end,
                                                 .on_pass = on_pass,
                                                 .on_train = on_train};

/* ---- clients ---- */

static void set_int(int fd, int level, int name, int value)
{
    assert_int_equal(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

static int open_client(unsigned i)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 * 1024 * 1024);
    client_at[i] = tn_addr_v4((const uint8_t *)&at.sin_addr, ntohs(at.sin_port));
    at.sin_port = htons(net.udp[0].port);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static size_t frame(uint8_t *out, uint16_t to, uint32_t number, size_t len)
{
    memset(out, 0x5a, len);
    out[0] = TN_CTL_RELAY;
    out[1] = TN_CTL_VERSION;
    tn_put_be16(out + 2, to);
    tn_put_be32(out + 4, number);
    return len;
}

static void send_frame(unsigned from, uint16_t to, uint32_t number, size_t len)
{
    uint8_t data[1500];

    assert_int_equal(send(client[from], data, frame(data, to, number, len), 0), len);
}

static void send_train(unsigned from, const uint8_t *data, size_t len, size_t segment)
{
    set_int(client[from], IPPROTO_UDP, UDP_SEGMENT, (int)segment);
    assert_int_equal(send(client[from], data, len, 0), len);
    set_int(client[from], IPPROTO_UDP, UDP_SEGMENT, 0);
}

/* One datagram or train at client i, the loop running meanwhile; its length. */
static size_t receive(unsigned i, uint8_t *out, size_t cap, size_t *segment)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {.iov_base = out, .iov_len = cap};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct pollfd p = {.fd = client[i], .events = POLLIN};
    struct cmsghdr *c;
    ssize_t n;
    int value;

    for (int waited = 0; poll(&p, 1, 1) == 0; waited++) {
        assert_true(waited < DEADLINE_MS);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    n = recvmsg(client[i], &m, 0);
    assert_true(n >= 0);
    c = CMSG_FIRSTHDR(&m);
    *segment = (size_t)n;
    if (c && c->cmsg_type == UDP_GRO) {
        memcpy(&value, CMSG_DATA(c), sizeof(value));
        *segment = (size_t)value;
    }
    return (size_t)n;
}

static void assert_next(unsigned i, uint32_t number, size_t len)
{
    uint8_t data[2000];
    size_t segment;

    assert_int_equal(receive(i, data, sizeof(data), &segment), len);
    assert_int_equal(tn_get_be32(data + 4), number);
    assert_int_equal(data[len - 1], len > 8 ? 0x5a : data[len - 1]);
}

/* ---- the tests ---- */

static void what_many_send_to_many_arrives_in_order(void **state)
{
    static const size_t len[] = {100, 100, 40, 1400, 100, 100, 8};
    uint32_t number = 0;

    for (int i = 0; i < 300; i++, number++)
        send_frame(number % 2, (uint16_t)(2 + number / 2 % 2), number, len[number % 7]);
    for (uint32_t i = 0; i < number; i++)
        assert_next(2 + i / 2 % 2, i, len[i % 7]);
    assert_int_equal(seen.frames, 300);
    assert_int_equal(seen.datagrams, 0);
}

static void datagrams_that_came_singly_leave_as_a_train(void **state)
{
    static uint8_t data[65536];
    size_t segment, got = 0, most = 0;

    set_int(client[2], IPPROTO_UDP, UDP_GRO, 1);
    for (uint32_t i = 0; i < 60; i++)
        send_frame(i % 2, 2, i, 200);
    while (got < 60 * 200) {
        size_t n = receive(2, data, sizeof(data), &segment);

        assert_int_equal(segment, 200);
        got += n;
        most = n > most ? n : most;
    }
    assert_int_equal(got, 60 * 200);
    assert_true(most >= 30 * 200);
}

static void a_train_stays_whole(void **state)
{
    static uint8_t data[65536], out[65536];
    size_t len = 0, segment;

    set_int(client[3], IPPROTO_UDP, UDP_GRO, 1);
    for (uint32_t i = 0; i < 40; i++)
        len += frame(data + len, 3, i, i < 39 ? 1440 : 77);
    send_train(0, data, len, 1440);
    assert_int_equal(receive(3, out, sizeof(out), &segment), len);
    assert_int_equal(segment, 1440);
    assert_memory_equal(out, data, len);
    assert_int_equal(seen.trains, 1);
}

static void a_train_of_all_sorts_is_taken_apart(void **state)
{
    uint8_t data[4 * 64];

    for (uint32_t i = 0; i < 4; i++)
        frame(data + i * 64, i == 3 ? 1 : 2, i, 64);
    data[64] = TN_CTL_DATA; /* a control message between them */
    send_train(0, data, sizeof(data), 64);
    assert_next(2, 0, 64);
    assert_next(2, 2, 64);
    assert_next(1, 3, 64);
    assert_int_equal(seen.datagrams, 1);
}

static void set_loopback_mtu(int mtu)
{
    struct ifreq r = {.ifr_name = "lo", .ifr_mtu = mtu};

    assert_int_equal(ioctl(client[0], SIOCSIFMTU, &r), 0);
}

static void where_a_train_cannot_go_its_frames_go_singly(void **state)
{
    for (uint32_t i = 0; i < 30; i++)
        send_frame(0, 2, i, 1400); /* before the link gets too narrow for a segment */
    set_loopback_mtu(1280);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 30; i++)
            assert_next(2, i, 1400);
        assert_int_equal(net.counters.send_errors, 0);
        for (uint32_t i = 0; round == 0 && i < 30; i++)
            send_frame(0, 2, i, 1400);
    }
    set_loopback_mtu(65536);
}

static void more_flights_than_there_are_rows_get_through(void **state)
{
    static uint8_t data[65536];

    for (uint32_t k = 0; k < 120; k++) { /* each frame of a train goes elsewhere than the one before */
        size_t len = 0;

        for (uint32_t i = 0; i < 60; i++)
            len += frame(data + len, (uint16_t)(2 + i % 2), k * 60 + i, 32);
        send_train(0, data, len, 32);
    }
    for (uint32_t i = 0; i < 120 * 60; i++)
        assert_next(2 + i % 2, i, 32);
}

static void a_lone_datagram_does_not_wait(void **state)
{
    send_frame(0, 1, 1, 50);
    assert_next(1, 1, 50);
    assert_int_equal(seen.trains, 1);
    assert_int_equal(seen.capacity, 0);
}

static void when_the_queue_never_empties_shares_are_asked_for(void **state)
{
    int sent = 0;

    /* as much as the socket's buffer holds; the kernel drops what is beyond, as it should */
    for (; sent < FRAMES_MAX; sent++)
        send_frame(0, 1, (uint32_t)sent, 32);
    while (seen.frames < 4500)
        assert_int_not_equal(uv_run(&loop, UV_RUN_ONCE), 0);
    assert_true(seen.capacity > 0);
    seen.capacity = 0;
    while (uv_run(&loop, UV_RUN_NOWAIT) && seen.frames != sent) {
        int before = seen.frames;

        uv_run(&loop, UV_RUN_NOWAIT);
        if (seen.frames == before)
            break; /* dry */
    }
    seen.capacity = 0;
    send_frame(0, 2, 7, 32);
    assert_next(2, 7, 32);
    assert_int_equal(seen.capacity, 0); /* it is over */
}

/* ---- the place ---- */

static int setup(void **state)
{
    struct coord_options o = {.listen_count = 1};

    memset(&seen, 0, sizeof(seen));
    assert_true(coord_parse_listen("127.0.0.1:0", 3478, &o.listen[0]));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_net_open(&net, &loop, &o, &handler, NULL), 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        client[i] = open_client(i);
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        close(client[i]);
    coord_net_close(&net);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static int enter(void **state)
{
    struct nl n;
    int err;

    if (!sealed_enter() || nl_open(&n))
        return -1;
    err = nl_link_up(&n, "lo", 0);
    nl_close(&n);
    return err;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_many_send_to_many_arrives_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(datagrams_that_came_singly_leave_as_a_train, setup, teardown),
        cmocka_unit_test_setup_teardown(a_train_stays_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_train_of_all_sorts_is_taken_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(where_a_train_cannot_go_its_frames_go_singly, setup, teardown),
        cmocka_unit_test_setup_teardown(more_flights_than_there_are_rows_get_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lone_datagram_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(when_the_queue_never_empties_shares_are_asked_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
