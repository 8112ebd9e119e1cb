/* What does the network here let through? UDP and the NAT (libtunnel/path/natcheck.h) in both families,
 * the largest packet to the coordinator, TCP, whether somebody else answers in its place, and the prefix of a
 * NAT64. Asks nobody but the coordinator, and this host's name server for NAT64_NAME. Runs on a libuv loop, for the daemon and for tundctl without one. */
#ifndef TUND_NETCHECK_H
#define TUND_NETCHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"
#include "libtunnel/path/natcheck.h"
#include "nat64.h"

#define NETCHECK_MAX_MS 4500 /* it is over then, whatever is missing */

enum netcheck_tcp { NETCHECK_TCP_SILENT, NETCHECK_TCP_OPEN, NETCHECK_TCP_REFUSED, NETCHECK_TCP_UNREACHABLE };

/* One address family. */
struct netcheck_family {
    bool tried;          /* the coordinator has such an address, and this host a route to it */
    struct tn_addr local; /* our own address towards it, port 0; zero: none */
    struct tn_natcheck_result check;
    uint16_t mtu;        /* bytes of the largest IP packet that arrived there; 0: none did */
};

struct netcheck_result {
    struct tn_addr server[2]; /* by family: 0 IPv4, 1 IPv6; zero: the coordinator has none */
    struct netcheck_family family[2];
    enum netcheck_tcp tcp443; /* to the first family that was tried */
    bool portal;              /* something answers HTTP on the coordinator's address, and sends us elsewhere */
    char portal_to[128];      /* where; printing characters only */
    struct nat64 nat64;       /* as the network's name server tells; len 0: it tells none, or has not answered */
    uint32_t took_ms;
};

struct netcheck; /* heap */

/* Checks the way to a coordinator; either address may be zero. Calls back once from the loop, with a result
 * that is lent for the call, unless it is stopped before. -EINVAL: no address at all; -ENOMEM, -EMFILE ... */
TN_MUST_CHECK int netcheck_start(struct netcheck **out, uv_loop_t *loop, const struct tn_addr *v4,
                                 const struct tn_addr *v6,
                                 void (*cb)(void *ctx, const struct netcheck_result *r), void *ctx);
/* Ends it and closes all; NULL is fine. Not to be called from the callback, after which it is gone. */
void netcheck_stop(struct netcheck *n);

/* docs/JSON.md, netcheck. `filtering` by family: what dial-backs found, or TN_NAT_FILTER_UNKNOWN. */
json_t *netcheck_json(const struct netcheck_result *r, const uint8_t filtering[2]);

#endif
