/* Datagrams on a stream (PROTOCOL.md section 8): length[2], big endian, then the datagram. No
 * descriptor and no heap: bytes in, bytes out. */
#ifndef TUND_FRAMES_H
#define TUND_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libtunnel/base/err.h"

#define FRAME_HEADER_LEN 2
#define FRAME_DATAGRAM_MAX 2048
#define FRAME_MAX (FRAME_HEADER_LEN + FRAME_DATAGRAM_MAX)

/* The frame at the beginning of `bytes`. Returns its whole length, *data and *data_len being its
 * datagram, in place; 0: more bytes have to come first; -EPROTO: this can be no frame (empty, or
 * longer than FRAME_DATAGRAM_MAX). */
ssize_t frame_next(uint8_t *bytes, size_t len, uint8_t **data, size_t *data_len);

/* Frames that wait for a stream. When there is no room for one more, the oldest go: what a receiver
 * gets is then fresh, and TCP inside sees the loss soon. */
struct frame_queue {
    uint8_t *mem; /* a ring, the caller's */
    size_t cap, first, used;
    uint64_t dropped; /* frames, ever */
};

/* cap: at least FRAME_MAX bytes. */
void frame_queue_init(struct frame_queue *q, uint8_t *mem, size_t cap);
/* TN_EINVAL: the datagram is empty, or too long. */
TN_MUST_CHECK int frame_queue_push(struct frame_queue *q, const void *data, size_t len);
/* Moves as many whole frames, headers included, as fit into `out`; how many bytes they are. */
size_t frame_queue_take(struct frame_queue *q, uint8_t *out, size_t cap);

#endif
