/* dns64 - the name server of a network with a NAT64: it has IPv6 addresses for ipv4only.arpa, as told, and knows
 * no other name. Each question is printed. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] = "usage: dns64 --address IP6 --aaaa IP6 [--aaaa IP6...]\n"
                           "\n"
                           "Answers on UDP 53 of that address, until it is killed.\n";

#define HEAD_LEN 12u
#define TYPE_A 1u
#define TYPE_AAAA 28u
#define TTL_S 60u
#define AAAA_MAX 4u

/* As it stands in a message. */
static const uint8_t name[] = "\x08ipv4only\x04" "arpa";

static struct {
    const char *address;
    struct in6_addr aaaa[AAAA_MAX];
    unsigned count;
} me;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "dns64: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void take_arguments(int argc, char **argv)
{
    static const struct option options[] = {{"address", required_argument, NULL, 'a'},
                                            {"aaaa", required_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int got;

    while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (got == 'h') {
            fputs(help, stdout);
            exit(0);
        }
        if (got == 'a')
            me.address = optarg;
        else if (got != 'q' || me.count == AAAA_MAX || inet_pton(AF_INET6, optarg, &me.aaaa[me.count++]) != 1)
            exit(2);
    }
    if (!me.address || !me.count) {
        fputs(help, stderr);
        exit(2);
    }
}

static int open_socket(void)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    if (fd < 0 || inet_pton(AF_INET6, me.address, &sa.sin6_addr) != 1 ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        die("cannot listen");
    return fd;
}

/* The end of the only question; 0: it is none that is understood. */
static size_t question_end(const uint8_t *msg, size_t len)
{
    size_t at = HEAD_LEN;

    if (len < HEAD_LEN || msg[4] != 0 || msg[5] != 1)
        return 0;
    while (at < len && msg[at] != 0 && msg[at] < 64)
        at += 1u + msg[at];
    return at + 5 <= len && msg[at] == 0 ? at + 5 : 0; /* its end, type, class */
}

static size_t add_addresses(uint8_t *out, size_t len)
{
    static const uint8_t head[] = {0xc0, HEAD_LEN, 0, TYPE_AAAA, 0, 1, 0, 0, 0, TTL_S, 0, 16};

    for (unsigned i = 0; i < me.count; i++) {
        memcpy(out + len, head, sizeof head);
        memcpy(out + len + sizeof head, &me.aaaa[i], 16);
        len += sizeof head + 16;
    }
    return len;
}

/* The answer in place of the question, without what may follow it (EDNS). */
static size_t answer(uint8_t *msg, size_t len)
{
    size_t end = question_end(msg, len);
    bool known = end == HEAD_LEN + sizeof name + 4 && memcmp(msg + HEAD_LEN, name, sizeof name) == 0;
    unsigned type = end ? msg[end - 4] * 256u + msg[end - 3] : 0;

    if (!end)
        return 0;
    msg[2] = 0x81; /* an answer, recursion was asked for */
    msg[3] = known ? 0x80 : 0x83;
    memset(msg + 6, 0, 6);
    printf("%s %s\n", known ? "ipv4only.arpa" : "another name", type == TYPE_AAAA ? "AAAA" : type == TYPE_A ? "A" : "?");
    fflush(stdout);
    if (!known || type != TYPE_AAAA)
        return end;
    msg[7] = (uint8_t)me.count;
    return add_addresses(msg, end);
}

int main(int argc, char **argv)
{
    uint8_t msg[1024];
    int fd;

    take_arguments(argc, argv);
    fd = open_socket();
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in6 from;
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, msg, 512, 0, (struct sockaddr *)&from, &from_len);
        size_t len = n > 0 ? answer(msg, (size_t)n) : 0;

        if (len)
            (void)sendto(fd, msg, len, 0, (struct sockaddr *)&from, from_len);
    }
}
