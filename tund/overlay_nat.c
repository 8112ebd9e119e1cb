/* The NAT in front of this machine, as the daemon knows it: a check (netcheck.h) when the
 * coordinator has taken us, after each change of the network, and when somebody asks for one
 * on the control socket. Who asks while one is under way waits for its end. */
#include "overlay_inside.h"

#include <string.h>

#include "log.h"

/* ---- filtering: what dial-backs found ---- */

static uint8_t filtering_of(const struct overlay *o, const struct tn_addr *observed)
{
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(o->t->node, i, &row); i++) {
        if (row.origin != TN_CAND_REFLEXIVE || !tn_addr_equal(&row.addr, observed))
            continue;
        switch (row.verdict) {
        case TN_REACH_OPEN: /* from one address, restricted looks open */
            return row.sent & TN_REACH_FROM_ADDRESS ? TN_NAT_FILTER_NONE : TN_NAT_FILTER_UNKNOWN;
        case TN_REACH_RESTRICTED:
            return TN_NAT_FILTER_ADDRESS;
        case TN_REACH_CLOSED:
            return TN_NAT_FILTER_PORT;
        default:
            return TN_NAT_FILTER_UNKNOWN;
        }
    }
    return TN_NAT_FILTER_UNKNOWN;
}

static void find_filtering(const struct overlay *o, uint8_t filtering[2])
{
    struct tn_coord_info info;

    tn_node_coord_info(o->t->node, &info);
    filtering[0] = filtering_of(o, &info.observed_v4);
    filtering[1] = filtering_of(o, &info.observed_v6);
}

/* May anybody send to one of our outside addresses? A coordinator with one address cannot tell a NAT that
 * lets anybody in from one that lets addresses in; but a mapped port is open or it is not. */
static bool is_open(const struct overlay *o)
{
    struct tn_reach_row row;

    for (uint32_t i = 0; tn_node_reach(o->t->node, i, &row); i++) {
        if (row.verdict == TN_REACH_OPEN && tn_addr_is_v4(&row.addr) &&
            (row.sent & TN_REACH_FROM_ADDRESS || row.origin == TN_CAND_MAPPED))
            return true;
    }
    return false;
}

void overlay_nat_tell(struct overlay *o)
{
    uint8_t filtering[2];

    if (!o->nat.result.family[0].tried)
        return;
    find_filtering(o, filtering);
    o->nat.own = o->nat.result.family[0].check.nat;
    o->nat.own.filtering = filtering[0];
    o->nat.own.open = is_open(o);
    o->nat.own.reserved = !o->metered.budget;
    tn_node_set_nat(o->t->node, &o->nat.own, tund_now());
    tund_pump(o->t);
}

/* ---- the check ---- */

static void answer(struct overlay *o, struct ctl_conn *c)
{
    uint8_t filtering[2];
    json_t *report;

    find_filtering(o, filtering);
    report = netcheck_json(&o->nat.result, filtering);
    json_object_set_new(report, "lifetime", overlay_life_json(o));
    json_object_set_new(report, "gateway", overlay_portmap_json(o));
    ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "netcheck", report));
}

static void on_checked(void *ctx, const struct netcheck_result *r)
{
    struct overlay *o = ctx;
    const struct tn_nat *nat = &r->family[0].check.nat;

    o->nat.check = NULL;
    o->nat.result = *r;
    if (r->family[0].tried)
        log_info("the NAT here: mapping %s, ports %s", tn_nat_mapping_name(nat->mapping),
                 tn_nat_ports_name(nat->ports));
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        struct ctl_conn *c = o->nat.waiting[i];

        o->nat.waiting[i] = NULL;
        if (!c)
            continue;
        ctl_set_user(c, NULL);
        answer(o, c);
    }
    overlay_nat_tell(o);
    overlay_life_begin(o);
}

void overlay_nat_begin(struct overlay *o)
{
    int err;

    if (!o->resolved)
        return;
    netcheck_stop(o->nat.check); /* what it has seen may have been of the network before */
    o->nat.check = NULL;
    err = netcheck_start(&o->nat.check, &o->t->loop, &o->coordinator.v4, &o->coordinator.v6, on_checked,
                         o);
    if (err)
        log_warn("the NAT cannot be checked: %s", strerror(-err));
}

/* ---- the verb ---- */

void overlay_nat_verb(struct overlay *o, struct ctl_conn *c)
{
    if (!o->nat.check)
        overlay_nat_begin(o);
    if (!o->nat.check) {
        ctl_send_error(c, "the coordinator's address is not known yet");
        return;
    }
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        if (o->nat.waiting[i])
            continue;
        o->nat.waiting[i] = c;
        ctl_set_user(c, &o->nat);
        return;
    }
    ctl_send_error(c, "too many wait already");
}

void overlay_nat_on_close(struct overlay *o, const struct ctl_conn *c)
{
    for (size_t i = 0; i < CTL_CONN_MAX; i++) {
        if (o->nat.waiting[i] == c)
            o->nat.waiting[i] = NULL;
    }
}

void overlay_nat_stop(struct overlay *o)
{
    netcheck_stop(o->nat.check);
    o->nat.check = NULL;
    overlay_life_stop(o);
}
