/* Where members were when the coordinator ended, however it ended: a file of the state directory, from
 * which those are called, after the start, who are not back by themselves (LOST, PROTOCOL.md section
 * 4.4). A member's NAT lets the call in, for it comes from where the member sends to. */
#ifndef TUND_COORD_PLACES_H
#define TUND_COORD_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/err.h"
#include "libtunnel/coord/server_lost.h"

#include "coord_net.h"
#include "state.h"
#include "why.h"

#define COORD_PLACES_FILE "places"

struct coord_place; /* one member of the last run */

struct coord_places {
    struct state *state;
    const struct tn_server *server;
    struct coord_net *net;
    struct tn_now (*clock)(void);
    uv_timer_t timer;
    struct coord_place *place;
    uint32_t count, at; /* at: the next one to be called in this round */
    unsigned round;
    uint8_t *file, *written; /* what is there now, and what was written last */
    size_t file_cap, written_len;
    uint64_t next_write_us;
    bool is_open, has_failed;
};

/* Reads the file and begins to call, 1000 a second. A file that cannot be read, or is not whole, is logged
 * and worth nothing. -ENOMEM. The pointers are borrowed until coord_places_close. */
TN_MUST_CHECK int coord_places_open(struct coord_places *p, uv_loop_t *loop, struct state *state,
                                    const struct tn_server *server, struct coord_net *net,
                                    uint32_t sessions, struct tn_now (*clock)(void), struct why *w);
/* Writes the file once more. A zeroed struct is fine. The loop must run once more. */
void coord_places_close(struct coord_places *p);

#endif
