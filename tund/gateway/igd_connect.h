/* With whom tund-igd may speak TCP. */
#ifndef TUND_GATEWAY_IGD_CONNECT_H
#define TUND_GATEWAY_IGD_CONNECT_H

#include "igdmsg.h"

/* From now on connect(), the library's as well, takes the job's gateway alone; before: none. With IPv6 it comes
 * from the job's own address, and by its interface. */
void igd_connect_only(const struct igd_job *job);

#endif
