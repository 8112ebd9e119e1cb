/* The coordinator (PROTOCOL.md sections 4 to 6): control sessions, membership
 * through a store, brokering of candidates and punches, and the relay. No
 * socket, clock or heap: the caller hands in arrays, datagrams and the moment.
 * STUN is the program's: this module never sees first bytes 00 and 01. */
#ifndef TN_COORD_SERVER_H
#define TN_COORD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/candlist.h"
#include "../base/err.h"
#include "../base/now.h"
#include "../crypto/crypto.h"
#include "msg.h"
#include "relay.h"
#include "session.h"
#include "share.h"
#include "store.h"

#define TN_SERVER_NONE UINT32_MAX /* no slot */

/* Where an authentic message of one family last came from, and through which of our sockets. */
struct tn_server_seen {
    struct tn_addr addr; /* zero: never */
    uint8_t port;        /* the caller's socket number */
    uint64_t at_us;
};

struct tn_server_bucket {
    uint64_t level; /* bytes, or request units */
    uint64_t at_us;
};

enum tn_server_session_state {
    TN_SERVER_FREE,
    TN_SERVER_TENTATIVE, /* RESP sent; nobody has proven to have it yet */
    TN_SERVER_GUEST,     /* real, but no card names its key: may JOIN or UPDATE only */
    TN_SERVER_MEMBER,
};

/* One session. Fields are the module's own. Holds secrets. */
struct tn_server_session {
    struct tn_ctl_session keys;
    uint8_t state; /* enum tn_server_session_state */
    uint8_t home;  /* family: where relayed frames go (server_data.c) */
    uint8_t cand_count;
    bool is_anew;  /* it has the place of another one of the same member, whose JOIN is still to come */
    uint8_t client_public[32];
    uint8_t identity[32];
    uint64_t network;
    uint8_t tai64n[TN_CTL_TAI64N_LEN];
    uint64_t heard_us; /* 0: it said BYE */
    uint64_t life_us;  /* how long it may be silent, as its last BEAT said; 0: as all others */
    uint32_t rtt_us;
    struct tn_server_seen seen[TN_FAMILIES]; /* by enum tn_family */
    struct tn_cand_wire cand[TN_CANDLIST_SEND_MAX];
    struct tn_server_bucket relay, requests;
    struct tn_share_part share;
    uint32_t key_next;            /* chain of the table by static key */
    uint32_t member_next;         /* chain of the table by identity */
    uint32_t older, newer;        /* list of the tentative, or of the guests; newer: free list */
    struct tn_link_context link[TN_LINK_CONTEXTS]; /* as its member has set them */
    uint64_t link_set[TN_LINK_CONTEXTS];           /* counter of the DATA that did */
    uint32_t channels;            /* first of its channels */
    uint32_t channel_count;
};

/* One bound channel. */
struct tn_server_channel {
    uint8_t identity[32];
    uint32_t owner; /* slot; TN_SERVER_NONE: free */
    uint32_t hash_next;
    uint32_t owner_next; /* free list when free */
    uint32_t peer; /* slot of the peer's session when last looked up; believed if its identity is there */
    uint16_t number;
};

/* The caller's arrays. 2^20 sessions and 2^24 channels at most; a bucket_len near session_count
 * (a power of two) is right. */
struct tn_server_memory {
    struct tn_server_session *session;
    uint32_t session_count;
    struct tn_server_channel *channel;
    uint32_t channel_count;
    uint32_t *key_bucket, *member_bucket, *channel_bucket; /* bucket_len each */
    uint32_t bucket_len;
};

struct tn_server_config {
    uint8_t private_key[32]; /* X25519; the public half is what invites pin */
    uint8_t rng_seed[32];    /* from the system; the caller wipes its copy */
    struct tn_store store;
    const struct tn_card_ops *cards;
    uint64_t session_timeout_us;    /* 0: 75 s since the last authentic message */
    uint64_t relay_bytes_per_s;     /* per member; 0: 12,500,000 */
    uint64_t relay_burst_bytes;     /* 0: 1 MiB */
    uint32_t channels_per_session;  /* 0: 1024 */
    uint32_t tentative_max, guest_max; /* 0: a quarter of the sessions (at least 1) */
    uint32_t handshakes_per_s;      /* from one IPv4 address or IPv6 /64; 0: 20, burst five times that */
    uint8_t dial_from[2];           /* by family: what `turn` the caller can do, bits of enum tn_dial_from */
};

#define TN_SERVER_COUNTERS(X)                                                                      \
    X(cookies_sent) X(handshakes) X(sessions_confirmed) X(sessions_replaced) X(sessions_expired)   \
    X(sessions_evicted) X(requests) X(joins) X(updates) X(joins_refused) X(connects)               \
    X(connects_unreachable) X(punches) X(news) X(anew) X(binds) X(beats) X(lost_told) X(checks) X(dials) X(relay_packets) X(relay_bytes) \
    X(drop_garbage) X(drop_shake_rate) X(drop_handshake) X(drop_stamp) X(drop_full)               \
    X(drop_no_session) X(drop_auth) X(drop_replay) X(drop_malformed) X(drop_request_rate)          \
    X(drop_store) X(drop_relay_session) X(drop_relay_source) X(drop_relay_inner)                   \
    X(drop_relay_unbound) X(drop_relay_away) X(drop_relay_rate) X(drop_relay_share) X(links)       \
    X(link_rebuilt) X(link_packed) X(drop_link)
struct tn_server_counters {
#define TN_SERVER_COUNTER_FIELD(name) uint64_t name;
    TN_SERVER_COUNTERS(TN_SERVER_COUNTER_FIELD)
#undef TN_SERVER_COUNTER_FIELD
};

struct tn_server_gauges {
    uint32_t tentative, guests, members, channels;
};

#define TN_SERVER_LIMIT_ROWS 4096 /* so many that few sources share one */

#define TN_SERVER_NEWS_ROWS 64
#define TN_SERVER_ANEW_ROWS 64
struct tn_server_anew_row {
    uint32_t index;   /* of the new session */
    uint16_t channel; /* of its: who is to be told */
};
struct tn_server_news_row {
    uint64_t network, seq; /* as its members were told, or are to be */
    bool is_due;
};

/* Fields are the module's own. Holds secrets: tn_server_wipe. */
struct tn_server {
    struct tn_server_memory mem;
    struct tn_server_config cfg;
    uint8_t public_key[32];
    struct tn_rng rng;
    uint8_t hash_key[32];      /* of the tables and the limiter, so that nobody aims at a bucket */
    uint8_t cookie_key[2][32]; /* in force, and the one before */
    uint64_t cookie_key_us;    /* when the first came into force */
    unsigned slot_bits;
    uint32_t free_session, free_channel;
    uint32_t oldest[2], newest[2]; /* lists: 0 tentative, 1 guests */
    uint64_t sweep_us;             /* when sessions are next looked through for expired ones */
    struct tn_server_bucket limit[TN_SERVER_LIMIT_ROWS]; /* handshakes by source */
    struct tn_server_bucket lost[TN_SERVER_LIMIT_ROWS];  /* LOST by source */
    struct tn_share share; /* of the relay */
    struct {               /* server_news.c */
        struct tn_server_news_row row[TN_SERVER_NEWS_ROWS];
        uint64_t at_us; /* nothing is told before that */
        bool is_on;     /* a round, of the row `at` */
        uint8_t at;
        uint64_t seq;   /* that it tells */
        uint32_t slot;  /* where it goes on */
        uint32_t burst;
    } news;
    struct {               /* server_anew.c: a ring */
        struct tn_server_anew_row row[TN_SERVER_ANEW_ROWS];
        uint32_t first, count;
    } anew;
    struct tn_server_gauges gauge;
    struct tn_server_counters counter;
    uint8_t scratch[2][TN_CTL_MAX_LEN];
    uint8_t rebuilt[TN_RELAY_MAX_LEN]; /* a compressed frame, as it goes on */
    uint8_t dial[3][TN_CTL_DIAL_LEN];
};

/* A datagram to send. `data` lies in the buffer that was handed in, or in the server; it holds
 * until the next call. */
struct tn_server_out {
    uint8_t port; /* the socket to send from */
    uint8_t turn; /* 0, TN_DIAL_PORT or TN_DIAL_ADDRESS: not from there, but from its neighbour */
    struct tn_addr dst;
    uint8_t *data;
    size_t len;
};
#define TN_SERVER_OUT_MAX 4

/* TN_EINVAL for sizes that cannot be; TN_EAUTH for a key that cannot be. */
TN_MUST_CHECK int tn_server_init(struct tn_server *s, const struct tn_server_memory *mem,
                                 const struct tn_server_config *cfg, struct tn_now now);
void tn_server_wipe(struct tn_server *s); /* every secret, those in the caller's arrays too */

/* A datagram of len bytes that came from `src` through socket `port`; it is opened and rewritten
 * in place. Returns how many of `out` are to be sent, in order (0 to TN_SERVER_OUT_MAX). An answer
 * to the unproven is never longer than what came; a relayed frame may be longer by
 * what link compression had left out of it. */
size_t tn_server_on_datagram(struct tn_server *s, uint8_t port, const struct tn_addr *src,
                             uint8_t *data, size_t len, struct tn_now now,
                             struct tn_server_out out[TN_SERVER_OUT_MAX]);

/* Relay frames of one source, one behind another, each but the last `segment` bytes long; a datagram
 * alone is its own segment. What came in one train need not go out in one. */
struct tn_server_train {
    const struct tn_addr *src;
    uint8_t *data;
    size_t len, segment;
    struct tn_now now;
};
/* Frames that go on to one member, one behind another in the train's memory, rewritten. */
struct tn_server_flight {
    uint32_t receiver; /* its slot, which tells flights apart quickly; `dst` is what counts */
    uint32_t frames;
    uint8_t port; /* the socket to send from */
    struct tn_addr dst;
    uint8_t *data;
    size_t len, segment; /* the last frame may be shorter */
};
#define TN_SERVER_FLIGHT_FRAMES 64

/* The next flight of `t`, which moves behind it; false: nothing of the train is left, or nothing of it
 * was to be passed on. What may not pass is counted, as with tn_server_on_datagram. */
bool tn_server_relay_next(struct tn_server *s, struct tn_server_train *t,
                          struct tn_server_flight *f);
/* Begins a pass: what is taken in before any of it is sent. In an overload `capacity` is how much of it
 * can be passed on, in units of about a nanosecond (1000 a flight and 1 for 4 bytes), and each member
 * gets its fair share of that (share.h); else 0. Who calls tn_server_on_datagram only needs no passes. */
void tn_server_relay_pass(struct tn_server *s, uint64_t capacity);

uint64_t tn_server_next_deadline(const struct tn_server *s);
void tn_server_tick(struct tn_server *s, struct tn_now now); /* expires sessions */
/* The next of the datagrams that tell members of a change of their roster, or of a member who has begun
 * anew, after a datagram or a tick; false: there is none for now. */
bool tn_server_news_next(struct tn_server *s, struct tn_now now, struct tn_server_out *out);

/* Ends the session of a member that was taken out of the store by other means. */
void tn_server_drop_member(struct tn_server *s, uint64_t network, const uint8_t identity[32]);

void tn_server_gauges(const struct tn_server *s, struct tn_server_gauges *out);
const struct tn_server_counters *tn_server_counters(const struct tn_server *s);

#endif
