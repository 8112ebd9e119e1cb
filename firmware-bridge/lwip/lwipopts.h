/* lwIP as a device has it: TCP over IPv4 and IPv6 and nothing else, no system, no threads, no clock, fixed memory. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#include "sizes.h"

#define NO_SYS 1
#define LWIP_TIMERS 0 /* stack.c calls tcp_tmr */
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_STATS 0
#define LWIP_SINGLE_NETIF 1
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_DHCP 0
#define LWIP_DNS 0

/* core/ip.c has checked a header and answers to ICMP; the node puts fragments together. */
#define LWIP_IPV4 1
#define LWIP_ICMP 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_FORWARD 0
#define CHECKSUM_CHECK_IP 0

/* No link, so no neighbours: as little of their discovery as can be. */
#define LWIP_IPV6 1
#define LWIP_ICMP6 1 /* never called; ip6_input wants it, which is not called either */
#define LWIP_IPV6_MLD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 0
#define LWIP_IPV6_SCOPES 0
#define LWIP_IPV6_NUM_ADDRESSES 1
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_ND6_NUM_NEIGHBORS 1
#define LWIP_ND6_NUM_DESTINATIONS 1
#define LWIP_ND6_NUM_PREFIXES 1
#define LWIP_ND6_NUM_ROUTERS 1

/* Memory: what waits for an acknowledgement, twice a segment and its headers, and no copy of what comes in. */
#define MEM_ALIGNMENT 8
#define MEM_SIZE 3200
#define MEMP_NUM_TCP_PCB 3
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG 8
#define MEMP_NUM_PBUF 8
#define PBUF_POOL_SIZE 1 /* nobody takes from it, so its size is not to be checked against the window */
#define PBUF_POOL_BUFSIZE 64
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* In IPv6 it is 20 less, by the MTU of the network interface (TCP_CALCULATE_EFF_SEND_MSS). */
#define TCP_MSS ((BRIDGE_MTU) - 40)
#define TCP_WND (2 * TCP_MSS)
#define TCP_SND_BUF (2 * TCP_MSS)
#define TCP_SND_QUEUELEN 6
#define TCP_QUEUE_OOSEQ 0
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSL 15000UL /* milliseconds; nothing is under way for longer in the overlay */

#endif
