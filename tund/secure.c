/* How it works: prctl and setrlimit for the process; for memory, anonymous pages
 * with MADV_DONTDUMP and MADV_WIPEONFORK. MLOCK_ONFAULT locks a page when it is
 * first touched, so that room for many peers costs nothing before they come. */
#include "secure.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

int secure_process(void)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return -errno;
    if (setrlimit(RLIMIT_CORE, &none))
        return -errno;
    return 0;
}

void *secure_alloc(size_t len, int *locked)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (madvise(p, len, MADV_DONTDUMP) || madvise(p, len, MADV_WIPEONFORK)) {
        munmap(p, len);
        return NULL;
    }
    if (locked)
        *locked = mlock2(p, len, MLOCK_ONFAULT) == 0;
    return p;
}

void secure_free(void *p, size_t len)
{
    if (!p)
        return;
    explicit_bzero(p, len);
    munmap(p, len);
}

int secure_random(void *out, size_t len)
{
    uint8_t *at = out;

    while (len) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
