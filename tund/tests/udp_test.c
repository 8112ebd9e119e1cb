/* The UDP sockets, on a loopback of their own. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "sealed.h"
#include "tund/udp.h"

struct receiver {
    struct udp udp;
    int count, batches;
    size_t len;
    uint8_t data[64];
    struct udp_source from;
};

static uv_loop_t loop;
static struct receiver a, b;

static void on_datagram(void *ctx, struct udp *u, struct tn_buf *buf, const struct udp_source *from)
{
    struct receiver *r = ctx;

    assert_true(buf->off >= TN_BUF_HEADROOM && tn_buf_tailroom(buf) >= TN_BUF_TAILROOM);
    r->count++;
    r->len = buf->len;
    memcpy(r->data, tn_buf_data(buf), buf->len < sizeof r->data ? buf->len : sizeof r->data);
    r->from = *from;
}

static void on_batch_end(void *ctx, struct udp *u)
{
    struct receiver *r = ctx;

    r->batches++;
}

static int open_receiver(struct receiver *r, const struct udp_config *config)
{
    const struct udp_handler handler = {
        .ctx = r, .on_datagram = on_datagram, .on_batch_end = on_batch_end};

    memset(r, 0, sizeof *r);
    return udp_open(&r->udp, &loop, config, &handler);
}

static void on_deadline(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Runs until r has n datagrams, or 5 s are over. */
static void run_until(struct receiver *r, int n)
{
    uv_timer_t deadline;

    uv_timer_init(&loop, &deadline);
    uv_timer_start(&deadline, on_deadline, 5000, 0);
    while (r->count < n && uv_timer_get_due_in(&deadline))
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(r->count, n);
}

static int setup(void **state)
{
    const struct udp_config any = {0};

    return uv_loop_init(&loop) || open_receiver(&a, &any) || open_receiver(&b, &any);
}

static int teardown(void **state)
{
    udp_close(&a.udp);
    udp_close(&b.udp);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static struct tn_addr v4(uint8_t last, uint16_t port)
{
    const uint8_t ip[4] = {127, 0, 0, last};

    return tn_addr_v4(ip, port);
}

static struct tn_addr v6(uint16_t port)
{
    const uint8_t ip[16] = {[15] = 1};

    return tn_addr_v6(ip, port);
}

static void both_families_share_a_port_and_carry_datagrams(void **state)
{
    struct tn_addr to4 = v4(1, b.udp.port), to6 = v6(b.udp.port);

    assert_true(a.udp.port && a.udp.port != b.udp.port);
    assert_non_null(a.udp.v4);
    assert_non_null(a.udp.v6);
    assert_int_equal(udp_send(&a.udp, "four", 4, &to4, 0, NULL), 0);
    run_until(&b, 1);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "four", 4);
    to4.port = a.udp.port;
    assert_true(tn_addr_equal(&b.from.remote, &to4));
    assert_int_equal(udp_send(&a.udp, "sixth", 5, &to6, 0, NULL), 0);
    run_until(&b, 2);
    to6.port = a.udp.port;
    assert_true(tn_addr_equal(&b.from.remote, &to6));
    assert_int_equal(b.len, 5);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    struct tn_addr to = v4(77, b.udp.port), asked;

    assert_int_equal(udp_send(&a.udp, "q", 1, &to, 0, NULL), 0);
    run_until(&b, 1);
    asked = b.from.local;
    assert_true(tn_addr_equal(&asked, &to));
    assert_int_equal(udp_send(&b.udp, "a", 1, &b.from.remote, 0, &asked), 0);
    run_until(&a, 1);
    assert_true(tn_addr_equal(&a.from.remote, &to));
}

static void a_source_that_is_not_ours_is_refused(void **state)
{
    const uint8_t foreign[4] = {192, 0, 2, 1};
    struct tn_addr to = v4(1, b.udp.port), from = tn_addr_v4(foreign, 0);

    assert_true(udp_send(&a.udp, "q", 1, &to, 0, &from) < 0);
    assert_int_equal(udp_send(&a.udp, "q", 1, &to, 0, NULL), 0);
    run_until(&b, 1);
}

/* A socket beside ours that sees the TTL (hop limit) of what comes. */
static int ttl_of(int family, struct tn_addr to, uint8_t ttl)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } sa = {0};
    int fd = socket(family, SOCK_DGRAM, 0), on = 1, seen = -1;
    socklen_t len = sizeof sa;
    char data[8], control[64];
    struct iovec iov = {data, sizeof data};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    sa.sa.sa_family = (sa_family_t)family;
    assert_int_equal(bind(fd, &sa.sa, family == AF_INET ? sizeof sa.in : sizeof sa.in6), 0);
    assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
    to.port = ntohs(family == AF_INET ? sa.in.sin_port : sa.in6.sin6_port);
    assert_int_equal(family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on)
                                       : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on),
                     0);
    assert_int_equal(udp_send(&a.udp, "x", 1, &to, ttl, NULL), 0);
    assert_int_equal(recvmsg(fd, &m, 0), 1);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        memcpy(&seen, CMSG_DATA(c), sizeof seen);
    close(fd);
    return seen;
}

static void the_ttl_is_that_of_the_one_datagram(void **state)
{
    assert_int_equal(ttl_of(AF_INET, v4(1, 0), 3), 3);
    assert_int_equal(ttl_of(AF_INET, v4(1, 0), 0), 64);
    assert_int_equal(ttl_of(AF_INET6, v6(0), 3), 3);
    assert_int_equal(ttl_of(AF_INET6, v6(0), 0), 64);
}

static void a_batch_is_bounded_and_nothing_is_lost(void **state)
{
    struct tn_addr to = v4(1, b.udp.port);
    const int count = 3 * UDP_BATCH + 1;

    for (int i = 0; i < count; i++)
        assert_int_equal(udp_send(&a.udp, "x", 1, &to, 0, NULL), 0);
    run_until(&b, count);
    assert_int_equal(b.batches, 4);
}

static void the_longest_datagram_passes_and_a_longer_one_is_refused(void **state)
{
    static uint8_t data[65508];
    struct tn_addr to = v4(1, b.udp.port);

    assert_int_equal(udp_send(&a.udp, data, 65508, &to, 0, NULL), -EMSGSIZE);
    assert_int_equal(udp_send(&a.udp, data, 65507, &to, 0, NULL), 0);
    run_until(&b, 1);
    assert_int_equal(b.len, 65507);
}

static void a_taken_port_is_refused_and_the_old_sockets_stay(void **state)
{
    uint16_t before = a.udp.port;
    struct tn_addr to = v4(1, before);

    assert_int_equal(udp_move(&a.udp, b.udp.port), -EADDRINUSE);
    assert_int_equal(a.udp.port, before);
    assert_int_equal(udp_send(&b.udp, "x", 1, &to, 0, NULL), 0);
    run_until(&a, 1);
}

static void a_port_that_one_family_has_taken_is_taken(void **state)
{
    struct udp_config config = {.bind = v6(0)};
    struct receiver c;
    uint16_t before = a.udp.port;

    assert_int_equal(open_receiver(&c, &config), 0);
    assert_null(c.udp.v4);
    assert_int_equal(udp_move(&a.udp, c.udp.port), -EADDRINUSE);
    assert_int_equal(a.udp.port, before);
    udp_close(&c.udp);
}

static void after_a_move_the_new_port_is_served(void **state)
{
    uint16_t before = a.udp.port;
    struct tn_addr to;

    assert_int_equal(udp_move(&a.udp, 0), 0);
    assert_int_not_equal(a.udp.port, before);
    to = v6(a.udp.port);
    assert_int_equal(udp_send(&b.udp, "x", 1, &to, 0, NULL), 0);
    run_until(&a, 1);
    /* The old one is free for others at once. */
    assert_int_equal(udp_move(&b.udp, before), 0);
}

static void no_socket_of_a_family_is_told(void **state)
{
    struct udp_config config = {.bind = v4(1, 0)};
    struct tn_addr to = v6(b.udp.port);
    struct receiver c;

    assert_int_equal(open_receiver(&c, &config), 0);
    assert_int_equal(udp_send(&c.udp, "x", 1, &to, 0, NULL), -EAFNOSUPPORT);
    udp_close(&c.udp);
}

static void the_firewall_mark_is_set_on_both(void **state)
{
    assert_int_equal(udp_set_fwmark(&a.udp, 0xca6c), 0);
    assert_int_equal(udp_move(&a.udp, 0), 0);
    assert_int_equal(a.udp.config.fwmark, 0xca6c);
    assert_int_equal(udp_set_fwmark(&a.udp, 0), 0);
}

static bool loopback_up(void)
{
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool done = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &ifr);

    close(fd);
    return done;
}

static uint16_t detour_port(const struct udp *u, const struct tn_addr *to)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    assert_int_equal(getsockname(udp_fd_to(u, to), (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

static void a_detour_is_taken_by_one_destination_both_ways(void **state)
{
    struct tn_addr to = v4(1, b.udp.port), other = v4(1, (uint16_t)(b.udp.port ^ 1)), back = to;
    int fd = udp_spare(&a.udp);

    assert_true(fd >= 0);
    assert_int_equal(udp_add_detour(&a.udp, &to, fd), 0);
    assert_int_equal(udp_fd_to(&a.udp, &other), udp_fd(&a.udp, true));
    back.port = detour_port(&a.udp, &to);
    assert_int_not_equal(back.port, a.udp.port);
    assert_int_equal(udp_send(&a.udp, "there", 5, &to, 0, NULL), 0);
    run_until(&b, 1);
    assert_int_equal(b.from.remote.port, back.port);
    assert_int_equal(udp_send(&b.udp, "back", 4, &back, 0, NULL), 0);
    run_until(&a, 1);
    assert_memory_equal(a.data, "back", 4);
    udp_drop_detours(&a.udp);
    assert_int_equal(udp_send(&a.udp, "there", 5, &to, 0, NULL), 0);
    run_until(&b, 2);
    assert_int_equal(b.from.remote.port, a.udp.port);
}

static void a_later_detour_replaces_the_one_before_and_the_oldest_goes(void **state)
{
    struct tn_addr first = v4(1, 1001);

    for (uint16_t i = 0; i < UDP_DETOURS + 2; i++) {
        struct tn_addr to = v4(1, (uint16_t)(1001 + i));

        assert_int_equal(udp_add_detour(&a.udp, &to, udp_spare(&a.udp)), 0);
    }
    assert_int_equal(a.udp.detours, UDP_DETOURS);
    assert_int_equal(udp_fd_to(&a.udp, &first), udp_fd(&a.udp, true));
    first.port = 1010;
    assert_int_equal(udp_add_detour(&a.udp, &first, udp_spare(&a.udp)), 0);
    assert_int_equal(a.udp.detours, UDP_DETOURS);
    assert_true(tn_addr_equal(&a.udp.detour[0].to, &first));
}

int main(void)
{
#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SOCKETS(a_detour_is_taken_by_one_destination_both_ways),
        WITH_SOCKETS(a_later_detour_replaces_the_one_before_and_the_oldest_goes),
        WITH_SOCKETS(both_families_share_a_port_and_carry_datagrams),
        WITH_SOCKETS(an_answer_leaves_from_the_address_that_was_asked),
        WITH_SOCKETS(a_source_that_is_not_ours_is_refused),
        WITH_SOCKETS(the_ttl_is_that_of_the_one_datagram),
        WITH_SOCKETS(a_batch_is_bounded_and_nothing_is_lost),
        WITH_SOCKETS(the_longest_datagram_passes_and_a_longer_one_is_refused),
        WITH_SOCKETS(a_taken_port_is_refused_and_the_old_sockets_stay),
        WITH_SOCKETS(a_port_that_one_family_has_taken_is_taken),
        WITH_SOCKETS(after_a_move_the_new_port_is_served),
        WITH_SOCKETS(no_socket_of_a_family_is_told),
        WITH_SOCKETS(the_firewall_mark_is_set_on_both),
    };

    if (!sealed_enter() || !loopback_up()) {
        perror("this test needs root or user namespaces");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
