/* A STUN client of one question, for a better error message. The coordinator answers
 * such a request to anybody, as long as it is no shorter than the answer. */
#include "tundctl_probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/path/stun.h"
#include "secure.h"

#define TRIES 3
#define WAIT_MS 300

static bool answered(int fd, const uint8_t txid[TN_STUN_TXID_LEN])
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct tn_addr mapped;
    uint8_t answer[256];
    ssize_t n;

    if (poll(&p, 1, WAIT_MS) != 1)
        return false;
    n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
    return n > 0 && tn_stun_consume_answer(answer, (size_t)n, txid, &mapped) == 0;
}

static bool ask(const struct addrinfo *a)
{
    uint8_t txid[TN_STUN_TXID_LEN], request[TN_STUN_MAX_LEN];
    size_t len;
    bool got = false;
    int fd;

    if (secure_random(txid, sizeof(txid)) != 0)
        return false;
    fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    len = tn_stun_request(a->ai_family == AF_INET6, txid, request, sizeof(request));
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
        for (int i = 0; i < TRIES && !got; i++)
            got = send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len && answered(fd, txid);
    }
    close(fd);
    return got;
}

bool probe_answers(const struct tn_url *coordinator)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list;
    char port[8];
    bool got = false;

    snprintf(port, sizeof(port), "%u", coordinator->port);
    if (getaddrinfo(coordinator->host, port, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *a = list; a && !got; a = a->ai_next)
        got = ask(a);
    freeaddrinfo(list);
    return got;
}
