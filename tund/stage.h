/* Packets that wait for a session: for each peer a queue of at most STAGE_PEER_MAX,
 * oldest dropped, in a pool that is allocated once and shared by all peers. */
#ifndef TUND_STAGE_H
#define TUND_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/err.h"

#define STAGE_PEER_MAX 128u   /* packets; what Linux keeps */
#define STAGE_CHUNK_LEN 512u  /* bytes; a packet is a chain of chunks */
#define STAGE_CHUNK_COUNT 4096u

struct stage_chunk;
struct stage_queue {
    uint32_t first, last; /* chunk that begins a packet, + 1; 0: none */
    uint32_t packet_count, chunk_count;
};

struct stage {
    struct stage_queue *queue; /* peer_cap of them */
    uint32_t peer_cap;
    struct stage_chunk *chunk;
    uint32_t free_first;  /* + 1; chunks given back */
    uint32_t used;        /* chunks in queues */
    uint32_t fresh;       /* chunks never used yet begin here: their memory is untouched */
    uint64_t dropped;     /* packets */
};

TN_MUST_CHECK int stage_init(struct stage *s, uint32_t peer_cap); /* -ENOMEM */
void stage_free(struct stage *s);                                 /* wipes what was there */
/* Copies the packet in. A peer beyond its share loses its oldest packets first. */
void stage_push(struct stage *s, uint32_t peer, const void *packet, size_t len);
/* Copies the oldest packet of the peer to `out` and takes it off; its length, or 0 if there is none. */
size_t stage_pop(struct stage *s, uint32_t peer, void *out, size_t cap);
uint32_t stage_count(const struct stage *s, uint32_t peer);
void stage_drop(struct stage *s, uint32_t peer);

#endif
