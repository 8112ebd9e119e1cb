/* How it works: in passes. A pass takes in what the socket holds, up to SLOTS messages, each of which
 * is a train where UDP_GRO or the sender made one; it hands frames of the relay to the server, train by
 * train, and everything else to the plain handler; then all flights go out together (coord_out.c).
 * Frames are rewritten and sent from where they were received. Nothing waits: a pass ends when the
 * socket is dry, and a lone datagram makes a pass of its own.
 *
 * Overload: the socket has not been dry for OVERLOAD_PASSES passes, about what its buffer holds,
 * so the kernel is dropping, and of everybody alike. Then a pass reads more than it can send and the server
 * lets each member have its fair share (tn_server_relay_pass); what it refuses frees its place at
 * once. Reading is cheap beside sending, so the kernel's queue gets short again, and who
 * sends little loses nothing to who sends much. */
#include "tund/coord_batch.h"

#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "coord_out.h"
#include "libtunnel/coord/msg.h"
#include "tund/udp_msg.h"

#define SLOTS 128u
#define SLOT_LEN 65536u /* bytes; a train is below. Pages that nothing was read to cost nothing */
#define CALL_MESSAGES 64u
#define PASSES_MAX 16u /* until the event loop has its turn */
#define OVERLOAD_PASSES 32u
#define OVERLOAD_READS (4 * SLOTS)
#define OVERLOAD_CAPACITY (SLOTS / 2 * 1000u) /* flights of one frame that fit */

struct envelope {
    union udp_sockaddr from;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                          CMSG_SPACE(sizeof(struct in_pktinfo)) +
                                          CMSG_SPACE(sizeof(int))];
    struct iovec iov;
};

struct coord_batch {
    struct coord_net *net;
    struct udp_handler inner;
    uint8_t *memory;   /* SLOTS * SLOT_LEN */
    uint32_t used;     /* messages whose frames wait to be sent; they come first in `message` */
    int full_fd;       /* was not dry at the end of the last `full_passes` passes */
    unsigned full_passes;
    struct mmsghdr message[SLOTS];
    struct envelope envelope[SLOTS];
    struct coord_out out;
};

/* ---- life ---- */

struct coord_batch *coord_batch_new(struct coord_net *n)
{
    struct coord_batch *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->net = b->out.net = n;
    b->full_fd = -1;
    b->memory = malloc(SLOTS * SLOT_LEN);
    if (!b->memory) {
        free(b);
        return NULL;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct envelope *e = &b->envelope[i];

        e->iov = (struct iovec){.iov_base = b->memory + i * SLOT_LEN, .iov_len = SLOT_LEN};
        b->message[i].msg_hdr = (struct msghdr){
            .msg_name = &e->from, .msg_iov = &e->iov, .msg_iovlen = 1, .msg_control = e->control};
    }
    return b;
}

void coord_batch_free(struct coord_batch *b)
{
    if (!b)
        return;
    free(b->memory);
    free(b);
}

/* ---- in ---- */

/* Bytes of each datagram in a train; the whole length where the kernel says nothing: it is one. */
static size_t segment_of(struct msghdr *m, size_t len)
{
    int segment = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&segment, CMSG_DATA(c), sizeof(segment));
    }
    return segment > 0 && (size_t)segment < len ? (size_t)segment : len;
}

static bool is_relay(const uint8_t *data, size_t len)
{
    return tn_ctl_is_control(data, len) && data[0] == TN_CTL_RELAY;
}

/* The frames of the relay that a train begins with; 0: it begins with something else. */
static size_t relay_len(const uint8_t *data, size_t len, size_t segment)
{
    size_t at = 0;

    while (at < len && is_relay(data + at, len - at < segment ? len - at : segment))
        at += len - at < segment ? len - at : segment;
    return at;
}

static void take_frames(struct coord_batch *b, const struct tn_addr *src, uint8_t *data, size_t len,
                        size_t segment)
{
    const struct coord_net_handler *h = &b->net->handler;
    struct tn_server_train t = {.src = src, .data = data, .len = len, .segment = segment};
    struct tn_server_flight f;

    while (h->on_train(h->ctx, &t, &f))
        coord_out_push(&b->out, &f);
}

static void take_message(struct coord_batch *b, struct udp *u, struct mmsghdr *m)
{
    uint8_t *data = m->msg_hdr.msg_iov->iov_base;
    size_t left = m->msg_len, segment = segment_of(&m->msg_hdr, left);
    struct udp_source from = {.local.port = u->port};

    from.remote = udp_from_sockaddr(m->msg_hdr.msg_name);
    do {
        size_t len = b->net->handler.on_train ? relay_len(data, left, segment) : 0;

        if (len) {
            take_frames(b, &from.remote, data, len, segment);
        } else {
            struct tn_buf one = {.mem = data, .cap = left < segment ? left : segment};

            one.len = len = one.cap;
            udp_local_from_control(&m->msg_hdr, &from);
            b->inner.on_datagram(b->inner.ctx, u, &one, &from);
        }
        data += len;
        left -= len;
    } while (left);
}

static void swap(struct mmsghdr *x, struct mmsghdr *y)
{
    struct mmsghdr z = *x;

    *x = *y;
    *y = z;
}

/* One call. True: there may be more. */
static bool read_some(struct coord_batch *b, struct udp *u, int fd, uint32_t *reads)
{
    uint32_t first = b->used, want = SLOTS - first < CALL_MESSAGES ? SLOTS - first : CALL_MESSAGES;
    int n;

    for (uint32_t i = first; i < first + want; i++) {
        b->message[i].msg_hdr.msg_namelen = sizeof(b->envelope[0].from);
        b->message[i].msg_hdr.msg_controllen = sizeof(b->envelope[0].control);
    }
    n = recvmmsg(fd, b->message + first, want, MSG_DONTWAIT, NULL);
    for (uint32_t i = first; n > 0 && i < first + (uint32_t)n; i++) {
        uint32_t before = b->out.count, flushes = b->out.flushes;

        take_message(b, u, &b->message[i]);
        if (b->out.flushes != flushes)
            b->used = before = 0; /* what came before it is on its way */
        if (b->out.count > before)
            swap(&b->message[b->used++], &b->message[i]);
    }
    *reads += n > 0 ? (uint32_t)n : 0;
    return n == (int)want;
}

/* True: the socket is dry. */
static bool run_pass(struct coord_batch *b, struct udp *u, int fd)
{
    const struct coord_net_handler *h = &b->net->handler;
    bool overload = fd == b->full_fd && b->full_passes >= OVERLOAD_PASSES, more = true;
    uint32_t reads = 0, most = overload ? OVERLOAD_READS : SLOTS;

    if (h->on_pass)
        h->on_pass(h->ctx, overload ? OVERLOAD_CAPACITY : 0);
    while (more && reads < most && b->used < SLOTS)
        more = read_some(b, u, fd, &reads);
    coord_out_flush(&b->out);
    b->used = 0;
    return !more;
}

static void on_readable(void *ctx, struct udp *u, int fd)
{
    struct coord_batch *b = ctx;

    for (unsigned i = 0; i < PASSES_MAX; i++) {
        if (run_pass(b, u, fd)) {
            if (b->full_fd == fd)
                b->full_fd = -1;
            break;
        }
        b->full_passes = b->full_fd == fd ? b->full_passes + 1 : 1;
        b->full_fd = fd;
    }
    if (b->inner.on_batch_end)
        b->inner.on_batch_end(b->inner.ctx, u);
}

/* Each is tried by itself; without them datagrams come and go singly, in batches all the same. */
static void on_socket(void *ctx, struct udp *u, int fd)
{
    struct coord_batch *b = ctx;
    int off = 0, on = 1;

    b->out.segments = !setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off));
    (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

void coord_batch_udp_handler(struct coord_batch *b, const struct udp_handler *inner,
                             struct udp_handler *out)
{
    b->inner = *inner;
    *out = (struct udp_handler){.ctx = b, .on_readable = on_readable, .on_socket = on_socket};
}
