/* What libsodium's ciphers want of the rest of libsodium, for a chip without
 * locked pages, threads or a choice of CPU. Randomness does not come this way:
 * libtunnel has a generator of its own, which the board seeds. */
#include "core.h"
#include "utils.h"

int sodium_init(void)
{
    return 0;
}

void sodium_memzero(void *const at, const size_t len)
{
    volatile unsigned char *p = at;

    for (size_t i = 0; i < len; i++)
        p[i] = 0;
}

int sodium_memcmp(const void *const a, const void *const b, size_t len)
{
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned char differ = 0;

    for (size_t i = 0; i < len; i++)
        differ |= x[i] ^ y[i];
    return differ == 0 ? 0 : -1;
}

int sodium_is_zero(const unsigned char *n, const size_t len)
{
    volatile unsigned char some = 0;

    for (size_t i = 0; i < len; i++)
        some |= n[i];
    return some == 0;
}

/* A call with lengths that no caller of ours gives. */
void sodium_misuse(void)
{
    __builtin_trap(); /* the fault handler tells where */
}
