/* A device's small datagrams, for node_*.c and nobody else. */
#ifndef TN_NODE_SMALL_H
#define TN_NODE_SMALL_H

#include "node.h"

/* A member's card tells how long its packets may be. */
void tn_small_start(struct tn_node *n, uint32_t peer);
/* A packet for a peer whose datagrams are small: TN_SEND, or what tn_from_tun is to return. */
enum tn_verdict tn_small_check(struct tn_node *n, uint32_t peer, struct tn_buf *b);
/* Makes the packet its first fragment and keeps the rest for tn_small_poll_rest. TN_ENOSPC. */
TN_MUST_CHECK int tn_small_split(struct tn_node *n, uint32_t peer, struct tn_buf *b,
                                 struct tn_now now);
bool tn_small_poll_rest(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                        struct tn_route *route);
/* A fragment came. True: b is now the whole packet. */
bool tn_small_join(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now);

#endif
