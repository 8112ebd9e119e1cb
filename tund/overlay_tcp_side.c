/* Our own port for TCP, and how it is seen from outside. One port serves it all: the listening socket, the
 * connections to members, and a TLS connection to the coordinator, by which STUN tells what the NAT has made of that
 * port (PROTOCOL.md section 8). A NAT that maps a port independently of where it leads shows members the same. The
 * TLS connection stays until the attempts are over, so that the mapping does; it proves nothing to the coordinator, which closes
 * it by itself after ten seconds. */
#include "overlay_tcp_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "secure.h"
#include "tls.h"

#define ACCEPTS_PER_WAKE 4

/* ---- the coordinator is asked ---- */

static struct tcp_side *side_of(struct overlay_tcp *x, const struct stream *s)
{
    return &x->side[x->side[0].ask == s ? 0 : 1];
}

static void on_open(void *ctx, struct stream *s)
{
    struct overlay_tcp *x = ctx;
    struct tcp_side *side = side_of(x, s);
    uint8_t request[TN_STUN_V6_LEN];
    size_t len = tn_stun_request(side == &x->side[1], side->txid, request, sizeof(request));

    if (!len || stream_send(s, request, len))
        side->asking = false;
}

static void on_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct overlay_tcp *x = ctx;
    struct tcp_side *side = side_of(x, s);
    struct tn_addr mapped;

    if (!side->asking || tn_stun_consume_answer(data, len, side->txid, &mapped))
        return;
    side->outside = mapped;
    side->asking = false;
}

static void on_batch_end(void *ctx, struct stream *s)
{
    struct overlay_tcp *x = ctx;

    tcp_run(x);
    tund_pump(x->o->t);
}

static void on_end(void *ctx, struct stream *s, const char *why)
{
    struct overlay_tcp *x = ctx;
    struct tcp_side *side = side_of(x, s);

    log_debug("the coordinator by TCP, for our outside address: %s", why);
    stream_close(s);
    side->ask = NULL;
    side->asking = false;
}

static int ask(struct overlay_tcp *x, struct tcp_side *side, struct tn_addr to)
{
    const struct stream_config config = {.tls = x->tls};
    const struct stream_handler handler = {.ctx = x,
                                           .on_open = on_open,
                                           .on_datagram = on_datagram,
                                           .on_batch_end = on_batch_end,
                                           .on_end = on_end};
    const struct tund *t = x->o->t;
    int fd, err = secure_random(side->txid, sizeof(side->txid));

    if (err)
        return err;
    to.port = t->opt.tls_port;
    fd = stream_connect_from(side->port, &to, t->udp.config.fwmark);
    if (fd < 0)
        return fd;
    err = stream_new(&side->ask, &x->o->t->loop, fd, &config, &handler);
    if (err)
        close(fd);
    side->asking = !err;
    return err;
}

/* ---- the port ---- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void close_listener(struct tcp_listener *l)
{
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct tcp_listener *l = poll->data;
    struct overlay_tcp *x = l->owner;

    for (int i = 0; i < ACCEPTS_PER_WAKE; i++)
        tcp_conn_accept(x, l->fd);
    tcp_run(x);
    tund_pump(x->o->t);
}

static int open_listener(struct overlay_tcp *x, struct tcp_side *side)
{
    struct tcp_listener *l = calloc(1, sizeof(*l));
    int err;

    if (!l)
        return -ENOMEM;
    l->owner = x;
    l->fd = stream_listen(side == &x->side[0], x->o->t->udp.config.fwmark, &side->port);
    err = l->fd < 0 ? l->fd : uv_poll_init(&x->o->t->loop, &l->poll, l->fd);
    if (err) {
        if (l->fd >= 0)
            close(l->fd);
        free(l);
        return err;
    }
    l->poll.data = l;
    err = uv_poll_start(&l->poll, UV_READABLE, on_connection);
    if (err)
        close_listener(l);
    else
        side->listener = l;
    return err;
}

void tcp_sides_open(struct overlay_tcp *x, uint64_t now_us)
{
    const struct tn_addr *coordinator[2] = {&x->o->coordinator.v4, &x->o->coordinator.v6};
    struct why w;

    if (x->sides_open)
        return;
    x->sides_open = true;
    x->find_end_us = now_us + TCP_FIND_US;
    if (!x->tls && tls_client_new(&x->tls, &w))
        log_debug("our outside address by TCP cannot be asked for: %s", w.text);
    for (int i = 0; i < 2; i++) {
        struct tcp_side *side = &x->side[i];
        int err;

        memset(side, 0, sizeof(*side));
        err = open_listener(x, side);
        if (!err && x->tls && !tn_addr_is_zero(coordinator[i]))
            err = ask(x, side, *coordinator[i]);
        if (err)
            log_debug("TCP to members by IPv%d: %s", i ? 6 : 4, strerror(-err));
    }
}

void tcp_sides_close(struct overlay_tcp *x)
{
    for (int i = 0; i < 2; i++) {
        close_listener(x->side[i].listener);
        stream_close(x->side[i].ask);
        memset(&x->side[i], 0, sizeof(x->side[i]));
    }
    x->sides_open = false;
}

bool tcp_sides_are_ready(const struct overlay_tcp *x, uint64_t now_us)
{
    return now_us >= x->find_end_us || (!x->side[0].asking && !x->side[1].asking);
}

static void add(struct tn_addr out[TN_TCP_ADDRS_MAX], size_t *count, const struct tn_addr *a)
{
    for (size_t i = 0; i < *count; i++) {
        if (tn_addr_equal(&out[i], a))
            return;
    }
    if (*count < TN_TCP_ADDRS_MAX)
        out[(*count)++] = *a;
}

size_t tcp_sides_list(const struct overlay_tcp *x, struct tn_addr out[TN_TCP_ADDRS_MAX])
{
    struct tn_addr host[TN_CANDLIST_SEND_MAX];
    uint32_t hosts = 0;
    size_t count = 0;

    for (int i = 0; i < 2; i++) {
        if (!tn_addr_is_zero(&x->side[i].outside))
            add(out, &count, &x->side[i].outside);
    }
    if (!overlay_net_hosts(x->o, host, TN_CANDLIST_SEND_MAX, &hosts))
        return count;
    for (uint32_t i = 0; i < hosts; i++) {
        const struct tcp_side *side = &x->side[tn_addr_is_v4(&host[i]) ? 0 : 1];

        host[i].port = side->port;
        if (side->listener)
            add(out, &count, &host[i]);
    }
    return count;
}
