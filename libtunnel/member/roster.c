/* The roster's rules (docs/PROTOCOL.md section 3.2): who may come in, and what replaces what.
 *
 * A card of one identity goes through these states, and never back:
 *
 *     unknown --ADDED--> member, epoch e --UPDATED--> member, epoch > e --LEFT--> tombstone
 *
 * judge() decides without touching anything; apply() makes the change that it decided on. In the
 * order of judge(): is it the very card we hold (cheap, and what a SYNC mostly brings); do the three
 * signatures verify; was the invite redeemed in its time, and by nobody else; is the epoch newer; is
 * what it claims free. Names, addresses and keys are claimed by members only, so those of a
 * tombstone are free, while its identity and its invite stay used.
 *
 * Whoever comes first keeps what it claims: a later card for the same address is refused, also when
 * the owner signed both. All searches walk the table: it is short, and its caller decides how short.
 *
 * On disk the same cards stand in records of fixed size, so that a torn write costs one record.
 * The check value there finds accidents; what keeps a malicious file out are the signatures. */
#include "roster.h"

#include <string.h>

#include "../base/cursor.h"
#include "../base/text.h"
#include "../crypto/crypto.h"

#define HEAD "tundros\x01"
#define CHECK_LEN 8
#define CARD_AT (8 + 2)
#define CHECK_AT (TN_ROSTER_RECORD_LEN - CHECK_LEN)

_Static_assert(sizeof(HEAD) - 1 == TN_ROSTER_HEAD_LEN, "the head has its length");
_Static_assert(CARD_AT + TN_CARD_MAX_LEN == CHECK_AT, "a record is full with the longest card");

void tn_roster_init(struct tn_roster *r, struct tn_member *members, size_t max,
                    const uint8_t network_public[32])
{
    memset(r, 0, sizeof(*r));
    r->members = members;
    r->max = max;
    memcpy(r->network_public, network_public, 32);
}

static size_t name_len(const char name[TN_NAME_SIZE])
{
    const char *end = memchr(name, '\0', TN_NAME_SIZE);

    return end ? (size_t)(end - name) : TN_NAME_SIZE;
}

/* Whether a member other than `self` (may be NULL) has the name, an address or the key. */
static bool is_taken(const struct tn_roster *r, const struct tn_card *card,
                     const struct tn_member *self)
{
    size_t len = name_len(card->cert.name);
    const struct tn_member *m = NULL;

    while ((m = tn_roster_next(r, m))) {
        if (m == self)
            continue;
        if (memcmp(m->card.cert.ipv4, card->cert.ipv4, 4) == 0 ||
            memcmp(m->card.cert.ipv6, card->cert.ipv6, 16) == 0 ||
            memcmp(m->card.wireguard_public, card->wireguard_public, 32) == 0)
            return true;
        if (len == name_len(m->card.cert.name) && memcmp(m->card.cert.name, card->cert.name, len) == 0)
            return true;
    }
    return false;
}

static bool is_out_of_time(const struct tn_card *card, uint64_t now_unix_s)
{
    if (card->joined_at_s > card->cert.not_after_s)
        return true;
    return now_unix_s != 0 && card->joined_at_s > now_unix_s &&
           card->joined_at_s - now_unix_s > TN_ROSTER_CLOCK_SLACK_S;
}

/* A verified card of an identity that we know. */
static int judge_known(const struct tn_roster *r, const struct tn_member *known,
                       const struct tn_card *card, enum tn_roster_change *change)
{
    if (!tn_cert_equal(&known->card.cert, &card->cert))
        return TN_ELIMIT;
    if (card->epoch < known->card.epoch)
        return TN_EREPLAY;
    if (card->epoch == known->card.epoch) {
        if (memcmp(card->wireguard_public, known->card.wireguard_public, 32) != 0)
            return TN_EREPLAY;
        *change = TN_ROSTER_KNOWN;
        return 0;
    }
    if (tn_card_has_left(card)) {
        *change = TN_ROSTER_LEFT;
        return 0;
    }
    if (is_taken(r, card, known))
        return TN_EEXIST;
    *change = TN_ROSTER_UPDATED;
    return 0;
}

/* A place that was given up, else the next one. */
static size_t place_for_new(const struct tn_roster *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->members[i].left && r->members[i].card.epoch == 0)
            return i;
    }
    return r->count;
}

void tn_roster_forget(struct tn_roster *r, size_t index)
{
    memset(&r->members[index], 0, sizeof(r->members[index]));
    r->members[index].left = true;
}

/* A verified card of an identity that is new to us. A tombstone claims nothing but its invite. */
static int judge_new(const struct tn_roster *r, const struct tn_card *card)
{
    if (tn_roster_find_invite(r, card->cert.invite_id))
        return TN_ELIMIT;
    if (!tn_card_has_left(card) && is_taken(r, card, NULL))
        return TN_EEXIST;
    return place_for_new(r) < r->max ? 0 : TN_ENOSPC;
}

static int judge(const struct tn_roster *r, const struct tn_card *card, uint64_t now_unix_s,
                 struct tn_roster_result *result)
{
    const struct tn_member *known = tn_roster_find_identity(r, card->identity);
    struct tn_roster_result next = {TN_ROSTER_KNOWN,
                                    known ? tn_roster_index(r, known) : place_for_new(r)};
    int err;

    if (known && tn_card_equal(&known->card, card)) {
        *result = next;
        return 0;
    }
    err = tn_card_verify(card, r->network_public);
    if (err)
        return err;
    /* The time was asked when the membership came in; a member whose clock was wrong then can still
     * change its key, and leave. */
    if (!(known && known->card.joined_at_s == card->joined_at_s) &&
        is_out_of_time(card, now_unix_s))
        return TN_EEXPIRED;
    if (known) {
        err = judge_known(r, known, card, &next.change);
    } else {
        err = judge_new(r, card);
        next.change = TN_ROSTER_ADDED;
    }
    if (!err)
        *result = next;
    return err;
}

static void apply(struct tn_roster *r, const struct tn_card *card,
                  const struct tn_roster_result *what)
{
    struct tn_member *m = &r->members[what->index];

    if (what->change == TN_ROSTER_KNOWN)
        return;
    m->card = *card;
    tn_node_id(m->node_id, card->identity);
    m->left = tn_card_has_left(card);
    m->seq = ++r->last_seq;
    if (what->index == r->count)
        r->count++;
}

int tn_roster_check(const struct tn_roster *r, const struct tn_card *card, uint64_t now_unix_s,
                    struct tn_roster_result *result)
{
    return judge(r, card, now_unix_s, result);
}

int tn_roster_offer(struct tn_roster *r, const struct tn_card *card, uint64_t now_unix_s,
                    struct tn_roster_result *result)
{
    struct tn_roster_result what;
    int err = judge(r, card, now_unix_s, &what);

    if (err)
        return err;
    apply(r, card, &what);
    *result = what;
    return 0;
}

static bool is_seq_free(const struct tn_roster *r, uint64_t seq)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->members[i].seq == seq)
            return false;
    }
    return true;
}

int tn_roster_restore(struct tn_roster *r, const struct tn_card *card, uint64_t seq,
                      struct tn_roster_result *result)
{
    uint64_t last_seq = r->last_seq;
    /* A seq near the end of its range can only be damage; it would leave no room to count on. */
    bool keep = seq != 0 && seq < UINT64_MAX / 2 && is_seq_free(r, seq);
    struct tn_roster_result what;
    int err = tn_roster_offer(r, card, 0, &what);

    if (err)
        return err;
    if (keep && what.change != TN_ROSTER_KNOWN) {
        r->members[what.index].seq = seq;
        r->last_seq = seq > last_seq ? seq : last_seq;
    }
    *result = what;
    return 0;
}

const struct tn_member *tn_roster_find_identity(const struct tn_roster *r,
                                                const uint8_t identity[32])
{
    for (size_t i = 0; i < r->count; i++) {
        if (memcmp(r->members[i].card.identity, identity, 32) == 0)
            return &r->members[i];
    }
    return NULL;
}

const struct tn_member *tn_roster_find_invite(const struct tn_roster *r,
                                              const uint8_t invite_id[TN_INVITE_ID_LEN])
{
    for (size_t i = 0; i < r->count; i++) {
        if (memcmp(r->members[i].card.cert.invite_id, invite_id, TN_INVITE_ID_LEN) == 0)
            return &r->members[i];
    }
    return NULL;
}

const struct tn_member *tn_roster_find_wireguard(const struct tn_roster *r,
                                                 const uint8_t wireguard_public[32])
{
    const struct tn_member *m = NULL;

    while ((m = tn_roster_next(r, m))) {
        if (memcmp(m->card.wireguard_public, wireguard_public, 32) == 0)
            return m;
    }
    return NULL;
}

const struct tn_member *tn_roster_find_name(const struct tn_roster *r, const char *name, size_t len)
{
    const struct tn_member *m = NULL;

    while ((m = tn_roster_next(r, m))) {
        if (name_len(m->card.cert.name) == len && memcmp(m->card.cert.name, name, len) == 0)
            return m;
    }
    return NULL;
}

const struct tn_member *tn_roster_find_ipv4(const struct tn_roster *r, const uint8_t ipv4[4])
{
    const struct tn_member *m = NULL;

    while ((m = tn_roster_next(r, m))) {
        if (memcmp(m->card.cert.ipv4, ipv4, 4) == 0)
            return m;
    }
    return NULL;
}

const struct tn_member *tn_roster_find_ipv6(const struct tn_roster *r, const uint8_t ipv6[16])
{
    const struct tn_member *m = NULL;

    while ((m = tn_roster_next(r, m))) {
        if (memcmp(m->card.cert.ipv6, ipv6, 16) == 0)
            return m;
    }
    return NULL;
}

const struct tn_member *tn_roster_find_address(const struct tn_roster *r,
                                               const struct tn_addr *address)
{
    return tn_addr_is_v4(address) ? tn_roster_find_ipv4(r, address->ip + 12)
                                  : tn_roster_find_ipv6(r, address->ip);
}

int tn_roster_find_node_id(const struct tn_roster *r, const char *hex, size_t len,
                           const struct tn_member **found)
{
    char padded[TN_TEXT_HEX_LEN(TN_NODE_ID_LEN)];
    uint8_t low[TN_NODE_ID_LEN];
    uint8_t high[TN_NODE_ID_LEN];
    const struct tn_member *match = NULL;
    const struct tn_member *m = NULL;
    size_t count;

    if (len < 1 || len > sizeof(padded))
        return TN_EINVAL;
    /* The ids that begin so are those from the prefix filled up with 0 to that filled up with f. */
    memset(padded, '0', sizeof(padded));
    memcpy(padded, hex, len);
    if (tn_text_hex_decode(low, sizeof(low), &count, padded, sizeof(padded)))
        return TN_EINVAL;
    memset(padded + len, 'f', sizeof(padded) - len);
    if (tn_text_hex_decode(high, sizeof(high), &count, padded, sizeof(padded)))
        return TN_EINVAL;
    while ((m = tn_roster_next(r, m))) {
        if (memcmp(m->node_id, low, sizeof(low)) < 0 || memcmp(m->node_id, high, sizeof(high)) > 0)
            continue;
        if (match)
            return TN_EEXIST;
        match = m;
    }
    if (!match)
        return TN_ENOENT;
    *found = match;
    return 0;
}

const struct tn_member *tn_roster_find_after(const struct tn_roster *r, uint64_t after_seq)
{
    const struct tn_member *best = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct tn_member *m = &r->members[i];

        if (m->seq > after_seq && (!best || m->seq < best->seq))
            best = m;
    }
    return best;
}

const struct tn_member *tn_roster_next(const struct tn_roster *r, const struct tn_member *m)
{
    for (size_t i = m ? tn_roster_index(r, m) + 1 : 0; i < r->count; i++) {
        if (!r->members[i].left)
            return &r->members[i];
    }
    return NULL;
}

void tn_roster_encode_head(uint8_t out[TN_ROSTER_HEAD_LEN])
{
    memcpy(out, HEAD, TN_ROSTER_HEAD_LEN);
}

int tn_roster_encode_member(const struct tn_member *m, uint8_t out[TN_ROSTER_RECORD_LEN])
{
    uint8_t card[TN_CARD_MAX_LEN];
    struct tn_writer w;
    size_t len;
    int err = tn_card_encode(&m->card, card, sizeof(card), &len);

    if (err)
        return err;
    tn_writer_init(&w, out, CHECK_AT);
    tn_write_u64(&w, m->seq);
    tn_write_u16(&w, (uint16_t)len);
    tn_write_bytes(&w, card, len);
    tn_write_zeros(&w, TN_CARD_MAX_LEN - len);
    tn_blake2s(out + CHECK_AT, CHECK_LEN, NULL, 0, out, CHECK_AT);
    return 0;
}

int tn_roster_encode(const struct tn_roster *r, uint8_t *out, size_t cap, size_t *len)
{
    if (cap < TN_ROSTER_FILE_LEN(r->count))
        return TN_ENOSPC;
    tn_roster_encode_head(out);
    for (size_t i = 0; i < r->count; i++) {
        int err = tn_roster_encode_member(&r->members[i], out + TN_ROSTER_FILE_LEN(i));

        if (err)
            return err;
    }
    *len = TN_ROSTER_FILE_LEN(r->count);
    return 0;
}

int tn_roster_decode_member(const uint8_t in[TN_ROSTER_RECORD_LEN], struct tn_card *card,
                            uint64_t *seq)
{
    uint8_t check[CHECK_LEN];
    struct tn_reader r;
    uint64_t in_seq;
    uint16_t len;

    tn_blake2s(check, sizeof(check), NULL, 0, in, CHECK_AT);
    if (memcmp(check, in + CHECK_AT, sizeof(check)) != 0)
        return TN_EINVAL;
    tn_reader_init(&r, in, CHECK_AT);
    in_seq = tn_read_u64(&r);
    len = tn_read_u16(&r);
    if (len > TN_CARD_MAX_LEN || tn_card_decode(card, in + CARD_AT, len))
        return TN_EDENIED;
    *seq = in_seq;
    return 0;
}

/* Counts what becomes of one record; TN_ENOSPC is the one outcome that ends the loading. */
static int load_record(struct tn_roster *r, const uint8_t record[TN_ROSTER_RECORD_LEN],
                       struct tn_roster_load *report)
{
    struct tn_roster_result what;
    struct tn_card card;
    uint64_t seq;
    int err = tn_roster_decode_member(record, &card, &seq);

    if (err == TN_EINVAL) {
        report->damaged++;
        return 0;
    }
    if (!err)
        err = tn_roster_restore(r, &card, seq, &what);
    if (err == TN_ENOSPC)
        return err;
    if (err)
        report->refused++;
    else
        report->loaded++;
    return 0;
}

int tn_roster_decode(struct tn_roster *r, const uint8_t *data, size_t len,
                     struct tn_roster_load *report)
{
    struct tn_roster_load counts = {0, 0, 0};
    size_t count = r->count;

    if (len < TN_ROSTER_HEAD_LEN || memcmp(data, HEAD, TN_ROSTER_HEAD_LEN) != 0)
        return TN_EINVAL;
    data += TN_ROSTER_HEAD_LEN;
    len -= TN_ROSTER_HEAD_LEN;
    while (len >= TN_ROSTER_RECORD_LEN) {
        if (load_record(r, data, &counts)) {
            r->count = count;
            return TN_ENOSPC;
        }
        data += TN_ROSTER_RECORD_LEN;
        len -= TN_ROSTER_RECORD_LEN;
    }
    if (len > 0)
        counts.damaged++;
    *report = counts;
    return 0;
}
