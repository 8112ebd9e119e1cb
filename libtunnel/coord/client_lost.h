/* What a member does when it is told that its session is lost: client_lost.c. */
#ifndef TN_COORD_CLIENT_LOST_H
#define TN_COORD_CLIENT_LOST_H

#include "../base/addr.h"
#include "../base/now.h"
#include "lost.h"

#define TN_COORD_LOST_BURST 4 /* hints that are acted on at once; then one for each refill */

/* Fields are the module's own. */
struct tn_coord_lost {
    uint32_t own_index; /* of the last session, which may be dropped by now; 0: there was none */
    uint8_t echo[TN_CTL_ECHO_LEN]; /* the end of the last BEAT */
    uint8_t spent;      /* of TN_COORD_LOST_BURST */
    bool is_paid;       /* the question under way was a hint's: its answer costs nothing more */
    uint64_t refill_us; /* when `spent` was last lowered, or began */
};

#endif
