/* How it works: the kernel is asked for as much as it gives at once, and given as much as there is.
 *
 * TUN in. With IFF_VNET_HDR a read is a header and a packet of up to 64 KiB. A packet that is
 * not to be split is read to the place in the arena where it is sealed and sent from; of a large one only
 * the first bytes land there and the rest in `large`, from where split.c makes packets in the arena,
 * one for each io_read. Nothing waits: when the TUN is dry, the pump flushes.
 *
 * UDP out. Sealed datagrams lie in the arena until train.c sends them. Any other buffer is sent at
 * once, after what was gathered before, so that the order stays.
 *
 * UDP in. recvmmsg into a few large buffers, each of which is a train where UDP_GRO is on. The
 * datagrams are opened where they lie.
 *
 * TUN out. merge.c points into those buffers, so they are not read into again before a flush.
 *
 * Every offload is tried by itself when the descriptor is made; without any of them this is sendmmsg,
 * recvmmsg and plain reads and writes. */
#include "tund/io.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "headers.h"
#include "libtunnel/base/bytes.h"
#include "merge.h"
#include "split.h"
#include "train.h"
#include "tund/log.h"
#include "tund/secure.h"
#include "tund/udp_msg.h"
#include "workers.h"

#define SLOT_MAX (TN_BUF_HEADROOM + TUN_PACKET_MAX + TN_BUF_TAILROOM + 16)
#define ARENA_LEN (4 * SLOT_MAX)
#define LARGE_LEN (TUN_PACKET_MAX + 1)
#define RECEIVE_COUNT 8u
#define RECEIVE_LEN 65536u /* bytes; a train is below */

struct receive {
    union udp_sockaddr from;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                          CMSG_SPACE(sizeof(struct in_pktinfo)) +
                                          CMSG_SPACE(sizeof(int))];
    struct iovec iov;
    struct udp_source source;
};

struct io {
    struct tun *tun;
    struct udp *udp;
    struct udp_handler inner;
    uint16_t mtu;    /* bytes of a read that land in the arena */
    bool vnet, gro;  /* the TUN's header is on; so is UDP_GRO */
    unsigned offload; /* TUN_F_* that are on */

    uint8_t *arena, *large, *received; /* ARENA_LEN, LARGE_LEN, RECEIVE_COUNT * RECEIVE_LEN */
    size_t used;    /* bytes of the arena that wait to be sent */
    uint8_t *slot;  /* where the last io_read put its packet, in the arena */
    bool slot_is_fragment;
    struct fast_split split; /* of `large` */
    bool splitting;

    struct receive receive[RECEIVE_COUNT];
    struct mmsghdr message[RECEIVE_COUNT];
    struct fast_trains trains;
    struct fast_merge merge;
    struct fast_workers *workers;
    bool gathering;  /* jobs are kept for the workers, in this batch */
    uint32_t jobs;   /* that wait: no more than there are datagrams in `trains` */
    struct tn_job job[FAST_DATAGRAMS];
    struct iovec out[1 + FAST_MERGE_PACKETS]; /* of one write; large, so not made anew each time */
};

/* ---- life ---- */

static void run_jobs(void *ctx)
{
    struct io *io = ctx;
    uint32_t count = io->jobs;

    io->jobs = 0;
    fast_workers_run(io->workers, io->job, count);
}

struct io *io_new(struct tun *tun, struct udp *udp, int threads, io_send_now *send_now, void *ctx)
{
    struct io *io = calloc(1, sizeof *io);

    if (!io)
        return NULL;
    io->tun = tun;
    io->udp = udp;
    io->trains.udp = udp;
    io->trains.send_now = send_now;
    io->trains.ctx = ctx;
    io->trains.before = run_jobs;
    io->trains.before_ctx = io;
    io->workers = threads == IO_THREADS_AUTO
                      ? fast_workers_new(fast_workers_wanted(), false)
                      : fast_workers_new((unsigned)threads, true);
    io->arena = secure_alloc(ARENA_LEN, NULL);
    io->large = secure_alloc(LARGE_LEN, NULL);
    io->received = secure_alloc(RECEIVE_COUNT * RECEIVE_LEN, NULL);
    if (io->workers && io->arena && io->large && io->received)
        return io;
    io_free(io);
    return NULL;
}

void io_free(struct io *io)
{
    if (!io)
        return;
    fast_workers_free(io->workers);
    secure_free(io->arena, ARENA_LEN);
    secure_free(io->large, LARGE_LEN);
    secure_free(io->received, RECEIVE_COUNT * RECEIVE_LEN);
    free(io);
}

void io_on_network_change(struct io *io)
{
    fast_trains_on_network_change(&io->trains);
}

void io_describe(const struct io *io, char *text, size_t cap)
{
    bool tun = io->offload & TUN_F_CSUM, udp = io->trains.segments || io->gro;

    snprintf(text, cap, "%s%s%s%s%s%s%s%s%s", tun ? "TUN checksum" : "",
             io->offload & TUN_F_TSO4 ? " TSO4" : "", io->offload & TUN_F_TSO6 ? " TSO6" : "",
             io->offload & FAST_TUN_F_USO ? " USO" : "", tun && udp ? ", " : "", udp ? "UDP" : "",
             io->trains.segments ? " GSO" : "", io->gro ? " GRO" : "", tun || udp ? "" : "none");
    if (fast_workers_help(io->workers) && strlen(text) < cap)
        snprintf(text + strlen(text), cap - strlen(text), ", %u threads",
                 fast_workers_count(io->workers) + 1);
}

/* ---- the TUN ---- */

static int write_tun(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov, int count)
{
    struct io *io = ctx;
    ssize_t n;

    io->out[0] = (struct iovec){.iov_base = (void *)(uintptr_t)h, .iov_len = sizeof *h};
    memcpy(io->out + 1, iov, (size_t)count * sizeof *iov);
    do
        n = io->vnet ? writev(io->tun->fd, io->out, count + 1) : writev(io->tun->fd, iov, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* Each alone, so that a kernel that lacks one has the others. */
static unsigned probe_offload(int fd)
{
    static const unsigned wanted[] = {TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN,
                                      FAST_TUN_F_USO};
    unsigned on = 0;

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!ioctl(fd, TUNSETOFFLOAD, on | wanted[i]))
            on |= wanted[i];
        else if (wanted[i] == TUN_F_CSUM)
            break; /* the others need it */
    }
    return on;
}

int io_open_tun(struct io *io, const char *ifname, uint16_t mtu)
{
    struct fast_merge_kinds kinds = {0};
    int err = tun_open_as(io->tun, ifname, mtu, IFF_VNET_HDR);

    io->mtu = mtu;
    io->vnet = !err;
    if (err) {
        /* Perhaps it was only the header; if not, the error is the same. */
        err = tun_open(io->tun, ifname, mtu);
    } else {
        io->offload = probe_offload(io->tun->fd);
        kinds = (struct fast_merge_kinds){.tcp4 = io->offload & TUN_F_TSO4,
                                          .tcp6 = io->offload & TUN_F_TSO6,
                                          .tcp_ecn = io->offload & TUN_F_TSO_ECN,
                                          .udp = io->offload & FAST_TUN_F_USO};
    }
    fast_merge_init(&io->merge, &kinds, write_tun, io);
    return err;
}

/* A place in the arena for a packet of len bytes. */
static void take_slot(struct io *io, size_t len, struct tn_buf *b)
{
    size_t at = (io->used + 15) & ~(size_t)15;
    size_t need = TN_BUF_HEADROOM + len + TN_BUF_TAILROOM;

    if (at + need > ARENA_LEN) {
        fast_trains_flush(&io->trains);
        at = io->used = 0;
    }
    io->slot = io->arena + at;
    *b = (struct tn_buf){.mem = io->slot, .cap = need, .off = TN_BUF_HEADROOM, .len = len};
}

/* A batch of packets out begins: nothing waits to be sent. */
static void begin_batch(struct io *io)
{
    if (!io->trains.count)
        io->gathering = fast_workers_gather(io->workers);
}

static bool is_fragment(const uint8_t *ip, size_t len)
{
    if (len >= FAST_IP4_LEN && ip[0] >> 4 == 4)
        return tn_get_be16(ip + 6) & 0x3fff; /* its offset, and whether more follow */
    return len >= FAST_IP6_LEN && ip[0] >> 4 == 6 && ip[6] == FAST_PROTO_FRAGMENT;
}

static int next_segment(struct io *io, struct tn_buf *b)
{
    io->slot_is_fragment = false;
    take_slot(io, fast_split_next_len(&io->split), b);
    fast_split_next(&io->split, tn_buf_data(b));
    io->splitting = !io->split.done;
    return (int)b->len;
}

/* One read: the packet's first bytes in b, the rest in `large`, each at its place. */
static int read_once(struct io *io, struct virtio_net_hdr *h, struct tn_buf *b)
{
    struct iovec iov[3];
    ssize_t n;

    take_slot(io, TUN_PACKET_MAX, b);
    iov[0] = (struct iovec){.iov_base = h, .iov_len = sizeof *h};
    iov[1] = (struct iovec){.iov_base = tn_buf_data(b), .iov_len = io->mtu};
    iov[2] = (struct iovec){.iov_base = io->large + io->mtu, .iov_len = LARGE_LEN - io->mtu};
    do
        n = readv(io->tun->fd, iov, 3);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n > (ssize_t)sizeof *h ? (int)(n - (ssize_t)sizeof *h) : 0;
}

int io_read(struct io *io, struct tn_buf *b)
{
    struct virtio_net_hdr h = {0};
    size_t len, first;
    int n;

    if (io->splitting)
        return next_segment(io, b);
    begin_batch(io);
    if (!io->vnet) {
        take_slot(io, TUN_PACKET_MAX, b);
        n = tun_read(io->tun, tn_buf_data(b), TUN_PACKET_MAX);
        b->len = n > 0 ? (size_t)n : 0;
        io->slot_is_fragment = is_fragment(tn_buf_data(b), b->len);
        return n;
    }
    n = read_once(io, &h, b);
    if (n <= 0)
        return n;
    len = (size_t)n;
    first = len < io->mtu ? len : io->mtu;
    if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        memcpy(io->large, tn_buf_data(b), first);
        n = fast_split_begin(&io->split, &h, io->large, len);
        return n ? n : next_segment(io, b);
    }
    memcpy(tn_buf_data(b) + first, io->large + first, len - first);
    b->len = len;
    io->slot_is_fragment = is_fragment(tn_buf_data(b), len);
    n = fast_complete_checksum(&h, tn_buf_data(b), len);
    return n ? n : (int)len;
}

bool io_has_more(const struct io *io)
{
    return io->splitting;
}

int io_write(struct io *io, const struct tn_buf *b)
{
    return fast_merge_push(&io->merge, tn_buf_data(b), b->len);
}

/* ---- UDP ---- */

void io_send(struct io *io, const struct tn_buf *b, const struct tn_addr *to, uint8_t ttl,
             const struct tn_addr *local, struct tn_job *job)
{
    if (job && (!io->gathering || b->mem != io->slot))
        tn_job_run(job);
    if (b->mem == io->slot) {
        fast_trains_push(&io->trains, tn_buf_data(b), b->len, io->slot_is_fragment, to, ttl, local);
        io->used = (size_t)(tn_buf_data(b) + b->len - io->arena);
        if (job && io->gathering)
            io->job[io->jobs++] = *job;
        return;
    }
    fast_trains_flush(&io->trains);
    io->trains.send_now(io->trains.ctx, tn_buf_data(b), b->len, to, ttl, local);
}

bool io_gathers(const struct io *io)
{
    return io->gathering;
}

void io_run(struct io *io, struct tn_job *job, uint32_t count)
{
    fast_workers_run(io->workers, job, count);
}

void io_flush(struct io *io)
{
    int err = fast_merge_flush(&io->merge);

    if (err)
        log_trace("to %s: %s", io->tun->ifname, strerror(-err));
    fast_trains_flush(&io->trains);
    io->used = 0;
}

static void on_socket(void *ctx, struct udp *u, int fd)
{
    struct io *io = ctx;
    int off = 0, on = 1;

    io->trains.segments = !setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off);
    io->gro = !setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

/* Bytes of each datagram in a train, or 0 where the kernel says nothing: it is one. */
static size_t segment_from_control(struct msghdr *m)
{
    int segment = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
    }
    return segment > 0 ? (size_t)segment : 0;
}

static void prepare_receive(struct io *io, unsigned i)
{
    struct receive *r = &io->receive[i];

    r->iov = (struct iovec){.iov_base = io->received + i * RECEIVE_LEN, .iov_len = RECEIVE_LEN};
    io->message[i].msg_hdr = (struct msghdr){.msg_name = &r->from,
                                             .msg_namelen = sizeof r->from,
                                             .msg_iov = &r->iov,
                                             .msg_iovlen = 1,
                                             .msg_control = r->control,
                                             .msg_controllen = sizeof r->control};
}

static void on_train(struct io *io, struct udp *u, struct mmsghdr *m)
{
    uint8_t *data = m->msg_hdr.msg_iov->iov_base;
    size_t left = m->msg_len, segment = segment_from_control(&m->msg_hdr);
    struct udp_source *from = &io->receive[m - io->message].source;

    *from = (struct udp_source){.remote = udp_from_sockaddr(m->msg_hdr.msg_name),
                                .local.port = u->port};
    udp_local_from_control(&m->msg_hdr, from);
    if (!segment || segment > left)
        segment = left;
    do {
        size_t len = left < segment ? left : segment;
        struct tn_buf b = {.mem = data, .cap = len, .len = len};

        io->inner.on_datagram(io->inner.ctx, u, &b, from);
        data += len;
        left -= len;
    } while (left);
}

static void on_readable(void *ctx, struct udp *u, int fd)
{
    struct io *io = ctx;
    int n;

    io_flush(io);
    io->gathering = fast_workers_gather(io->workers);
    n = recvmmsg(fd, io->message, RECEIVE_COUNT, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        on_train(io, u, &io->message[i]);
        prepare_receive(io, (unsigned)i);
    }
    if (n > 0 && io->inner.on_batch_end)
        io->inner.on_batch_end(io->inner.ctx, u);
}

void io_udp_handler(struct io *io, const struct udp_handler *inner, struct udp_handler *out)
{
    io->inner = *inner;
    for (unsigned i = 0; i < RECEIVE_COUNT; i++)
        prepare_receive(io, i);
    *out = (struct udp_handler){.ctx = io, .on_readable = on_readable, .on_socket = on_socket};
}
