/* Pings for tundctl: see overlay_ping.c. */
#ifndef TUND_OVERLAY_PING_H
#define TUND_OVERLAY_PING_H

#include <jansson.h>
#include <stdint.h>

struct ctl_conn;
struct overlay;
struct tn_event;
struct tn_member;

void overlay_ping_start(struct overlay *o, struct ctl_conn *c, const struct tn_member *m,
                        uint32_t peer, const json_t *request);
void overlay_ping_on_event(struct overlay *o, const struct tn_event *ev);
void overlay_ping_on_close(struct overlay *o, struct ctl_conn *c);
void overlay_ping_stop_all(struct overlay *o);

#endif
