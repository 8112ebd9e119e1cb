/* Comparison whose time depends on the length alone, and wiping.
 *
 * The empty assembler statement in the loop claims to change the accumulator, so no compiler can
 * turn it into a loop that leaves at the first difference. The one after a wipe
 * claims to read the bytes, so the stores before it may not be dropped. */
#include "ct.h"

#include <string.h>

bool tn_ct_equal(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    size_t diff = 0, p, q;

    for (; len >= sizeof(p); len -= sizeof(p), x += sizeof(p), y += sizeof(p)) {
        memcpy(&p, x, sizeof(p));
        memcpy(&q, y, sizeof(q));
        diff |= p ^ q;
        __asm__ __volatile__("" : "+r"(diff));
    }
    for (; len > 0; len--) {
        diff |= (size_t)(*x++ ^ *y++);
        __asm__ __volatile__("" : "+r"(diff));
    }
    return diff == 0;
}

bool tn_ct_is_zero(const void *a, size_t len)
{
    const uint8_t *x = a;
    volatile uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any = (uint8_t)(any | x[i]);
    return any == 0;
}

void tn_wipe(void *p, size_t len)
{
    if (len == 0)
        return; /* p may be NULL then */
    memset(p, 0, len);
    __asm__ __volatile__("" : : "r"(p) : "memory");
}
