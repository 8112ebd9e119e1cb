/* A packet buffer with head and tail room, rewritten in place: an IP packet
 * becomes a datagram, and back, inside the same memory. The caller owns it. */
#ifndef TN_BASE_BUF_H
#define TN_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "sizes.h"

/* Head room that tn_from_tun needs: fragment header (6), relay header (8) and transport header (16), that once
 * more where a member relays (a device is relayed by the coordinator alone), kept 16-aligned. */
#define TN_BUF_HEADROOM TN_SIZE(48, 32)
/* Tail room: padding (15) and tag (16), rounded up; twice where a member relays. */
#define TN_BUF_TAILROOM TN_SIZE(64, 32)

struct tn_buf {
    uint8_t *mem; /* start of the memory */
    size_t cap;   /* bytes of it */
    size_t off;   /* where the packet begins */
    size_t len;   /* bytes of the packet */
};

static inline uint8_t *tn_buf_data(const struct tn_buf *b)
{
    return b->mem + b->off;
}

static inline size_t tn_buf_tailroom(const struct tn_buf *b)
{
    return b->cap - b->off - b->len;
}

/* Puts n bytes in front and returns them, or NULL where there is no room. */
static inline uint8_t *tn_buf_push(struct tn_buf *b, size_t n)
{
    if (b->off < n)
        return NULL;
    b->off -= n;
    b->len += n;
    return tn_buf_data(b);
}

/* Takes n bytes off the front and returns what follows, or NULL where there are fewer. */
static inline uint8_t *tn_buf_pull(struct tn_buf *b, size_t n)
{
    if (b->len < n)
        return NULL;
    b->off += n;
    b->len -= n;
    return tn_buf_data(b);
}

#endif
