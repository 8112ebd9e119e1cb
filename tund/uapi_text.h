/* Text that grows, and is wiped where it was: answers of the userspace API hold keys. */
#ifndef TUND_UAPI_TEXT_H
#define TUND_UAPI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uapi_text {
    char *data;
    size_t len, cap;
    bool failed; /* there was no memory: what is there is not whole */
};

void uapi_text_add(struct uapi_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "NAME=" and 64 characters of hex, without leaving a copy anywhere. */
void uapi_text_add_key(struct uapi_text *t, const char *name, const uint8_t key[32]);
/* Makes room for `more` bytes behind len: where they go, or NULL. */
char *uapi_text_room(struct uapi_text *t, size_t more);
void uapi_text_free(struct uapi_text *t); /* wipes */

#endif
