/* Has the gateway forgotten its mappings? Each of its answers tells how long its table
 * exists; a clock that runs differently from ours means that it began anew. */
#ifndef TUND_GATEWAY_EPOCH_H
#define TUND_GATEWAY_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

struct gateway_epoch {
    bool known;
    uint64_t at_us;    /* when the last answer came */
    uint32_t server_s; /* what it said */
};

/* Each takes an answer's epoch and remembers it. False: the gateway lost its state. The first answer
 * is always good.
 *
 * PCP, RFC 6887 section 8.5: the server's clock may go back by one second (reordered answers), and
 * may run by a sixteenth and two seconds slower or faster than ours; a server that is too far
 * ahead was replaced by another one. */
bool gateway_epoch_pcp(struct gateway_epoch *e, uint64_t now_us, uint32_t server_s);
/* NAT-PMP, RFC 6886 section 3.6: at least 7/8 of the time that passed here, less two seconds. */
bool gateway_epoch_natpmp(struct gateway_epoch *e, uint64_t now_us, uint32_t server_s);

#endif
