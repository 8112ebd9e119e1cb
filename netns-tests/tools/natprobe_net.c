/* natprobe's addresses, sockets and datagrams.
 *
 * The one operation is the flight: a tagged datagram sent on one socket and
 * waited for on another. A test is a few batches of flights; within a batch all
 * are sent first, in order, and then one deadline is shared, so that nine
 * packets that must not arrive cost one wait and not nine. */
#include "natprobe.h"

#include "lab_netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define FLIGHTS_MAX 32

struct np_addr np_addr_parse(const char *ip, uint16_t port)
{
    struct np_addr a;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.ss;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.ss;

    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        a.len = sizeof *v4;
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        a.len = sizeof *v6;
    } else {
        lab_die(0, "\"%s\" is not an IP address", ip);
    }
    np_addr_set_port(&a, port);
    return a;
}

/* sin_port and sin6_port lie at the same place, but the types say it better. */
static in_port_t *port_of(struct np_addr *a)
{
    return a->ss.ss_family == AF_INET6 ? &((struct sockaddr_in6 *)&a->ss)->sin6_port
                                       : &((struct sockaddr_in *)&a->ss)->sin_port;
}

uint16_t np_addr_port(const struct np_addr *a)
{
    struct np_addr copy = *a;

    return ntohs(*port_of(&copy));
}

void np_addr_set_port(struct np_addr *a, uint16_t port)
{
    *port_of(a) = htons(port);
}

bool np_addr_same_ip(const struct np_addr *a, const struct np_addr *b)
{
    if (a->len == 0 || b->len == 0 || a->ss.ss_family != b->ss.ss_family)
        return false;
    if (a->ss.ss_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)&a->ss)->sin6_addr,
                      &((const struct sockaddr_in6 *)&b->ss)->sin6_addr, 16) == 0;
    return ((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)&b->ss)->sin_addr.s_addr;
}

bool np_addr_same(const struct np_addr *a, const struct np_addr *b)
{
    return np_addr_same_ip(a, b) && np_addr_port(a) == np_addr_port(b);
}

int np_bind(int netns_fd, const struct np_addr *a)
{
    int fd = lab_socket_in(netns_fd, a->ss.ss_family, SOCK_DGRAM);
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        lab_die(errno, "SO_REUSEADDR");
    if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
        lab_die(errno, "cannot bind server port %u", np_addr_port(a));
    return fd;
}

int np_client(const struct np_lab *lab, int netns_fd, uint16_t *port)
{
    int fd = lab_socket_in(netns_fd, lab->family, SOCK_DGRAM);
    struct np_addr any = np_addr_parse(lab->family == AF_INET6 ? "::" : "0.0.0.0", 0);

    for (int attempt = 0; attempt < 50; attempt++) {
        uint16_t random;

        if (getrandom(&random, sizeof random, 0) != sizeof random)
            lab_die(errno, "getrandom");
        /* below the kernel's ephemeral range, where nobody else binds */
        *port = (uint16_t)(12000 + random % 20000);
        np_addr_set_port(&any, *port);
        if (bind(fd, (struct sockaddr *)&any.ss, any.len) == 0)
            return fd;
    }
    lab_die(EADDRINUSE, "no free client port");
}

struct np_addr np_local_address(int netns_fd, const struct np_addr *dst, uint16_t port)
{
    struct np_addr local = { .len = sizeof local.ss };
    int fd = lab_socket_in(netns_fd, dst->ss.ss_family, SOCK_DGRAM);

    if (connect(fd, (const struct sockaddr *)&dst->ss, dst->len) < 0 ||
        getsockname(fd, (struct sockaddr *)&local.ss, &local.len) < 0) {
        local.len = 0;
    } else {
        np_addr_set_port(&local, port);
    }
    close(fd);
    return local;
}

static void launch(struct np_flight *f)
{
    static unsigned sequence;

    snprintf(f->tag, sizeof f->tag, "NP%08x.%08x", (unsigned)getpid(), ++sequence);
    f->arrived = false;
    f->source.len = 0;
    /* The first try may only report an ICMP error that an earlier packet earned. */
    for (int attempt = 0; attempt < 2; attempt++)
        if (sendto(f->from_fd, f->tag, strlen(f->tag), 0, (struct sockaddr *)&f->to.ss, f->to.len) >= 0)
            return;
}

/* Reads what waits on one socket and credits it to the flight that carries its tag. */
static size_t receive(int fd, struct np_flight *flights, size_t count)
{
    size_t arrived = 0;
    char text[64];

    for (;;) {
        struct np_addr from = { .len = sizeof from.ss };
        ssize_t len = recvfrom(fd, text, sizeof text - 1, MSG_DONTWAIT,
                               (struct sockaddr *)&from.ss, &from.len);
        if (len < 0)
            return arrived;
        text[len] = '\0';
        for (size_t i = 0; i < count; i++) {
            if (flights[i].at_fd != fd || flights[i].arrived || strcmp(flights[i].tag, text) != 0)
                continue;
            flights[i].arrived = true;
            flights[i].source = from;
            arrived++;
        }
    }
}

void np_fly(struct np_flight *flights, size_t count, int wait_ms)
{
    struct pollfd polled[FLIGHTS_MAX];
    int64_t deadline_ms = lab_now_ms() + wait_ms;
    size_t missing = count;

    if (count > FLIGHTS_MAX)
        lab_die(0, "%zu packets at once are too many", count);
    for (size_t i = 0; i < count; i++) {
        launch(&flights[i]);
        polled[i] = (struct pollfd){ .fd = flights[i].at_fd, .events = POLLIN };
    }
    while (missing > 0) {
        int64_t left_ms = deadline_ms - lab_now_ms();

        if (left_ms <= 0 || poll(polled, count, (int)left_ms) <= 0)
            return;
        for (size_t i = 0; i < count; i++)
            if (polled[i].revents)
                missing -= receive(polled[i].fd, flights, count);
    }
}
