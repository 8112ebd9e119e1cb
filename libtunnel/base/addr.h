/* One address type for both families: 16 bytes, IPv4 mapped into IPv6
 * (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), and a port. */
#ifndef TN_BASE_ADDR_H
#define TN_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct tn_addr {
    uint8_t ip[16]; /* network order */
    uint16_t port;  /* host order; 0 in an address without a port */
};

/* Families, as indices of tables. A *stream address* stands for a connection of ours that carries
 * datagrams (TLS, PROTOCOL.md section 8), wherever the address of a datagram's sender or receiver
 * stands. It lies in 100::/8, which no host has (RFC 4291 section 2.4, RFC 6666), means something
 * inside one program only, and is never sent. */
enum tn_family { TN_FAMILY_V4, TN_FAMILY_V6, TN_FAMILY_STREAM, TN_FAMILIES };
uint8_t tn_addr_family(const struct tn_addr *a);
bool tn_addr_is_stream(const struct tn_addr *a);
/* share: whose budget it is on, equal for connections that share one; id: which of them. */
struct tn_addr tn_addr_stream(const uint8_t share[4], uint64_t id);

/* Stands for "everybody on this LAN": 239.255.116.117, UDP port 51717 (PROTOCOL.md section 9). */
struct tn_addr tn_addr_lan(void);
bool tn_addr_is_lan(const struct tn_addr *a);

/* Size of tn_addr_encode's output: 16 bytes of address, 2 of port (big endian). */
#define TN_ADDR_WIRE_LEN 18

bool tn_addr_is_v4(const struct tn_addr *a);
bool tn_addr_is_zero(const struct tn_addr *a);
/* Same address and same port. Addresses are no secrets: not constant time. */
bool tn_addr_equal(const struct tn_addr *a, const struct tn_addr *b);
bool tn_addr_same_ip(const struct tn_addr *a, const struct tn_addr *b);
/* Makes an address from 4 bytes in network order and a port in host order. */
struct tn_addr tn_addr_v4(const uint8_t ip[4], uint16_t port);
struct tn_addr tn_addr_v6(const uint8_t ip[16], uint16_t port);

/* May a datagram be sent there without a member having proven to be there?
 * Refuses the unspecified, loopback, multicast, broadcast, IPv4-compatible,
 * link-local and stream addresses, port 0 and the UDP ports of services that answer
 * strangers (19 53 123 137 161 389 1900 5353 11211), so that a candidate
 * cannot be aimed at a third party (RFC 8445 section 19). */
bool tn_addr_is_probeable(const struct tn_addr *a);

/* True for RFC 1918, RFC 6598 (100.64/10) and RFC 4193 addresses. */
bool tn_addr_is_private(const struct tn_addr *a);

void tn_addr_encode(const struct tn_addr *a, uint8_t out[TN_ADDR_WIRE_LEN]);
void tn_addr_decode(const uint8_t in[TN_ADDR_WIRE_LEN], struct tn_addr *out);

#endif
