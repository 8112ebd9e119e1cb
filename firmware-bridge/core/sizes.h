/* How much a device has of everything. A build may set any of them with -D for all of its files. */
#ifndef BRIDGE_SIZES_H
#define BRIDGE_SIZES_H

#ifndef BRIDGE_PEERS
#define BRIDGE_PEERS 2 /* members that it speaks with at a time; the one idle longest makes room */
#endif
#ifndef BRIDGE_QUEUE
#define BRIDGE_QUEUE 1 /* packets that wait for a handshake */
#endif
#ifndef BRIDGE_UDP_PORTS
#define BRIDGE_UDP_PORTS 4
#endif
#ifndef BRIDGE_FRAGMENTS
#define BRIDGE_FRAGMENTS 1 /* IPv6 packets of up to 1280 bytes under way in halves */
#endif

/* The modem of an Electron takes no more in one piece. */
#define BRIDGE_DATAGRAM_MAX 1024u
/* The largest inner packet: a datagram without the relay's and WireGuard's header, and the tag;
 * whole blocks of 16, to which a peer pads without knowing where we end. */
#define BRIDGE_MTU ((BRIDGE_DATAGRAM_MAX - 8u - 16u - 16u) & ~15u)
/* Characters of the coordinator's name. */
#define BRIDGE_HOST_MAX 63u

#endif
