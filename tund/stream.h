/* One TCP connection that carries datagrams (frames.h), under libuv: with TLS on it between tund, which
 * connects, if need be through an HTTP proxy, and tund-coord, which accepts; without between members.
 *
 * What is sent waits in a short queue that loses its oldest first; little is handed to the kernel at a
 * time, so that the queue is where packets wait. All functions run on the loop's thread, and the process
 * must ignore SIGPIPE. */
#ifndef TUND_STREAM_H
#define TUND_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

struct ssl_ctx_st; /* see tls.h */
struct stream;     /* heap; outlives stream_close until the loop has seen it */

struct stream_handler {
    void *ctx;
    void (*on_open)(void *ctx, struct stream *s); /* it is connected, and TLS stands */
    /* A datagram, in memory that lies still until on_batch_end returns; it may be rewritten. */
    void (*on_datagram)(void *ctx, struct stream *s, uint8_t *data, size_t len);
    void (*on_batch_end)(void *ctx, struct stream *s);
    /* It cannot go on; `why` is for people. Comes once; stream_close is the owner's part. */
    void (*on_end)(void *ctx, struct stream *s, const char *why);
};

struct stream_config {
    struct ssl_ctx_st *tls; /* lent until the stream's memory is gone; NULL: none, datagrams go as they are */
    bool server; /* it was accepted; without TLS it is open then, and on_open is not called */
    const char *sni;       /* client: host name for SNI, or NULL; copied */
    const char *preamble;  /* client: CONNECT request for the proxy, or NULL; copied, wiped when sent */
};

/* A socket that connects to `to`, without waiting; a negative errno. */
TN_MUST_CHECK int stream_connect(const struct tn_addr *to, uint32_t fwmark);
/* The same from a port of ours, which others share that were opened so, or by stream_listen. 0: any. */
TN_MUST_CHECK int stream_connect_from(uint16_t port, const struct tn_addr *to, uint32_t fwmark);
/* A listening socket on any address of one family and on a free port, which goes into *port; or a negative errno. */
TN_MUST_CHECK int stream_listen(bool v4, uint32_t fwmark, uint16_t *port);
/* Takes over fd, connected or on its way. On failure fd stays the caller's. */
TN_MUST_CHECK int stream_new(struct stream **out, uv_loop_t *loop, int fd,
                             const struct stream_config *config,
                             const struct stream_handler *handler);
/* May be called from within a handler. NULL is fine. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);
/* Why it could not be connected, a positive errno; 0: it was, or it is not known yet. */
int stream_error(const struct stream *s);
/* -ENOTCONN: it is not open (yet). -EMSGSIZE: too long. */
TN_MUST_CHECK int stream_send(struct stream *s, const void *data, size_t len);
/* Writes what can be written at once; for the last words of a program. */
void stream_flush(struct stream *s);
/* Datagrams that the queue has lost. */
uint64_t stream_dropped(const struct stream *s);

#endif
