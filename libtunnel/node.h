/* The node's inside, shared by node_*.c and by nobody else.
 *
 *   node.c          memory, life, settings of the node
 *   node_peer.c     settings of a peer, the table by public key
 *   node_sched.c    who is due: a heap by deadline, a list of who has something to send, events
 *   node_tx.c       a packet's walk out; node_rx.c: a datagram's walk in
 *   node_tick.c     deadlines become wishes; node_out.c: wishes become datagrams
 *   node_small.c    a device's small datagrams: what fits, fragments, squeezed headers
 *   node_path.c     the paths of a member: relay, candidates, link messages
 *   node_lan.c      members on the LAN, while the coordinator is away
 *   node_overlay.c  membership and the coordinator's answers
 *   node_reach.c    which of our own addresses can be reached unasked
 *   node_nat.c      what our NAT does and what theirs do: told and heard
 *   node_search.c   the search for a port that a NAT draws
 *   node_tcp.c      TCP between members, where one has no UDP
 *   node_via.c      members that relay for others: as one of them, and through one
 *   node_relay_only.c  in place of the last five and node_lan.c, where there is only the relay
 *   peer.h          one peer
 */
#ifndef TN_NODE_H
#define TN_NODE_H

#include "base/bytes.h"
#include "base/ct.h"
#include "base/sizes.h"
#include "coord/client_stream.h"
#include "coord/relay.h"
#include "crypto/crypto.h"
#include "job.h"
#include "path/frag.h"
#include "path/linkmsg.h"
#include "path/paths.h"
#include "path/reach.h"
#include "peer.h"
#include "tunnel.h"
#include "wg/allowed.h"
#include "wg/cookie.h"
#include "wg/keys.h"
#include "wg/limit.h"
#include "wg/noise.h"
#include "wg/stamp.h"
#include "wg/timers.h"

/* Small messages that must go out just as they are: responses and cookies. */
struct tn_outbox_item {
    uint8_t data[TN_WG_INITIATION_LEN];
    uint8_t len;
    struct tn_way way;
    uint32_t peer;
};

/* PONGs owed. Lost when full: the PING comes again. */
struct tn_pong_owed {
    uint32_t peer;
    struct tn_link_msg pong;
    struct tn_way way;
};

/* Why a member is looked up; also the token of the request. */
enum tn_lookup_reason {
    TN_LOOKUP_ADDRESS,  /* the TUN wants to reach it */
    TN_LOOKUP_STRANGER, /* it knocks through the relay */
    TN_LOOKUP_PUNCH,    /* it wants to punch, says the coordinator */
    TN_LOOKUP_REASONS,
};

struct tn_node {
    struct tn_node_memory mem;
    uint16_t mtu;
    struct tn_rng rng;
    uint8_t table_key[32]; /* of the hash over public keys */
    struct tn_wg_local local;
    struct tn_cookie_checker checker;
    struct tn_load load, relay_load; /* of handshakes that came directly, and by the relay */
    struct tn_limit limit;
    struct tn_limit_entry limit_entry[TN_LIMIT_ENTRIES];
    struct tn_load reply_load; /* cookies given to whoever asks */
    struct tn_limit reply_limit; /* and, beyond that, to each source */
    struct tn_limit_entry reply_entry[TN_LIMIT_ENTRIES];
    struct tn_stamp stamp;
    bool stamp_asked; /* TN_EV_STAMP is out and unanswered */
    struct tn_allowed allowed;
    struct tn_frag_table frags;
    uint16_t frag_id; /* of the next packet that is split */
    uint32_t first_free; /* no slot below is free */
    uint32_t slot_mask; /* of an index: these bits are the peer's slot */
    uint32_t heap_len;
    uint32_t ready_head, ready_tail;
    uint32_t unsettled; /* the peer whose packets came or went last, or TN_NO_PEER */
    struct tn_now unsettled_now;

    struct tn_outbox_item outbox[TN_OUTBOX_LEN];
    uint32_t outbox_head, outbox_count;
    struct tn_pong_owed pongs[TN_PONGS_LEN];
    uint32_t pongs_head, pongs_count;
    struct tn_event events[TN_EVENTS_LEN];
    uint32_t events_head, events_count;
    struct tn_counters counters;

    bool overlay; /* a card was set */
    bool member;  /* the coordinator knows us as one, in this session */
    bool has_coordinator;
    bool connected;
    struct tn_coordinator coordinator;
    struct tn_addr observed[2]; /* ours, by family: 0 IPv4, 1 IPv6 */
    uint32_t coord_rtt_us;
    uint8_t last_status;
    uint64_t roster_seq;   /* the network's, as last heard */
    uint64_t synced_seq;   /* up to here our roster is complete */
    bool syncing;
    uint64_t next_lookup_us[TN_LOOKUP_REASONS]; /* not before: who causes one kind cannot starve another */
    uint64_t suspect_us;    /* the last time; 0: it may be suspected at once */
    uint64_t next_moved_us;
    bool lan, lan_open;  /* may members be looked for on the LAN; and is it time to */
    uint64_t lan_at_us;  /* when it will be */
    struct tn_card card;
    struct tn_roster roster;
    uint64_t keepalive_us;
    bool pays_for_bytes;
    bool has_report;
    struct tn_report report; /* ours: we are a device */
    struct tn_coord_client coord;
    struct tn_reach reach;
    struct tn_nat nat; /* ours, as the program has measured it */
#if TN_PATHS_PER_FAMILY > 0
    bool tcp_on, by_stream; /* the program connects to members by TCP; UDP is blocked, the coordinator on a stream */
#endif
    uint32_t search_budget; /* bytes of one search for a port; 0: none is made */
    struct tn_cand_wire own[TN_CANDLIST_MAX];
    uint8_t own_count;
#if TN_VIA_RELAYS > 0
    struct tn_via_state via;
#endif
};

/* Does it pay for each byte? */
static inline bool tn_node_is_metered(const struct tn_node *n)
{
    return TN_ALWAYS_METERED || n->pays_for_bytes;
}

/* node_sched.c */
void tn_sched_init(struct tn_node *n);
void tn_sched_update(struct tn_node *n, uint32_t peer); /* its deadlines may have changed */
void tn_sched_remove(struct tn_node *n, uint32_t peer);
uint32_t tn_sched_first(const struct tn_node *n); /* TN_NO_PEER: none */
void tn_sched_want(struct tn_node *n, uint32_t peer, unsigned wants);
uint32_t tn_sched_next_ready(struct tn_node *n); /* takes it off the list */
void tn_event_push(struct tn_node *n, const struct tn_event *e);

/* node_lan.c */
void tn_lan_coordinator_changed(struct tn_node *n, struct tn_now now);
void tn_lan_tick(struct tn_node *n, struct tn_now now);
bool tn_lan_is_way(const struct tn_node *n, uint32_t peer); /* for one who has no other */

/* node_peer.c */
void tn_table_insert(struct tn_node *n, uint32_t peer);
void tn_table_remove(struct tn_node *n, uint32_t peer);
uint32_t tn_peer_new_index(struct tn_node *n, uint32_t peer);
struct tn_peer *tn_peer_at(struct tn_node *n, uint32_t peer); /* NULL: empty or out of range */
const struct tn_peer *tn_peer_look(const struct tn_node *n, uint32_t peer); /* the same, to read */

/* node_tx.c: seals the packet in b for the peer's current session; TN_ENOKEY. Does not route. */
int tn_tx_seal(struct tn_node *n, uint32_t peer, struct tn_buf *b, bool is_data,
               struct tn_now now);
/* Counts it and puts the relay header in front where the way is the relay. TN_ENOENT: no way. */
int tn_tx_route(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                struct tn_now now, struct tn_route *route);
/* The way that data to this peer takes now; false: none. */
bool tn_tx_way(struct tn_node *n, uint32_t peer, struct tn_now now, struct tn_way *way);
/* A handshake is wished for; it goes when the timers allow. */
void tn_tx_want_handshake(struct tn_node *n, uint32_t peer, struct tn_now now);

/* node_path.c: all do nothing for a plain peer */
void tn_path_on_authentic(struct tn_node *n, uint32_t peer, const struct tn_way *way, size_t len,
                          struct tn_now now);
void tn_path_on_session(struct tn_node *n, uint32_t peer, bool up, struct tn_now now);
void tn_path_on_data_sent(struct tn_node *n, uint32_t peer, size_t len, struct tn_now now);
void tn_path_on_link(struct tn_node *n, uint32_t peer, const struct tn_way *way,
                     const uint8_t *msg, size_t len, struct tn_now now);
void tn_path_tick(struct tn_node *n, uint32_t peer, struct tn_now now);
/* After anything that touched its paths: events out, wishes listed, deadline moved. */
void tn_path_settle(struct tn_node *n, uint32_t peer, struct tn_now now);
/* The same after a data packet: once for all that come or go in a row, before the program asks. */
void tn_path_settle_later(struct tn_node *n, uint32_t peer, struct tn_now now);
void tn_path_settle_rest(struct tn_node *n);
/* The next path wish as a datagram; false: none left. */
bool tn_path_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                  struct tn_route *route);
bool tn_path_poll_ping(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route);
bool tn_path_poll_pong(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route);
/* The relay of every member came or went, with the coordinator's session. */
void tn_path_relay_changed(struct tn_node *n, bool up, struct tn_now now);
/* A member's paths begin. */
void tn_path_start(struct tn_node *n, uint32_t peer, struct tn_now now);
/* Candidates came with the word to punch in so many ms. */
void tn_path_punch(struct tn_node *n, uint32_t peer, const struct tn_cand_wire *list, size_t count,
                   uint16_t delay_ms, struct tn_now now);

/* node_reach.c */
/* Own addresses, or what the coordinator sees, may have changed: what there is to check. */
void tn_reach_refresh(struct tn_node *n, struct tn_now now);
/* Tells the coordinator our candidates. */
void tn_reach_announce(struct tn_node *n, struct tn_now now);
void tn_reach_changed_network(struct tn_node *n, struct tn_now now);
void tn_reach_tick(struct tn_node *n, struct tn_now now);
uint64_t tn_reach_deadline(const struct tn_node *n);
void tn_reach_result(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now);
/* False: not a dial-back that we asked for. */
bool tn_reach_dialled(struct tn_node *n, const uint8_t *data, size_t len, struct tn_now now);

/* node_nat.c */
void tn_nat_on_session(struct tn_node *n, uint32_t peer, struct tn_now now); /* a new one: the member is to be told */
void tn_nat_on_told(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m, struct tn_now now);
bool tn_nat_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route);
/* node_path.c: seals and counts a link message of our own for one way. */
bool tn_path_send_link(struct tn_node *n, uint32_t peer, const struct tn_link_msg *m,
                       const struct tn_way *way, struct tn_buf *b, struct tn_now now,
                       struct tn_route *route);

/* node_search.c */
void tn_search_on_punch(struct tn_node *n, uint32_t peer, struct tn_now now);
void tn_search_tick(struct tn_node *n, uint32_t peer, struct tn_now now);
uint64_t tn_search_next(const struct tn_peer *p);
void tn_search_serve(struct tn_node *n, uint32_t peer, uint16_t port, struct tn_now now);
bool tn_search_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route);

/* node_out.c: a small message that is ready to go. Lost when the outbox is full. */
void tn_out_push(struct tn_node *n, uint32_t peer, const struct tn_way *way, const uint8_t *msg,
                 size_t len);

/* node_overlay.c */
void tn_overlay_on_stranger(struct tn_node *n, const uint8_t wireguard_public[32],
                            struct tn_now now);
/* Nobody owns this inner address: perhaps a member that we have not met. */
void tn_overlay_on_unknown_address(struct tn_node *n, const uint8_t ip[16], struct tn_now now);
void tn_overlay_drain(struct tn_node *n, struct tn_now now); /* the client's events */
/* A member's paths want a punch through the coordinator. */
void tn_overlay_connect(struct tn_node *n, uint32_t peer, struct tn_now now);
/* The coordinator is asked whether it is there; `distress`: since a path failed that worked just now. */
void tn_overlay_suspect(struct tn_node *n, bool distress, struct tn_now now);
/* Is the address one of the overlay's own? Datagrams to it would go through the tunnel they carry. */
bool tn_overlay_owns(const struct tn_node *n, const struct tn_addr *a);
/* The relay's channel of a member, bound when it is not; 0: none to be had. */
uint16_t tn_overlay_channel(struct tn_node *n, uint32_t member, struct tn_now now);

#endif
