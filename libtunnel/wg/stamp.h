/* TAI64N time stamps that never go back, not over a restart either: the paper
 * (5.1, 5.4.2) refuses an initiation whose stamp is not greater than the last.
 *
 * The caller keeps a number on disk or in flash, the ceiling; no stamp goes
 * above it. At start it is read back and becomes the floor: whatever was given
 * out before the restart was lower. A jump of the wall clock does no harm. */
#ifndef TN_WG_STAMP_H
#define TN_WG_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/err.h"
#include "msg.h"

struct tn_stamp {
    uint64_t last_ns;    /* greatest given out, or the floor; unix time */
    uint64_t ceiling_ns; /* none above this */
};

/* floor_ns: the ceiling that was persisted last, or 0 on a machine's first start. No stamp is
 * given before tn_stamp_extend. */
void tn_stamp_init(struct tn_stamp *s, uint64_t floor_ns);
/* The new ceiling is already safely stored. UINT64_MAX: nothing is stored (a caller that relies on
 * its wall clock, as wireguard-go does). A lower ceiling than before is ignored. */
void tn_stamp_extend(struct tn_stamp *s, uint64_t ceiling_ns);
/* A ceiling worth storing: `ahead_ns` above the next stamp. */
uint64_t tn_stamp_wanted(const struct tn_stamp *s, uint64_t unix_ns, uint64_t ahead_ns);
/* True when less than `margin_ns` is left: time to store a new ceiling. */
bool tn_stamp_is_low(const struct tn_stamp *s, uint64_t unix_ns, uint64_t margin_ns);
/* The wall clock, or one nanosecond above the last stamp, whichever is greater. TN_ESTATE when
 * that is above the ceiling: store a higher one first. */
TN_MUST_CHECK int tn_stamp_next(struct tn_stamp *s, uint64_t unix_ns,
                                uint8_t out[TN_WG_STAMP_LEN]);

#endif
