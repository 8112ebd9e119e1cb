/* A member's card (docs/PROTOCOL.md section 3.2): a certificate, an identity that redeemed it, and
 * the WireGuard key that this identity uses now. Everybody can check it; nobody has to be asked. */
#ifndef TN_MEMBER_CARD_H
#define TN_MEMBER_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "cert.h"

#define TN_NODE_ID_LEN 8
/* What a card has behind its certificate: identity, joined_at, signature, epoch, key, signature. */
#define TN_CARD_TAIL_LEN (32 + 8 + 64 + 8 + 32 + 64)
#define TN_CARD_MAX_LEN (TN_CERT_MAX_LEN + TN_CARD_TAIL_LEN) /* 511 */

/* The epoch that ends all: this member has left, and its WireGuard key is zero. */
#define TN_EPOCH_LEFT UINT64_MAX
/* From here on the low 16 bits of an epoch are flags of the member's own; below, there are none. */
#define TN_EPOCH_FLAGS_FROM 0x10000u
#define TN_EPOCH_RELAYS 0x1u /* it passes on datagrams between other members */

struct tn_card {
    struct tn_cert cert;
    uint8_t identity[32];       /* Ed25519 */
    uint64_t joined_at_s;       /* seconds since 1970, by the joiner's clock; informative */
    uint8_t membership_sig[64]; /* by the invite's one-time key */
    uint64_t epoch;             /* 1 at first; higher replaces lower */
    uint8_t wireguard_public[32];
    uint8_t key_sig[64]; /* by the identity */
};

/* A short name for people and tables; checks are made with whole keys. */
void tn_node_id(uint8_t id[TN_NODE_ID_LEN], const uint8_t identity[32]);

/* How a card comes into being: fill cert, identity and joined_at_s, then the two signatures.
 *
 * By the invite's key, over the identity. TN_EAUTH when the seed is not that of cert.invite_public. */
TN_MUST_CHECK int tn_card_sign_membership(struct tn_card *c, const uint8_t invite_seed[32]);
/* Sets epoch, wireguard_public and key_sig. TN_EAUTH when the seed is not that of c->identity;
 * TN_EINVAL for epoch 0, TN_EPOCH_LEFT or a key of zero. */
TN_MUST_CHECK int tn_card_sign_key(struct tn_card *c, const uint8_t identity_seed[32],
                                   uint64_t epoch, const uint8_t wireguard_public[32]);
/* Turns the card into the one that says "left". TN_EAUTH as above. */
TN_MUST_CHECK int tn_card_sign_left(struct tn_card *c, const uint8_t identity_seed[32]);

bool tn_card_has_left(const struct tn_card *c);
/* Does the member pass on datagrams for others, as its card says? Flags that are not known count for nothing. */
bool tn_card_relays(const struct tn_card *c);
/* The next epoch of a card, with or without that flag. 0: there is none, since the member has left. */
uint64_t tn_card_next_epoch(const struct tn_card *c, bool relays);
/* Same bytes, signatures included. */
bool tn_card_equal(const struct tn_card *a, const struct tn_card *b);

/* Checks all three signatures. `network_public` is the network that the card must be of, or NULL
 * to take the one inside (the coordinator, for a network it does not know yet).
 * TN_EINVAL: a field is impossible (tn_cert_check, epoch 0, a key of zero, a key in a card that
 * says "left"); TN_EDENIED: another network; TN_EAUTH: a signature does not verify. What depends on
 * the other members (single use, addresses, epochs) is tn_roster_offer's to refuse. */
TN_MUST_CHECK int tn_card_verify(const struct tn_card *c, const uint8_t *network_public);

/* The one encoding there is. TN_EINVAL when a field is impossible (signatures are not looked at),
 * TN_ENOSPC when `cap` is too small; TN_CARD_MAX_LEN is always enough. */
TN_MUST_CHECK int tn_card_encode(const struct tn_card *c, uint8_t *out, size_t cap, size_t *len);
/* Reads all `len` bytes, strictly. TN_EINVAL otherwise. Checks no signature. */
TN_MUST_CHECK int tn_card_decode(struct tn_card *c, const uint8_t *data, size_t len);

/* The member's overlay addresses, port 0. */
struct tn_addr tn_card_address4(const struct tn_card *c);
struct tn_addr tn_card_address6(const struct tn_card *c);

#endif
