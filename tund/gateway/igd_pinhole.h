/* The gateway's IPv6 firewall (UPnP WANIPv6FirewallControl:1), through miniupnpc. Inside of tund-igd only. */
#ifndef TUND_GATEWAY_IGD_PINHOLE_H
#define TUND_GATEWAY_IGD_PINHOLE_H

#include "igdmsg.h"

/* Does the job of an IPv6 gateway with the description at `location`, which is the gateway's (igd_url_is_of).
 * Fills all of `out`. */
void igd_pinhole_run(const struct igd_job *job, const char *location, struct igd_answer *out);

#endif
