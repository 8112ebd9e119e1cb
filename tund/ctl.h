/* The control socket's end in the daemon: DIR/ctl.sock, a stream of JSON objects,
 * one a line, in both directions. Whoever connects must be root or our own user.
 *
 *   request   {"verb": "status", ...}
 *   answer    {"ok": true, ...} or {"ok": false, "error": "a sentence"}
 *   between   {"event": "...", ...}, for verbs that stream
 *
 * A connection carries one request at a time; the next may follow its answer. */
#ifndef TUND_CTL_H
#define TUND_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "libtunnel/base/err.h"

#define CTL_SOCKET_NAME "ctl.sock"
#define CTL_LINE_MAX 65536u   /* bytes of a request */
#define CTL_CONN_MAX 32u      /* connections at a time; more are closed at once */
#define CTL_QUEUE_MAX 262144u /* bytes a slow reader may leave unread */
#define CTL_IDLE_MS 5000u     /* for a request to come, whole */

struct ctl;
struct ctl_conn;

struct ctl_handler {
    void *ctx;
    /* `request` is an object, and borrowed. Answers with ctl_send, now or later. */
    void (*on_request)(void *ctx, struct ctl_conn *c, json_t *request);
    /* The connection ends: nothing can be sent any more. */
    void (*on_close)(void *ctx, struct ctl_conn *c);
};

/* Listens on dir_fd/ctl.sock, replacing what is there: whoever calls holds the daemon's lock.
 * 0 or a negative errno. */
TN_MUST_CHECK int ctl_open(struct ctl **out, uv_loop_t *loop, int dir_fd,
                           const struct ctl_handler *handler);
/* Ends every connection and removes the socket. Memory goes with the last handle, in the loop. */
void ctl_close(struct ctl *c); /* NULL is fine */

/* Takes the reference. A reader that is too slow is cut off. */
void ctl_send(struct ctl_conn *c, json_t *message);
void ctl_send_ok(struct ctl_conn *c);
void ctl_send_error(struct ctl_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* While a connection has a user's pointer it is streaming: it may be idle, and a further request on it is
 * refused. NULL when the verb is done. */
void ctl_set_user(struct ctl_conn *c, void *user);
void *ctl_user(const struct ctl_conn *c);

#endif
