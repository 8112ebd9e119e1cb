/* A packet's whole walk through a node, out of one and into another, where one in a hundred of a node's
 * peers is active: with 100 peers and with 10,000. What grows between the two would not be flat. */
#include <string.h>

#include "bench.h"
#include "libtunnel/base/bytes.h"
#include "libtunnel/node.h"

#define LEN 1420u

/* A node with room for `cap` peers. */
struct big {
    struct tn_node *node;
    struct tn_node_memory mem;
};

static struct {
    struct big hub;
    struct big *spoke; /* the active ones, each with the hub as its only peer */
    uint32_t peers, active, at;
    struct tn_now now;
    struct tn_addr where;
    uint8_t mem[2048];
} w;

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count, size);

    bench_must(p != NULL, "memory");
    return p;
}

static void make(struct big *b, uint32_t cap, uint32_t number)
{
    struct tn_node_config cfg = {.mtu = LEN, .stamp_ceiling_ns = UINT64_MAX, .rng_seed = {1}};
    uint8_t key[32] = {9};
    uint32_t table = 16;

    while (table < 2 * cap)
        table *= 2;
    b->mem = (struct tn_node_memory){.peers = zeroed(cap, tn_peer_sizeof()),
                                     .peer_cap = cap,
                                     .peer_heap = zeroed(cap, sizeof(uint32_t)),
                                     .peer_table = zeroed(table, sizeof(uint32_t)),
                                     .peer_table_len = table,
                                     .allowed = zeroed(2 * cap, sizeof(struct tn_allowed_node)),
                                     .allowed_cap = 2 * cap,
                                     .allowed_head = zeroed(cap, sizeof(uint32_t))};
    b->node = zeroed(1, tn_node_sizeof());
    tn_put_be32(cfg.rng_seed + 4, number);
    bench_must(!tn_node_init(b->node, &b->mem, &cfg), "tn_node_init");
    tn_put_be32(key + 4, number);
    bench_must(!tn_node_set_private_key(b->node, key), "key");
}

static void drop(struct big *b)
{
    tn_node_wipe(b->node);
    free(b->mem.peers);
    free(b->mem.peer_heap);
    free(b->mem.peer_table);
    free(b->mem.allowed);
    free(b->mem.allowed_head);
    free(b->node);
}

static void ip_of(uint32_t number, uint8_t ip[4])
{
    tn_put_be32(ip, 0x0a000000u + number);
}

static void add_peer(struct big *b, const uint8_t pub[32], uint32_t number)
{
    uint8_t ip[4];
    uint32_t peer;

    ip_of(number, ip);
    bench_must(!tn_node_peer_add(b->node, pub, w.now, &peer) &&
               !tn_node_allowed_add(b->node, peer, ip, true, 32), "peer");
    tn_node_peer_set_endpoint(b->node, peer, &w.where);
}

static enum tn_verdict push_packet(struct big *from, uint32_t src, uint32_t dst, struct tn_buf *b)
{
    struct tn_route route;
    uint32_t peer;
    uint8_t *ip;

    *b = (struct tn_buf){.mem = w.mem, .cap = sizeof w.mem, .off = TN_BUF_HEADROOM, .len = LEN};
    ip = tn_buf_data(b);
    ip[0] = 0x45;
    tn_put_be16(ip + 2, LEN);
    ip_of(src, ip + 12);
    ip_of(dst, ip + 16);
    return tn_from_tun(from->node, b, w.now, &route, &peer);
}

/* Everything that `from` has to say goes to `to`, until both are silent. */
static void exchange(struct big *from, struct big *to)
{
    struct tn_buf b = {.mem = w.mem, .cap = sizeof w.mem};
    struct tn_route route;
    struct tn_event e;
    uint32_t peer;

    while (tn_poll_out(from->node, &b, w.now, &route)) {
        (void)tn_from_net(to->node, &b, &w.where, w.now, &peer);
        exchange(to, from);
    }
    while (tn_poll_event(from->node, &e))
        ;
}

static void out_and_in(void *ctx)
{
    uint32_t i = w.at++ % w.active;
    struct tn_buf b;
    uint32_t peer;

    (void)ctx;
    bench_must(push_packet(&w.hub, 0, 1 + i, &b) == TN_SEND, "out");
    bench_must(tn_from_net(w.spoke[i].node, &b, &w.where, w.now, &peer) == TN_DELIVER, "in");
}

static void in_and_out(void *ctx)
{
    uint32_t i = w.at++ % w.active;
    struct tn_buf b;
    uint32_t peer;

    (void)ctx;
    bench_must(push_packet(&w.spoke[i], 1 + i, 0, &b) == TN_SEND, "out");
    bench_must(tn_from_net(w.hub.node, &b, &w.where, w.now, &peer) == TN_DELIVER, "in");
}

static void deadline(void *ctx)
{
    (void)ctx;
    tn_tick(w.hub.node, w.now);
    bench_must(tn_next_deadline(w.hub.node, NULL) > w.now.us, "a deadline");
}

static void run(uint32_t peers)
{
    uint8_t pub[32], hub_pub[32];
    uint64_t began = bench_now_ns();
    char name[64];

    w.peers = peers;
    w.active = peers / 100;
    w.now = (struct tn_now){.us = TN_S(1000), .unix_ns = 1800000000ull * 1000000000};
    w.where = tn_addr_v4((const uint8_t[]){192, 0, 2, 1}, 51820);
    make(&w.hub, peers, 0);
    bench_must(tn_node_public_key(w.hub.node, hub_pub), "key");
    w.spoke = zeroed(w.active, sizeof *w.spoke);
    for (uint32_t i = 0; i < peers; i++) {
        if (i < w.active) {
            make(&w.spoke[i], 1, 1 + i);
            bench_must(tn_node_public_key(w.spoke[i].node, pub), "key");
            add_peer(&w.spoke[i], hub_pub, 0);
        } else {
            memset(pub, 0x33, sizeof pub);
            tn_put_be32(pub, i);
        }
        add_peer(&w.hub, pub, 1 + i);
    }
    printf("%-49s %5u %10.0f\n", "adding a peer, of", peers, (double)(bench_now_ns() - began) / peers);
    for (uint32_t i = 0; i < w.active; i++) {
        struct tn_buf b;

        w.now.us += TN_MS(10); /* else so many at once would be a flood */
        bench_must(push_packet(&w.spoke[i], 1 + i, 0, &b) == TN_STAGE, "a handshake");
        exchange(&w.spoke[i], &w.hub);
        bench_must(push_packet(&w.spoke[i], 1 + i, 0, &b) == TN_SEND, "a session");
        (void)tn_from_net(w.hub.node, &b, &w.where, w.now, &(uint32_t){0});
    }
    snprintf(name, sizeof name, "packet out of the hub and in, %u peers, 1 %% active", peers);
    (void)bench(name, out_and_in, NULL, 1);
    snprintf(name, sizeof name, "packet out and into the hub, %u peers, 1 %% active", peers);
    (void)bench(name, in_and_out, NULL, 1);
    snprintf(name, sizeof name, "tick and next deadline, %u peers", peers);
    (void)bench(name, deadline, NULL, 1);
    for (uint32_t i = 0; i < w.active; i++)
        drop(&w.spoke[i]);
    free(w.spoke);
    drop(&w.hub);
}

int main(void)
{
    bench_must(!tn_crypto_init(), "tn_crypto_init");
    run(100);
    run(10000);
    return 0;
}
