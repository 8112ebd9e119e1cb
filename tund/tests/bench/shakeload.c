/* shakeload - handshakes at a WireGuard responder.
 *
 *   flood    forged initiations at a set rate: random but for mac1, which anybody who knows the
 *            responder's public key can make right. Each socket has an address of its own. They are sent
 *            with UDP_SEGMENT, so that sending does not take the core that is to be measured.
 *   honest   one new peer after another makes a session, each with the whole of libtunnel's node, and
 *            what it took is printed.
 *   peers    a configuration of many peers, for `wg setconf` or `wg addconf`.
 *   talk     each STEP-th of these peers is there, makes a session, and asks for an echo ten times a second. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ip.h"
#include "libtunnel/base/text.h"
#include "libtunnel/node.h"

static const char help[] =
    "usage: shakeload flood LOCAL-IP SOURCES IP PORT PUBLIC-KEY-HEX RATE SECONDS\n"
    "       shakeload honest LOCAL-IP COUNT IP PORT PUBLIC-KEY-HEX PAUSE-MS\n"
    "       shakeload peers COUNT\n"
    "       shakeload talk LOCAL-IP COUNT STEP IP PORT PUBLIC-KEY-HEX INNER-IP SECONDS\n";

#define POOL 4096u /* different forgeries */
#define TRAIN 32u
#define SOURCES_MAX 256
#define GIVE_UP_US TN_S(20)
#define ECHO_EVERY_US TN_MS(100)
#define ICMP_AT 20u
#define ECHO_LEN 84u
#define PEER_NET 0x0a400000u /* peer N has the inner address 10.64.0.0 + N */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct tn_now now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct tn_now){.us = now_us(),
                           .unix_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec};
}

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

static struct tn_addr address(const char *ip, const char *port)
{
    uint8_t bytes[4];

    if (inet_pton(AF_INET, ip, bytes) != 1)
        usage();
    return tn_addr_v4(bytes, (uint16_t)number(port, 0, 65535));
}

static void from_hex(const char *text, uint8_t out[32])
{
    if (strlen(text) != 64)
        usage();
    for (int i = 0; i < 32; i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            usage();
        out[i] = (uint8_t)byte;
    }
}

static struct sockaddr_in as_sockaddr(const struct tn_addr *a)
{
    struct sockaddr_in s = {.sin_family = AF_INET, .sin_port = htons(a->port)};

    memcpy(&s.sin_addr, a->ip + 12, 4);
    return s;
}

/* Bound to the address `step` after `local`, connected to `to`. */
static int open_socket(const struct tn_addr *local, unsigned step, const struct tn_addr *to)
{
    struct sockaddr_in from = as_sockaddr(local), at = as_sockaddr(to);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + step);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) ||
        connect(fd, (struct sockaddr *)&at, sizeof at))
        die("shakeload: socket");
    return fd;
}

/* ---- flood ---- */

static void forge(uint8_t pool[POOL][TN_WG_INITIATION_LEN], const uint8_t pub[32])
{
    struct tn_cookie_maker maker;

    tn_cookie_maker_init(&maker, pub);
    for (unsigned i = 0; i < POOL; i++) {
        uint8_t mac2[TN_WG_MAC_LEN];

        if (getrandom(pool[i], TN_WG_INITIATION_LEN, 0) != TN_WG_INITIATION_LEN)
            die("shakeload: getrandom");
        memcpy(pool[i], (uint8_t[]){1, 0, 0, 0}, 4);
        memcpy(mac2, pool[i] + TN_WG_INITIATION_LEN - TN_WG_MAC_LEN, sizeof mac2);
        tn_cookie_add_macs(&maker, pool[i], TN_WG_INITIATION_LEN, 1);
        memcpy(pool[i] + TN_WG_INITIATION_LEN - TN_WG_MAC_LEN, mac2, sizeof mac2);
    }
}

static int flood(char **argv)
{
    static uint8_t pool[POOL][TN_WG_INITIATION_LEN];
    struct tn_addr local = address(argv[0], "0"), to = address(argv[2], argv[3]);
    unsigned sources = (unsigned)number(argv[1], 1, SOURCES_MAX), next = 0;
    double rate = number(argv[5], 1, 200000), seconds = number(argv[6], 0.1, 60);
    int fd[SOURCES_MAX], segment = TN_WG_INITIATION_LEN;
    uint64_t began, end, at, sent = 0;
    uint8_t pub[32];

    from_hex(argv[4], pub);
    forge(pool, pub);
    for (unsigned i = 0; i < sources; i++) {
        fd[i] = open_socket(&local, i, &to);
        if (setsockopt(fd[i], IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment))
            die("shakeload: UDP_SEGMENT");
    }
    began = now_us();
    end = began + (uint64_t)(seconds * 1e6);
    while ((at = now_us()) < end) {
        if (sent + TRAIN > (double)(at - began) * 1e-6 * rate) {
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
            continue;
        }
        /* refused, or no room: a flood does not care */
        if (send(fd[next++ % sources], pool[sent % POOL], TRAIN * TN_WG_INITIATION_LEN, MSG_DONTWAIT) > 0)
            sent += TRAIN;
    }
    printf("{\"sent\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent, (double)(at - began) * 1e-6);
    return 0;
}

/* ---- honest ---- */

static void private_key(unsigned i, uint8_t out[32])
{
    memset(out, 'h', 32);
    tn_put_be32(out, i);
    tn_x25519_clamp(out);
}

/* A peer of the responder's: a node that knows nobody else. */
struct client {
    struct tn_node node;
    struct tn_peer peer[1];
    uint32_t heap[1], table[2], head[1];
    struct tn_allowed_node allowed[4];
    uint8_t mem[2048];
    int fd;
    uint32_t number;
    uint64_t next_echo_us, sent, answered;
    bool is_up;
};

static void must(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "shakeload: %s: %d\n", what, err);
    exit(1);
}

static void start_node(struct client *c, unsigned i, const struct tn_addr *to, const uint8_t pub[32])
{
    static const uint8_t any[16];
    const struct tn_node_memory mem = {.peers = c->peer, .peer_cap = 1, .peer_heap = c->heap,
                                       .peer_table = c->table, .peer_table_len = 2,
                                       .allowed = c->allowed, .allowed_cap = 4,
                                       .allowed_head = c->head};
    struct tn_node_config cfg = {.mtu = 1420, .stamp_ceiling_ns = UINT64_MAX};
    uint8_t key[32];
    uint32_t peer;

    memset(c, 0, sizeof *c);
    c->number = i;
    if (getrandom(cfg.rng_seed, sizeof cfg.rng_seed, 0) != sizeof cfg.rng_seed)
        die("shakeload: getrandom");
    must(tn_node_init(&c->node, &mem, &cfg), "tn_node_init");
    private_key(i, key);
    must(tn_node_set_private_key(&c->node, key), "the private key");
    must(tn_node_peer_add(&c->node, pub, now(), &peer), "the peer");
    must(tn_node_allowed_add(&c->node, peer, any, true, 0), "what the peer may say");
    tn_node_peer_set_endpoint(&c->node, peer, to);
    tn_node_peer_set_keepalive(&c->node, peer, 25, now()); /* it begins by itself */
}

static bool pump(struct client *c)
{
    struct tn_buf b = {.mem = c->mem, .cap = sizeof c->mem};
    struct tn_event e;
    struct tn_route route;
    bool up = false;

    if (tn_next_deadline(&c->node, NULL) <= now_us())
        tn_tick(&c->node, now());
    while (tn_poll_event(&c->node, &e))
        up = up || e.kind == TN_EV_SESSION;
    while (tn_poll_out(&c->node, &b, now(), &route))
        (void)!send(c->fd, tn_buf_data(&b), b.len, 0); /* lost, as on any way */
    return up;
}

/* Microseconds until the session is there, or GIVE_UP_US. */
static uint64_t shake(struct client *c, const struct tn_addr *to)
{
    uint64_t began = now_us();

    while (!pump(c) && now_us() - began < GIVE_UP_US) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        struct tn_buf b = {.mem = c->mem, .cap = sizeof c->mem};
        uint32_t peer;
        ssize_t n;

        if (poll(&p, 1, 20) <= 0)
            continue;
        n = recv(c->fd, c->mem, sizeof c->mem, 0);
        b.len = n > 0 ? (size_t)n : 0;
        (void)tn_from_net(&c->node, &b, to, now(), &peer);
    }
    (void)pump(c); /* the confirmation */
    return now_us() - began;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static int honest(char **argv)
{
    static uint64_t took[100000];
    static struct client c;
    struct tn_addr local = address(argv[0], "0"), to = address(argv[2], argv[3]);
    unsigned count = (unsigned)number(argv[1], 1, 100000);
    long pause_ms = (long)number(argv[5], 0, 10000);
    uint8_t pub[32];

    from_hex(argv[4], pub);
    for (unsigned i = 0; i < count; i++) {
        start_node(&c, i, &to, pub);
        c.fd = open_socket(&local, i % 200, &to);
        took[i] = shake(&c, &to);
        close(c.fd);
        nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000},
                  NULL);
    }
    qsort(took, count, sizeof took[0], compare);
    printf("{\"count\": %u, \"median_us\": %llu, \"p95_us\": %llu, \"max_us\": %llu}\n", count,
           (unsigned long long)took[count / 2], (unsigned long long)took[count * 95 / 100],
           (unsigned long long)took[count - 1]);
    return 0;
}

/* ---- many peers ---- */

static void inner_address(uint32_t number, uint8_t ip[4])
{
    tn_put_be32(ip, PEER_NET + number);
}

static int peers(char **argv)
{
    unsigned count = (unsigned)number(argv[0], 1, 100000);

    for (unsigned i = 0; i < count; i++) {
        uint8_t key[32], pub[32], ip[4];
        char text[TN_TEXT_KEY_BASE64_SIZE];

        private_key(i, key);
        must(tn_x25519_public(pub, key), "a public key");
        inner_address(i, ip);
        must(tn_text_base64_encode(text, sizeof text, pub, sizeof pub, TN_TEXT_BASE64), "a key's text");
        printf("[Peer]\nPublicKey = %s\nAllowedIPs = %u.%u.%u.%u/32\n", text, ip[0], ip[1], ip[2], ip[3]);
    }
    return 0;
}

/* Asks the responder's host for an echo through the tunnel. */
static void send_echo(struct client *c, const uint8_t inner[4])
{
    struct tn_buf b = {.mem = c->mem, .cap = sizeof c->mem, .off = TN_BUF_HEADROOM, .len = ECHO_LEN};
    uint8_t *ip = memset(tn_buf_data(&b), 0, ECHO_LEN);
    struct tn_route route;
    uint32_t peer;

    memcpy(ip, (uint8_t[]){0x45, 0, 0, ECHO_LEN, 0, 0, 0x40, 0, 64, IPPROTO_ICMP}, 10);
    inner_address(c->number, ip + 12);
    memcpy(ip + 16, inner, 4);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, ICMP_AT)));
    ip[ICMP_AT] = 8; /* echo request, RFC 792 */
    tn_put_be16(ip + ICMP_AT + 6, (uint16_t)c->sent);
    tn_put_be16(ip + ICMP_AT + 2, tn_ip_checksum(tn_ip_sum(0, ip + ICMP_AT, ECHO_LEN - ICMP_AT)));
    if (tn_from_tun(&c->node, &b, now(), &route, &peer) == TN_SEND &&
        send(c->fd, tn_buf_data(&b), b.len, 0) == (ssize_t)b.len)
        c->sent++;
}

static void take_all(struct client *c, const struct tn_addr *to)
{
    ssize_t n;

    while ((n = recv(c->fd, c->mem, sizeof c->mem, MSG_DONTWAIT)) > 0) {
        struct tn_buf b = {.mem = c->mem, .cap = sizeof c->mem, .len = (size_t)n};
        uint32_t peer;

        if (tn_from_net(&c->node, &b, to, now(), &peer) == TN_DELIVER && b.len == ECHO_LEN &&
            tn_buf_data(&b)[ICMP_AT] == 0) /* echo reply */
            c->answered++;
    }
}

static int talk(char **argv)
{
    struct tn_addr local = address(argv[0], "0"), to = address(argv[3], argv[4]);
    struct tn_addr inside = address(argv[6], "0");
    unsigned count = (unsigned)number(argv[1], 1, 1000), step = (unsigned)number(argv[2], 1, 1000);
    uint64_t end, sent = 0, answered = 0;
    struct client *all = calloc(count, sizeof *all);
    unsigned up = 0;
    uint8_t pub[32];

    if (!all)
        die("shakeload: calloc");
    from_hex(argv[5], pub);
    for (unsigned i = 0; i < count; i++) {
        start_node(&all[i], i * step, &to, pub);
        all[i].fd = open_socket(&local, 0, &to);
    }
    end = now_us() + (uint64_t)(number(argv[7], 0.1, 60) * 1e6);
    while (now_us() < end) {
        for (struct client *c = all; c < all + count; c++) {
            take_all(c, &to);
            c->is_up = pump(c) || c->is_up;
            if (c->is_up && c->next_echo_us <= now_us()) {
                send_echo(c, inside.ip + 12);
                c->next_echo_us = now_us() + ECHO_EVERY_US;
            }
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    for (struct client *c = all; c < all + count; c++) {
        up += c->is_up;
        sent += c->sent;
        answered += c->answered;
    }
    free(all);
    printf("{\"up\": %u, \"sent\": %llu, \"answered\": %llu}\n", up, (unsigned long long)sent,
           (unsigned long long)answered);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 9 && !strcmp(argv[1], "flood"))
        return flood(argv + 2);
    if (argc == 8 && !strcmp(argv[1], "honest"))
        return honest(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "peers"))
        return peers(argv + 2);
    if (argc == 10 && !strcmp(argv[1], "talk"))
        return talk(argv + 2);
    usage();
}
