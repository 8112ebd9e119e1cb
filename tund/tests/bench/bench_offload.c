/* What it costs to split what the TUN gives, and to merge what it takes: nanoseconds a packet of
 * 1420 bytes, of a TCP stream and of a flow of UDP datagrams. */
#include "libtunnel/tests/bench/bench.h"
#include "tund/fast/merge.h"
#include "tund/fast/split.h"

#include "../../fast/tests/packets.h"

#define MTU 1420u
#define PACKETS 40u

static struct {
    struct packet large;
    struct virtio_net_hdr header;
    uint8_t segment[PACKETS][MTU];
    size_t len[PACKETS];
    uint32_t count, written;
    struct fast_merge merge;
} o;

static int write_one(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov, int count)
{
    (void)ctx;
    (void)h;
    (void)iov;
    (void)count;
    o.written++;
    return 0;
}

static void split_all(void *ctx)
{
    struct fast_split s;

    (void)ctx;
    bench_must(!fast_split_begin(&s, &o.header, o.large.data, o.large.len), "split");
    for (o.count = 0; fast_split_next_len(&s); o.count++)
        o.len[o.count] = fast_split_next(&s, o.segment[o.count]);
    bench_must(o.count == PACKETS, "so many segments");
}

/* Merging rewrites the first packet, so that it is split anew each time. */
static void split_and_merge(void *ctx)
{
    split_all(ctx);
    o.written = 0;
    for (uint32_t i = 0; i < PACKETS; i++)
        bench_must(!fast_merge_push(&o.merge, o.segment[i], o.len[i]), "merge");
    bench_must(!fast_merge_flush(&o.merge) && o.written == 1, "one packet again");
}

static void run(bool udp)
{
    const struct fast_merge_kinds kinds = {.tcp4 = true, .tcp6 = true, .udp = true};
    struct packet_plan plan = {.udp = udp, .host = 1, .port = 9, .ttl = 64, .flags = 0x10, .fill = 7};
    size_t hdr = udp ? 28 : 40;
    char name[64];

    plan.payload_len = (uint16_t)(PACKETS * (MTU - hdr));
    packet_make(&o.large, &plan);
    o.header = packet_partial(&o.large, udp, (uint16_t)(MTU - hdr));
    fast_merge_init(&o.merge, &kinds, write_one, NULL);
    snprintf(name, sizeof name, "split a packet of %s", udp ? "UDP" : "TCP");
    (void)bench(name, split_all, NULL, PACKETS);
    snprintf(name, sizeof name, "split and merge a packet of %s", udp ? "UDP" : "TCP");
    (void)bench(name, split_and_merge, NULL, PACKETS);
}

int main(void)
{
    run(false);
    run(true);
    return 0;
}
