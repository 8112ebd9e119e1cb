/* Finding the outside port of a peer whose NAT draws a new one for each destination, by sending to many.
 * The end with such a NAT opens many sockets towards one address; the other end sends to many ports of
 * one address: how many, in which order and how fast is decided here. Pure. How it works: portsearch.c. */
#ifndef TN_PATH_PORTSEARCH_H
#define TN_PATH_PORTSEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/nat.h"
#include "../base/now.h"
#include "../crypto/crypto.h"

#define TN_SEARCH_PUNCH_BYTES 32 /* a punch with IP and UDP headers */
#define TN_SEARCH_SOCKETS_MAX 256

struct tn_search_plan {
    uint16_t sockets; /* at the end whose NAT draws; each sends twice */
    uint16_t probes;  /* at the other end, each to another port */
    uint32_t bytes;   /* of both ends together */
};

/* What a search against this NAT takes. False: it is not one that draws, so there is nothing to plan. */
bool tn_search_plan(const struct tn_nat *hard, struct tn_search_plan *out);

/* The probing end. */
struct tn_portsearch {
    struct tn_addr ip;
    uint16_t first, size;  /* ports first .. first + size - 1, modulo nothing */
    uint16_t at, stride;   /* in that range; the stride has no divisor in common with size */
    uint16_t left;
    uint64_t next_us;      /* TN_NEVER or 0: nothing to send */
};

/* Begins to send to `ip`. `port`: the outside port made last, of a NAT that counts. False: such a NAT cannot
 * be searched, or not for `budget` bytes. */
bool tn_portsearch_begin(struct tn_portsearch *s, const struct tn_nat *hard, const struct tn_addr *ip,
                         uint16_t port, uint32_t budget, struct tn_rng *rng, const struct tn_now *now);
void tn_portsearch_stop(struct tn_portsearch *s);
bool tn_portsearch_is_on(const struct tn_portsearch *s);
/* The next address to send a punch to; false: none is due. */
bool tn_portsearch_poll(struct tn_portsearch *s, const struct tn_now *now, struct tn_addr *to);

#endif
