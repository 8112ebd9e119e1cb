/* The server's end of TLS, for tund-coord, which is linked with OpenSSL. */
#ifndef TUND_TLS_SERVER_H
#define TUND_TLS_SERVER_H

#include "tls.h"

/* A context with a key and a self-signed certificate made for this process. Given back by tls_free. */
TN_MUST_CHECK int tls_server_new(struct ssl_ctx_st **out, struct why *w);

#endif
