/* TCP for one device, by lwIP (its raw API, without a system). There is one in a process or on a chip. */
#ifndef BRIDGE_LWIP_STACK_H
#define BRIDGE_LWIP_STACK_H

#include "bridge.h"

/* After each bridge_init. The raw API (tcp_new, tcp_bind ..) may be used from then on, from the port's thread
 * alone and with bridge_poll after it. A pbuf that comes lies in the device's one buffer: who receives it frees it
 * before it returns, and takes all of it. TN_EEXIST: another device has it. */
TN_MUST_CHECK int bridge_lwip_start(struct bridge *b);

#endif
