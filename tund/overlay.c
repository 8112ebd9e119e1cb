/* The overlay node in the daemon: what `--state DIR` adds to a WireGuard interface.
 *
 *   configure   open and lock the state, load the member, store a stamp ceiling
 *   start       key, card and roster into the node; addresses, routes, candidates;
 *               the coordinator's name; at last the control socket: when it answers,
 *               all the rest is there
 *   on_event    what has to be stored is stored, what people want to know is logged,
 *               and who waits on the control socket is told
 *   on_stop     roster written, backstop routes and socket removed; the lock goes with overlay_free
 *
 * Failures while starting are sentences for the user (tund_fail); later ones are
 * logged, and the tunnels go on. */
#include "overlay_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/tcp.h"
#include "log.h"
#include "overlay_lan.h"
#include "overlay_search.h"
#include "overlay_tcp.h"
#include "secure.h"

#define NS_PER_S 1000000000ull

/* ---- before the node exists ---- */

/* A damaged stamp file must not keep the machine off its network: an hour ahead of the clock is
 * above whatever was given out, if the clock did not go back by more. */
static uint64_t load_stamp(struct overlay *o, struct tn_now now)
{
    struct why why;
    uint64_t stamp;

    if (state_load_stamp(&o->state, &stamp, &why) == 0)
        return stamp;
    log_warn("%s; stamps go on an hour ahead of the clock", why.text);
    return now.unix_ns + 3600 * NS_PER_S;
}

static int load(struct overlay *o, struct why *w)
{
    int err = state_open(&o->state, o->t->opt.state_dir, false, w);

    if (!err)
        err = state_lock(&o->state, STATE_LOCK_DAEMON, false, w);
    if (!err)
        err = state_load_node(&o->state, &o->self, w);
    if (err)
        return err;
    tn_node_id(o->id, o->self.card.identity);
    return 0;
}

static int configure(void *ctx, struct tund *t, struct tn_node_config *cfg)
{
    struct overlay *o = ctx;
    struct tn_now now = tund_now();
    struct why why;
    int err;

    o->t = t;
    err = load(o, &why);
    if (err)
        return tund_fail(t, err, "%s", why.text);
    if (!t->opt.port_given)
        t->opt.port = o->self.port;
    cfg->stamp_ns = load_stamp(o, now);
    o->stamp_ceiling_ns = cfg->stamp_ns;
    err = overlay_store_stamp(o, now.unix_ns, &why);
    if (err)
        return tund_fail(t, err, "%s", why.text);
    cfg->stamp_ceiling_ns = o->stamp_ceiling_ns;
    return 0;
}

/* ---- start ---- */

static int fill_node(struct overlay *o, struct why *w)
{
    int err = tn_node_set_private_key(o->t->node, o->self.wireguard_private);

    if (!err)
        err = tn_node_set_card(o->t->node, &o->self.card, tund_now());
    if (err)
        return why_set(w, -EBADMSG, "the key and the card in %s do not belong together, or are not "
                       "valid", o->state.dir);
    err = overlay_load_roster(o, w);
    if (!err)
        overlay_path_start(o);
    return err;
}

static int start(void *ctx, struct tund *t)
{
    struct overlay *o = ctx;
    struct why why;
    int err;

    err = uv_timer_init(&t->loop, &o->save_timer);
    if (!err)
        err = uv_timer_init(&t->loop, &o->resolve_timer);
    if (!err)
        err = overlay_disk_open(o);
    if (err)
        return tund_fail(t, err, "no timers: %s", strerror(-err));
    o->timers_open = true;
    o->save_timer.data = o;
    o->resolve_timer.data = o;
    tn_node_set_relay_rate(t->node, t->opt.relay_rate_bits / 8);
    err = overlay_life_open(o);
    if (err)
        return tund_fail(t, err, "no timers: %s", strerror(-err));
    err = fill_node(o, &why);
    if (!err)
        err = overlay_net_start(o, &why);
    if (err)
        return tund_fail(t, err, "%s", why.text);
    err = overlay_stream_start(o, &why);
    if (!err)
        err = overlay_tcp_start(o, &why);
    if (err)
        return tund_fail(t, err, "%s", why.text);
    overlay_set_candidates(o);
    overlay_portmap_start(o);
    overlay_lan_begin(o);
    tn_node_set_lan(t->node, t->opt.lan, tund_now());
    overlay_metered_check(o);
    overlay_coord_begin(o);
    err = overlay_ctl_open(o, &why);
    if (err)
        return tund_fail(t, err, "%s", why.text);
    log_debug("%s of network %s", o->self.card.cert.name, o->self.card.cert.network);
    return 0;
}

/* ---- events ---- */

static const char *peer_name(const struct overlay *o, uint32_t peer)
{
    struct tn_peer_info info;
    const struct tn_member *m = NULL;

    if (tn_node_peer_info(o->t->node, peer, &info)) {
        m = tn_node_member(o->t->node, info.member);
        tn_wipe(info.psk, sizeof(info.psk));
    }
    return m ? m->card.cert.name : "?";
}

static void on_path(const struct overlay *o, const struct tn_event *ev)
{
    struct tn_addr shown = overlay_tcp_shown(o, &ev->addr);
    char text[ADDR_TEXT_LEN];

    switch (ev->path) {
    case TN_PATH_DIRECT:
        log_info("%s: direct%s, %s, after %llu ms", peer_name(o, ev->peer),
                 tn_addr_is_stream(&ev->addr) ? " over TCP" : "", addr_text(&shown, text),
                 (unsigned long long)(ev->us / 1000));
        break;
    case TN_PATH_RELAY:
        log_info("%s: through the relay", peer_name(o, ev->peer));
        break;
    case TN_PATH_MEMBER:
        log_info("%s: through member %s", peer_name(o, ev->peer), overlay_through(o, ev->path, &ev->addr));
        break;
    case TN_PATH_NONE:
        log_info("%s: no path", peer_name(o, ev->peer));
        break;
    }
}

static void on_joined(struct overlay *o, uint8_t status)
{
    if (status == 0) {
        log_info("a member of network %s, says the coordinator", o->self.card.cert.network);
        overlay_store_joined(o);
        overlay_coord_changed(o, COORD_JOINED);
        overlay_nat_begin(o);
        return;
    }
    log_error("the coordinator refuses this node: %s", tn_node_status_text(status));
    o->refused_status = status;
    overlay_coord_changed(o, COORD_REFUSED);
}

static void on_coord(struct overlay *o, const struct tn_event *ev)
{
    char text[ADDR_TEXT_LEN];

    if (ev->kind == TN_EV_COORD_UP) {
        if (tn_addr_is_zero(&ev->addr))
            log_info("coordinator %s: connected, by TLS", o->self.coordinator.host);
        else
            log_info("coordinator %s: connected, it sees us as %s", o->self.coordinator.host,
                     addr_text(&ev->addr, text));
        overlay_portmap_observed(o, &ev->addr);
        overlay_coord_changed(o, COORD_CONNECTED);
    } else if (ev->kind == TN_EV_COORD_DOWN) {
        log_warn("coordinator %s: no answer; direct tunnels go on", o->self.coordinator.host);
        overlay_coord_changed(o, COORD_CONNECTING);
    } else {
        log_debug("coordinator %s: no answer, looking its name up again", o->self.coordinator.host);
        overlay_resolve_again(o, ev->status != 0);
    }
}

/* A port that a gateway says it has mapped, and has not, is worth a warning; what a NAT does is not. */
static void on_reach(struct overlay *o, const struct tn_event *ev)
{
    char text[ADDR_TEXT_LEN];
    bool mapped = ev->token == TN_CAND_MAPPED;

    (void)addr_text(&ev->addr, text);
    if (mapped && ev->status != TN_REACH_OPEN && ev->status != TN_REACH_UNKNOWN)
        log_warn("the gateway's mapping %s is of no use: dial-backs find it %s", text,
                 tn_reach_verdict_name(ev->status));
    else
        log_info("our %s address %s is %s to unsolicited packets",
                 tn_cand_origin_name((uint8_t)ev->token), text, tn_reach_verdict_name(ev->status));
    overlay_portmap_on_reach(o, ev);
}

static void on_tcp(struct overlay *o, const struct tn_event *ev)
{
    if (ev->token != TN_TCP_UDP)
        overlay_tcp_on_event(o, ev);
    else if (o->coord_state == COORD_JOINED)
        overlay_nat_begin(o);
}

static void on_event(void *ctx, const struct tn_event *ev)
{
    struct overlay *o = ctx;

    switch (ev->kind) {
    case TN_EV_PATH:
        on_path(o, ev);
        break;
    case TN_EV_MTU:
        overlay_net_mtu(o, ev->peer);
        break;
    case TN_EV_GAVE_UP:
        log_info("%s: no answer to handshakes", peer_name(o, ev->peer));
        break;
    case TN_EV_UNREACHABLE:
        log_debug("%s: not connected, says the coordinator", peer_name(o, ev->peer));
        break;
    case TN_EV_STAMP:
        overlay_extend_stamp(o, ev->unix_ns);
        break;
    case TN_EV_MEMBER:
        overlay_roster_changed(o);
        overlay_net_member(o, ev->member);
        overlay_path_member(o, ev->member);
        break;
    case TN_EV_JOINED:
        on_joined(o, ev->status);
        break;
    case TN_EV_COORD_UP:
    case TN_EV_COORD_DOWN:
    case TN_EV_COORD_RESOLVE:
        on_coord(o, ev);
        break;
    case TN_EV_COORD_STREAM:
        overlay_stream_on_event(o);
        break;
    case TN_EV_UPDATED:
        overlay_on_updated(o, ev->status);
        break;
    case TN_EV_REACH:
        on_reach(o, ev);
        overlay_nat_tell(o);
        break;
    case TN_EV_SEARCH:
        overlay_search_begin(o, ev);
        break;
    case TN_EV_TCP:
        on_tcp(o, ev);
        break;
    case TN_EV_DIALLED:
        overlay_life_on_event(o, ev);
        break;
    case TN_EV_SESSION:
    case TN_EV_PONG:
    case TN_EV_MAPPING_LOST: /* a device's */
        break;
    }
    overlay_ping_on_event(o, ev);
}

static void on_network_change(void *ctx)
{
    struct overlay *o = ctx;

    overlay_set_candidates(o);
    overlay_portmap_network_changed(o);
    overlay_resolve(o);
    overlay_metered_check(o);
    overlay_search_stop(o);
    udp_drop_detours(&o->t->udp);
    overlay_nat_begin(o);
    overlay_stream_on_change(o);
    overlay_tcp_on_change(o);
    overlay_lan_begin(o);
}

static void send_lan(void *ctx, const uint8_t *data, size_t len)
{
    overlay_lan_send(ctx, data, len);
}

static void send_stream(void *ctx, const struct tn_addr *to, const uint8_t *data, size_t len)
{
    if (!overlay_tcp_send(ctx, to, data, len))
        overlay_stream_send(ctx, data, len);
}

/* ---- stop ---- */

/* One datagram; when it is lost, the coordinator finds out by itself. */
static void say_goodbye(struct overlay *o)
{
    struct tund *t = o->t;
    uint8_t mem[TN_BUF_HEADROOM + 1024];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    int err;

    if (!t->node || !tn_node_goodbye(t->node, &b, tund_now(), &route))
        return;
    if (tn_addr_is_stream(&route.to)) {
        overlay_stream_send(o, tn_buf_data(&b), b.len);
        overlay_stream_flush(o);
        return;
    }
    err = udp_send(&t->udp, tn_buf_data(&b), b.len, &route.to, 0, NULL);
    if (err)
        log_debug("the coordinator was not told that we stop: %s", strerror(-err));
}

static void on_stop(void *ctx)
{
    struct overlay *o = ctx;
    struct why why;

    if (!o->t)
        return;
    say_goodbye(o);
    overlay_tcp_stop(o);
    overlay_stream_stop(o);
    overlay_lan_stop(o);
    overlay_resolve_stop(o);
    overlay_nat_stop(o);
    overlay_search_stop(o);
    overlay_ctl_close(o);
    overlay_portmap_stop(o);
    overlay_net_stop(o);
    if (o->timers_open) {
        overlay_store_roster_now(o);
        overlay_disk_finish(o, !o->left);
        uv_close((uv_handle_t *)&o->save_timer, NULL);
        uv_close((uv_handle_t *)&o->resolve_timer, NULL);
        o->timers_open = false;
    }
    if (o->left && state_forget(&o->state, &why) != 0)
        log_error("%s", why.text);
    o->t = NULL;
}

struct overlay *overlay_new(struct tund_hooks *hooks)
{
    struct overlay *o = secure_alloc(sizeof(*o), NULL);

    if (!o)
        return NULL;
    o->state = (struct state){.dir_fd = -1, .lock_fd = {-1, -1}};
    *hooks = (struct tund_hooks){
        .ctx = o,
        .configure = configure,
        .start = start,
        .on_event = on_event,
        .send_stream = send_stream,
        .send_lan = send_lan,
        .on_network_change = on_network_change,
        .on_stop = on_stop,
    };
    return o;
}

void overlay_free(struct overlay *o)
{
    /* Last of all: who waits for the lock may start another daemon, which wants our interface and port,
     * and mappings are deleted while the loop runs out. */
    if (o)
        state_close(&o->state);
    secure_free(o, sizeof(*o));
}
