/* sara-u2: the modem as a program. A chip's serial line on one side, real UDP sockets on the other.
 *
 * Whatever comes and goes on the serial line is paced to its baud rate, ten bits a byte. The modem
 * stays on when the chip goes away, as a real one does through a chip's reset. */
#include "modem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: sara-u2 --uart PATH [--control PATH] [--baud N]\n"
    "Plays a u-blox SARA-U2 modem. The chip's serial line is a UNIX stream socket that it listens on:\n"
    "QEMU connects with -serial unix:PATH. Sends and receives UDP from where it runs.\n"
    "  --baud N        pace of the line, both ways (115200); 0: as fast as it goes\n"
    "  --control PATH  a UNIX datagram socket that takes words and answers; wirectl speaks to it:\n"
    "    stats                       counters, as JSON\n"
    "    zero                        counters begin again\n"
    "    pdp-drop                    the carrier takes the context away\n"
    "    reboot                      as after a power cycle\n"
    "    network=on|off              registered or not\n"
    "    urc-lost=on|off             announcements are lost while it waits for a datagram's bytes\n"
    "    late=N,MS                   the next N results come MS late\n"
    "    full=N                      the next N datagrams find the buffers full\n"
    "    garbled=N                   the next N answers to +USORF are nonsense\n"
    "    extra-crlf=on|off           G350: an empty line behind what +USORF reads\n"
    "    double-crlf=on|off          R410: two line ends each\n"
    "    mute=on|off                 no answer at all\n"
    "Ends with SIGTERM or SIGINT, status 0; 2 when it cannot begin.\n";

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    is_over = 1;
}

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "sara-u2: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* ---- the network ---- */

struct world {
    struct modem modem;
    int socket[MODEM_SOCKETS]; /* -1: closed */
    int listener, chip, control;
    uint64_t bytes_per_s; /* 0: not paced */
    uint64_t in_at_us, out_at_us; /* when the line is free again */
    uint64_t uart_in, uart_out;
};

static int net_open(void *ctx, int handle, uint16_t port)
{
    struct world *w = ctx;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        return error;
    }
    w->socket[handle] = fd;
    return 0;
}

static int net_send(void *ctx, int handle, const uint8_t ip[4], uint16_t port, const void *data, size_t len)
{
    struct world *w = ctx;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    memcpy(&a.sin_addr, ip, 4);
    return sendto(w->socket[handle], data, len, 0, (struct sockaddr *)&a, sizeof a) < 0 ? errno : 0;
}

static void net_close(void *ctx, int handle)
{
    struct world *w = ctx;

    if (w->socket[handle] >= 0)
        close(w->socket[handle]);
    w->socket[handle] = -1;
}

static int net_resolve(void *ctx, const char *name, uint8_t ip[4])
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *list;

    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return EHOSTUNREACH;
    memcpy(ip, &((struct sockaddr_in *)list->ai_addr)->sin_addr, 4);
    freeaddrinfo(list);
    return 0;
}

static void receive(struct world *w, int handle)
{
    uint8_t data[2048], ip[4];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(w->socket[handle], data, sizeof data, 0, (struct sockaddr *)&from, &from_len);

    if (len < 0)
        return; /* an ICMP error of before: the modem does not tell */
    memcpy(ip, &from.sin_addr, 4);
    modem_on_datagram(&w->modem, handle, ip, ntohs(from.sin_port), data, (size_t)len, now_us());
}

/* ---- the serial line ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof u.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(u.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&u, sizeof u) < 0 || listen(fd, 1) < 0)
        die(path);
    return fd;
}

/* How many bytes the line has had time for since *free_at_us, at most `most`; takes that time. */
static size_t paced(struct world *w, uint64_t *free_at_us, size_t most, uint64_t now)
{
    uint64_t behind;
    size_t n;

    if (!w->bytes_per_s)
        return most;
    if (*free_at_us + 10000 < now)
        *free_at_us = now - 10000; /* a line that was idle saves up nothing but our own pauses */
    behind = now > *free_at_us ? now - *free_at_us : 0;
    n = (size_t)(behind * w->bytes_per_s / 1000000u);
    return n < most ? n : most;
}

static void take_time(struct world *w, uint64_t *free_at_us, size_t bytes)
{
    if (w->bytes_per_s)
        *free_at_us += (uint64_t)bytes * 1000000u / w->bytes_per_s;
}

static void hang_up(struct world *w)
{
    close(w->chip);
    w->chip = -1;
}

static void from_chip(struct world *w, uint64_t now)
{
    uint8_t bytes[512];
    size_t most = paced(w, &w->in_at_us, sizeof bytes, now);
    ssize_t len = most ? recv(w->chip, bytes, most, MSG_DONTWAIT) : 0;

    if (!most || (len < 0 && errno == EAGAIN))
        return;
    if (len <= 0) {
        hang_up(w);
        return;
    }
    w->uart_in += (uint64_t)len;
    take_time(w, &w->in_at_us, (size_t)len);
    modem_on_bytes(&w->modem, bytes, (size_t)len, now);
}

static void to_chip(struct world *w, uint64_t now)
{
    uint8_t bytes[512];
    size_t len = modem_take(&w->modem, bytes, paced(w, &w->out_at_us, sizeof bytes, now));

    if (!len)
        return;
    w->uart_out += len;
    take_time(w, &w->out_at_us, len);
    /* the other end is QEMU, which takes what its chip has room for; a line has no memory */
    if (w->chip >= 0 && send(w->chip, bytes, len, MSG_NOSIGNAL) < 0)
        hang_up(w);
}

/* ---- control ---- */

static int control_at(const char *path)
{
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof u.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(u.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&u, sizeof u) < 0)
        die(path);
    return fd;
}

static int describe(const struct world *w, char *out, size_t size)
{
    const struct modem_counters *c = &w->modem.count;
    unsigned open = 0;

    for (int h = 0; h < MODEM_SOCKETS; h++)
        open += w->modem.sockets[h].is_open;
    return snprintf(out, size,
                    "{\"udp_tx\":%llu,\"udp_rx\":%llu,\"datagrams_tx\":%u,\"datagrams_rx\":%u,\"overflows\":%u,"
                    "\"lost_urcs\":%u,\"commands\":%u,\"errors\":%u,\"reboots\":%u,\"sockets\":%u,"
                    "\"activated\":%s,\"uart_in\":%llu,\"uart_out\":%llu}\n",
                    (unsigned long long)c->udp_tx, (unsigned long long)c->udp_rx, c->datagrams_tx,
                    c->datagrams_rx, c->overflows, c->lost_urcs, c->commands, c->errors, c->reboots, open,
                    w->modem.activated ? "true" : "false", (unsigned long long)w->uart_in,
                    (unsigned long long)w->uart_out);
}

static void serve_control(struct world *w)
{
    char words[512], out[1024];
    struct sockaddr_un client;
    socklen_t client_len = sizeof client;
    ssize_t len = recvfrom(w->control, words, sizeof words - 1, 0, (struct sockaddr *)&client, &client_len);
    int said = snprintf(out, sizeof out, "ok\n");

    if (len < 0)
        return;
    words[len] = '\0';
    if (!strcmp(words, "stats")) {
        said = describe(w, out, sizeof out);
    } else if (!strcmp(words, "zero")) {
        w->modem.count = (struct modem_counters){0};
        w->uart_in = w->uart_out = 0;
    } else {
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
            if (!modem_control(&w->modem, word))
                said = snprintf(out, sizeof out, "error: the modem does not know \"%.100s\"\n", word);
    }
    /* a client that has gone away meanwhile is no business of ours */
    sendto(w->control, out, (size_t)said, MSG_DONTWAIT, (struct sockaddr *)&client, client_len);
}

/* ---- the loop ---- */

static int patience_ms(const struct world *w, uint64_t now)
{
    uint64_t due = modem_next_deadline(&w->modem);

    if (w->modem.out_len || w->in_at_us > now)
        return 1;
    if (due == UINT64_MAX)
        return 1000;
    return due <= now ? 0 : (int)((due - now) / 1000 + 1);
}

static void turn(struct world *w)
{
    struct pollfd p[3 + MODEM_SOCKETS] = {
        {.fd = w->chip < 0 ? w->listener : -1, .events = POLLIN},
        {.fd = w->control, .events = POLLIN},
        {.fd = w->chip, .events = w->in_at_us > now_us() ? 0 : POLLIN},
    };

    for (int h = 0; h < MODEM_SOCKETS; h++)
        p[3 + h] = (struct pollfd){.fd = w->socket[h], .events = POLLIN};
    if (poll(p, 3 + MODEM_SOCKETS, patience_ms(w, now_us())) < 0 && errno != EINTR)
        die("poll");
    if (p[0].revents)
        w->chip = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
    if (p[1].revents)
        serve_control(w);
    for (int h = 0; h < MODEM_SOCKETS; h++)
        if (p[3 + h].revents && w->socket[h] == p[3 + h].fd)
            receive(w, h);
    if (w->chip >= 0)
        from_chip(w, now_us());
    modem_tick(&w->modem, now_us());
    to_chip(w, now_us());
}

int main(int argc, char **argv)
{
    static struct world w = {.control = -1, .chip = -1, .bytes_per_s = 11520};
    const struct modem_net net = {net_open, net_send, net_close, net_resolve, &w};
    const struct sigaction end = {.sa_handler = on_signal};
    const char *uart = NULL, *control = NULL;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            fputs(help, stdout);
            return 0;
        }
        if (i + 1 < argc && !strcmp(argv[i], "--uart"))
            uart = argv[++i];
        else if (i + 1 < argc && !strcmp(argv[i], "--control"))
            control = argv[++i];
        else if (i + 1 < argc && !strcmp(argv[i], "--baud"))
            w.bytes_per_s = strtoul(argv[++i], NULL, 10) / 10;
        else
            uart = NULL, i = argc;
    }
    if (!uart) {
        fprintf(stderr, "sara-u2: see sara-u2 --help\n");
        return 2;
    }
    for (int h = 0; h < MODEM_SOCKETS; h++)
        w.socket[h] = -1;
    modem_init(&w.modem, &net);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    w.listener = listen_at(uart);
    if (control)
        w.control = control_at(control);
    printf("ready\n");
    fflush(stdout);
    while (!is_over)
        turn(&w);
    modem_reboot(&w.modem); /* closes its sockets */
    unlink(uart);
    if (control)
        unlink(control);
    return 0;
}
