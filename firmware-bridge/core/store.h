/* Records that outlive a power cut (docs/FIRMWARE.md, "Storage").
 *
 * The storage is cut into regions, each a ring of slots of one size. A save writes the slot after
 * the newest one, so the newest stays whole until the new one is; a load takes the newest slot
 * whose check matches. A cut at any byte leaves the old record or the new one.
 *
 *   slot   seq[4] len[2] data[len] check[4]: BLAKE2s-4 of all before; big endian */
#ifndef BRIDGE_STORE_H
#define BRIDGE_STORE_H

#include "bridge.h"

#define BRIDGE_SLOT_OVERHEAD 10u

enum bridge_region {
    BRIDGE_REGION_IDENTITY, /* keys, coordinator, card */
    BRIDGE_REGION_STAMP,    /* the ceiling of handshake stamps */
    BRIDGE_REGION_SETTINGS, /* budget, what was learned of carriers */
    BRIDGE_REGIONS,
};

/* The longest data that a region's slot takes. */
size_t bridge_store_max(enum bridge_region r);
/* The newest record into `out`, its length into *len. TN_ENOENT: there is none; TN_ENOSPC: it is
 * longer than `cap`; TN_ESTATE: the storage cannot be read. */
TN_MUST_CHECK int bridge_store_load(const struct bridge_storage *s, enum bridge_region r, void *out,
                                    size_t cap, size_t *len);
/* TN_EINVAL: too long; TN_ESTATE: the storage refused, and the record before is still there. */
TN_MUST_CHECK int bridge_store_save(const struct bridge_storage *s, enum bridge_region r,
                                    const void *data, size_t len);
/* No record at all. TN_ESTATE. */
TN_MUST_CHECK int bridge_store_erase(const struct bridge_storage *s, enum bridge_region r);

#endif
