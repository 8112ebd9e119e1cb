/* A set of attempts to connect to one member by TCP: which of its addresses to connect to now, how often, and what
 * came back. No descriptor and no clock; times are microseconds of one clock. */
#ifndef TUND_TCPTRY_H
#define TUND_TCPTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/path/tcpmsg.h"

#define TCPTRY_TARGETS TN_TCP_ADDRS_MAX
#define TCPTRY_TIME_US 7000000u /* a SYN that is lost is sent again after 1 and 3 s */
#define TCPTRY_MAX 12           /* connects to one address */
#define TCPTRY_NO_ANSWER (-1)
#define TCPTRY_HEARD_NOTHING (-2)

enum tcptry_state {
    TCPTRY_WAITS,      /* until due_us */
    TCPTRY_CONNECTING, /* a SYN is out */
    TCPTRY_CONNECTED,
    TCPTRY_OVER,
};

struct tcptry_target {
    struct tn_addr addr;
    uint8_t state; /* enum tcptry_state */
    uint8_t tries;
    int error;     /* positive errno of the last one that failed; TCPTRY_NO_ANSWER, TCPTRY_HEARD_NOTHING; 0: none failed */
    uint64_t due_us;
};

struct tcptry {
    struct tcptry_target target[TCPTRY_TARGETS];
    uint8_t count;
    bool on;
    uint64_t end_us;
};

/* Addresses that are there twice are taken once, those beyond TCPTRY_TARGETS not at all. */
void tcptry_begin(struct tcptry *t, const struct tn_addr *list, size_t count, uint64_t now_us);
/* The index of an address to connect to now, which counts as an attempt; -1: none is due. */
int tcptry_next(struct tcptry *t, uint64_t now_us);
/* What became of it: a positive errno. It is tried again soon, since a NAT that had sent nothing itself yet may have
 * refused it. Ignored unless it was connecting. */
void tcptry_failed(struct tcptry *t, unsigned i, int error, uint64_t now_us);
void tcptry_connected(struct tcptry *t, unsigned i);
/* The connection said nothing authentic, or ended before. */
void tcptry_unproven(struct tcptry *t, unsigned i);
/* The address's index; -1: not one of these. */
int tcptry_find(const struct tcptry *t, const struct tn_addr *addr);
/* True once: the time is up, or nothing is left to try or to wait for. What is still connecting has had no answer
 * then, and by what is connected nothing has come. */
bool tcptry_ends(struct tcptry *t, uint64_t now_us);
/* Nothing more is tried, since there is a path. */
void tcptry_stop(struct tcptry *t);

#define TCPTRY_WORDS_LEN 96
/* "connected", "refused", "no answer after 3 attempts" and so on. */
const char *tcptry_words(const struct tcptry_target *t, char out[TCPTRY_WORDS_LEN]);

#endif
