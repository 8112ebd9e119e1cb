/* The example application, the same for every port: UDP echo (port 7, RFC 862), and a CoAP server
 * (port 5683, RFC 7252) that tells how the device is. */
#ifndef APP_H
#define APP_H

#include "bridge.h"

#define APP_ECHO_PORT 7
#define APP_COAP_PORT 5683

struct app {
    struct bridge *bridge;
    uint64_t (*clock_us)(void *ctx); /* the port's, for the uptime */
    void *clock_ctx;
    uint16_t next_message_id; /* of CoAP answers that are not piggybacked */
};

/* Binds the ports; `a` and what it points to live as long as the device. Call it after each
 * bridge_init. Errors of bridge_udp_bind. */
TN_MUST_CHECK int app_start(struct app *a, struct bridge *b, uint64_t (*clock_us)(void *), void *ctx);

/* A request of `len` bytes at `data`, answered there: the answer's length, at most `room`; 0: none. */
size_t app_coap(struct app *a, uint8_t *data, size_t len, size_t room);
/* How the device is, for people: "name electron-1\n..." into out, no NUL; its length, at most cap.
 * html: as a page. */
size_t app_status(const struct app *a, char *out, size_t cap, bool html);

#endif
