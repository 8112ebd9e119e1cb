/* Bounded reader and writer with sticky failure: after the first read or
 * write that does not fit, every later one does nothing, and tn_*_ok says so.
 * Decoding a message reads like its layout; the check is made once at the end. */
#ifndef TN_BASE_CURSOR_H
#define TN_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tn_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

struct tn_writer {
    uint8_t *base;
    size_t len; /* written so far */
    size_t cap;
    bool failed;
};

void tn_reader_init(struct tn_reader *r, const void *data, size_t len);
uint8_t tn_read_u8(struct tn_reader *r);   /* the integers are big endian; 0 after a failure */
uint16_t tn_read_u16(struct tn_reader *r);
uint32_t tn_read_u32(struct tn_reader *r);
uint64_t tn_read_u64(struct tn_reader *r);
/* Copies len bytes out; leaves `out` alone on failure. */
void tn_read_bytes(struct tn_reader *r, void *out, size_t len);
/* Borrows len bytes from the input, or returns NULL. */
const uint8_t *tn_read_view(struct tn_reader *r, size_t len);
void tn_reader_fail(struct tn_reader *r);
bool tn_reader_ok(const struct tn_reader *r);
/* No failure and nothing left over: what a strict decoder ends with. */
bool tn_reader_done(const struct tn_reader *r);

void tn_writer_init(struct tn_writer *w, void *out, size_t cap);
void tn_write_u8(struct tn_writer *w, uint8_t v);
void tn_write_u16(struct tn_writer *w, uint16_t v);
void tn_write_u32(struct tn_writer *w, uint32_t v);
void tn_write_u64(struct tn_writer *w, uint64_t v);
void tn_write_bytes(struct tn_writer *w, const void *data, size_t len);
void tn_write_zeros(struct tn_writer *w, size_t len);
/* Reserves len bytes to be filled by the caller, or returns NULL. */
uint8_t *tn_write_room(struct tn_writer *w, size_t len);
bool tn_writer_ok(const struct tn_writer *w);

#endif
