/* A roster onto the disk, for tests that want one there. */
#ifndef TUND_TESTS_SAVE_ROSTER_H
#define TUND_TESTS_SAVE_ROSTER_H

#include <stdlib.h>

#include "libtunnel/member/roster.h"
#include "tund/state_record.h"

static inline const struct tn_member *save_roster_at(const void *ctx, uint32_t i)
{
    const struct tn_roster *r = ctx;

    return i < r->count ? &r->members[i] : NULL;
}

static inline int save_roster(struct state *s, const struct tn_roster *r, struct why *w)
{
    uint8_t *data = NULL;
    size_t len = 0;
    int err = state_encode_roster(save_roster_at, r, &data, &len, w);

    if (!err)
        err = state_write_roster(s, data, len, w);
    free(data);
    return err;
}

#endif
