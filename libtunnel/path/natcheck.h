/* What does the NAT in front of us do? A dozen fresh sockets ask the coordinator's STUN responders how
 * they are seen, in one go. Pure: poll gives the next datagram and the socket that it leaves by, what
 * comes in is pushed with the socket it came by. About a second where all answer. How it works: natcheck.c. */
#ifndef TN_PATH_NATCHECK_H
#define TN_PATH_NATCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/nat.h"
#include "../base/now.h"
#include "../crypto/crypto.h"
#include "stun.h"

#define TN_NATCHECK_SOCKETS 17 /* number 0 asks everywhere; the others tell how ports are chosen */
#define TN_NATCHECK_PLACES 4   /* of the coordinator: two ports of two addresses, at most */
#define TN_NATCHECK_PROBES (TN_NATCHECK_SOCKETS + TN_NATCHECK_PLACES)

/* One question. Private. */
struct tn_natcheck_probe {
    uint8_t socket, tries;
    bool hairpin, done, armed;
    struct tn_addr to, mapped;
    uint8_t txid[TN_STUN_TXID_LEN];
    uint64_t due_us;
};

struct tn_natcheck {
    struct tn_addr local[TN_NATCHECK_SOCKETS];
    struct tn_natcheck_probe probe[TN_NATCHECK_PROBES];
    bool has_other, finished;
    uint64_t began_us, ended_us, first_rtt_us;
};

struct tn_natcheck_out {
    uint8_t socket;
    struct tn_addr to;
    size_t len;
    uint8_t data[TN_STUN_OTHER_V6_LEN];
};

/* `server`: a STUN responder; `local`: the address and port of each socket as the host itself sees it
 * (the address may be zero: then it cannot be told that there is no NAT). */
void tn_natcheck_init(struct tn_natcheck *c, const struct tn_addr *server,
                      const struct tn_addr local[TN_NATCHECK_SOCKETS], struct tn_rng *rng,
                      const struct tn_now *now);
/* The next datagram to send; false: none now. */
bool tn_natcheck_poll(struct tn_natcheck *c, const struct tn_now *now, struct tn_natcheck_out *out);
/* A datagram came in by that socket. False: it was not for us. */
bool tn_natcheck_on_datagram(struct tn_natcheck *c, uint8_t socket, const struct tn_addr *src,
                             const uint8_t *data, size_t len, const struct tn_now *now);
/* When poll is due; TN_NEVER when all is over. */
uint64_t tn_natcheck_next(const struct tn_natcheck *c);
bool tn_natcheck_is_over(const struct tn_natcheck *c);

struct tn_natcheck_result {
    struct tn_nat nat;        /* filtering, open and reserved are not this module's */
    struct tn_addr outside;   /* socket 0, as the coordinator sees it; zero: no answer */
    uint32_t rtt_us;          /* of the first question */
    uint32_t took_us;
    uint8_t asked, answered;  /* sockets */
    uint16_t port_min, port_max; /* of those answers */
};
void tn_natcheck_result(const struct tn_natcheck *c, struct tn_natcheck_result *out);

/* How ports are chosen, from pairs of inside and outside port in the order in which the mappings were
 * made; fills ports, step, first_port and last_port. Exposed for its tests. */
void tn_natcheck_ports(const uint16_t *inside, const uint16_t *outside, size_t count, struct tn_nat *nat);

#endif
