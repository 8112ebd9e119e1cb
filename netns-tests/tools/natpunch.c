/* natpunch - tells whether two hosts behind two routers can reach each other.
 *
 * It is the lab's own opinion on a pair of routers, to be compared with what
 * tund makes of them. Both sockets are held by this one process, but each side
 * uses only what it could know in life: where a common server saw the other
 * (that is what a coordinator tells), and from where packets of the other came
 * (peer-reflexive candidates). Every 25 ms each side sends to all addresses of
 * the other that it knows, and says in the packet whether it has heard anything
 * yet. The pair is direct when both have heard that they were heard. */
#include "natprobe.h"

#include "lab_netns.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: natpunch --server NETNS --a NETNS --b NETNS --address IP [options]\n"
    "\n"
    "Tries to punch a way between hosts a and b, which both reach the server's address.\n"
    "\n"
    "  --port P    the server's port (default 7003)\n"
    "  --trials N  how often, each with new sockets (default 3)\n"
    "  --wait MS   after this long a trial has failed (default 600)\n"
    "  --json      one JSON object instead of words\n"
    "\n"
    "Exit status: 0 when every trial was direct, 1 when none was, 3 when some were, 2 on failure.\n";

#define ROUND_MS 25
#define KNOWN_MAX 8

struct options {
    const char *server, *a, *b, *address;
    uint16_t port;
    int trials, wait_ms;
    bool json;
};

struct side {
    int fd;
    struct np_addr known[KNOWN_MAX]; /* addresses of the other side */
    size_t known_count;
    bool heard;     /* has anything come from the other side? */
    bool confirmed; /* has the other side said that it heard us? */
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "server", required_argument, NULL, 's' },  { "a", required_argument, NULL, 'a' },
        { "b", required_argument, NULL, 'b' },       { "address", required_argument, NULL, 'i' },
        { "port", required_argument, NULL, 'p' },    { "trials", required_argument, NULL, 't' },
        { "wait", required_argument, NULL, 'w' },    { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    struct options o = { .port = 7003, .trials = 3, .wait_ms = 600 };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 's': o.server = optarg; break;
        case 'a': o.a = optarg; break;
        case 'b': o.b = optarg; break;
        case 'i': o.address = optarg; break;
        case 'p': o.port = (uint16_t)lab_number("--port", optarg, 1, 65535); break;
        case 't': o.trials = (int)lab_number("--trials", optarg, 1, 1000); break;
        case 'w': o.wait_ms = (int)lab_number("--wait", optarg, 1, 60000); break;
        case 'j': o.json = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: lab_die(0, "see natpunch --help");
        }
    }
    if (!o.server || !o.a || !o.b || !o.address)
        lab_die(0, "--server, --a, --b and --address are needed; see natpunch --help");
    return o;
}

static void learn(struct side *s, const struct np_addr *other)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (np_addr_same(&s->known[i], other))
            return;
    if (s->known_count < KNOWN_MAX)
        s->known[s->known_count++] = *other;
}

static void send_round(struct side *s)
{
    const char *text = s->heard ? "PUNCH heard" : "PUNCH";

    /* an error here is the ICMP answer to an earlier packet: the next round comes */
    for (size_t i = 0; i < s->known_count; i++)
        sendto(s->fd, text, strlen(text), 0, (struct sockaddr *)&s->known[i].ss, s->known[i].len);
}

static void receive_all(struct side *s)
{
    char text[64];

    for (;;) {
        struct np_addr from = { .len = sizeof from.ss };
        ssize_t len = recvfrom(s->fd, text, sizeof text - 1, MSG_DONTWAIT,
                               (struct sockaddr *)&from.ss, &from.len);
        if (len < 0)
            return;
        text[len] = '\0';
        if (strncmp(text, "PUNCH", 5) != 0)
            continue;
        s->heard = true;
        if (strcmp(text, "PUNCH heard") == 0)
            s->confirmed = true;
        learn(s, &from);
    }
}

/* Opens both sockets and tells each side where the server saw the other. */
static void introduce(const struct np_lab *lab, struct side side[2])
{
    struct np_flight hello[2];
    uint16_t port;

    memset(side, 0, 2 * sizeof *side);
    for (int i = 0; i < 2; i++) {
        side[i].fd = np_client(lab, i == 0 ? lab->client_ns : lab->client2_ns, &port);
        hello[i] = (struct np_flight){ .from_fd = side[i].fd, .to = lab->server[0][0],
                                       .at_fd = lab->server_fd[0][0] };
    }
    np_fly(hello, 2, 1000);
    for (int i = 0; i < 2; i++) {
        if (!hello[i].arrived)
            lab_die(0, "host %s does not reach the server", i == 0 ? "a" : "b");
        learn(&side[1 - i], &hello[i].source);
    }
}

/* Returns after how many ms the pair was direct, -1 when it never was. */
static int64_t punch(const struct np_lab *lab)
{
    struct side side[2];
    int64_t took_ms = -1;

    introduce(lab, side);
    int64_t start_ms = lab_now_ms(), round_ms = start_ms;
    while (took_ms < 0 && lab_now_ms() < start_ms + lab->wait_ms) {
        struct pollfd polled[2] = { { .fd = side[0].fd, .events = POLLIN },
                                    { .fd = side[1].fd, .events = POLLIN } };

        if (lab_now_ms() >= round_ms) {
            send_round(&side[0]);
            send_round(&side[1]);
            round_ms += ROUND_MS;
        }
        int64_t left_ms = round_ms - lab_now_ms();
        poll(polled, 2, left_ms > 0 ? (int)left_ms : 0);
        receive_all(&side[0]);
        receive_all(&side[1]);
        if (side[0].confirmed && side[1].confirmed)
            took_ms = lab_now_ms() - start_ms;
    }
    close(side[0].fd);
    close(side[1].fd);
    return took_ms;
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct np_lab lab = { .wait_ms = o.wait_ms };
    int direct = 0;
    int64_t slowest_ms = 0;

    lab.server_ns = lab_netns_open(o.server);
    lab.client_ns = lab_netns_open(o.a);
    lab.client2_ns = lab_netns_open(o.b);
    lab.server[0][0] = np_addr_parse(o.address, o.port);
    lab.family = lab.server[0][0].ss.ss_family;
    lab.server_fd[0][0] = np_bind(lab.server_ns, &lab.server[0][0]);
    for (int i = 0; i < o.trials; i++) {
        int64_t took_ms = punch(&lab);

        direct += took_ms >= 0;
        if (took_ms > slowest_ms)
            slowest_ms = took_ms;
    }
    printf(o.json ? "{\"direct\":%d,\"trials\":%d,\"slowest_ms\":%lld}\n"
                  : "direct %d of %d, slowest %lld ms\n",
           direct, o.trials, (long long)slowest_ms);
    return direct == o.trials ? 0 : direct == 0 ? 1 : 3;
}
