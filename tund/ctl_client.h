/* tundctl's end of the control socket: blocking, with a deadline on everything.
 * All functions return 0 or a negative errno, and have then filled *w. */
#ifndef TUND_CTL_CLIENT_H
#define TUND_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "libtunnel/base/err.h"
#include "state.h"
#include "why.h"

#define CTL_ANSWER_MS 2000 /* for what the daemon knows by itself */
#define CTL_ANSWER_MAX (16u << 20) /* bytes of one line */

struct ctl_client {
    int fd;
    char *line;
    size_t len, cap;
    size_t taken; /* bytes of `line` that were handed out already */
};

/* -ECONNREFUSED: no daemon runs with this state. -EPERM: who listens is neither root nor we. */
TN_MUST_CHECK int ctl_client_open(struct ctl_client *c, const struct state *s, struct why *w);
void ctl_client_close(struct ctl_client *c);
/* Takes the reference. */
TN_MUST_CHECK int ctl_client_send(struct ctl_client *c, json_t *request, struct why *w);
/* The next object, to be released by the caller. -ETIMEDOUT, -EINTR (a signal came), -EPIPE (the
 * daemon has gone), -EPROTO. */
TN_MUST_CHECK int ctl_client_next(struct ctl_client *c, json_t **out, int timeout_ms, struct why *w);

/* True for the last object of an answer. */
bool ctl_is_answer(const json_t *message);
/* 0 for {"ok": true}; else -EREMOTEIO with the daemon's own sentence. */
TN_MUST_CHECK int ctl_check_answer(const json_t *message, struct why *w);

/* One request, one answer that was ok. Takes the reference; *answer may be NULL. */
TN_MUST_CHECK int ctl_ask(const struct state *s, json_t *request, int timeout_ms, json_t **answer,
                          struct why *w);

#endif
