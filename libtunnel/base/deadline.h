/* A table of named deadlines in place of loose timestamps. Rows are an enum of
 * the module that owns the table; TN_NEVER is a row that is not set. */
#ifndef TN_BASE_DEADLINE_H
#define TN_BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "now.h"

static inline void tn_deadline_clear_all(uint64_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row[i] = TN_NEVER;
}

/* The earliest row's time, and its number in *which (untouched when none is set). */
static inline uint64_t tn_deadline_earliest(const uint64_t *row, size_t count, size_t *which)
{
    uint64_t best = TN_NEVER;

    for (size_t i = 0; i < count; i++) {
        if (row[i] < best) {
            best = row[i];
            if (which)
                *which = i;
        }
    }
    return best;
}

/* True once per expiry: the row is unset by asking. */
static inline bool tn_deadline_take(uint64_t *row, uint64_t now_us)
{
    if (*row > now_us)
        return false;
    *row = TN_NEVER;
    return true;
}

#endif
