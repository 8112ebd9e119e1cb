/* Offsets and bits that splitting and merging share. */
#ifndef TUND_FAST_HEADERS_H
#define TUND_FAST_HEADERS_H

#include <linux/virtio_net.h>
#include <stdint.h>

/* Newer than the headers of some distributions (Linux 6.2). */
#define FAST_GSO_UDP_L4 5
#define FAST_TUN_F_USO 0x60u /* TUN_F_USO4 | TUN_F_USO6: the kernel takes both or none */

#define FAST_IP4_LEN 20u
#define FAST_IP6_LEN 40u
#define FAST_UDP_LEN 8u
#define FAST_TCP_LEN_MIN 20u
#define FAST_PROTO_TCP 6
#define FAST_PROTO_UDP 17
#define FAST_PROTO_FRAGMENT 44 /* an IPv6 extension header */
#define FAST_PACKET_MAX 65535u

/* in a TCP header */
#define FAST_TCP_CHECK 16u
#define FAST_TCP_FLAGS 13u
#define FAST_TCP_FIN 0x01u
#define FAST_TCP_SYN 0x02u
#define FAST_TCP_RST 0x04u
#define FAST_TCP_PSH 0x08u
#define FAST_TCP_ACK 0x10u
#define FAST_TCP_URG 0x20u
#define FAST_TCP_CWR 0x80u
/* in a UDP header */
#define FAST_UDP_CHECK 6u

#endif
