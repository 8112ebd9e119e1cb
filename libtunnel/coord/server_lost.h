/* A coordinator that starts again tells its members so (PROTOCOL.md section 4.4). Its program keeps
 * where they were, since the server's own memory ends with it: server_lost.c. */
#ifndef TN_COORD_SERVER_LOST_H
#define TN_COORD_SERVER_LOST_H

#include "lost.h"
#include "server.h"

/* Where a live member is called: the address that it was last heard from, and through which socket. */
struct tn_server_place {
    uint8_t client_public[32];
    uint32_t index; /* the member's own, of the session */
    struct tn_addr addr;
    uint8_t port;
};

/* The next place from *slot (0 at first) on, which moves behind it. Members on a stream have none: they
 * notice by themselves. False: there are no more. */
bool tn_server_place_next(const struct tn_server *s, uint32_t *slot, struct tn_now now,
                          struct tn_server_place *out);
/* Has this key a live session? */
bool tn_server_has(const struct tn_server *s, const uint8_t client_public[32], struct tn_now now);

#endif
