/* Port mappings of the overlay node: its own UDP port at the default gateway, a pinhole for it in an IPv6
 * firewall, and what people ask for with `tundctl portmap`. What the gateway gives becomes a candidate;
 * the coordinator's dial-backs are the judge of it (TN_EV_REACH).
 *
 * A verb that has to wait for the gateway keeps its connection: its user pointer is its row of
 * o->portmap.wait. */
#include "overlay_inside.h"

#include <stdio.h>
#include <string.h>

#include "libtunnel/base/text.h"
#include "libtunnel/crypto/crypto.h"
#include "log.h"

#define OWN_ID_LEN 8 /* hex digits of the node id in a description: tells several tunds apart */

static const char *const protocol_name[] = {
    [GATEWAY_NONE] = "none", [GATEWAY_PCP] = "pcp", [GATEWAY_NATPMP] = "natpmp", [GATEWAY_UPNP] = "upnp"};
static const char *const service_name[] = {[GATEWAY_UNKNOWN] = "unknown", [GATEWAY_ASKED] = "asked",
                                           [GATEWAY_THERE] = "there", [GATEWAY_ABSENT] = "absent"};
static const char *const state_name[] = {
    [GATEWAY_WAITING] = "waiting", [GATEWAY_ASKING] = "asking", [GATEWAY_MAPPED] = "mapped",
    [GATEWAY_FAILED] = "failed",   [GATEWAY_ENDING] = "ending"};
static const char *const verdict_name[] = {[GATEWAY_UNVERIFIED] = "unverified",
                                           [GATEWAY_ANSWERED] = "answered", [GATEWAY_SILENT] = "silent"};
static const char *const why_sentence[] = {
    [GATEWAY_WELL] = "",
    [GATEWAY_NO_ROUTER] = "there is no default gateway to ask",
    [GATEWAY_NOT_NEEDED] = "this host's own address is public, so no mapping is needed",
    [GATEWAY_NO_SERVICE] = "the gateway speaks neither PCP, NAT-PMP nor UPnP, or they are switched off",
    [GATEWAY_REFUSED] = "the gateway refuses: its settings do not allow port mappings, or not this one",
    [GATEWAY_NO_OUTSIDE] = "the gateway has no public address: it is offline, or behind another NAT",
    [GATEWAY_FULL] = "the gateway has no room for another mapping",
    [GATEWAY_MISMATCH] = "the gateway sees this host under another address: a second router lies between",
    [GATEWAY_CONFLICT] = "others hold each outside port that was tried",
    [GATEWAY_BAD_ANSWER] = "the gateway said yes, but gave a mapping that cannot be used",
    [GATEWAY_PRIVATE] = "the gateway's outside address is private: another NAT is behind it, which does not map",
    [GATEWAY_LIES] = "the gateway maps, and lets nothing through: tried twice, given up",
    [GATEWAY_UNREACHED] = "the gateway does not answer now",
    [GATEWAY_FOREIGN_HOST] = "the gateway's UPnP answer points to another host, and is not believed",
    [GATEWAY_OPEN] = "the gateway says that its IPv6 firewall is off: nothing has to be opened",
};
_Static_assert(sizeof why_sentence / sizeof why_sentence[0] == GATEWAY_WHY_COUNT, "a sentence for each");

/* ---- start and end ---- */

static void on_change(void *ctx);
static void on_order(void *ctx, const struct igd_answer *answer);

/* Own port and pinhole. A place in the table is always there for the first two. */
static void want_own(struct overlay *o)
{
    struct gateway_want want = {.internal_port = o->t->udp.port};
    int id4 = portmap_add(o->portmap.p, &want), id6;

    want.family = GATEWAY_V6;
    id6 = portmap_add(o->portmap.p, &want);
    o->portmap.own[GATEWAY_V4] = id4 < 0 ? GATEWAY_NO_MAPPING : (uint32_t)id4;
    o->portmap.own[GATEWAY_V6] = id6 < 0 ? GATEWAY_NO_MAPPING : (uint32_t)id6;
}

void overlay_portmap_start(struct overlay *o)
{
    static const char label[] = "tund port mapping nonces";
    const struct portmap_handler handler = {.ctx = o, .on_change = on_change, .on_order = on_order};
    struct portmap_config config = {0};
    char id[TN_TEXT_HEX_LEN(TN_NODE_ID_LEN) + 1];
    int err;

    o->portmap.own[GATEWAY_V4] = o->portmap.own[GATEWAY_V6] = GATEWAY_NO_MAPPING;
    if (o->self.portmap_off && !o->t->opt.portmap_given)
        return;
    if (o->t->opt.portmap_given && !o->t->opt.portmap)
        return;
    tn_blake2s(config.nonce_key, sizeof config.nonce_key, o->self.identity_seed,
               sizeof o->self.identity_seed, label, sizeof label);
    if (tn_text_hex_encode(id, sizeof id, o->id, TN_NODE_ID_LEN) != 0)
        id[0] = '\0';
    snprintf(config.description, sizeof config.description, "tund %.*s", OWN_ID_LEN, id);
    snprintf(config.skip_ifname, sizeof config.skip_ifname, "%s", o->t->ifname);
    err = portmap_start(&o->portmap.p, &o->t->loop, &config, &handler);
    if (err) {
        log_warn("no port mapping: %s", strerror(-err));
        return;
    }
    portmap_network_changed(o->portmap.p);
    want_own(o);
}

void overlay_portmap_stop(struct overlay *o)
{
    portmap_stop(o->portmap.p);
    o->portmap.p = NULL;
}

void overlay_portmap_network_changed(struct overlay *o)
{
    if (o->portmap.p)
        portmap_network_changed(o->portmap.p);
}

/* ---- what the node is told, and tells ---- */

static const struct gateway_mapping *own_mapping(const struct overlay *o, enum gateway_family family)
{
    return o->portmap.p ? gateway_at(portmap_gateway(o->portmap.p), o->portmap.own[family]) : NULL;
}

bool overlay_portmap_candidate(const struct overlay *o, struct tn_addr *out)
{
    const struct gateway_mapping *m = own_mapping(o, GATEWAY_V4);

    if (!m || m->state != GATEWAY_MAPPED)
        return false;
    *out = m->external;
    return true;
}

/* A mapping through which only those come in that we sent to does nothing that the NAT does not. */
void overlay_portmap_on_reach(struct overlay *o, const struct tn_event *ev)
{
    const struct gateway_mapping *m = own_mapping(o, GATEWAY_V4);

    if (!m)
        return;
    if (ev->token == TN_CAND_REFLEXIVE) {
        portmap_observed(o->portmap.p, &ev->addr);
        return;
    }
    if (ev->token != TN_CAND_MAPPED || m->state != GATEWAY_MAPPED || !tn_addr_equal(&m->external, &ev->addr))
        return;
    if (ev->status == TN_REACH_OPEN)
        portmap_verdict(o->portmap.p, o->portmap.own[GATEWAY_V4], true);
    else if (ev->status == TN_REACH_CLOSED || ev->status == TN_REACH_RESTRICTED)
        portmap_verdict(o->portmap.p, o->portmap.own[GATEWAY_V4], false);
}

void overlay_portmap_observed(struct overlay *o, const struct tn_addr *observed)
{
    if (o->portmap.p)
        portmap_observed(o->portmap.p, observed);
}

static void log_mapped(enum gateway_family family, const struct gateway_mapping *m)
{
    char text[ADDR_TEXT_LEN];

    if (family == GATEWAY_V6)
        log_info("the gateway's IPv6 firewall lets in what is sent to %s, by %s", addr_text(&m->external, text),
                 protocol_name[m->protocol]);
    else
        log_info("the gateway maps %s to us, by %s%s%s", addr_text(&m->external, text),
                 protocol_name[m->protocol], m->why ? "; " : "", why_sentence[m->why]);
}

static void log_own(struct overlay *o, enum gateway_family family)
{
    const struct gateway_mapping *m = own_mapping(o, family);
    struct overlay_portmap *p = &o->portmap;

    if (!m || (m->state == p->said_state[family] && m->why == p->said_why[family] &&
               tn_addr_equal(&m->external, &p->said_external[family])))
        return;
    p->said_state[family] = m->state;
    p->said_why[family] = m->why;
    p->said_external[family] = m->external;
    if (m->state == GATEWAY_MAPPED)
        log_mapped(family, m);
    else if (m->state == GATEWAY_FAILED && m->why == GATEWAY_LIES)
        log_warn("%s", why_sentence[m->why]);
    else if (m->state == GATEWAY_FAILED)
        log_info("no %s: %s", family == GATEWAY_V6 ? "IPv6 pinhole" : "port mapping", why_sentence[m->why]);
}

/* ---- as JSON ---- */

static json_t *ip_json(const struct tn_addr *a)
{
    char text[ADDR_TEXT_LEN];

    return tn_addr_is_zero(a) ? json_null() : json_string(addr_ip_text(a, text));
}

static json_t *mapping_json(const struct overlay *o, uint32_t id, uint64_t now_us)
{
    const struct gateway_mapping *m = gateway_at(portmap_gateway(o->portmap.p), id);
    json_t *external = json_null(), *renew = json_null(), *lease = json_null();
    char text[ADDR_TEXT_LEN];

    if (!tn_addr_is_zero(&m->external))
        external = json_string(addr_text(&m->external, text));
    if (m->state == GATEWAY_MAPPED && m->due_us != TN_NEVER)
        renew = json_real(m->due_us > now_us ? (double)(m->due_us - now_us) / 1e6 : 0.0);
    if (m->state == GATEWAY_MAPPED && m->lease_s)
        lease = json_integer(m->lease_s);
    return json_pack("{s:s,s:s,s:i,s:o,s:s,s:s,s:s,s:o,s:o,s:b,s:b,s:i,s:s}",
                     "protocol", m->want.tcp ? "tcp" : "udp",
                     "family", m->want.family == GATEWAY_V6 ? "ipv6" : "ipv4",
                     "port", (int)m->want.internal_port,
                     "external", external,
                     "state", state_name[m->state],
                     "by", protocol_name[m->protocol],
                     "verdict", verdict_name[m->verdict],
                     "lease_s", lease,
                     "renew_in_s", renew,
                     "rewritten", m->rewritten,
                     "own", id == o->portmap.own[GATEWAY_V4] || id == o->portmap.own[GATEWAY_V6],
                     "code", (int)m->code,
                     "why", why_sentence[m->why]);
}

json_t *overlay_portmap_json(const struct overlay *o)
{
    const struct gateway *g = o->portmap.p ? portmap_gateway(o->portmap.p) : NULL;
    const struct gateway_server *v4 = g ? &g->server[GATEWAY_V4] : NULL;
    const struct gateway_server *v6 = g ? &g->server[GATEWAY_V6] : NULL;
    json_t *list = json_array();

    if (!g)
        return json_pack("{s:b,s:o}", "enabled", 0, "mappings", list);
    for (uint32_t i = 0; i < GATEWAY_MAPPINGS; i++) {
        if (gateway_at(g, i))
            json_array_append_new(list, mapping_json(o, i, tund_now().us));
    }
    return json_pack("{s:b,s:o,s:o,s:{s:s,s:s,s:s},s:s,s:s,s:i,s:i,s:o}",
                     "enabled", 1,
                     "gateway", v4->present ? ip_json(&v4->router.address) : json_null(),
                     "gateway6", v6->present ? ip_json(&v6->router.address) : json_null(),
                     "speaks", "pcp", service_name[v4->pcp], "natpmp", service_name[v4->natpmp],
                     "upnp", service_name[g->igd[GATEWAY_V4].service],
                     "pcp6", service_name[v6->pcp], "upnp6", service_name[g->igd[GATEWAY_V6].service],
                     "upnp_version", (int)g->igd[GATEWAY_V4].version,
                     "swept", (int)g->igd[GATEWAY_V4].swept_count,
                     "mappings", list);
}

/* ---- tundctl portmap ---- */

static void answer_wait(struct overlay_portmap_wait *w, json_t *answer)
{
    struct ctl_conn *c = w->conn;

    w->conn = NULL;
    ctl_set_user(c, NULL);
    ctl_send(c, answer);
}

static void fail_wait(struct overlay_portmap_wait *w, const char *sentence)
{
    answer_wait(w, json_pack("{s:b,s:s}", "ok", 0, "error", sentence));
}

static struct overlay_portmap_wait *new_wait(struct overlay *o, struct ctl_conn *c,
                                             enum overlay_portmap_verb verb)
{
    for (size_t i = 0; i < OVERLAY_PORTMAP_WAITS; i++) {
        struct overlay_portmap_wait *w = &o->portmap.wait[i];

        if (w->conn)
            continue;
        *w = (struct overlay_portmap_wait){.conn = c, .verb = verb, .id = GATEWAY_NO_MAPPING};
        ctl_set_user(c, w);
        return w;
    }
    ctl_send_error(c, "too many ask for port mappings already");
    return NULL;
}

bool overlay_portmap_on_close(struct overlay *o, const struct ctl_conn *c)
{
    for (size_t i = 0; i < OVERLAY_PORTMAP_WAITS; i++) {
        if (o->portmap.wait[i].conn == c) {
            o->portmap.wait[i].conn = NULL; /* what was begun goes on */
            return true;
        }
    }
    return false;
}

static void check_add(struct overlay *o, struct overlay_portmap_wait *w)
{
    const struct gateway_mapping *m = gateway_at(portmap_gateway(o->portmap.p), w->id);
    uint32_t id = w->id;
    const char *why;

    if (!m || m->removed) {
        fail_wait(w, "it was removed again meanwhile");
    } else if (m->state == GATEWAY_MAPPED) {
        answer_wait(w, json_pack("{s:b,s:o}", "ok", 1, "mapping", mapping_json(o, id, tund_now().us)));
    } else if (m->state == GATEWAY_FAILED || m->state == GATEWAY_WAITING) {
        why = why_sentence[m->why];
        fail_wait(w, why);
        portmap_remove(o->portmap.p, id);
    }
}

static void check_waits(struct overlay *o)
{
    for (size_t i = 0; i < OVERLAY_PORTMAP_WAITS; i++) {
        struct overlay_portmap_wait *w = &o->portmap.wait[i];

        if (!w->conn)
            continue;
        if (w->verb == OVERLAY_PORTMAP_ADD)
            check_add(o, w);
        else if (w->verb == OVERLAY_PORTMAP_DEL && !gateway_at(portmap_gateway(o->portmap.p), w->id))
            answer_wait(w, json_pack("{s:b}", "ok", 1));
    }
}

/* The gateway gave another outside address, or the same after it had begun anew: what it had let in is gone. */
static bool gateway_has_moved(struct overlay *o, const struct tn_addr *candidate)
{
    const struct gateway_mapping *m = own_mapping(o, GATEWAY_V4);
    bool is_new = !tn_addr_equal(candidate, &o->portmap.offered);

    if (tn_addr_is_zero(candidate) || tn_addr_is_zero(&o->portmap.offered))
        return false;
    is_new |= m->remade != o->portmap.told_remade;
    o->portmap.told_remade = m->remade;
    return is_new;
}

static void on_change(void *ctx)
{
    struct overlay *o = ctx;
    struct tn_addr candidate = {0};
    bool has_moved;

    for (int family = 0; family < GATEWAY_FAMILIES; family++)
        log_own(o, (enum gateway_family)family);
    if (!overlay_portmap_candidate(o, &candidate))
        memset(&candidate, 0, sizeof candidate);
    has_moved = gateway_has_moved(o, &candidate);
    if (!tn_addr_equal(&candidate, &o->portmap.offered)) {
        o->portmap.offered = candidate;
        overlay_set_candidates(o);
    }
    if (has_moved)
        tn_on_network_change(o->t->node, tund_now());
    check_waits(o);
    tund_pump(o->t);
}

static json_t *table_json(const struct igd_answer *a)
{
    json_t *table = json_array();

    for (size_t i = 0; i < a->entry_count; i++) {
        const struct igd_entry *e = &a->entry[i];

        json_array_append_new(table, json_pack("{s:s,s:i,s:o,s:i,s:i,s:s}",
                                               "protocol", e->tcp ? "tcp" : "udp",
                                               "external_port", (int)e->external_port,
                                               "host", ip_json(&e->internal),
                                               "port", (int)e->internal_port,
                                               "lease_s", (int)e->lease_s,
                                               "description", e->description));
    }
    return table;
}

static void answer_list(struct overlay *o, struct overlay_portmap_wait *w, json_t *table)
{
    json_t *portmap = overlay_portmap_json(o);

    json_object_set_new(portmap, "table", table);
    answer_wait(w, json_pack("{s:b,s:o}", "ok", 1, "portmap", portmap));
}

static void answer_unmap(struct overlay_portmap_wait *w, const struct igd_answer *a)
{
    char text[96];

    if (a && a->status == IGD_OK) {
        answer_wait(w, json_pack("{s:b}", "ok", 1));
    } else if (a && a->status == IGD_NO_SUCH_ENTRY) {
        fail_wait(w, "neither tund nor the gateway's table has such a mapping (see tundctl portmap list)");
    } else if (a && a->status >= 400) {
        snprintf(text, sizeof text, "the gateway refuses to remove it (UPnP error %u)", a->status);
        fail_wait(w, text);
    } else {
        fail_wait(w, "the gateway did not answer");
    }
}

static void on_order(void *ctx, const struct igd_answer *answer)
{
    struct overlay *o = ctx;

    for (size_t i = 0; i < OVERLAY_PORTMAP_WAITS; i++) {
        struct overlay_portmap_wait *w = &o->portmap.wait[i];

        if (!w->conn)
            continue;
        if (w->verb == OVERLAY_PORTMAP_LIST)
            answer_list(o, w, answer && answer->status == IGD_OK ? table_json(answer) : json_null());
        else if (w->verb == OVERLAY_PORTMAP_UNMAP)
            answer_unmap(w, answer);
    }
}

static void do_list(struct overlay *o, struct ctl_conn *c)
{
    const struct gateway_order order = {.op = IGD_LIST};
    const struct gateway_order *running = &portmap_gateway(o->portmap.p)->order;
    struct overlay_portmap_wait *w = new_wait(o, c, OVERLAY_PORTMAP_LIST);

    if (!w || (running->wanted && running->op == IGD_LIST))
        return; /* the answer is everybody's who waits for it */
    if (portmap_order(o->portmap.p, &order) != 0)
        answer_list(o, w, json_null()); /* no UPnP, and so no table that could be read */
}

static bool read_want(const json_t *request, struct gateway_want *want)
{
    const char *protocol = json_string_value(json_object_get(request, "protocol"));
    const char *by = json_string_value(json_object_get(request, "by"));
    json_int_t port = json_integer_value(json_object_get(request, "port"));
    json_int_t external = json_integer_value(json_object_get(request, "external"));

    if (!protocol || (strcmp(protocol, "udp") != 0 && strcmp(protocol, "tcp") != 0) || port < 1 ||
        port > UINT16_MAX || external < 0 || external > UINT16_MAX)
        return false;
    *want = (struct gateway_want){.tcp = protocol[0] == 't', .internal_port = (uint16_t)port,
                                  .external_port = (uint16_t)external};
    for (int p = GATEWAY_NONE; by && p <= GATEWAY_UPNP; p++) {
        if (strcmp(by, protocol_name[p]) == 0)
            want->only = (enum gateway_protocol)p;
    }
    return true;
}

static void do_add(struct overlay *o, struct ctl_conn *c, const struct gateway_want *want)
{
    struct overlay_portmap_wait *w;
    int id = portmap_add(o->portmap.p, want);

    if (id == TN_EEXIST) {
        ctl_send_error(c, "that port is mapped, or being mapped, already (see tundctl portmap list)");
        return;
    }
    if (id < 0) {
        ctl_send_error(c, "tund keeps no more than %u mappings", GATEWAY_MAPPINGS);
        return;
    }
    w = new_wait(o, c, OVERLAY_PORTMAP_ADD);
    if (!w) {
        portmap_remove(o->portmap.p, (uint32_t)id);
        return;
    }
    w->id = (uint32_t)id;
    check_waits(o);
}

static void do_del(struct overlay *o, struct ctl_conn *c, const struct gateway_want *want)
{
    struct gateway_order order = {.op = IGD_UNMAP, .tcp = want->tcp, .external_port = want->internal_port};
    uint32_t id = gateway_find(portmap_gateway(o->portmap.p), GATEWAY_V4, want->tcp, want->internal_port);
    struct overlay_portmap_wait *w;

    if (id != GATEWAY_NO_MAPPING && id == o->portmap.own[GATEWAY_V4]) {
        ctl_send_error(c, "that is this node's own port; to do without a mapping, start tund with "
                       "--portmap off");
        return;
    }
    if (id == GATEWAY_NO_MAPPING && portmap_gateway(o->portmap.p)->order.wanted) {
        ctl_send_error(c, "the gateway's table is being read for another command; try again");
        return;
    }
    w = new_wait(o, c, id == GATEWAY_NO_MAPPING ? OVERLAY_PORTMAP_UNMAP : OVERLAY_PORTMAP_DEL);
    if (!w)
        return;
    w->id = id;
    if (id != GATEWAY_NO_MAPPING) {
        portmap_remove(o->portmap.p, id);
        check_waits(o);
    } else if (portmap_order(o->portmap.p, &order) != 0) {
        fail_wait(w, "tund has no such mapping, and the gateway has no UPnP table that could be asked");
    }
}

void overlay_portmap_verb(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    const char *op = json_string_value(json_object_get(request, "op"));
    struct gateway_want want;

    if (!op || (strcmp(op, "list") != 0 && strcmp(op, "add") != 0 && strcmp(op, "del") != 0)) {
        ctl_send_error(c, "list, add or del?");
    } else if (!o->portmap.p && strcmp(op, "list") == 0) {
        ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "portmap", overlay_portmap_json(o)));
    } else if (!o->portmap.p) {
        ctl_send_error(c, "port mapping is off on this node (tund --portmap on)");
    } else if (strcmp(op, "list") == 0) {
        do_list(o, c);
    } else if (!read_want(request, &want)) {
        ctl_send_error(c, "which port? for example 8080/tcp");
    } else if (strcmp(op, "add") == 0) {
        do_add(o, c, &want);
    } else {
        do_del(o, c, &want);
    }
}
