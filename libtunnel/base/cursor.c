/* The bounded reader and writer. Every access goes through tn_read_view or
 * tn_write_room, the two places that compare with what is left; a failure
 * there is sticky. */
#include "cursor.h"

#include <string.h>

#include "bytes.h"

void tn_reader_init(struct tn_reader *r, const void *data, size_t len)
{
    r->at = data;
    r->left = len;
    r->failed = false;
}

const uint8_t *tn_read_view(struct tn_reader *r, size_t len)
{
    const uint8_t *p = r->at;

    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    if (len > 0)
        r->at += len;
    r->left -= len;
    return p;
}

uint8_t tn_read_u8(struct tn_reader *r)
{
    const uint8_t *p = tn_read_view(r, 1);

    return p ? p[0] : 0;
}

uint16_t tn_read_u16(struct tn_reader *r)
{
    const uint8_t *p = tn_read_view(r, 2);

    return p ? tn_get_be16(p) : 0;
}

uint32_t tn_read_u32(struct tn_reader *r)
{
    const uint8_t *p = tn_read_view(r, 4);

    return p ? tn_get_be32(p) : 0;
}

uint64_t tn_read_u64(struct tn_reader *r)
{
    const uint8_t *p = tn_read_view(r, 8);

    return p ? tn_get_be64(p) : 0;
}

void tn_read_bytes(struct tn_reader *r, void *out, size_t len)
{
    const uint8_t *p = tn_read_view(r, len);

    if (p && len > 0)
        memcpy(out, p, len);
}

void tn_reader_fail(struct tn_reader *r)
{
    r->failed = true;
}

bool tn_reader_ok(const struct tn_reader *r)
{
    return !r->failed;
}

bool tn_reader_done(const struct tn_reader *r)
{
    return !r->failed && r->left == 0;
}

void tn_writer_init(struct tn_writer *w, void *out, size_t cap)
{
    w->base = out;
    w->len = 0;
    w->cap = cap;
    w->failed = false;
}

uint8_t *tn_write_room(struct tn_writer *w, size_t len)
{
    uint8_t *p;

    if (w->failed || len > w->cap - w->len) {
        w->failed = true;
        return NULL;
    }
    p = w->len > 0 ? w->base + w->len : w->base;
    w->len += len;
    return p;
}

void tn_write_u8(struct tn_writer *w, uint8_t v)
{
    uint8_t *p = tn_write_room(w, 1);

    if (p)
        p[0] = v;
}

void tn_write_u16(struct tn_writer *w, uint16_t v)
{
    uint8_t *p = tn_write_room(w, 2);

    if (p)
        tn_put_be16(p, v);
}

void tn_write_u32(struct tn_writer *w, uint32_t v)
{
    uint8_t *p = tn_write_room(w, 4);

    if (p)
        tn_put_be32(p, v);
}

void tn_write_u64(struct tn_writer *w, uint64_t v)
{
    uint8_t *p = tn_write_room(w, 8);

    if (p)
        tn_put_be64(p, v);
}

void tn_write_bytes(struct tn_writer *w, const void *data, size_t len)
{
    uint8_t *p = tn_write_room(w, len);

    if (p && len > 0)
        memcpy(p, data, len);
}

void tn_write_zeros(struct tn_writer *w, size_t len)
{
    uint8_t *p = tn_write_room(w, len);

    if (p && len > 0)
        memset(p, 0, len);
}

bool tn_writer_ok(const struct tn_writer *w)
{
    return !w->failed;
}
