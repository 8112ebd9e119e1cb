/* Which ways data may take to a peer: what a user may set. */
#ifndef TN_PATH_MODE_H
#define TN_PATH_MODE_H

#include <stdint.h>

/* From this end: the peer chooses for itself. */
enum tn_path_mode {
    TN_MODE_AUTO,   /* the better one */
    TN_MODE_DIRECT, /* no data goes by the relay; handshakes and signaling may */
    TN_MODE_RELAY,  /* no direct path is looked for; the peer's own search is still answered */
    TN_MODES,
};

const char *tn_mode_name(uint8_t mode); /* "auto", "direct", "relay"; never NULL */

#endif
