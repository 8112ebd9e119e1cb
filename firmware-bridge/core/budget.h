/* What a device may spend in a day, and has spent. budget.c. */
#ifndef BRIDGE_BUDGET_H
#define BRIDGE_BUDGET_H

#include "bridge.h"

/* Fields are the module's own. */
struct bridge_budget {
    uint32_t per_day; /* bytes; 0: no budget */
    uint64_t used;    /* today */
    uint64_t day_us;  /* the day's length until `at_us` */
    uint64_t at_us;
    uint64_t counted;   /* of tx_bytes + rx_bytes: they are in `used` */
    uint64_t unproven;  /* of `used`: counted by us since the modem's count was last heard */
    uint64_t modem;     /* its count then */
    bool has_modem;
    uint8_t level;      /* enum bridge_level */
    uint64_t saved;     /* of `used` */
    uint64_t save_at_us;
};

#endif
