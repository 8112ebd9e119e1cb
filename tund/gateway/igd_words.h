/* A job as the command line of tund-igd, twelve words: operation, gateway, own address, location (- is
 * none), description, sweep (0 or 1), protocol (udp or tcp), outside port, inside port, lease, scope,
 * pinhole (- is none). */
#ifndef TUND_GATEWAY_IGD_WORDS_H
#define TUND_GATEWAY_IGD_WORDS_H

#include "igdmsg.h"

#define IGD_WORDS 12

struct igd_words {
    char text[IGD_WORDS][IGD_LOCATION_SIZE];
};

void igd_words_write(const struct igd_job *job, struct igd_words *out);
/* TN_EINVAL: not twelve words, or one that cannot be; addresses of two families; the location has to be the gateway's. */
TN_MUST_CHECK int igd_words_read(struct igd_job *job, int count, char *const *words);

#endif
