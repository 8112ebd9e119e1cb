/* The coordinator by TLS, where UDP does not reach it (PROTOCOL.md section 8).
 *
 * The node says when it wants a stream, or another one. All ways are then tried at once: to the
 * coordinator's IPv4 and IPv6 address, and through the HTTP proxy, if there is one, by name, since behind
 * a proxy there may be no name service. The first whose TLS stands is used and the others are
 * closed. When none stands in time they are tried again after 1, 2, 4 .. 30 s, and at once when
 * the host's network or the coordinator's address changed.
 *
 * Only control and relay messages are taken from a stream. */
#include "overlay_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/coord/msg.h"

#include "log.h"
#include "proxy.h"
#include "secure.h"
#include "stream.h"
#include "tls.h"

#define ATTEMPT_MS 8000
#define RETRY_MIN_MS 1000u
#define RETRY_MAX_MS 30000u

enum way { WAY_V4, WAY_V6, WAY_PROXY, WAYS };

/* Secret, for the proxy's password. */
struct overlay_stream {
    struct overlay *o;
    struct ssl_ctx_st *tls; /* NULL until it is needed */
    struct proxy proxy;
    struct resolve *lookup; /* of the proxy's name */
    struct stream *way[WAYS]; /* being tried, or (`up`) in use; NULL: not */
    bool trying;
    int up; /* which one is in use; -1: none */
    uint64_t count; /* streams so far, so that each has an address of its own */
    struct tn_addr addr;
    char endpoint[TN_HOST_SIZE + 32]; /* for people */
    unsigned failures; /* in a row */
    char error[160];
    uv_timer_t timer; /* an attempt's end, or the next one's begin */
};

static void begin(struct overlay_stream *x);

/* ---- ends ---- */

static void close_ways(struct overlay_stream *x, int but)
{
    for (int i = 0; i < WAYS; i++) {
        if (i == but)
            continue;
        stream_close(x->way[i]);
        x->way[i] = NULL;
    }
    resolve_stop(x->lookup);
    x->lookup = NULL;
}

static void drop(struct overlay_stream *x)
{
    bool was_up = x->up >= 0;

    close_ways(x, -1);
    x->trying = false;
    x->up = -1;
    if (was_up)
        tn_node_set_stream(x->o->t->node, NULL, tund_now());
}

static void on_timer(uv_timer_t *timer);

static void retry_later(struct overlay_stream *x)
{
    uint64_t wait_ms = RETRY_MIN_MS << (x->failures < 5 ? x->failures : 5);

    if (wait_ms > RETRY_MAX_MS)
        wait_ms = RETRY_MAX_MS;
    if (x->failures++ == 0)
        log_info("coordinator %s: neither UDP nor TLS reaches it (%s)", x->o->self.coordinator.host,
                 x->error);
    if (uv_timer_start(&x->timer, on_timer, wait_ms, 0))
        log_error("no timer to try TLS again");
}

/* Nothing is left of the attempt. */
static void attempt_failed(struct overlay_stream *x)
{
    drop(x);
    retry_later(x);
}

static void on_timer(uv_timer_t *timer)
{
    struct overlay_stream *x = timer->data;

    if (!x->trying) {
        begin(x);
        return;
    }
    snprintf(x->error, sizeof(x->error), "no answer");
    attempt_failed(x);
}

/* ---- one way ---- */

static int way_of(const struct overlay_stream *x, const struct stream *s)
{
    int i = 0;

    while (i < WAYS - 1 && x->way[i] != s)
        i++;
    return i;
}

static void on_open(void *ctx, struct stream *s)
{
    static const uint8_t no_share[4];
    struct overlay_stream *x = ctx;
    struct overlay *o = x->o;
    const struct tn_addr *to = way_of(x, s) == WAY_V4 ? &o->coordinator.v4 : &o->coordinator.v6;
    char text[ADDR_TEXT_LEN];

    x->up = way_of(x, s);
    x->trying = false;
    x->failures = 0;
    close_ways(x, x->up);
    (void)uv_timer_stop(&x->timer);
    if (x->up == WAY_PROXY)
        snprintf(x->endpoint, sizeof(x->endpoint), "proxy %s:%u", x->proxy.host, x->proxy.port);
    else
        snprintf(x->endpoint, sizeof(x->endpoint), "%s port %u", addr_ip_text(to, text),
                 o->t->opt.tls_port);
    log_info("coordinator %s: UDP does not reach it, TLS does (%s)", o->self.coordinator.host,
             x->endpoint);
    x->addr = tn_addr_stream(no_share, ++x->count);
    tn_node_set_stream(o->t->node, &x->addr, tund_now());
    tund_pump(o->t);
}

static void on_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct overlay_stream *x = ctx;

    if (tn_ctl_is_control(data, len))
        tund_push_datagram(x->o->t, data, len, &x->addr);
}

static void on_batch_end(void *ctx, struct stream *s)
{
    struct overlay_stream *x = ctx;

    tund_pump(x->o->t);
}

static void on_end(void *ctx, struct stream *s, const char *why)
{
    struct overlay_stream *x = ctx;
    int way = way_of(x, s);
    bool any = x->lookup != NULL;

    log_debug("coordinator by TLS, %s: %s", way == WAY_PROXY ? "proxy" : way == WAY_V4 ? "IPv4" : "IPv6",
              why);
    snprintf(x->error, sizeof(x->error), "%s", why);
    stream_close(s);
    x->way[way] = NULL;
    if (way == x->up) {
        drop(x);
        begin(x);
        tund_pump(x->o->t);
        return;
    }
    for (int i = 0; i < WAYS; i++)
        any = any || x->way[i];
    if (!any)
        attempt_failed(x);
}

static void try_way(struct overlay_stream *x, enum way way, const struct tn_addr *to)
{
    const struct tund *t = x->o->t;
    const char *host = x->o->self.coordinator.host;
    uint8_t ip[16];
    bool literal = inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
    char request[PROXY_REQUEST_SIZE];
    struct stream_config config = {.tls = x->tls, .sni = literal ? NULL : host};
    const struct stream_handler handler = {.ctx = x,
                                           .on_open = on_open,
                                           .on_datagram = on_datagram,
                                           .on_batch_end = on_batch_end,
                                           .on_end = on_end};
    int fd, err;

    if (way == WAY_PROXY && proxy_request(&x->proxy, host, t->opt.tls_port, request))
        config.preamble = request;
    fd = stream_connect(to, t->udp.config.fwmark);
    err = fd < 0 ? fd : stream_new(&x->way[way], &x->o->t->loop, fd, &config, &handler);
    tn_wipe(request, sizeof(request));
    if (!err)
        return;
    if (fd >= 0)
        close(fd);
    x->way[way] = NULL;
    snprintf(x->error, sizeof(x->error), "%s", strerror(-err));
}

/* ---- all of them ---- */

static void on_proxy_resolved(void *ctx, const struct resolve_result *r)
{
    struct overlay_stream *x = ctx;

    x->lookup = NULL;
    if (r->count)
        try_way(x, WAY_PROXY, &r->addr[0]);
    else
        snprintf(x->error, sizeof(x->error), "the proxy %.100s has no address", x->proxy.host);
    if (!x->way[WAY_V4] && !x->way[WAY_V6] && !x->way[WAY_PROXY])
        attempt_failed(x);
}

static void try_proxy(struct overlay_stream *x)
{
    uint8_t ip[16];
    struct tn_addr a;
    int err;

    if (inet_pton(AF_INET, x->proxy.host, ip) == 1) {
        a = tn_addr_v4(ip, x->proxy.port);
        try_way(x, WAY_PROXY, &a);
    } else if (inet_pton(AF_INET6, x->proxy.host, ip) == 1) {
        a = tn_addr_v6(ip, x->proxy.port);
        try_way(x, WAY_PROXY, &a);
    } else {
        err = resolve_start(&x->lookup, &x->o->t->loop, x->proxy.host, x->proxy.port,
                            on_proxy_resolved, x);
        if (err)
            snprintf(x->error, sizeof(x->error), "%s", strerror(-err));
    }
}

static void begin(struct overlay_stream *x)
{
    struct tn_coord_info info;
    struct why w;
    struct tn_addr to[2] = {x->o->coordinator.v4, x->o->coordinator.v6};

    tn_node_coord_info(x->o->t->node, &info);
    if (!info.wants_stream)
        return;
    if (!x->tls && tls_client_new(&x->tls, &w)) {
        snprintf(x->error, sizeof(x->error), "%.150s", w.text);
        retry_later(x);
        return;
    }
    snprintf(x->error, sizeof(x->error), "no address of it is known");
    for (int i = 0; i < 2; i++) {
        if (tn_addr_is_zero(&to[i]))
            continue;
        to[i].port = x->o->t->opt.tls_port;
        try_way(x, i ? WAY_V6 : WAY_V4, &to[i]);
    }
    if (x->proxy.set)
        try_proxy(x);
    x->trying = x->way[WAY_V4] || x->way[WAY_V6] || x->way[WAY_PROXY] || x->lookup;
    if (!x->trying)
        retry_later(x);
    else if (uv_timer_start(&x->timer, on_timer, ATTEMPT_MS, 0))
        log_error("no timer to end an attempt of TLS");
}

/* ---- what the overlay calls ---- */

void overlay_stream_on_event(struct overlay *o)
{
    if (!o->stream)
        return;
    if (o->stream->up >= 0)
        log_info("coordinator %s: the TLS connection ends", o->self.coordinator.host);
    (void)uv_timer_stop(&o->stream->timer);
    drop(o->stream);
    o->stream->failures = 0;
    begin(o->stream);
}

void overlay_stream_on_change(struct overlay *o)
{
    if (!o->stream || o->stream->up >= 0)
        return;
    (void)uv_timer_stop(&o->stream->timer);
    drop(o->stream);
    o->stream->failures = 0;
    begin(o->stream);
}

const char *overlay_stream_endpoint(const struct overlay *o)
{
    return o->stream && o->stream->up >= 0 ? o->stream->endpoint : NULL;
}

void overlay_stream_send(struct overlay *o, const uint8_t *data, size_t len)
{
    struct overlay_stream *x = o->stream;

    if (x && x->up >= 0 && stream_send(x->way[x->up], data, len))
        log_trace("a datagram of %zu bytes is not for TLS", len);
}

void overlay_stream_flush(struct overlay *o)
{
    if (o->stream && o->stream->up >= 0)
        stream_flush(o->stream->way[o->stream->up]);
}

static int take_proxy(struct overlay_stream *x, struct why *w)
{
    const struct tund_options *opt = &x->o->t->opt;
    int err;

    if (!opt->proxy)
        return 0;
    err = proxy_parse(opt->proxy, &x->proxy, w);
    if (err && opt->proxy_is_environments) {
        log_warn("https_proxy is not used: %s", w->text);
        return 0;
    }
    if (!err && opt->proxy_auth)
        err = proxy_load_auth(opt->proxy_auth, &x->proxy, w);
    return err;
}

int overlay_stream_start(struct overlay *o, struct why *w)
{
    struct overlay_stream *x;
    int err;

    if (!o->t->opt.tls_port)
        return 0;
    x = secure_alloc(sizeof(*x), NULL);
    if (!x)
        return why_set(w, -ENOMEM, "no memory");
    x->o = o;
    x->up = -1;
    err = take_proxy(x, w);
    if (!err && uv_timer_init(&o->t->loop, &x->timer))
        err = why_set(w, -ENOMEM, "no timer");
    if (err) {
        secure_free(x, sizeof(*x));
        return err;
    }
    x->timer.data = x;
    o->stream = x;
    return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
    secure_free(h->data, sizeof(struct overlay_stream));
}

void overlay_stream_stop(struct overlay *o)
{
    struct overlay_stream *x = o->stream;

    if (!x)
        return;
    o->stream = NULL;
    close_ways(x, -1);
    tls_free(x->tls);
    uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}
