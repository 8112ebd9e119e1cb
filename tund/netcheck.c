/* How it works: both families' UDP questions and the two TCP connections go out at
 * once. Each has its own idea of when it is done; the whole is over when all are, or at the
 * deadline. Where UDP answers, nobody waits longer than a second for a TCP that is silent, which
 * matters only where UDP does not, or for a name server. */
#include "netcheck_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libtunnel/base/ct.h"

#include "secure.h"

#define TCP_PATIENCE_US TN_S(1)

struct tn_now netcheck_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (struct tn_now){.us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u};
}

void netcheck_closed(struct netcheck *n)
{
    if (--n->handles)
        return;
    tn_wipe(&n->rng, sizeof n->rng);
    free(n);
}

static void on_closed(uv_handle_t *h)
{
    netcheck_closed(h->data);
}

static void on_nat64(void *ctx, const struct resolve_result *r)
{
    struct netcheck *n = ctx;

    n->nat64 = NULL;
    if (!r->error)
        (void)nat64_find(&n->result.nat64, r->addr, r->count); /* none is left as none */
    netcheck_step(n);
}

static void close_all(struct netcheck *n)
{
    n->over = true;
    resolve_stop(n->nat64);
    n->nat64 = NULL;
    for (uint8_t family = 0; family < 2; family++)
        netcheck_udp_close(n, family);
    netcheck_tcp_close(n);
    uv_close((uv_handle_t *)&n->timer, on_closed);
    uv_close((uv_handle_t *)&n->deadline, on_closed);
}

void netcheck_stop(struct netcheck *n)
{
    if (n && !n->over)
        close_all(n);
}

static void finish(struct netcheck *n)
{
    for (int family = 0; family < 2; family++)
        tn_natcheck_result(&n->udp[family].check, &n->result.family[family].check);
    n->result.took_ms = (uint32_t)((netcheck_now().us - n->began_us) / 1000);
    close_all(n);
    n->cb(n->ctx, &n->result);
}

static void on_timer(uv_timer_t *t)
{
    netcheck_step(t->data);
}

static void on_deadline(uv_timer_t *t)
{
    struct netcheck *n = t->data;

    if (!n->over)
        finish(n);
}

static bool has_answer(const struct netcheck *n)
{
    return n->result.family[0].mtu || n->result.family[1].mtu;
}

void netcheck_step(struct netcheck *n)
{
    uint64_t now_us, next_us = TN_NEVER;
    bool udp_over = true, patient;

    if (n->over)
        return;
    for (uint8_t family = 0; family < 2; family++) {
        netcheck_udp_send(n, family);
        udp_over = udp_over && netcheck_udp_is_over(n, family);
        if (netcheck_udp_next(n, family) < next_us)
            next_us = netcheck_udp_next(n, family);
    }
    now_us = netcheck_now().us;
    patient = !has_answer(n) || now_us < n->began_us + TCP_PATIENCE_US;
    if (udp_over && ((netcheck_tcp_is_over(n) && !n->nat64) || !patient)) {
        finish(n);
        return;
    }
    if (udp_over && has_answer(n))
        next_us = n->began_us + TCP_PATIENCE_US;
    if (next_us != TN_NEVER)
        (void)uv_timer_start(&n->timer, on_timer,
                             next_us > now_us ? (next_us - now_us) / 1000 + 1 : 0, 0);
}

static int open_timers(struct netcheck *n)
{
    int err = uv_timer_init(n->loop, &n->timer);

    if (err)
        return err;
    n->timer.data = n;
    n->handles++;
    err = uv_timer_init(n->loop, &n->deadline);
    if (err) {
        uv_close((uv_handle_t *)&n->timer, on_closed);
        return err;
    }
    n->deadline.data = n;
    n->handles++;
    return uv_timer_start(&n->deadline, on_deadline, NETCHECK_MAX_MS, 0);
}

static int open_ways(struct netcheck *n)
{
    const struct tn_addr *server = NULL;
    int err = 0;

    for (uint8_t family = 0; family < 2 && !err; family++) {
        if (tn_addr_is_zero(&n->result.server[family]))
            continue;
        err = netcheck_udp_open(n, family);
        if (err == -ENETUNREACH || err == -EHOSTUNREACH || err == -EAFNOSUPPORT || err == -EACCES ||
            err == -EADDRNOTAVAIL)
            err = 0; /* no such family here, which is a finding */
        else if (!server)
            server = &n->result.server[family];
    }
    if (!err && server)
        netcheck_tcp_open(n, server);
    return err;
}

int netcheck_start(struct netcheck **out, uv_loop_t *loop, const struct tn_addr *v4,
                   const struct tn_addr *v6,
                   void (*cb)(void *ctx, const struct netcheck_result *r), void *ctx)
{
    struct netcheck *n;
    uint8_t seed[32];
    int err;

    if (tn_addr_is_zero(v4) && tn_addr_is_zero(v6))
        return -EINVAL;
    n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    n->loop = loop;
    n->cb = cb;
    n->ctx = ctx;
    n->result.server[0] = *v4;
    n->result.server[1] = *v6;
    n->began_us = netcheck_now().us;
    err = secure_random(seed, sizeof seed);
    if (err) {
        free(n);
        return err;
    }
    tn_rng_init(&n->rng, seed);
    tn_wipe(seed, sizeof seed);
    err = open_timers(n);
    if (err) {
        if (!n->handles)
            free(n);
        return err;
    }
    err = open_ways(n);
    if (err) {
        netcheck_stop(n);
        return err;
    }
    *out = n;
    if (resolve_start(&n->nat64, loop, NAT64_NAME, 0, on_nat64, n) != 0)
        n->nat64 = NULL; /* it is told as if there were none */
    (void)uv_timer_start(&n->timer, on_timer, 0, 0);
    return 0;
}
