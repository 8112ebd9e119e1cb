/* Members that relay for others, for node_*.c and nobody else. Where there is only the coordinator's relay, none of
 * it is there, and costs nothing. */
#ifndef TN_NODE_VIA_H
#define TN_NODE_VIA_H

#include "node.h"
#include "path/viamsg.h"

static inline bool tn_via_is_way(const struct tn_way *way)
{
    return TN_VIA_RELAYS > 0 && way->via == TN_VIA_MEMBER;
}

/* node_rx.c: a WireGuard datagram that another member has passed on; the walk begins again, once. */
enum tn_verdict tn_rx_carried(struct tn_node *n, struct tn_buf *b, const struct tn_way *way, struct tn_now now,
                              uint32_t *out_peer);

#if TN_VIA_RELAYS > 0
void tn_via_init(struct tn_node *n);
/* A member's card is new or changed: does it relay? */
void tn_via_card(struct tn_node *n, uint32_t peer, struct tn_now now);
/* A member's new card has the key that it had: no more than other flags, and its sessions go on. False: another. */
bool tn_via_keep(struct tn_node *n, uint32_t member, struct tn_now now);
void tn_via_forget(struct tn_node *n, uint32_t peer); /* the peer goes */
/* This member is not reached directly any more: nobody is reached through it. */
void tn_via_lost(struct tn_node *n, uint32_t peer, struct tn_now now);
/* With a peer's deadlines: looks for members that may relay to it. */
void tn_via_tick(struct tn_node *n, uint32_t peer, struct tn_now now);
void tn_via_said(struct tn_node *n, uint32_t peer, struct tn_now now); /* the user sends to it */
/* Nothing goes round two corners: where the member is not reached directly now, *way becomes another. */
void tn_via_check(struct tn_node *n, uint32_t peer, struct tn_way *way, struct tn_now now);
/* Wraps a sealed datagram for the member that relays. TN_ENOENT: not that way now. */
TN_MUST_CHECK int tn_via_push(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                              struct tn_now now, struct tn_route *route);
/* A VIA or VIA_FROM came from `peer` by `way`; b is the inner packet. */
enum tn_verdict tn_via_on_message(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                                  struct tn_now now);
/* Round the commit of a datagram: whose packet it was, where a member has passed it on. */
static inline void tn_via_begin(struct tn_node *n)
{
    n->via.from = TN_NO_PEER;
}
static inline void tn_via_end(const struct tn_node *n, uint32_t *peer)
{
    if (n->via.from != TN_NO_PEER)
        *peer = n->via.from;
}
#else
static inline void tn_via_begin(struct tn_node *n) {}
static inline void tn_via_end(const struct tn_node *n, uint32_t *peer) {}
static inline void tn_via_init(struct tn_node *n) {}
static inline void tn_via_card(struct tn_node *n, uint32_t peer, struct tn_now now) {}
static inline bool tn_via_keep(struct tn_node *n, uint32_t member, struct tn_now now) { return false; }
static inline void tn_via_forget(struct tn_node *n, uint32_t peer) {}
static inline void tn_via_lost(struct tn_node *n, uint32_t peer, struct tn_now now) {}
static inline void tn_via_tick(struct tn_node *n, uint32_t peer, struct tn_now now) {}
static inline void tn_via_said(struct tn_node *n, uint32_t peer, struct tn_now now) {}
static inline void tn_via_check(struct tn_node *n, uint32_t peer, struct tn_way *way, struct tn_now now) {}
static inline int tn_via_push(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                              struct tn_now now, struct tn_route *route) { return TN_ENOENT; }
static inline enum tn_verdict tn_via_on_message(struct tn_node *n, uint32_t peer, const struct tn_way *way,
                                                struct tn_buf *b, struct tn_now now)
{
    n->counters.drop_malformed++;
    return TN_CONSUMED;
}
#endif

#endif
