/* Answers to the search for a UPnP gateway, fed anything: what is kept is the gateway's. */
#include <stdlib.h>
#include <string.h>

#include "tund/gateway/igd_ssdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t ip[4] = {192, 168, 1, 1};
    const uint8_t ip6[16] = {0xfe, 0x80, [15] = 1};
    const struct tn_addr gateway = tn_addr_v4(ip, 0), gateway6 = tn_addr_v6(ip6, 0);
    struct ssdp_found found = {0};

    ssdp_take((const char *)data, len, &gateway, &found);
    if (found.count > 1)
        abort();
    if (found.count && !igd_url_is_of(found.location[0], &gateway))
        abort();
    memset(&found, 0, sizeof found);
    ssdp_take((const char *)data, len, &gateway6, &found);
    if (found.count > 1 || (found.count && !igd_url_is_of(found.location[0], &gateway6)))
        abort();
    return 0;
}
