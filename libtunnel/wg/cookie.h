/* mac1, mac2 and cookie replies (paper, 5.4.4 and 5.4.7): mac1 shows that the
 * sender knows our public key, mac2 that it receives at its source address. */
#ifndef TN_WG_COOKIE_H
#define TN_WG_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/err.h"
#include "../crypto/crypto.h"
#include "msg.h"

/* Checks the handshake messages that arrive here. One per local key. */
struct tn_cookie_checker {
    struct tn_blake2s_keyed mac1_key;
    uint8_t cookie_key[32];
    uint8_t secret[32];
    uint64_t secret_birth_us;
    bool has_secret;
    bool has_last; /* the cookie of the last source: many messages of a flood come from one at a time */
    struct tn_addr last_from;
    struct tn_blake2s_keyed last_cookie;
};

/* Fills in the MACs of the messages that we send to one peer. */
struct tn_cookie_maker {
    uint8_t mac1_key[32];
    uint8_t cookie_key[32];
    uint8_t cookie[TN_WG_COOKIE_LEN];
    uint8_t last_mac1[TN_WG_MAC_LEN];
    uint64_t cookie_birth_us;
    bool has_cookie;
    bool sent_mac1; /* a cookie reply to last_mac1 would be taken */
};

enum tn_mac_verdict {
    TN_MAC_INVALID = 0, /* mac1 is wrong: silence */
    TN_MAC_VALID,       /* mac1 is right, mac2 is not: under load, answer with a cookie */
    TN_MAC_WITH_COOKIE, /* mac2 is right too */
};

void tn_cookie_checker_init(struct tn_cookie_checker *c, const uint8_t local_public[32]);
void tn_cookie_checker_wipe(struct tn_cookie_checker *c);

/* msg is an initiation or a response of len bytes. A cookie is bound to address and port of `from` and lives as
 * long as the secret, 120 s at most. */
enum tn_mac_verdict tn_cookie_check(struct tn_cookie_checker *c, const uint8_t *msg, size_t len,
                                    const struct tn_addr *from, uint64_t now_us);

/* The half of tn_cookie_check that is dear to forge: is mac2 right? mac1 is not looked at. */
bool tn_cookie_is_shown(struct tn_cookie_checker *c, const uint8_t *msg, size_t len,
                        const struct tn_addr *from, uint64_t now_us);

/* Writes a cookie reply (64 bytes, less than any handshake message) to a message whose verdict was
 * TN_MAC_VALID. Draws a new secret from rng when the old one is 120 s old. */
void tn_cookie_create_reply(struct tn_cookie_checker *c, struct tn_rng *rng, const uint8_t *msg,
                            size_t len, const struct tn_addr *from, uint64_t now_us,
                            uint8_t out[TN_WG_COOKIE_REPLY_LEN]);

void tn_cookie_maker_init(struct tn_cookie_maker *m, const uint8_t remote_public[32]);
void tn_cookie_maker_wipe(struct tn_cookie_maker *m);

/* Fills mac1, and mac2 while a cookie is fresh (else zeros), of an initiation or response. */
void tn_cookie_add_macs(struct tn_cookie_maker *m, uint8_t *msg, size_t len, uint64_t now_us);

/* Takes a cookie that answers the last message sent. TN_ESTATE: nothing was sent, or answered
 * before; TN_EAUTH: not from the peer, or not to that message. */
TN_MUST_CHECK int tn_cookie_consume_reply(struct tn_cookie_maker *m,
                                          const uint8_t msg[TN_WG_COOKIE_REPLY_LEN],
                                          uint64_t now_us);

#endif
