/* How long does a NAT keep a mapping that nobody uses? Each trial is a fresh mapping left alone for a
 * time, and then knocked at from outside. Doubling from 15 s, then bisection; never above half an hour. */
#ifndef TN_PATH_NATLIFE_H
#define TN_PATH_NATLIFE_H

#include <stdbool.h>
#include <stdint.h>

#define TN_NATLIFE_FIRST_S 15
#define TN_NATLIFE_MAX_S 1800

struct tn_natlife {
    uint32_t alive_s; /* the longest pause that a mapping has outlived; 0: none yet */
    uint32_t dead_s;  /* the shortest that one has not; 0: none yet */
};

/* How long the next mapping is to be left alone; 0: it is known as well as it has to be. */
uint32_t tn_natlife_next_s(const struct tn_natlife *l);
/* What became of it. A trial that contradicts an older one is believed: the network has changed. */
void tn_natlife_result(struct tn_natlife *l, uint32_t after_s, bool alive);

#endif
