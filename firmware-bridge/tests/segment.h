/* TCP segments in IPv4 or IPv6, for clients that tests write out. */
#ifndef TESTS_SEGMENT_H
#define TESTS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"

#define SEGMENT_FIN 1
#define SEGMENT_SYN 2
#define SEGMENT_RST 4
#define SEGMENT_ACK 16

struct segment {
    struct tn_addr src, dst; /* with ports */
    uint32_t seq, ack;
    uint8_t flags;
    const uint8_t *data;
    size_t data_len;
    const uint8_t *options; /* of one that was read */
};

#ifdef __cplusplus
extern "C" {
#endif
/* Writes the packet, an MSS of 1460 with SYN; its length. */
size_t segment_write(uint8_t *ip, const struct segment *s);
/* False: it is none, or a sum is wrong. */
bool segment_read(const uint8_t *ip, size_t len, struct segment *s);
#ifdef __cplusplus
}
#endif

#endif
