/* stray - a stranger that sends datagrams of every kind to a UDP port and counts what
 * comes back.
 *
 * One socket stands for one kind of beginning: each first byte, and the well-formed heads
 * of WireGuard, tund's control channel and STUN. In a round every socket sends one
 * datagram, all of the same length; what then comes back to a socket is the answer
 * to that one datagram, and may not be longer. A kind is "answered" when anything came
 * back to it at all. */
#include "lab_netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "usage: stray [options] ADDRESS PORT\n"
    "       stray --serve --from NETNS ADDRESS PORT\n"
    "\n"
    "Sends datagrams of every kind and length, and counts what comes back.\n"
    "\n"
    "  --from NETNS    send from this network namespace\n"
    "  --passes N      through all lengths (default 1)\n"
    "  --wait MS       for answers, after each length (default 100)\n"
    "  --json          one JSON object instead of words\n"
    "  --serve         instead, answer every datagram with itself and one byte more, until SIGTERM:\n"
    "                  what stray must never find, to prove that it would\n"
    "\n"
    "Exit status: 0 when no answer was longer than its question; 1 when one was.\n";

#define LEN_MAX 1472
#define HEAD_MAX 8
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint16_t lengths[] = { 1,  4,  8,   16,  20,  23,  24,  32,  44,  64,
                                    86, 92, 100, 132, 148, 200, 511, 1200, LEN_MAX };

enum fill { FILL_RANDOM, FILL_STUN, FILL_STUN_PADDED };

static const struct named_head {
    const char *name;
    uint8_t head[HEAD_MAX];
    uint8_t len;
    enum fill fill;
} named_heads[] = {
    { "wireguard-initiation", { 1, 0, 0, 0 }, 4, FILL_RANDOM },
    { "wireguard-response", { 2, 0, 0, 0 }, 4, FILL_RANDOM },
    { "wireguard-cookie", { 3, 0, 0, 0 }, 4, FILL_RANDOM },
    { "wireguard-data", { 4, 0, 0, 0 }, 4, FILL_RANDOM },
    { "control-initiation", { 0x90, 1, 0, 0 }, 4, FILL_RANDOM },
    { "control-cookie", { 0x91, 1, 0, 0 }, 4, FILL_RANDOM },
    { "control-response", { 0x92, 1, 0, 0 }, 4, FILL_RANDOM },
    { "control-data", { 0x93, 1, 0, 0 }, 4, FILL_RANDOM },
    { "relay", { 0x94, 1 }, 2, FILL_RANDOM },
    { "punch", { 0x95, 0, 0, 0 }, 4, FILL_RANDOM },
    { "stun-request", { 0, 1 }, 2, FILL_STUN },
    { "stun-request-padded", { 0, 1 }, 2, FILL_STUN_PADDED },
    { "stun-indication", { 0, 0x11 }, 2, FILL_STUN_PADDED },
    { "stun-answer", { 1, 1 }, 2, FILL_STUN_PADDED },
    { "stun-error", { 1, 0x11 }, 2, FILL_STUN_PADDED },
};

struct kind {
    char name[32];
    struct named_head head;
    int fd;
    bool answered;
    uint64_t out, in;
};

struct totals {
    uint64_t sent, out, answers, in, too_long;
    char worst[160];
};

static struct kind kinds[256 + COUNT(named_heads)];

static void make_kinds(void)
{
    for (size_t i = 0; i < 256; i++) {
        snprintf(kinds[i].name, sizeof kinds[i].name, "byte-%02zx", i);
        kinds[i].head.head[0] = (uint8_t)i;
        kinds[i].head.len = 1;
    }
    for (size_t i = 0; i < COUNT(named_heads); i++) {
        struct kind *k = &kinds[256 + i];

        snprintf(k->name, sizeof k->name, "%s", named_heads[i].name);
        k->head = named_heads[i];
    }
}

/* RFC 8489: type, length without the header, magic cookie; RFC 5780: PADDING is 0x0026. */
static void fill_stun(uint8_t *d, size_t len, bool padded)
{
    static const uint8_t magic[4] = { 0x21, 0x12, 0xa4, 0x42 };
    size_t body = len - 20;

    d[2] = (uint8_t)(padded ? body >> 8 : 0);
    d[3] = (uint8_t)(padded ? body : 0);
    memcpy(d + 4, magic, sizeof magic);
    if (padded && body >= 4) {
        d[20] = 0;
        d[21] = 0x26;
        d[22] = (uint8_t)((body - 4) >> 8);
        d[23] = (uint8_t)(body - 4);
    }
}

static void make_datagram(const struct kind *k, uint8_t *d, size_t len)
{
    if (getrandom(d, len, 0) != (ssize_t)len)
        lab_die(errno, "random numbers");
    memcpy(d, k->head.head, k->head.len < len ? k->head.len : len);
    if (k->head.fill != FILL_RANDOM && len >= 20)
        fill_stun(d, len, k->head.fill == FILL_STUN_PADDED);
}

static void send_round(size_t len, struct totals *t)
{
    uint8_t d[LEN_MAX];

    for (size_t i = 0; i < COUNT(kinds); i++) {
        make_datagram(&kinds[i], d, len);
        if (send(kinds[i].fd, d, len, 0) != (ssize_t)len)
            lab_die(errno, "%s, %zu bytes", kinds[i].name, len);
        kinds[i].out += len;
        t->out += len;
        t->sent++;
        if (i % 32 == 31)
            usleep(1000); /* a flood would only fill queues on the way */
    }
}

static void collect_round(size_t len, struct totals *t)
{
    uint8_t answer[65536];

    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint64_t in = 0;
        ssize_t n;

        while ((n = recv(kinds[i].fd, answer, sizeof answer, MSG_DONTWAIT)) >= 0) {
            in += (uint64_t)n;
            t->answers++;
            kinds[i].answered = true;
        }
        kinds[i].in += in;
        t->in += in;
        if (in <= len)
            continue;
        t->too_long++;
        snprintf(t->worst, sizeof t->worst, "%llu bytes came back for %zu of %.31s",
                 (unsigned long long)in, len, kinds[i].name);
    }
}

static void print_answered(const char *begin, const char *between)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!kinds[i].answered)
            continue;
        printf("%s%s", begin, kinds[i].name);
        begin = between;
    }
}

static void print(const struct totals *t, bool json)
{
    if (!json) {
        printf("sent %llu datagrams, %llu bytes; %llu answers, %llu bytes; answered:",
               (unsigned long long)t->sent, (unsigned long long)t->out,
               (unsigned long long)t->answers, (unsigned long long)t->in);
        print_answered(" ", " ");
        printf("%s%s\n", t->too_long ? "; TOO LONG: " : "", t->worst);
        return;
    }
    printf("{\"sent\":%llu,\"out_bytes\":%llu,\"answers\":%llu,\"in_bytes\":%llu,\"too_long\":%llu,"
           "\"worst\":\"%s\",\"answered\":[",
           (unsigned long long)t->sent, (unsigned long long)t->out, (unsigned long long)t->answers,
           (unsigned long long)t->in, (unsigned long long)t->too_long, t->worst);
    print_answered("\"", "\",\"");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (kinds[i].answered) {
            printf("\"");
            break;
        }
    }
    printf("]}\n");
}

static struct sockaddr_storage parse_address(const char *ip, const char *port, socklen_t *len)
{
    struct sockaddr_storage ss = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
    uint16_t number = (uint16_t)lab_number("PORT", port, 1, 65535);

    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(number);
        *len = sizeof *v4;
    } else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(number);
        *len = sizeof *v6;
    } else {
        lab_die(0, "\"%s\" is no address", ip);
    }
    return ss;
}

static int serve(int netns, const struct sockaddr_storage *at, socklen_t len)
{
    int fd = lab_socket_in(netns, at->ss_family, SOCK_DGRAM);
    uint8_t d[65536];

    if (bind(fd, (const struct sockaddr *)at, len))
        lab_die(errno, "bind");
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, d, sizeof d - 1, 0, (struct sockaddr *)&from, &from_len);

        if (n < 0)
            lab_die(errno, "recvfrom");
        d[n] = 0;
        if (sendto(fd, d, (size_t)n + 1, 0, (struct sockaddr *)&from, from_len) < 0)
            lab_die(errno, "sendto");
    }
}

static int stray(int netns, const struct sockaddr_storage *to, socklen_t len, unsigned passes,
                 unsigned wait_ms, bool json)
{
    struct totals t = { 0 };

    make_kinds();
    for (size_t i = 0; i < COUNT(kinds); i++) {
        kinds[i].fd = lab_socket_in(netns, to->ss_family, SOCK_DGRAM);
        if (connect(kinds[i].fd, (const struct sockaddr *)to, len))
            lab_die(errno, "connect");
    }
    for (unsigned pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < COUNT(lengths); i++) {
            send_round(lengths[i], &t);
            lab_sleep_until_ms(lab_now_ms() + wait_ms);
            collect_round(lengths[i], &t);
        }
    }
    print(&t, json);
    return t.too_long ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "from", required_argument, NULL, 'f' }, { "passes", required_argument, NULL, 'p' },
        { "wait", required_argument, NULL, 'w' }, { "json", no_argument, NULL, 'j' },
        { "serve", no_argument, NULL, 's' },      { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *from = "/proc/self/ns/net";
    unsigned passes = 1, wait_ms = 100;
    bool json = false, serving = false;
    struct sockaddr_storage to;
    socklen_t len;
    int opt, netns;

    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (opt) {
        case 'f': from = optarg; break;
        case 'p': passes = (unsigned)lab_number("--passes", optarg, 1, 1e6); break;
        case 'w': wait_ms = (unsigned)lab_number("--wait", optarg, 1, 1e4); break;
        case 'j': json = true; break;
        case 's': serving = true; break;
        case 'h': fputs(help, stdout); return 0;
        default: return 2;
        }
    }
    if (argc - optind != 2)
        lab_die(0, "ADDRESS and PORT are missing; see stray --help");
    to = parse_address(argv[optind], argv[optind + 1], &len);
    netns = lab_netns_open(from);
    return serving ? serve(netns, &to, len) : stray(netns, &to, len, passes, wait_ms, json);
}
