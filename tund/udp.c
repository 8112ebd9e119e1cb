/* How it works: one socket for each family, on one port. Reading takes at most
 * UDP_BATCH datagrams per wake, so that the TUN gets its turn; every datagram
 * goes to the handler with its source and the address it was sent to (IP_PKTINFO,
 * IPV6_RECVPKTINFO). Sending gives the TTL and the source address, where they
 * matter, as ancillary data of that one datagram (ip(7), ipv6(7)).
 *
 * Path MTU discovery is off: what is too long for a link is fragmented, since the
 * tunnel has its own idea of the MTU, and an ICMP that anyone can forge must not
 * change it. Unconnected sockets get no ICMP errors; an error that
 * the socket holds anyway (ss -K) is taken off it and reading goes on. */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "udp_msg.h"

#define DATAGRAM_MAX 65535u
#define RECEIVE_CAP (TN_BUF_HEADROOM + DATAGRAM_MAX + TN_BUF_TAILROOM)
#define SOCKET_BUFFER_LEN (4 * 1024 * 1024)
#define RANDOM_PORT_TRIES 32

struct udp_socket {
    struct udp *owner;
    int fd;
    bool v4, closing;
    uv_poll_t poll;
};

/* ---- opening ---- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

/* Beyond the system's limit where we may, else as much as it lets us have. */
static int set_buffer(int fd, int name, int name_force)
{
    if (!set_int(fd, SOL_SOCKET, name_force, SOCKET_BUFFER_LEN))
        return 0;
    return set_int(fd, SOL_SOCKET, name, SOCKET_BUFFER_LEN);
}

static int set_options(int fd, bool v4, uint32_t fwmark)
{
    int err = v4 ? set_int(fd, IPPROTO_IP, IP_PKTINFO, 1)
                 : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);

    if (!err && !v4)
        err = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!err)
        err = v4 ? set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
                 : set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    if (!err)
        err = set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
    if (!err)
        err = set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
    if (!err && fwmark)
        err = set_int(fd, SOL_SOCKET, SO_MARK, (int)fwmark);
    return err;
}

/* A bound socket, or a negative errno; *port is then the one it has. */
static int open_fd(const struct udp_config *c, bool v4, uint16_t *port)
{
    union udp_sockaddr sa;
    struct tn_addr bind_to = c->bind;
    socklen_t len = sizeof sa;
    int err, fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    err = set_options(fd, v4, c->fwmark);
    if (err)
        goto fail;
    bind_to.port = *port;
    if (bind(fd, &sa.sa, udp_to_sockaddr(&bind_to, v4, &sa)) || getsockname(fd, &sa.sa, &len)) {
        err = -errno;
        goto fail;
    }
    *port = udp_from_sockaddr(&sa).port;
    return fd;
fail:
    close(fd);
    return err;
}

/* IPv6 that is compiled out, or switched off by sysctl, is no reason to fail. */
static bool no_such_family(int err)
{
    return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -EPROTONOSUPPORT;
}

/* fd[0] is IPv4, fd[1] IPv6; -1 for a family that the host, or the configuration, has not. */
static int open_both(const struct udp_config *c, uint16_t *port, int fd[2])
{
    bool any = tn_addr_is_zero(&c->bind);
    bool want[2] = {any || tn_addr_is_v4(&c->bind), any || !tn_addr_is_v4(&c->bind)};
    uint16_t p = *port;

    fd[0] = fd[1] = -1;
    for (int i = 0; i < 2; i++) {
        if (!want[i])
            continue;
        fd[i] = open_fd(c, i == 0, &p);
        if (fd[i] >= 0 || (any && no_such_family(fd[i])))
            continue;
        if (i == 1 && fd[0] >= 0)
            close(fd[0]);
        return fd[i];
    }
    if (fd[0] < 0 && fd[1] < 0)
        return -EAFNOSUPPORT;
    *port = p;
    return 0;
}

static int open_fds(const struct udp_config *c, uint16_t *port, int fd[2])
{
    int err = open_both(c, port, fd);

    /* A port that is free for one family may be taken for the other. */
    for (int i = 0; err == -EADDRINUSE && !c->port && i < RANDOM_PORT_TRIES; i++)
        err = open_both(c, port, fd);
    return err;
}

/* ---- receiving ---- */

/* Length of a datagram in b, or a negative errno. */
static int receive(struct udp_socket *s, struct tn_buf *b, struct udp_source *from)
{
    union udp_sockaddr sa;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                          CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct iovec iov = {.iov_base = b->mem + TN_BUF_HEADROOM, .iov_len = DATAGRAM_MAX};
    struct msghdr m = {.msg_name = &sa,
                       .msg_namelen = sizeof sa,
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    b->off = TN_BUF_HEADROOM;
    b->len = (size_t)n;
    memset(from, 0, sizeof *from);
    from->remote = udp_from_sockaddr(&sa);
    from->local.port = s->owner->port;
    udp_local_from_control(&m, from);
    return (int)n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp_socket *s = poll->data;
    struct udp *u = s->owner;
    struct udp_source from;
    int error;
    socklen_t len = sizeof error;

    if (status < 0) {
        /* libuv stopped the handle on POLLERR; asking for the error takes it off the socket. */
        if (!getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len))
            uv_poll_start(poll, UV_READABLE, on_readable);
        return;
    }
    if (u->handler.on_readable) {
        u->handler.on_readable(u->handler.ctx, u, s->fd);
        return;
    }
    for (int i = 0; i < UDP_BATCH && !s->closing; i++) {
        struct tn_buf b = {.mem = u->memory, .cap = RECEIVE_CAP};
        int n = receive(s, &b, &from);

        if (n == -EAGAIN)
            break;
        if (n >= 0)
            u->handler.on_datagram(u->handler.ctx, u, &b, &from);
    }
    if (!s->closing && u->handler.on_batch_end)
        u->handler.on_batch_end(u->handler.ctx, u);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void socket_close(struct udp_socket *s)
{
    if (!s)
        return;
    s->closing = true;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}

static int socket_new(struct udp *u, int fd, bool v4, struct udp_socket **out)
{
    struct udp_socket *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->owner = u;
    s->fd = fd;
    s->v4 = v4;
    if (u->handler.on_socket)
        u->handler.on_socket(u->handler.ctx, u, fd);
    err = uv_poll_init(u->loop, &s->poll, fd);
    if (err) {
        free(s);
        return err;
    }
    s->poll.data = s;
    err = uv_poll_start(&s->poll, UV_READABLE, on_readable);
    if (err) {
        uv_close((uv_handle_t *)&s->poll, on_closed);
        return err;
    }
    *out = s;
    return 0;
}

/* Puts new sockets in the place of the old; either all change or none. */
static int replace_sockets(struct udp *u, uint16_t port)
{
    struct udp_config c = u->config;
    struct udp_socket *s[2] = {NULL, NULL};
    int fd[2], err;

    c.port = port;
    err = open_fds(&c, &port, fd);
    if (err)
        return err;
    for (int i = 0; i < 2 && !err; i++) {
        if (fd[i] >= 0)
            err = socket_new(u, fd[i], i == 0, &s[i]);
    }
    if (err) {
        for (int i = 0; i < 2; i++) {
            if (s[i])
                socket_close(s[i]);
            else if (fd[i] >= 0)
                close(fd[i]);
        }
        return err;
    }
    socket_close(u->v4);
    socket_close(u->v6);
    u->v4 = s[0];
    u->v6 = s[1];
    u->config = c;
    u->port = port;
    return 0;
}

int udp_open(struct udp *u, uv_loop_t *loop, const struct udp_config *config,
             const struct udp_handler *handler)
{
    int err;

    memset(u, 0, sizeof *u);
    u->loop = loop;
    u->handler = *handler;
    u->config = *config;
    u->memory = malloc(RECEIVE_CAP);
    if (!u->memory)
        return -ENOMEM;
    err = replace_sockets(u, config->port);
    if (err) {
        free(u->memory);
        u->memory = NULL;
    }
    return err;
}

int udp_move(struct udp *u, uint16_t port)
{
    if (port && port == u->port) {
        u->config.port = port;
        return 0;
    }
    return replace_sockets(u, port);
}

int udp_set_fwmark(struct udp *u, uint32_t fwmark)
{
    struct udp_socket *s[2] = {u->v4, u->v6};

    for (int i = 0; i < 2; i++) {
        int err = s[i] ? set_int(s[i]->fd, SOL_SOCKET, SO_MARK, (int)fwmark) : 0;

        if (err)
            return err;
    }
    u->config.fwmark = fwmark;
    return 0;
}

int udp_fd(const struct udp *u, bool v4)
{
    const struct udp_socket *s = v4 ? u->v4 : u->v6;

    return s ? s->fd : -EAFNOSUPPORT;
}

/* ---- detours ---- */

int udp_spare(const struct udp *u)
{
    struct udp_config c = u->config;
    uint16_t port = 0;

    c.port = 0;
    return open_fd(&c, true, &port);
}

static void drop_detour(struct udp *u, unsigned i)
{
    socket_close(u->detour[i].socket);
    u->detours--;
    memmove(u->detour + i, u->detour + i + 1, (u->detours - i) * sizeof *u->detour);
}

int udp_add_detour(struct udp *u, const struct tn_addr *to, int fd)
{
    struct udp_socket *s;
    int err = socket_new(u, fd, true, &s);

    if (err) {
        close(fd);
        return err;
    }
    for (unsigned i = u->detours; i-- > 0;) {
        if (tn_addr_equal(&u->detour[i].to, to))
            drop_detour(u, i);
    }
    if (u->detours == UDP_DETOURS)
        drop_detour(u, UDP_DETOURS - 1);
    memmove(u->detour + 1, u->detour, u->detours * sizeof *u->detour);
    u->detour[0] = (struct udp_detour){.to = *to, .socket = s};
    u->detours++;
    return 0;
}

void udp_drop_detours(struct udp *u)
{
    while (u->detours)
        drop_detour(u, u->detours - 1);
}

int udp_fd_to(const struct udp *u, const struct tn_addr *to)
{
    for (unsigned i = 0; i < u->detours; i++) {
        if (tn_addr_equal(&u->detour[i].to, to))
            return u->detour[i].socket->fd;
    }
    return udp_fd(u, tn_addr_is_v4(to));
}

void udp_close(struct udp *u)
{
    udp_drop_detours(u);
    socket_close(u->v4);
    socket_close(u->v6);
    free(u->memory);
    memset(u, 0, sizeof *u);
}

/* ---- sending ---- */

int udp_send(struct udp *u, const void *data, size_t len, const struct tn_addr *to, uint8_t ttl,
             const struct tn_addr *local)
{
    union udp_sockaddr sa;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                          CMSG_SPACE(sizeof(int))];
    bool v4 = tn_addr_is_v4(to);
    int fd = udp_fd_to(u, to);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr m = {
        .msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
    ssize_t n;

    if (fd < 0)
        return fd;
    m.msg_namelen = udp_to_sockaddr(to, v4, &sa);
    memset(control, 0, sizeof control);
    udp_add_way(&m, sizeof control, v4, ttl, local);
    if (!m.msg_controllen)
        m.msg_control = NULL;
    do
        n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    if (errno == EAGAIN || errno == ENOBUFS)
        u->send_busy++;
    return -errno;
}
