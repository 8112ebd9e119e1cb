/* wire - a network cable with faults, between two TAP devices in two network
 * namespaces (kernels without netem have nothing that can hold a packet back).
 *
 * One thread: it sleeps until a frame arrives, a held frame is due or somebody
 * writes to the control socket. wire_way.c decides each frame's fate. */
#include "wire.h"

#include "lab_netns.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char help[] =
    "usage: wire --a NETNS:IF --b NETNS:IF --control PATH [--seed N] [SETTING...]\n"
    "\n"
    "Makes the two TAP interfaces and carries frames between them until SIGTERM.\n"
    "Prints \"ready\" when both are up.\n"
    "\n"
    "Settings, for both ways or after \"ab.\" or \"ba.\" for one:\n"
    "  delay=MS  jitter=MS  loss=PERCENT  reorder=PERCENT  cut=0|1\n"
    "  rate=KBIT (0: no limit)  queue=BYTES (what may wait for the rate; default 262144)\n"
    "They can be changed at run time with wirectl.\n";

/* frames read from one end before the other end and the timers get their turn */
#define READ_BATCH 32

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Signals are let in only while ppoll sleeps, so none can be missed. */
static sigset_t catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t block, while_asleep;

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGINT);
    sigprocmask(SIG_BLOCK, &block, &while_asleep);
    sigdelset(&while_asleep, SIGTERM);
    sigdelset(&while_asleep, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return while_asleep;
}

static void take_in(int fd, struct wire_way *w)
{
    static uint8_t frame[65536];

    for (int i = 0; i < READ_BATCH; i++) {
        ssize_t len = read(fd, frame, sizeof frame);

        if (len <= 0)
            return;
        wire_way_push(w, frame, (uint32_t)len, lab_now_ns());
    }
}

static void let_out(int fd, struct wire_way *w)
{
    struct wire_frame *f;

    while ((f = wire_way_pop(w, lab_now_ns())) != NULL) {
        if (write(fd, f->data, f->len) < 0)
            w->count.unwritten++;
        else
            w->count.sent++;
        free(f);
    }
}

static void sleep_until_work(struct pollfd *fds, const struct wire_way way[2], const sigset_t *mask)
{
    int64_t next_ns = wire_way_next_ns(&way[0]), other_ns = wire_way_next_ns(&way[1]);
    struct timespec timeout, *limit = NULL;

    if (other_ns < next_ns)
        next_ns = other_ns;
    if (next_ns != WIRE_NEVER) {
        int64_t left_ns = next_ns - lab_now_ns();

        if (left_ns < 0)
            left_ns = 0;
        timeout = (struct timespec){ .tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000 };
        limit = &timeout;
    }
    if (ppoll(fds, 3, limit, mask) < 0) {
        if (errno != EINTR)
            lab_die(errno, "ppoll");
        for (int i = 0; i < 3; i++)
            fds[i].revents = 0;
    }
}

static void run(int a_fd, int b_fd, int control_fd, struct wire_way way[2], const sigset_t *mask)
{
    struct pollfd fds[3] = { { .fd = a_fd, .events = POLLIN },
                             { .fd = b_fd, .events = POLLIN },
                             { .fd = control_fd, .events = POLLIN } };

    while (!stopped) {
        sleep_until_work(fds, way, mask);
        if (fds[2].revents)
            wire_control_serve(control_fd, way);
        if (fds[0].revents & POLLIN)
            take_in(a_fd, &way[0]);
        let_out(b_fd, &way[0]);
        if (fds[1].revents & POLLIN)
            take_in(b_fd, &way[1]);
        let_out(a_fd, &way[1]);
    }
}

struct options {
    const char *a, *b, *control;
    uint64_t seed;
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "a", required_argument, NULL, 'a' },       { "b", required_argument, NULL, 'b' },
        { "control", required_argument, NULL, 'c' }, { "seed", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    struct options o = { .seed = 1 };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 'a': o.a = optarg; break;
        case 'b': o.b = optarg; break;
        case 'c': o.control = optarg; break;
        case 's': o.seed = (uint64_t)lab_number("--seed", optarg, 0, 9007199254740992.0); break;
        case 'h': fputs(help, stdout); exit(0);
        default: lab_die(0, "see wire --help");
        }
    }
    if (!o.a || !o.b || !o.control)
        lab_die(0, "--a, --b and --control are needed; see wire --help");
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct wire_way way[2];

    wire_way_init(&way[0], o.seed);
    wire_way_init(&way[1], ~o.seed);
    for (int i = optind; i < argc; i++) {
        const char *wrong = wire_apply(way, argv[i]);

        if (wrong)
            lab_die(0, "no such setting: %s; see wire --help", wrong);
    }
    /* the default slack of 50 us would be added to every delay */
    prctl(PR_SET_TIMERSLACK, 1UL);
    sigset_t mask = catch_signals();
    int a_fd = wire_tap_open(o.a);
    int b_fd = wire_tap_open(o.b);
    int control_fd = wire_control_open(o.control);
    puts("ready");
    if (fflush(stdout) != 0)
        lab_die(errno, "standard output");

    run(a_fd, b_fd, control_fd, way, &mask);
    unlink(o.control);
    wire_way_wipe(&way[0]);
    wire_way_wipe(&way[1]);
    return 0;
}
