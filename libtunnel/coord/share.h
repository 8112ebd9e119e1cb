/* Fair shares of the relay when more comes than it can pass on: max-min, in passes. A pass is what
 * is taken from the sockets before any of it is sent. Cost is in the caller's unit. */
#ifndef TN_COORD_SHARE_H
#define TN_COORD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct tn_share {
    uint64_t pass;    /* which pass it is; never 0 once begun */
    uint64_t limit;   /* of each member in this pass */
    uint64_t light;   /* what those within the limit have taken in this pass */
    uint32_t heavy;   /* members that wanted more than the limit */
    uint32_t members; /* that sent anything */
};

/* One member's part; zeroed at first. */
struct tn_share_part {
    uint64_t pass, taken;
};

/* Begins a pass. `capacity`: what can be passed on in it, by all members together; 0 when there is
 * no overload: then nobody is limited. A lone member never is. */
void tn_share_begin(struct tn_share *s, uint64_t capacity);
/* False: the member has had its share of this pass, and gets nothing more of it. */
bool tn_share_take(struct tn_share *s, struct tn_share_part *p, uint64_t cost);

#endif
