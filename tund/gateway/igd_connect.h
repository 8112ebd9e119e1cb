/* With whom tund-igd may speak TCP. */
#ifndef TUND_GATEWAY_IGD_CONNECT_H
#define TUND_GATEWAY_IGD_CONNECT_H

#include <stdint.h>

/* From now on connect(), the library's as well, takes this IPv4 address alone; before: none. */
void igd_connect_only(const uint8_t ip[4]);

#endif
