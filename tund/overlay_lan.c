/* Members of one LAN, while the coordinator is away (PROTOCOL.md section 9).
 *
 * The node hands out an initiation for "everybody on this LAN"; it is multicast on each interface that has
 * an address a peer could reach, over IPv4 and IPv6, from the tunnel's own port, so that the
 * answer comes to where all else does. Two more sockets listen for those of others, on the groups'
 * port, which several daemons of a host may share. Only initiations are taken from them. */
#include "overlay_lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/wg/msg.h"

#include "log.h"
#include "overlay_inside.h"
#include "udp_msg.h"

#define ADDRS_MAX 32
#define BATCH 16

/* ff15::7475:6e64: transient, site-local, kept on the link by its hop limit. */
static const uint8_t group6[16] = {0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x74, 0x75, 0x6e, 0x64};

struct overlay_lan_socket { /* heap: outlives its handle's close */
    struct overlay *o;
    uv_poll_t poll;
    int fd;
};

static struct tn_addr group_of(bool v4)
{
    struct tn_addr lan = tn_addr_lan();

    return v4 ? lan : tn_addr_v6(group6, lan.port);
}

/* Where we may be found: one entry for each address. */
static uint32_t list(const struct overlay *o, struct nl_addr out[ADDRS_MAX])
{
    uint32_t count;
    int err = nl_addr_list(&o->t->nl, o->t->ifname, out, ADDRS_MAX, &count);

    if (!err)
        return count;
    log_debug("cannot read this host's addresses: %s", strerror(-err));
    return 0;
}

/* ---- out ---- */

static void send_from(struct overlay *o, const struct nl_addr *from, const uint8_t *data, size_t len)
{
    bool v4 = tn_addr_is_v4(&from->addr);
    struct tn_addr to = group_of(v4);
    union udp_sockaddr sa;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                          CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr m = {.msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
    struct in_pktinfo info4 = {.ipi_ifindex = (int)from->ifindex};
    struct in6_pktinfo info6 = {.ipi6_ifindex = from->ifindex};
    int fd = udp_fd(&o->t->udp, v4);

    m.msg_namelen = udp_to_sockaddr(&to, v4, &sa);
    udp_add_way(&m, sizeof(control), v4, 1, NULL);
    if (v4) {
        memcpy(&info4.ipi_spec_dst, from->addr.ip + 12, 4);
        udp_add_control(&m, sizeof(control), IPPROTO_IP, IP_PKTINFO, &info4, sizeof(info4));
    } else {
        memcpy(&info6.ipi6_addr, from->addr.ip, 16);
        udp_add_control(&m, sizeof(control), IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
    }
    if (fd >= 0 && sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_trace("to the LAN of %s: %s", from->ifname, strerror(errno));
}

void overlay_lan_send(struct overlay *o, const uint8_t *data, size_t len)
{
    struct nl_addr found[ADDRS_MAX];
    uint32_t count = list(o, found);

    for (uint32_t i = 0; i < count; i++)
        send_from(o, &found[i], data, len);
}

/* ---- in ---- */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct overlay_lan_socket *s = poll->data;
    uint8_t mem[TN_BUF_HEADROOM + 2048 + TN_BUF_TAILROOM];

    for (int i = 0; i < BATCH; i++) {
        union udp_sockaddr sa;
        socklen_t len = sizeof(sa);
        ssize_t n = recvfrom(s->fd, mem, sizeof(mem), MSG_DONTWAIT, &sa.sa, &len);
        struct tn_addr from;

        if (n < 0)
            break;
        from = udp_from_sockaddr(&sa);
        if (n == TN_WG_INITIATION_LEN && mem[0] == TN_WG_INITIATION && !tn_addr_is_stream(&from))
            tund_push_datagram(s->o->t, mem, (size_t)n, &from);
    }
    tund_pump(s->o->t);
}

/* Groups that were joined already (an interface with two addresses) are no error. */
static int join(int fd, bool v4, const struct overlay *o)
{
    struct nl_addr found[ADDRS_MAX];
    uint32_t count = list(o, found);

    for (uint32_t i = 0; i < count; i++) {
        struct tn_addr group = group_of(v4);
        struct ip_mreqn m4 = {.imr_ifindex = (int)found[i].ifindex};
        struct ipv6_mreq m6 = {.ipv6mr_interface = found[i].ifindex};
        int result;

        if (tn_addr_is_v4(&found[i].addr) != v4)
            continue;
        memcpy(&m4.imr_multiaddr, group.ip + 12, 4);
        memcpy(&m6.ipv6mr_multiaddr, group.ip, 16);
        result = v4 ? setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4))
                    : setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6));
        if (result < 0 && errno != EADDRINUSE)
            return -errno;
    }
    return 0;
}

/* Bound to the group, so that nothing but what was multicast to it comes in. */
static int open_fd(const struct overlay *o, bool v4)
{
    struct tn_addr at = group_of(v4);
    union udp_sockaddr sa;
    socklen_t len = udp_to_sockaddr(&at, v4, &sa);
    int one = 1, err = 0;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, &sa.sa, len) < 0)
        err = -errno;
    if (!err)
        err = join(fd, v4, o);
    if (!err)
        return fd;
    close(fd);
    return err;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static int open_one(struct overlay *o, bool v4)
{
    struct overlay_lan_socket *s = calloc(1, sizeof(*s));
    int err = s ? open_fd(o, v4) : -ENOMEM;

    if (err < 0)
        goto fail;
    s->fd = err;
    s->o = o;
    s->poll.data = s;
    err = uv_poll_init(&o->t->loop, &s->poll, s->fd);
    if (err) {
        close(s->fd);
        goto fail;
    }
    o->lan[v4 ? 0 : 1] = s;
    return uv_poll_start(&s->poll, UV_READABLE, on_readable);
fail:
    free(s);
    return err;
}

void overlay_lan_stop(struct overlay *o)
{
    for (int i = 0; i < 2; i++) {
        struct overlay_lan_socket *s = o->lan[i];

        o->lan[i] = NULL;
        if (!s)
            continue;
        uv_close((uv_handle_t *)&s->poll, on_closed);
        close(s->fd);
    }
}

void overlay_lan_begin(struct overlay *o)
{
    overlay_lan_stop(o);
    if (!o->t->opt.lan)
        return;
    for (int i = 0; i < 2; i++) {
        int err = open_one(o, i == 0);

        if (err)
            log_debug("members are not heard on the LAN by %s: %s", i ? "IPv6" : "IPv4", strerror(-err));
    }
}
