/* Which ways the user allows to a member (`tundctl path`): kept on disk, and told to the node when the member has a
 * slot there. */
#include "overlay_inside.h"

#include <string.h>

#include "libtunnel/path/mode.h"
#include "log.h"

static void apply(struct overlay *o, const struct tn_member *m)
{
    uint8_t mode = state_paths_find(&o->paths, m->card.identity);
    uint32_t peer = tn_node_member_peer(o->t->node, (uint32_t)tn_roster_index(tn_node_roster(o->t->node), m));

    if (peer != TN_NO_PEER && tn_node_set_path_mode(o->t->node, peer, mode, tund_now()) != 0)
        log_warn("%s is a device now: the relay alone reaches it, whatever `tundctl path` was told",
                 m->card.cert.name);
}

void overlay_path_member(struct overlay *o, uint32_t member)
{
    const struct tn_member *m = tn_node_member(o->t->node, member);

    if (m)
        apply(o, m);
}

void overlay_path_start(struct overlay *o)
{
    const struct tn_roster *r = tn_node_roster(o->t->node);
    struct why why;

    if (state_load_paths(&o->state, &o->paths, &why) != 0)
        log_warn("%s: until then all paths are auto", why.text);
    for (const struct tn_member *m = tn_roster_next(r, NULL); m; m = tn_roster_next(r, m))
        apply(o, m);
}

/* 0, or the connection was answered. */
static int change(struct overlay *o, struct ctl_conn *c, const struct tn_member *m, uint32_t peer, const char *text)
{
    uint8_t had = state_paths_find(&o->paths, m->card.identity), mode;

    if (!state_paths_parse_mode(text, &mode)) {
        ctl_send_error(c, "a path is auto, direct or relay, not \"%.40s\"", text);
        return -1;
    }
    if (!state_paths_put(&o->paths, m->card.identity, mode)) {
        ctl_send_error(c, "%u members have a path of their own already: set some of them to auto", STATE_PATHS_MAX);
        return -1;
    }
    if (tn_node_set_path_mode(o->t->node, peer, mode, tund_now()) != 0) {
        (void)state_paths_put(&o->paths, m->card.identity, had); /* there is room for what was there */
        ctl_send_error(c, "%s is a device that pays for each byte: only the relay reaches it", m->card.cert.name);
        return -1;
    }
    overlay_disk_wish(o, OVERLAY_PATHS);
    log_info("%s: path %s, as tundctl asks", m->card.cert.name, tn_mode_name(mode));
    tund_pump(o->t);
    return 0;
}

void overlay_path_verb(struct overlay *o, struct ctl_conn *c, json_t *request)
{
    const char *text = json_string_value(json_object_get(request, "mode"));
    const struct tn_member *m;
    uint32_t peer;

    if (!overlay_find_peer(o, c, request, &m, &peer) || (text && change(o, c, m, peer, text)))
        return;
    ctl_send(c, json_pack("{s:b,s:o}", "ok", 1, "peer", overlay_peer_json(o, m, peer, tund_now())));
}
