/* Requests from the control socket. Verbs are a table; each gets the request and
 * answers at once, or keeps the connection as a stream:
 *
 *   watch   an event for each change of the coordinator's state, until the client goes
 *   ping    overlay_ping.c
 *   portmap overlay_portmap.c
 *   leave   answered when the coordinator has the card that says "left"
 *
 * What a stream is, is told by the connection's user pointer: a ping, a row
 * of o->portmap.wait, or the address of o->watchers, of o->leaving or of o->nat (who waits for a check). */
#include "overlay_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "log.h"

/* ---- members ---- */

static bool parse_ip(const char *text, struct tn_addr *out)
{
    char with_port[ADDR_TEXT_LEN + 8];
    int n = snprintf(with_port, sizeof(with_port), strchr(text, ':') ? "[%s]:1" : "%s:1", text);

    return n > 0 && (size_t)n < sizeof(with_port) && addr_parse(with_port, out);
}

const struct tn_member *overlay_find_member(const struct overlay *o, const char *text, struct why *w)
{
    const struct tn_roster *r = tn_node_roster(o->t->node);
    const struct tn_member *m = tn_roster_find_name(r, text, strlen(text));
    struct tn_addr a;
    int err = TN_ENOENT;

    if (!m && parse_ip(text, &a))
        m = tn_roster_find_address(r, &a);
    if (!m)
        err = tn_roster_find_node_id(r, text, strlen(text), &m);
    if (m)
        return m;
    if (err == TN_EEXIST)
        why_set(w, err, "%.80s is the beginning of more than one node id: give more of it", text);
    else
        why_set(w, err, "no member %.80s is known here: a name, the beginning of a node id, or an "
                "overlay address (see `tundctl peers`)", text);
    return NULL;
}

bool overlay_find_peer(struct overlay *o, struct ctl_conn *c, const json_t *request,
                       const struct tn_member **m, uint32_t *peer)
{
    const char *text = json_string_value(json_object_get(request, "peer"));
    const struct tn_roster *r = tn_node_roster(o->t->node);
    struct why why;

    if (!text) {
        ctl_send_error(c, "which peer?");
        return false;
    }
    *m = overlay_find_member(o, text, &why);
    if (!*m) {
        ctl_send_error(c, "%s", why.text);
        return false;
    }
    *peer = tn_node_member_peer(o->t->node, (uint32_t)tn_roster_index(r, *m));
    if (*peer != TN_NO_PEER)
        return true;
    if (memcmp((*m)->card.identity, o->self.card.identity, 32) == 0)
        ctl_send_error(c, "%s is this machine itself", (*m)->card.cert.name);
    else if ((*m)->left)
        ctl_send_error(c, "%s has left the network", (*m)->card.cert.name);
    else
        ctl_send_error(c, "there is no room for %s: start tund with more --peers",
                       (*m)->card.cert.name);
    return false;
}

/* ---- verbs ---- */

static void do_version(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    ctl_send(c, json_pack("{s:b,s:s}", "ok", 1, "version", TUND_VERSION));
}

static void do_status(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "status", overlay_status_json(o)));
}

static void do_peers(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "peers", overlay_peers_json(o)));
}

static void do_explain(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    const struct tn_member *m;
    uint32_t peer;

    if (overlay_find_peer(o, c, request, &m, &peer))
        ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "explain",
                              overlay_explain_json(o, m, peer, tund_now())));
}

static void do_ping(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    const struct tn_member *m;
    uint32_t peer;

    if (overlay_find_peer(o, c, request, &m, &peer))
        overlay_ping_start(o, c, m, peer, request);
}

static void do_netcheck(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    overlay_nat_verb(o, c);
}

static void do_down(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    log_info("stopping, as tundctl asks");
    ctl_send_ok(c);
    tund_stop(o->t, TUND_EXIT_OK);
}

/* ---- watch ---- */

static void tell(struct overlay *o, struct ctl_conn *c)
{
    ctl_send(c, json_pack("{s:s,s:o}", "event", "coordinator", "coordinator", overlay_coord_json(o)));
}

static void do_watch(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        if (o->watchers[i])
            continue;
        o->watchers[i] = c;
        ctl_set_user(c, &o->watchers);
        tell(o, c);
        return;
    }
    ctl_send_error(c, "too many watch already");
}

void overlay_tell_watchers(struct overlay *o)
{
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        if (o->watchers[i])
            tell(o, o->watchers[i]);
    }
}

static void forget_watcher(struct overlay *o, const struct ctl_conn *c)
{
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        if (o->watchers[i] == c)
            o->watchers[i] = NULL;
    }
}

/* ---- leave ---- */

static void do_leave(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    struct tn_card card = o->self.card;

    if (o->leave_sent) {
        ctl_send_error(c, "this node is leaving already");
        return;
    }
    if (o->coord_state != COORD_JOINED) {
        ctl_send_error(c, "the coordinator is not connected, and has to be told");
        return;
    }
    if (tn_card_sign_left(&card, o->self.identity_seed) != 0 ||
        tn_node_publish_card(o->t->node, &card, tund_now()) != 0) {
        ctl_send_error(c, "cannot make the card that says so");
        return;
    }
    o->leaving = c;
    o->leave_sent = true;
    ctl_set_user(c, &o->leaving);
    tund_pump(o->t);
}

void overlay_on_updated(struct overlay *o, uint8_t status)
{
    struct ctl_conn *c = o->leaving;

    if (!o->leave_sent) {
        if (status != 0)
            log_warn("the coordinator did not take our new card: %s", tn_node_status_text(status));
        return;
    }
    o->leave_sent = false;
    o->leaving = NULL;
    if (c)
        ctl_set_user(c, NULL);
    if (status != 0) {
        log_error("cannot leave: %s", tn_node_status_text(status));
        if (c)
            ctl_send_error(c, "%s", tn_node_status_text(status));
        return;
    }
    log_info("left network %s", o->self.card.cert.network);
    o->left = true;
    if (c)
        ctl_send_ok(c);
    tund_stop(o->t, TUND_EXIT_OK);
}

/* ---- dispatch ---- */

static const struct {
    const char *name;
    void (*run)(struct overlay *o, struct ctl_conn *c, json_t *request);
} verbs[] = {
    {"status", do_status}, {"peers", do_peers}, {"explain", do_explain}, {"ping", do_ping},
    {"watch", do_watch},   {"leave", do_leave}, {"down", do_down},       {"version", do_version},
    {"netcheck", do_netcheck},
    {"path", overlay_path_verb},
    {"relay", overlay_relay_verb},
    {"portmap", overlay_portmap_verb},
};

static void on_request(void *ctx, struct ctl_conn *c, json_t *request)
{
    const char *verb = json_string_value(json_object_get(request, "verb"));

    for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            verbs[i].run(ctx, c, request);
            return;
        }
    }
    ctl_send_error(c, "this tund (version %s) does not know the verb %.40s", TUND_VERSION,
                   verb ? verb : "(none)");
}

static void on_close(void *ctx, struct ctl_conn *c)
{
    struct overlay *o = ctx;
    void *user = ctl_user(c);

    if (user == &o->watchers)
        forget_watcher(o, c);
    else if (user == &o->nat)
        overlay_nat_on_close(o, c);
    else if (user == &o->leaving)
        o->leaving = NULL; /* it goes on; only nobody waits for the end */
    else if (user && !overlay_portmap_on_close(o, c))
        overlay_ping_on_close(o, c);
}

int overlay_ctl_open(struct overlay *o, struct why *w)
{
    const struct ctl_handler handler = {.ctx = o, .on_request = on_request, .on_close = on_close};
    int err = ctl_open(&o->ctl, &o->t->loop, o->state.dir_fd, &handler);

    if (err)
        return why_set(w, err, "cannot open the control socket in %s: %s", o->state.dir,
                       strerror(-err));
    return 0;
}

void overlay_ctl_close(struct overlay *o)
{
    overlay_ping_stop_all(o);
    ctl_close(o->ctl);
    o->ctl = NULL;
}
