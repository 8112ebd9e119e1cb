#include "app.h"

static size_t on_echo(void *ctx, struct bridge_datagram *d)
{
    return d->len; /* as it lies there */
}

static size_t on_coap(void *ctx, struct bridge_datagram *d)
{
    return app_coap(ctx, d->data, d->len, d->room);
}

int app_start(struct app *a, struct bridge *b, uint64_t (*clock_us)(void *), void *ctx)
{
    int err;

    *a = (struct app){.bridge = b, .clock_us = clock_us, .clock_ctx = ctx, .next_message_id = 1};
    err = bridge_udp_bind(b, APP_ECHO_PORT, on_echo, a);
    return err ? err : bridge_udp_bind(b, APP_COAP_PORT, on_coap, a);
}
