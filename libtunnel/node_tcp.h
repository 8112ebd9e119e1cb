/* TCP between members, where one has no UDP (node_tcp.c). Only where TN_PATHS_PER_FAMILY is above 0. */
#ifndef TN_NODE_TCP_H
#define TN_NODE_TCP_H

#include "node.h"

/* Candidates came, and the word to punch. */
void tn_tcp_on_punch(struct tn_node *n, uint32_t peer, struct tn_now now);
void tn_tcp_watch_udp(struct tn_node *n, struct tn_now now); /* after whatever the coordinator's client did */
void tn_tcp_on_session(struct tn_node *n, uint32_t peer);
/* The message TCP, authentic and not yet decoded. */
void tn_tcp_on_told(struct tn_node *n, uint32_t peer, const uint8_t *inner, size_t len, struct tn_now now);
bool tn_tcp_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now, struct tn_route *route);

#endif
