/* Port Control Protocol (RFC 6887): the datagrams of ANNOUNCE and MAP, and nothing else. Requests
 * go to UDP port 5351 of the gateway; announcements come to port 5350 of 224.0.0.1 and ff02::1. */
#ifndef TUND_GATEWAY_PCP_H
#define TUND_GATEWAY_PCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtunnel/base/addr.h"
#include "libtunnel/base/err.h"

#define PCP_VERSION 2
#define PCP_PORT 5351          /* the gateway's; NAT-PMP's as well */
#define PCP_ANNOUNCE_PORT 5350 /* ours, where announcements come; NAT-PMP's as well */
#define PCP_NONCE_LEN 12
#define PCP_HEAD_LEN 24
#define PCP_MAP_LEN 60
#define PCP_MESSAGE_MAX 1100 /* bytes of any message (section 7) */

enum pcp_opcode { PCP_ANNOUNCE = 0, PCP_MAP = 1 };

/* Section 7.4. */
enum pcp_result {
    PCP_SUCCESS = 0,
    PCP_UNSUPP_VERSION = 1,
    PCP_NOT_AUTHORIZED = 2,
    PCP_MALFORMED_REQUEST = 3,
    PCP_UNSUPP_OPCODE = 4,
    PCP_UNSUPP_OPTION = 5,
    PCP_MALFORMED_OPTION = 6,
    PCP_NETWORK_FAILURE = 7,
    PCP_NO_RESOURCES = 8,
    PCP_UNSUPP_PROTOCOL = 9,
    PCP_USER_EX_QUOTA = 10,
    PCP_CANNOT_PROVIDE_EXTERNAL = 11,
    PCP_ADDRESS_MISMATCH = 12,
    PCP_EXCESSIVE_REMOTE_PEERS = 13,
};

struct pcp_map {
    uint8_t nonce[PCP_NONCE_LEN];
    uint8_t protocol; /* 17 UDP, 6 TCP */
    uint16_t internal_port;
    struct tn_addr external; /* asked: all zero where any will do; answered: the one that was given */
};

struct pcp_answer {
    uint8_t version; /* PCP_VERSION; another one only with PCP_UNSUPP_VERSION, and nothing else counts */
    uint8_t opcode;  /* enum pcp_opcode */
    uint8_t result;  /* enum pcp_result, or one of the future */
    uint32_t lifetime_s; /* of the mapping; of the error where it is one */
    uint32_t epoch_s;
    bool has_map; /* opcode is PCP_MAP, and its fields are there */
    struct pcp_map map;
};

/* `client` is our own address, as the packet's source will be (section 8.1). Its port is not used. */
void pcp_ask_announce(uint8_t out[PCP_HEAD_LEN], const struct tn_addr *client);
/* lifetime_s 0 deletes the mapping that was made with this nonce (section 15). */
void pcp_ask_map(uint8_t out[PCP_MAP_LEN], const struct tn_addr *client, const struct pcp_map *map,
                 uint32_t lifetime_s);
/* Section 8.3. TN_EINVAL: not an answer, of a length that cannot be, an unknown operation, or options
 * that do not fit; options themselves are passed over, as we ask for none. */
TN_MUST_CHECK int pcp_decode(struct pcp_answer *out, const uint8_t *data, size_t len);
/* Does the answer belong to that question? Nonce, protocol and port have to be the same (11.4). */
bool pcp_is_answer_to(const struct pcp_answer *a, const struct pcp_map *asked);

#endif
