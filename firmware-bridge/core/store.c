/* Rings of slots in the storage (store.h).
 *
 * Which slot is the newest is found by reading them all: seq grows by one with each save, and does
 * not come round in 2^32 of them. To erase is to save an empty record first, and only then to
 * overwrite the slots before it: a cut in between must not bring an older record back. */
#include "store.h"

#include <string.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/crypto/crypto.h"

#define HEAD_LEN 6
#define CHECK_LEN 4

struct region {
    uint16_t at, slot_len, slots;
};

#define IDENTITY_SLOT 684u
#define STAMP_SLOT 18u
#define STAMP_SLOTS 8u /* it is written with each boot: the wear is spread */
#define SETTINGS_SLOT 244u

static const struct region region[] = {
    [BRIDGE_REGION_IDENTITY] = {0, IDENTITY_SLOT, 2},
    [BRIDGE_REGION_STAMP] = {2 * IDENTITY_SLOT, STAMP_SLOT, STAMP_SLOTS},
    [BRIDGE_REGION_SETTINGS] = {2 * IDENTITY_SLOT + STAMP_SLOT * STAMP_SLOTS, SETTINGS_SLOT, 2},
};
_Static_assert(2 * IDENTITY_SLOT + STAMP_SLOT * STAMP_SLOTS + 2 * SETTINGS_SLOT <= BRIDGE_STORAGE_LEN,
               "the regions fit");
_Static_assert(sizeof region / sizeof region[0] == BRIDGE_REGIONS, "a place for each region");

static uint32_t slot_at(const struct region *r, uint32_t slot)
{
    return r->at + slot * r->slot_len;
}

/* TN_EINVAL: no record, or not whole. */
static int check_slot(const struct bridge_storage *s, const struct region *r, uint32_t slot,
                      uint32_t *seq, size_t *len)
{
    uint32_t at = slot_at(r, slot);
    uint8_t head[HEAD_LEN], part[32], sum[CHECK_LEN], want[CHECK_LEN];
    struct tn_blake2s hash;
    size_t left;

    if (s->read(s->ctx, at, head, sizeof head))
        return TN_ESTATE;
    *seq = tn_get_be32(head);
    *len = left = tn_get_be16(head + 4);
    if (!*seq || *len > r->slot_len - BRIDGE_SLOT_OVERHEAD)
        return TN_EINVAL;
    tn_blake2s_init(&hash, CHECK_LEN, NULL, 0);
    tn_blake2s_update(&hash, head, sizeof head);
    for (at += HEAD_LEN; left; at += sizeof part) {
        size_t n = left < sizeof part ? left : sizeof part;

        if (s->read(s->ctx, at, part, n))
            return TN_ESTATE;
        tn_blake2s_update(&hash, part, n);
        left -= n;
    }
    tn_blake2s_final(&hash, want);
    tn_wipe(part, sizeof part);
    if (s->read(s->ctx, slot_at(r, slot) + HEAD_LEN + (uint32_t)*len, sum, sizeof sum))
        return TN_ESTATE;
    return tn_ct_equal(sum, want, sizeof sum) ? 0 : TN_EINVAL;
}

/* TN_ENOENT with *seq 0: none; TN_ESTATE. */
static int find_newest(const struct bridge_storage *s, const struct region *r, uint32_t *slot,
                       uint32_t *seq, size_t *len)
{
    *seq = 0;
    *slot = r->slots - 1u; /* so that the first save goes to the first slot */
    for (uint32_t i = 0; i < r->slots; i++) {
        uint32_t its_seq;
        size_t its_len;
        int err = check_slot(s, r, i, &its_seq, &its_len);

        if (err == TN_ESTATE)
            return err;
        if (err || its_seq <= *seq)
            continue;
        *seq = its_seq;
        *slot = i;
        *len = its_len;
    }
    return *seq ? 0 : TN_ENOENT;
}

size_t bridge_store_max(enum bridge_region which)
{
    return region[which].slot_len - BRIDGE_SLOT_OVERHEAD;
}

int bridge_store_load(const struct bridge_storage *s, enum bridge_region which, void *out, size_t cap,
                      size_t *len)
{
    const struct region *r = &region[which];
    uint32_t slot, seq;
    size_t found = 0;
    int err = find_newest(s, r, &slot, &seq, &found);

    if (err)
        return err;
    if (!found)
        return TN_ENOENT; /* erased */
    if (found > cap)
        return TN_ENOSPC;
    if (s->read(s->ctx, slot_at(r, slot) + HEAD_LEN, out, found))
        return TN_ESTATE;
    *len = found;
    return 0;
}

/* In one go from seq to check, in the order of the bytes: what a cut leaves does not check. */
static int write_slot(const struct bridge_storage *s, uint32_t at, uint32_t seq, const void *data,
                      size_t len)
{
    uint8_t head[HEAD_LEN], sum[CHECK_LEN];
    struct tn_blake2s hash;

    tn_put_be32(head, seq);
    tn_put_be16(head + 4, (uint16_t)len);
    tn_blake2s_init(&hash, CHECK_LEN, NULL, 0);
    tn_blake2s_update(&hash, head, sizeof head);
    if (len)
        tn_blake2s_update(&hash, data, len);
    tn_blake2s_final(&hash, sum);
    if (s->write(s->ctx, at, head, sizeof head) ||
        (len && s->write(s->ctx, at + HEAD_LEN, data, len)) ||
        s->write(s->ctx, at + HEAD_LEN + (uint32_t)len, sum, sizeof sum))
        return TN_ESTATE;
    return 0;
}

int bridge_store_save(const struct bridge_storage *s, enum bridge_region which, const void *data,
                      size_t len)
{
    const struct region *r = &region[which];
    uint32_t slot, seq;
    size_t found;
    int err;

    if (len > bridge_store_max(which))
        return TN_EINVAL;
    err = find_newest(s, r, &slot, &seq, &found);
    if (err && err != TN_ENOENT)
        return err;
    return write_slot(s, slot_at(r, (slot + 1u) % r->slots), seq + 1, data, len);
}

static int blank(const struct bridge_storage *s, uint32_t at, uint32_t len)
{
    static const uint8_t zeros[32];

    while (len) {
        uint32_t n = len < sizeof zeros ? len : sizeof zeros;

        if (s->write(s->ctx, at, zeros, n))
            return TN_ESTATE;
        at += n;
        len -= n;
    }
    return 0;
}

int bridge_store_erase(const struct bridge_storage *s, enum bridge_region which)
{
    const struct region *r = &region[which];
    uint32_t slot, seq;
    size_t found;
    int err = bridge_store_save(s, which, NULL, 0);

    if (!err)
        err = find_newest(s, r, &slot, &seq, &found);
    for (uint32_t i = 0; i < r->slots && !err; i++) {
        if (i != slot)
            err = blank(s, slot_at(r, i), r->slot_len);
    }
    return err;
}
