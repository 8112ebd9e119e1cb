/* See frames.h. */
#include "frames.h"

#include <errno.h>
#include <string.h>

#include "libtunnel/base/bytes.h"

ssize_t frame_next(uint8_t *bytes, size_t len, uint8_t **data, size_t *data_len)
{
    size_t n;

    if (len < FRAME_HEADER_LEN)
        return 0;
    n = tn_get_be16(bytes);
    if (n == 0 || n > FRAME_DATAGRAM_MAX)
        return -EPROTO;
    if (len < FRAME_HEADER_LEN + n)
        return 0;
    *data = bytes + FRAME_HEADER_LEN;
    *data_len = n;
    return (ssize_t)(FRAME_HEADER_LEN + n);
}

void frame_queue_init(struct frame_queue *q, uint8_t *mem, size_t cap)
{
    *q = (struct frame_queue){.mem = mem, .cap = cap};
}

static void put(struct frame_queue *q, const void *data, size_t len)
{
    size_t at = (q->first + q->used) % q->cap;
    size_t whole = len < q->cap - at ? len : q->cap - at;

    memcpy(q->mem + at, data, whole);
    memcpy(q->mem, (const uint8_t *)data + whole, len - whole);
    q->used += len;
}

/* `out` NULL: to nowhere. */
static void get(struct frame_queue *q, uint8_t *out, size_t len)
{
    size_t whole = len < q->cap - q->first ? len : q->cap - q->first;

    if (out) {
        memcpy(out, q->mem + q->first, whole);
        memcpy(out + whole, q->mem, len - whole);
    }
    q->first = (q->first + len) % q->cap;
    q->used -= len;
}

/* The oldest frame's whole length; the queue is not empty. */
static size_t first_len(const struct frame_queue *q)
{
    uint8_t header[FRAME_HEADER_LEN] = {q->mem[q->first], q->mem[(q->first + 1) % q->cap]};

    return FRAME_HEADER_LEN + tn_get_be16(header);
}

int frame_queue_push(struct frame_queue *q, const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER_LEN];

    if (len == 0 || len > FRAME_DATAGRAM_MAX)
        return TN_EINVAL;
    while (q->cap - q->used < FRAME_HEADER_LEN + len) {
        get(q, NULL, first_len(q));
        q->dropped++;
    }
    tn_put_be16(header, (uint16_t)len);
    put(q, header, sizeof(header));
    put(q, data, len);
    return 0;
}

size_t frame_queue_take(struct frame_queue *q, uint8_t *out, size_t cap)
{
    size_t taken = 0;

    while (q->used) {
        size_t len = first_len(q);

        if (len > cap - taken)
            break;
        get(q, out + taken, len);
        taken += len;
    }
    return taken;
}
