/* Inner packets for the TUN, put together where they follow one another in a flow: written with one
 * call, and taken by the kernel as one. Splitting what was merged gives the same packets again, byte
 * for byte. Packets stay where they are and must lie still until fast_merge_flush. */
#ifndef TUND_FAST_MERGE_H
#define TUND_FAST_MERGE_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "libtunnel/base/err.h"

#define FAST_MERGE_FLOWS 8u    /* that are held open */
#define FAST_MERGE_PACKETS 64u /* in one; what the kernel takes for UDP */

struct fast_flow {
    struct iovec piece[FAST_MERGE_PACKETS]; /* the first packet, then payloads */
    uint32_t count;
    uint32_t len, next_seq;
    uint16_t l4_off, hdr_len, gso_size;
    uint8_t last_flags; /* of TCP */
    bool v4, tcp, verified;
};

/* Which kinds the TUN takes. */
struct fast_merge_kinds {
    bool tcp4, tcp6, tcp_ecn, udp;
};

struct fast_merge {
    struct fast_flow flow[FAST_MERGE_FLOWS];
    uint8_t order[FAST_MERGE_FLOWS]; /* flows in use, oldest first, then those that are free */
    uint32_t used;
    struct fast_merge_kinds kinds;
    /* One packet for the TUN; 0 or a negative errno. */
    int (*write)(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov, int count);
    void *ctx;
};

void fast_merge_init(struct fast_merge *m, const struct fast_merge_kinds *kinds,
                     int (*write)(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov,
                                  int count),
                     void *ctx);
/* Holds the packet, or writes it, and those that must go before it. The packet's headers may be
 * rewritten. 0, or the first error of `write`, after which the rest was done all the same. */
TN_MUST_CHECK int fast_merge_push(struct fast_merge *m, uint8_t *packet, size_t len);
TN_MUST_CHECK int fast_merge_flush(struct fast_merge *m);

#endif
