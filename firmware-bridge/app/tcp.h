/* What of the example application needs TCP: its web server where the build has lwIP (tcp_lwip.c), nothing where it
 * has not (tcp_none.c). */
#ifndef APP_TCP_H
#define APP_TCP_H

#include "app.h"

/* After app_start, each time; for one device in a process, always the same. TN_ENOSPC: lwIP has no memory for it;
 * TN_EEXIST: another device has it. */
TN_MUST_CHECK int app_tcp_start(struct app *a);

#endif
