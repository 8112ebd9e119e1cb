/* How to reach one peer: relay first, a checked direct path as soon as there is one, the relay again at
 * once when it fails. A pure state machine: push events with the time, then tick, then poll wishes until
 * none, take events, sleep until tn_paths_next. How it works: paths.c. */
#ifndef TN_PATH_PATHS_H
#define TN_PATH_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/candlist.h"
#include "../base/now.h"
#include "../base/sizes.h"
#include "../crypto/crypto.h"
#include "cand.h"
#include "mode.h"

#define TN_PATHS_CAND_MAX (2 * TN_PATHS_PER_FAMILY)

enum tn_via {
    TN_VIA_NONE = 0,
    TN_VIA_RELAY = 1,
    TN_VIA_DIRECT = 2,
    TN_VIA_MEMBER = 3, /* another member passes it on */
};

/* A way to a peer. `addr`: DIRECT its address, MEMBER the overlay's IPv4 address of the member that relays, port 0;
 * otherwise zero. */
struct tn_way {
    uint8_t via; /* enum tn_via */
    uint16_t mtu; /* inner bytes that pass in one piece; only tn_paths_route says it */
    struct tn_addr addr;
};

enum tn_path_wish_kind {
    TN_PATH_WISH_PUNCH = 1, /* send 95 00 00 00 to `to` (always direct); low TTL if `low_ttl` */
    TN_PATH_WISH_PING = 2,  /* send a link PING (txid, full, size) by `to`, inside the session */
};

struct tn_path_wish {
    uint8_t kind; /* enum tn_path_wish_kind */
    bool low_ttl;
    bool full;     /* PING: longer than a small one */
    uint16_t size; /* PING: bytes of the link message */
    uint64_t txid;
    struct tn_way to;
};

struct tn_path_event {
    uint8_t via;           /* the new state: enum tn_via */
    struct tn_addr addr;   /* as in struct tn_way */
    uint64_t at_us;        /* when it changed */
    uint64_t search_us;    /* DIRECT: microseconds since the search for a direct path began; else 0 */
    uint16_t mtu;          /* inner bytes that pass there in one piece */
    bool moved;            /* the way is another; otherwise only its MTU is */
};

struct tn_paths_config {
    uint16_t mtu;           /* inner MTU = size of a full-size PING, TN_LINK_MIN_LEN at least */
    uint64_t idle_beat_us;  /* heartbeat of an idle direct path; 0: the default of 20 s; at most 30 min */
    bool fixed_mtu;         /* it is small already, and one end pays for bytes: only full size is asked, at first */
    bool relay_only;        /* the peer pays for each byte and cannot be punched: it is asked nothing, but
                               for a PING when data had no answer for 3 s */
};

enum { TN_PROBE_ROWS = 6, TN_SIZE_FAN = 10 };

/* One way that can be probed: a candidate or the relay. Private to path/; read `c` through tn_paths_cand. */
struct tn_probe {
    struct tn_cand c;
    uint64_t row[TN_PROBE_ROWS]; /* deadlines, named in paths_priv.h */
    struct {
        uint64_t txid;
        uint64_t sent_us; /* 0: free */
        uint16_t size;
    } sent[TN_PROBE_RING];
    struct { /* paths_size.c */
        uint64_t asked_us;  /* the first full-size PING that has no answer yet; 0: none */
        uint64_t ask_us;    /* long data asks again then */
        uint64_t raised_us; /* the last search ended */
        uint16_t low, top;  /* the longest that was answered, the longest that may be; top 0: no search is on */
        uint16_t whole;     /* top as the search began */
        uint16_t fan[TN_SIZE_FAN];
        uint8_t count, sent; /* of fan: sizes, and how many went out */
        uint8_t tries;       /* fans in a row of which nothing was answered */
        uint8_t raises;      /* searches in a row that found no more */
        bool proven;         /* low was answered */
    } size;
    uint64_t fresh_us;     /* the last authentic packet that still counts; 0 after a change of network */
    uint64_t changed_us;   /* of the network: until a PING sent since then is answered, nothing counts; 0: it was */
    uint64_t ping_us;      /* the last small PING sent */
    uint64_t full_us;      /* the last full-size PING sent */
    uint64_t round_us;     /* when the round began; 0: none is on */
    uint64_t ping_base_us; /* what the round's PINGs are timed from */
    uint64_t revive_us;    /* an authentic packet begins no round of PINGs before that */
    uint64_t hold_us;      /* a path that flaps is not chosen before that */
    uint64_t chosen_us;    /* when it last became the path in use */
    uint8_t sent_at;       /* next place of the ring */
    uint8_t punch_step, ping_step;
    uint8_t full_count;    /* full-size PINGs since the last that was answered, or since the round began */
    uint8_t missed;        /* PINGs in a row that were not answered in time */
    uint8_t lost_tries;    /* probes since it was lost */
    uint16_t loss_before;  /* c.loss_64k before the last PING was missed, and those before it in a row */
    uint8_t flaps;         /* times in a row that it was lost soon after it had been chosen */
    bool used, heard, punch_due, punch_low, small_due, full_due;
};

#if TN_PATHS_PER_FAMILY == 0
struct tn_paths { /* relay_only.c */
    uint16_t mtu;
    bool relay_up, told_up;
};
#else
struct tn_paths {
    struct tn_paths_config cfg;
    struct tn_probe cand[TN_PATHS_CAND_MAX];
    struct tn_probe relay;
    int best;  /* index of the candidate in use, -1: none */
    int spare; /* index of the one in use before it was lost, -1: none */
    bool relay_up, relay_suspect, session_up, connect_forced;
    uint8_t mode; /* enum tn_path_mode */
    uint8_t compared; /* answers of the relay since the path in use is compared with it; stays at 255 */
    uint8_t connect_tries;
    uint64_t connect_us;      /* when CONNECT is next wanted; TN_NEVER */
    uint64_t connect_gate_us; /* not before that */
    uint32_t round_tokens;    /* rounds that may be spent on addresses that never answered */
    uint64_t round_refill_us;
    uint64_t data_us;   /* the last data sent; 0 never */
    uint64_t follow_us; /* a peer that speaks by the relay is not followed there before that */
    uint64_t search_us; /* when the search for a direct path began; 0: none is on */
    struct {
        uint64_t due_us;  /* the next look; TN_NEVER */
        uint64_t packets; /* that had come in by `of` at the last one */
        int of;           /* the way that is looked at: index of a candidate, -1: the relay */
        bool runs;        /* a stream came in between the last two looks */
        bool broke;       /* it broke off, and nothing has come since */
    } flow;
    uint64_t next_us;   /* what tn_paths_next answers */
    struct tn_path_event state; /* as it is */
    uint8_t told_via;           /* as it was last reported */
    uint16_t told_mtu;
    struct tn_addr told_addr;
};
#endif

/* --- set up and conditions ------------------------------------------------------------------------ */
void tn_paths_init(struct tn_paths *p, const struct tn_paths_config *cfg, const struct tn_now *now);
/* Can the relay take datagrams for this peer (control session up, channel bound)? */
void tn_paths_set_relay(struct tn_paths *p, bool available, const struct tn_now *now);
/* TN_MODE_AUTO to begin with. Where it ends a path or begins one, the next event tells. */
void tn_paths_set_mode(struct tn_paths *p, uint8_t mode, const struct tn_now *now);
static inline uint8_t tn_paths_mode(const struct tn_paths *p)
{
#if TN_PATHS_PER_FAMILY == 0
    (void)p;
    return TN_MODE_AUTO;
#else
    return p->mode;
#endif
}
/* May data go by `via`, where tn_paths_route has named it? */
static inline bool tn_paths_carries_data(const struct tn_paths *p, uint8_t via)
{
    return via == TN_VIA_DIRECT || tn_paths_mode(p) != TN_MODE_DIRECT;
}
/* Heartbeats of an idle direct path from now on; as in tn_paths_config. */
void tn_paths_set_idle_beat(struct tn_paths *p, uint64_t idle_beat_us, const struct tn_now *now);
/* Is there a WireGuard session? PINGs wait for one; punches do not. */
void tn_paths_set_session(struct tn_paths *p, bool up, const struct tn_now *now);
/* Merges candidates. Unprobeable addresses and those in `own` are kept as refused and never used. Of a full
 * family, the one that has been silent longest makes room. Returns how many are new and may be probed. */
size_t tn_paths_offer(struct tn_paths *p, const struct tn_cand_wire *list, size_t count,
                      const struct tn_cand_wire *own, size_t own_count, const struct tn_now *now);

/* The peer may be reached through the member with this overlay address, who is reached directly himself; to be said
 * again while it is so and the peer is spoken to. */
void tn_paths_offer_member(struct tn_paths *p, const struct tn_addr *member, const struct tn_now *now);
/* That member is not reached directly any more, or does not relay: nothing goes by him. False: nothing did. */
bool tn_paths_withdraw_member(struct tn_paths *p, const struct tn_addr *member, const struct tn_now *now);
/* Is there data for the peer, and no direct path, or a bad one, and are others allowed? */
bool tn_paths_wants_member(const struct tn_paths *p, const struct tn_now *now);

/* --- events --------------------------------------------------------------------------------------- */
/* CONNECT was answered, or PUNCH came: begins a round to every candidate that may be probed. */
void tn_paths_punch(struct tn_paths *p, uint64_t delay_us, const struct tn_now *now);
/* Our own addresses, routes or mappings changed: all that is known is in doubt. */
void tn_paths_on_network_change(struct tn_paths *p, const struct tn_now *now);
/* UDP passes where it did not: what was silent is asked again; a path that is there stays as good as it is. */
void tn_paths_on_udp_back(struct tn_paths *p, const struct tn_now *now);
/* The NAT in front of us shows us at another address or port of this family: its holes to peers are gone. */
void tn_paths_on_moved(struct tn_paths *p, bool v4, const struct tn_now *now);
/* Data (not a PING or PONG) for this peer was sent on tn_paths_route's answer, or waits for a session. len 0: there
 * is none yet, but the path is to be as good as if there were. */
void tn_paths_on_data_sent(struct tn_paths *p, size_t len, const struct tn_now *now);
/* A sealed packet that is no data (PONG, handshake, keepalive) left by `to`: for the counters only. */
void tn_paths_on_other_sent(struct tn_paths *p, const struct tn_way *to, size_t len,
                            const struct tn_now *now);
/* An authentic packet of this peer came by `from`: handshake response, data, keepalive, PING or PONG. */
void tn_paths_on_authentic(struct tn_paths *p, const struct tn_way *from, size_t len,
                           const struct tn_now *now);
/* A PONG of `size` bytes came by `from`, after tn_paths_on_authentic for the same packet. True: it answers a
 * PING of that size that was sent that very way. `observed` is what the peer saw. */
bool tn_paths_on_pong(struct tn_paths *p, const struct tn_way *from, uint64_t txid, uint16_t size,
                      const struct tn_addr *observed, const struct tn_now *now);
/* A search for a port has found that way: it is asked at once. */
void tn_paths_found(struct tn_paths *p, const struct tn_addr *addr, const struct tn_now *now);
/* A TCP connection with the peer stands, under that stream address, and is asked like any candidate. False: there
 * is no room for one more. A connection that the peer began may also become one by tn_paths_on_authentic. */
bool tn_paths_tcp_opened(struct tn_paths *p, const struct tn_addr *stream, const struct tn_now *now);
/* It ended; its candidate is forgotten. */
void tn_paths_tcp_closed(struct tn_paths *p, const struct tn_addr *stream, const struct tn_now *now);
/* The system refused to send to `to` (unreachable network or host, no route; not EMSGSIZE, not a full
 * buffer): that candidate is given up for now. */
void tn_paths_on_send_error(struct tn_paths *p, const struct tn_addr *to, const struct tn_now *now);

/* --- pull ----------------------------------------------------------------------------------------- */
/* Turns expired deadlines into wishes and state changes. Sends nothing. */
void tn_paths_tick(struct tn_paths *p, const struct tn_now *now);
/* The next thing to send; false when there is none. `rng` makes the txids. */
bool tn_paths_poll(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now,
                   struct tn_path_wish *out);
/* When tn_paths_tick is due: tn_now.us, 0 when something waits to be polled, TN_NEVER. Constant time. */
uint64_t tn_paths_next(const struct tn_paths *p);
/* Which way data goes now; constant time, called per packet. */
void tn_paths_route(const struct tn_paths *p, const struct tn_now *now, struct tn_way *out);
/* True once whenever CONNECT should go to the coordinator (data flows without a direct path, or it was just
 * lost): at once, then after 1, 2, 4 .. 60 s with jitter. */
bool tn_paths_take_connect(struct tn_paths *p, struct tn_rng *rng, const struct tn_now *now);
/* True when the state changed since the last call. Idle paths that wait for re-validation stay DIRECT. */
bool tn_paths_take_event(struct tn_paths *p, struct tn_path_event *out);

/* --- look ----------------------------------------------------------------------------------------- */
/* enum tn_via, as `status` shows it. */
uint8_t tn_paths_via(const struct tn_paths *p);
/* The address in use, or NULL when the state is not DIRECT. */
const struct tn_cand *tn_paths_direct(const struct tn_paths *p);
/* The candidate in use, an address or a member, or NULL. */
const struct tn_cand *tn_paths_in_use(const struct tn_paths *p);
/* Candidate number i (0 .. TN_PATHS_CAND_MAX-1) for `explain`, NULL where the place is empty. */
const struct tn_cand *tn_paths_cand(const struct tn_paths *p, size_t i);
/* The relay's counters and RTT (origin and address are zero). NULL in a build that knows no other way. */
const struct tn_cand *tn_paths_relay(const struct tn_paths *p);
/* PINGs through the relay go unanswered: the coordinator's session should be looked after. */
bool tn_paths_relay_suspect(const struct tn_paths *p);
/* The direct path in use has missed a PING, or a stream broke off: the network may have changed, and the
 * coordinator's way with it. */
bool tn_paths_in_distress(const struct tn_paths *p);

#endif
