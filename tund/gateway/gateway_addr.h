/* Addresses of the gateway's link as the system takes them, for the daemon and its child alike. */
#ifndef TUND_GATEWAY_GATEWAY_ADDR_H
#define TUND_GATEWAY_GATEWAY_ADDR_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "libtunnel/base/addr.h"

union gateway_sockaddr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* The length of *out. `ifindex` counts where the address alone does not name the link: link-local ones and groups. */
socklen_t gateway_to_sockaddr(const struct tn_addr *a, uint16_t port, uint32_t ifindex, union gateway_sockaddr *out);
struct tn_addr gateway_from_sockaddr(const union gateway_sockaddr *a); /* port 0 */

#endif
