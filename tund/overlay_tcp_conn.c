/* Connections with members by TCP. WireGuard's messages are sealed from end to end already, so there is no TLS.
 *
 *   we connect:   CONNECTING --> open: the node asks it by PINGs, as any address that the peer has named
 *   it came in:   the same, if it came from an address that we are connecting to; else nothing is sent by it
 *   either:       what comes in proves it, by being authentic, and only data can; then it carries all that a
 *                 path does
 *
 * A stranger gets a place of four for ten seconds, loses it with the first datagram that is not authentic, and
 * never an answer. */
#include "overlay_tcp_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/wg/msg.h"
#include "log.h"
#include "udp_msg.h"

static const uint8_t share[4] = {0, 0, 0, 1}; /* the coordinator's stream has 0 */

/* ---- the table ---- */

static struct tcp_conn **free_place(struct overlay_tcp *x)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (!x->conn[i])
            return &x->conn[i];
    }
    return NULL;
}

static const struct tcp_conn *find(const struct overlay_tcp *x, const struct tn_addr *a)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i] && tn_addr_equal(&x->conn[i]->addr, a))
            return x->conn[i];
    }
    return NULL;
}

static size_t count_strangers(const struct overlay_tcp *x)
{
    size_t count = 0;

    for (size_t i = 0; i < TCP_CONNS; i++)
        count += x->conn[i] && x->conn[i]->accepted && !x->conn[i]->proven;
    return count;
}

bool tcp_conns_any(const struct overlay_tcp *x)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i])
            return true;
    }
    return false;
}

bool tcp_conns_have_proven(const struct overlay_tcp *x, uint32_t peer)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i] && x->conn[i]->proven && x->conn[i]->peer == peer)
            return true;
    }
    return false;
}

/* ---- ends ---- */

/* What the attempts learn from the end of a connection that never was of use. */
static void tell_attempts(struct tcp_conn *c)
{
    int target;
    struct tcp_set *set = tcp_set_of(c->owner, &c->remote, &target);

    if (!set || c->proven)
        return;
    if (c->open)
        tcptry_unproven(&set->attempts, (unsigned)target);
    else
        tcptry_failed(&set->attempts, (unsigned)target, stream_error(c->s) ? stream_error(c->s) : ETIMEDOUT,
                      tund_now().us);
}

void tcp_conn_drop(struct tcp_conn *c, const char *why)
{
    struct overlay_tcp *x = c->owner;
    char text[ADDR_TEXT_LEN];

    log_debug("TCP with %s: %s", addr_text(&c->remote, text), why);
    tell_attempts(c);
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i] == c)
            x->conn[i] = NULL;
    }
    stream_close(c->s);
    if (c->told || c->proven)
        tn_node_tcp_closed(x->o->t->node, c->peer, &c->addr, tund_now());
    free(c);
}

void tcp_conns_sweep(struct overlay_tcp *x, uint64_t now_us)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        struct tcp_conn *c = x->conn[i];

        if (c && c->open && !c->proven && now_us - c->since_us > TCP_PROOF_US)
            tcp_conn_drop(c, "nothing authentic came");
        else if (c && c->proven && now_us - c->heard_us > TCP_SILENCE_US)
            tcp_conn_drop(c, "it is not used any more");
    }
}

void tcp_conns_stop_waiting(struct overlay_tcp *x, uint32_t peer)
{
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i] && !x->conn[i]->open && x->conn[i]->peer == peer)
            tcp_conn_drop(x->conn[i], "no answer");
    }
}

/* In the middle of a batch, whose packets may still wait for the TUN. */
static void cut(struct tcp_conn *c, const char *why)
{
    struct tund *t = c->owner->o->t;

    tcp_conn_drop(c, why);
    tund_pump(t);
}

/* ---- one connection ---- */

/* From now on the node asks it. */
static void introduce(struct tcp_conn *c)
{
    struct overlay_tcp *x = c->owner;
    char text[ADDR_TEXT_LEN];

    log_debug("TCP with %s: connected%s", addr_text(&c->remote, text), c->accepted ? ", from there" : "");
    c->told = tn_node_tcp_opened(x->o->t->node, c->peer, &c->addr, tund_now()) == 0;
}

static void on_open(void *ctx, struct stream *s)
{
    struct tcp_conn *c = ctx;
    struct overlay_tcp *x = c->owner;
    struct tcp_set *set;
    int target;

    c->open = true;
    c->since_us = tund_now().us;
    set = tcp_set_of(x, &c->remote, &target);
    if (set)
        tcptry_connected(&set->attempts, (unsigned)target);
    introduce(c);
    tund_pump(x->o->t);
}

static void on_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct tcp_conn *c = ctx;
    enum tn_wg_type kind = tn_wg_classify(data, len);
    uint32_t peer;

    if (kind == TN_WG_NONE || (!c->proven && kind != TN_WG_DATA)) {
        cut(c, "bytes that are not a member's");
        return;
    }
    peer = tund_push_datagram(c->owner->o->t, data, len, &c->addr);
    if (peer == TN_NO_PEER && !c->proven && c->accepted) {
        cut(c, "a datagram that is not authentic");
        return;
    }
    if (peer == TN_NO_PEER)
        return;
    c->peer = peer;
    c->proven = true;
    c->heard_us = tund_now().us;
}

static void on_batch_end(void *ctx, struct stream *s)
{
    struct tcp_conn *c = ctx;

    tund_pump(c->owner->o->t);
}

static void on_end(void *ctx, struct stream *s, const char *why)
{
    struct tcp_conn *c = ctx;
    struct overlay_tcp *x = c->owner;

    tcp_conn_drop(c, why);
    tcp_run(x);
    tund_pump(x->o->t);
}

/* fd is the connection's, or closed. NULL: there is no room for it. */
static struct tcp_conn *new_conn(struct overlay_tcp *x, int fd, const struct tn_addr *remote, bool accepted)
{
    const struct stream_config config = {.server = accepted};
    struct stream_handler handler = {
        .on_open = on_open, .on_datagram = on_datagram, .on_batch_end = on_batch_end, .on_end = on_end};
    struct tcp_conn **place = free_place(x);
    struct tcp_conn *c = place ? calloc(1, sizeof(*c)) : NULL;

    handler.ctx = c;
    if (!c || stream_new(&c->s, &x->o->t->loop, fd, &config, &handler)) {
        free(c);
        close(fd);
        return NULL;
    }
    c->owner = x;
    c->peer = TN_NO_PEER;
    c->remote = *remote;
    c->accepted = c->open = accepted;
    c->since_us = tund_now().us;
    c->addr = tn_addr_stream(share, ++x->count);
    *place = c;
    return c;
}

void tcp_conn_begin(struct overlay_tcp *x, struct tcp_set *set, unsigned target, uint64_t now_us)
{
    const struct tn_addr *to = &set->attempts.target[target].addr;
    const struct tcp_side *side = &x->side[tn_addr_is_v4(to) ? 0 : 1];
    int fd = side->port ? stream_connect_from(side->port, to, x->o->t->udp.config.fwmark) : -EAFNOSUPPORT;
    struct tcp_conn *c = fd < 0 ? NULL : new_conn(x, fd, to, false);

    if (c)
        c->peer = set->peer;
    else
        tcptry_failed(&set->attempts, target, fd < 0 ? -fd : ENOBUFS, now_us);
}

void tcp_conn_accept(struct overlay_tcp *x, int listener)
{
    union udp_sockaddr sa;
    socklen_t len = sizeof(sa);
    int target, fd = accept4(listener, &sa.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct tn_addr from;
    struct tcp_set *set;
    struct tcp_conn *c;

    if (fd < 0)
        return;
    if (count_strangers(x) >= TCP_STRANGERS) {
        close(fd);
        return;
    }
    from = udp_from_sockaddr(&sa);
    c = new_conn(x, fd, &from, true);
    set = c ? tcp_set_of(x, &from, &target) : NULL;
    if (!set)
        return;
    tcptry_connected(&set->attempts, (unsigned)target);
    c->peer = set->peer;
    introduce(c);
}

bool overlay_tcp_send(struct overlay *o, const struct tn_addr *to, const uint8_t *data, size_t len)
{
    const struct tcp_conn *c;

    if (memcmp(to->ip + 4, share, sizeof(share)) != 0)
        return false;
    c = o->tcp ? find(o->tcp, to) : NULL;
    if (c && stream_send(c->s, data, len))
        log_trace("a datagram of %zu bytes is lost: its TCP connection is not there", len);
    return true;
}

struct tn_addr overlay_tcp_shown(const struct overlay *o, const struct tn_addr *a)
{
    const struct tcp_conn *c = o->tcp && tn_addr_is_stream(a) ? find(o->tcp, a) : NULL;

    return c ? c->remote : *a;
}
