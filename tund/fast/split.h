/* What the TUN gives under IFF_VNET_HDR, as packets: a checksum that was left to us is completed,
 * and a large TCP or UDP packet is split as the kernel's own segmentation would. */
#ifndef TUND_FAST_SPLIT_H
#define TUND_FAST_SPLIT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/err.h"

/* Completes the checksum in a packet that is not to be split; nothing where none is asked for.
 * -EINVAL: the header does not fit the packet, which was not changed. */
TN_MUST_CHECK int fast_complete_checksum(const struct virtio_net_hdr *h, uint8_t *packet, size_t len);

struct fast_split {
    const uint8_t *packet; /* borrowed until the last segment is out */
    size_t len, at;        /* bytes; where the next segment's payload begins */
    size_t l4_off, hdr_len, gso_size;
    uint64_t base; /* the pseudo header's sum without a length */
    uint32_t index;
    bool v4, tcp, done;
};

/* For a gso_type other than NONE. -EINVAL: the header lies, or is of a kind that was never asked for. */
TN_MUST_CHECK int fast_split_begin(struct fast_split *s, const struct virtio_net_hdr *h,
                                   const uint8_t *packet, size_t len);
/* Bytes of the next segment before it is written: at most hdr_len + gso_size. 0: none is left. */
size_t fast_split_next_len(const struct fast_split *s);
/* Writes fast_split_next_len bytes to `out` and returns their count. */
size_t fast_split_next(struct fast_split *s, uint8_t *out);

#endif
