/* Is there anything that answers where the coordinator should be? */
#ifndef TUND_TUNDCTL_PROBE_H
#define TUND_TUNDCTL_PROBE_H

#include <stdbool.h>

#include "libtunnel/member/url.h"

/* Sends STUN Binding requests (docs/PROTOCOL.md section 7) to each of its addresses, for a second
 * at most. True: one was answered. The answer proves no key; it tells a wrong key from silence. */
bool probe_answers(const struct tn_url *coordinator);

#endif
