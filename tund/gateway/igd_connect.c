/* connect() of tund-igd: to the default gateway's address, and to no other. The dynamic linker looks for
 * symbols in the program first, so the library calls this one as well. The host in each address that the
 * library is given was compared before; this is the second wall. */
#undef _GNU_SOURCE /* for which glibc declares connect() with a type that cannot be defined */
#define _DEFAULT_SOURCE

#include "igd_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint8_t allowed[4];

void igd_connect_only(const uint8_t ip[4])
{
    memcpy(allowed, ip, sizeof allowed);
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in in;

    if (len == (socklen_t)sizeof in) {
        memcpy(&in, to, sizeof in);
        if (in.sin_family == AF_INET && memcmp(&in.sin_addr, allowed, sizeof allowed) == 0)
            return (int)syscall(SYS_connect, fd, &in, len);
    }
    errno = EACCES;
    return -1;
}
