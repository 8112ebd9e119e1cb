/* How it works: each datagram by a call of its own, relayed frames too; the handler's on_datagram gets
 * them all. */
#include "coord_batch.h"

#include <stdlib.h>

struct coord_batch {
    struct coord_net *net;
};

struct coord_batch *coord_batch_new(struct coord_net *n)
{
    struct coord_batch *b = calloc(1, sizeof(*b));

    if (b)
        b->net = n;
    return b;
}

void coord_batch_free(struct coord_batch *b)
{
    free(b);
}

void coord_batch_udp_handler(struct coord_batch *b, const struct udp_handler *inner,
                             struct udp_handler *out)
{
    *out = *inner;
}
