/* Is an interface paid for by the byte? What the user said, and else what the kernel says it is. */
#ifndef TUND_METERED_H
#define TUND_METERED_H

#include <stdbool.h>
#include <stddef.h>

#define METERED_SYSFS "/sys/class/net"

/* `said`: the value of --metered: NULL, nothing was said; "": every link is; "none": none is; else names with commas
 * between. `sysfs`: METERED_SYSFS, or a test's. */
bool metered_link(const char *said, const char *ifname, const char *sysfs);
/* Can `said` be that? */
bool metered_is_value(const char *said);

#endif
