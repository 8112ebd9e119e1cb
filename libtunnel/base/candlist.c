/* The candidate list on the wire. Shared by three messages of two layers, so it
 * lives on the ground floor; what a candidate is good for is path/'s business. */
#include "candlist.h"

static bool origin_is_known(uint8_t origin)
{
    return origin >= TN_CAND_HOST && origin <= TN_CAND_PEER_REFLEXIVE;
}

void tn_candlist_write(struct tn_writer *w, const struct tn_cand_wire *list, size_t count)
{
    uint8_t *at;

    if (count > TN_CANDLIST_MAX) {
        w->failed = true;
        return;
    }
    tn_write_u8(w, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        if (!origin_is_known(list[i].origin)) {
            w->failed = true;
            return;
        }
        tn_write_u8(w, list[i].origin);
        at = tn_write_room(w, TN_ADDR_WIRE_LEN);
        if (!at)
            return;
        tn_addr_encode(&list[i].addr, at);
    }
}

size_t tn_candlist_read(struct tn_reader *r, struct tn_cand_wire *out, size_t max)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX];
    size_t count = tn_read_u8(r);

    if (count > max || count > TN_CANDLIST_MAX) {
        tn_reader_fail(r);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at;

        list[i].origin = tn_read_u8(r);
        at = tn_read_view(r, TN_ADDR_WIRE_LEN);
        if (!at || !origin_is_known(list[i].origin)) {
            tn_reader_fail(r);
            return 0;
        }
        tn_addr_decode(at, &list[i].addr);
    }
    for (size_t i = 0; i < count; i++)
        out[i] = list[i];
    return count;
}
