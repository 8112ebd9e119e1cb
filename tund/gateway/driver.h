/* Port mapping in the daemon: gateway.h on a libuv loop. Finds the default gateways, owns the sockets to
 * them and the child that speaks UPnP. All on the loop's thread. */
#ifndef TUND_GATEWAY_DRIVER_H
#define TUND_GATEWAY_DRIVER_H

#include <uv.h>

#include "gateway.h"

struct portmap; /* heap; frees itself in the loop after portmap_stop */

struct portmap_config {
    uint8_t nonce_key[32];
    char description[IGD_DESCRIPTION_SIZE];
    char skip_ifname[16]; /* our own tunnel: a default route through it leads to no gateway */
};

struct portmap_handler {
    void *ctx;
    /* A mapping, a gateway or a service changed. May call back into the portmap. */
    void (*on_change)(void *ctx);
    /* What portmap_order asked for; NULL: it was not answered. */
    void (*on_order)(void *ctx, const struct igd_answer *answer);
};

/* 0 or a negative errno. */
TN_MUST_CHECK int portmap_start(struct portmap **out, uv_loop_t *loop, const struct portmap_config *config,
                                const struct portmap_handler *handler);
/* Deletes every mapping at the gateways, for at most PORTMAP_STOP_MS of the loop's time, and then
 * closes and frees itself. No callback comes any more. NULL is fine. */
#define PORTMAP_STOP_MS 3000
void portmap_stop(struct portmap *p);

/* Addresses or routes of the host changed, or it slept. */
void portmap_network_changed(struct portmap *p);
/* As in gateway.h. */
TN_MUST_CHECK int portmap_add(struct portmap *p, const struct gateway_want *want);
void portmap_remove(struct portmap *p, uint32_t id);
void portmap_verdict(struct portmap *p, uint32_t id, bool answered);
void portmap_observed(struct portmap *p, const struct tn_addr *observed);
TN_MUST_CHECK int portmap_order(struct portmap *p, const struct gateway_order *order);
const struct gateway *portmap_gateway(const struct portmap *p); /* to look at */

#endif
