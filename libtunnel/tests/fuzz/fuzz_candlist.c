/* Candidate lists, fed anything. What is read can be written again, to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/candlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tn_cand_wire list[TN_CANDLIST_MAX];
    uint8_t out[TN_CANDLIST_LEN(TN_CANDLIST_MAX)];
    struct tn_reader r;
    struct tn_writer w;
    size_t count;

    tn_reader_init(&r, data, len);
    count = tn_candlist_read(&r, list, TN_CANDLIST_MAX);
    must(count <= TN_CANDLIST_MAX);
    if (!tn_reader_ok(&r)) {
        must(count == 0);
        return 0;
    }
    tn_writer_init(&w, out, sizeof(out));
    tn_candlist_write(&w, list, count);
    must(tn_writer_ok(&w) && w.len == TN_CANDLIST_LEN(count));
    must(memcmp(out, data, w.len) == 0);
    return 0;
}
