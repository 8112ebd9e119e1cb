/* Metered links: what is spared there, and why (overlay_metered.c). */
#ifndef TUND_OVERLAY_METERED_H
#define TUND_OVERLAY_METERED_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct overlay;

struct overlay_metered {
    bool known;
    char ifname[IF_NAMESIZE]; /* the link that is; "": none */
    uint32_t budget;          /* bytes of one search for a port; 0: none is made */
    uint32_t keepalive_s;     /* 0: not told yet */
};

void overlay_metered_check(struct overlay *o);   /* at the start, and when routes or the coordinator's address changed */
void overlay_metered_on_life(struct overlay *o); /* more is known of how long the NAT keeps a mapping */

#endif
