/* TCP with members (libtunnel/node_tcp.c says who tells whom what): one set of attempts for one member.
 *
 *   we begin:    FINDING --> ASKING --its addresses--> TRYING --> DONE
 *   it asks:     FINDING ----------------------------> TRYING --> DONE
 *
 * FINDING learns our own outside address (overlay_tcp_side.c), ASKING repeats the question twice, TRYING connects to
 * all addresses of the member at once (tcptry.c) and takes what comes in on the same port. It ends with the first
 * connection by which something authentic has come, or after some seconds. Connections outlive their set. */
#include "overlay_tcp_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "tls.h"

#define ASK_US 3000000u
#define ASKS_MAX 3
#define ACTIVE_MS 50u /* while a set is on */
#define SWEEP_MS 1000u

static bool is_active(const struct tcp_set *s)
{
    return s->phase == TCP_FINDING || s->phase == TCP_ASKING || s->phase == TCP_TRYING;
}

struct tcp_set *tcp_set_for(struct overlay_tcp *x, uint32_t peer)
{
    for (size_t i = 0; i < TCP_SETS; i++) {
        if (x->set[i].phase != TCP_FREE && x->set[i].peer == peer)
            return &x->set[i];
    }
    return NULL;
}

struct tcp_set *tcp_set_of(struct overlay_tcp *x, const struct tn_addr *remote, int *target)
{
    struct tcp_set *found = NULL;

    for (size_t i = 0; i < TCP_SETS; i++) {
        struct tcp_set *s = &x->set[i];
        int at = s->phase == TCP_TRYING ? tcptry_find(&s->attempts, remote) : -1;

        if (at < 0)
            continue;
        *target = at;
        found = s;
    }
    return found;
}

/* ---- a set's steps ---- */

static void finish(struct overlay_tcp *x, struct tcp_set *s, enum explain_tcp result)
{
    tcptry_stop(&s->attempts);
    s->phase = TCP_DONE;
    s->result = (uint8_t)result;
    tcp_conns_stop_waiting(x, s->peer);
}

static void note_own(const struct overlay_tcp *x, struct tcp_set *s)
{
    s->own_count = (uint8_t)tcp_sides_list(x, s->own);
    for (int i = 0; i < 2; i++) {
        s->port[i] = x->side[i].port;
        s->outside[i] = x->side[i].outside;
    }
}

static bool offer(struct overlay_tcp *x, const struct tcp_set *s)
{
    return tn_node_tcp_offer(x->o->t->node, s->peer, s->own, s->own_count, s->asks, tund_now()) == 0;
}

static void begin_trying(struct overlay_tcp *x, struct tcp_set *s, uint64_t now_us)
{
    struct tn_addr list[TN_TCP_ADDRS_MAX];
    size_t count = tn_node_tcp_offered(x->o->t->node, s->peer, list);

    if (!count) {
        finish(x, s, EXPLAIN_TCP_UNWILLING);
        return;
    }
    s->phase = TCP_TRYING;
    tcptry_begin(&s->attempts, list, count, now_us);
}

static void ask(struct overlay_tcp *x, struct tcp_set *s, uint64_t now_us)
{
    if (s->asked == ASKS_MAX || !offer(x, s)) {
        finish(x, s, EXPLAIN_TCP_UNANSWERED);
        return;
    }
    s->phase = TCP_ASKING;
    s->asked++;
    s->due_us = now_us + ASK_US;
}

static void on_found(struct overlay_tcp *x, struct tcp_set *s, uint64_t now_us)
{
    note_own(x, s);
    if (!s->own_count)
        finish(x, s, EXPLAIN_TCP_NO_ADDRESS);
    else if (s->asks)
        ask(x, s, now_us);
    else if (offer(x, s))
        begin_trying(x, s, now_us);
    else
        finish(x, s, EXPLAIN_TCP_UNANSWERED);
}

static void try_now(struct overlay_tcp *x, struct tcp_set *s, uint64_t now_us)
{
    int i;

    if (tcp_conns_have_proven(x, s->peer)) {
        finish(x, s, EXPLAIN_TCP_CONNECTED);
        return;
    }
    while ((i = tcptry_next(&s->attempts, now_us)) >= 0)
        tcp_conn_begin(x, s, (unsigned)i, now_us);
    if (tcptry_ends(&s->attempts, now_us))
        finish(x, s, EXPLAIN_TCP_FAILED);
}

static void step(struct overlay_tcp *x, struct tcp_set *s, uint64_t now_us)
{
    if (s->phase == TCP_FINDING && tcp_sides_are_ready(x, now_us))
        on_found(x, s, now_us);
    else if (s->phase == TCP_ASKING && now_us >= s->due_us)
        ask(x, s, now_us);
    if (s->phase == TCP_TRYING)
        try_now(x, s, now_us);
}

/* ---- all of them ---- */

static void on_timer(uv_timer_t *timer)
{
    struct overlay_tcp *x = timer->data;

    tcp_run(x);
    tund_pump(x->o->t);
}

static void set_timer(struct overlay_tcp *x, uint64_t ms)
{
    if (ms == x->timer_ms)
        return;
    x->timer_ms = ms;
    if (!ms)
        (void)uv_timer_stop(&x->timer);
    else if (uv_timer_start(&x->timer, on_timer, ms, ms))
        log_error("no timer for TCP with members");
}

void tcp_run(struct overlay_tcp *x)
{
    uint64_t now_us = tund_now().us;
    bool active = false;

    for (size_t i = 0; i < TCP_SETS; i++) {
        step(x, &x->set[i], now_us);
        active = active || is_active(&x->set[i]);
    }
    tcp_conns_sweep(x, now_us);
    if (!active && x->sides_open)
        tcp_sides_close(x);
    set_timer(x, active ? ACTIVE_MS : tcp_conns_any(x) ? SWEEP_MS : 0);
}

/* A place for a set: this member's last, a free one, or that of the one that ended longest ago. */
static struct tcp_set *find_place(struct overlay_tcp *x, uint32_t peer)
{
    struct tcp_set *found = tcp_set_for(x, peer);
    size_t active = 0;

    for (size_t i = 0; i < TCP_SETS; i++)
        active += is_active(&x->set[i]);
    if (active >= TCP_SETS_ACTIVE)
        return NULL;
    for (size_t i = 0; i < TCP_SETS && !found; i++)
        found = x->set[i].phase == TCP_FREE ? &x->set[i] : NULL;
    for (size_t i = 0; i < TCP_SETS && !found; i++)
        found = x->set[i].phase == TCP_DONE ? &x->set[i] : NULL;
    for (size_t i = 0; i < TCP_SETS; i++) {
        if (found->peer != peer && x->set[i].phase == TCP_DONE && x->set[i].begun_us < found->begun_us)
            found = &x->set[i];
    }
    return found;
}

static void begin(struct overlay_tcp *x, uint32_t peer, bool asks)
{
    struct tcp_set *s = find_place(x, peer);
    unsigned begun;
    uint64_t now_us = tund_now().us;

    if (!s)
        return; /* the node asks again */
    begun = s->phase != TCP_FREE && s->peer == peer ? s->begun : 0;
    *s = (struct tcp_set){.peer = peer, .phase = TCP_FINDING, .asks = asks, .begun = begun + 1, .begun_us = now_us};
    tcp_sides_open(x, now_us);
}

/* Both ends may begin at once: then each has the other's addresses with its question. */
static void on_asked(struct overlay_tcp *x, struct tcp_set *s, uint32_t peer)
{
    if (!s) {
        begin(x, peer, false);
        return;
    }
    s->asks = false;
    if (s->phase == TCP_ASKING)
        on_found(x, s, tund_now().us);
}

void overlay_tcp_on_event(struct overlay *o, const struct tn_event *ev)
{
    struct overlay_tcp *x = o->tcp;
    struct tcp_set *s = x ? tcp_set_for(x, ev->peer) : NULL;

    if (!x)
        return;
    if (s && !is_active(s))
        s = NULL;
    if (ev->token == TN_TCP_BEGIN && !s)
        begin(x, ev->peer, true);
    else if (ev->token == TN_TCP_ASKED)
        on_asked(x, s, ev->peer);
    else if (ev->token == TN_TCP_ANSWERED && s && s->phase == TCP_ASKING)
        begin_trying(x, s, tund_now().us);
    tcp_run(x);
}

void overlay_tcp_on_change(struct overlay *o)
{
    struct overlay_tcp *x = o->tcp;

    for (size_t i = 0; x && i < TCP_SETS; i++) {
        if (is_active(&x->set[i]))
            finish(x, &x->set[i], EXPLAIN_TCP_FAILED);
    }
    if (x)
        tcp_run(x);
}

int overlay_tcp_start(struct overlay *o, struct why *w)
{
    struct overlay_tcp *x;

    if (!o->t->opt.tls_port)
        return 0;
    x = calloc(1, sizeof(*x));
    if (!x || uv_timer_init(&o->t->loop, &x->timer)) {
        free(x);
        return why_set(w, -ENOMEM, "no memory");
    }
    x->o = o;
    x->timer.data = x;
    o->tcp = x;
    overlay_tcp_allow(o);
    return 0;
}

void overlay_tcp_allow(struct overlay *o)
{
    tn_node_set_tcp(o->t->node, o->tcp && !o->metered.ifname[0]);
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void overlay_tcp_stop(struct overlay *o)
{
    struct overlay_tcp *x = o->tcp;

    if (!x)
        return;
    for (size_t i = 0; i < TCP_CONNS; i++) {
        if (x->conn[i])
            tcp_conn_drop(x->conn[i], "we stop");
    }
    tcp_sides_close(x);
    o->tcp = NULL;
    tls_free(x->tls);
    uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}
