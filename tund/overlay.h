/* The overlay node inside the daemon: `tund IFNAME --state DIR`. It hangs itself
 * into the daemon's hooks; without it tund is a plain WireGuard interface. */
#ifndef TUND_OVERLAY_H
#define TUND_OVERLAY_H

#include "daemon.h"

struct overlay;

/* Fills all of `hooks`. NULL: no memory. To be freed after tund_free. */
struct overlay *overlay_new(struct tund_hooks *hooks);
void overlay_free(struct overlay *o); /* NULL is fine */

#endif
