/* The tunnel's UDP sockets: one for each family, on the same port, our own
 * non-blocking descriptors under uv_poll. Used by tund and tund-coord. Sends at
 * once or says why not; never queues. The sockets belong to the network namespace of
 * the process, wherever the TUN has been moved to. All functions return 0 or a negative errno. */
#ifndef TUND_UDP_H
#define TUND_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/buf.h"
#include "libtunnel/base/err.h"

/* Where a datagram came from, and which of our addresses it was sent to. */
struct udp_source {
    struct tn_addr remote;
    struct tn_addr local; /* port is ours; the address is zero where the kernel did not say */
    uint32_t ifindex;     /* where it came in; 0 where the kernel did not say */
};

struct udp;
struct udp_handler {
    void *ctx;
    /* buf is lent for the call; its datagram has TN_BUF_HEADROOM in front and TN_BUF_TAILROOM behind. */
    void (*on_datagram)(void *ctx, struct udp *u, struct tn_buf *buf, const struct udp_source *from);
    /* After the last of a batch of at most UDP_BATCH datagrams; may be NULL. */
    void (*on_batch_end)(void *ctx, struct udp *u);
    /* For who reads by himself, then in place of the two above; may be NULL. It reads one batch. */
    void (*on_readable)(void *ctx, struct udp *u, int fd);
    /* A new socket, to set options on before it is read from; may be NULL. */
    void (*on_socket)(void *ctx, struct udp *u, int fd);
};
#define UDP_BATCH 64

struct udp_config {
    uint16_t port;       /* 0: one that is free, the same for both families */
    struct tn_addr bind; /* zero: all addresses of both families; else one address, one family */
    uint32_t fwmark;     /* 0: none */
};

struct udp_socket; /* heap, one per family; outlives its handle's close */

/* What goes to one address by a socket of its own. */
struct udp_detour {
    struct tn_addr to;
    struct udp_socket *socket;
};
#define UDP_DETOURS 64

struct udp {
    uv_loop_t *loop;
    struct udp_handler handler;
    struct udp_config config;
    uint16_t port; /* host order, the one we have got */
    struct udp_socket *v4, *v6; /* NULL: the host has no such family */
    struct udp_detour detour[UDP_DETOURS]; /* the latest first */
    unsigned detours;
    uint8_t *memory;            /* one receive buffer */
    uint64_t send_busy;         /* datagrams lost to a full socket buffer */
};

/* -EADDRINUSE: the port is taken. -EAFNOSUPPORT only if neither family is there. */
TN_MUST_CHECK int udp_open(struct udp *u, uv_loop_t *loop, const struct udp_config *config,
                           const struct udp_handler *handler);
/* Moves to another port; on failure the old sockets stay as they are. */
TN_MUST_CHECK int udp_move(struct udp *u, uint16_t port);
TN_MUST_CHECK int udp_set_fwmark(struct udp *u, uint32_t fwmark);
/* The socket of that family, lent until udp_move or udp_close; -EAFNOSUPPORT where there is none. */
TN_MUST_CHECK int udp_fd(const struct udp *u, bool v4);
/* The same for what goes to that address: detours count. */
TN_MUST_CHECK int udp_fd_to(const struct udp *u, const struct tn_addr *to);
/* A further socket for IPv4, on a free port, with the options of ours; the caller's. */
TN_MUST_CHECK int udp_spare(const struct udp *u);
/* From now on all to this address leaves by that socket, and what comes in by it is handled like the rest.
 * Takes the descriptor, also on failure. One for the same address, and the oldest of too many, go. */
TN_MUST_CHECK int udp_add_detour(struct udp *u, const struct tn_addr *to, int fd);
void udp_drop_detours(struct udp *u);
void udp_close(struct udp *u); /* a zeroed struct is fine; the loop must run once more */

/* Sends to `to`; ttl 0 is the system's. local (may be NULL) is the source address to use: a
 * udp_source.local, so that an answer leaves from where it was asked. -EAGAIN and -ENOBUFS: the
 * socket buffer is full and the datagram is lost. -EMSGSIZE, -EHOSTUNREACH, -ENETUNREACH,
 * -ECONNREFUSED, -EPERM, ...: this destination, now. -EAFNOSUPPORT: no socket of that family. */
TN_MUST_CHECK int udp_send(struct udp *u, const void *data, size_t len, const struct tn_addr *to,
                           uint8_t ttl, const struct tn_addr *local);

#endif
