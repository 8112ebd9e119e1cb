/* What has to be on disk before it counts.
 *
 * Stamps: no handshake stamp goes above the ceiling that is stored, so after a
 * power cut every new one is above every old one. The node asks for a higher
 * ceiling before it needs it (TN_EV_STAMP). While the disk says no, the node keeps
 * its sessions and makes no handshake above the ceiling.
 *
 * Roster: a change is handed to the disk after SAVE_DELAY_MS, so that the burst of a first
 * sync is one write. What a power cut takes with it in between comes again from
 * the coordinator, and is verified again. */
#include "overlay_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/tunnel.h"
#include "log.h"

#define SAVE_DELAY_MS 200

static uint64_t ceiling_above(const struct overlay *o, uint64_t above_ns)
{
    uint64_t ceiling = above_ns + OVERLAY_STAMP_AHEAD_NS;

    return ceiling > o->stamp_ceiling_ns ? ceiling : o->stamp_ceiling_ns + OVERLAY_STAMP_AHEAD_NS;
}

int overlay_store_stamp(struct overlay *o, uint64_t above_ns, struct why *w)
{
    uint64_t ceiling = ceiling_above(o, above_ns);
    int err = state_save_stamp(&o->state, ceiling, w);

    if (!err)
        o->stamp_ceiling_ns = ceiling;
    return err;
}

void overlay_extend_stamp(struct overlay *o, uint64_t above_ns)
{
    overlay_disk_wish_stamp(o, ceiling_above(o, above_ns));
}

/* ---- roster ---- */

int overlay_load_roster(struct overlay *o, struct why *w)
{
    struct tn_now now = tund_now();
    struct tn_roster_load report;
    struct tn_roster roster;
    uint8_t card[TN_CARD_MAX_LEN];
    size_t cap = o->t->mem.member_cap, len;
    struct tn_member *members = calloc(cap, sizeof(*members));
    int err;

    if (!members)
        return why_set(w, -ENOMEM, "no memory to read the roster");
    tn_roster_init(&roster, members, cap, o->self.card.cert.network_public);
    err = state_load_roster(&o->state, &roster, &report, w);
    if (err) {
        /* members are not lost by this: the coordinator has them */
        log_warn("%s", w->text);
        err = 0;
    }
    if (report.damaged || report.refused)
        log_warn("the roster on disk had %zu damaged and %zu refused cards; they come again from "
                 "the coordinator", report.damaged, report.refused);
    for (size_t i = 0; i < roster.count && !err; i++) {
        if (tn_card_encode(&roster.members[i].card, card, sizeof(card), &len) != 0 ||
            tn_node_load_member(o->t->node, card, len, now) != 0)
            log_warn("member %s of the roster on disk was refused", roster.members[i].card.cert.name);
    }
    free(members);
    return err;
}

void overlay_store_roster_now(struct overlay *o)
{
    if (o->roster_dirty)
        overlay_disk_wish(o, OVERLAY_ROSTER);
    o->roster_dirty = false;
}

static void on_save(uv_timer_t *timer)
{
    overlay_store_roster_now(timer->data);
}

void overlay_roster_changed(struct overlay *o)
{
    if (o->roster_dirty)
        return;
    o->roster_dirty = true;
    if (uv_timer_start(&o->save_timer, on_save, SAVE_DELAY_MS, 0) != 0)
        log_error("no timer to write the roster");
}

void overlay_store_joined(struct overlay *o)
{
    struct why why;

    if (o->self.joined)
        return;
    o->self.joined = true;
    if (state_save_node(&o->state, &o->self, &why) != 0) {
        log_error("%s", why.text);
        o->self.joined = false; /* with the next JOINED it is tried again */
    }
}
