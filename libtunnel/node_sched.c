/* Who is due, who has something to send, what happened.
 *
 * Deadlines: each peer has one, the earliest of its timers and paths; a binary
 * heap over the peers gives the first in constant time and moves one in
 * O(log n), so 10,000 idle peers cost nothing. Ready list: peers with wishes,
 * in the order in which they wished. Events: a ring that the program drains
 * after every batch; the oldest is lost when it never does. */
#include "node.h"

static uint32_t *heap(struct tn_node *n)
{
    return n->mem.peer_heap;
}

static uint64_t due(const struct tn_node *n, uint32_t at)
{
    return n->mem.peers[n->mem.peer_heap[at]].due_us;
}

static void place(struct tn_node *n, uint32_t at, uint32_t peer)
{
    heap(n)[at] = peer;
    n->mem.peers[peer].heap_at = at;
}

static void sift_up(struct tn_node *n, uint32_t at)
{
    uint32_t peer = heap(n)[at];

    while (at > 0) {
        uint32_t parent = (at - 1) / 2;

        if (due(n, parent) <= n->mem.peers[peer].due_us)
            break;
        place(n, at, heap(n)[parent]);
        at = parent;
    }
    place(n, at, peer);
}

static void sift_down(struct tn_node *n, uint32_t at)
{
    uint32_t peer = heap(n)[at];

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= n->heap_len)
            break;
        if (child + 1 < n->heap_len && due(n, child + 1) < due(n, child))
            child++;
        if (due(n, child) >= n->mem.peers[peer].due_us)
            break;
        place(n, at, heap(n)[child]);
        at = child;
    }
    place(n, at, peer);
}

void tn_sched_init(struct tn_node *n)
{
    n->heap_len = 0;
    n->ready_head = n->ready_tail = n->unsettled = TN_NO_PEER;
}

void tn_sched_update(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint64_t at = tn_timers_next(&p->timers, NULL);

    if (p->is_member) {
        uint64_t paths = tn_paths_next(p->paths);

        if (paths && paths < at) /* 0: it waits to be polled, which the ready list sees to */
            at = paths;
        if (tn_search_next(p) < at)
            at = tn_search_next(p);
    }
    p->due_us = at;
    if (p->heap_at == TN_NO_PEER)
        place(n, n->heap_len++, peer);
    sift_up(n, p->heap_at);
    sift_down(n, p->heap_at);
}

void tn_sched_remove(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint32_t at = p->heap_at;
    uint32_t before = TN_NO_PEER;

    if (at != TN_NO_PEER) {
        p->heap_at = TN_NO_PEER;
        n->heap_len--;
        if (at < n->heap_len) {
            place(n, at, heap(n)[n->heap_len]);
            sift_up(n, at);
            sift_down(n, at);
        }
    }
    if (!p->queued)
        return;
    for (uint32_t i = n->ready_head; i != peer; i = n->mem.peers[i].next_ready)
        before = i;
    if (before == TN_NO_PEER)
        n->ready_head = p->next_ready;
    else
        n->mem.peers[before].next_ready = p->next_ready;
    if (n->ready_tail == peer)
        n->ready_tail = before;
    p->queued = false;
}

uint32_t tn_sched_first(const struct tn_node *n)
{
    return n->heap_len ? n->mem.peer_heap[0] : TN_NO_PEER;
}

void tn_sched_want(struct tn_node *n, uint32_t peer, unsigned wants)
{
    struct tn_peer *p = &n->mem.peers[peer];

    p->wants |= wants;
    if (p->queued || !p->wants)
        return;
    p->queued = true;
    p->next_ready = TN_NO_PEER;
    if (n->ready_tail == TN_NO_PEER)
        n->ready_head = peer;
    else
        n->mem.peers[n->ready_tail].next_ready = peer;
    n->ready_tail = peer;
}

uint32_t tn_sched_next_ready(struct tn_node *n)
{
    uint32_t peer = n->ready_head;

    if (peer == TN_NO_PEER)
        return peer;
    n->ready_head = n->mem.peers[peer].next_ready;
    if (n->ready_head == TN_NO_PEER)
        n->ready_tail = TN_NO_PEER;
    n->mem.peers[peer].queued = false;
    return peer;
}

void tn_event_push(struct tn_node *n, const struct tn_event *e)
{
    if (n->events_count == TN_EVENTS_LEN) {
        n->events_head = (n->events_head + 1) % TN_EVENTS_LEN;
        n->events_count--;
    }
    n->events[(n->events_head + n->events_count++) % TN_EVENTS_LEN] = *e;
}

bool tn_poll_event(struct tn_node *n, struct tn_event *out)
{
    tn_path_settle_rest(n);
    if (!n->events_count)
        return false;
    *out = n->events[n->events_head];
    n->events_head = (n->events_head + 1) % TN_EVENTS_LEN;
    n->events_count--;
    return true;
}
