/* BEATs of a member's control session: client_beat.c says when. */
#ifndef TN_COORD_CLIENT_BEAT_H
#define TN_COORD_CLIENT_BEAT_H

#include "../base/now.h"
#include "beat.h"

struct tn_coord_client;

/* Fields are the module's own. */
struct tn_coord_beat {
    uint64_t due_us, sent_us;
    uint8_t tries, observed[TN_CTL_OBSERVED_LEN];
    bool seen; /* `observed` is set */
};

/* How often PINGs or BEATs go out, from now on; the first at once. */
void tn_coord_client_set_keepalive(struct tn_coord_client *c, uint64_t us, struct tn_now now);

#endif
