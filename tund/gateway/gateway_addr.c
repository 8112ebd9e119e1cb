/* Apart from tund's other sockets, whose files the child that speaks UPnP is not to contain. */
#include "gateway_addr.h"

#include <arpa/inet.h>
#include <string.h>

socklen_t gateway_to_sockaddr(const struct tn_addr *a, uint16_t port, uint32_t ifindex, union gateway_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    if (tn_addr_is_v4(a)) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons(port);
        memcpy(&out->in.sin_addr, a->ip + 12, 4);
        return sizeof out->in;
    }
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons(port);
    memcpy(&out->in6.sin6_addr, a->ip, 16);
    if (IN6_IS_ADDR_LINKLOCAL(&out->in6.sin6_addr) || IN6_IS_ADDR_MULTICAST(&out->in6.sin6_addr))
        out->in6.sin6_scope_id = ifindex;
    return sizeof out->in6;
}

struct tn_addr gateway_from_sockaddr(const union gateway_sockaddr *a)
{
    uint8_t ip[16];

    if (a->sa.sa_family == AF_INET) {
        memcpy(ip, &a->in.sin_addr, 4);
        return tn_addr_v4(ip, 0);
    }
    memcpy(ip, &a->in6.sin6_addr, 16);
    return tn_addr_v6(ip, 0);
}
