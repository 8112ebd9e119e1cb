/* An invite as somebody pasted it. An even first byte: the rest is the text. An odd one: the rest is what
 * stands behind the prefix, before base64, and gets a check value that matches, so that the fields
 * are reached. What is taken in is written again to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/member_fixture.h"

#define PREFIX_LEN (sizeof(TN_INVITE_PREFIX) - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void trim(const char **text, size_t *len)
{
    while (*len && memchr(" \t\r\n", **text, 4)) {
        ++*text;
        --*len;
    }
    while (*len && memchr(" \t\r\n", (*text)[*len - 1], 4))
        --*len;
}

static void decode(const char *text, size_t len)
{
    char again[TN_INVITE_TEXT_SIZE];
    struct tn_invite i;
    size_t again_len;

    if (tn_invite_decode(&i, text, len))
        return;
    if (tn_invite_encode(&i, again, sizeof(again), &again_len))
        abort();
    trim(&text, &len);
    if (again_len != len || memcmp(again, text, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[TN_INVITE_TEXT_SIZE + 64] = TN_INVITE_PREFIX;
    uint8_t bytes[TN_INVITE_MAX_LEN + 32];
    uint8_t hash[32];

    if (len < 1)
        return 0;
    if (data[0] % 2 == 0) {
        decode((const char *)data + 1, len - 1);
        return 0;
    }
    data++;
    len--;
    if (len > sizeof(bytes) - 4)
        return 0;
    memcpy(bytes, data, len);
    tn_blake2s(hash, 32, NULL, 0, bytes, len);
    memcpy(bytes + len, hash, 4);
    if (tn_text_base64_encode(text + PREFIX_LEN, sizeof(text) - PREFIX_LEN, bytes, len + 4,
                              TN_TEXT_BASE64URL))
        abort();
    decode(text, strlen(text));
    return 0;
}
