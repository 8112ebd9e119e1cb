/* An HTTP proxy (RFC 9110 section 9.3.6, CONNECT): what the user says of it, what is said to it, and
 * what it answers. No descriptor. */
#ifndef TUND_PROXY_H
#define TUND_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libtunnel/base/err.h"
#include "libtunnel/member/url.h"

#include "why.h"

#define PROXY_AUTH_MAX 256     /* "user:password" */
#define PROXY_REQUEST_SIZE 1536
#define PROXY_ANSWER_MAX 4096  /* status line and headers */

struct proxy {
    bool set;
    char host[TN_HOST_SIZE]; /* name or address literal, without brackets */
    uint16_t port;
    char auth[PROXY_AUTH_MAX]; /* secret; empty: none */
};

/* "http://HOST:PORT", with or without the scheme and a slash at the end; the port is 3128 unless told.
 * Refuses https://, SOCKS, and a password in it: -EINVAL, *w says why. */
TN_MUST_CHECK int proxy_parse(const char *text, struct proxy *out, struct why *w);
/* The first line of a file, "USER:PASSWORD". -EPERM where others may read it. */
TN_MUST_CHECK int proxy_load_auth(const char *path, struct proxy *out, struct why *w);

/* CONNECT to host and port; the length, without the NUL, or 0 when it does not fit. The text is a secret
 * when there is a password. */
size_t proxy_request(const struct proxy *p, const char *host, uint16_t port,
                     char out[PROXY_REQUEST_SIZE]);
/* What came so far. 0: more must come; > 0: the answer's status, 100 to 599, its headers being whole;
 * -EPROTO: no HTTP answer, too long, or a 200 followed by bytes that nobody asked for. */
int proxy_answer(const uint8_t *bytes, size_t len);

#endif
