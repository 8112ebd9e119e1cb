/* Keeps keys where they belong: no core dump, no /proc/PID/mem for others, no
 * swap, no copy in a child. */
#ifndef TUND_SECURE_H
#define TUND_SECURE_H

#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/err.h"

/* At the start of a program, before it holds a secret. 0 or a negative errno. */
TN_MUST_CHECK int secure_process(void);

/* Zeroed memory of its own pages, left out of dumps, empty in a forked child and locked as its
 * pages are first touched (*locked says whether the system allowed that; may be NULL). NULL when
 * there is no memory. */
void *secure_alloc(size_t len, int *locked);
void secure_free(void *p, size_t len); /* wipes first; NULL is fine */

/* From the system's generator; 0 or a negative errno. */
TN_MUST_CHECK int secure_random(void *out, size_t len);

#endif
