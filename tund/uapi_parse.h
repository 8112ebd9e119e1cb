/* The WireGuard cross-platform userspace API, read from text: one operation for
 * each line. Pure: no descriptor, no node, nothing allocated.
 * https://www.wireguard.com/xplatform/ */
#ifndef TUND_UAPI_PARSE_H
#define TUND_UAPI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

enum uapi_kind {
    UAPI_PRIVATE_KEY, /* key; all zero removes it */
    UAPI_LISTEN_PORT, /* number */
    UAPI_FWMARK,      /* number */
    UAPI_REPLACE_PEERS,
    UAPI_PUBLIC_KEY, /* key: what follows is about this peer */
    UAPI_REMOVE,
    UAPI_UPDATE_ONLY,
    UAPI_PRESHARED_KEY, /* key */
    UAPI_ENDPOINT,      /* addr */
    UAPI_KEEPALIVE,     /* number, seconds */
    UAPI_REPLACE_ALLOWED_IPS,
    UAPI_ALLOWED_IP, /* addr, v4, bits, minus */
    UAPI_PROTOCOL_VERSION, /* number, 1 */
};

struct uapi_op {
    enum uapi_kind kind;
    uint8_t key[32]; /* may be secret: wipe the struct after use */
    uint32_t number;
    struct tn_addr addr; /* an allowed IP has its address here, as an endpoint has */
    uint8_t ip[16];      /* an allowed IP once more, as libtunnel takes it: IPv4 is 4 bytes */
    bool v4;
    uint8_t bits;
    bool minus; /* take the allowed IP away */
};

struct uapi_parser {
    const char *at, *end;
    bool is_get;
    bool in_peer;
};

/* Bytes of the first request in the text, its closing empty line included; 0: not complete yet. */
size_t uapi_request_len(const char *text, size_t len);
/* Begins with a whole request. 0, or -EINVAL for neither get=1 nor set=1. */
TN_MUST_CHECK int uapi_parser_init(struct uapi_parser *p, const char *text, size_t len);
/* The next operation: 1, or 0 at the end, or a negative errno: -EPROTO for a line that is no
 * key=value, -EINVAL for what it says. `op` is untouched then. */
TN_MUST_CHECK int uapi_parser_next(struct uapi_parser *p, struct uapi_op *op);

#endif
