/* What the server_*.c files share; nobody else includes it. */
#ifndef TN_COORD_SERVER_PRIV_H
#define TN_COORD_SERVER_PRIV_H

#include "server.h"

#define TN_SERVER_TENTATIVE_US TN_S(10) /* RESP sent: so long the first DATA may take */
#define TN_SERVER_COOKIE_US TN_S(120)   /* life of a cookie key in force; then it counts once more */
#define TN_SERVER_RTT_MAX_US 2000000u   /* a member may not claim more */

/* Requests of a session, in units: a store's read costs 4, a write 40. */
#define TN_SERVER_UNITS_PER_S 200
#define TN_SERVER_UNITS_BURST 800

enum tn_server_list { TN_SERVER_LIST_TENTATIVE, TN_SERVER_LIST_GUEST };

/* One datagram on its walk through the server. */
struct tn_server_in {
    uint8_t port;
    const struct tn_addr *src;
    uint8_t *data;
    size_t len;
    struct tn_now now;
    struct tn_server_out *out;
    size_t out_count;
};

/* ---- server.c ---- */
/* What the sender is told of where it is seen: zero when it comes by a stream. */
struct tn_addr tn_server_observed(const struct tn_server_in *in);
/* Takes `cost` from a bucket that refills at rate_per_s up to burst. */
bool tn_server_bucket_take(struct tn_server_bucket *b, uint64_t now_us, uint64_t rate_per_s,
                           uint64_t burst, uint64_t cost);
/* Adds an output; the caller knows that there is room. */
void tn_server_emit(struct tn_server_in *in, uint8_t port, const struct tn_addr *dst, uint8_t *data,
                    size_t len);

/* ---- server_table.c ---- */
void tn_server_table_init(struct tn_server *s);
uint32_t tn_server_hash(const struct tn_server *s, const void *data, size_t len);
/* Has an authentic message, other than INIT, come in time? */
bool tn_server_is_live(const struct tn_server *s, const struct tn_server_session *x,
                       struct tn_now now);
/* Slot of a session by its index, TN_SERVER_NONE when there is none. */
uint32_t tn_server_by_index(const struct tn_server *s, uint32_t index);
/* Slot of a key's tentative session, or of its real one. */
uint32_t tn_server_by_key(const struct tn_server *s, const uint8_t client_public[32],
                          bool tentative);
/* Slot of a member's session. */
uint32_t tn_server_by_member(const struct tn_server *s, uint64_t network,
                             const uint8_t identity[32]);
/* A slot for a new tentative session, others pushed out where need be; TN_SERVER_NONE: full. */
uint32_t tn_server_take_slot(struct tn_server *s, const uint8_t client_public[32]);
void tn_server_release(struct tn_server *s, uint32_t slot);
/* Tentative, guest or member to guest or member. `network` and `identity` count for members. */
void tn_server_make_guest(struct tn_server *s, uint32_t slot);
void tn_server_make_member(struct tn_server *s, uint32_t slot, uint64_t network,
                           const uint8_t identity[32]);
/* Moves candidates, budgets and (of a member to the same member) channels of a session to the one
 * that replaces it, and ends it. */
void tn_server_replace(struct tn_server *s, uint32_t old_slot, uint32_t new_slot);
struct tn_server_channel *tn_server_channel_find(const struct tn_server *s, uint32_t owner,
                                                 uint16_t number);
/* The channel, made where there is none; NULL: no more channels. */
struct tn_server_channel *tn_server_channel_take(struct tn_server *s, uint32_t owner,
                                                 uint16_t number);

/* ---- server_shake.c ---- */
/* Row of the limits by source: one host, or one home, that is an IPv4 address or an IPv6 /64. */
uint32_t tn_server_source_row(const struct tn_server *s, const struct tn_addr *src);
void tn_server_new_cookie_key(struct tn_server *s, struct tn_now now);
void tn_server_on_init(struct tn_server *s, struct tn_server_in *in);
/* The first DATA under a tentative session: it becomes real. False: the store cannot be read. */
bool tn_server_confirm(struct tn_server *s, uint32_t slot);

/* ---- server_beat.c ---- */
void tn_server_on_beat(struct tn_server *s, struct tn_server_in *in);

/* ---- server_lost.c ---- */
#define TN_SERVER_LOST_BURST 200 /* to one source: a carrier's address has many members behind it */
/* Says that `index`, which the datagram names, is nobody's. */
void tn_server_tell_lost(struct tn_server *s, struct tn_server_in *in, uint32_t index);

/* ---- server_data.c ---- */
void tn_server_on_data(struct tn_server *s, struct tn_server_in *in);
/* Seals `m` for a session into scratch `n`, to where the session is at home. */
void tn_server_push(struct tn_server *s, struct tn_server_in *in, uint32_t slot, unsigned n,
                    const struct tn_msg *m);

/* ---- server_member.c: each fills the answer `a`, whose type and id are set ---- */
void tn_server_do_join(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_now now, struct tn_msg *a);
void tn_server_do_update(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                         struct tn_now now, struct tn_msg *a);
/* The card of the answer lies in `found`. */
void tn_server_do_lookup(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                         struct tn_msg *a, struct tn_store_member *found);
void tn_server_do_sync(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_msg *a, struct tn_store_member *found);
/* Status for what a read of the store said: 0, TN_ENOENT or TN_ESTATE. */
uint8_t tn_server_read_status(struct tn_server *s, int err);

/* ---- server_news.c ---- */
void tn_server_news_add(struct tn_server *s, uint64_t network, uint64_t seq, struct tn_now now);
uint64_t tn_server_news_deadline(const struct tn_server *s);

/* ---- server_anew.c ---- */
/* A device has joined: if it had a session before this one, those whom it spoke with are to be told. */
void tn_server_anew_add(struct tn_server *s, uint32_t slot);
/* The next ANEW into `in`; false: nobody is to be told. */
bool tn_server_anew_next(struct tn_server *s, struct tn_server_in *in);

/* ---- server_connect.c ---- */
/* Fills a PUNCH for the peer too; returns the peer's slot, or TN_SERVER_NONE. */
uint32_t tn_server_do_connect(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                              struct tn_now now, struct tn_msg *a, struct tn_msg *punch);
/* Keeps those that may be probed. */
void tn_server_keep_candidates(struct tn_server_session *x, const struct tn_msg *m);

/* ---- server_check.c ---- */
/* Emits the dial-backs and fills the answer. */
void tn_server_do_check(struct tn_server *s, struct tn_server_in *in, const struct tn_msg *m,
                        struct tn_msg *a);

/* ---- server_relay.c ---- */
void tn_server_do_bind(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       struct tn_now now, struct tn_msg *a);
void tn_server_on_relay(struct tn_server *s, struct tn_server_in *in);
/* Who sends on this channel of the session with this index, and who gets it: NULL, or the counter of
 * why not. */
uint64_t *tn_server_route(struct tn_server *s, const struct tn_server_train *t, uint32_t index,
                          uint16_t number, struct tn_server_session **sender,
                          struct tn_server_session **receiver);

/* ---- server_link.c ---- */
/* `counter` is that of the DATA: an older LINK that comes late changes nothing. */
void tn_server_do_link(struct tn_server *s, uint32_t slot, const struct tn_msg *m,
                       uint64_t counter, struct tn_msg *a);
void tn_server_on_link(struct tn_server *s, struct tn_server_in *in);
/* Makes the one frame of a flight shorter where its receiver takes it so. True: it did. */
bool tn_server_pack(struct tn_server *s, const struct tn_server_session *receiver,
                    struct tn_server_flight *f);

#endif
