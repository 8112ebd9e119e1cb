/* What goes along with a datagram: socket addresses and ancillary data (ip(7), ipv6(7)). */
#ifndef TUND_UDP_MSG_H
#define TUND_UDP_MSG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "libtunnel/base/addr.h"
#include "udp.h"

union udp_sockaddr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* The length of *out. */
socklen_t udp_to_sockaddr(const struct tn_addr *a, bool v4, union udp_sockaddr *out);
struct tn_addr udp_from_sockaddr(const union udp_sockaddr *sa);

/* The address that a received datagram was sent to, into from->local, whose port stays, and the interface by
 * which it came; nothing where the kernel did not say. */
void udp_local_from_control(struct msghdr *m, struct udp_source *from);

/* Appends to msg_control, of which msg_controllen bytes are used and cap there are. */
void udp_add_control(struct msghdr *m, size_t cap, int level, int type, const void *data, size_t len);
/* TTL (0: the system's) and source address (NULL, zero or of the other family: the system's). */
void udp_add_way(struct msghdr *m, size_t cap, bool v4, uint8_t ttl, const struct tn_addr *local);

#endif
