/* Small datagrams, a device's or on a narrow path, for node_*.c and nobody else. */
#ifndef TN_NODE_SMALL_H
#define TN_NODE_SMALL_H

#include "node.h"
#include "path/squeeze.h"

/* A member's card tells how long its packets may be. */
void tn_small_start(struct tn_node *n, uint32_t peer);
/* A packet for where mtu pass in one piece: TN_SEND, or what tn_from_tun is to return. */
enum tn_verdict tn_small_check(struct tn_node *n, struct tn_buf *b, uint16_t mtu);
/* Such a packet takes the form in which it goes: its first fragment (the rest is kept for
 * tn_small_poll_rest), or with headers left out that the peer can tell. TN_ENOSPC. */
TN_MUST_CHECK int tn_small_send(struct tn_node *n, uint32_t peer, struct tn_buf *b,
                                uint16_t mtu, struct tn_now now);
bool tn_small_poll_rest(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                        struct tn_route *route);
/* Is this inner packet one in the forms that devices' packets have? */
bool tn_small_is(const struct tn_buf *b);
/* Such a packet came. True: b is now the whole packet, as it was. */
bool tn_small_restore(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now);

#endif
