/* One look-up of a host name, on a thread of its own, so that it can be abandoned
 * at any moment: libuv's pool would keep the loop, and so the end of the program,
 * waiting for a name server that does not answer. */
#ifndef TUND_RESOLVE_H
#define TUND_RESOLVE_H

#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#define RESOLVE_MAX 16 /* addresses kept of an answer */

struct resolve;

struct resolve_result {
    int error; /* 0, or an EAI_* for gai_strerror */
    unsigned count;
    struct tn_addr addr[RESOLVE_MAX]; /* port as asked */
};

/* Calls back once, in the loop, unless it is stopped first; the resolve is then gone. `host` is
 * copied. 0 or a negative errno. */
TN_MUST_CHECK int resolve_start(struct resolve **out, uv_loop_t *loop, const char *host,
                                uint16_t port,
                                void (*cb)(void *ctx, const struct resolve_result *r), void *ctx);
void resolve_stop(struct resolve *r); /* NULL is fine */

#endif
