/* tunmill - sends packets of every kind into a tunnel and writes down what comes out behind it.
 *
 * Packets go straight into the interface --in (packet(7), with a virtio header, so that large ones are
 * split by whoever is behind it) and are caught at the interface --out, which must be one that gets
 * them one by one. After each burst a marker is sent, and the next burst waits for it: nothing is lost
 * for want of room, and with one seed the same packets go in each time. Packets are written flow by flow, each
 * flow in the order in which it came: packets of different flows may overtake one another. */
#include "lab_netns.h"
#include "tunmill.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const char help[] =
    "usage: tunmill --from NETNS --in IF --to NETNS --out IF --source4 A --target4 A\n"
    "               --source6 A --target6 A [--seed N] [--packets N] FILE\n"
    "\n"
    "Exit status: 0; 2 when something does not work, as a marker that does not come.\n";

#define BURST_SEGMENTS 150u
#define CAUGHT_MAX 65536u
#define WAIT_MS 5000
#define RECEIVE_BUFFER (64 * 1024 * 1024)

struct caught {
    uint32_t number; /* in order of arrival */
    uint16_t key_len;
    uint32_t len;
    uint8_t key[40], *data;
};

static struct mill mill;
static struct caught *caught;
static size_t caught_count;
static int in, out;

/* Addresses, protocol, and the source port; of a fragment its number, since fragments of different
 * packets may overtake one another. */
static void set_key(struct caught *c)
{
    bool v4 = c->data[0] >> 4 == 4;
    bool fragment = v4 && (c->data[6] << 8 | c->data[7]) & 0x3fff;
    size_t addresses = v4 ? 12 : 8, both = v4 ? 8 : 32;
    size_t port = fragment ? 4 : v4 ? (size_t)(c->data[0] & 15) * 4 : 40;

    memcpy(c->key, c->data + addresses, both);
    c->key[both] = v4 ? c->data[9] : c->data[6];
    c->key[both + 1] = fragment;
    c->key_len = (uint16_t)(both + 2);
    if (c->len >= port + 2) {
        memcpy(c->key + c->key_len, c->data + port, 2);
        c->key_len = (uint16_t)(c->key_len + 2);
    }
}

static int by_flow(const void *a, const void *b)
{
    const struct caught *x = a, *y = b;
    int d = x->key_len != y->key_len ? (int)x->key_len - y->key_len
                                     : memcmp(x->key, y->key, x->key_len);

    return d ? d : x->number < y->number ? -1 : x->number > y->number;
}

static bool is_ours(const uint8_t *p, size_t len)
{
    if (len >= 20 && p[0] >> 4 == 4)
        return !memcmp(p + 16, mill.dst4, 4) && !memcmp(p + 12, mill.src4, 4);
    return len >= 40 && p[0] >> 4 == 6 && !memcmp(p + 24, mill.dst6, 16) &&
           !memcmp(p + 8, mill.src6, 16);
}

static void keep(const uint8_t *p, size_t len)
{
    struct caught *c = &caught[caught_count];

    if (caught_count == CAUGHT_MAX)
        lab_die(0, "more than %u packets came", CAUGHT_MAX);
    *c = (struct caught){.number = (uint32_t)caught_count++, .len = (uint32_t)len,
                         .data = malloc(len)};
    if (!c->data)
        lab_die(errno, "no memory");
    memcpy(c->data, p, len);
    set_key(c);
}

static int open_interface(const char *netns, const char *name, bool with_header)
{
    int fd, one = 1, room = RECEIVE_BUFFER, ns = lab_netns_open(netns);
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

    fd = lab_socket_in(ns, AF_PACKET, with_header ? SOCK_RAW : SOCK_DGRAM);
    close(ns);
    at.sll_ifindex = (int)if_nametoindex(name);
    if (!at.sll_ifindex)
        lab_die(errno, "no interface %s", name);
    if (with_header && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one))
        lab_die(errno, "no virtio headers");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room))
        lab_die(errno, "no room for packets");
    if (with_header)
        at.sll_protocol = 0; /* hears nothing */
    if (bind(fd, (struct sockaddr *)&at, sizeof at))
        lab_die(errno, "cannot bind to %s", name);
    return fd;
}

static void send_packet(struct mill_packet *p)
{
    struct iovec iov[2] = {{&p->h, sizeof p->h}, {p->data, p->len}};
    struct sockaddr_ll to = {.sll_family = AF_PACKET};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    socklen_t len = sizeof to;

    if (getsockname(in, (struct sockaddr *)&to, &len))
        lab_die(errno, "where am I");
    to.sll_protocol = htons(p->data[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
    m.msg_name = &to;
    m.msg_namelen = sizeof to;
    if (sendmsg(in, &m, 0) < 0)
        lab_die(errno, "a packet of %zu bytes", p->len);
}

static void catch_until(uint32_t marker)
{
    static uint8_t data[70000];
    int64_t end = lab_now_ms() + WAIT_MS;

    for (;;) {
        struct sockaddr_ll from;
        socklen_t from_len = sizeof from;
        struct pollfd p = {.fd = out, .events = POLLIN};
        int64_t left = end - lab_now_ms();
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            lab_die(0, "marker %u does not come; %zu packets did", marker, caught_count);
        n = recvfrom(out, data, sizeof data, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            lab_die(errno, "catching");
        if (from.sll_pkttype == PACKET_OUTGOING || !is_ours(data, (size_t)n))
            continue;
        if (mill_marker_number(data, (size_t)n) == (int64_t)marker)
            return;
        if (mill_marker_number(data, (size_t)n) < 0)
            keep(data, (size_t)n);
    }
}

/* Two markers: the first may leave in the batch in which something is still held. */
static void mark(uint32_t *number)
{
    static struct mill_packet p;

    for (int i = 0; i < 2; i++) {
        mill_marker(&mill, ++*number, &p);
        send_packet(&p);
        catch_until(*number);
    }
}

static void write_down(const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        lab_die(errno, "%s", path);
    qsort(caught, caught_count, sizeof *caught, by_flow);
    for (size_t i = 0; i < caught_count; i++) {
        for (size_t k = 0; k < caught[i].len; k++)
            fprintf(f, "%02x", caught[i].data[k]);
        fputc('\n', f);
    }
    if (fclose(f))
        lab_die(errno, "%s", path);
}

static void address(int family, const char *text, void *to)
{
    if (inet_pton(family, text, to) != 1)
        lab_die(0, "%s is no address", text);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"from", 1, NULL, 'f'},    {"in", 1, NULL, 'i'},      {"to", 1, NULL, 't'},
        {"out", 1, NULL, 'o'},     {"source4", 1, NULL, '1'}, {"target4", 1, NULL, '2'},
        {"source6", 1, NULL, '3'}, {"target6", 1, NULL, '4'}, {"seed", 1, NULL, 's'},
        {"packets", 1, NULL, 'n'}, {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    const char *from = "", *in_name = "", *to = "", *out_name = "";
    uint64_t seed = 1;
    unsigned packets = 3000, number = 0;
    static struct mill_packet p;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'f': from = optarg; break;
        case 'i': in_name = optarg; break;
        case 't': to = optarg; break;
        case 'o': out_name = optarg; break;
        case '1': address(AF_INET, optarg, mill.src4); break;
        case '2': address(AF_INET, optarg, mill.dst4); break;
        case '3': address(AF_INET6, optarg, mill.src6); break;
        case '4': address(AF_INET6, optarg, mill.dst6); break;
        case 's': seed = (uint64_t)lab_number("--seed", optarg, 0, 1e15); break;
        case 'n': packets = (unsigned)lab_number("--packets", optarg, 1, 20000); break;
        default: fputs(help, c == 'h' ? stdout : stderr); return c == 'h' ? 0 : 2;
        }
    }
    if (optind + 1 != argc)
        lab_die(0, "one file to write to; see --help");
    caught = calloc(CAUGHT_MAX, sizeof *caught);
    if (!caught)
        lab_die(errno, "no memory");
    in = open_interface(from, in_name, true);
    out = open_interface(to, out_name, false);
    mill_init(&mill, seed);
    mark(&number);
    for (unsigned sent = 0; sent < packets;) {
        for (unsigned segments = 0; segments < BURST_SEGMENTS && sent < packets; sent++) {
            mill_next(&mill, &p);
            send_packet(&p);
            segments += p.segments;
        }
        mark(&number);
    }
    write_down(argv[optind]);
    printf("%zu packets came of %u\n", caught_count, packets);
    return 0;
}
