/* What the coordinator keeps: networks and the cards of their members. The
 * server calls these functions and knows no database; one implementation is in
 * memory (tests), one is SQLite (tund-coord). All are synchronous. Cards were
 * fully verified before they come here: the store checks only what needs memory. */
#ifndef TN_COORD_STORE_H
#define TN_COORD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

/* How far ahead of the coordinator's clock a card's joined_at_s may lie: as far as every member
 * lets it be ahead of his own. */
#define TN_STORE_CLOCK_SLACK_S 86400u

/* What a verified card says (all three signatures hold; whether the invite has expired is not part
 * of it). Filled by tn_card_ops.inspect. */
struct tn_card_facts {
    uint8_t network_public[32];
    uint8_t network_id[16];
    uint8_t invite_id[16];
    uint8_t identity[32];
    uint8_t wireguard_public[32]; /* all zero when left */
    uint64_t epoch;
    uint64_t not_after_s; /* of the invite, seconds since 1970 */
    uint64_t joined_at_s; /* by the joiner's clock, signed with the invite's key */
    uint8_t ipv4[4];      /* the member's overlay addresses */
    uint8_t ipv6[16];
    char name[TN_MSG_NAME_MAX + 1]; /* terminated */
    bool left;                      /* epoch 2^64-1: the member has left for good */
    bool device;                    /* small memory, 1024-byte datagrams */
};

/* Members would refuse this newcomer's card, for its time; so its invite must not be spent on it. */
static inline bool tn_card_facts_clock_is_wrong(const struct tn_card_facts *f, uint64_t now_s)
{
    return f->joined_at_s > f->not_after_s ||
           (f->joined_at_s > now_s && f->joined_at_s - now_s > TN_STORE_CLOCK_SLACK_S);
}

/* How the coordinator reads a card without knowing the member module. */
struct tn_card_ops {
    /* Decodes the card and verifies its three signatures. 0; TN_EINVAL: malformed; TN_EAUTH: a
     * signature does not verify. */
    int (*inspect)(const uint8_t *card, size_t len, struct tn_card_facts *out);
};

struct tn_store_member {
    uint64_t network; /* the store's own number of the network, never 0 */
    uint64_t seq;     /* roster_seq of the network when this card came in */
    uint8_t identity[32];
    uint8_t wireguard_public[32];
    bool left;
    uint16_t card_len;
    uint8_t card[TN_MSG_CARD_MAX];
};

struct tn_store_counts {
    uint64_t networks;
    uint64_t members; /* without those that have left */
};

/* Where a join or an update ended up. */
struct tn_store_place {
    uint64_t network;
    uint64_t roster_seq; /* of the network, after it */
};

/* Reads return 0, TN_ENOENT, or TN_ESTATE when the store cannot be read now; `out` is untouched
 * then. Writes return an enum tn_status; `out` is set with TN_STATUS_OK only. */
struct tn_store_ops {
    int (*counts)(void *ctx, struct tn_store_counts *out);
    /* In all networks: a key names at most one member. Never one who left. */
    int (*member_by_wireguard)(void *ctx, const uint8_t wireguard_public[32],
                               struct tn_store_member *out);
    /* Also one who left, whose card says so. */
    int (*member_by_identity)(void *ctx, uint64_t network, const uint8_t identity[32],
                              struct tn_store_member *out);
    /* By overlay address, IPv4 mapped into IPv6 (::ffff:a.b.c.d). Never one who left. */
    int (*member_by_address)(void *ctx, uint64_t network, const uint8_t ip[16],
                             struct tn_store_member *out);
    /* `name` is not terminated and not trusted: any 1 to 63 bytes. Never one who left. */
    int (*member_by_name)(void *ctx, uint64_t network, const char *name, size_t len,
                          struct tn_store_member *out);
    /* The member with the lowest seq above `seq`, those who left included. */
    int (*member_next_after)(void *ctx, uint64_t network, uint64_t seq,
                             struct tn_store_member *out);
    /* Counts the network's changes; 0 for a network without any. */
    int (*roster_seq)(void *ctx, uint64_t network, uint64_t *out);

    /* One transaction, acknowledged after its commit. In this order:
     *   the network is unknown and may not be added        TN_STATUS_LIMIT
     *   the same card as held (every byte)                 TN_STATUS_OK, nothing changes
     *   identity known, under another invite               TN_STATUS_TAKEN
     *   identity known, under this invite                  as member_update
     *   invite known (with another identity)               TN_STATUS_INVITE_USED
     *   facts->left                                        TN_STATUS_NO_SUCH_MEMBER
     *   not_after_s < now_s                                TN_STATUS_INVITE_EXPIRED
     *   tn_card_facts_clock_is_wrong                       TN_STATUS_CLOCK
     *   name, ipv4, ipv6 (in the network) or wireguard_public (anywhere) is that of another member
     *   who has not left                                   TN_STATUS_TAKEN
     *   the network is full                                TN_STATUS_LIMIT
     *   cannot be written, or not now                      TN_STATUS_STORE, TN_STATUS_TRY_LATER
     *   else the network (if new) and the member are in    TN_STATUS_OK
     * An invite stays used for good, also when its member has left. */
    uint8_t (*member_join)(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                           size_t len, uint64_t now_s, struct tn_store_place *out);
    /* Replaces the card of a known identity:
     *   network or identity unknown                        TN_STATUS_NO_SUCH_MEMBER
     *   another invite, name, ipv4 or ipv6 than it has     TN_STATUS_TAKEN
     *   the same card as held                              TN_STATUS_OK, nothing changes
     *   epoch not above the one held                       TN_STATUS_OLD_EPOCH
     *   wireguard_public (not zero) is another member's    TN_STATUS_TAKEN
     *   else it is replaced under the next roster_seq      TN_STATUS_OK */
    uint8_t (*member_update)(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                             size_t len, struct tn_store_place *out);
};

struct tn_store {
    const struct tn_store_ops *ops;
    void *ctx;
};

#endif
