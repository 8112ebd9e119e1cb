/* libtunnel's door: the only header that a program includes.
 *
 * A node is keys, peers, paths, members and a coordinator client in one struct,
 * with no clock, socket, heap or thread. The program owns every syscall:
 *
 *     push an event with `now`:   tn_from_tun, tn_from_net, tn_tick, a setting
 *     pull until dry:             tn_poll_out (datagrams), tn_poll_event
 *     sleep until                 tn_next_deadline
 *
 * A buffer is rewritten in place; the datagram or packet is then at
 * tn_buf_data(buf). All memory is the caller's (struct tn_node_memory). Pointer
 * arguments are borrowed for the call. Not thread safe. */
#ifndef TN_TUNNEL_H
#define TN_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/candlist.h"
#include "base/err.h"
#include "base/now.h"
#include "coord/relay.h"
#include "counters.h"
#include "info.h"
#include "member/card.h"
#include "member/invite.h"
#include "member/roster.h"
#include "path/cand.h"
#include "path/frag.h"
#include "path/reach.h"
#include "ways.h"
#include "wg/allowed.h"

struct tn_node;
struct tn_peer;
struct tn_paths;

#define TN_NO_PEER UINT32_MAX

/* ---- a node's memory and life ---- */

struct tn_node_memory {
    struct tn_peer *peers;             /* peer_cap of them */
    uint32_t peer_cap;                 /* at most 2^20 */
    uint32_t *peer_heap;               /* peer_cap entries: peers by deadline */
    uint32_t *peer_table;              /* peer_table_len entries: peers by public key */
    uint32_t peer_table_len;           /* a power of two, at least 2 * peer_cap */
    struct tn_allowed_node *allowed;   /* nodes of the cryptokey routing trie */
    uint32_t allowed_cap;              /* 2 for each allowed prefix are always enough */
    uint32_t *allowed_head;            /* peer_cap entries */
    struct tn_paths *paths;            /* overlay only: peer_cap of them; NULL without members */
    struct tn_member *members;         /* overlay only; may be NULL */
    uint32_t member_cap;
    struct tn_relay_channel *channels; /* overlay only: one for each member that may be relayed to */
    uint32_t channel_cap;              /* at most 65535 */
    struct tn_frag_row *fragments; /* packets from and to devices, in halves; may be NULL */
    uint32_t fragment_cap;
};

struct tn_node_config {
    uint8_t rng_seed[32]; /* from the system's generator; the caller wipes its copy */
    uint16_t mtu;         /* inner MTU, bytes: full-size path checks have this length */
    uint64_t stamp_ns;    /* handshake stamps will be above this (what was persisted), 0 at first */
    uint64_t stamp_ceiling_ns; /* and never above this until tn_node_extend_stamp; UINT64_MAX: no limit */
    uint64_t keepalive_us;     /* of the coordinator session; 0 for the default, 15 s */
    /* A metered link: compressed relay frames, beats, cards of those only that are spoken with, long
     * back-off. Each datagram that comes has TN_BUF_HEADROOM in front of it. */
    bool pays_for_bytes;
};

size_t tn_node_sizeof(void);
size_t tn_peer_sizeof(void);
size_t tn_paths_sizeof(void);
/* The rng is then live; no key, no peer. TN_EINVAL for sizes that cannot be. */
TN_MUST_CHECK int tn_node_init(struct tn_node *n, const struct tn_node_memory *mem,
                               const struct tn_node_config *cfg);
void tn_node_wipe(struct tn_node *n); /* every secret, the memory handed in too */

/* ---- plain WireGuard settings (what the userspace API sets) ---- */

/* Sessions end and are made anew under the new key. All zero removes the key. */
TN_MUST_CHECK int tn_node_set_private_key(struct tn_node *n, const uint8_t priv[32]);
bool tn_node_public_key(const struct tn_node *n, uint8_t pub[32]);  /* false: no key */
bool tn_node_private_key(const struct tn_node *n, uint8_t priv[32]);

/* Peers are named by slot, 0..peer_cap-1. */
uint32_t tn_node_peer_find(const struct tn_node *n, const uint8_t pub[32]);
TN_MUST_CHECK int tn_node_peer_add(struct tn_node *n, const uint8_t pub[32], struct tn_now now,
                                   uint32_t *peer);
void tn_node_peer_remove(struct tn_node *n, uint32_t peer);
void tn_node_peer_set_psk(struct tn_node *n, uint32_t peer, const uint8_t psk[32]);
void tn_node_peer_set_endpoint(struct tn_node *n, uint32_t peer, const struct tn_addr *a);
/* Seconds, 0 is off. A keepalive goes out at once when it is switched on. */
void tn_node_peer_set_keepalive(struct tn_node *n, uint32_t peer, uint16_t s, struct tn_now now);
/* ip: 4 bytes where v4 is set, else 16. TN_EINVAL, TN_ENOSPC. Takes it away from any other peer. */
TN_MUST_CHECK int tn_node_allowed_add(struct tn_node *n, uint32_t peer, const uint8_t *ip,
                                      bool v4, uint8_t bits);
/* TN_ENOENT when the peer does not have exactly this prefix. */
TN_MUST_CHECK int tn_node_allowed_remove(struct tn_node *n, uint32_t peer, const uint8_t *ip,
                                         bool v4, uint8_t bits);
void tn_node_allowed_clear(struct tn_node *n, uint32_t peer);
/* Calls back with each allowed prefix of a peer; v4 addresses are the first 4 bytes of ip. */
void tn_node_allowed_each(const struct tn_node *n, uint32_t peer,
                          void (*cb)(void *ctx, const uint8_t ip[16], bool v4, uint8_t bits),
                          void *ctx);

/* False for an empty slot. */
bool tn_node_peer_info(const struct tn_node *n, uint32_t peer, struct tn_peer_info *out);
uint32_t tn_node_peer_cap(const struct tn_node *n);
/* Evidence on candidate i of a peer, for `explain`; false past the last. */
bool tn_node_peer_candidate(const struct tn_node *n, uint32_t peer, uint32_t i, struct tn_cand *out);

/* ---- the overlay ---- */

struct tn_coordinator {
    uint8_t public_key[32];
    struct tn_addr v4, v6; /* all zero: none of that family */
};

/* Makes the node a member: its card (already signed, own key under tn_node_set_private_key). The
 * roster then accepts this network only. TN_EAUTH, TN_EINVAL for a card that is not ours. */
TN_MUST_CHECK int tn_node_set_card(struct tn_node *n, const struct tn_card *card, struct tn_now now);
/* A verified roster from the disk, card by card; each is verified again. */
TN_MUST_CHECK int tn_node_load_member(struct tn_node *n, const uint8_t *card, size_t len,
                                      struct tn_now now);
const struct tn_member *tn_node_member(const struct tn_node *n, uint32_t i); /* NULL past the last */
const struct tn_roster *tn_node_roster(const struct tn_node *n); /* for look-ups and the disk */
/* The peer slot of a member, or TN_NO_PEER (ourselves, one that left). */
uint32_t tn_node_member_peer(const struct tn_node *n, uint32_t member);
/* Begins, or moves, the coordinator session; JOIN is sent by itself when it is not a member yet. */
void tn_node_set_coordinator(struct tn_node *n, const struct tn_coordinator *c, struct tn_now now);
/* Where UDP is blocked: a connection carries datagrams to and from the coordinator, whose address is then
 * this stream address (tn_addr_stream). NULL: no more. TN_EV_COORD_STREAM says when one is wanted. */
void tn_node_set_stream(struct tn_node *n, const struct tn_addr *a, struct tn_now now);
/* Where the coordinator is away, a member that has no path gets its initiation at tn_addr_lan(), which is for
 * the program to multicast, with TTL 1; off at first. */
void tn_node_set_lan(struct tn_node *n, bool on, struct tn_now now);
/* Own host addresses with the UDP port; a change re-registers and punches anew. */
void tn_node_set_candidates(struct tn_node *n, const struct tn_cand_wire *c, uint8_t count,
                            struct tn_now now);
/* Publishes an own card of higher epoch (a new key, or "left"). Result: TN_EV_UPDATED. */
TN_MUST_CHECK int tn_node_publish_card(struct tn_node *n, const struct tn_card *card,
                                       struct tn_now now);
/* What the NAT in front of us does, as measured: every member with a session is told. */
void tn_node_set_nat(struct tn_node *n, const struct tn_nat *nat, struct tn_now now);
/* Bytes that a search for a port may cost, both ends together; 0 (at first): none is made. */
void tn_node_set_search(struct tn_node *n, uint32_t budget);
/* The sockets have sent. port: the outside port that was seen last, where ports are sequential; else 0. */
void tn_node_search_sent(struct tn_node *n, uint32_t peer, uint16_t port, struct tn_now now);
/* A punch of the peer's came in by one of them, from addr: from now on all to addr must leave by it. */
void tn_node_search_hit(struct tn_node *n, uint32_t peer, const struct tn_addr *addr, struct tn_now now);
void tn_node_set_keepalive(struct tn_node *n, uint64_t us, struct tn_now now); /* and tells it at once */
/* We are a device: peers are told this of us, now and then (node_report.c). */
void tn_node_set_report(struct tn_node *n, const struct tn_report *r, struct tn_now now);
void tn_node_extend_stamp(struct tn_node *n, uint64_t ceiling_ns);

void tn_node_coord_info(const struct tn_node *n, struct tn_coord_info *out);
const char *tn_node_status_text(uint8_t status);
/* Asks the coordinator to send a dial-back with this nonce to an address of ours, from where we speak to
 * it (path/reach.h knows the others). TN_ESTATE: not a member now; TN_ENOSPC. Then TN_EV_DIALLED. */
TN_MUST_CHECK int tn_node_dial(struct tn_node *n, const struct tn_addr *a, uint64_t nonce, struct tn_now now);
/* What dial-backs said of our own outside address i; false past the last. */
bool tn_node_reach(const struct tn_node *n, uint32_t i, struct tn_reach_row *out);

/* Sends a link PING of `size` bytes (at least 32, at most the peer's MTU) by the path in use; TN_EV_PONG
 * with the same token follows, or nothing. Makes a session first where there is none. */
TN_MUST_CHECK int tn_node_ping(struct tn_node *n, uint32_t peer, uint16_t size, uint32_t token,
                               struct tn_now now);

/* ---- the packet's walk ---- */

struct tn_route {
    struct tn_addr to;
    uint8_t ttl; /* 0: the system's own */
};

enum tn_verdict {
    TN_DROP,     /* nothing to do with it; counted by reason */
    TN_SEND,     /* buf is a datagram for `route` */
    TN_STAGE,    /* no session yet: keep the packet for `peer` until TN_EV_SESSION */
    TN_DELIVER,  /* buf is an inner IP packet for the TUN, from `peer`, or ICMP that answers the packet */
    TN_CONSUMED, /* ours; poll for what follows */
    TN_FORWARD,  /* buf is a datagram for tn_forward_to: a member's, which we relay */
    TN_WORK,     /* of job.h only */
};

/* An IP packet from the TUN, with TN_BUF_HEADROOM before and TN_BUF_TAILROOM behind it. One that is
 * too big for its peer becomes the ICMP error to its sender (TN_DELIVER), or the first of two
 * fragments (TN_SEND): then tn_has_rest, and the second comes from tn_poll_out, best at once. */
enum tn_verdict tn_from_tun(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                            struct tn_route *route, uint32_t *peer);
bool tn_has_rest(const struct tn_node *n);
/* A datagram from `src`; no STUN: the programs that speak it look first. What came in fragments is
 * delivered in the node's own memory, until the next call. */
enum tn_verdict tn_from_net(struct tn_node *n, struct tn_buf *b, const struct tn_addr *src,
                            struct tn_now now, uint32_t *peer);
/* The next datagram to send, built in b (cap at least 2048; off and len are set). False: none. */
bool tn_poll_out(struct tn_node *n, struct tn_buf *b, struct tn_now now, struct tn_route *route);
/* Turns expired deadlines into wishes; sends nothing. */
void tn_tick(struct tn_node *n, struct tn_now now);
/* The last datagram of a member whose program ends: the coordinator then says "unreachable" of it at
 * once. False: there is nobody to tell. The node must not be used for anything else afterwards. */
bool tn_node_goodbye(struct tn_node *n, struct tn_buf *b, struct tn_now now, struct tn_route *route);
/* When to call tn_tick next (monotonic us), or TN_NEVER; and which deadline that is, for a log line. */
uint64_t tn_next_deadline(const struct tn_node *n, const char **name);
/* A datagram could not be sent there (errno said so): the path's evidence. */
void tn_on_send_error(struct tn_node *n, const struct tn_addr *to, struct tn_now now);
/* The machine slept, or its addresses changed: keys older than their life go, paths are checked anew. */
void tn_on_network_change(struct tn_node *n, struct tn_now now);

/* ---- what happened ---- */

enum tn_event_kind {
    TN_EV_SESSION,     /* peer: staged packets can go: a session is new, or a way was found */
    TN_EV_GAVE_UP,     /* peer: 90 s without an answer; drop what is staged */
    TN_EV_MTU,         /* peer: longer or shorter packets go to it in one piece (tn_peer_info.mtu) */
    TN_EV_PATH,        /* peer, path, addr, us: moved to this path, so long after wishing for one */
    TN_EV_UNREACHABLE, /* peer: the coordinator says it is not connected */
    TN_EV_PONG,        /* peer, token, path, addr, us: round-trip time */
    TN_EV_STAMP,       /* unix_ns: persist a ceiling above this, then tn_node_extend_stamp */
    TN_EV_MEMBER,      /* member: its card is new or changed; persist the roster */
    TN_EV_COORD_UP,    /* addr: our own, as observed; zero: by a stream */
    TN_EV_COORD_DOWN,
    TN_EV_COORD_RESOLVE, /* no answer: look the name up again; status 1: and take another of its addresses */
    TN_EV_COORD_STREAM,  /* look at wants_stream: make a stream, or a new one; or end it */
    TN_EV_JOINED,        /* status of coord/msg.h; 0 is in */
    TN_EV_MAPPING_LOST,  /* the NAT had forgotten us before the last keepalive */
    TN_EV_UPDATED,       /* status */
    TN_EV_SEARCH, /* peer, addr, token: punches from so many sockets to addr, low TTL, then in full: tn_node_search_sent */
    TN_EV_DIALLED,       /* unix_ns: the nonce; status: tn_node_dial's question was answered so */
    TN_EV_REACH,         /* addr, token: enum tn_cand_origin, status: enum tn_reach_verdict, new or changed */
    TN_EV_TCP,           /* peer, token: tcp.h */
};
struct tn_event {
    enum tn_event_kind kind;
    uint32_t peer, member, token;
    enum tn_path_kind path;
    struct tn_addr addr;
    uint64_t us, unix_ns;
    uint8_t status;
};
bool tn_poll_event(struct tn_node *n, struct tn_event *out);

const struct tn_counters *tn_node_counters(const struct tn_node *n);

#endif
