/* How it works: one pool of chunks of STAGE_CHUNK_LEN bytes. A packet is a chain
 * of chunks, a peer's queue a chain of packets, all by index + 1 so that zero
 * means none. Chunks that were never used lie behind `fresh` and their memory is
 * not touched: a daemon that never stages keeps its resident set small.
 *
 * Limits: STAGE_PEER_MAX packets and a quarter of the pool for each peer; beyond
 * that its own oldest go. When the pool is empty, a peer without packets of its
 * own takes the oldest of the peer that holds the most. */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PEER_CHUNK_MAX (STAGE_CHUNK_COUNT / 4)

struct stage_chunk {
    uint32_t next_packet; /* + 1; of the first chunk of a packet */
    uint32_t next_chunk;  /* + 1; of the same packet, or of the free list */
    uint32_t packet_len;  /* of the first chunk of a packet */
    uint8_t data[STAGE_CHUNK_LEN];
};

int stage_init(struct stage *s, uint32_t peer_cap)
{
    memset(s, 0, sizeof *s);
    s->queue = calloc(peer_cap, sizeof *s->queue);
    s->chunk = calloc(STAGE_CHUNK_COUNT, sizeof *s->chunk);
    if (!s->queue || !s->chunk) {
        stage_free(s);
        return -ENOMEM;
    }
    s->peer_cap = peer_cap;
    return 0;
}

void stage_free(struct stage *s)
{
    if (s->chunk)
        explicit_bzero(s->chunk, s->fresh * sizeof *s->chunk);
    free(s->chunk);
    free(s->queue);
    memset(s, 0, sizeof *s);
}

static uint32_t chunk_take(struct stage *s)
{
    uint32_t at = s->free_first;

    if (at) {
        s->free_first = s->chunk[at - 1].next_chunk;
        s->chunk[at - 1].next_chunk = 0;
        return at;
    }
    return s->fresh < STAGE_CHUNK_COUNT ? ++s->fresh : 0;
}

/* Takes the oldest packet off the queue and gives its chunks back. */
static void drop_oldest(struct stage *s, struct stage_queue *q)
{
    uint32_t first = q->first, at = first, last = first;

    q->first = s->chunk[first - 1].next_packet;
    if (!q->first)
        q->last = 0;
    for (; at; at = s->chunk[at - 1].next_chunk) {
        q->chunk_count--;
        s->used--;
        last = at;
    }
    q->packet_count--;
    s->chunk[last - 1].next_chunk = s->free_first;
    s->free_first = first;
}

static struct stage_queue *longest_queue(const struct stage *s)
{
    struct stage_queue *best = &s->queue[0];

    for (uint32_t i = 1; i < s->peer_cap; i++) {
        if (s->queue[i].chunk_count > best->chunk_count)
            best = &s->queue[i];
    }
    return best;
}

static void make_room(struct stage *s, struct stage_queue *q, uint32_t need)
{
    while (q->packet_count &&
           (q->packet_count >= STAGE_PEER_MAX || q->chunk_count + need > PEER_CHUNK_MAX)) {
        drop_oldest(s, q);
        s->dropped++;
    }
    while (STAGE_CHUNK_COUNT - s->used < need) {
        drop_oldest(s, q->packet_count ? q : longest_queue(s));
        s->dropped++;
    }
}

void stage_push(struct stage *s, uint32_t peer, const void *packet, size_t len)
{
    uint32_t need = (uint32_t)((len + STAGE_CHUNK_LEN - 1) / STAGE_CHUNK_LEN);
    const uint8_t *from = packet;
    struct stage_queue *q;
    uint32_t first = 0, last = 0;

    if (peer >= s->peer_cap || !len || need > PEER_CHUNK_MAX)
        return;
    q = &s->queue[peer];
    make_room(s, q, need);
    for (size_t done = 0; done < len; done += STAGE_CHUNK_LEN) {
        uint32_t at = chunk_take(s);
        size_t part = len - done < STAGE_CHUNK_LEN ? len - done : STAGE_CHUNK_LEN;

        memcpy(s->chunk[at - 1].data, from + done, part);
        if (last)
            s->chunk[last - 1].next_chunk = at;
        else
            first = at;
        last = at;
    }
    s->chunk[last - 1].next_chunk = 0;
    s->chunk[first - 1].next_packet = 0;
    s->chunk[first - 1].packet_len = (uint32_t)len;
    if (q->last)
        s->chunk[q->last - 1].next_packet = first;
    else
        q->first = first;
    q->last = first;
    q->packet_count++;
    q->chunk_count += need;
    s->used += need;
}

size_t stage_pop(struct stage *s, uint32_t peer, void *out, size_t cap)
{
    struct stage_queue *q;
    size_t len, done = 0;

    if (peer >= s->peer_cap || !s->queue[peer].first)
        return 0;
    q = &s->queue[peer];
    len = s->chunk[q->first - 1].packet_len;
    for (uint32_t at = q->first; at && len <= cap; at = s->chunk[at - 1].next_chunk) {
        size_t part = len - done < STAGE_CHUNK_LEN ? len - done : STAGE_CHUNK_LEN;

        memcpy((uint8_t *)out + done, s->chunk[at - 1].data, part);
        done += part;
    }
    drop_oldest(s, q);
    return done;
}

uint32_t stage_count(const struct stage *s, uint32_t peer)
{
    return peer < s->peer_cap ? s->queue[peer].packet_count : 0;
}

void stage_drop(struct stage *s, uint32_t peer)
{
    if (peer >= s->peer_cap)
        return;
    while (s->queue[peer].packet_count)
        drop_oldest(s, &s->queue[peer]);
}
