/* One peer, and what a node has of those that relay, as node_*.c see it; nobody else includes it. */
#ifndef TN_PEER_H
#define TN_PEER_H

#include "base/report.h"
#include "coord/share.h"
#include "path/paths.h"
#include "path/portsearch.h"
#include "path/tcpmsg.h"
#include "wg/cookie.h"
#include "wg/keys.h"
#include "wg/noise.h"
#include "wg/timers.h"

/* what a peer wants to send; the low bits are TN_WISH_INITIATION and TN_WISH_KEEPALIVE */
#define TN_WANTS_INITIATION TN_WISH_INITIATION
#define TN_WANTS_KEEPALIVE TN_WISH_KEEPALIVE
#define TN_WANTS_PATHS 0x100u   /* ask its paths for the next wish */
#define TN_WANTS_PING 0x400u    /* the user's ping */
#define TN_WANTS_SEARCH 0x1000u /* the next probe of a search for its port */
#define TN_WANTS_NAT 0x800u     /* tell it what our NAT does */
#define TN_WANTS_REPORT 0x2000u /* tell it how we are, as a device */
#define TN_WANTS_TCP 0x4000u    /* tell it where we can be reached by TCP */

struct tn_user_ping {
    uint32_t token;
    uint16_t size;
    uint64_t txid;
    uint64_t sent_us;
    bool unsent;
};

/* The search for a port between us and it: node_search.c. */
struct tn_search {
    uint64_t due_us;        /* hard end: when one may begin; 0: none waits */
    uint64_t not_before_us; /* hard end: after one that failed */
    uint64_t served_us;     /* other end: the last one */
    uint32_t sent, hits;    /* punches of ours; those of its that came in by a socket of ours */
    uint8_t tries, waits;
    bool tell;              /* our sockets have sent, and it has not been told */
    uint16_t port;          /* the outside port that they made last */
    struct tn_portsearch probe;
};

/* TCP between us and it: node_tcp.c. */
struct tn_tcp {
    uint64_t not_before_us; /* after attempts that failed */
    uint64_t served_us;     /* when it asked last, and was answered */
    uint64_t asked_us;      /* when we did; 0: no answer is awaited */
    uint8_t tries, own_count, count;
    bool tell, ask;         /* ours are to be told, and its to be asked for */
    struct tn_addr own[TN_TCP_ADDRS_MAX], addr[TN_TCP_ADDRS_MAX];
};

struct tn_peer {
    bool used;
    bool queued; /* on the ready list */
    uint32_t next_ready;
    uint32_t heap_at; /* position in the heap, TN_NO_PEER: not in it */
    uint64_t due_us;
    uint64_t added_us;

    struct tn_wg_handshake hs;
    struct tn_keys keys;
    struct tn_timers timers;
    struct tn_cookie_maker cookie;
    uint64_t cookie_retry_us; /* before, a cookie brings no second initiation at once */
    uint64_t last_handshake_unix_ns;
    uint64_t tx_bytes, rx_bytes;
    uint16_t keepalive_s;
    uint16_t mtu; /* of packets that go to it in one piece */
    unsigned wants;
    bool blocked; /* an initiation found no way: it goes as soon as there is one */

    /* a plain peer */
    bool has_endpoint;
    struct tn_addr endpoint;

    /* a member */
    bool is_member;
    bool is_device;
    bool small;    /* it or we are a device: 1024-byte datagrams, no padding */
    bool squeezes; /* it has sent squeezed packets in this session */
    bool suspected;      /* its relay was silent when last looked at */
    bool doubts_session; /* and a new session is still to be asked for */
    bool reachable;
    uint16_t channel; /* relay channel, 0: none yet */
    uint32_t member;
    uint64_t direct_since_us;
    uint32_t time_to_direct_us;
    struct tn_nat nat; /* as it has told us; all zero: it has not */
    bool nat_told;     /* ours, in this session */
    struct tn_report report; /* a device's, as it has told us */
    uint64_t report_us;      /* when it did, or when we, being one, told it; 0: never */
    struct tn_search search;
#if TN_PATHS_PER_FAMILY > 0
    struct tn_tcp tcp;
#endif
    struct tn_paths *paths; /* its row of the array handed in; a plain peer's is never touched */
    struct tn_user_ping ping;
#if TN_VIA_RELAYS > 0 /* node_via.c */
    uint64_t said_us;      /* the user last sent something to it; 0: never */
    uint64_t via_next_us;  /* when it is next looked whether a member should relay */
    struct tn_share_part via_part; /* of what we relay, what we took from it */
#endif
};

#if TN_VIA_RELAYS > 0
/* Members that relay: node_via.c. */
struct tn_via_state {
    uint32_t relay[TN_VIA_RELAYS]; /* peers whose cards say that they do */
    uint32_t count;
    uint32_t from;         /* whose packet was passed on to us last, in this commit; TN_NO_PEER */
    struct tn_addr to;     /* where the datagram goes that TN_FORWARD speaks of */
    uint64_t rate;         /* bytes a second that we relay */
    uint64_t wake_us;      /* nobody is looked for, because a datagram is for him, before that */
    uint64_t pass_us;      /* when the pass began */
    uint64_t taken;        /* bytes in it */
    struct tn_share share;
};
#endif

#endif
