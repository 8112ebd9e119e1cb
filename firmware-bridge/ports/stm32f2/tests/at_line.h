/* The driver and the modem on one serial line under one clock, for tests. The modem's network is a
 * list of what was sent last; a test puts what comes in by hand. */
#ifndef AT_LINE_H
#define AT_LINE_H

#include <errno.h>
#include <string.h>

#include "firmware-bridge/modem/modem.h"
#include "firmware-bridge/ports/stm32f2/at.h"

#define LINE_STEP_US 868u /* ten bytes at 115200 baud */

struct line {
    struct at at;
    struct modem modem;
    uint64_t now_us;
    int open_sockets, sent;
    uint8_t last[MODEM_DATAGRAM_MAX];
    size_t last_len;
    int send_error, open_error;
    bool cut; /* nothing passes */
    uint64_t chip_bytes;
};

static int line_open(void *ctx, int handle, uint16_t port)
{
    struct line *l = ctx;

    (void)handle, (void)port;
    if (l->open_error)
        return l->open_error;
    l->open_sockets++;
    return 0;
}

static int line_send(void *ctx, int handle, const uint8_t ip[4], uint16_t port, const void *data, size_t len)
{
    struct line *l = ctx;

    (void)handle, (void)ip, (void)port;
    if (l->send_error)
        return l->send_error;
    l->sent++;
    memcpy(l->last, data, len);
    l->last_len = len;
    return 0;
}

static void line_close(void *ctx, int handle)
{
    (void)handle;
    ((struct line *)ctx)->open_sockets--;
}

static int line_resolve(void *ctx, const char *name, uint8_t ip[4])
{
    (void)ctx;
    if (strcmp(name, "coordinator.example") != 0)
        return EHOSTUNREACH;
    memcpy(ip, (const uint8_t[]){192, 0, 2, 9}, 4);
    return 0;
}

static inline void line_init(struct line *l)
{
    struct modem_net net = {line_open, line_send, line_close, line_resolve, l};

    memset(l, 0, sizeof *l);
    l->now_us = 1000000;
    modem_init(&l->modem, &net);
    at_init(&l->at, "spark.telefonica.com", 7, l->now_us);
}

/* Ten bytes of time. */
static inline void line_step(struct line *l)
{
    uint8_t bytes[10];
    size_t n;

    l->now_us += LINE_STEP_US;
    at_tick(&l->at, l->now_us);
    n = at_take(&l->at, bytes, sizeof bytes, l->now_us);
    l->chip_bytes += n;
    if (!l->cut)
        modem_on_bytes(&l->modem, bytes, n, l->now_us);
    modem_tick(&l->modem, l->now_us);
    n = modem_take(&l->modem, bytes, sizeof bytes);
    for (size_t i = 0; i < n && !l->cut; i++)
        at_on_byte(&l->at, bytes[i], l->now_us);
}

/* Until the driver is up and idle; milliseconds that it took, or -1 after `patience_s`. */
static inline long line_until_up(struct line *l, unsigned patience_s)
{
    uint64_t began_us = l->now_us;

    while (l->now_us < began_us + patience_s * 1000000ull) {
        line_step(l);
        if (l->at.state == AT_UP && l->at.command == 0)
            return (long)((l->now_us - began_us) / 1000);
    }
    return -1;
}

static inline void line_run_ms(struct line *l, unsigned ms)
{
    for (uint64_t end_us = l->now_us + ms * 1000ull; l->now_us < end_us;)
        line_step(l);
}

static inline void line_arrives(struct line *l, const void *data, size_t len)
{
    modem_on_datagram(&l->modem, l->at.handle, (const uint8_t[]){198, 51, 100, 7}, 4000, data, len, l->now_us);
}

/* Milliseconds until a datagram is there, which is then released; -1: none within patience. */
static inline long line_until_received(struct line *l, const void *want, size_t len, unsigned patience_s)
{
    uint64_t began_us = l->now_us;

    while (l->now_us < began_us + patience_s * 1000000ull) {
        struct at_address from;
        const uint8_t *data;
        size_t got;

        line_step(l);
        got = at_received(&l->at, &from, &data);
        if (!got)
            continue;
        if (got != len || memcmp(data, want, len) != 0 || from.port != 4000 || from.ip[3] != 7)
            return -2;
        at_release(&l->at);
        return (long)((l->now_us - began_us) / 1000);
    }
    return -1;
}

#endif
