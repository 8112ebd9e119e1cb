/* How the coordinator's datagrams come in and relayed frames go out. Two files give these functions and
 * meson takes one: coord_batch_plain.c, datagram by datagram, or fast/coord_batch.c, in batches and
 * trains (-Dfast). What one may see differs in time only. */
#ifndef TUND_COORD_BATCH_H
#define TUND_COORD_BATCH_H

#include "coord_net.h"

struct coord_batch; /* heap */

/* NULL: no memory. `n` is borrowed until coord_batch_free; its handler must be set. */
struct coord_batch *coord_batch_new(struct coord_net *n);
void coord_batch_free(struct coord_batch *b); /* NULL is fine */

/* What to give udp_open, so that `inner` gets what is not the relay's; copies it. The datagrams that
 * `inner` gets have no head or tail room. */
void coord_batch_udp_handler(struct coord_batch *b, const struct udp_handler *inner,
                             struct udp_handler *out);

#endif
