/* Relayed frames on their way out: flights to one member are gathered to one train, however many
 * members' flights lie between them, and go with UDP_SEGMENT. Frames of one member keep their order.
 * Data stays where it is and must lie still until coord_out_flush. */
#ifndef TUND_FAST_COORD_OUT_H
#define TUND_FAST_COORD_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "libtunnel/coord/server.h"
#include "tund/coord_net.h"

#define COORD_OUT_FLIGHTS 1024u
#define COORD_OUT_OPEN 256u  /* members whose last train is remembered, a power of two */
#define COORD_OUT_ALONE_MAX 64u /* destinations that are remembered to take no trains */

struct coord_out_train {
    uint32_t first, last, flights; /* a list through `next` */
    uint32_t frames, receiver;
    uint8_t way;
    struct tn_addr dst;
    bool full; /* ended by a shorter frame, or not to be continued */
    size_t segment, len;
};

struct coord_out {
    struct coord_net *net;
    bool segments; /* the sockets know UDP_SEGMENT */
    uint32_t count, trains; /* that wait */
    uint32_t flushes;       /* so far */
    uint32_t alone_count, alone_next;
    struct tn_server_flight flight[COORD_OUT_FLIGHTS];
    uint32_t next[COORD_OUT_FLIGHTS];
    struct coord_out_train train[COORD_OUT_FLIGHTS];
    uint32_t open[COORD_OUT_OPEN]; /* train + 1, by receiver; 0: none */
    struct iovec iov[COORD_OUT_FLIGHTS];
    struct tn_addr alone[COORD_OUT_ALONE_MAX];
};

/* May flush what was there before. */
void coord_out_push(struct coord_out *o, const struct tn_server_flight *f);
/* What cannot be sent is lost, and counted in the net's counters. */
void coord_out_flush(struct coord_out *o);

#endif
