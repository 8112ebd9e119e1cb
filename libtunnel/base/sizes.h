/* How much a node has of what lies inside its struct. The first number is a daemon's, the second a
 * microcontroller's: a build with -DTN_DEVICE takes those. Each may also be set by itself with -D,
 * for all files of a build alike. What the caller hands in as arrays is not here. */
#ifndef TN_BASE_SIZES_H
#define TN_BASE_SIZES_H

#ifdef TN_DEVICE
#define TN_SIZE(daemon, device) (device)
#else
#define TN_SIZE(daemon, device) (daemon)
#endif

#ifndef TN_LIMIT_ENTRIES
#define TN_LIMIT_ENTRIES TN_SIZE(1024, 4) /* a multiple of 4: sources of handshakes that are limited, under load */
#endif
#ifndef TN_EVENTS_LEN
#define TN_EVENTS_LEN TN_SIZE(128, 5) /* events until the program drains them */
#endif
#ifndef TN_OUTBOX_LEN
#define TN_OUTBOX_LEN TN_SIZE(32, 2) /* responses and cookies until they are polled out */
#endif
#ifndef TN_PONGS_LEN
#define TN_PONGS_LEN TN_SIZE(16, 1)
#endif
#ifndef TN_REPLAY_BITS
#define TN_REPLAY_BITS TN_SIZE(8192, 128) /* a power of two, at least 32 */
#endif
#ifndef TN_COORD_REQUESTS
#define TN_COORD_REQUESTS TN_SIZE(16, 4) /* outstanding lookups, connects, sync */
#endif
#ifndef TN_COORD_EVENTS
#define TN_COORD_EVENTS TN_SIZE(12, 4) /* until the node drains them, with each datagram */
#endif
#ifndef TN_PROBE_RING
#define TN_PROBE_RING TN_SIZE(12, 4) /* PINGs of one way that may still be answered */
#endif
/* Direct candidates of one address family. None: the node knows no way but the relay, and the sources
 * are path/relay_only.c in place of path/paths*.c, and node_relay_only.c in place of four of node_*.c. */
#ifndef TN_PATHS_PER_FAMILY
#define TN_PATHS_PER_FAMILY TN_SIZE(8, 0)
#endif
/* 1: the node pays for each byte, whatever its configuration says, so the compiler leaves out what only the others do. */
#ifndef TN_ALWAYS_METERED
#define TN_ALWAYS_METERED TN_SIZE(0, 1)
#endif
#ifndef TN_LINK_CONTEXTS
#define TN_LINK_CONTEXTS TN_SIZE(4, 2) /* of a control session: a coordinator keeps 4, a member may use fewer */
#endif
/* Candidates in a list (base/candlist.h): what is sent, and with what the coordinator adds. By the relay
 * alone there are none, and a list of more is refused. */
#ifndef TN_CANDLIST_SEND_MAX
#define TN_CANDLIST_SEND_MAX TN_SIZE(8, 1)
#endif
#ifndef TN_CANDLIST_MAX
#define TN_CANDLIST_MAX (TN_CANDLIST_SEND_MAX + 2)
#endif
#ifndef TN_REACH_MAX
#define TN_REACH_MAX TN_SIZE(8, 1) /* own outside addresses to be dialled back; by the relay alone, none is */
#endif
/* Of a peer's candidates, how many may be members that relay; they take places that addresses leave. */
#ifndef TN_PATHS_MEMBERS
#define TN_PATHS_MEMBERS TN_SIZE(2, 0)
#endif
#ifndef TN_VIA_RELAYS
#define TN_VIA_RELAYS TN_SIZE(16, 0) /* members that relay, of whom a node makes use */
#endif

#endif
