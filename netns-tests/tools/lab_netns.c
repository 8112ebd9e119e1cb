/* Sockets in other network namespaces.
 *
 * A socket belongs to the namespace its thread was in when it was made, so one
 * process can hold both ends of a conversation through a router: enter one
 * namespace, open a socket, enter the next. No helper process and no protocol
 * between helpers is needed, and both ends share one clock. */
#include "lab_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

void lab_die(int error, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (error)
        fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
    exit(2);
}

int lab_netns_open(const char *name)
{
    char path[256];
    int len = snprintf(path, sizeof path, "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);

    if (len < 0 || (size_t)len >= sizeof path)
        lab_die(ENAMETOOLONG, "network namespace %s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        lab_die(errno, "network namespace %s", path);
    return fd;
}

void lab_netns_enter(int netns_fd)
{
    if (setns(netns_fd, CLONE_NEWNET) < 0)
        lab_die(errno, "cannot enter a network namespace (this needs root)");
}

int lab_socket_in(int netns_fd, int family, int type)
{
    lab_netns_enter(netns_fd);
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        lab_die(errno, "socket");
    return fd;
}

int64_t lab_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t lab_now_ms(void)
{
    return lab_now_ns() / 1000000;
}

void lab_sleep_until_ms(int64_t when_ms)
{
    struct timespec t = { .tv_sec = when_ms / 1000, .tv_nsec = when_ms % 1000 * 1000000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

double lab_number(const char *what, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    /* written so that a NaN is refused too */
    if (end == text || *end != '\0' || !(value >= least && value <= most))
        lab_die(0, "%s wants a number from %g to %g, not \"%s\"", what, least, most, text);
    return value;
}
