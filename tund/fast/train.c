/* How it works: a datagram joins the last train where it can, else it begins one.
 *
 * Large UDP packets come as fragments, a long one and a short one by turns, and trains of two are no
 * trains. So a fragment joins the last train of its own length, over others that hold fragments only: all
 * the long ones leave, then all the short ones. The last fragment of each packet stays behind that of the
 * packet before it, and nothing that is no fragment is overtaken, so whole packets stay in order.
 *
 * The kernel
 * refuses a train with EINVAL when a segment is above the link's MTU, where a single datagram would
 * be fragmented, and with EIO when the device that it leaves by cannot make checksums
 * (udp(7), udp_send_skb of Linux). Both are of the destination, which is then remembered
 * and gets its datagrams one by one until the network changes; a small ring of such
 * destinations is enough, since forgetting one costs a failed call. */
#include "train.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#define LOOK_BACK 4u /* trains: packets of three or four fragments are still gathered */

static bool goes_alone(const struct fast_trains *t, const struct tn_addr *to)
{
    for (uint32_t i = 0; i < t->alone_count; i++) {
        if (tn_addr_equal(&t->alone[i], to))
            return true;
    }
    return false;
}

static void remember_alone(struct fast_trains *t, const struct tn_addr *to)
{
    if (goes_alone(t, to))
        return;
    t->alone[t->alone_next] = *to;
    t->alone_next = (t->alone_next + 1) % FAST_ALONE_MAX;
    if (t->alone_count < FAST_ALONE_MAX)
        t->alone_count++;
}

static bool joins(const struct fast_train *r, size_t len, const struct tn_addr *to, uint8_t ttl,
                  const struct tn_addr *local)
{
    return !r->full && len && len <= r->segment_len && r->count < FAST_TRAIN_DATAGRAMS &&
           r->len + len <= FAST_TRAIN_BYTES_MAX && r->ttl == ttl && tn_addr_equal(&r->to, to) &&
           tn_addr_equal(&r->local, local);
}

/* The train that this datagram joins, or NULL. */
static struct fast_train *train_for(struct fast_trains *t, size_t len, bool is_fragment,
                                    const struct tn_addr *to, uint8_t ttl,
                                    const struct tn_addr *local)
{
    struct fast_train *last = t->count ? &t->train[t->count - 1] : NULL;

    if (!is_fragment)
        return last && joins(last, len, to, ttl, local) ? last : NULL;
    for (uint32_t i = t->count; i > 0 && t->count - i < LOOK_BACK; i--) {
        struct fast_train *r = &t->train[i - 1];

        if (!r->fragments)
            return NULL;
        if (r->segment_len == len && joins(r, len, to, ttl, local))
            return r;
    }
    return NULL;
}

void fast_trains_push(struct fast_trains *t, uint8_t *data, size_t len, bool is_fragment,
                      const struct tn_addr *to, uint8_t ttl, const struct tn_addr *local)
{
    static const struct tn_addr any;
    struct fast_train *r;

    if (!local)
        local = &any;
    if (t->datagrams == FAST_DATAGRAMS)
        fast_trains_flush(t);
    r = train_for(t, len, is_fragment, to, ttl, local);
    if (!r) {
        if (t->count == FAST_TRAINS)
            fast_trains_flush(t);
        r = &t->train[t->count++];
        *r = (struct fast_train){.to = *to, .local = *local, .first = t->datagrams,
                                 .segment_len = len, .ttl = ttl, .fragments = is_fragment,
                                 .full = !t->segments || goes_alone(t, to)};
    } else {
        t->datagram[r->last].next = t->datagrams;
    }
    r->last = t->datagrams;
    t->datagram[t->datagrams++].at = (struct iovec){.iov_base = data, .iov_len = len};
    r->count++;
    r->len += len;
    r->full = r->full || len < r->segment_len;
    r->fragments = r->fragments && is_fragment;
}

static void prepare(const struct fast_trains *t, const struct fast_train *r, struct iovec *iov,
                    struct fast_envelope *e, struct msghdr *m)
{
    bool v4 = tn_addr_is_v4(&r->to);
    uint16_t segment = (uint16_t)r->segment_len;

    memset(m, 0, sizeof *m);
    m->msg_name = &e->to;
    m->msg_namelen = udp_to_sockaddr(&r->to, v4, &e->to);
    m->msg_iov = iov;
    m->msg_iovlen = r->count;
    for (uint32_t i = 0, at = r->first; i < r->count; i++, at = t->datagram[at].next)
        iov[i] = t->datagram[at].at;
    m->msg_control = e->control;
    udp_add_way(m, FAST_CONTROL_LEN, v4, r->ttl, &r->local);
    if (r->count > 1)
        udp_add_control(m, FAST_CONTROL_LEN, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    if (!m->msg_controllen)
        m->msg_control = NULL;
}

static void on_failure(struct fast_trains *t, const struct fast_train *r, int error)
{
    if (error == EAGAIN || error == ENOBUFS) {
        t->udp->send_busy += r->count;
        return;
    }
    if (r->count > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE))
        remember_alone(t, &r->to);
    for (uint32_t i = 0, at = r->first; i < r->count; i++, at = t->datagram[at].next)
        t->send_now(t->ctx, t->datagram[at].at.iov_base, t->datagram[at].at.iov_len, &r->to,
                    r->ttl, tn_addr_is_zero(&r->local) ? NULL : &r->local);
}

/* Trains from `first` that go by the same socket. */
static uint32_t run_length(const struct fast_trains *t, uint32_t first)
{
    uint32_t end = first + 1;

    while (end < t->count &&
           udp_fd_to(t->udp, &t->train[end].to) == udp_fd_to(t->udp, &t->train[first].to))
        end++;
    return end - first;
}

static void send_run(struct fast_trains *t, uint32_t first, uint32_t count)
{
    struct mmsghdr *m = t->message;
    struct iovec *iov = t->iov;
    int fd = udp_fd_to(t->udp, &t->train[first].to);

    for (uint32_t i = 0; i < count; iov += t->train[first + i].count, i++)
        prepare(t, &t->train[first + i], iov, &t->envelope[i], &m[i].msg_hdr);
    for (uint32_t i = 0; i < count;) {
        int sent = sendmmsg(fd, m + i, count - i, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0)
            i += (uint32_t)sent;
        else if (sent == 0 || errno != EINTR)
            on_failure(t, &t->train[first + i++], errno);
    }
}

void fast_trains_flush(struct fast_trains *t)
{
    if (t->before)
        t->before(t->before_ctx);
    for (uint32_t i = 0; i < t->count;) {
        uint32_t run = run_length(t, i);

        send_run(t, i, run);
        i += run;
    }
    t->count = t->datagrams = 0;
}

void fast_trains_on_network_change(struct fast_trains *t)
{
    t->alone_count = t->alone_next = 0;
}
