/* A TUN in a sealed namespace, and an application that sends into it. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"
#include "sealed.h"
#include "tund/tun.h"

#define DATAGRAM_LEN 64
#define UDP_AT 28 /* where the payload is in the IPv4 packet */

static struct nl nl;
static struct tun tun;
static int app;

static int setup(void **state)
{
    const uint8_t ip[4] = {10, 9, 0, 1};
    const struct tn_addr own = tn_addr_v4(ip, 0), net = tn_addr_v4((uint8_t[]){10, 9, 0, 0}, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};

    tun.fd = -1;
    if (nl_open(&nl) || tun_open(&tun, "tn0", 1400) || nl_link_no_link_local(&nl, "tn0") ||
        nl_link_up(&nl, "tn0", 0) || nl_addr_add(&nl, "tn0", &own, 24) ||
        nl_route_add(&nl, "tn0", &net, 24, NULL, 0, 0))
        return -1;
    app = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    return connect(app, (struct sockaddr *)&to, sizeof to);
}

static int teardown(void **state)
{
    close(app);
    tun_close(&tun);
    nl_close(&nl);
    return 0;
}

static void send_numbered(uint32_t number)
{
    uint8_t data[DATAGRAM_LEN] = {0};

    tn_put_be32(data, number);
    assert_int_equal(send(app, data, sizeof data, 0), sizeof data);
}

/* Of all datagrams that wait: how many, each being the one that is due. */
static uint32_t read_numbered(void)
{
    uint8_t packet[2048];
    uint32_t count = 0;
    int n;

    while ((n = tun_read(&tun, packet, sizeof packet)) > 0) {
        assert_int_equal(n, UDP_AT + DATAGRAM_LEN);
        assert_int_equal(tn_get_be32(packet + UDP_AT), count++);
    }
    assert_int_equal(n, -EAGAIN);
    return count;
}

static void what_is_sent_before_our_turn_comes_is_kept_in_order(void **state)
{
    for (uint32_t i = 0; i < TUN_QUEUE_LEN; i++)
        send_numbered(i);
    assert_int_equal(read_numbered(), TUN_QUEUE_LEN);
}

static void what_is_too_much_is_lost_and_not_waited_for(void **state)
{
    for (uint32_t i = 0; i < 2 * TUN_QUEUE_LEN; i++)
        send_numbered(i);
    assert_in_range(read_numbered(), TUN_QUEUE_LEN, 2 * TUN_QUEUE_LEN - 1);
}

static void a_packet_comes_with_its_length_and_without_a_header(void **state)
{
    send_numbered(0);
    assert_int_equal(read_numbered(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_packet_comes_with_its_length_and_without_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_before_our_turn_comes_is_kept_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_much_is_lost_and_not_waited_for, setup, teardown),
    };

    if (!sealed_enter()) {
        perror("this test needs root or user namespaces");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
