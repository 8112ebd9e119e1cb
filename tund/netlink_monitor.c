/* How it works: a second netlink socket listens to changes of links, addresses and
 * routes. The kernel tells of much that is no change (a router advertisement renews a
 * lifetime, a wireless link is scanned), so a message only starts a short timer;
 * when it fires, a fingerprint of what matters - the addresses that peers could reach,
 * and the default routes - is compared with the last one. A link that carries such an
 * address and lost or got its carrier counts as a change by itself: the
 * network behind it may be another with the same addresses. */
#include "netlink.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_msg.h"

#define ADDRS_MAX 64
#define LINKS_MAX 32
#define READ_LEN 16384

struct nl_monitor {
    int fd;
    struct nl nl; /* for the fingerprint */
    char skip_ifname[16];
    bool has_skip, forced;
    uint64_t fingerprint;
    uint32_t ifindex[ADDRS_MAX]; /* links of the addresses in the fingerprint */
    uint32_t ifindex_count;
    struct {
        uint32_t ifindex; /* 0: free */
        bool running;
    } seen[LINKS_MAX]; /* what the last news of a link said */
    uv_poll_t poll;
    uv_timer_t timer;
    int open_handles;
    void (*cb)(void *ctx);
    void *ctx;
};

/* ---- what the network looks like ---- */

static void mix(uint64_t *h, const void *data, size_t len)
{
    const uint8_t *b = data;

    for (size_t i = 0; i < len; i++)
        *h = (*h ^ b[i]) * 1099511628211u; /* FNV-1a, 64 bits */
}

static void mix_attr(uint64_t *h, const struct rtattr *a)
{
    if (a)
        mix(h, a, a->rta_len);
}

static void mix_default_route(void *ctx, const struct nlmsghdr *m)
{
    const struct rtmsg *body = NLMSG_DATA(m);
    const struct rtattr *attr[RTA_TABLE + 1];

    if (m->nlmsg_type != RTM_NEWROUTE || m->nlmsg_len < NLMSG_LENGTH(sizeof *body) ||
        body->rtm_dst_len || body->rtm_type != RTN_UNICAST || (body->rtm_flags & RTM_F_CLONED))
        return;
    nl_attrs(m, sizeof *body, attr, RTA_TABLE);
    mix_attr(ctx, attr[RTA_OIF]);
    mix_attr(ctx, attr[RTA_GATEWAY]);
    mix_attr(ctx, attr[RTA_PRIORITY]);
    mix_attr(ctx, attr[RTA_MULTIPATH]);
    mix_attr(ctx, attr[RTA_TABLE]);
}

static int take_fingerprint(struct nl_monitor *m, uint64_t *out)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct nl_addr addr[ADDRS_MAX];
    uint64_t h = 14695981039346656037u;
    int err = nl_addr_list(&m->nl, m->has_skip ? m->skip_ifname : NULL, addr, ADDRS_MAX,
                           &m->ifindex_count);

    for (uint32_t i = 0; !err && i < m->ifindex_count; i++) {
        m->ifindex[i] = addr[i].ifindex;
        mix(&h, addr[i].addr.ip, sizeof addr[i].addr.ip);
        mix(&h, &addr[i].ifindex, sizeof addr[i].ifindex);
    }
    for (size_t i = 0; !err && i < sizeof families; i++) {
        struct rtmsg body = {.rtm_family = families[i]};
        struct nl_msg msg;

        nl_msg_init(&msg, RTM_GETROUTE, 0, &body, sizeof body);
        err = nl_dump(&m->nl, &msg, mix_default_route, &h);
    }
    if (!err)
        *out = h;
    return err;
}

/* ---- news ---- */

static void on_timer(uv_timer_t *timer)
{
    struct nl_monitor *m = timer->data;
    uint64_t now = m->fingerprint;
    bool changed;

    /* What cannot be read may have changed. */
    changed = take_fingerprint(m, &now) != 0 || now != m->fingerprint || m->forced;
    m->fingerprint = now;
    m->forced = false;
    if (changed)
        m->cb(m->ctx);
}

static bool carries_address(const struct nl_monitor *m, uint32_t ifindex)
{
    for (uint32_t i = 0; i < m->ifindex_count; i++) {
        if (m->ifindex[i] == ifindex)
            return true;
    }
    return false;
}

/* Did the carrier come or go since the last news of this link? The first news tell nothing. */
static bool carrier_changed(struct nl_monitor *m, uint32_t ifindex, bool running)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        bool changed = m->seen[i].ifindex && m->seen[i].running != running;

        if (m->seen[i].ifindex && m->seen[i].ifindex != ifindex)
            continue;
        m->seen[i].ifindex = ifindex;
        m->seen[i].running = running;
        return changed;
    }
    return true;
}

static void take_news(struct nl_monitor *m, const struct nlmsghdr *h)
{
    const unsigned running = IFF_UP | IFF_RUNNING;
    const struct ifinfomsg *body = NLMSG_DATA(h);

    if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof *body) ||
        !carries_address(m, (uint32_t)body->ifi_index))
        return;
    if (carrier_changed(m, (uint32_t)body->ifi_index, (body->ifi_flags & running) == running))
        m->forced = true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    static _Alignas(struct nlmsghdr) uint8_t buf[READ_LEN];
    struct nl_monitor *m = poll->data;
    int error;
    socklen_t error_len = sizeof error;
    ssize_t len;

    if (status < 0) {
        /* ENOBUFS: news were lost; the fingerprint finds out. Asking takes the error off. */
        if (!getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &error_len))
            uv_poll_start(poll, UV_READABLE, on_readable);
    }
    while ((len = recv(m->fd, buf, sizeof buf, MSG_DONTWAIT)) > 0) {
        const struct nlmsghdr *h;
        size_t at = 0;

        while ((h = nl_next(buf, (size_t)len, &at)))
            take_news(m, h);
    }
    if (!uv_is_active((uv_handle_t *)&m->timer))
        uv_timer_start(&m->timer, on_timer, NL_DEBOUNCE_MS, 0);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
    struct nl_monitor *m = h->data;

    if (--m->open_handles)
        return;
    close(m->fd);
    nl_close(&m->nl);
    free(m);
}

void nl_monitor_stop(struct nl_monitor *m)
{
    if (!m)
        return;
    uv_close((uv_handle_t *)&m->poll, on_closed);
    uv_close((uv_handle_t *)&m->timer, on_closed);
}

static int open_news(void)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                          RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa)) {
        int err = -errno;

        close(fd);
        return err;
    }
    return fd;
}

static int start_handles(struct nl_monitor *m, uv_loop_t *loop)
{
    int err = uv_poll_init(loop, &m->poll, m->fd);

    if (err)
        return err;
    uv_timer_init(loop, &m->timer);
    m->timer.data = m->poll.data = m;
    m->open_handles = 2;
    return uv_poll_start(&m->poll, UV_READABLE, on_readable);
}

int nl_monitor_start(struct nl_monitor **out, uv_loop_t *loop, const char *skip_ifname,
                     void (*cb)(void *ctx), void *ctx)
{
    struct nl_monitor *m = calloc(1, sizeof *m);
    int err;

    if (!m)
        return -ENOMEM;
    m->cb = cb;
    m->ctx = ctx;
    if (skip_ifname) {
        snprintf(m->skip_ifname, sizeof m->skip_ifname, "%s", skip_ifname);
        m->has_skip = true;
    }
    err = nl_open(&m->nl);
    if (err) {
        free(m);
        return err;
    }
    m->fd = open_news();
    err = m->fd < 0 ? m->fd : take_fingerprint(m, &m->fingerprint);
    if (!err)
        err = start_handles(m, loop);
    if (!err) {
        *out = m;
        return 0;
    }
    if (m->open_handles) {
        nl_monitor_stop(m);
        return err;
    }
    if (m->fd >= 0)
        close(m->fd);
    nl_close(&m->nl);
    free(m);
    return err;
}
