/* The UDP part: the sockets that path/natcheck.c asks for, each on a port of its own,
 * and one that sends STUN requests of ten sizes that must not be fragmented. The answer to
 * any of them is small, so what is found is the way to the coordinator, not back. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netcheck_inside.h"
#include "udp_msg.h"

#define SIZE_ROUNDS 3
#define SIZE_GAP_US TN_MS(400)

/* Bytes of IP packets: Ethernet, PPPoE, tunnels, IPv6's minimum, what tund needs, IPv4's. */
static const uint16_t sizes[NETCHECK_SIZES] = {1500, 1492, 1480, 1460, 1420, 1400, 1360, 1280, 1124, 576};

/* ---- opening ---- */

/* The address of ours from which packets go there, without sending one. */
static int local_address(const struct tn_addr *server, struct tn_addr *out)
{
    union udp_sockaddr there, here;
    socklen_t len = udp_to_sockaddr(server, tn_addr_is_v4(server), &there), here_len = sizeof here;
    int fd = socket(there.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, &there.sa, len) || getsockname(fd, &here.sa, &here_len))
        err = -errno;
    else
        *out = udp_from_sockaddr(&here);
    out->port = 0;
    close(fd);
    return err;
}

static int open_fd(const struct tn_addr *local, bool whole, struct tn_addr *bound)
{
    bool v4 = tn_addr_is_v4(local);
    union udp_sockaddr at;
    socklen_t len = udp_to_sockaddr(local, v4, &at);
    int probe = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE, err;
    int fd = socket(at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (whole && setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
                            &probe, sizeof probe))
        goto fail;
    if (bind(fd, &at.sa, len))
        goto fail;
    len = sizeof at;
    if (getsockname(fd, &at.sa, &len))
        goto fail;
    *bound = udp_from_sockaddr(&at);
    return fd;
fail:
    err = -errno;
    close(fd);
    return err;
}

/* ---- in ---- */

/* The largest size that this answers; 0: it answers none. */
static uint16_t size_answered(const struct netcheck_udp *u, const uint8_t *data, size_t len)
{
    struct tn_addr mapped;

    for (unsigned i = 0; i < NETCHECK_SIZES; i++) {
        if (tn_stun_consume_answer(data, len, u->size_txid[i], &mapped) == 0)
            return sizes[i];
    }
    return 0;
}

static void take(struct netcheck *n, struct netcheck_socket *s, const struct tn_addr *src,
                 const uint8_t *data, size_t len)
{
    struct netcheck_family *f = &n->result.family[s->family];
    struct tn_now now = netcheck_now();
    uint16_t size;

    if (s->number != NETCHECK_SIZE_SOCKET) {
        tn_natcheck_on_datagram(&n->udp[s->family].check, s->number, src, data, len, &now);
        return;
    }
    size = tn_addr_equal(src, &n->result.server[s->family])
               ? size_answered(&n->udp[s->family], data, len)
               : 0;
    if (size > f->mtu)
        f->mtu = size;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct netcheck_socket *s = poll->data;
    struct netcheck *n = s->owner;
    union udp_sockaddr from;
    struct tn_addr src;
    uint8_t data[256];

    for (int i = 0; i < 64 && !n->over; i++) {
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(s->fd, data, sizeof data, MSG_DONTWAIT, &from.sa, &from_len);

        if (len < 0 && errno != EINTR)
            break; /* nothing more, or an ICMP error that tells what silence tells */
        if (len <= 0)
            continue;
        src = udp_from_sockaddr(&from);
        take(n, s, &src, data, (size_t)len);
    }
    netcheck_step(n);
}

static int open_socket(struct netcheck *n, uint8_t family, uint8_t number, struct tn_addr *bound)
{
    struct netcheck_socket *s = &n->udp[family].socket[number];
    int err;

    *s = (struct netcheck_socket){.owner = n, .family = family, .number = number};
    s->fd = open_fd(&n->result.family[family].local, number == NETCHECK_SIZE_SOCKET, bound);
    if (s->fd < 0)
        return s->fd;
    err = uv_poll_init(n->loop, &s->poll, s->fd);
    if (err) {
        close(s->fd);
        s->fd = -1;
        return err;
    }
    s->poll.data = s;
    n->handles++;
    return uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

int netcheck_udp_open(struct netcheck *n, uint8_t family)
{
    struct netcheck_udp *u = &n->udp[family];
    const struct tn_addr *server = &n->result.server[family];
    struct tn_addr local[NETCHECK_SOCKETS];
    struct tn_now now = netcheck_now();
    int err = local_address(server, &n->result.family[family].local);

    if (err)
        return err;
    for (unsigned i = 0; i < NETCHECK_SOCKETS; i++)
        u->socket[i].fd = -1;
    u->on = true; /* what is open is to be closed */
    for (uint8_t i = 0; i < NETCHECK_SOCKETS && !err; i++)
        err = open_socket(n, family, i, &local[i]);
    if (err)
        return err;
    n->result.family[family].tried = true;
    for (unsigned i = 0; i < NETCHECK_SIZES; i++)
        tn_rng_bytes(&n->rng, u->size_txid[i], TN_STUN_TXID_LEN);
    tn_natcheck_init(&u->check, server, local, &n->rng, &now);
    u->size_due_us = now.us;
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    struct netcheck_socket *s = h->data;

    close(s->fd);
    netcheck_closed(s->owner);
}

void netcheck_udp_close(struct netcheck *n, uint8_t family)
{
    struct netcheck_udp *u = &n->udp[family];

    for (unsigned i = 0; u->on && i < NETCHECK_SOCKETS; i++) {
        if (u->socket[i].fd >= 0)
            uv_close((uv_handle_t *)&u->socket[i].poll, on_closed);
    }
    u->on = false;
}

/* ---- out ---- */

/* What cannot be sent is lost, as on any network; a size that is too long for our own link says so here. */
static void send_from(const struct netcheck_udp *u, unsigned socket, const struct tn_addr *to,
                      const uint8_t *data, size_t len)
{
    union udp_sockaddr at;
    socklen_t at_len = udp_to_sockaddr(to, tn_addr_is_v4(to), &at);

    (void)!sendto(u->socket[socket].fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, &at.sa, at_len);
}

static void send_sizes(struct netcheck *n, uint8_t family, uint64_t now_us)
{
    struct netcheck_udp *u = &n->udp[family];
    size_t headers = family ? 48 : 28;
    uint8_t data[1500];

    u->size_rounds++;
    u->size_due_us = now_us + SIZE_GAP_US;
    for (unsigned i = 0; i < NETCHECK_SIZES && sizes[i] > n->result.family[family].mtu; i++) {
        size_t len = tn_stun_request_of(sizes[i] - headers, u->size_txid[i], data, sizeof data);

        send_from(u, NETCHECK_SIZE_SOCKET, &n->result.server[family], data, len);
    }
}

static bool sizes_over(const struct netcheck *n, uint8_t family, uint64_t now_us)
{
    const struct netcheck_udp *u = &n->udp[family];

    return n->result.family[family].mtu == sizes[0] ||
           (u->size_rounds == SIZE_ROUNDS && now_us >= u->size_due_us);
}

void netcheck_udp_send(struct netcheck *n, uint8_t family)
{
    struct netcheck_udp *u = &n->udp[family];
    struct tn_now now = netcheck_now();
    struct tn_natcheck_out out;

    if (!n->result.family[family].tried || n->over)
        return;
    while (tn_natcheck_poll(&u->check, &now, &out))
        send_from(u, out.socket, &out.to, out.data, out.len);
    if (u->size_rounds < SIZE_ROUNDS && now.us >= u->size_due_us && !sizes_over(n, family, now.us))
        send_sizes(n, family, now.us);
}

uint64_t netcheck_udp_next(const struct netcheck *n, uint8_t family)
{
    uint64_t at = tn_natcheck_next(&n->udp[family].check);

    if (!n->result.family[family].tried)
        return TN_NEVER;
    if (!sizes_over(n, family, netcheck_now().us) && n->udp[family].size_due_us < at)
        at = n->udp[family].size_due_us;
    return at;
}

bool netcheck_udp_is_over(const struct netcheck *n, uint8_t family)
{
    return !n->result.family[family].tried ||
           (tn_natcheck_is_over(&n->udp[family].check) && sizes_over(n, family, netcheck_now().us));
}
