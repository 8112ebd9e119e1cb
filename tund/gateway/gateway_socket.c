/* Two kinds of sockets, read alike: one to ask, connected, and one that hears announcements, where the
 * sender is compared by us, as a group is open to everybody on the link. */
#include "gateway_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway_addr.h"

#define READ_MAX 32 /* datagrams at a time */

struct gateway_socket {
    uv_poll_t poll;
    int fd;
    bool hears;
    struct tn_addr gateway;
    struct gateway_socket_handler handler;
};

/* ---- reading ---- */

/* False: nothing is left to be read now. */
static bool read_one(struct gateway_socket *s)
{
    uint8_t data[PCP_MESSAGE_MAX + 1];
    union gateway_sockaddr from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(s->fd, data, sizeof data, MSG_DONTWAIT, &from.sa, &from_len);
    struct tn_addr sender;

    if (n < 0) {
        if (errno == ECONNREFUSED)
            s->handler.on_refused(s->handler.ctx, s->handler.family);
        return errno == EINTR;
    }
    sender = gateway_from_sockaddr(&from);
    if (!s->hears || tn_addr_same_ip(&sender, &s->gateway))
        s->handler.on_datagram(s->handler.ctx, s->handler.family, data, (size_t)n);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct gateway_socket *s = poll->data;

    for (int i = 0; i < READ_MAX && !uv_is_closing((uv_handle_t *)poll) && read_one(s); i++)
        continue;
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) /* the error was read off */
        (void)uv_poll_start(poll, UV_READABLE, on_readable);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
    struct gateway_socket *s = h->data;

    close(s->fd);
    free(s);
}

void gateway_socket_close(struct gateway_socket *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->poll, on_closed);
}

/* Takes fd over, also where it fails. */
static int watch(struct gateway_socket **out, uv_loop_t *loop, int fd, bool hears,
                 const struct tn_addr *gateway, const struct gateway_socket_handler *handler)
{
    struct gateway_socket *s = calloc(1, sizeof *s);
    int err = s ? uv_poll_init(loop, &s->poll, fd) : -ENOMEM;

    if (err) {
        free(s);
        close(fd);
        return err;
    }
    s->poll.data = s;
    s->fd = fd;
    s->hears = hears;
    s->gateway = *gateway;
    s->handler = *handler;
    err = uv_poll_start(&s->poll, UV_READABLE, on_readable);
    if (err) {
        gateway_socket_close(s);
        return err;
    }
    *out = s;
    return 0;
}

static int open_udp(const struct tn_addr *a)
{
    int fd = socket(tn_addr_is_v4(a) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static int connect_to(int fd, const struct tn_addr *gateway, uint32_t ifindex, struct tn_addr *own)
{
    union gateway_sockaddr to, here;
    socklen_t len = sizeof here, to_len = gateway_to_sockaddr(gateway, PCP_PORT, ifindex, &to);

    if (!tn_addr_is_zero(own)) {
        socklen_t own_len = gateway_to_sockaddr(own, 0, ifindex, &here);

        if (bind(fd, &here.sa, own_len) != 0)
            return -errno;
    }
    if (connect(fd, &to.sa, to_len) != 0 || getsockname(fd, &here.sa, &len) != 0)
        return -errno;
    *own = gateway_from_sockaddr(&here);
    return 0;
}

int gateway_socket_ask(struct gateway_socket **out, uv_loop_t *loop, const struct tn_addr *gateway,
                       uint32_t ifindex, struct tn_addr *own,
                       const struct gateway_socket_handler *handler)
{
    int fd = open_udp(gateway), err;

    if (fd < 0)
        return fd;
    err = connect_to(fd, gateway, ifindex, own);
    if (err) {
        close(fd);
        return err;
    }
    return watch(out, loop, fd, false, gateway, handler);
}

static int join(int fd, bool v4, uint32_t ifindex)
{
    struct ip_mreqn m4 = {.imr_multiaddr.s_addr = htonl(0xe0000001u), .imr_ifindex = (int)ifindex};
    struct ipv6_mreq m6 = {.ipv6mr_interface = ifindex};
    int rc;

    m6.ipv6mr_multiaddr.s6_addr[0] = 0xff;
    m6.ipv6mr_multiaddr.s6_addr[1] = 0x02;
    m6.ipv6mr_multiaddr.s6_addr[15] = 1;
    if (v4)
        rc = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof m4);
    else
        rc = setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m6, sizeof m6);
    /* every host is in these groups from the beginning */
    return rc != 0 && errno != EADDRINUSE ? -errno : 0;
}

static int bind_group(int fd, bool v4, uint32_t ifindex)
{
    const uint8_t all4[4] = {224, 0, 0, 1}, all6[16] = {0xff, 0x02, [15] = 1};
    struct tn_addr group = v4 ? tn_addr_v4(all4, 0) : tn_addr_v6(all6, 0);
    union gateway_sockaddr at;
    socklen_t len = gateway_to_sockaddr(&group, PCP_ANNOUNCE_PORT, ifindex, &at);
    int on = 1;

    /* others on this host listen as well; the address lets only the group's datagrams in */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, &at.sa, len) != 0)
        return -errno;
    return join(fd, v4, ifindex);
}

int gateway_socket_hear(struct gateway_socket **out, uv_loop_t *loop, const struct tn_addr *gateway,
                        uint32_t ifindex, const struct gateway_socket_handler *handler)
{
    int fd = open_udp(gateway), err;

    if (fd < 0)
        return fd;
    err = bind_group(fd, tn_addr_is_v4(gateway), ifindex);
    if (err) {
        close(fd);
        return err;
    }
    return watch(out, loop, fd, true, gateway, handler);
}

int gateway_socket_send(struct gateway_socket *s, const uint8_t *data, size_t len)
{
    /* an error that an earlier datagram's ICMP left behind is not this one's: once more */
    for (int i = 0; i < 2; i++) {
        if (send(s->fd, data, len, 0) >= 0)
            return 0;
        if (errno == ECONNREFUSED)
            s->handler.on_refused(s->handler.ctx, s->handler.family);
        else
            break;
    }
    return -errno;
}
