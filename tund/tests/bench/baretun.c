/* baretun - a TUN and a UDP socket with nothing between them: no cipher, no routes, no offloads. What a ping through
 * two of these takes is the least for any tunnel that goes through a TUN; scripts/bench measures it beside tund. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/tests/bench/bench.h"
#include "tund/tun.h"

#define MTU 1420
#define PORT 51820

static int connected(const char *local, const char *remote)
{
    struct sockaddr_in us = {.sin_family = AF_INET, .sin_port = htons(PORT)}, them = us;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    bench_must(inet_pton(AF_INET, local, &us.sin_addr) == 1 && inet_pton(AF_INET, remote, &them.sin_addr) == 1,
               "two IPv4 addresses");
    bench_must(fd >= 0 && !bind(fd, (struct sockaddr *)&us, sizeof us) &&
                   !connect(fd, (struct sockaddr *)&them, sizeof them), "a socket");
    return fd;
}

/* What cannot be passed on is lost, as on any link; anything else ends us. */
static void pass(ssize_t got, ssize_t put)
{
    bench_must(got >= 0 || errno == EAGAIN || errno == ECONNREFUSED, "what came");
    bench_must(put >= 0 || errno == EAGAIN || errno == ECONNREFUSED || errno == EIO, "passing it on");
}

int main(int argc, char **argv)
{
    static uint8_t packet[TUN_PACKET_MAX];
    struct tun tun;
    int udp;

    if (argc != 4) {
        fputs("usage: baretun IFNAME LOCAL-IP REMOTE-IP\n", stderr);
        return 2;
    }
    udp = connected(argv[2], argv[3]);
    bench_must(!tun_open(&tun, argv[1], MTU), "a TUN");
    for (;;) {
        struct pollfd ready[] = {{.fd = tun.fd, .events = POLLIN}, {.fd = udp, .events = POLLIN}};
        ssize_t len;

        bench_must(poll(ready, 2, -1) > 0, "poll");
        if (ready[1].revents) {
            len = recv(udp, packet, sizeof packet, 0);
            pass(len, len > 0 ? write(tun.fd, packet, (size_t)len) : 0);
        }
        if (ready[0].revents) {
            len = read(tun.fd, packet, sizeof packet);
            pass(len, len > 0 ? send(udp, packet, (size_t)len, 0) : 0);
        }
    }
}
