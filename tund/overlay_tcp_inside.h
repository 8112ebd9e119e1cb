/* What overlay_tcp*.c share; nobody else includes it.
 *
 *   overlay_tcp.c        sets of attempts: when they begin, what they wait for, how they end
 *   overlay_tcp_side.c   our port and our outside address, for each family
 *   overlay_tcp_conn.c   connections, those that we begin and those that come in
 *   overlay_tcp_report.c what is told of it
 *   tcptry.c             which address is connected to when
 */
#ifndef TUND_OVERLAY_TCP_INSIDE_H
#define TUND_OVERLAY_TCP_INSIDE_H

#include "libtunnel/path/stun.h"
#include "libtunnel/tcp.h"

#include "overlay_tcp.h"
#include "stream.h"
#include "tcptry.h"

#define TCP_SETS 8
#define TCP_SETS_ACTIVE 4
#define TCP_CONNS 16
#define TCP_STRANGERS 4              /* of these that came in and have proven nothing */
#define TCP_PROOF_US 10000000u       /* a connection by which nothing authentic came is closed after that */
#define TCP_SILENCE_US 120000000u    /* and so is one by which nothing has come any more: an idle path has its beats */
#define TCP_FIND_US 2500000u

struct tcp_listener { /* heap: outlives its handle's close */
    struct overlay_tcp *owner;
    uv_poll_t poll;
    int fd;
};

/* One family: our port, and how it is seen from outside. */
struct tcp_side {
    struct tcp_listener *listener; /* NULL: closed, or the host has no such family */
    uint16_t port;
    struct stream *ask; /* TLS to the coordinator, from that port; NULL: none */
    bool asking;
    uint8_t txid[TN_STUN_TXID_LEN];
    struct tn_addr outside; /* zero: not known */
};

struct tcp_conn { /* heap */
    struct overlay_tcp *owner;
    struct stream *s;
    struct tn_addr addr, remote; /* its stream address; where it leads */
    uint32_t peer;               /* TN_NO_PEER: not known yet */
    bool accepted, open, proven;
    bool told;                   /* the node knows it as a candidate */
    uint64_t since_us, heard_us;
};

enum tcp_phase {
    TCP_FREE,
    TCP_FINDING, /* our outside address */
    TCP_ASKING,  /* the peer for its addresses */
    TCP_TRYING,
    TCP_DONE,
};

struct tcp_set {
    uint32_t peer;
    uint8_t phase; /* enum tcp_phase */
    bool asks;     /* the peer does not know of it yet */
    uint8_t asked;
    uint8_t result; /* enum explain_tcp, once done */
    unsigned begun; /* sets for this peer so far */
    uint64_t due_us, begun_us;
    struct tn_addr own[TN_TCP_ADDRS_MAX];
    uint8_t own_count;
    uint16_t port[2];          /* our own, by family */
    struct tn_addr outside[2];
    struct tcptry attempts;
};

struct overlay_tcp { /* heap; the timer's close frees it */
    struct overlay *o; /* NULL: it is over */
    struct ssl_ctx_st *tls;
    bool sides_open;
    uint64_t find_end_us;
    struct tcp_side side[2]; /* IPv4, IPv6 */
    struct tcp_set set[TCP_SETS];
    struct tcp_conn *conn[TCP_CONNS];
    uint64_t count; /* connections so far */
    uint64_t timer_ms; /* 0: it does not run */
    uv_timer_t timer;
};

/* overlay_tcp.c: what is due is done, and the timer set. */
void tcp_run(struct overlay_tcp *x);
/* The set that is being tried with this address among its own; NULL: none. */
struct tcp_set *tcp_set_of(struct overlay_tcp *x, const struct tn_addr *remote, int *target);
struct tcp_set *tcp_set_for(struct overlay_tcp *x, uint32_t peer);

/* overlay_tcp_side.c */
void tcp_sides_open(struct overlay_tcp *x, uint64_t now_us);
void tcp_sides_close(struct overlay_tcp *x);
bool tcp_sides_are_ready(const struct overlay_tcp *x, uint64_t now_us);
/* Where we can be reached now, the outside addresses first; how many. */
size_t tcp_sides_list(const struct overlay_tcp *x, struct tn_addr out[TN_TCP_ADDRS_MAX]);

/* overlay_tcp_conn.c */
void tcp_conn_begin(struct overlay_tcp *x, struct tcp_set *set, unsigned target, uint64_t now_us);
void tcp_conn_accept(struct overlay_tcp *x, int listener);
void tcp_conn_drop(struct tcp_conn *c, const char *why);
/* Closes those that have proven nothing, or are silent; and those that `peer` (if not TN_NO_PEER) still waits for. */
void tcp_conns_sweep(struct overlay_tcp *x, uint64_t now_us);
void tcp_conns_stop_waiting(struct overlay_tcp *x, uint32_t peer);
bool tcp_conns_have_proven(const struct overlay_tcp *x, uint32_t peer);
bool tcp_conns_any(const struct overlay_tcp *x);

#endif
