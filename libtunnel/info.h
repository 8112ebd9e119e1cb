/* What a node tells of a peer and of its coordinator; for tunnel.h, which has the calls. */
#ifndef TN_INFO_H
#define TN_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/nat.h"
#include "base/report.h"

enum tn_path_kind { TN_PATH_NONE, TN_PATH_RELAY, TN_PATH_DIRECT, TN_PATH_MEMBER };
const char *tn_path_kind_name(enum tn_path_kind k); /* "none", "relay", "direct", "member" */

struct tn_peer_info {
    uint8_t public_key[32];
    uint8_t psk[32]; /* secret: wipe after use */
    bool has_endpoint;
    struct tn_addr endpoint; /* of the path in use; the coordinator's for the relay; for MEMBER its overlay address */
    uint16_t keepalive_s;
    uint64_t last_handshake_unix_ns; /* 0: none yet */
    uint64_t tx_bytes, rx_bytes;     /* of WireGuard messages */
    enum tn_path_kind path;
    uint8_t path_mode;         /* enum tn_path_mode: what the user allows */
    uint32_t rtt_us;           /* of the path in use, 0 unknown */
    uint64_t direct_since_us;  /* monotonic; 0: not direct */
    uint32_t time_to_direct_us; /* from the first wish for a path to the last move to direct; 0 unknown */
    uint32_t member;           /* index for tn_node_member, or TN_NO_PEER for a plain peer */
    bool is_device;
    uint16_t mtu;              /* of IPv4 packets to it; IPv6 has 1280 where this is less */
    uint32_t search_sent;      /* punches of ours to find its port, or for it to find ours */
    uint32_t search_hits;      /* of its, that have found a socket of ours */
    uint32_t searches;         /* that we have begun */
    struct tn_nat nat;         /* in front of it, as it says; all zero: it has not said */
    struct tn_report report;   /* of a device, as it has told */
    uint64_t report_us;        /* monotonic, when it did; 0: never */
    bool reachable;            /* false: the coordinator said unreachable, last time asked */
};
struct tn_coord_info {
    bool configured, connected, member;
    bool wants_stream;       /* UDP to it does not work: see tn_node_set_stream */
    struct tn_addr endpoint; /* the coordinator's, in use; or a stream address */
    struct tn_addr observed_v4, observed_v6; /* ours, as seen there; zero: unknown */
    uint32_t rtt_us;
    uint64_t roster_seq;
    uint8_t last_status; /* of JOIN: enum tn_status of coord/msg.h */
};

#endif
