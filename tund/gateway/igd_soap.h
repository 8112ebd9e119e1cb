/* The gateway's table of mappings, through miniupnpc. Inside of tund-igd only. */
#ifndef TUND_GATEWAY_IGD_SOAP_H
#define TUND_GATEWAY_IGD_SOAP_H

#include "igdmsg.h"

/* Does the job with the description at `location`, which is the gateway's (igd_url_is_of). Fills
 * all of `out`. */
void igd_soap_run(const struct igd_job *job, const char *location, struct igd_answer *out);

#endif
