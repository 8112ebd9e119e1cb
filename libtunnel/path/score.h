/* What ways to a peer are compared by: one number of microseconds, the less the better. */
#ifndef TN_PATH_SCORE_H
#define TN_PATH_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "cand.h"

/* What a way costs beside its time, in microseconds of round trip that one would wait to be spared it. */
#define TN_COST_LAN 0u
#define TN_COST_PUBLIC 3000u   /* a router that turns packets around is as near, but in the way, and forgets */
#define TN_COST_MEMBER 25000u  /* everything passes its link twice, but nobody pays for a coordinator */
#define TN_COST_TCP 50000u     /* what is lost holds up all that comes behind it */
#define TN_COST_RELAY 100000u  /* somebody pays for the coordinator's traffic */

/* A packet of a hundred lost is worth 6 ms: a part in four, the loss at which TCP starves, 150 ms. */
#define TN_SCORE_LOSS_US 600000u
#define TN_SCORE_SAMPLES 32 /* loss counts once it rests on so many PINGs */

/* The price of an address as a way. */
uint32_t tn_score_cost_us(const struct tn_addr *addr);
/* Smoothed round-trip time, loss, and what the way costs; microseconds. UINT32_MAX where the time is unknown. */
uint32_t tn_score_us(const struct tn_cand *c);
/* The same but for its loss. */
uint32_t tn_score_clean_us(const struct tn_cand *c);
/* Is `score` lower than `than` by so much that a change is worth it: 2 ms and a tenth of it? */
bool tn_score_beats(uint32_t score_us, uint32_t than_us);

#endif
