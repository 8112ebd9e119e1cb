/* Why is a member reached the way it is, and what would make that better? Facts in, sentences for people
 * out; pure, so that each case has its test. What the facts are made from: overlay_explain.c. */
#ifndef TUND_EXPLAIN_H
#define TUND_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/nat.h"
#include "libtunnel/path/mode.h"
#include "libtunnel/tunnel.h"

/* Candidates by what became of them. */
struct explain_tally {
    unsigned count, checked, small, trying, silent, lossy, slow;
};

/* What became of TCP with the member, where one end has no UDP. */
enum explain_tcp {
    EXPLAIN_TCP_UNTRIED,
    EXPLAIN_TCP_OFF,        /* metered, or --tls-port 0 */
    EXPLAIN_TCP_TRYING,
    EXPLAIN_TCP_NO_ADDRESS, /* we have none that could be told */
    EXPLAIN_TCP_UNANSWERED, /* the member did not say where it can be reached */
    EXPLAIN_TCP_UNWILLING,  /* it named no address */
    EXPLAIN_TCP_FAILED,
    EXPLAIN_TCP_CONNECTED,
    EXPLAIN_TCP_LOST,       /* was connected */
    EXPLAIN_TCP_STATES,
};

struct explain_facts {
    const char *name;   /* the member */
    enum tn_path_kind path;
    const char *through; /* TN_PATH_MEMBER: the member that relays */
    uint32_t rtt_us;    /* of the path in use; 0: not known */
    bool reachable;     /* false: the coordinator said that it is not connected */
    bool joined;        /* we are connected to the coordinator */
    uint8_t mode;       /* enum tn_path_mode: what the user allows */
    bool is_device;     /* the member pays for each byte, and is relayed for that */
    uint16_t mtu, mtu_wanted; /* bytes that pass in one piece by the path in use, and that should */
    struct tn_nat own, peer; /* all zero: not known */
    struct explain_tally tally;
    enum explain_tcp tcp;
    bool by_tcp;        /* the path in use is a TCP connection with the member */
    uint32_t budget, searches; /* bytes of one search for a port; how many were begun here */
    const char *lying;  /* a mapping of our gateway's that does not forward; NULL: none */
};

/* enum tn_cand_verdict; one that was left for the relay counts as that alone. */
void explain_count(struct explain_tally *t, uint8_t verdict, uint8_t left);

#define EXPLAIN_LEN 400
#define EXPLAIN_SEARCH_LEN 180
/* Why the path in use is in use. */
void explain_reason(const struct explain_facts *f, char out[EXPLAIN_LEN]);
/* What becomes of the search for a port; false: none is to be made between these two. */
bool explain_search(const struct explain_facts *f, char out[EXPLAIN_SEARCH_LEN]);
/* Bytes that one takes; 0: none would help. */
uint32_t explain_search_bytes(const struct explain_facts *f);
/* What the two NATs do to each other, in words. Never NULL. */
const char *explain_pair(const struct explain_facts *f);
/* A word for JSON, and a clause for people that may stand after "and" or a colon. Never NULL. */
const char *explain_tcp_name(enum explain_tcp s);
const char *explain_tcp_words(enum explain_tcp s);
/* Piece of advice number i; false: there is no more. */
bool explain_advice(const struct explain_facts *f, unsigned i, char out[EXPLAIN_LEN]);

#endif
