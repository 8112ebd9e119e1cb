/* What a node counts, since it was made: packets and bytes out and in, and why any was dropped. */
#ifndef TN_COUNTERS_H
#define TN_COUNTERS_H

#include <stdint.h>

#include "base/sizes.h"

#if TN_VIA_RELAYS > 0
#define TN_COUNTERS_VIA(X) X(tx_via) X(rx_via) X(forwarded) X(drop_via)
#else
#define TN_COUNTERS_VIA(X)
#endif

#define TN_COUNTERS(X)                                                                             \
    X(tx_packets) X(rx_packets) X(tx_relay) X(rx_relay) X(handshakes) X(drop_malformed)            \
    X(drop_no_route) X(drop_no_session) X(drop_auth) X(drop_replay) X(drop_source) X(drop_load)    \
    X(drop_too_big) X(tx_fragments) X(rx_fragments)                                                     \
    TN_COUNTERS_VIA(X)
struct tn_counters {
#define TN_COUNTER_FIELD(name) uint64_t name;
    TN_COUNTERS(TN_COUNTER_FIELD)
#undef TN_COUNTER_FIELD
};

#endif
