/* A member's end of the control channel (PROTOCOL.md section 4): makes and keeps
 * the session with the coordinator, repeats requests until they are answered,
 * and turns what comes into events. No socket and no clock:
 *
 *     push:  on_datagram, open_relay, a request, tick, suspect, on_unreachable
 *     pull:  poll_out until 0, take_event until false; after *each* push
 *     sleep: until next_deadline, then tick
 * CANDIDATES and every BIND are sent anew by themselves after each (re)connect. */
#ifndef TN_COORD_CLIENT_H
#define TN_COORD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/buf.h"
#include "../base/candlist.h"
#include "../base/err.h"
#include "../base/now.h"
#include "../base/sizes.h"
#include "../crypto/crypto.h"
#include "client_beat.h"
#include "client_link.h"
#include "client_lost.h"
#include "msg.h"
#include "relay.h"
#include "session.h"

enum tn_coord_event_kind {
    TN_COORD_EV_CONNECTED,     /* addr: own, as observed; unix_s: its clock. Also after a renewal */
    TN_COORD_EV_DISCONNECTED,  /* reason; tries go on by themselves */
    TN_COORD_EV_RESOLVE,       /* no answer for 0.9 s, or (with a status) in an attempt: look its name up */
    TN_COORD_EV_OBSERVED,      /* addr: our address of its family is new, or has changed */
    TN_COORD_EV_ROSTER_SEQ,    /* seq: the network's count of changes went up */
    TN_COORD_EV_RTT,           /* rtt_us: smoothed round-trip time */
    TN_COORD_EV_JOIN_RESULT, TN_COORD_EV_UPDATE_RESULT, /* status, seq: network's roster_seq */
    TN_COORD_EV_CARD,          /* card, card_len, unverified; of_lookup. From SYNC: seq */
    TN_COORD_EV_LOOKUP_FAILED, /* status, token */
    TN_COORD_EV_SYNC_DONE,     /* seq: nothing newer than this; status when it was cut short */
    TN_COORD_EV_CONNECT_RESULT, /* identity, status, delay_ms, cand */
    TN_COORD_EV_PUNCH,          /* identity (a peer wants to connect), delay_ms, cand */
    TN_COORD_EV_ANEW,           /* identity: a member that we speak with has made a new session */
    TN_COORD_EV_BIND_RESULT,    /* identity, channel, status */
    TN_COORD_EV_MAPPING_LOST,   /* our address was another at the last BEAT */
    TN_COORD_EV_CHECK_RESULT,   /* seq: the nonce; status; from: which dial-backs were sent */
    TN_COORD_EV_STREAM, /* a stream is wanted, another one, or none any more: client_stream.h */
};

enum tn_coord_reason {
    TN_COORD_NO_ANSWER, /* silence */
    TN_COORD_BAD_KEY,   /* cookies, but no answer: not the pinned key, or our stamp is not new */
    TN_COORD_STOPPED,
};

struct tn_coord_event {
    enum tn_coord_event_kind kind;
    enum tn_coord_reason reason;
    uint8_t status; /* enum tn_status; TN_STATUS_NO_ANSWER: given up */
    bool of_lookup; /* CARD: answers a lookup, whose token is set; else from sync */
    uint16_t channel, delay_ms;
    uint8_t from; /* bits of enum tn_dial_from */
    uint32_t token, rtt_us; /* token: of the lookup */
    uint64_t seq, unix_s;
    struct tn_addr addr; /* zero in CONNECTED: by a stream */
    uint8_t identity[32];
    const uint8_t *card; /* borrowed from on_datagram's buffer until the next push, as is `cand` */
    size_t card_len;
    const struct tn_cand_wire *cand; /* not yet checked with tn_addr_is_probeable */
    uint8_t cand_count;
};

struct tn_coord_client_config {
    uint64_t keepalive_us;     /* between PINGs; 0: 15 s. Halved, to 2.5 s, where the NAT forgets */
    uint64_t backoff_min_us;   /* after a failed attempt; 0: 0.5 s, doubling, with jitter */
    uint64_t backoff_max_us;   /* 0: 15 s */
    uint64_t stamp_ns;         /* stamps of INIT will be above this, also when the clock went back */
    uint64_t renew_us;         /* age at which keys are made anew; 0: one hour */
    bool beats;                /* BEATs in place of PINGs, and three INITs an attempt */
    struct tn_relay_channel *channel; /* caller's memory, channel_count rows */
    size_t channel_count;             /* at most 65535 */
};

/* A request that is repeated until answered. */
struct tn_coord_request {
    uint8_t type, by, key_len, tries, status; /* type 0: free */
    uint16_t id;
    bool failed; /* given up: an event with `status` is owed */
    uint32_t token;
    uint64_t seq;
    uint64_t due_us;   /* TN_NEVER: waits for the answer to JOIN */
    uint64_t first_us; /* when it was first sent on this session */
    uint8_t key[TN_MSG_NAME_MAX + 1]; /* identity of a CONNECT, key of a LOOKUP */
};

enum tn_coord_state {
    TN_COORD_IDLE,    /* stopped, or no server known */
    TN_COORD_WAIT,    /* the next attempt is due at row ATTEMPT */
    TN_COORD_SHAKING, /* INIT sent, its answer awaited */
    TN_COORD_READY,   /* no handshake under way */
};

enum tn_coord_row { /* of the deadline table */
    TN_COORD_AT_INIT,      /* repeat INIT */
    TN_COORD_AT_ATTEMPT,   /* begin the next attempt */
    TN_COORD_AT_KEEPALIVE, /* PING, on both families */
    TN_COORD_AT_RENEW,     /* make the keys anew */
    TN_COORD_AT_BIND,      /* the earliest BIND that is due */
    TN_COORD_AT_STREAM,    /* a stream will be wanted, or no more */
    TN_COORD_AT_ROWS,
};

/* PINGs of one family. */
struct tn_coord_ping {
    uint64_t due_us; /* when to send (again); TN_NEVER: not */
    uint64_t sent_us;
    uint64_t heard_us; /* the last authentic message */
    uint16_t id;
    uint8_t tries;
};

/* Fields are the module's own. Holds secrets: tn_coord_client_wipe. */
struct tn_coord_client {
    struct tn_coord_client_config cfg;
    struct tn_ctl_local local;
    struct tn_rng rng;
    struct tn_addr server[TN_FAMILIES]; /* by enum tn_family; zero: none */
    uint64_t row[TN_COORD_AT_ROWS];
    enum tn_coord_state state;
    bool running, wants_stream;
    bool session_ok; /* `session` can be used; also while a handshake is under way */
    uint64_t doubt_us; /* since when UDP may be blocked; 0: it is not */
    uint8_t home; /* family of requests and relay frames */
    /* handshake */
    struct tn_ik ik;
    uint32_t client_index;
    uint64_t stamp_ns; /* the last INIT's; never goes back */
    uint64_t init_sent_us, attempt_us;
    uint8_t cookie[TN_CTL_COOKIE_VALUE_LEN];
    bool has_cookie, want_init, ik_live, flipped;
    uint8_t timeouts, cookies_taken, with_cookie, shake_family;
    uint32_t attempts_failed;
    /* session */
    struct tn_ctl_session session;
    uint32_t previous_index; /* relay frames that were under way when keys changed */
    uint64_t heard_us, spoken_us; /* last authentic datagram; last of ours, relay frames too */
    struct tn_coord_ping ping[TN_FAMILIES];
    struct tn_coord_beat beat;
    struct tn_coord_lost lost;
    bool suspicious;
    uint64_t keepalive_us; /* in force */
    uint32_t rtt_us;
    struct tn_addr observed[2];
    uint64_t roster_seq;
    uint16_t next_id;
    /* requests */
    struct tn_coord_request request[TN_COORD_REQUESTS];
    struct tn_coord_request publish, announce; /* JOIN or UPDATE; CANDIDATES */
    struct tn_link_table link;
    uint8_t card[TN_MSG_CARD_MAX];
    uint16_t card_len;
    struct tn_cand_wire cand[TN_CANDLIST_SEND_MAX]; /* ours */
    uint8_t cand_count;
    /* events */
    struct tn_coord_event event[TN_COORD_EVENTS];
    uint8_t event_first, event_count;
    uint32_t events_lost; /* the caller did not drain */
    struct tn_cand_wire event_cand[TN_CANDLIST_MAX];
    uint64_t dropped; /* datagrams that were not ours, or not authentic */
};

/* Computes the shared secret with the pinned key (one curve operation). The seed is for this
 * client's own generator. TN_EAUTH for a server key of low order. */
TN_MUST_CHECK int tn_coord_client_init(struct tn_coord_client *c,
                                       const struct tn_coord_client_config *cfg,
                                       const uint8_t private_key[32],
                                       const uint8_t server_public[32],
                                       const uint8_t rng_seed[32]);
void tn_coord_client_wipe(struct tn_coord_client *c);
/* A new WireGuard key of our own: the session is made anew under it when it runs. */
TN_MUST_CHECK int tn_coord_client_set_key(struct tn_coord_client *c, const uint8_t private_key[32],
                                          struct tn_now now);
/* Either may be all zero: none of that family. A change while running begins a new attempt at once. */
void tn_coord_client_set_server(struct tn_coord_client *c, const struct tn_addr *v4,
                                const struct tn_addr *v6, struct tn_now now);
void tn_coord_client_start(struct tn_coord_client *c, struct tn_now now);
/* BYE, the last datagram; its length, or 0 without a session. cap at least TN_CTL_MAX_LEN. */
size_t tn_coord_client_bye(struct tn_coord_client *c, struct tn_now now, uint8_t *out, size_t cap,
                           struct tn_addr *dst);
void tn_coord_client_stop(struct tn_coord_client *c); /* forgets the session and all requests but JOIN */

/* First byte 90 to 93, opened in place. TN_EINVAL, TN_EAUTH, TN_EREPLAY: dropped, nothing changed. */
TN_MUST_CHECK int tn_coord_client_on_datagram(struct tn_coord_client *c, const struct tn_addr *src,
                                              uint8_t *data, size_t len, struct tn_now now);
/* A relayed frame (first byte 94): checks source and index, pulls the header; b is then the WireGuard
 * datagram. It is not authentic until WireGuard says so. */
TN_MUST_CHECK int tn_coord_client_open_relay(const struct tn_coord_client *c,
                                             const struct tn_addr *src, struct tn_buf *b);
/* Puts the relay header in front of a WireGuard datagram and tells where it goes. A frame may follow
 * its BIND at once, so TN_ESTATE: not connected, refused, or BIND is yet to be polled out;
 * TN_ENOSPC: no head room. After 2 s of silence a PING is wished as well, for a NAT that forgets. */
TN_MUST_CHECK int tn_coord_client_push_relay(struct tn_coord_client *c, uint16_t channel,
                                             struct tn_buf *b, struct tn_addr *dst,
                                             struct tn_now now);
/* The next datagram, or 0. cap must be at least TN_CTL_MAX_LEN. */
size_t tn_coord_client_poll_out(struct tn_coord_client *c, struct tn_now now, uint8_t *out,
                                size_t cap, struct tn_addr *dst);
/* Name of the deadline in *name (may be NULL). */
uint64_t tn_coord_client_next_deadline(const struct tn_coord_client *c, const char **name);
void tn_coord_client_tick(struct tn_coord_client *c, struct tn_now now);
bool tn_coord_client_take_event(struct tn_coord_client *c, struct tn_coord_event *out);

/* Something smells (a network change, a silent relay): three quick PINGs; then a new handshake. */
void tn_coord_client_suspect(struct tn_coord_client *c, struct tn_now now);
/* The system says that the coordinator's address cannot be sent to: try the other family. */
void tn_coord_client_on_unreachable(struct tn_coord_client *c, const struct tn_addr *dst,
                                    struct tn_now now);

bool tn_coord_client_is_connected(const struct tn_coord_client *c);
bool tn_coord_client_is_publishing(const struct tn_coord_client *c); /* JOIN or UPDATE is unanswered */

/* ---- requests; each may be made before the session is up ---- */

/* A later one replaces the earlier. Repeated until answered. TN_EINVAL: the card is too long. */
TN_MUST_CHECK int tn_coord_client_join(struct tn_coord_client *c, const uint8_t *card, size_t len,
                                       struct tn_now now);
TN_MUST_CHECK int tn_coord_client_update(struct tn_coord_client *c, const uint8_t *card, size_t len,
                                         struct tn_now now);
/* Own candidates, also used by CONNECT; at most TN_CANDLIST_SEND_MAX, the rest is left out. */
void tn_coord_client_candidates(struct tn_coord_client *c, const struct tn_cand_wire *list,
                                size_t count, struct tn_now now);
/* TN_ENOSPC: the table of requests is full. A request that is outstanding already is not doubled. */
TN_MUST_CHECK int tn_coord_client_lookup(struct tn_coord_client *c, enum tn_msg_by by,
                                         const void *key, size_t key_len, uint32_t token,
                                         struct tn_now now);
/* Brings every card with a higher seq, one CARD event each, then SYNC_DONE. */
TN_MUST_CHECK int tn_coord_client_sync(struct tn_coord_client *c, uint64_t after_seq,
                                       struct tn_now now);
TN_MUST_CHECK int tn_coord_client_connect(struct tn_coord_client *c, const uint8_t identity[32],
                                          struct tn_now now);
/* Channel number to the identity, bound now or when connected; one that was refused is asked for anew.
 * TN_ENOSPC: the table is full. */
TN_MUST_CHECK int tn_coord_client_bind(struct tn_coord_client *c, const uint8_t identity[32],
                                       uint16_t *channel, struct tn_now now);
/* Dial-backs to an address of our own; `from`: bits of enum tn_dial_from. TN_ENOSPC as above. */
TN_MUST_CHECK int tn_coord_client_check(struct tn_coord_client *c, uint64_t nonce, uint8_t from,
                                        const struct tn_addr *addr, struct tn_now now);
void tn_coord_client_unbind(struct tn_coord_client *c, uint16_t channel);

#endif
