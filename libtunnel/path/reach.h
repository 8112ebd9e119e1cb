/* Which of our own outside addresses can be reached by what was not asked for: the address that the
 * coordinator sees, and ports that a gateway has mapped for us. Pure: poll gives the next question,
 * answers and dial-backs are pushed, verdicts are taken as events. How it works: reach.c. */
#ifndef TN_PATH_REACH_H
#define TN_PATH_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/candlist.h"
#include "../base/now.h"
#include "../base/sizes.h"
#include "../crypto/crypto.h"

/* Where a dial-back came from; bits, those of the wire (PROTOCOL.md section 4.2). */
enum tn_reach_from {
    TN_REACH_FROM_PORT = 2,    /* another port of the coordinator's address that we speak to */
    TN_REACH_FROM_ADDRESS = 4, /* another address of the coordinator */
};

enum tn_reach_verdict {
    TN_REACH_UNKNOWN,    /* being asked, or nobody can tell */
    TN_REACH_OPEN,       /* anybody's datagrams come in */
    TN_REACH_RESTRICTED, /* only those from addresses that we have sent to */
    TN_REACH_CLOSED,     /* nothing unsolicited comes in */
    TN_REACH_ELSEWHERE,  /* it is not the address under which the coordinator sees us */
};

/* Times are tn_now.us; 0 means never. */
struct tn_reach_row {
    struct tn_addr addr;
    uint8_t origin;      /* enum tn_cand_origin */
    uint8_t verdict;     /* enum tn_reach_verdict */
    uint8_t sent, got;   /* what the coordinator sent for the last verdict, and what came: bits */
    uint64_t judged_us;  /* when the verdict was last reached */
    /* private to reach.c */
    uint8_t phase, asks, coming;
    bool used, told;
    uint64_t nonce, due_us;
};

struct tn_reach {
    struct tn_reach_row row[TN_REACH_MAX];
};

struct tn_reach_wish {
    uint64_t nonce;
    struct tn_addr addr;
};

/* What became of a question. */
enum tn_reach_answer { TN_REACH_SENT, TN_REACH_NOT_OURS, TN_REACH_NO_ANSWER };

/* The addresses to know about, at most TN_REACH_MAX; those that were known keep their verdict, those
 * that are not named any more are forgotten. A zeroed struct is empty. */
void tn_reach_set(struct tn_reach *r, const struct tn_cand_wire *list, size_t count,
                  const struct tn_now *now);
/* The network changed: all is to be asked anew. Verdicts stay until then. */
void tn_reach_renew(struct tn_reach *r, const struct tn_now *now);
/* A peer that should get through to us by a mapped port does not, or not any more: those that were found open more
 * than TN_REACH_DOUBT_US ago are asked about at once. They stay open until then. */
#define TN_REACH_DOUBT_US TN_S(10)
void tn_reach_doubt(struct tn_reach *r, const struct tn_now *now);
/* When tn_reach_poll is due, or TN_NEVER. */
uint64_t tn_reach_next(const struct tn_reach *r);
/* The next question; false when there is none now. `rng` makes the nonce. */
bool tn_reach_poll(struct tn_reach *r, struct tn_rng *rng, const struct tn_now *now,
                   struct tn_reach_wish *out);
/* The coordinator's answer to the question with that nonce; `sent`: bits of enum tn_reach_from. False: it
 * was not ours. */
bool tn_reach_on_answer(struct tn_reach *r, uint64_t nonce, enum tn_reach_answer answer, uint8_t sent,
                        const struct tn_now *now);
/* A dial-back came in. False: nobody asked for it. */
bool tn_reach_on_dial(struct tn_reach *r, uint64_t nonce, uint8_t from, const struct tn_now *now);
/* A verdict that is new or has changed; false: none. */
bool tn_reach_take_event(struct tn_reach *r, struct tn_reach_row *out);
/* Row i, NULL past the last. */
const struct tn_reach_row *tn_reach_at(const struct tn_reach *r, size_t i);
/* UNKNOWN for an address that is not in the table. */
uint8_t tn_reach_of(const struct tn_reach *r, const struct tn_addr *addr);
/* A short lower-case word for people and for JSON; never NULL. */
const char *tn_reach_verdict_name(uint8_t verdict);

#endif
