/* The overlay's own addresses and routes, and the host's addresses as candidates. */
#ifndef TUND_OVERLAY_NET_H
#define TUND_OVERLAY_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#include "why.h"

struct overlay;

TN_MUST_CHECK int overlay_net_start(struct overlay *o, struct why *w);
void overlay_net_stop(struct overlay *o);
/* A member's card is new, or has changed: a device has routes of its own. Logs what fails. */
void overlay_net_member(struct overlay *o, uint32_t member);
void overlay_net_mtu(struct overlay *o, uint32_t peer); /* TN_EV_MTU */
/* The host's addresses that a member may be told, with our UDP port; false: they cannot be read. */
bool overlay_net_hosts(const struct overlay *o, struct tn_addr *out, uint32_t cap, uint32_t *count);
void overlay_set_candidates(struct overlay *o);

#endif
