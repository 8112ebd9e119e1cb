/* A message of the control channel. What decodes has one encoding, and says
 * nothing that the specification does not allow. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/coord/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t again[TN_MSG_MAX_LEN];
    struct tn_msg m;
    size_t again_len;

    if (tn_msg_decode(data, len, &m))
        return 0;
    if (len > TN_MSG_MAX_LEN || m.status >= TN_STATUS_COUNT || m.cand_count > TN_CANDLIST_MAX)
        abort();
    if (m.card_len > TN_MSG_CARD_MAX || (m.card_len && (m.card < data || m.card >= data + len)))
        abort();
    if (tn_msg_encode(&m, again, sizeof(again), &again_len))
        abort();
    if (again_len != len || memcmp(again, data, len) != 0)
        abort();
    return 0;
}
