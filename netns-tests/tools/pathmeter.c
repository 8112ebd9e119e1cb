/* pathmeter - measures one way of a path: loss, order and delay of UDP
 * datagrams from one network namespace to another. Both sockets are held by
 * this one process, so there is one clock and the delay is truly one-way. */
#include "lab_netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>

static const char help[] =
    "usage: pathmeter --from NETNS --to NETNS --address IP [options]\n"
    "\n"
    "Sends datagrams to IP, an address in the second namespace, and prints what arrived.\n"
    "\n"
    "  --count N   how many (default 500)\n"
    "  --rate N    how many in a second (default 1000)\n"
    "  --size N    bytes of payload, 24 to 1400 (default 100)\n"
    "  --wait MS   how long to wait for the last ones (default 500)\n"
    "  --json      one JSON object instead of words\n";

#define COUNT_MAX 1000000
#define PORT 9 /* discard: nothing else is on it */

struct options {
    const char *from, *to, *address;
    unsigned count, rate, size;
    int wait_ms;
    bool json;
};

struct probe {
    uint64_t run; /* random: what is left of another run does not count */
    uint64_t sequence;
    int64_t sent_ns;
};

struct meter {
    struct options o;
    int from_fd, to_fd;
    uint64_t run;
    struct sockaddr_storage to;
    socklen_t to_len;
    unsigned sent, received, overtaken;
    uint64_t highest;
    double *delay_ms; /* one for each datagram received */
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "from", required_argument, NULL, 'f' },  { "to", required_argument, NULL, 't' },
        { "address", required_argument, NULL, 'a' }, { "count", required_argument, NULL, 'c' },
        { "rate", required_argument, NULL, 'r' },  { "size", required_argument, NULL, 's' },
        { "wait", required_argument, NULL, 'w' },  { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
    };
    struct options o = { .count = 500, .rate = 1000, .size = 100, .wait_ms = 500 };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 'f': o.from = optarg; break;
        case 't': o.to = optarg; break;
        case 'a': o.address = optarg; break;
        case 'c': o.count = (unsigned)lab_number("--count", optarg, 1, COUNT_MAX); break;
        case 'r': o.rate = (unsigned)lab_number("--rate", optarg, 1, 1000000); break;
        case 's': o.size = (unsigned)lab_number("--size", optarg, sizeof(struct probe), 1400); break;
        case 'w': o.wait_ms = (int)lab_number("--wait", optarg, 0, 600000); break;
        case 'j': o.json = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: lab_die(0, "see pathmeter --help");
        }
    }
    if (!o.from || !o.to || !o.address)
        lab_die(0, "--from, --to and --address are needed; see pathmeter --help");
    return o;
}

static void meter_open(struct meter *m)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&m->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&m->to;
    int buffer = 4 << 20;

    if (inet_pton(AF_INET, m->o.address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(PORT);
        m->to_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, m->o.address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(PORT);
        m->to_len = sizeof *v6;
    } else {
        lab_die(0, "\"%s\" is not an IP address", m->o.address);
    }
    m->to_fd = lab_socket_in(lab_netns_open(m->o.to), m->to.ss_family, SOCK_DGRAM);
    if (bind(m->to_fd, (struct sockaddr *)&m->to, m->to_len) < 0)
        lab_die(errno, "cannot bind %s in %s", m->o.address, m->o.to);
    /* best effort: a smaller buffer only matters at rates far above the default */
    setsockopt(m->to_fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    m->from_fd = lab_socket_in(lab_netns_open(m->o.from), m->to.ss_family, SOCK_DGRAM);
    if (getrandom(&m->run, sizeof m->run, 0) != sizeof m->run)
        lab_die(errno, "getrandom");
    m->delay_ms = calloc(m->o.count, sizeof *m->delay_ms);
    if (!m->delay_ms)
        lab_die(errno, "calloc");
}

static void send_one(struct meter *m)
{
    uint8_t payload[1400] = { 0 };
    struct probe p = { .run = m->run, .sequence = m->sent, .sent_ns = lab_now_ns() };

    memcpy(payload, &p, sizeof p);
    if (sendto(m->from_fd, payload, m->o.size, 0, (struct sockaddr *)&m->to, m->to_len) < 0 &&
        errno != ECONNREFUSED)
        lab_die(errno, "cannot send from %s to %s", m->o.from, m->o.address);
    m->sent++;
}

static void receive_all(struct meter *m)
{
    uint8_t payload[1500];
    struct probe p;

    while (m->received < m->o.count) {
        ssize_t len = recv(m->to_fd, payload, sizeof payload, MSG_DONTWAIT);

        if (len < 0)
            return;
        if ((size_t)len < sizeof p)
            continue;
        memcpy(&p, payload, sizeof p);
        if (p.run != m->run)
            continue;
        if (m->received > 0 && p.sequence < m->highest)
            m->overtaken++;
        else
            m->highest = p.sequence;
        m->delay_ms[m->received++] = (double)(lab_now_ns() - p.sent_ns) / 1e6;
    }
}

/* Sleeps until something arrived or the moment has come. */
static void listen_until(struct meter *m, int64_t until_ns)
{
    int64_t left_ns = until_ns - lab_now_ns();

    if (left_ns > 0) {
        struct pollfd p = { .fd = m->to_fd, .events = POLLIN };
        struct timespec t = { .tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000 };

        if (ppoll(&p, 1, &t, NULL) < 0)
            lab_die(errno, "ppoll");
    }
    receive_all(m);
}

static void measure(struct meter *m)
{
    int64_t start_ns = lab_now_ns();
    int64_t gap_ns = 1000000000 / (int64_t)m->o.rate;

    while (m->sent < m->o.count) {
        int64_t next_ns = start_ns + (int64_t)m->sent * gap_ns;

        if (lab_now_ns() >= next_ns)
            send_one(m);
        listen_until(m, m->sent < m->o.count ? start_ns + (int64_t)m->sent * gap_ns : 0);
    }
    int64_t end_ns = lab_now_ns() + (int64_t)m->o.wait_ms * 1000000;
    while (m->received < m->o.count && lab_now_ns() < end_ns)
        listen_until(m, end_ns);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const struct meter *m, double q)
{
    return m->received == 0 ? 0 : m->delay_ms[(size_t)(q * (m->received - 1) + 0.5)];
}

int main(int argc, char **argv)
{
    struct meter m = { .o = parse_options(argc, argv) };

    prctl(PR_SET_TIMERSLACK, 1UL);
    meter_open(&m);
    measure(&m);
    qsort(m.delay_ms, m.received, sizeof *m.delay_ms, by_size);
    double loss = 100.0 * (m.sent - m.received) / m.sent;
    printf(m.o.json ? "{\"sent\":%u,\"received\":%u,\"loss_pct\":%.2f,\"overtaken\":%u,"
                      "\"delay_min_ms\":%.3f,\"delay_p50_ms\":%.3f,\"delay_p99_ms\":%.3f,"
                      "\"delay_max_ms\":%.3f}\n"
                    : "sent %u received %u loss %.2f %% overtaken %u delay ms: min %.3f p50 %.3f "
                      "p99 %.3f max %.3f\n",
           m.sent, m.received, loss, m.overtaken, quantile(&m, 0), quantile(&m, 0.5),
           quantile(&m, 0.99), quantile(&m, 1));
    free(m.delay_ms);
    return 0;
}
