/* NAT Port Mapping Protocol (RFC 6886): the datagrams, and nothing else. Requests go to UDP port
 * 5351 of the gateway; announcements come to port 5350 of 224.0.0.1. */
#ifndef TUND_GATEWAY_NATPMP_H
#define TUND_GATEWAY_NATPMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#define NATPMP_VERSION 0
#define NATPMP_ASK_ADDRESS_LEN 2
#define NATPMP_ASK_MAP_LEN 12
#define NATPMP_ANSWER_MAX 16 /* bytes of the longest answer */

/* Section 3.5. */
enum natpmp_result {
    NATPMP_SUCCESS = 0,
    NATPMP_UNSUPPORTED_VERSION = 1,
    NATPMP_NOT_AUTHORIZED = 2,   /* the gateway can do it, and was told not to */
    NATPMP_NETWORK_FAILURE = 3,  /* it has no address itself, or only a private one */
    NATPMP_OUT_OF_RESOURCES = 4,
    NATPMP_UNSUPPORTED_OPCODE = 5,
};

enum natpmp_op { NATPMP_ADDRESS = 0, NATPMP_MAP_UDP = 1, NATPMP_MAP_TCP = 2 };

struct natpmp_answer {
    uint8_t op;        /* enum natpmp_op */
    uint16_t result;   /* enum natpmp_result, or one of the future */
    uint32_t epoch_s;  /* seconds since the gateway's table was empty */
    /* The rest counts only with NATPMP_SUCCESS. */
    struct tn_addr external; /* NATPMP_ADDRESS: its outside IPv4 address, port 0 */
    uint16_t internal_port, external_port; /* NATPMP_MAP_*; 0 and 0 where deleted */
    uint32_t lifetime_s;
};

/* "What is your outside address?" (3.2) */
void natpmp_ask_address(uint8_t out[NATPMP_ASK_ADDRESS_LEN]);
/* "Map a port." (3.3) lifetime_s 0 deletes; external is then 0 as well (3.4). */
void natpmp_ask_map(uint8_t out[NATPMP_ASK_MAP_LEN], bool tcp, uint16_t internal, uint16_t external,
                    uint32_t lifetime_s);
/* TN_EINVAL: not an answer of version 0, or of a length that its operation does not have. An error
 * may be shorter than a success; it has at least 8 bytes. */
TN_MUST_CHECK int natpmp_decode(struct natpmp_answer *out, const uint8_t *data, size_t len);

#endif
