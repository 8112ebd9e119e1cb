/* Pings for tundctl: link PINGs by the path in use, one at a time.
 *
 *   WAITING --pong--> PAUSE --interval--> WAITING       count reached, or direct when
 *      `--- 2 s ---> (lost) ---------------^            that was waited for: DONE
 *
 * The node keeps one PING per peer; a second tundctl that pings the same peer
 * waits until the first one's is answered. */
#include "overlay_inside.h"
#include "overlay_tcp.h"

#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "log.h"

#define LOST_AFTER_MS 2000u
#define RETRY_MS 20u
#define COUNT_MAX 1000000

struct overlay_ping {
    struct overlay_ping *next;
    struct overlay *o;
    struct ctl_conn *c; /* NULL: done, its timer is closing */
    uv_timer_t timer;
    uint32_t member;
    uint64_t count; /* 0: no end */
    uint32_t interval_ms;
    uint16_t size;
    bool until_direct;
    bool waiting, direct;
    uint32_t token;
    uint64_t sent, received;
    uint64_t started_us, sent_us;
};

static void on_timer(uv_timer_t *timer);

static void arm(struct overlay_ping *p, uint64_t ms)
{
    if (uv_timer_start(&p->timer, on_timer, ms, 0) != 0)
        log_error("no timer for a ping");
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void drop(struct overlay_ping *p)
{
    struct overlay_ping **at = &p->o->pings;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->c = NULL;
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void finish(struct overlay_ping *p)
{
    struct ctl_conn *c = p->c;
    json_t *answer = json_pack("{s:b,s:I,s:I,s:b}", "ok", 1, "sent", (json_int_t)p->sent, "received",
                               (json_int_t)p->received, "direct", p->direct);

    drop(p);
    ctl_set_user(c, NULL);
    ctl_send(c, answer);
}

/* The sentence begins with the peer's name. */
static void fail(struct overlay_ping *p, const char *rest)
{
    struct ctl_conn *c = p->c;
    const struct tn_member *m = tn_node_member(p->o->t->node, p->member);

    drop(p);
    ctl_set_user(c, NULL);
    ctl_send_error(c, "%s %s", m ? m->card.cert.name : "the peer", rest);
}

void overlay_ping_on_close(struct overlay *o, struct ctl_conn *c)
{
    drop(ctl_user(c));
}

void overlay_ping_stop_all(struct overlay *o)
{
    struct overlay_ping *next;

    for (struct overlay_ping *p = o->pings; p; p = next) {
        next = p->next;
        fail(p, "is not pinged any more: tund stops");
    }
}

/* ---- sending ---- */

static bool is_done(const struct overlay_ping *p)
{
    return (p->count && p->sent >= p->count) || (p->until_direct && p->direct);
}

static bool peer_is_busy(const struct overlay_ping *mine)
{
    for (const struct overlay_ping *p = mine->o->pings; p; p = p->next) {
        if (p != mine && p->member == mine->member && p->waiting)
            return true;
    }
    return false;
}

static void send_one(struct overlay_ping *p)
{
    struct tund *t = p->o->t;
    uint32_t peer = tn_node_member_peer(t->node, p->member);
    struct tn_now now = tund_now();

    if (peer == TN_NO_PEER) {
        fail(p, "has left the network");
        return;
    }
    if (peer_is_busy(p)) {
        arm(p, RETRY_MS);
        return;
    }
    p->token = ++p->o->next_token;
    p->sent++;
    p->sent_us = now.us;
    p->waiting = true;
    arm(p, LOST_AFTER_MS > p->interval_ms ? LOST_AFTER_MS : p->interval_ms);
    if (tn_node_ping(t->node, peer, p->size, p->token, now) != 0)
        fail(p, "cannot be pinged with this size");
    else
        tund_pump(t); /* may bring the answer's event, and even the end of p */
}

static void on_timer(uv_timer_t *timer)
{
    struct overlay_ping *p = timer->data;

    if (p->waiting) {
        p->waiting = false;
        ctl_send(p->c, json_pack("{s:s,s:I}", "event", "lost", "seq", (json_int_t)p->sent));
    }
    if (!p->c)
        return; /* the client was too slow, and is gone */
    if (is_done(p))
        finish(p);
    else
        send_one(p);
}

/* ---- events ---- */

/* Where an answer came from: the peer's own address, or the relay's. */
static const char *from(const struct overlay_ping *p, const struct tn_event *ev,
                        char text[ADDR_TEXT_LEN])
{
    struct tn_addr shown = overlay_tcp_shown(p->o, &ev->addr);
    struct tn_coord_info info;

    if (ev->path == TN_PATH_MEMBER)
        return overlay_through(p->o, ev->path, &ev->addr);
    if (ev->path != TN_PATH_RELAY)
        return addr_text(&shown, text);
    tn_node_coord_info(p->o->t->node, &info);
    return addr_text(&info.endpoint, text);
}

static void on_pong(struct overlay_ping *p, const struct tn_event *ev)
{
    uint64_t now_us = tund_now().us, spent_ms = (now_us - p->sent_us) / 1000;
    char text[ADDR_TEXT_LEN];

    p->waiting = false;
    p->received++;
    p->direct = ev->path == TN_PATH_DIRECT;
    ctl_send(p->c, json_pack("{s:s,s:I,s:s,s:s,s:f,s:i,s:f}", "event", "pong", "seq",
                             (json_int_t)p->sent, "path", tn_path_kind_name(ev->path), "endpoint",
                             from(p, ev, text), "rtt_ms", (double)ev->us / 1000.0, "size",
                             (int)p->size, "at_ms", (double)(now_us - p->started_us) / 1000.0));
    if (p->c && is_done(p))
        finish(p);
    else if (p->c)
        arm(p, spent_ms < p->interval_ms ? p->interval_ms - spent_ms : 0);
}

static void on_path(struct overlay_ping *p, const struct tn_event *ev)
{
    char text[ADDR_TEXT_LEN];

    ctl_send(p->c, json_pack("{s:s,s:s,s:s,s:f,s:f}", "event", "path", "path",
                             tn_path_kind_name(ev->path), "endpoint", from(p, ev, text), "after_ms",
                             (double)ev->us / 1000.0, "at_ms", (double)(tund_now().us - p->started_us) / 1000.0));
}

/* One that answered us in this run is there, whatever the coordinator says. */
static void on_unreachable(struct overlay_ping *p)
{
    if (!p->received)
        fail(p, "is unreachable: a member, but not connected to the coordinator now");
}

static bool is_about(const struct overlay_ping *p, const struct tn_event *ev)
{
    if (ev->kind == TN_EV_PONG)
        return p->waiting && p->token == ev->token;
    return ev->peer == tn_node_member_peer(p->o->t->node, p->member);
}

void overlay_ping_on_event(struct overlay *o, const struct tn_event *ev)
{
    struct overlay_ping *next;

    if (ev->kind != TN_EV_PONG && ev->kind != TN_EV_PATH && ev->kind != TN_EV_UNREACHABLE)
        return;
    for (struct overlay_ping *p = o->pings; p; p = next) {
        next = p->next;
        if (!is_about(p, ev))
            continue;
        if (ev->kind == TN_EV_PONG)
            on_pong(p, ev);
        else if (ev->kind == TN_EV_PATH)
            on_path(p, ev);
        else
            on_unreachable(p);
    }
}

/* ---- the beginning ---- */

/* A number of the request within its range, or `otherwise` where it says none; false: refused. */
static bool take(const json_t *request, const char *key, json_int_t min, json_int_t max,
                 json_int_t otherwise, json_int_t *out)
{
    const json_t *v = json_object_get(request, key);

    *out = v ? json_integer_value(v) : otherwise;
    return (!v || json_is_integer(v)) && *out >= min && *out <= max;
}

void overlay_ping_start(struct overlay *o, struct ctl_conn *c, const struct tn_member *m,
                        uint32_t peer, const json_t *request)
{
    json_int_t count, interval_ms, size;
    struct overlay_ping *p;
    struct tn_peer_info info;
    uint16_t mtu = tn_node_peer_info(o->t->node, peer, &info) ? info.mtu : o->t->mtu;

    tn_wipe(info.psk, sizeof(info.psk));
    if (!take(request, "count", 0, COUNT_MAX, 5, &count) ||
        !take(request, "interval_ms", 10, 3600000, 1000, &interval_ms) ||
        !take(request, "size", 32, mtu, 64, &size)) {
        ctl_send_error(c, "a ping has 32 to %u bytes, at most %d in a row, 10 ms or more apart",
                       (unsigned)mtu, COUNT_MAX);
        return;
    }
    p = calloc(1, sizeof(*p));
    if (!p || uv_timer_init(&o->t->loop, &p->timer) != 0) {
        free(p);
        ctl_send_error(c, "no memory");
        return;
    }
    p->o = o;
    p->c = c;
    p->timer.data = p;
    p->member = (uint32_t)tn_roster_index(tn_node_roster(o->t->node), m);
    p->count = (uint64_t)count;
    p->interval_ms = (uint32_t)interval_ms;
    p->size = (uint16_t)size;
    p->until_direct = json_is_true(json_object_get(request, "until_direct"));
    p->started_us = tund_now().us;
    p->next = o->pings;
    o->pings = p;
    ctl_set_user(c, p);
    ctl_send(c, json_pack("{s:s,s:s,s:b}", "event", "begin", "name", m->card.cert.name,
                          "coordinator", o->coord_state == COORD_JOINED));
    if (p->c)
        send_one(p);
}
