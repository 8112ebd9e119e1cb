/* The members of one network, each card verified here (docs/PROTOCOL.md section 3.2). Who brought a
 * card does not matter: a hostile coordinator can only keep cards back.
 *
 * The memory is the caller's array. A member is never taken out: one that has left stays as a
 * tombstone, so that none of its old cards brings it back and its invite stays used; its name and
 * addresses are free again. A member keeps its place, so an index names it for good. */
#ifndef TN_MEMBER_ROSTER_H
#define TN_MEMBER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "../base/err.h"
#include "card.h"

/* How far ahead of a clock that is known a card's joined_at may lie. */
#define TN_ROSTER_CLOCK_SLACK_S 86400u

struct tn_member {
    struct tn_card card;
    uint8_t node_id[TN_NODE_ID_LEN];
    uint64_t seq; /* number of the roster's change that brought this card */
    bool left;    /* a tombstone, or (with a card of zeros) a place that is free again */
};

struct tn_roster {
    struct tn_member *members; /* the caller's, `max` of them; the first `count` are in use */
    size_t max;
    size_t count;
    uint64_t last_seq; /* number of the last change; 0 before the first */
    uint8_t network_public[32];
};

enum tn_roster_change {
    TN_ROSTER_KNOWN,   /* nothing new: this epoch and key were known */
    TN_ROSTER_ADDED,   /* a new member (or the tombstone of one that we never met) */
    TN_ROSTER_UPDATED, /* a higher epoch, so another key */
    TN_ROSTER_LEFT,    /* a member that we knew has left */
};

struct tn_roster_result {
    enum tn_roster_change change;
    size_t index; /* whose card it is; for tn_roster_check of a new one, where it would go */
};

void tn_roster_init(struct tn_roster *r, struct tn_member *members, size_t max,
                    const uint8_t network_public[32]);

/* Verifies a card and takes it in. 0: *result tells what changed (TN_ROSTER_KNOWN: nothing did).
 *   TN_EINVAL   a field is impossible
 *   TN_EDENIED  another network
 *   TN_EAUTH    a signature does not verify
 *   TN_EEXPIRED joined_at is after the invite's not_after, or more than TN_ROSTER_CLOCK_SLACK_S
 *               after now_unix_s (0 when the time is not known: then this is not asked)
 *   TN_ELIMIT   the invite is used: known with another identity, or the identity is known with
 *               another invite or another certificate of this one
 *   TN_EEXIST   the name, an address or the WireGuard key is another member's
 *   TN_EREPLAY  the epoch is below the known one, or equal with another key
 *   TN_ENOSPC   the table is full
 * A not_after in the past is no reason to refuse: it bounds when an invite may be redeemed, which
 * the coordinator enforces (tn_cert_is_expired); who sees the card later cannot tell when that was.
 * Offer one's own card first, and no later one can take its name or address. */
TN_MUST_CHECK int tn_roster_offer(struct tn_roster *r, const struct tn_card *card,
                                  uint64_t now_unix_s, struct tn_roster_result *result);
/* What tn_roster_offer would say, without the change: for a program that stores a card before it
 * takes it in. */
TN_MUST_CHECK int tn_roster_check(const struct tn_roster *r, const struct tn_card *card,
                                  uint64_t now_unix_s, struct tn_roster_result *result);

/* Takes a card in from storage: as tn_roster_offer, but without asking the clock, which after a reboot
 * may be wrong, and under the seq that it had (a new one when that is 0 or another member's). */
TN_MUST_CHECK int tn_roster_restore(struct tn_roster *r, const struct tn_card *card, uint64_t seq,
                                    struct tn_roster_result *result);

/* Forgets a member, for a node that keeps only those it speaks with: its place is the next newcomer's,
 * and its card would be taken anew. Not for who has to remember that an invite was used. */
void tn_roster_forget(struct tn_roster *r, size_t index);

/* Look-ups: NULL when there is none. By identity and by invite, tombstones are found too (see
 * `left`); by the others only members. */
const struct tn_member *tn_roster_find_identity(const struct tn_roster *r,
                                                const uint8_t identity[32]);
const struct tn_member *tn_roster_find_invite(const struct tn_roster *r,
                                              const uint8_t invite_id[TN_INVITE_ID_LEN]);
const struct tn_member *tn_roster_find_wireguard(const struct tn_roster *r,
                                                 const uint8_t wireguard_public[32]);
const struct tn_member *tn_roster_find_name(const struct tn_roster *r, const char *name,
                                            size_t len);
const struct tn_member *tn_roster_find_ipv4(const struct tn_roster *r, const uint8_t ipv4[4]);
const struct tn_member *tn_roster_find_ipv6(const struct tn_roster *r, const uint8_t ipv6[16]);
/* Either family; the port is not looked at. */
const struct tn_member *tn_roster_find_address(const struct tn_roster *r,
                                               const struct tn_addr *address);
/* By the first characters of a node id in hex, as people type it. TN_EINVAL for what is no hex or
 * longer than an id, TN_ENOENT for none, TN_EEXIST when more than one member fits. */
TN_MUST_CHECK int tn_roster_find_node_id(const struct tn_roster *r, const char *hex, size_t len,
                                         const struct tn_member **found);
/* The card with the lowest seq above after_seq, tombstones included: what SYNC hands out. */
const struct tn_member *tn_roster_find_after(const struct tn_roster *r, uint64_t after_seq);
/* The member after `m` in the table that has not left; NULL begins, and ends. */
const struct tn_member *tn_roster_next(const struct tn_roster *r, const struct tn_member *m);

static inline size_t tn_roster_index(const struct tn_roster *r, const struct tn_member *m)
{
    return (size_t)(m - r->members);
}

/* On disk: a head of TN_ROSTER_HEAD_LEN bytes, then one record of fixed size for each member, in
 * the order of the table; so member i can be rewritten alone, at TN_ROSTER_FILE_LEN(i), and damage
 * to one never hides the next.
 *
 *   head    "tundros" version[1] = 1
 *   record  seq[8] card_len[2] card[card_len] zeros up to 521   check[8]: BLAKE2s-8 of all before
 */
#define TN_ROSTER_HEAD_LEN 8
#define TN_ROSTER_RECORD_LEN (8 + 2 + TN_CARD_MAX_LEN + 8)
#define TN_ROSTER_FILE_LEN(count) (TN_ROSTER_HEAD_LEN + (size_t)(count) * TN_ROSTER_RECORD_LEN)

void tn_roster_encode_head(uint8_t out[TN_ROSTER_HEAD_LEN]);
/* TN_EINVAL when the member's card cannot be encoded; none that the roster took in is such. */
TN_MUST_CHECK int tn_roster_encode_member(const struct tn_member *m,
                                          uint8_t out[TN_ROSTER_RECORD_LEN]);
/* Reads one record back. TN_EINVAL when it is damaged, TN_EDENIED when it is whole but holds no
 * card. Believes nothing: tn_roster_restore verifies. */
TN_MUST_CHECK int tn_roster_decode_member(const uint8_t in[TN_ROSTER_RECORD_LEN],
                                          struct tn_card *card, uint64_t *seq);
/* The whole file, TN_ROSTER_FILE_LEN(r->count) bytes. TN_ENOSPC when `cap` is less. */
TN_MUST_CHECK int tn_roster_encode(const struct tn_roster *r, uint8_t *out, size_t cap,
                                   size_t *len);

struct tn_roster_load {
    size_t loaded;  /* cards taken in */
    size_t damaged; /* records cut short, or whose check does not match */
    size_t refused; /* whole records whose card tn_roster_offer would refuse */
};

/* Takes in what is on disk, believing none of it: each card goes through tn_roster_restore.
 * Damaged and refused records are left out and counted, so 0 may still mean that something is gone:
 * ask the report. TN_EINVAL when the head is not ours (keep the file aside), TN_ENOSPC when the
 * table is too small; then no member was added. */
TN_MUST_CHECK int tn_roster_decode(struct tn_roster *r, const uint8_t *data, size_t len,
                                   struct tn_roster_load *report);

#endif
