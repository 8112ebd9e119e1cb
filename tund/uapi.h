/* The WireGuard userspace API: a request as text in, an answer as text out. */
#ifndef TUND_UAPI_H
#define TUND_UAPI_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon.h"
#include "uapi_text.h"

/* Does what a whole request says and appends the answer, "errno=N" and the empty line included.
 * Keys are in it: the caller wipes. The caller pumps. */
void uapi_handle(struct tund *t, const char *request, size_t len, struct uapi_text *answer);

/* ---- the socket (uapi_server.c) ---- */

/* Serves /var/run/wireguard/IFNAME.sock. -EADDRINUSE: somebody serves that name. When the socket is
 * removed, tund_stop is called. A sentence is in tund_fail on failure. */
TN_MUST_CHECK int uapi_open(struct uapi **out, struct tund *t);
void uapi_close(struct uapi *u); /* removes the socket; NULL is fine; the loop must run once more */

#endif
