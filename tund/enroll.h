/* How a network, an invite and a member come into being: keys are made here, on
 * the machine that keeps them, and nothing is sent. */
#ifndef TUND_ENROLL_H
#define TUND_ENROLL_H

#include <stdint.h>

#include "libtunnel/member/invite.h"
#include "prefix.h"
#include "state_record.h"
#include "why.h"

#define ENROLL_CLOCK_FLOOR_S 1767225600u /* 2026-01-01: before that, the clock was never set */
#define ENROLL_EXPIRY_MAX_S (366u * 86400u)

/* Seconds since 1970. -ETIME with a sentence when the clock cannot be right. */
TN_MUST_CHECK int enroll_clock(uint64_t *now_s, struct why *w);

/* A new network under a new key; the first address is free. 0, -EINVAL, or that of the generator. */
TN_MUST_CHECK int enroll_network(struct state_owner *owner, const char *network,
                                 const struct prefix *prefix, struct why *w);
/* The next free name and address of the network as an invite that runs out `expiry_s` after now_s.
 * What the roster says is taken is not given out; `owner` has moved on, and must be stored before
 * the invite leaves. flags: TN_CERT_DEVICE, or 0. -EEXIST: the name is a member's; -ENOSPC: no address is left. */
TN_MUST_CHECK int enroll_invite(struct state_owner *owner, const struct tn_roster *roster,
                                const char *name, uint8_t flags, const struct tn_url *coordinator,
                                uint64_t now_s, uint64_t expiry_s, struct tn_invite *out,
                                struct why *w);
/* A member from an invite: new identity, new WireGuard key, signed card. ifname, port and joined
 * are the caller's to fill. -ETIME: the invite has expired. */
TN_MUST_CHECK int enroll_member(struct state_node *node, const struct tn_invite *invite,
                                uint64_t now_s, struct why *w);

#endif
