/* Datagrams on their way out, gathered to trains: equal lengths to one destination, the last
 * may be shorter, in one call with UDP_SEGMENT; trains, or single datagrams where that cannot be, go
 * with one sendmmsg. Data stays where it is and must lie still until fast_trains_flush. */
#ifndef TUND_FAST_TRAIN_H
#define TUND_FAST_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "libtunnel/base/addr.h"
#include "tund/io.h"
#include "tund/udp.h"
#include "tund/udp_msg.h"

#define FAST_TRAINS 64u
#define FAST_TRAIN_DATAGRAMS 64u       /* in one train; UDP_MAX_SEGMENTS of Linux */
#define FAST_TRAIN_BYTES_MAX 65487u    /* what fits an IPv6 or IPv4 packet behind its headers */
#define FAST_DATAGRAMS 256u            /* in all trains */
#define FAST_ALONE_MAX 64u             /* destinations that are remembered to take no trains */
#define FAST_CONTROL_LEN                                                                           \
    (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)))

struct fast_train {
    struct tn_addr to, local; /* local may be zero */
    uint32_t first, last, count; /* datagrams; each knows the next */
    size_t segment_len, len;  /* bytes: of each but the last, and of all */
    uint8_t ttl;
    bool full; /* ended by a shorter one, or not to be continued */
    bool fragments; /* of inner packets, and nothing else */
};

struct fast_datagram {
    struct iovec at;
    uint32_t next;
};

struct fast_envelope {
    union udp_sockaddr to;
    _Alignas(struct cmsghdr) char control[FAST_CONTROL_LEN];
};

struct fast_trains {
    struct udp *udp;
    io_send_now *send_now;
    void *ctx;
    void (*before)(void *ctx); /* is called with before_ctx before data is sent; NULL: nothing to do */
    void *before_ctx;
    bool segments; /* the sockets know UDP_SEGMENT */
    uint32_t count, datagrams;
    uint32_t alone_next, alone_count;
    struct fast_train train[FAST_TRAINS];
    struct fast_datagram datagram[FAST_DATAGRAMS];
    struct tn_addr alone[FAST_ALONE_MAX];
    struct fast_envelope envelope[FAST_TRAINS]; /* of one sendmmsg; large, so not made anew each time */
    struct mmsghdr message[FAST_TRAINS];
    struct iovec iov[FAST_DATAGRAMS];
};

/* May flush what was there before. local may be NULL. is_fragment: of an inner packet; it may leave before
 * other fragments that were pushed earlier, unless they are of its own length. */
void fast_trains_push(struct fast_trains *t, uint8_t *data, size_t len, bool is_fragment,
                      const struct tn_addr *to, uint8_t ttl, const struct tn_addr *local);
/* What the kernel has no room for is lost and counted in udp->send_busy; every other failure is
 * tried again one by one with send_now, which deals with it. */
void fast_trains_flush(struct fast_trains *t);
/* Tries trains again everywhere. */
void fast_trains_on_network_change(struct fast_trains *t);

#endif
