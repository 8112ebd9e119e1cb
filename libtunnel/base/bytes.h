/* Integers on the wire are byte arrays (alignment 1). These are the only
 * shifts between bytes and integers in the tree. */
#ifndef TN_BASE_BYTES_H
#define TN_BASE_BYTES_H

#include <stdint.h>

static inline uint16_t tn_get_be16(const uint8_t b[2])
{
    return (uint16_t)(((uint16_t)b[0] << 8) | b[1]);
}

static inline uint32_t tn_get_be32(const uint8_t b[4])
{
    return ((uint32_t)b[0] << 24) | ((uint32_t)b[1] << 16) | ((uint32_t)b[2] << 8) | b[3];
}

static inline uint64_t tn_get_be64(const uint8_t b[8])
{
    return ((uint64_t)tn_get_be32(b) << 32) | tn_get_be32(b + 4);
}

static inline uint32_t tn_get_le32(const uint8_t b[4])
{
    return ((uint32_t)b[3] << 24) | ((uint32_t)b[2] << 16) | ((uint32_t)b[1] << 8) | b[0];
}

static inline uint64_t tn_get_le64(const uint8_t b[8])
{
    return ((uint64_t)tn_get_le32(b + 4) << 32) | tn_get_le32(b);
}

static inline void tn_put_be16(uint8_t b[2], uint16_t v)
{
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static inline void tn_put_be32(uint8_t b[4], uint32_t v)
{
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

static inline void tn_put_be64(uint8_t b[8], uint64_t v)
{
    tn_put_be32(b, (uint32_t)(v >> 32));
    tn_put_be32(b + 4, (uint32_t)v);
}

static inline void tn_put_le32(uint8_t b[4], uint32_t v)
{
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}

static inline void tn_put_le64(uint8_t b[8], uint64_t v)
{
    tn_put_le32(b, (uint32_t)v);
    tn_put_le32(b + 4, (uint32_t)(v >> 32));
}

#endif
