/* How it works: one request, one answer, in step, on a blocking socket (netlink(7),
 * rtnetlink(7)). A dump is read until NLMSG_DONE; answers of an earlier request that
 * was given up are told apart by the sequence number. The other netlink_*.c
 * say what is asked; this one knows how. */
#include "netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlink_msg.h"

#define ANSWER_TIMEOUT_S 2
#define ANSWER_LEN 32768

/* ---- messages ---- */

void nl_msg_init(struct nl_msg *m, uint16_t type, uint16_t flags, const void *body, size_t len)
{
    memset(m, 0, sizeof *m);
    m->h.nlmsg_type = type;
    m->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    m->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
    memcpy(NLMSG_DATA(&m->h), body, len);
}

void nl_msg_attr(struct nl_msg *m, uint16_t type, const void *data, size_t len)
{
    size_t at = NLMSG_ALIGN(m->h.nlmsg_len);
    struct rtattr *a = (struct rtattr *)(m->bytes + at);

    if (at + RTA_SPACE(len) > sizeof m->bytes) {
        m->full = true;
        return;
    }
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    if (len)
        memcpy(RTA_DATA(a), data, len);
    m->h.nlmsg_len = (uint32_t)(at + RTA_SPACE(len));
}

void nl_msg_attr_u32(struct nl_msg *m, uint16_t type, uint32_t v)
{
    nl_msg_attr(m, type, &v, sizeof v);
}

size_t nl_msg_begin(struct nl_msg *m, uint16_t type)
{
    size_t at = NLMSG_ALIGN(m->h.nlmsg_len);

    nl_msg_attr(m, type, NULL, 0);
    return at;
}

void nl_msg_end(struct nl_msg *m, size_t begun)
{
    if (!m->full)
        ((struct rtattr *)(m->bytes + begun))->rta_len = (uint16_t)(m->h.nlmsg_len - begun);
}

/* ---- asking ---- */

int nl_open(struct nl *n)
{
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa)) {
        int err = -errno;

        close(fd);
        return err;
    }
    n->fd = fd;
    n->seq = 0;
    return 0;
}

void nl_close(struct nl *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

static int ask(struct nl *n, struct nl_msg *m)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;

    if (m->full)
        return -EMSGSIZE;
    m->h.nlmsg_seq = ++n->seq;
    do
        sent = sendto(n->fd, m->bytes, m->h.nlmsg_len, 0, (struct sockaddr *)&kernel,
                      sizeof kernel);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* One datagram of answers, from the kernel and nobody else. Its length, or a negative errno. */
static int read_answer(struct nl *n, void *buf, size_t cap)
{
    for (;;) {
        struct sockaddr_nl from;
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(n->fd, buf, cap, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if ((size_t)len > cap)
            return -EMSGSIZE;
        if (from.nl_pid == 0)
            return (int)len;
    }
}

struct answer {
    void (*cb)(void *ctx, const struct nlmsghdr *h);
    void *ctx;
    bool done;
    int err;
};

static void take_message(struct answer *a, const struct nlmsghdr *h)
{
    if (h->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = NLMSG_DATA(h);

        a->done = true;
        a->err = h->nlmsg_len < NLMSG_LENGTH(sizeof *e) ? -EPROTO : e->error;
    } else if (h->nlmsg_type == NLMSG_DONE) {
        a->done = true;
    } else if (a->cb) {
        a->cb(a->ctx, h);
    }
}

static int read_answers(struct nl *n, struct answer *a)
{
    static _Alignas(struct nlmsghdr) uint8_t buf[ANSWER_LEN];

    while (!a->done) {
        int len = read_answer(n, buf, sizeof buf);
        const struct nlmsghdr *h;
        size_t at = 0;

        if (len < 0)
            return len;
        while (!a->done && (h = nl_next(buf, (size_t)len, &at))) {
            if (h->nlmsg_seq == n->seq)
                take_message(a, h);
        }
    }
    return a->err;
}

static int converse(struct nl *n, struct nl_msg *m, uint16_t flags,
                    void (*cb)(void *ctx, const struct nlmsghdr *h), void *ctx)
{
    struct answer a = {.cb = cb, .ctx = ctx};
    int err;

    m->h.nlmsg_flags |= flags;
    err = ask(n, m);
    return err ? err : read_answers(n, &a);
}

int nl_call(struct nl *n, struct nl_msg *m)
{
    return converse(n, m, NLM_F_ACK, NULL, NULL);
}

int nl_ask(struct nl *n, struct nl_msg *m, void (*cb)(void *ctx, const struct nlmsghdr *h), void *ctx)
{
    return converse(n, m, NLM_F_ACK, cb, ctx);
}

int nl_dump(struct nl *n, struct nl_msg *m, void (*cb)(void *ctx, const struct nlmsghdr *h),
            void *ctx)
{
    return converse(n, m, NLM_F_DUMP, cb, ctx);
}

/* ---- reading ---- */

const struct nlmsghdr *nl_next(const void *buf, size_t len, size_t *at)
{
    const struct nlmsghdr *h = (const void *)((const uint8_t *)buf + *at);
    size_t left = *at < len ? len - *at : 0;

    if (left < sizeof *h || h->nlmsg_len < sizeof *h || h->nlmsg_len > left)
        return NULL;
    *at += NLMSG_ALIGN(h->nlmsg_len);
    return h;
}

static void collect(const struct rtattr *a, size_t len, const struct rtattr **out, unsigned max)
{
    memset(out, 0, (max + 1) * sizeof *out);
    for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        unsigned type = a->rta_type & NLA_TYPE_MASK;

        if (type <= max)
            out[type] = a;
    }
}

void nl_attrs(const struct nlmsghdr *h, size_t body_len, const struct rtattr **out, unsigned max)
{
    size_t skip = NLMSG_SPACE(body_len);

    if (h->nlmsg_len < skip)
        memset(out, 0, (max + 1) * sizeof *out);
    else
        collect((const struct rtattr *)((const uint8_t *)h + skip), h->nlmsg_len - skip, out, max);
}

void nl_attrs_nested(const struct rtattr *a, const struct rtattr **out, unsigned max)
{
    collect(RTA_DATA(a), RTA_PAYLOAD(a), out, max);
}

uint32_t nl_attr_u32(const struct rtattr *a)
{
    uint32_t v = 0;

    if (a && RTA_PAYLOAD(a) >= sizeof v)
        memcpy(&v, RTA_DATA(a), sizeof v);
    return v;
}

bool nl_attr_addr(const struct rtattr *a, int family, struct tn_addr *out)
{
    if (!a || RTA_PAYLOAD(a) != (family == AF_INET ? 4 : 16))
        return false;
    *out = family == AF_INET ? tn_addr_v4(RTA_DATA(a), 0) : tn_addr_v6(RTA_DATA(a), 0);
    return true;
}

/* ---- links ---- */

uint32_t nl_link_index(const char *ifname)
{
    return if_nametoindex(ifname);
}

int nl_link_up(struct nl *n, const char *ifname, uint32_t mtu)
{
    struct ifinfomsg body = {.ifi_family = AF_UNSPEC,
                             .ifi_index = (int)nl_link_index(ifname),
                             .ifi_flags = IFF_UP,
                             .ifi_change = IFF_UP};
    struct nl_msg m;

    if (!body.ifi_index)
        return -ENODEV;
    nl_msg_init(&m, RTM_NEWLINK, 0, &body, sizeof body);
    if (mtu)
        nl_msg_attr_u32(&m, IFLA_MTU, mtu);
    return nl_call(n, &m);
}

int nl_link_no_link_local(struct nl *n, const char *ifname)
{
    struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)nl_link_index(ifname)};
    uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    struct nl_msg m;
    size_t spec, inet6;

    if (!body.ifi_index)
        return -ENODEV;
    nl_msg_init(&m, RTM_NEWLINK, 0, &body, sizeof body);
    spec = nl_msg_begin(&m, IFLA_AF_SPEC);
    inet6 = nl_msg_begin(&m, AF_INET6);
    nl_msg_attr(&m, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    nl_msg_end(&m, inet6);
    nl_msg_end(&m, spec);
    return nl_call(n, &m);
}
