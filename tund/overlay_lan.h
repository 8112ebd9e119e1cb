/* Members on the LAN, while the coordinator is away: see overlay_lan.c. */
#ifndef TUND_OVERLAY_LAN_H
#define TUND_OVERLAY_LAN_H

#include <stddef.h>
#include <stdint.h>

struct overlay;

void overlay_lan_begin(struct overlay *o); /* or again, when the host's network changed */
void overlay_lan_stop(struct overlay *o);
void overlay_lan_send(struct overlay *o, const uint8_t *data, size_t len);

#endif
