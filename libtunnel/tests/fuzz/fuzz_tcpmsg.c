/* Where a member can be reached by TCP, fed anything: what is taken is what would be sent. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/tcpmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t again[TN_TCP_MSG_MAX];
    struct tn_tcp_msg m;
    size_t size;

    if (tn_tcp_decode(data, len, &m) != TN_OK)
        return 0;
    size = tn_tcp_encode(&m, again);
    if (!size || size > len || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
