/* Constant-time comparison, and wiping that the compiler cannot remove. */
#ifndef TN_BASE_CT_H
#define TN_BASE_CT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the same time for every content of a and b. */
bool tn_ct_equal(const void *a, const void *b, size_t len);
bool tn_ct_is_zero(const void *a, size_t len);
void tn_wipe(void *p, size_t len);

#endif
