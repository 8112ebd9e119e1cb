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

static struct tn_addr gateway, own;
static uint32_t scope;

void igd_connect_only(const struct igd_job *job)
{
    gateway = job->gateway;
    own = job->own;
    scope = job->scope;
}

/* A firewall is opened for the address that asks: not for another of ours. */
static int connect6(int fd, struct sockaddr_in6 *to)
{
    struct sockaddr_in6 from = {.sin6_family = AF_INET6};

    memcpy(&from.sin6_addr, own.ip, sizeof from.sin6_addr);
    to->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&to->sin6_addr) ? scope : 0;
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        return -1;
    return (int)syscall(SYS_connect, fd, to, sizeof *to);
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (len == (socklen_t)sizeof in && tn_addr_is_v4(&gateway)) {
        memcpy(&in, to, sizeof in);
        if (in.sin_family == AF_INET && memcmp(&in.sin_addr, gateway.ip + 12, sizeof in.sin_addr) == 0)
            return (int)syscall(SYS_connect, fd, &in, len);
    } else if (len == (socklen_t)sizeof in6 && !tn_addr_is_zero(&gateway) && !tn_addr_is_v4(&gateway)) {
        memcpy(&in6, to, sizeof in6);
        if (in6.sin6_family == AF_INET6 && memcmp(&in6.sin6_addr, gateway.ip, sizeof in6.sin6_addr) == 0)
            return connect6(fd, &in6);
    }
    errno = EACCES;
    return -1;
}
