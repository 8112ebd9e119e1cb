/* The coordinator's store in memory, for tests and simulations: small, linear,
 * and by the letter of coord/store.h. */
#ifndef TN_SIM_MEMSTORE_H
#define TN_SIM_MEMSTORE_H

#include "libtunnel/coord/store.h"

#define TN_MEMSTORE_NETWORKS 8
#define TN_MEMSTORE_MEMBERS 256

struct tn_memstore_member {
    struct tn_card_facts facts;
    uint64_t network, seq;
    uint16_t card_len;
    uint8_t card[TN_MSG_CARD_MAX];
};

struct tn_memstore {
    struct {
        uint8_t network_public[32];
        uint64_t seq;
    } network[TN_MEMSTORE_NETWORKS];
    uint32_t network_count;
    uint32_t network_max; /* limits; at most the sizes of the arrays */
    uint32_t member_max;  /* in one network */
    struct tn_memstore_member member[TN_MEMSTORE_MEMBERS];
    uint32_t member_count;
    bool broken;     /* set: reads give TN_ESTATE, writes TN_STATUS_STORE */
    uint64_t writes; /* how many transactions changed something */
};

void tn_memstore_init(struct tn_memstore *m);
struct tn_store tn_memstore_store(struct tn_memstore *m);

#endif
