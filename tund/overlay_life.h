/* How long the NAT here keeps a mapping: see overlay_life.c. */
#ifndef TUND_OVERLAY_LIFE_H
#define TUND_OVERLAY_LIFE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/tunnel.h"
#include "state_networks.h"

struct overlay;

struct overlay_life_socket { /* heap: outlives its handle's close */
    struct overlay *overlay;
    uv_poll_t poll;
    int fd;
};

struct overlay_life {
    struct state_networks networks;
    struct tn_natlife life; /* of the network that we are in */
    uint64_t key;           /* of that network; 0: none known */
    uv_timer_t timer;
    bool open;
    uint8_t phase; /* private to overlay_life.c, as what follows */
    uint8_t tries;
    uint32_t trial_s;
    struct overlay_life_socket *socket;
    struct tn_addr mapped;
    uint8_t txid[12];
    uint64_t nonce;
    bool dialled; /* the coordinator says that it has sent the knock */
};

TN_MUST_CHECK int overlay_life_open(struct overlay *o); /* 0 or a negative errno */
void overlay_life_begin(struct overlay *o); /* after a check: goes on, or begins where the network is another */
void overlay_life_on_event(struct overlay *o, const struct tn_event *ev);
void overlay_life_stop(struct overlay *o);
json_t *overlay_life_json(const struct overlay *o);

#endif
