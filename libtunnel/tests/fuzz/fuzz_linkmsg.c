/* Link messages, fed anything. What is read can be written again, to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/linkmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t out[65536];
    struct tn_link_msg m, pong, got;

    if (tn_link_decode(data, len, &m) != TN_OK)
        return 0;
    must(tn_link_is_message(data, len) && m.size <= len && m.size >= TN_LINK_MIN_LEN);
    must(tn_link_encode(&m, out, sizeof(out)) == TN_OK);
    must(memcmp(out, data, m.size) == 0);
    if (m.type != TN_LINK_PING)
        return 0;
    tn_link_answer(&m, &m.observed, &pong);
    must(pong.size == m.size);
    must(tn_link_encode(&pong, out, sizeof(out)) == TN_OK);
    must(tn_link_decode(out, pong.size, &got) == TN_OK && got.txid == m.txid);
    return 0;
}
