/* How long the carrier's NAT remembers us, and how often we therefore have to speak. life.c. */
#ifndef BRIDGE_LIFE_H
#define BRIDGE_LIFE_H

#include "bridge.h"
#include "libtunnel/path/natlife.h"
#include "libtunnel/path/stun.h"

#define BRIDGE_CARRIERS 4 /* whose lifetimes are remembered */

/* One carrier and APN, by a hash of their names. */
struct bridge_carrier {
    uint8_t id[4];
    struct tn_natlife life;
};

enum bridge_trial {
    BRIDGE_TRIAL_NONE,
    BRIDGE_TRIAL_ASK,   /* STUN is asked on a fresh probe socket; twice, so that the mapping is no newborn */
    BRIDGE_TRIAL_QUIET, /* the mapping is left alone */
    BRIDGE_TRIAL_KNOCK, /* the coordinator was asked to dial it */
};

struct bridge_life {
    struct bridge_carrier carrier[BRIDGE_CARRIERS]; /* the first is the present one */
    uint8_t count;
    bool probes;  /* the port has a second socket */
    bool gave_up; /* on this carrier: its mappings cannot be told apart */
    bool was_silent; /* longer than the NAT remembers, on purpose: a lost mapping is no news, once */
    /* a trial */
    uint8_t state; /* enum bridge_trial */
    uint8_t answers, tries;
    bool fresh, out; /* a datagram is to go out on the probe socket, a new one when fresh */
    uint16_t trial_s;
    uint64_t due_us;
    uint64_t nonce;
    uint8_t txid[TN_STUN_TXID_LEN];
    struct tn_addr mapped;
    uint8_t datagram[TN_STUN_MAX_LEN];
};

#endif
