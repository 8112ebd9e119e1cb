/* File "networks" of a state directory: what was learned about the networks that this machine has been in,
 * so that it need not be learned again. Losing it costs time only. */
#ifndef TUND_STATE_NETWORKS_H
#define TUND_STATE_NETWORKS_H

#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/path/natlife.h"
#include "state.h"

#define STATE_NETWORKS_MAX 32
#define STATE_NETWORKS_FILE_MAX 1024

/* The latest first. */
struct state_networks {
    uint32_t count;
    struct {
        uint64_t key; /* state_network_key */
        struct tn_natlife life;
    } row[STATE_NETWORKS_MAX];
};

/* A network is known by the outside address that it gives us, and by the LAN (/24 or /64) within. */
uint64_t state_network_key(const struct tn_addr *outside, const struct tn_addr *local);
/* Zero where nothing is known. */
struct tn_natlife state_networks_find(const struct state_networks *n, uint64_t key);
/* Becomes the latest; the oldest of a full table goes. */
void state_networks_put(struct state_networks *n, uint64_t key, const struct tn_natlife *life);

/* The pure halves. Decoding: TN_EINVAL, *n untouched, for what is damaged or of another version. */
TN_MUST_CHECK int state_networks_encode(const struct state_networks *n, uint8_t *out, size_t cap, size_t *len);
TN_MUST_CHECK int state_networks_decode(struct state_networks *n, const uint8_t *data, size_t len);

/* 0 or a negative errno with *w filled. No file is an empty table; -EBADMSG: it is damaged. */
TN_MUST_CHECK int state_save_networks(struct state *s, const struct state_networks *n, struct why *w);
TN_MUST_CHECK int state_load_networks(struct state *s, struct state_networks *n, struct why *w);

#endif
