/* How it works: a flight joins the last train of its receiver where it can, else it begins one; trains
 * go out in the order of their beginning, so that what one member gets stays in order. The
 * kernel gathers a train from where its flights lie.
 *
 * The kernel refuses a train whose segments are above the link's MTU (EINVAL), where single
 * datagrams would be fragmented, and one that leaves by a device that cannot make checksums
 * (EIO; udp(7), udp_send_skb of Linux). Such a destination is remembered and gets its frames
 * one by one; a small ring is enough, since forgetting one costs a failed call. */
#include "coord_out.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "tund/udp_msg.h"

#define TRAIN_BYTES_MAX 65487u /* what fits an IPv4 or IPv6 packet behind its headers */
#define CALL_TRAINS 64u        /* in one sendmmsg */
#define CONTROL_LEN (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

struct envelope {
    union udp_sockaddr to;
    _Alignas(struct cmsghdr) char control[CONTROL_LEN];
};

/* ---- gathering ---- */

static bool goes_alone(const struct coord_out *o, const struct tn_addr *to)
{
    for (uint32_t i = 0; i < o->alone_count; i++) {
        if (tn_addr_equal(&o->alone[i], to))
            return true;
    }
    return false;
}

static void remember_alone(struct coord_out *o, const struct tn_addr *to)
{
    if (goes_alone(o, to))
        return;
    o->alone[o->alone_next] = *to;
    o->alone_next = (o->alone_next + 1) % COORD_OUT_ALONE_MAX;
    if (o->alone_count < COORD_OUT_ALONE_MAX)
        o->alone_count++;
}

static bool joins(const struct coord_out_train *r, const struct tn_server_flight *f)
{
    return !r->full && r->receiver == f->receiver && r->way == f->port &&
           tn_addr_equal(&r->dst, &f->dst) && f->segment <= r->segment &&
           (f->segment == r->segment || f->frames == 1) &&
           r->frames + f->frames <= TN_SERVER_FLIGHT_FRAMES && r->len + f->len <= TRAIN_BYTES_MAX;
}

static struct coord_out_train *begin(struct coord_out *o, const struct tn_server_flight *f)
{
    struct coord_out_train *r = &o->train[o->trains++];

    *r = (struct coord_out_train){
        .first = o->count, .last = o->count, .receiver = f->receiver, .way = f->port,
        .dst = f->dst, .segment = f->segment};
    o->open[f->receiver % COORD_OUT_OPEN] = o->trains;
    return r;
}

static void push_one(struct coord_out *o, const struct tn_server_flight *f, bool alone)
{
    struct coord_out_train *r = NULL;
    uint32_t open;

    if (o->count == COORD_OUT_FLIGHTS)
        coord_out_flush(o);
    open = o->open[f->receiver % COORD_OUT_OPEN];
    if (open && joins(&o->train[open - 1], f)) {
        r = &o->train[open - 1];
        o->next[r->last] = o->count;
        r->last = o->count;
    } else {
        r = begin(o, f);
    }
    o->flight[o->count++] = *f;
    r->flights++;
    r->frames += f->frames;
    r->len += f->len;
    r->full = alone || r->len % r->segment;
}

void coord_out_push(struct coord_out *o, const struct tn_server_flight *f)
{
    struct tn_server_flight one = *f;
    bool alone = !o->segments || goes_alone(o, &f->dst);

    if (!alone || f->frames == 1) {
        push_one(o, f, alone);
        return;
    }
    one.frames = 1;
    for (size_t at = 0; at < f->len; at += f->segment) {
        one.data = f->data + at;
        one.len = one.segment = f->len - at < f->segment ? f->len - at : f->segment;
        push_one(o, &one, true);
    }
}

/* ---- sending ---- */

static void prepare(struct coord_out *o, const struct coord_out_train *r, struct envelope *e,
                    struct iovec *iov, struct msghdr *m)
{
    bool v4 = tn_addr_is_v4(&r->dst);
    uint16_t segment = (uint16_t)r->segment;
    uint32_t at = r->first;

    for (uint32_t i = 0; i < r->flights; i++, at = o->next[at])
        iov[i] = (struct iovec){.iov_base = o->flight[at].data, .iov_len = o->flight[at].len};
    memset(m, 0, sizeof(*m));
    m->msg_name = &e->to;
    m->msg_namelen = udp_to_sockaddr(&r->dst, v4, &e->to);
    m->msg_iov = iov;
    m->msg_iovlen = r->flights;
    m->msg_control = e->control;
    udp_add_way(m, CONTROL_LEN, v4, 0, &o->net->way[r->way].local);
    if (r->frames > 1)
        udp_add_control(m, CONTROL_LEN, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
    if (!m->msg_controllen)
        m->msg_control = NULL;
}

static void send_frames(struct coord_out *o, const struct coord_out_train *r)
{
    uint32_t at = r->first;

    for (uint32_t i = 0; i < r->flights; i++, at = o->next[at]) {
        const struct tn_server_flight *f = &o->flight[at];

        for (size_t done = 0; done < f->len; done += f->segment)
            coord_net_send(o->net, r->way, &r->dst, f->data + done,
                           f->len - done < f->segment ? f->len - done : f->segment);
    }
}

static void on_failure(struct coord_out *o, const struct coord_out_train *r, int error)
{
    if (error == EAGAIN || error == ENOBUFS) {
        o->net->counters.send_busy += r->frames;
    } else if (r->frames > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
        remember_alone(o, &r->dst);
        send_frames(o, r);
    } else {
        o->net->counters.send_errors += r->frames;
    }
}

static int socket_of(const struct coord_out *o, const struct coord_out_train *r)
{
    return udp_fd(&o->net->udp[o->net->way[r->way].socket], tn_addr_is_v4(&r->dst));
}

/* Trains from `first` that go by the same socket; no more than one call takes. */
static uint32_t send_run(struct coord_out *o, uint32_t first)
{
    struct envelope envelope[CALL_TRAINS];
    struct mmsghdr m[CALL_TRAINS];
    struct iovec *iov = o->iov;
    int fd = socket_of(o, &o->train[first]);
    uint32_t count = 0;

    while (first + count < o->trains && count < CALL_TRAINS &&
           socket_of(o, &o->train[first + count]) == fd) {
        prepare(o, &o->train[first + count], &envelope[count], iov, &m[count].msg_hdr);
        iov += o->train[first + count++].flights;
    }
    for (uint32_t i = 0; i < count;) {
        int sent = sendmmsg(fd, m + i, count - i, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0)
            i += (uint32_t)sent;
        else if (sent == 0 || errno != EINTR)
            on_failure(o, &o->train[first + i++], errno);
    }
    return count;
}

void coord_out_flush(struct coord_out *o)
{
    for (uint32_t i = 0; i < o->trains;)
        i += send_run(o, i);
    for (uint32_t i = 0; i < o->trains; i++)
        o->open[o->train[i].receiver % COORD_OUT_OPEN] = 0;
    o->count = o->trains = 0;
    o->flushes++;
}
