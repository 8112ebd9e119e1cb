/* Answers to the search for a UPnP gateway, fed anything: what is kept is the gateway's. */
#include <stdlib.h>
#include <string.h>

#include "tund/gateway/igd_ssdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t ip[4] = {192, 168, 1, 1};
    const struct tn_addr gateway = tn_addr_v4(ip, 0);
    struct ssdp_found found = {0};

    ssdp_take((const char *)data, len, &gateway, &found);
    if (found.count > 1)
        abort();
    if (found.count && !igd_url_is_of(found.location[0], &gateway))
        abort();
    return 0;
}
