/* Max-min fairness without queues: who wants less than an equal share gets all that it wants, and
 * the others divide the rest evenly.
 *
 * The limit of a pass follows from the pass before: what the light members took is put aside, and what is
 * left of the capacity is divided by the number of the heavy ones. So it settles within a few
 * passes, and a pass is short (some hundred packets). Nothing is kept for a member but
 * two numbers, and there is nothing to do for those that send nothing.
 *
 * Called by server_relay.c. */
#include "share.h"

#define HEAVY UINT64_MAX /* taken: over the limit, and out of this pass */

static uint64_t next_limit(const struct tn_share *s, uint64_t capacity)
{
    if (!capacity || s->members < 2)
        return UINT64_MAX;
    if (!s->heavy || s->light >= capacity)
        return capacity / s->members + 1;
    return (capacity - s->light) / s->heavy + 1;
}

void tn_share_begin(struct tn_share *s, uint64_t capacity)
{
    s->limit = next_limit(s, capacity);
    s->pass++;
    s->light = 0;
    s->heavy = s->members = 0;
}

bool tn_share_take(struct tn_share *s, struct tn_share_part *p, uint64_t cost)
{
    if (p->pass != s->pass) {
        p->pass = s->pass;
        p->taken = 0;
        s->members++;
    }
    if (p->taken == HEAVY)
        return false;
    if (cost > s->limit - p->taken) {
        s->heavy++;
        s->light -= p->taken;
        p->taken = HEAVY;
        return false;
    }
    p->taken += cost;
    s->light += cost;
    return true;
}
