/* Finding the gateway's UPnP description (UPnP Device Architecture 1.1, section 1.3). */
#ifndef TUND_GATEWAY_IGD_SSDP_H
#define TUND_GATEWAY_IGD_SSDP_H

#include "igdmsg.h"

#define SSDP_LOCATIONS_MAX 4

struct ssdp_found {
    char location[SSDP_LOCATIONS_MAX][IGD_LOCATION_SIZE];
    unsigned count;
    bool foreign; /* the gateway pointed to another host, and is not believed there */
};

/* A UDP socket towards the job's gateway, for ssdp_search; a negative errno. */
TN_MUST_CHECK int ssdp_open(const struct igd_job *job);
/* Asks the group and the gateway itself, and listens to the gateway alone; ends soon after its first
 * usable answer, or after SSDP_WAIT_MS. */
#define SSDP_WAIT_MS 2500
void ssdp_search(int fd, const struct igd_job *job, struct ssdp_found *out);

/* One answer: adds what it says to `out`; an IPv6 location at the gateway's own address. Anything but an HTTP 200 with a LOCATION adds nothing. */
void ssdp_take(const char *text, size_t len, const struct tn_addr *gateway, struct ssdp_found *out);

#endif
