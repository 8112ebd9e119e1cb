/* TCP between members, where one of them has no UDP (PROTOCOL.md section 5.7). For programs that have TCP, beside
 * tunnel.h; how it works: node_tcp.c.
 *
 *     TN_EV_TCP, token TN_TCP_BEGIN     find out where we can be reached by TCP, then tn_node_tcp_offer(ask)
 *                      TN_TCP_ASKED     the same, without `ask`, and connect to tn_node_tcp_offered
 *                      TN_TCP_ANSWERED  connect to tn_node_tcp_offered
 *                      TN_TCP_UDP       UDP is blocked, or not any more: what the NAT does is to be measured anew
 *
 * The program gives each connection a stream address (tn_addr_stream) that it never uses again. What comes by a
 * connection goes to tn_from_net with that address; datagrams for it come from tn_poll_out. */
#ifndef TN_TCP_H
#define TN_TCP_H

#include "path/tcpmsg.h"
#include "tunnel.h"

enum tn_tcp_token { TN_TCP_BEGIN, TN_TCP_ASKED, TN_TCP_ANSWERED, TN_TCP_UDP };

/* May TCP connections to members be tried? Off at first; on a metered link it stays so. */
void tn_node_set_tcp(struct tn_node *n, bool on);
/* Our own addresses for it, of which those beyond TN_TCP_ADDRS_MAX are left out; `ask`: the peer shall tell its
 * own, TN_TCP_ANSWERED follows, or nothing. May be repeated. TN_ENOENT: no such member. */
TN_MUST_CHECK int tn_node_tcp_offer(struct tn_node *n, uint32_t peer, const struct tn_addr *list, size_t count,
                                    bool ask, struct tn_now now);
/* The peer's addresses, as it told them last, those that may be connected to; how many. */
size_t tn_node_tcp_offered(const struct tn_node *n, uint32_t peer, struct tn_addr out[TN_TCP_ADDRS_MAX]);
/* A connection that we began with the peer stands: it is asked by PINGs. TN_ENOENT, TN_ENOSPC. */
TN_MUST_CHECK int tn_node_tcp_opened(struct tn_node *n, uint32_t peer, const struct tn_addr *stream,
                                     struct tn_now now);
/* A connection with the peer ended, whoever began it. */
void tn_node_tcp_closed(struct tn_node *n, uint32_t peer, const struct tn_addr *stream, struct tn_now now);

#endif
