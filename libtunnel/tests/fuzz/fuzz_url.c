/* The coordinator's address as somebody typed it. What is taken in is written again to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/member/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char again[TN_URL_SIZE];
    struct tn_url u;
    size_t again_len;

    if (tn_url_decode(&u, (const char *)data, len))
        return 0;
    if (tn_url_encode(&u, again, sizeof(again), &again_len))
        abort();
    if (again_len != len || memcmp(again, data, len) != 0)
        abort();
    return 0;
}
