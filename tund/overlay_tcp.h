/* Members by TCP, where UDP is blocked: what the overlay calls. How it works: overlay_tcp.c. */
#ifndef TUND_OVERLAY_TCP_H
#define TUND_OVERLAY_TCP_H

#include "explain.h"
#include "overlay_inside.h"

/* Does nothing with --tls-port 0. */
TN_MUST_CHECK int overlay_tcp_start(struct overlay *o, struct why *w);
void overlay_tcp_allow(struct overlay *o); /* not on a metered link, which may be another now */
void overlay_tcp_stop(struct overlay *o);
void overlay_tcp_on_event(struct overlay *o, const struct tn_event *ev); /* TN_EV_TCP */
void overlay_tcp_on_change(struct overlay *o); /* the host's network: attempts are of the one before */
/* False: not the address of a connection with a member. One that is closed by now loses the datagram. */
bool overlay_tcp_send(struct overlay *o, const struct tn_addr *to, const uint8_t *data, size_t len);
/* The address for people of a candidate or endpoint: where its connection leads, if it is a stream address. */
struct tn_addr overlay_tcp_shown(const struct overlay *o, const struct tn_addr *a);

enum explain_tcp overlay_tcp_state(const struct overlay *o, uint32_t peer);
/* What was tried and what came back; null: nothing was tried. */
json_t *overlay_tcp_json(const struct overlay *o, uint32_t peer);

#endif
