/* NAT-PMP's answers, fed anything: what is taken has a length that its operation has. */
#include <stdlib.h>

#include "tund/gateway/natpmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct natpmp_answer a;

    if (natpmp_decode(&a, data, len) != 0)
        return 0;
    if (a.op > NATPMP_MAP_TCP || len > NATPMP_ANSWER_MAX ||
        len < (a.result == NATPMP_SUCCESS ? 12u : 8u) || data[0] != NATPMP_VERSION)
        abort();
    if (a.op == NATPMP_ADDRESS && (a.internal_port || a.lifetime_s || a.external.port))
        abort();
    return 0;
}
