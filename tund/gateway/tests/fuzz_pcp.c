/* PCP's answers, fed anything: a mapping that is taken can be asked for, and then stands where the RFC
 * says; no message is both NAT-PMP's and PCP's. */
#include <stdlib.h>
#include <string.h>

#include "tund/gateway/natpmp.h"
#include "tund/gateway/pcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct natpmp_answer other;
    struct pcp_answer a;
    uint8_t ask[PCP_MAP_LEN];

    if (pcp_decode(&a, data, len) != 0)
        return 0;
    must(natpmp_decode(&other, data, len) != 0);
    must(len % 4 == 0 && len <= PCP_MESSAGE_MAX);
    must(a.version == PCP_VERSION || a.result == PCP_UNSUPP_VERSION);
    if (!a.has_map)
        return 0;
    must(a.opcode == PCP_MAP && len >= PCP_MAP_LEN && pcp_is_answer_to(&a, &a.map));
    pcp_ask_map(ask, &a.map.external, &a.map, a.lifetime_s);
    must(memcmp(ask + 24, data + 24, 13) == 0);     /* nonce, protocol */
    must(memcmp(ask + 40, data + 40, 20) == 0);     /* ports, address */
    a.map.nonce[0] ^= 1;
    must(memcmp(a.map.nonce, ask + 24, PCP_NONCE_LEN) != 0);
    return 0;
}
