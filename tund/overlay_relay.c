/* Does this machine relay for other members (`tundctl relay`)? The answer is a flag of its own card: signed anew here,
 * stored, then published, so that each member hears of it and checks who says so. What a relay does: node_via.c. */
#include "overlay_inside.h"

#include <string.h>

#include "log.h"

const char *overlay_through(const struct overlay *o, enum tn_path_kind path, const struct tn_addr *endpoint)
{
    const struct tn_member *m;

    if (path != TN_PATH_MEMBER)
        return NULL;
    m = tn_roster_find_address(tn_node_roster(o->t->node), endpoint);
    return m ? m->card.cert.name : "(unknown)";
}

json_t *overlay_relay_json(const struct overlay *o)
{
    const struct tn_counters *n = tn_node_counters(o->t->node);

    return json_pack("{s:b,s:I,s:I,s:I}",
                     "on", tn_card_relays(&o->self.card),
                     "rate_bits", (json_int_t)(o->t->opt.relay_rate_bits ? o->t->opt.relay_rate_bits
                                                                         : 8u * TN_RELAY_RATE_DEFAULT),
                     "forwarded", (json_int_t)n->forwarded,
                     "refused", (json_int_t)n->drop_via);
}

/* 0, or the connection was answered. */
static int change(struct overlay *o, struct ctl_conn *c, bool on)
{
    struct tn_card had = o->self.card, card = had;
    struct why why;

    if (o->leave_sent) {
        ctl_send_error(c, "this node is leaving");
        return -1;
    }
    if (tn_card_sign_key(&card, o->self.identity_seed, tn_card_next_epoch(&had, on), had.wireguard_public) != 0) {
        ctl_send_error(c, "cannot make the card that says so");
        return -1;
    }
    o->self.card = card;
    if (state_save_node(&o->state, &o->self, &why) != 0) {
        o->self.card = had;
        ctl_send_error(c, "%s", why.text);
        return -1;
    }
    if (tn_node_renew_card(o->t->node, &card, tund_now()) != 0)
        log_warn("the coordinator is told of the new card with the next session");
    log_info("this machine %s for other members, as tundctl asks", on ? "relays" : "does not relay");
    tund_pump(o->t);
    return 0;
}

void overlay_relay_verb(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    const json_t *on = json_object_get(request, "on");

    if (on && !json_is_boolean(on)) {
        ctl_send_error(c, "a machine relays, or it does not: true or false");
        return;
    }
    if (on && json_is_true(on) != tn_card_relays(&o->self.card) && change(o, c, json_is_true(on)))
        return;
    ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "relay", overlay_relay_json(o)));
}
