/* Which ways data may take, and what a node passes on for others; for tunnel.h. */
#ifndef TN_WAYS_H
#define TN_WAYS_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/now.h"
#include "member/card.h"

struct tn_node;

/* Which ways data may take to a member (enum tn_path_mode), until its slot is given to another. TN_ENOENT: no
 * member has that slot; TN_EINVAL: a device, which is reached by the relay alone. */
TN_MUST_CHECK int tn_node_set_path_mode(struct tn_node *n, uint32_t peer, uint8_t mode, struct tn_now now);

/* Our own card again, with the same key, under a higher epoch: other flags. It is published now, or with the next
 * session. TN_ESTATE: we have none; TN_EINVAL: not ours, or another key; else as tn_roster_offer. */
TN_MUST_CHECK int tn_node_renew_card(struct tn_node *n, const struct tn_card *card, struct tn_now now);
/* Bytes a second that we pass on for other members, if our card says that we do, all together. 0: the default. */
void tn_node_set_relay_rate(struct tn_node *n, uint64_t rate);
#define TN_RELAY_RATE_DEFAULT 2500000u /* 20 Mbit/s */
/* Where to send the datagram, after TN_FORWARD. */
struct tn_addr tn_forward_to(const struct tn_node *n);
/* The peer slot of a member that relays, by its overlay address as a way has it; TN_NO_PEER: no such member. */
uint32_t tn_node_relay_at(const struct tn_node *n, const struct tn_addr *member);

#endif
