/* Pairs with no relay between them: the second socket lies in another network namespace, and how a datagram
 * gets there is the routing's affair - a link, or a tunnel. */
#include "relayload.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int bound_socket(const struct tn_addr *a, struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(a->port)};
    memcpy(&at->sin_addr, a->ip + 12, sizeof(at->sin_addr));
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) ||
        getsockname(fd, (struct sockaddr *)at, &len))
        die("relayload: socket");
    return fd;
}

static void enter(int netns)
{
    if (setns(netns, CLONE_NEWNET))
        die("relayload: setns");
}

void load_pairs_straight(struct load_pair *pair, unsigned count, const char *netns,
                         const struct tn_addr *there, const struct tn_addr *local, size_t payload)
{
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int other = open(netns, O_RDONLY | O_CLOEXEC);

    if (here < 0 || other < 0)
        die("relayload: a namespace");
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in to, from;

        enter(other);
        pair[i].to = bound_socket(there, &to);
        enter(here);
        pair[i].from = bound_socket(local, &from);
        if (connect(pair[i].from, (struct sockaddr *)&to, sizeof(to)))
            die("relayload: connect");
        pair[i].head_len = 0;
        pair[i].arrives_len = payload;
    }
    close(here);
    close(other);
}
