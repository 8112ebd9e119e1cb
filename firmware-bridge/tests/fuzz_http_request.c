/* The head of an HTTP request, fed anything. */
#include <stdlib.h>

#include "../app/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct http_request r;

    http_request_init(&r);
    for (size_t i = 0; i < len; i++) {
        if (!http_request_feed(&r, data[i]))
            continue;
        if (r.what > HTTP_BAD || r.length > HTTP_BYTES_MAX || r.count > HTTP_BYTES_MAX ||
            (r.what == HTTP_UPLOAD && !r.has_length))
            abort();
        return 0;
    }
    return 0;
}
