/* relayload - how much a relay, or with --straight a link or a tunnel, carries: pairs of sockets send
 * through it at a set rate.
 *
 * Each core has a sending thread, and one thread receives. Sending is one datagram a call, or trains
 * (UDP_SEGMENT); the receiver takes batches and trains, so that it is not what is measured. Straight there is
 * one sending thread, and there are no trains, as with most applications; the receiver takes what has come each
 * millisecond, since being woken for each datagram would cost more than the datagram. Senders
 * keep to their rate over each tenth of a millisecond; a sender that got no processor for longer than CATCH_UP_NS
 * does not send what he owes at once, since that burst would measure the scheduler. What was sent is counted, not
 * what was asked for. Prints one JSON object. */
#include "relayload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: relayload --local IP (--tund URL | --turn IP:PORT | --straight NETNS --to IP) [options]\n"
    "\n"
    "  --tund URL     the relay of the coordinator at tund://IP:PORT/KEY\n"
    "  --turn IP:PORT a TURN server that wants no password\n"
    "  --straight NETNS  no relay: to the address of --to in the namespace at this path\n"
    "  --size N       bytes of payload, 32 to 1400 (default 64)\n"
    "  --rate N       datagrams in a second, of all pairs together (default 10000)\n"
    "  --seconds N    (default 1)\n"
    "  --pairs N      senders, and receivers, 1 to 64 (default 1)\n"
    "  --trains       send UDP_SEGMENT trains, as a tund does for a TCP stream\n"
    "  --idle N       send nothing: N idle members until standard input ends\n";

#define BATCH 64
#define TRAIN_MAX 60000u
#define TRAIN_DATAGRAMS 64u
#define SOCKET_BUFFER_LEN (8 * 1024 * 1024)
#define SENDERS_MAX 8
#define CATCH_UP_NS 2000000
#define DRAIN_NS 1000000
#define QUIET_NS 200000000 /* after the last datagram: what has not come now is lost */

struct load {
    struct tn_addr local, server, there;
    const char *url, *netns; /* netns: straight */
    size_t size;
    double rate, seconds;
    unsigned pairs, idle;
    bool trains;
    struct load_pair pair[LOAD_PAIRS_MAX];
    _Atomic uint64_t sent, calls, received, wrong;
    atomic_bool over;
};

struct sender {
    struct load *load;
    pthread_t thread;
    unsigned number, of; /* which of how many */
    uint64_t sent, calls;
    double seconds;
    uint8_t data[TRAIN_DATAGRAMS * 1500];
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- receiving ---- */

static size_t segment_of(struct msghdr *m, size_t len)
{
    int segment = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&segment, CMSG_DATA(c), sizeof(segment));
    }
    return segment > 0 ? (size_t)segment : len;
}

/* False: nothing more is there. */
static bool receive_from(struct load *l, const struct load_pair *p)
{
    static uint8_t memory[BATCH][65536];
    static _Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(int))];
    struct mmsghdr m[BATCH];
    struct iovec iov[BATCH];
    int n;

    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = memory[i], .iov_len = sizeof(memory[i])};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1,
                                       .msg_control = control[i],
                                       .msg_controllen = sizeof(control[i])};
    }
    n = recvmmsg(p->to, m, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        size_t segment = segment_of(&m[i].msg_hdr, m[i].msg_len);

        if (segment == p->arrives_len && m[i].msg_len % segment == 0)
            atomic_fetch_add(&l->received, m[i].msg_len / segment);
        else
            atomic_fetch_add(&l->wrong, 1); /* a late control message, or a datagram that is damaged */
    }
    return n == BATCH;
}

static void *straight_receiver(void *ctx)
{
    struct load *l = ctx;

    while (!atomic_load(&l->over)) {
        for (unsigned i = 0; i < l->pairs; i++) {
            while (receive_from(l, &l->pair[i]))
                ;
        }
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_NS}, NULL);
    }
    return NULL;
}

static void *receiver(void *ctx)
{
    struct load *l = ctx;
    struct pollfd p[LOAD_PAIRS_MAX];

    while (!atomic_load(&l->over)) {
        for (unsigned i = 0; i < l->pairs; i++)
            p[i] = (struct pollfd){.fd = l->pair[i].to, .events = POLLIN};
        if (poll(p, l->pairs, 50) <= 0)
            continue;
        for (unsigned i = 0; i < l->pairs; i++) {
            if (p[i].revents)
                receive_from(l, &l->pair[i]);
        }
    }
    return NULL;
}

/* ---- sending ---- */

/* `count` datagrams of pair p in one call. */
static void send_train(struct sender *s, const struct load_pair *p, size_t count)
{
    const struct load *l = s->load;
    size_t each = !p->head_len ? l->size : p->head_len == 4 ? 4 + l->size : 8 + l->size;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec iov = {.iov_base = s->data, .iov_len = each * count};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    uint16_t segment = (uint16_t)each;

    for (size_t i = 0; i < count; i++)
        memcpy(s->data + i * each, p->head, p->head_len);
    if (count > 1) {
        struct cmsghdr *c = (struct cmsghdr *)control;

        m.msg_control = control;
        m.msg_controllen = sizeof(control);
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof(segment));
        memcpy(CMSG_DATA(c), &segment, sizeof(segment));
    }
    while (sendmsg(p->from, &m, 0) < 0) {
        if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) {
            perror("relayload: send");
            exit(1);
        }
    }
    s->sent += count;
    s->calls++;
}

static size_t train_len(const struct load *l)
{
    size_t fit = TRAIN_MAX / (l->size + 8);

    return !l->trains ? 1 : fit < TRAIN_DATAGRAMS ? fit : TRAIN_DATAGRAMS;
}

/* Datagrams that are due now and not sent; *began moves where they are more than CATCH_UP_NS and a train are worth. */
static double owed(const struct sender *s, double rate, int64_t now, int64_t *began)
{
    double due = (double)(now - *began) * 1e-9 * rate - (double)s->sent;
    double most = CATCH_UP_NS * 1e-9 * rate + (double)train_len(s->load), late = due - most;

    if (late <= 0)
        return due;
    *began += (int64_t)(late / rate * 1e9);
    return due - late;
}

static void *send_all(void *ctx)
{
    struct sender *s = ctx;
    const struct load *l = s->load;
    int64_t start = now_ns(), began = start, end = start + (int64_t)(l->seconds * 1e9), now;
    double rate = l->rate / s->of;
    size_t each = train_len(l);
    unsigned next = s->number;

    while ((now = now_ns()) < end) {
        if (owed(s, rate, now, &began) < (double)each) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
            continue;
        }
        send_train(s, &l->pair[next++ % l->pairs], each);
    }
    s->seconds = (double)(now - start) * 1e-9;
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *ctx)
{
    if (pthread_create(thread, NULL, run, ctx)) {
        fputs("relayload: no thread\n", stderr);
        exit(1);
    }
}

static double run_senders(struct load *l)
{
    static struct sender s[SENDERS_MAX];
    long cores = l->netns ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = cores > SENDERS_MAX ? SENDERS_MAX : (unsigned)cores;
    double seconds = 0;

    for (unsigned i = 0; i < count; i++) {
        s[i].load = l;
        s[i].number = i;
        s[i].of = count;
        start(&s[i].thread, send_all, &s[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(s[i].thread, NULL);
        l->sent += s[i].sent;
        l->calls += s[i].calls;
        if (s[i].seconds > seconds)
            seconds = s[i].seconds;
    }
    return seconds;
}

static void wait_for_the_rest(struct load *l)
{
    uint64_t before = UINT64_MAX;

    for (int64_t since = now_ns(); now_ns() - since < QUIET_NS && l->received < l->sent;) {
        if (l->received != before)
            since = now_ns();
        before = l->received;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void prepare_sockets(struct load *l)
{
    int size = SOCKET_BUFFER_LEN, gro = !l->netns;

    for (unsigned i = 0; i < l->pairs; i++) {
        if (setsockopt(l->pair[i].to, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
            setsockopt(l->pair[i].from, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
            setsockopt(l->pair[i].to, IPPROTO_UDP, UDP_GRO, &gro, sizeof(gro))) {
            perror("relayload: setsockopt");
            exit(1);
        }
    }
}

static void run(struct load *l)
{
    pthread_t thread;
    double seconds;

    if (l->netns)
        load_pairs_straight(l->pair, l->pairs, l->netns, &l->there, &l->local, l->size);
    else if (l->url)
        load_pairs_tund(l->pair, l->pairs, l->url, &l->local, l->size);
    else
        load_pairs_turn(l->pair, l->pairs, &l->server, &l->local, l->size);
    prepare_sockets(l);
    start(&thread, l->netns ? straight_receiver : receiver, l);
    seconds = run_senders(l);
    wait_for_the_rest(l);
    l->over = true;
    pthread_join(thread, NULL);
    printf("{\"sent\": %llu, \"calls\": %llu, \"received\": %llu, \"wrong\": %llu, \"seconds\": %.6f}\n",
           (unsigned long long)l->sent, (unsigned long long)l->calls, (unsigned long long)l->received,
           (unsigned long long)l->wrong, seconds);
}

/* ---- the command line ---- */

static void usage(void)
{
    fputs(help, stderr);
    exit(2);
}

static double number(const char *text, double least, double most)
{
    char *end;
    double v = strtod(text, &end);

    if (*end || !(v >= least && v <= most))
        usage();
    return v;
}

static struct tn_addr address(const char *text, bool with_port)
{
    char ip[16] = "";
    unsigned port = 0;
    uint8_t bytes[4];

    if ((with_port ? sscanf(text, "%15[0-9.]:%u", ip, &port) != 2
                   : sscanf(text, "%15[0-9.]", ip) != 1) ||
        inet_pton(AF_INET, ip, bytes) != 1 || port > 65535)
        usage();
    return tn_addr_v4(bytes, (uint16_t)port);
}

static void parse(struct load *l, int argc, char **argv)
{
    static const struct option longs[] = {
        {"local", 1, NULL, 'l'},   {"tund", 1, NULL, 'u'},  {"turn", 1, NULL, 't'},
        {"size", 1, NULL, 's'},    {"rate", 1, NULL, 'r'},  {"seconds", 1, NULL, 'S'},
        {"pairs", 1, NULL, 'p'},   {"trains", 0, NULL, 'T'}, {"idle", 1, NULL, 'i'},
        {"straight", 1, NULL, 'n'}, {"to", 1, NULL, 'o'},
        {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'l': l->local = address(optarg, false); break;
        case 'u': l->url = optarg; break;
        case 't': l->server = address(optarg, true); break;
        case 's': l->size = (size_t)number(optarg, 32, 1400); break;
        case 'r': l->rate = number(optarg, 1, 1e8); break;
        case 'S': l->seconds = number(optarg, 0.01, 60); break;
        case 'p': l->pairs = (unsigned)number(optarg, 1, LOAD_PAIRS_MAX); break;
        case 'T': l->trains = true; break;
        case 'n': l->netns = optarg; break;
        case 'o': l->there = address(optarg, false); break;
        case 'i': l->idle = (unsigned)number(optarg, 1, 65000); break;
        default: usage();
        }
    }
    if (optind < argc || tn_addr_is_zero(&l->local) || !!l->url + !!l->server.port + !!l->netns != 1 ||
        !l->netns != tn_addr_is_zero(&l->there) || (l->netns && (l->idle || l->trains)))
        usage();
}

int main(int argc, char **argv)
{
    static struct load l = {.size = 64, .rate = 10000, .seconds = 1, .pairs = 1};

    parse(&l, argc, argv);
    if (!l.idle)
        run(&l);
    else if (l.url)
        load_idle_tund(l.idle, l.url, &l.local);
    else
        load_idle_turn(l.idle, &l.server, &l.local);
    return 0;
}
