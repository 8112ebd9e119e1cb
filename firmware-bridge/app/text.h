/* Text into a bounded buffer, without a printf: what does not fit is cut off. */
#ifndef APP_TEXT_H
#define APP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"

struct text {
    char *out;
    size_t len, cap;
};

void text_put(struct text *t, const char *s); /* terminated */
void text_put_number(struct text *t, uint64_t n);
/* "10.77.0.2", or RFC 5952 for IPv6; no port. */
void text_put_ip(struct text *t, const struct tn_addr *a);

#endif
