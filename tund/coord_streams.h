/* The coordinator's TLS connections (PROTOCOL.md section 8), for members whose networks block UDP. What
 * comes by one goes to the same handler as datagrams do, with a stream address as its source.
 *
 * Nobody has proven anything when he connects, so all is bounded: connections in all and from one
 * source, new ones per second from one source, the time until TLS stands and a control session
 * speaks through it, and what waits to be sent. */
#ifndef TUND_COORD_STREAMS_H
#define TUND_COORD_STREAMS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#include "coord_net.h"
#include "coord_options.h"
#include "why.h"

#define COORD_WAY_STREAM 255 /* beside the ways of coord_net.h */
#define COORD_STREAMS_PER_SOURCE 64
#define COORD_STREAM_PROOF_US 10000000ull  /* TLS, and a sealed answer of the server's, within that */
#define COORD_STREAM_SILENCE_US 90000000ull /* without such an answer it is closed */
#define COORD_STREAM_RATE_ROWS 1024
#define COORD_STREAM_RATE 10 /* new connections a second from one source; five times that at once */

struct ssl_ctx_st;
struct coord_stream; /* one connection */

struct coord_streams {
    uv_loop_t *loop;
    struct coord_net_handler handler;
    struct ssl_ctx_st *tls;
    struct coord_listener {
        struct coord_streams *owner;
        uv_poll_t poll;
        int fd;
        struct tn_addr at;
    } *listener[COORD_LISTEN_MAX];
    unsigned listener_count;
    uv_timer_t *sweep; /* heap: it outlives coord_streams_close */
    struct coord_stream **row; /* `max` of them, NULL: free */
    uint32_t max, used;
    uint64_t next_id;
    bool passing; /* a pass of the relay was begun for this batch */
    uint8_t share_key[32];
    struct {
        uint64_t at_us;
        uint32_t left;
    } rate[COORD_STREAM_RATE_ROWS];
    uint64_t accepted, refused, dropped; /* connections, connections, datagrams */
};

/* Listens on the TLS port of each address. Where the port was not asked for (o->tls_port_given) and
 * cannot be had, nothing listens there, and that is no error. */
TN_MUST_CHECK int coord_streams_open(struct coord_streams *c, uv_loop_t *loop,
                                     const struct coord_options *o,
                                     const struct coord_net_handler *handler, struct why *w);
/* A zeroed struct is fine. The loop must run once more. */
void coord_streams_close(struct coord_streams *c);
/* To a stream address; one that is closed by now loses the datagram. */
void coord_streams_send(struct coord_streams *c, const struct tn_addr *to, const void *data,
                        size_t len);

#endif
