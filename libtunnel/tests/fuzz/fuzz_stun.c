/* The STUN responder and the reader of answers, fed anything. First byte: the family
 * of the source. Holds: never more bytes out than in; what we answer, we can read. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t v4[4] = {192, 0, 2, 1};
    const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    struct tn_addr src, got, other, told;
    uint8_t out[TN_STUN_MAX_LEN], answer[TN_STUN_MAX_LEN];
    size_t n;

    if (len == 0)
        return 0;
    src = data[0] & 1 ? tn_addr_v6(v6, 40000) : tn_addr_v4(v4, 40000);
    data++;
    len--;
    other = src;
    other.port++;
    n = tn_stun_answer(data, len, &src, data[-1] & 2 ? &other : NULL, out, sizeof(out));
    must(n <= len);
    if (n > 0) {
        must(tn_stun_consume_other(out, n, data + 8, &got, &told) == TN_OK);
        must(tn_addr_equal(&got, &src));
        must(tn_addr_is_zero(&told) || tn_addr_equal(&told, &other));
        must(tn_stun_answer(out, n, &src, NULL, answer, sizeof(answer)) == 0); /* no loops */
    }
    if (len >= TN_STUN_HEADER_LEN && tn_stun_consume_answer(data, len, data + 8, &got) == TN_OK)
        must(tn_stun_answer(data, len, &src, NULL, out, sizeof(out)) == 0);
    return 0;
}
