/* TLS 1.3 as a wrapping for the control channel and the relay where UDP is blocked. Who is at the other
 * end is proven inside, by Noise (docs/DESIGN.md), so certificates are neither checked nor kept.
 *
 * OpenSSL is loaded when it is first needed, which for most members is never: it would take two
 * megabytes of a daemon that takes few more. */
#ifndef TUND_TLS_H
#define TUND_TLS_H

#include <stdbool.h>

#include "libtunnel/base/err.h"

#include "why.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct ssl_st;     /* OpenSSL's SSL */

/* Loads OpenSSL unless it is there. -ENOENT: it is not installed; *w says so. */
TN_MUST_CHECK int tls_load(struct why *w);
/* A new context; *w says what OpenSSL did not like. tls_free gives it back; NULL is fine there. */
TN_MUST_CHECK int tls_client_new(struct ssl_ctx_st **out, struct why *w);
void tls_free(struct ssl_ctx_st *ctx);

/* A connection's TLS over fd, which stays the caller's; sni may be NULL. NULL: no memory. */
struct ssl_st *tls_begin(struct ssl_ctx_st *ctx, int fd, bool server, const char *sni);
void tls_end(struct ssl_st *tls); /* NULL is fine */

/* These return what was done, above 0 (bytes, or 1); or one of these: */
#define TLS_WAITS 0             /* until there is something to read */
#define TLS_WAITS_TO_WRITE (-1) /* until it can be written */
#define TLS_OVER (-2)           /* *why is a text for people, which lasts until the next call */
TN_MUST_CHECK int tls_handshake(struct ssl_st *tls, const char **why);
TN_MUST_CHECK int tls_read(struct ssl_st *tls, void *out, int cap, const char **why);
TN_MUST_CHECK int tls_write(struct ssl_st *tls, const void *data, int len, const char **why);
void tls_goodbye(struct ssl_st *tls); /* if there is room for it; nothing waits for it */

#endif
