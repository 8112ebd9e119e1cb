/* tund-device: one or many devices in one process, each in a folder of its own. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../app/tcp.h"
#include "host.h"

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    is_over = 1;
}

static int usage(FILE *to)
{
    fputs("usage: tund-device [--port PORT] [--budget BYTES] [--silent] DIR...\n"
          "Runs a device of the overlay for each folder: DIR/state is its EEPROM, made where there is\n"
          "none; DIR/invite is redeemed at the first start. Prints NAME STATE SECONDS with each change.\n"
          "  --port PORT   local UDP port (one device only)\n"
          "  --budget BYTES  that it may spend in a day, kept in its state; 0: as many as may be\n"
          "  --silent      prints nothing\n", to);
    return to == stdout ? 0 : 2;
}

static int wait_ms(const struct host_device *d, size_t count, uint64_t now_us)
{
    uint64_t at = now_us + 3600000000u;

    for (size_t i = 0; i < count; i++) {
        uint64_t due = host_next_deadline(&d[i]);

        at = due < at ? due : at;
    }
    return at <= now_us ? 0 : (int)((at - now_us + 999) / 1000);
}

static int run(struct host_device *d, struct pollfd *p, size_t count)
{
    while (!is_over) {
        uint64_t now_us = host_now();
        int ready;

        for (size_t i = 0; i < count; i++) { /* the probe socket is another one now and then */
            p[2 * i] = (struct pollfd){.fd = d[i].fd, .events = POLLIN};
            p[2 * i + 1] = (struct pollfd){.fd = d[i].probe_fd, .events = POLLIN};
        }
        ready = poll(p, 2 * count, wait_ms(d, count, now_us));

        if (ready < 0 && errno != EINTR) {
            perror("poll");
            return 1;
        }
        now_us = host_now();
        for (size_t i = 0; i < count; i++) {
            if (ready > 0 && (p[2 * i].revents || p[2 * i + 1].revents))
                host_receive(&d[i], now_us);
            if (host_next_deadline(&d[i]) <= now_us)
                host_tick(&d[i], now_us);
        }
    }
    return 0;
}

static int open_all(struct host_device *d, char **dirs, size_t count, uint16_t port, bool is_silent)
{
    for (size_t i = 0; i < count; i++) {
        if (host_open(&d[i], dirs[i], port, is_silent) != 0)
            return 1;
    }
    return 0;
}

static bool read_budget(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && *text && !*end && *out >= 0 && *out <= UINT32_MAX;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct host_device *d;
    struct pollfd *p;
    bool is_silent = false;
    int64_t budget = -1; /* as it was */
    unsigned long port = 0;
    size_t count;
    int i = 1, status;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--help"))
            return usage(stdout);
        if (!strcmp(argv[i], "--silent"))
            is_silent = true;
        else if (!strcmp(argv[i], "--port") && i + 1 < argc)
            port = strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--budget") && i + 1 < argc && read_budget(argv[i + 1], &budget))
            i++;
        else
            return usage(stderr);
    }
    count = (size_t)(argc - i);
    if (!count || port > UINT16_MAX || (port && count > 1))
        return usage(stderr);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    d = calloc(count, sizeof *d);
    p = calloc(2 * count, sizeof *p);
    status = !d || !p || open_all(d, argv + i, count, (uint16_t)port, is_silent);
    if (!status && count == 1 && app_tcp_start(&d->app) != 0) { /* lwIP serves one device in a process */
        fputs("tund-device: no memory for TCP\n", stderr);
        status = 1;
    }
    for (size_t k = 0; !status && budget >= 0 && k < count; k++)
        bridge_set_budget(d[k].bridge, (uint32_t)budget, host_now());
    if (!status)
        status = run(d, p, count);
    for (size_t k = 0; d && k < count; k++) {
        if (d[k].bridge)
            host_close(&d[k]);
    }
    free(p);
    free(d);
    return status;
}
