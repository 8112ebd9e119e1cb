/* The coordinator's status socket: whoever may connect to DIR/status.sock gets
 * one JSON object and the end of the stream. It takes no requests. */
#ifndef TUND_COORD_STATUS_H
#define TUND_COORD_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "libtunnel/base/err.h"

#include "why.h"

#define COORD_STATUS_SOCKET "status.sock"

struct coord_status {
    uv_pipe_t pipe;
    void *ctx;
    json_t *(*report)(void *ctx); /* a new reference, or NULL */
    bool open;
};

/* Both work in the current directory, which is the state directory: so no path is too long
 * for a socket's name. A socket that a killed coordinator left is replaced; the caller
 * holds the lock of the directory. 0, or a negative errno with *w filled in. */
TN_MUST_CHECK int coord_status_open(struct coord_status *s, uv_loop_t *loop,
                                    json_t *(*report)(void *ctx), void *ctx, struct why *w);
/* Removes the socket. The loop must run once more. */
void coord_status_close(struct coord_status *s);

/* The asking side: a new reference. -ECONNREFUSED and -ENOENT: none is running here. */
TN_MUST_CHECK int coord_status_ask(json_t **report, struct why *w);

#endif
