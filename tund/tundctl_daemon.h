/* The daemon, as tundctl starts, watches and stops it. */
#ifndef TUND_TUNDCTL_DAEMON_H
#define TUND_TUNDCTL_DAEMON_H

#include <stdint.h>

#include "libtunnel/base/err.h"
#include "state.h"
#include "state_record.h"
#include "why.h"

/* Starts `tund IFNAME --state DIR` where none runs, and waits until it answers. What it has to say
 * goes to our standard error. *started (may be NULL): it did not run before. */
TN_MUST_CHECK int daemon_start(const struct state *s, const struct state_node *node, bool *started,
                               struct why *w);
/* Ends it, and waits until it has given the state up; fine where none runs. */
TN_MUST_CHECK int daemon_stop(struct state *s, struct why *w);
bool daemon_runs(const struct state *s);

enum daemon_joined {
    DAEMON_JOINED,
    DAEMON_REFUSED,  /* the coordinator said no: this machine is not a member */
    DAEMON_UNHEARD,  /* it was never reached: it cannot have taken us */
    DAEMON_DOUBTFUL, /* it was reached, and its answer was not: it may have taken us */
};
/* Watches until the coordinator has taken this node, or wait_ms is over; says on standard error what it
 * waits for. For all but DAEMON_JOINED *w says why. *status is the coordinator's where it refused. */
enum daemon_joined daemon_wait_joined(const struct state *s, const struct tn_url *coordinator,
                                      int wait_ms, uint8_t *status, struct why *w);

#endif
