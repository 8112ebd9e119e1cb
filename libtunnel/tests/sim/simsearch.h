/* What a program does for TN_EV_SEARCH, in the simulated world. */
#ifndef TN_SIM_SIMSEARCH_H
#define TN_SIM_SIMSEARCH_H

#include "simnode.h"

/* A datagram for another port than SIM_PORT. True: it is for the node, by the socket that was found. */
bool sim_take_search(struct simnode *n, const struct tn_addr *src, const struct tn_addr *dst,
                     const uint8_t *data, size_t len);
void sim_begin_search(struct simnode *n, const struct tn_event *e);

#endif
