/* The sockets towards one gateway. Inside of this folder only. */
#ifndef TUND_GATEWAY_GATEWAY_SOCKET_H
#define TUND_GATEWAY_GATEWAY_SOCKET_H

#include <uv.h>

#include "gateway.h"

struct gateway_socket; /* heap; frees itself in the loop after gateway_socket_close */

struct gateway_socket_handler {
    void *ctx;
    enum gateway_family family;
    /* From the gateway alone. `refused`: its host says that nothing listens. */
    void (*on_datagram)(void *ctx, enum gateway_family family, const uint8_t *data, size_t len);
    void (*on_refused)(void *ctx, enum gateway_family family);
};

/* Connected to port 5351 of the gateway, so that the kernel drops what others send. `own` is in: the
 * address to bind to, or zero; out: our address towards the gateway. 0 or a negative errno. */
TN_MUST_CHECK int gateway_socket_ask(struct gateway_socket **out, uv_loop_t *loop,
                                     const struct tn_addr *gateway, uint32_t ifindex,
                                     struct tn_addr *own,
                                     const struct gateway_socket_handler *handler);
/* Hears the gateway's announcements (RFC 6887 section 14.1.1) on that link. */
TN_MUST_CHECK int gateway_socket_hear(struct gateway_socket **out, uv_loop_t *loop,
                                      const struct tn_addr *gateway, uint32_t ifindex,
                                      const struct gateway_socket_handler *handler);
/* 0 or a negative errno: the datagram is lost. */
TN_MUST_CHECK int gateway_socket_send(struct gateway_socket *s, const uint8_t *data, size_t len);
void gateway_socket_close(struct gateway_socket *s); /* NULL is fine */

#endif
