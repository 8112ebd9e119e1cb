/* The lifetime lies between the longest pause that was outlived and the shortest that was
 * not. It is known well enough when those are 2 s apart, or an eighth: 30 s are told from
 * 32, and 180 from 200, in about eight trials. */
#include "natlife.h"

#define GAP_MIN_S 2

uint32_t tn_natlife_next_s(const struct tn_natlife *l)
{
    uint32_t gap_s = l->dead_s - l->alive_s;

    if (l->dead_s == 0) {
        if (l->alive_s >= TN_NATLIFE_MAX_S)
            return 0;
        if (l->alive_s == 0)
            return TN_NATLIFE_FIRST_S;
        return 2 * l->alive_s < TN_NATLIFE_MAX_S ? 2 * l->alive_s : TN_NATLIFE_MAX_S;
    }
    if (gap_s <= GAP_MIN_S || gap_s <= l->dead_s / 8)
        return 0;
    return l->alive_s + gap_s / 2;
}

void tn_natlife_result(struct tn_natlife *l, uint32_t after_s, bool alive)
{
    if (alive) {
        if (after_s > l->alive_s)
            l->alive_s = after_s;
        if (l->dead_s && l->dead_s <= l->alive_s)
            l->dead_s = 0;
    } else {
        if (!l->dead_s || after_s < l->dead_s)
            l->dead_s = after_s;
        if (l->alive_s >= l->dead_s)
            l->alive_s = 0;
    }
}
