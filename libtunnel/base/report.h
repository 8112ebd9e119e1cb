/* What a device tells its peers of itself (PROTOCOL.md section 5.5), and what is shown of it. */
#ifndef TN_BASE_REPORT_H
#define TN_BASE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct tn_report {
    uint32_t used;        /* bytes of its data plan today, up and down; UINT32_MAX: that many or more */
    uint32_t budget;      /* a day's; 0: it has none */
    uint16_t lifetime_s;  /* the longest pause that its NAT is known to outlive; 0: not known */
    uint16_t keepalive_s; /* so often it is heard from when it is idle */
    bool is_low;          /* an eighth of the budget is left, or less */
};

#endif
