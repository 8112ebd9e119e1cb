/* VIA and VIA_FROM, fed anything: what is taken is what would be sent, and lies within what came. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/viamsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t again[TN_VIAMSG_HEADER_LEN];
    struct tn_viamsg m;

    if (tn_viamsg_decode(data, len, &m) != TN_OK)
        return 0;
    tn_viamsg_encode(&m, again);
    if (memcmp(again, data, sizeof(again)) != 0 || TN_VIAMSG_HEADER_LEN + (size_t)m.len > len)
        abort();
    return 0;
}
