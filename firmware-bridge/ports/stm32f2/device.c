/* How the core and the modem meet.
 *
 * The core wants to be drained after each thing that is pushed into it; the modem takes one datagram at
 * a time, a tenth of a second each, and has one buffer for both directions. So nothing is pushed before
 * what the last push caused has gone, and nothing but what was read while that buffer is being read
 * into: or a datagram that came and one that wants to go would wait for each other for ever. While
 * there is no modem, what the core sends is lost, and it goes on by its own clock. */
#include "device.h"

#include <string.h>

#include "../../app/tcp.h"
#include "board.h"
#include "chip.h"

#define RESOLVE_RETRY_US 5000000u

static uint64_t app_clock(void *ctx)
{
    (void)ctx;
    return chip_now_us();
}

int device_start(struct device *d, uint64_t now_us)
{
    struct bridge_config cfg = {.storage = &board_storage};
    char apn[AT_APN_MAX + 1];
    uint32_t seed;
    int err;

    if (board_entropy(cfg.rng_seed, sizeof cfg.rng_seed) != 0 || board_entropy((uint8_t *)&seed, sizeof seed) != 0)
        return 1;
    err = bridge_init(&d->bridge, &cfg, now_us);
    for (volatile uint8_t *p = cfg.rng_seed; p < cfg.rng_seed + sizeof cfg.rng_seed; p++)
        *p = 0;
    if (err && err != TN_ENOENT)
        return 1;
    board_apn(apn, sizeof apn);
    at_init(&d->at, apn, seed, now_us);
    d->is_drained = false;
    d->resolve_at_us = UINT64_MAX;
    d->told = BRIDGE_EMPTY;
    return app_start(&d->app, &d->bridge, app_clock, NULL) != 0 || app_tcp_start(&d->app) != 0;
}

/* ---- the coordinator's name ---- */

/* May anything be pushed that did not come from the modem's buffer? */
static bool may_push(const struct device *d)
{
    return d->is_drained && (d->at.state != AT_UP || at_can_send(&d->at));
}

static void look_up(struct device *d, uint64_t now_us)
{
    uint16_t port;
    uint8_t ip[4];
    const char *host = bridge_coordinator(&d->bridge, &port);
    int got;

    if (!host || !may_push(d))
        return;
    if (bridge_take_resolve(&d->bridge) || d->resolve_at_us <= now_us) {
        d->resolve_at_us = UINT64_MAX;
        at_resolve(&d->at, host);
    }
    got = at_resolved(&d->at, ip);
    if (got > 0) {
        struct tn_addr a = tn_addr_v4(ip, port);

        bridge_set_coordinator(&d->bridge, &a, now_us);
        d->is_drained = false;
    } else if (got < 0) {
        d->resolve_at_us = now_us + RESOLVE_RETRY_US;
    }
}

/* ---- datagrams ---- */

static void send_out(struct device *d, uint64_t now_us)
{
    struct bridge_out out;

    while (!d->is_drained && (d->at.state != AT_UP || at_can_send(&d->at))) {
        d->is_drained = !bridge_poll(&d->bridge, &out, now_us);
        if (!d->is_drained && tn_addr_is_v4(&out.to)) {
            struct at_address to = {.port = out.to.port};

            memcpy(to.ip, out.to.ip + 12, 4);
            (void)at_send(&d->at, &to, out.data, out.len); /* not now: it is lost, as on the air */
        }
    }
}

static void take_in(struct device *d, uint64_t now_us)
{
    struct at_address from;
    const uint8_t *data;
    size_t len = at_received(&d->at, &from, &data);
    struct tn_addr src = tn_addr_v4(from.ip, from.port);

    if (!len)
        return;
    memcpy(bridge_buffer(&d->bridge), data, len);
    at_release(&d->at);
    bridge_on_datagram(&d->bridge, &src, len, now_us);
    d->is_drained = false;
}

static void modem(struct device *d, uint64_t now_us)
{
    uint8_t bytes[64];
    size_t n;
    int byte;

    /* a datagram stays in the driver until it was taken: no byte behind it is read before */
    while (!at_received(&d->at, &(struct at_address){{0}, 0}, &(const uint8_t *){NULL}) &&
           (byte = chip_read(CHIP_MODEM)) >= 0)
        at_on_byte(&d->at, (uint8_t)byte, now_us);
    at_tick(&d->at, now_us);
    send_out(d, now_us);
    if (may_push(d) && at_take_up(&d->at) && d->bridge.is_member) {
        bridge_on_network_change(&d->bridge, now_us);
        d->is_drained = false;
    }
    look_up(d, now_us);
    if (d->is_drained)
        take_in(d, now_us);
    else
        at_release(&d->at); /* joining at the prompt came in between: it is lost, as on the air */
    if (may_push(d) && bridge_next_deadline(&d->bridge) <= now_us) {
        bridge_tick(&d->bridge, now_us);
        d->is_drained = false;
    }
    send_out(d, now_us);
    n = at_take(&d->at, bytes, sizeof bytes, now_us);
    chip_write(CHIP_MODEM, bytes, n);
}

void device_turn(struct device *d, uint64_t now_us)
{
    int byte;

    modem(d, now_us);
    byte = chip_read(CHIP_CONSOLE);
    if (byte >= 0)
        console_on_byte(d, (uint8_t)byte, now_us);
    console_tell(d, now_us);
}
