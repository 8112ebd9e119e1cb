/* A vnet header and a packet that both may lie: splitting stays within its bounds, and what is made
 * of it, merged and split again, is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tund/fast/merge.h"
#include "tund/fast/split.h"

#define PACKETS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    uint32_t count;
    uint64_t bytes;
};

static void check(int condition)
{
    if (!condition)
        abort();
}

/* Does not depend on the order of packets. */
static void tally_add(struct tally *t, const uint8_t *packet, size_t len)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ packet[i]) * 1099511628211u;
    t->count++;
    t->bytes += hash;
}

static int on_write(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov, int count)
{
    static uint8_t joined[65536], out[65536];
    struct fast_split s;
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        check(len + iov[i].iov_len <= sizeof joined);
        memcpy(joined + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        tally_add(ctx, joined, len);
        return 0;
    }
    check(!fast_split_begin(&s, h, joined, len));
    for (size_t n; (n = fast_split_next(&s, out));)
        tally_add(ctx, out, n);
    return 0;
}

static void merge_and_compare(uint8_t **packet, const size_t *len, int count)
{
    static const struct fast_merge_kinds all = {true, true, true, true};
    static struct fast_merge m;
    struct tally in = {0}, out = {0};

    fast_merge_init(&m, &all, on_write, &out);
    for (int i = 0; i < count; i++) {
        tally_add(&in, packet[i], len[i]);
        check(!fast_merge_push(&m, packet[i], len[i]));
    }
    check(!fast_merge_flush(&m));
    check(in.count == out.count && in.bytes == out.bytes);
}

static uint8_t *copy(const uint8_t *data, size_t len)
{
    uint8_t *p = malloc(len ? len : 1);

    check(p != NULL);
    memcpy(p, data, len);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *packet[PACKETS_MAX], *whole;
    size_t len[PACKETS_MAX];
    struct virtio_net_hdr h;
    struct fast_split s;
    int count = 0;

    if (size < sizeof h || size > 65535 + sizeof h)
        return 0;
    memcpy(&h, data, sizeof h);
    data += sizeof h;
    size -= sizeof h;
    whole = copy(data, size);
    if (!fast_complete_checksum(&h, whole, size) && size) {
        packet[count] = copy(whole, size);
        len[count++] = size;
    }
    if (!fast_split_begin(&s, &h, data, size)) {
        size_t n;

        while (count < PACKETS_MAX && (n = fast_split_next_len(&s))) {
            check(n <= s.hdr_len + s.gso_size && n <= size);
            packet[count] = malloc(n);
            check(packet[count] && fast_split_next(&s, packet[count]) == n);
            len[count++] = n;
        }
    }
    merge_and_compare(packet, len, count);
    for (int i = 0; i < count; i++)
        free(packet[i]);
    free(whole);
    return 0;
}
