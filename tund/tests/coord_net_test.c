/* The coordinator's sockets on the loopback interface of a network namespace of their own. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/coord/msg.h"
#include "libtunnel/path/stun.h"

#include "tund/coord_net.h"

#include "sealed.h"

#define DEADLINE_MS 5000

static uv_loop_t loop;
static struct coord_net net;
static struct {
    int count;
    uint8_t way;
    struct tn_addr src;
    size_t len;
    uint8_t first;
} seen;

static void on_datagram(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data,
                        size_t len)
{
    (void)ctx;
    seen.count++;
    seen.way = way;
    seen.src = *src;
    seen.len = len;
    seen.first = len ? data[0] : 0;
}

static void on_batch_end(void *ctx)
{
    (void)ctx;
}

static const struct coord_net_handler handler = {.on_datagram = on_datagram,
                                                 .on_batch_end = on_batch_end};

static int open_net(const char *listen, uint16_t alt, struct why *w)
{
    struct coord_options o = {.listen_count = 1, .alt_port = alt};

    memset(&seen, 0, sizeof(seen));
    assert_true(coord_parse_listen(listen, 3478, &o.listen[0]));
    assert_int_equal(uv_loop_init(&loop), 0);
    return coord_net_open(&net, &loop, &o, &handler, w);
}

static void close_net(void)
{
    coord_net_close(&net);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static int client(bool v4)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(v4 ? bind(fd, (struct sockaddr *)&at, sizeof(at))
                        : bind(fd, (struct sockaddr *)&at6, sizeof(at6)),
                     0);
    return fd;
}

static void send_to(int fd, const char *ip, uint16_t port, const void *data, size_t len)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, ip, &at.sin_addr) == 1)
        assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&at, sizeof(at)), len);
    else if (inet_pton(AF_INET6, ip, &at6.sin6_addr) == 1)
        assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&at6, sizeof(at6)), len);
    else
        fail();
}

/* Runs the loop until the client has something to read; its sender's address in *from. */
static size_t receive(int fd, uint8_t *out, size_t cap, struct sockaddr_in *from)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    socklen_t len = sizeof(*from);
    ssize_t n;

    for (int waited = 0; poll(&p, 1, 10) == 0; waited += 10) {
        assert_true(waited < DEADLINE_MS);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    n = recvfrom(fd, out, cap, 0, (struct sockaddr *)from, &len);
    assert_true(n >= 0);
    return (size_t)n;
}

static void run_until_seen(int count)
{
    while (seen.count < count)
        assert_int_not_equal(uv_run(&loop, UV_RUN_ONCE), 0);
}

static const uint8_t txid[TN_STUN_TXID_LEN] = {1, 2, 3};

static void both_ports_answer_a_padded_stun_request_with_no_more_than_came(void **state)
{
    int fd;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        struct sockaddr_in from;

        assert_int_equal(open_net(v6 ? "[::1]:0" : "127.0.0.1:0", 0, NULL), 0);
        assert_int_equal(net.udp_count, 2);
        fd = client(!v6);
        for (unsigned i = 0; i < 2; i++) {
            uint8_t request[64], answer[128];
            size_t len = tn_stun_request(v6, txid, request, sizeof(request)), got;
            struct tn_addr mapped;

            send_to(fd, v6 ? "::1" : "127.0.0.1", coord_net_bound(&net, i).port, request, len);
            got = receive(fd, answer, sizeof(answer), &from);
            assert_true(got <= len);
            assert_int_equal(tn_stun_consume_answer(answer, got, txid, &mapped), 0);
            if (!v6)
                assert_int_equal(ntohs(from.sin_port), coord_net_bound(&net, i).port);
        }
        assert_int_equal(net.counters.stun_answers, 2);
        close(fd);
        close_net();
    }
}

static void an_unpadded_stun_request_is_met_with_silence(void **state)
{
    uint8_t request[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, control[24] = {0x90, 1};
    int fd;

    (void)state;
    assert_int_equal(open_net("127.0.0.1:0", 0, NULL), 0);
    fd = client(true);
    send_to(fd, "127.0.0.1", net.udp[0].port, request, sizeof(request));
    send_to(fd, "127.0.0.1", net.udp[0].port, control, sizeof(control));
    run_until_seen(1); /* what came after it has been handled */
    assert_int_equal(net.counters.stun_silent, 1);
    assert_int_equal(net.counters.stun_answers, 0);
    assert_int_equal(recv(fd, request, sizeof(request), MSG_DONTWAIT), -1);
    close(fd);
    close_net();
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    uint8_t control[24] = {0x90, 1}, answer[64];
    struct tn_addr to;
    uint8_t ways[2];
    int fd;

    (void)state;
    assert_int_equal(open_net("0.0.0.0:0", 0, NULL), 0);
    fd = client(true);
    for (int i = 0; i < 2; i++) {
        const char *ip = i ? "127.0.0.9" : "127.0.0.5";
        struct sockaddr_in from;
        struct in_addr want;

        send_to(fd, ip, net.udp[0].port, control, sizeof(control));
        run_until_seen(i + 1);
        ways[i] = seen.way;
        to = seen.src;
        coord_net_send(&net, seen.way, &to, "hello", 5);
        assert_int_equal(receive(fd, answer, sizeof(answer), &from), 5);
        assert_int_equal(inet_pton(AF_INET, ip, &want), 1);
        assert_int_equal(from.sin_addr.s_addr, want.s_addr);
        assert_int_equal(ntohs(from.sin_port), net.udp[0].port);
    }
    assert_int_not_equal(ways[0], ways[1]);
    send_to(fd, "127.0.0.5", net.udp[0].port, control, sizeof(control));
    run_until_seen(3);
    assert_int_equal(seen.way, ways[0]); /* the same way again */
    close(fd);
    close_net();
}

/* Two addresses with two ports each: the neighbours of the way that a member came by. */
static void dial_backs_leave_from_the_neighbours(void **state)
{
    struct coord_options o = {.listen_count = 2};
    uint8_t control[24] = {0x90, 1}, got[16];
    struct sockaddr_in from;
    struct why w;
    int fd;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_true(coord_parse_listen("127.0.0.5", 34780, &o.listen[0]));
    assert_true(coord_parse_listen("127.0.0.6", 34780, &o.listen[1]));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_net_open(&net, &loop, &o, &handler, &w), 0);
    assert_int_equal(coord_net_can_dial(&net, true), TN_DIAL_PORT | TN_DIAL_ADDRESS);
    assert_int_equal(coord_net_can_dial(&net, false), 0);
    fd = client(true);
    for (int i = 0; i < 4; i++) { /* each socket in turn */
        uint16_t port = (uint16_t)(34780 + i % 2);
        struct tn_addr to;

        send_to(fd, i / 2 ? "127.0.0.6" : "127.0.0.5", port, control, sizeof(control));
        run_until_seen(i + 1);
        to = seen.src;
        coord_net_dial(&net, seen.way, TN_DIAL_PORT, &to, "port", 4);
        assert_int_equal(receive(fd, got, sizeof(got), &from), 4);
        assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000005 + i / 2);
        assert_int_equal(ntohs(from.sin_port), 34780 + !(i % 2));
        coord_net_dial(&net, seen.way, TN_DIAL_ADDRESS, &to, "address", 7);
        assert_int_equal(receive(fd, got, sizeof(got), &from), 7);
        assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000005 + !(i / 2));
        assert_int_equal(ntohs(from.sin_port), 34780 + !(i % 2));
    }
    close(fd);
    close_net();
}

static void a_coordinator_of_one_address_has_no_other(void **state)
{
    (void)state;
    assert_int_equal(open_net("0.0.0.0:0", 0, NULL), 0);
    assert_int_equal(coord_net_can_dial(&net, true), TN_DIAL_PORT);
    close_net();
    assert_int_equal(open_net("[::]:0", 0, NULL), 0);
    assert_int_equal(coord_net_can_dial(&net, true), TN_DIAL_PORT);
    assert_int_equal(coord_net_can_dial(&net, false), TN_DIAL_PORT);
    close_net();
}

static void garbage_makes_no_way(void **state)
{
    uint8_t garbage[8] = {0x55};
    unsigned before;
    int fd;

    (void)state;
    assert_int_equal(open_net("0.0.0.0:0", 0, NULL), 0);
    before = net.way_count;
    fd = client(true);
    for (int i = 1; i <= 100; i++) {
        char ip[20];

        snprintf(ip, sizeof(ip), "127.0.1.%d", i);
        send_to(fd, ip, net.udp[0].port, garbage, sizeof(garbage));
        run_until_seen(i);
        assert_int_equal(seen.way, 0);
    }
    assert_int_equal(net.way_count, before);
    close(fd);
    close_net();
}

/* All of 127/8 is this host's, which makes it the place to see a table overflow. */
static void more_own_addresses_than_rows_fall_back_to_the_systems_choice(void **state)
{
    uint8_t control[24] = {0x90, 1};
    int fd;

    (void)state;
    assert_int_equal(open_net("0.0.0.0:0", 0, NULL), 0);
    fd = client(true);
    for (int i = 1; i <= 300; i++) {
        char ip[20];

        snprintf(ip, sizeof(ip), "127.0.%d.%d", 2 + i / 200, 1 + i % 200);
        send_to(fd, ip, net.udp[0].port, control, sizeof(control));
        run_until_seen(i);
    }
    assert_int_equal(net.way_count, COORD_WAYS_MAX);
    assert_int_equal(seen.way, 0);
    close(fd);
    close_net();
}

static void a_port_in_use_is_named_and_nothing_stays_open(void **state)
{
    struct coord_options o = {.listen_count = 1};
    struct why w = {""};
    struct coord_net second;
    struct tn_addr taken;

    (void)state;
    assert_int_equal(open_net("127.0.0.1:0", 0, NULL), 0);
    taken = coord_net_bound(&net, 1);
    o.listen[0] = taken;
    o.listen[0].port = 0; /* the first opens, the alternate cannot */
    o.alt_port = taken.port;
    assert_int_equal(coord_net_open(&second, &loop, &o, &handler, &w), -EADDRINUSE);
    assert_non_null(strstr(w.text, "in use"));
    assert_non_null(strstr(w.text, "--alt-port"));
    assert_int_equal(second.udp_count, 0);
    close_net(); /* fails where a handle was left */
}

static void an_address_that_is_not_ours_is_named(void **state)
{
    struct why w = {""};

    (void)state;
    assert_int_equal(open_net("192.0.2.77", 0, &w), -EADDRNOTAVAIL);
    assert_non_null(strstr(w.text, "192.0.2.77 is no address of this machine"));
    close_net();
}

static int enter(void **state)
{
    (void)state;
    return sealed_enter_with_loopback() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ports_answer_a_padded_stun_request_with_no_more_than_came),
        cmocka_unit_test(an_unpadded_stun_request_is_met_with_silence),
        cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
        cmocka_unit_test(dial_backs_leave_from_the_neighbours),
        cmocka_unit_test(a_coordinator_of_one_address_has_no_other),
        cmocka_unit_test(garbage_makes_no_way),
        cmocka_unit_test(more_own_addresses_than_rows_fall_back_to_the_systems_choice),
        cmocka_unit_test(a_port_in_use_is_named_and_nothing_stays_open),
        cmocka_unit_test(an_address_that_is_not_ours_is_named),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
