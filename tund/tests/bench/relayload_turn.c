/* Pairs at a TURN server that asks for no password: an allocation (RFC 8656 section 7) with a channel
 * (section 12) to a plain socket. */
#include "relayload.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/base/bytes.h"

#define MAGIC 0x2112a442u
#define HEAD_LEN 20
#define ALLOCATE 0x0003
#define CHANNEL_BIND 0x0009
#define SUCCESS 0x0100
#define ATTR_CHANNEL_NUMBER 0x000c
#define ATTR_XOR_PEER_ADDRESS 0x0012
#define ATTR_REQUESTED_TRANSPORT 0x0019
#define CHANNEL 0x4000
#define TRIES 10

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int open_socket(const struct tn_addr *local, struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET};
    memcpy(&at->sin_addr, local->ip + 12, 4);
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) ||
        getsockname(fd, (struct sockaddr *)at, &len))
        die("relayload: socket");
    return fd;
}

static size_t begin(uint8_t *m, uint16_t type)
{
    tn_put_be16(m, type);
    tn_put_be32(m + 4, MAGIC);
    if (getrandom(m + 8, 12, 0) != 12)
        die("relayload: getrandom");
    return HEAD_LEN;
}

static size_t attribute(uint8_t *m, size_t at, uint16_t type, const uint8_t *value, uint16_t len)
{
    tn_put_be16(m + at, type);
    tn_put_be16(m + at + 2, len);
    memcpy(m + at + 4, value, len);
    return at + 4 + len;
}

/* Sends a request until its success comes. */
static void ask(int fd, uint8_t *m, size_t len, const char *what)
{
    uint8_t answer[1024];

    tn_put_be16(m + 2, (uint16_t)(len - HEAD_LEN));
    for (int i = 0; i < TRIES; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (send(fd, m, len, 0) < 0 && i == TRIES - 1)
            die(what);
        if (poll(&p, 1, 500) > 0 && recv(fd, answer, sizeof(answer), 0) >= HEAD_LEN &&
            memcmp(answer + 8, m + 8, 12) == 0) {
            if (tn_get_be16(answer) == (tn_get_be16(m) | SUCCESS))
                return;
            fprintf(stderr, "relayload: %s: the server answers %04x\n", what, tn_get_be16(answer));
            exit(1);
        }
    }
    fprintf(stderr, "relayload: %s: no answer\n", what);
    exit(1);
}

static int allocate(const struct tn_addr *server, const struct tn_addr *local)
{
    static const uint8_t udp[4] = {17};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(server->port)}, own;
    int fd = open_socket(local, &own);
    uint8_t m[64];

    memcpy(&at.sin_addr, server->ip + 12, 4);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
        die("relayload: connect");
    ask(fd, m, attribute(m, begin(m, ALLOCATE), ATTR_REQUESTED_TRANSPORT, udp, 4), "Allocate");
    return fd;
}

static void bind_channel(int fd, const struct sockaddr_in *peer)
{
    uint8_t m[64], number[4] = {CHANNEL >> 8}, address[8] = {0, 1};
    size_t len = attribute(m, begin(m, CHANNEL_BIND), ATTR_CHANNEL_NUMBER, number, 4);

    tn_put_be16(address + 2, ntohs(peer->sin_port) ^ MAGIC >> 16);
    tn_put_be32(address + 4, ntohl(peer->sin_addr.s_addr) ^ MAGIC);
    ask(fd, m, attribute(m, len, ATTR_XOR_PEER_ADDRESS, address, 8), "ChannelBind");
}

void load_pairs_turn(struct load_pair *pair, unsigned count, const struct tn_addr *server,
                     const struct tn_addr *local, size_t payload)
{
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in peer;

        pair[i] = (struct load_pair){.from = allocate(server, local), .head_len = 4,
                                     .arrives_len = payload};
        pair[i].to = open_socket(local, &peer);
        bind_channel(pair[i].from, &peer);
        tn_put_be16(pair[i].head, CHANNEL);
        tn_put_be16(pair[i].head + 2, (uint16_t)payload);
    }
}

void load_idle_turn(unsigned count, const struct tn_addr *server, const struct tn_addr *local)
{
    for (unsigned i = 0; i < count; i++) {
        struct tn_addr own = *local;

        tn_put_be32(own.ip + 12, tn_get_be32(local->ip + 12) + i);
        close(allocate(server, &own));
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}
