/* The moment, handed in by the caller once per entry; libtunnel has no clock. */
#ifndef TN_BASE_NOW_H
#define TN_BASE_NOW_H

#include <stdint.h>

struct tn_now {
    uint64_t us;      /* monotonic, goes on during suspend (CLOCK_BOOTTIME), microseconds */
    uint64_t unix_ns; /* wall clock, nanoseconds since 1970; may jump; used for TAI64N and expiry only */
};

#define TN_NEVER UINT64_MAX /* a deadline that is not set */
#define TN_MS(n) ((uint64_t)(n) * 1000u)
#define TN_S(n) ((uint64_t)(n) * 1000000u)

#endif
