/* A sliding window over received counters, in the manner of RFC 6479: a ring
 * of bits that is never shifted, only cleared ahead. Exactly TN_REPLAY_BITS
 * counters wide: the greatest one seen and those before it. */
#ifndef TN_WG_REPLAY_H
#define TN_WG_REPLAY_H

#include <stdint.h>

#include "../base/err.h"
#include "../base/sizes.h"

_Static_assert(TN_REPLAY_BITS >= 32 && (TN_REPLAY_BITS & (TN_REPLAY_BITS - 1)) == 0,
               "TN_REPLAY_BITS must be a power of two");

struct tn_replay {
    uint64_t next; /* greatest counter committed, plus one; 0 = none yet */
    uint32_t ring[TN_REPLAY_BITS / 32];
};

void tn_replay_init(struct tn_replay *r);
/* May this counter be accepted? Changes nothing: asked before the packet is opened. TN_EREPLAY:
 * seen, or older than the window; TN_EEXPIRED: at or above REJECT_AFTER_MESSAGES. */
TN_MUST_CHECK int tn_replay_check(const struct tn_replay *r, uint64_t counter);
/* Checks again and marks the counter as seen: only for a packet that was authenticated. */
TN_MUST_CHECK int tn_replay_commit(struct tn_replay *r, uint64_t counter);

#endif
