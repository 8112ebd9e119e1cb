/* How it works: whatever happens is pushed into the gateway (gateway.h), and then `pump` pulls until it is
 * dry: datagrams go to the sockets, jobs to a child, and the timer is armed. A network change looks the
 * default gateways up anew; sockets are made again when one is another.
 *
 * The end takes its time, since mappings have to be deleted: the loop runs on until the gateway has
 * answered or PORTMAP_STOP_MS are over. */
#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "igd_child.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/base/now.h"
#include "gateway_socket.h"
#include "tund/daemon.h"
#include "tund/log.h"
#include "tund/netlink.h"
#include "tund/secure.h"

#define ADDRS_MAX 64
#define PUMP_MAX 64 /* datagrams at a time */

struct link {
    struct tn_addr gateway, own;
    uint32_t ifindex; /* 0: none */
    struct gateway_socket *ask, *hear;
};

struct portmap {
    uv_loop_t *loop;
    uv_timer_t timer, end_timer;
    int open_handles;
    struct nl nl;
    struct portmap_config config;
    struct portmap_handler handler;
    struct link link[GATEWAY_FAMILIES];
    struct gateway gateway;
    struct igd_child *child;
    char program[PATH_MAX]; /* of the child; "": there is none */
    bool pumping, pump_again, stopping, closing;
};

static void pump(struct portmap *p);

/* ---- sockets ---- */

static void on_answer(void *ctx, enum gateway_family family, const uint8_t *data, size_t len)
{
    struct portmap *p = ctx;

    gateway_on_datagram(&p->gateway, family, data, len, tund_now().us);
    pump(p);
}

static void on_announcement(void *ctx, enum gateway_family family, const uint8_t *data, size_t len)
{
    struct portmap *p = ctx;

    gateway_on_announcement(&p->gateway, family, data, len, tund_now().us);
    pump(p);
}

static void on_refused(void *ctx, enum gateway_family family)
{
    struct portmap *p = ctx;

    gateway_on_refused(&p->gateway, family, tund_now().us);
    pump(p);
}

static void close_link(struct link *l)
{
    gateway_socket_close(l->ask);
    gateway_socket_close(l->hear);
    memset(l, 0, sizeof *l);
}

static void send_out(struct portmap *p, enum gateway_family family, const uint8_t *data, size_t len)
{
    struct link *l = &p->link[family];
    int err = l->ask ? gateway_socket_send(l->ask, data, len) : -ENOTCONN;

    if (err)
        log_debug("the gateway cannot be asked: %s", strerror(-err));
}

/* ---- which gateway ---- */

/* Our address on that link from which a pinhole is asked for: peers get it as a candidate. */
static bool own_v6(struct portmap *p, uint32_t ifindex, struct tn_addr *out)
{
    struct nl_addr found[ADDRS_MAX];
    uint32_t count;

    if (nl_addr_list(&p->nl, p->config.skip_ifname, found, ADDRS_MAX, &count) != 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (found[i].ifindex != ifindex || tn_addr_is_v4(&found[i].addr) ||
            tn_addr_is_private(&found[i].addr))
            continue;
        *out = found[i].addr;
        out->port = 0;
        return true;
    }
    return false;
}

static int open_link(struct portmap *p, enum gateway_family family, struct link *l)
{
    struct gateway_socket_handler handler = {.ctx = p, .family = family, .on_datagram = on_answer,
                                             .on_refused = on_refused};
    int err = gateway_socket_ask(&l->ask, p->loop, &l->gateway, l->ifindex, &l->own, &handler);

    if (err)
        return err;
    handler.on_datagram = on_announcement;
    err = gateway_socket_hear(&l->hear, p->loop, &l->gateway, l->ifindex, &handler);
    if (err) /* a lost mapping then shows at its renewal */
        log_debug("the gateway's announcements are not heard: %s", strerror(-err));
    return 0;
}

static bool find_link(struct portmap *p, enum gateway_family family, struct link *l)
{
    memset(l, 0, sizeof *l);
    if (nl_gateway(&p->nl, family == GATEWAY_V4, p->config.skip_ifname, &l->gateway, &l->ifindex) != 0)
        return false;
    return family == GATEWAY_V4 || own_v6(p, l->ifindex, &l->own);
}

static void look(struct portmap *p, enum gateway_family family)
{
    struct link *old = &p->link[family], new;
    struct gateway_router router;
    bool found = find_link(p, family, &new);
    int err = 0;

    /* The socket is made anew each time: what our own address is now is told by connecting. */
    close_link(old);
    if (found)
        err = open_link(p, family, &new);
    if (err)
        log_debug("no socket to the gateway: %s", strerror(-err));
    if (!found || err) {
        gateway_set_router(&p->gateway, family, NULL, tund_now().us);
        return;
    }
    *old = new;
    router = (struct gateway_router){.address = new.gateway, .own = new.own,
                                     .scope = family == GATEWAY_V6 ? new.ifindex : 0};
    gateway_set_router(&p->gateway, family, &router, tund_now().us);
}

/* ---- the child ---- */

static void on_child(void *ctx, const struct igd_answer *answer)
{
    struct portmap *p = ctx;
    bool order = gateway_order_is_running(&p->gateway);

    p->child = NULL;
    gateway_on_igd(&p->gateway, answer, tund_now().us);
    if (order && !p->stopping)
        p->handler.on_order(p->handler.ctx, answer);
    pump(p);
}

/* True: one was started, or could not be, and the gateway knows. */
static bool start_child(struct portmap *p)
{
    struct igd_job job;
    int err;

    if (!gateway_poll_job(&p->gateway, &job))
        return false;
    err = igd_child_start(&p->child, p->loop, p->program, &job, on_child, p);
    if (err) {
        log_warn("cannot start %s: %s", p->program, strerror(-err));
        on_child(p, NULL);
    }
    return true;
}

/* ---- the pump ---- */

static void close_all(struct portmap *p);

static void on_timer(uv_timer_t *timer)
{
    struct portmap *p = timer->data;

    gateway_tick(&p->gateway, tund_now().us);
    pump(p);
}

static void arm(struct portmap *p)
{
    uint64_t next_us = gateway_next_deadline(&p->gateway), now_us = tund_now().us;
    uint64_t wait_ms = next_us > now_us ? (next_us - now_us + 999) / 1000 : 0;

    if (next_us == TN_NEVER)
        (void)uv_timer_stop(&p->timer);
    else if (uv_timer_start(&p->timer, on_timer, wait_ms, 0) != 0)
        log_warn("port mappings cannot be renewed: no timer");
}

static void pull(struct portmap *p)
{
    uint8_t out[GATEWAY_OUT_MAX];
    enum gateway_family family;
    size_t len;

    for (int i = 0; i < PUMP_MAX && gateway_poll_out(&p->gateway, &family, out, &len, tund_now().us); i++)
        send_out(p, family, out, len);
    (void)start_child(p);
}

static void pump(struct portmap *p)
{
    if (p->closing)
        return;
    p->pump_again = true;
    if (p->pumping)
        return;
    p->pumping = true;
    while (p->pump_again) {
        p->pump_again = false;
        pull(p);
        if (gateway_take_changed(&p->gateway) && !p->stopping)
            p->handler.on_change(p->handler.ctx);
    }
    p->pumping = false;
    if (p->stopping && gateway_is_idle(&p->gateway))
        close_all(p);
    else
        arm(p);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
    struct portmap *p = h->data;

    if (--p->open_handles)
        return;
    nl_close(&p->nl);
    secure_free(p, sizeof *p);
}

static void close_all(struct portmap *p)
{
    if (p->closing)
        return;
    p->closing = true;
    for (int i = 0; i < GATEWAY_FAMILIES; i++)
        close_link(&p->link[i]);
    igd_child_kill(p->child);
    uv_close((uv_handle_t *)&p->timer, on_closed);
    uv_close((uv_handle_t *)&p->end_timer, on_closed);
}

static void on_end_timer(uv_timer_t *timer)
{
    log_warn("the gateway does not answer: port mappings may stay there until their lease ends");
    close_all(timer->data);
}

static void begin(struct portmap *p)
{
    struct gateway_config config = {0};

    memcpy(config.nonce_key, p->config.nonce_key, sizeof config.nonce_key);
    memcpy(config.description, p->config.description, sizeof config.description);
    config.upnp = igd_child_find(p->program);
    if (!config.upnp)
        log_info("tund-igd is not installed: gateways are not asked by UPnP");
    if (secure_random(&config.seed, sizeof config.seed) != 0)
        config.seed = tund_now().us;
    gateway_init(&p->gateway, &config);
    tn_wipe(&config, sizeof config);
}

int portmap_start(struct portmap **out, uv_loop_t *loop, const struct portmap_config *config,
                  const struct portmap_handler *handler)
{
    struct portmap *p = secure_alloc(sizeof *p, NULL);
    int err;

    if (!p)
        return -ENOMEM;
    p->loop = loop;
    p->config = *config;
    p->handler = *handler;
    err = nl_open(&p->nl);
    if (err) {
        secure_free(p, sizeof *p);
        return err;
    }
    uv_timer_init(loop, &p->timer);
    uv_timer_init(loop, &p->end_timer);
    p->timer.data = p->end_timer.data = p;
    p->open_handles = 2;
    begin(p);
    *out = p;
    return 0;
}

void portmap_stop(struct portmap *p)
{
    if (!p || p->stopping)
        return;
    p->stopping = true;
    gateway_stop(&p->gateway, tund_now().us);
    if (uv_timer_start(&p->end_timer, on_end_timer, PORTMAP_STOP_MS, 0) != 0)
        close_all(p);
    pump(p);
}

void portmap_network_changed(struct portmap *p)
{
    for (int i = 0; i < GATEWAY_FAMILIES; i++)
        look(p, (enum gateway_family)i);
    pump(p);
}

int portmap_add(struct portmap *p, const struct gateway_want *want)
{
    int id = gateway_add(&p->gateway, want, tund_now().us);

    pump(p);
    return id;
}

void portmap_remove(struct portmap *p, uint32_t id)
{
    gateway_remove(&p->gateway, id, tund_now().us);
    pump(p);
}

void portmap_verdict(struct portmap *p, uint32_t id, bool answered)
{
    gateway_on_verdict(&p->gateway, id, answered, tund_now().us);
    pump(p);
}

void portmap_observed(struct portmap *p, const struct tn_addr *observed)
{
    gateway_on_observed(&p->gateway, observed, tund_now().us);
    pump(p);
}

int portmap_order(struct portmap *p, const struct gateway_order *order)
{
    int err = gateway_give_order(&p->gateway, order);

    pump(p);
    return err;
}

const struct gateway *portmap_gateway(const struct portmap *p)
{
    return &p->gateway;
}
