/* Where a member can be reached by TCP, as it tells its peer in a WireGuard session (PROTOCOL.md section 5.7). */
#ifndef TN_PATH_TCPMSG_H
#define TN_PATH_TCPMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/err.h"

#define TN_TCP_FIRST 12 /* first byte: 1 to 7 are other messages, 8 to 11 squeezed packets */
#define TN_TCP_ADDRS_MAX 6
#define TN_TCP_MSG_MAX (5 + TN_TCP_ADDRS_MAX * TN_ADDR_WIRE_LEN)

struct tn_tcp_msg {
    bool ask;      /* the receiver shall tell its own */
    uint8_t count; /* 0: the sender opens no TCP connections to members */
    struct tn_addr addr[TN_TCP_ADDRS_MAX];
};

/* Writes the message and returns its length, 32 at least; 0: more than TN_TCP_ADDRS_MAX addresses. */
size_t tn_tcp_encode(const struct tn_tcp_msg *m, uint8_t out[TN_TCP_MSG_MAX]);
/* Up to 15 bytes of zero (WireGuard's padding) may follow. TN_EINVAL, and *m untouched: malformed. Whether an
 * address is fit to be connected to is not judged here. */
TN_MUST_CHECK int tn_tcp_decode(const uint8_t *inner, size_t len, struct tn_tcp_msg *m);

#endif
