/* Fragments of several peers, fed anything: what is read is what was written, and a packet that comes
 * out whole is made of the parts that one peer last sent for it. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/path/frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

/* The parts carry their sender: all bytes of a packet are the peer's number. */
static void put(struct tn_frag_table *t, uint32_t peer, struct tn_frag *f, uint64_t now_us)
{
    uint8_t part[TN_FRAG_PACKET_MAX];
    uint8_t *packet;

    memset(part, (int)peer, sizeof(part));
    f->data = part;
    packet = tn_frag_put(t, peer, f, now_us);
    for (size_t i = 0; packet && i < f->total; i++)
        must(packet[i] == (uint8_t)peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct tn_frag_row row[3];
    struct tn_frag_table t;
    uint8_t out[TN_FRAG_HEADER_LEN + TN_FRAG_PACKET_MAX];
    uint64_t now_us = 1000;
    uint32_t peer;
    struct tn_frag f;

    tn_frag_init(&t, row, 3);
    if (tn_frag_decode(data, len, &f) == TN_OK) {
        tn_frag_encode(out, &f);
        must(memcmp(out, data, TN_FRAG_HEADER_LEN) == 0);
        must(f.data == data + TN_FRAG_HEADER_LEN && f.data + f.len <= data + len);
    }
    for (; len >= 8; data += 8, len -= 8) {
        f.parts = (uint8_t)(2 + (data[0] >> 4) % (TN_FRAG_PARTS_MAX - 1));
        f.part = (data[0] & 15) % f.parts;
        f.id = data[1] & 3;
        f.total = (uint16_t)(TN_FRAG_PACKET_MIN + tn_get_be16(data + 2) %
                                                      (TN_FRAG_PACKET_MAX - TN_FRAG_PACKET_MIN + 1));
        f.len = tn_frag_part_len(&f);
        now_us += (uint64_t)data[4] << 12;
        memset(out, data[5] & 3, sizeof(out));
        if (data[6] & 1)
            put(&t, data[5] & 3, &f, now_us);
        else if (data[6] & 2 && tn_frag_keep(&t, data[5] & 3, &f, out, now_us) == TN_OK)
            must(tn_frag_has_out(&t));
        else if (data[6] & 4)
            tn_frag_forget(&t, data[5] & 3);
        else if (tn_frag_next_out(&t, out, &peer))
            must(out[TN_FRAG_HEADER_LEN] == (uint8_t)peer);
    }
    return 0;
}
