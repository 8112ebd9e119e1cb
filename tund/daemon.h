/* tund: one node between a TUN and two UDP sockets, on one libuv loop.
 *
 * Everything runs on the loop's thread. Whoever pushes into the node (a packet,
 * a datagram, a setting, a command from a control socket) calls tund_pump after
 * it, which pulls datagrams and events until there are none and arms the timer. */
#ifndef TUND_DAEMON_H
#define TUND_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/tunnel.h"

#include "io.h"
#include "netlink.h"
#include "options.h"
#include "sources.h"
#include "stage.h"
#include "tun.h"
#include "udp.h"

struct tund;
struct uapi;

/* What the overlay hangs into the daemon; any may be NULL. Functions that return int give 0 or a
 * negative errno, and have then put a sentence for the user into tund_fail. */
struct tund_hooks {
    void *ctx;
    /* Before the node exists: open and lock the state, say MTU, stamps and member_cap. */
    int (*configure)(void *ctx, struct tund *t, struct tn_node_config *cfg);
    /* Node, TUN, UDP and UAPI are there, the loop does not run yet: set key, card, roster,
     * coordinator, addresses and routes; open the control socket. */
    int (*start)(void *ctx, struct tund *t);
    /* Each event of the node, after the daemon's own handling. May push into the node. */
    void (*on_event)(void *ctx, const struct tn_event *ev);
    /* A datagram for a stream address; may lose it. */
    void (*send_stream)(void *ctx, const struct tn_addr *to, const uint8_t *data, size_t len);
    /* A datagram for tn_addr_lan(): to be multicast. */
    void (*send_lan)(void *ctx, const uint8_t *data, size_t len);
    /* Addresses or routes of the host changed, or it slept. tn_on_network_change was called. */
    void (*on_network_change)(void *ctx);
    /* The loop is about to end: close every handle, persist, remove routes. */
    void (*on_stop)(void *ctx);
};

/* A datagram that waits to be opened with others of its batch. */
struct tund_gathered {
    struct tn_buf b;
    const struct udp_source *from;
};
#define TUND_GATHERED_MAX 256u

struct tund {
    uv_loop_t loop;
    struct tund_options opt;
    char ifname[16]; /* as the kernel named it */
    uint16_t mtu;    /* inner, bytes */

    struct tn_node *node;
    struct tn_node_memory mem;
    void *arena; /* node and mem: one locked mapping */
    size_t arena_len;

    struct tun tun;
    struct udp udp;
    struct io *io; /* between these two and the pump */
    struct nl nl; /* of the namespace in which we were started */
    struct nl_monitor *monitor;
    struct stage stage;
    struct sources sources; /* which of our addresses each remote talks to */
    struct uapi *uapi;      /* NULL: not served */

    int timer_fd;      /* CLOCK_BOOTTIME: fires at once after a sleep that passed the deadline */
    uint64_t timer_us; /* what it is armed to, or TN_NEVER */
    uint64_t slept_us; /* boottime minus monotonic, as last seen */
    uint64_t woke_us;  /* when it was last noticed that we slept */
    struct tn_now batch_now; /* the moment of the packets that are being worked on */
    bool has_batch_now;
    uv_poll_t timer_poll, tun_poll;
    uv_signal_t sigterm, sigint, sighup, sigcont;
    int handle_count; /* of the five above: those that are initialised, in this order */
    uint8_t *out_mem; /* what tn_poll_out builds into */
    uint8_t *tun_mem; /* what a staged packet is taken into */
    struct tund_hooks hooks; /* hooks.ctx is the overlay */
    const struct udp_source *answering; /* the datagram being worked on, or NULL */
    uint32_t gathered_count;
    struct tund_gathered gathered[TUND_GATHERED_MAX];
    struct tn_job gathered_job[TUND_GATHERED_MAX];
    bool loop_open, started, pumping, pump_again, stopping;
    int exit_code;
    char failure[256];
};

/* The moment, once per entry: CLOCK_BOOTTIME and CLOCK_REALTIME. */
struct tn_now tund_now(void);
/* After any push. May be called from hooks (it then runs on when they return). */
void tund_pump(struct tund *t);
/* A datagram that came by the stream `from`, in memory that lies still until the next tund_pump, which is
 * the caller's part. The peer whose packet it proved to be, where that was data; else TN_NO_PEER. */
uint32_t tund_push_datagram(struct tund *t, uint8_t *data, size_t len, const struct tn_addr *from);
/* Ends the loop, soon. */
void tund_stop(struct tund *t, int exit_code);
/* Keeps a sentence for the user about why something failed, and returns `err`. */
int tund_fail(struct tund *t, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- what tund.c calls, in this order ---- */

TN_MUST_CHECK int tund_init(struct tund *t, const struct tund_options *opt);
TN_MUST_CHECK int tund_open(struct tund *t); /* node, TUN, UDP, UAPI, hooks.start */
int tund_run(struct tund *t);                /* the exit code */
void tund_free(struct tund *t);

#endif
