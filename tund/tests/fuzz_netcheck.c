/* An HTTP answer of who knows whom: where it sends us is printable, fits, and is never our own host. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tund/netcheck_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char to[16] = "untouched";

    if (!netcheck_is_redirect((const char *)data, size, "192.0.2.1", to, sizeof to)) {
        if (strcmp(to, "untouched") != 0)
            abort();
        return 0;
    }
    if (strlen(to) >= sizeof to || !*to || strcmp(to, "192.0.2.1") == 0)
        abort();
    for (const char *p = to; *p; p++) {
        if (*p <= ' ' || *p > '~')
            abort();
    }
    return 0;
}
