/* How it works: memory doubles; the old block is wiped before it is given back, which
 * realloc would not do. */
#include "uapi_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/base/text.h"

#define FIRST_CAP 1024

char *uapi_text_room(struct uapi_text *t, size_t more)
{
    size_t cap = t->cap ? t->cap : FIRST_CAP;
    char *data;

    if (t->failed)
        return NULL;
    if (t->cap - t->len >= more)
        return t->data + t->len;
    while (cap - t->len < more)
        cap *= 2;
    data = malloc(cap);
    if (!data) {
        t->failed = true;
        return NULL;
    }
    if (t->len)
        memcpy(data, t->data, t->len);
    if (t->data)
        explicit_bzero(t->data, t->cap);
    free(t->data);
    t->data = data;
    t->cap = cap;
    return data + t->len;
}

void uapi_text_add(struct uapi_text *t, const char *fmt, ...)
{
    const size_t most = 256; /* every line but a key's is far shorter */
    char *at = uapi_text_room(t, most);
    va_list ap;
    int n;

    if (!at)
        return;
    va_start(ap, fmt);
    n = vsnprintf(at, most, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= most)
        t->failed = true;
    else
        t->len += (size_t)n;
}

void uapi_text_add_key(struct uapi_text *t, const char *name, const uint8_t key[32])
{
    char *at;

    uapi_text_add(t, "%s=", name);
    at = uapi_text_room(t, TN_TEXT_KEY_HEX_SIZE + 1);
    if (!at)
        return;
    tn_text_key_to_hex(at, key);
    at[TN_TEXT_HEX_LEN(32)] = '\n';
    t->len += TN_TEXT_HEX_LEN(32) + 1;
}

void uapi_text_free(struct uapi_text *t)
{
    if (t->data)
        explicit_bzero(t->data, t->cap);
    free(t->data);
    memset(t, 0, sizeof *t);
}
