/* What the library's return values mean as a status of ours. Inside of tund-igd only. */
#ifndef TUND_GATEWAY_IGD_STATUS_H
#define TUND_GATEWAY_IGD_STATUS_H

#include <miniupnpc/upnpcommands.h>

#include "igdmsg.h"

static inline uint16_t igd_status_of(int rc)
{
    if (rc == UPNPCOMMAND_SUCCESS)
        return IGD_OK;
    return rc >= 400 && rc <= 899 ? (uint16_t)rc : IGD_TRANSPORT;
}

#endif
