/* A device's report, fed anything: what is taken is what would be sent. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t again[TN_REPORT_LEN];
    struct tn_report r;

    if (tn_report_decode(data, len, &r) != TN_OK)
        return 0;
    tn_report_encode(&r, again);
    if (memcmp(again, data, sizeof(again)) != 0)
        abort();
    return 0;
}
