/* The coordinator's sockets: for each address that it listens on one on the main
 * and one on the alternate port. Datagrams come in with, and go out through, a
 * *way*: one of our sockets together with one of our addresses. So what goes to a member
 * always leaves from where that member sent its last message to, as its NAT wants. */
#ifndef TUND_COORD_NET_H
#define TUND_COORD_NET_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"
#include "libtunnel/coord/server.h"

#include "coord_options.h"
#include "udp.h"
#include "why.h"

#define COORD_SOCKETS_MAX (2 * COORD_LISTEN_MAX)
#define COORD_WAYS_MAX 255

struct coord_net_handler {
    void *ctx;
    /* A datagram, to be rewritten in place where that helps. */
    void (*on_datagram)(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data,
                        size_t len);
    void (*on_batch_end)(void *ctx);
    /* Of the relay, where datagrams come in batches (coord_batch.h): tn_server_relay_pass, and
     * tn_server_relay_next, whose `now` is the callee's to set. NULL: on_datagram gets all. */
    void (*on_pass)(void *ctx, uint64_t capacity);
    bool (*on_train)(void *ctx, struct tn_server_train *t, struct tn_server_flight *f);
};

struct coord_net_counters {
    uint64_t stun_answers, stun_silent;
    uint64_t send_busy;   /* lost to a full socket buffer */
    uint64_t send_errors; /* refused by the system: no route, and the like */
};

struct coord_batch; /* coord_batch.h */

struct coord_net {
    struct coord_net_handler handler;
    struct coord_batch *batch;
    struct udp udp[COORD_SOCKETS_MAX];
    unsigned udp_count;
    struct {
        uint8_t socket;
        struct tn_addr local; /* zero: the system chooses */
    } way[COORD_WAYS_MAX];
    unsigned way_count; /* the first udp_count are those of a socket alone */
    struct coord_net_counters counters;
};

/* Opens all sockets, or none. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, ...; *w tells of which. */
TN_MUST_CHECK int coord_net_open(struct coord_net *n, uv_loop_t *loop,
                                 const struct coord_options *o,
                                 const struct coord_net_handler *handler, struct why *w);
/* A zeroed struct is fine. The loop must run once more. */
void coord_net_close(struct coord_net *n);

/* The way through a socket and an own address; zero: the system chooses that. */
uint8_t coord_net_way(struct coord_net *n, unsigned socket, const struct tn_addr *local);
void coord_net_send(struct coord_net *n, uint8_t way, const struct tn_addr *to, const void *data,
                    size_t len);
/* The same, but from a neighbour of the way: TN_DIAL_PORT, the other port of its address;
 * TN_DIAL_ADDRESS, another address of that family, and there the other port. */
void coord_net_dial(struct coord_net *n, uint8_t way, uint8_t turn, const struct tn_addr *to,
                    const void *data, size_t len);
/* What coord_net_dial can do in a family; bits of enum tn_dial_from. */
uint8_t coord_net_can_dial(const struct coord_net *n, bool v4);

/* The address and port that socket i is bound to; i below udp_count. Even: main, odd: alternate. */
struct tn_addr coord_net_bound(const struct coord_net *n, unsigned i);
/* The address that this host would use towards the Internet, without a packet; zero: none. */
struct tn_addr coord_net_own_address(bool v4);

#endif
