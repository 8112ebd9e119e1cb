/* Members that relay for others, and whether this machine does: see overlay_relay.c. */
#ifndef TUND_OVERLAY_RELAY_H
#define TUND_OVERLAY_RELAY_H

#include <jansson.h>

#include "libtunnel/tunnel.h"

struct ctl_conn;
struct overlay;

/* The name of who relays, where a path leads through another member; NULL: it does not. */
const char *overlay_through(const struct overlay *o, enum tn_path_kind path, const struct tn_addr *endpoint);
json_t *overlay_relay_json(const struct overlay *o);
void overlay_relay_verb(struct overlay *o, struct ctl_conn *c, json_t *request);

#endif
