/* What set=1 does to the node and its sockets. */
#ifndef TUND_UAPI_SET_H
#define TUND_UAPI_SET_H

#include "daemon.h"
#include "uapi_parse.h"

/* 0 or a negative errno. Nothing is changed when the request is malformed, the port cannot be had
 * or the peers are more than there is room for. */
TN_MUST_CHECK int uapi_set(struct tund *t, const struct uapi_parser *request);

#endif
