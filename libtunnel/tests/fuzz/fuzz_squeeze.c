/* Squeezed datagrams, fed anything: what is squeezed comes back, but for the identification, and what is
 * put back can be squeezed again. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/squeeze.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t a[4] = {10, 77, 0, 1}, b[4] = {10, 77, 0, 2};

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t mem[4200];
    struct tn_buf p = {.mem = mem, .cap = sizeof(mem), .off = 40, .len = len};
    uint8_t *at = tn_buf_data(&p);

    if (len > 4096)
        return 0;
    if (len)
        memcpy(at, data, len);
    if (tn_squeeze(&p, a, b)) {
        must(tn_unsqueeze(&p, a, b) == TN_OK && p.len == len && tn_buf_data(&p) == at);
        must(!memcmp(at, data, 4) && !memcmp(at + 6, data + 6, 4) && !memcmp(at + 12, data + 12, len - 12));
        return 0;
    }
    must(p.len == len && (!len || !memcmp(at, data, len)));
    if (tn_unsqueeze(&p, a, b) != TN_OK)
        return 0;
    must(tn_squeeze(&p, a, b) && p.len <= len);
    return 0;
}
