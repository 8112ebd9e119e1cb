/* Base64 in both alphabets, and hex. What is read is written again to the same text; hex but for the case. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/text.h"

#define MAX_LEN 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_base64(const char *text, size_t len, enum tn_text_base64 kind)
{
    uint8_t bytes[MAX_LEN];
    char again[MAX_LEN + 4];
    size_t count;

    if (tn_text_base64_decode(bytes, sizeof(bytes), &count, text, len, kind))
        return;
    if (tn_text_base64_encode(again, sizeof(again), bytes, count, kind))
        abort();
    if (strlen(again) != len || memcmp(again, text, len) != 0)
        abort();
}

static void check_hex(const char *text, size_t len)
{
    uint8_t bytes[MAX_LEN];
    uint8_t back[MAX_LEN];
    char again[MAX_LEN + 4];
    size_t count;
    size_t back_count;

    if (tn_text_hex_decode(bytes, sizeof(bytes), &count, text, len))
        return;
    if (tn_text_hex_encode(again, sizeof(again), bytes, count) || strlen(again) != len)
        abort();
    if (tn_text_hex_decode(back, sizeof(back), &back_count, again, len) || back_count != count)
        abort();
    if (memcmp(back, bytes, count) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    uint8_t key[32];

    if (len > MAX_LEN)
        return 0;
    check_base64(text, len, TN_TEXT_BASE64);
    check_base64(text, len, TN_TEXT_BASE64URL);
    check_hex(text, len);
    if (tn_text_key_from_base64(key, text, len) == 0 && len != 44)
        abort();
    if (tn_text_key_from_hex(key, text, len) == 0 && len != 64)
        abort();
    return 0;
}
