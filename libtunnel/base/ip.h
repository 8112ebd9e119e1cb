/* The little that a tunnel has to know of IP: how long a packet says it is, the
 * Internet checksum, and the ICMP error that says "packet too big". */
#ifndef TN_BASE_IP_H
#define TN_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_IP6_MIN_MTU 1280 /* every link that carries IPv6 takes so much in one piece (RFC 8200, 5) */

/* The packet's own length by its header, at most len; 0 where the header lies or is not IP. */
size_t tn_ip_len(const uint8_t *ip, size_t len);

/* May a router split this packet: IPv4 without the bit "don't fragment"? At least 20 bytes. */
bool tn_ip_may_split(const uint8_t *ip);

/* Adds len bytes, as big-endian 16-bit words, to a sum (RFC 1071); an odd last byte counts as high. */
uint32_t tn_ip_sum(uint32_t sum, const uint8_t *data, size_t len);
/* What stands in a checksum field for this sum. */
uint16_t tn_ip_checksum(uint32_t sum);

/* Turns a packet in place into the answer to it: ICMP "fragmentation needed" (RFC 1191) or ICMPv6
 * "packet too big" (RFC 4443) with this MTU, from the packet's destination to its source. Bytes of
 * the answer, which is never longer than the packet; 0, and the packet untouched, where none may be
 * given (RFC 1122, 3.2.2; RFC 4443, 2.4): errors, later fragments, senders that are not one host.
 * len is at least 576, and as of tn_ip_len. */
size_t tn_ip_too_big(uint8_t *ip, size_t len, uint16_t mtu);

#endif
