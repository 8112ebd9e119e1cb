/* Every constant and layout of WireGuard's wire format, and nothing else: the
 * paper (Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel"), 5.4
 * and 6.1. Integers are little endian byte arrays, so that every struct has
 * alignment 1 and may be laid over received bytes. */
#ifndef TN_WG_MSG_H
#define TN_WG_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "../base/now.h"

#define TN_WG_CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define TN_WG_IDENTIFIER "WireGuard v1 zx2c4 Jason@zx2c4.com"
#define TN_WG_LABEL_MAC1 "mac1----"
#define TN_WG_LABEL_COOKIE "cookie--"
#define TN_WG_LABEL_LEN 8

#define TN_WG_MAC_LEN 16
#define TN_WG_COOKIE_LEN 16
#define TN_WG_STAMP_LEN 12 /* TAI64N */
#define TN_WG_PADDING 16   /* packets are filled up to a multiple of this */

#define TN_WG_REKEY_AFTER_TIME_US TN_S(120)
#define TN_WG_REJECT_AFTER_TIME_US TN_S(180)
#define TN_WG_REKEY_TIMEOUT_US TN_S(5)
#define TN_WG_KEEPALIVE_TIMEOUT_US TN_S(10)
#define TN_WG_REKEY_JITTER_MAX_US TN_MS(333)
#define TN_WG_MAX_ATTEMPTS 18u /* REKEY_ATTEMPT_TIME, 90 s, / REKEY_TIMEOUT */
#define TN_WG_REKEY_AFTER_MESSAGES ((uint64_t)1 << 60)
#define TN_WG_REJECT_AFTER_MESSAGES (UINT64_MAX - ((uint64_t)1 << 13))
#define TN_WG_COOKIE_MAX_AGE_US TN_S(120)
/* A cookie is not used in the last 5 s of its life: it would expire on the way. */
#define TN_WG_COOKIE_LATENCY_US TN_S(5)
#define TN_WG_INITIATION_GAP_US TN_MS(20) /* at most 50 a second from one peer */

enum tn_wg_type {
    TN_WG_NONE = 0, /* not a WireGuard message */
    TN_WG_INITIATION = 1,
    TN_WG_RESPONSE = 2,
    TN_WG_COOKIE_REPLY = 3,
    TN_WG_DATA = 4,
};

struct tn_wg_initiation {
    uint8_t type[4]; /* 1, 0, 0, 0 */
    uint8_t sender[4];
    uint8_t ephemeral[32];
    uint8_t sealed_static[48];
    uint8_t sealed_stamp[28];
    uint8_t mac1[16];
    uint8_t mac2[16];
};

struct tn_wg_response {
    uint8_t type[4]; /* 2, 0, 0, 0 */
    uint8_t sender[4];
    uint8_t receiver[4];
    uint8_t ephemeral[32];
    uint8_t sealed_nothing[16];
    uint8_t mac1[16];
    uint8_t mac2[16];
};

struct tn_wg_cookie_reply {
    uint8_t type[4]; /* 3, 0, 0, 0 */
    uint8_t receiver[4];
    uint8_t nonce[24];
    uint8_t sealed_cookie[32];
};

struct tn_wg_data_header {
    uint8_t type[4]; /* 4, 0, 0, 0 */
    uint8_t receiver[4];
    uint8_t counter[8];
};

#define TN_WG_INITIATION_LEN 148
#define TN_WG_RESPONSE_LEN 92
#define TN_WG_COOKIE_REPLY_LEN 64
#define TN_WG_HEADER_LEN 16
/* A data message is the header, the packet and a tag; with no packet it is a keepalive. */
#define TN_WG_DATA_OVERHEAD 32
#define TN_WG_KEEPALIVE_LEN TN_WG_DATA_OVERHEAD

_Static_assert(sizeof(struct tn_wg_initiation) == TN_WG_INITIATION_LEN, "initiation layout");
_Static_assert(sizeof(struct tn_wg_response) == TN_WG_RESPONSE_LEN, "response layout");
_Static_assert(sizeof(struct tn_wg_cookie_reply) == TN_WG_COOKIE_REPLY_LEN, "cookie layout");
_Static_assert(sizeof(struct tn_wg_data_header) == TN_WG_HEADER_LEN, "header layout");

/* The type of a datagram by its first four bytes and its exact length (data: at least 32), or
 * TN_WG_NONE. Says nothing about who sent it. */
enum tn_wg_type tn_wg_classify(const uint8_t *data, size_t len);

/* The receiver index of a response, cookie reply or data message; the sender index of an
 * initiation or response. The message must have been classified. */
uint32_t tn_wg_receiver(const uint8_t *data);
uint32_t tn_wg_sender(const uint8_t *data);

/* Bytes of zeros to put behind an inner packet of len bytes: up to a multiple of 16, but not
 * beyond the interface's MTU (paper, 5.4.6). mtu 0: no limit. */
size_t tn_wg_padding(size_t len, size_t mtu);

#endif
