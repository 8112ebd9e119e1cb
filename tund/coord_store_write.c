/* How it works: JOIN and UPDATE, each one BEGIN IMMEDIATE transaction, so that what it reads
 * cannot change before it writes. The order of the questions is that of
 * libtunnel/coord/store.h, and each question is a function. The answer is given
 * after COMMIT has returned. An invite is used up by the very row that adds the
 * member: UNIQUE (network, invite), never deleted. */
#include "coord_store_write.h"

#include <string.h>

#include "libtunnel/base/bytes.h"

#include "coord_store_stmt.h"

/* A card on its way in; `card` and `facts` are the caller's. */
struct incoming {
    const struct tn_card_facts *facts;
    const uint8_t *card;
    size_t len;
    uint64_t now_s;
};

/* ---- the parts of a write; each inside the transaction ----
 *
 * They return an enum tn_status, or PROCEED where nothing speaks against going on. */

#define PROCEED 0xff

static uint8_t find_network(struct coord_store *s, const struct incoming *in,
                            struct tn_store_place *p, bool *known)
{
    sqlite3_stmt *q = s->stmt[S_FIND_NETWORK];
    int rc = coord_stmt_step(coord_bind_blob(SQLITE_OK, q, 1, in->facts->network_public, 32), q);

    *known = rc == SQLITE_ROW;
    if (*known) {
        p->network = (uint64_t)sqlite3_column_int64(q, 0);
        p->roster_seq = (uint64_t)sqlite3_column_int64(q, 1);
    }
    coord_stmt_end(q);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? PROCEED : coord_stmt_write_failed(s, rc);
}

/* What is held under the identity. */
struct held {
    bool known, same_invite, same_place, same_card;
    uint64_t number;
    uint64_t epoch;
};

static uint8_t find_held(struct coord_store *s, const struct incoming *in, uint64_t network,
                         struct held *h)
{
    const struct tn_card_facts *f = in->facts;
    sqlite3_stmt *q = s->stmt[S_HELD];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);
    uint8_t epoch[8] = {0};
    bool whole = true;

    rc = coord_stmt_step(coord_bind_blob(rc, q, 2, f->identity, 32), q);
    memset(h, 0, sizeof(*h));
    if (rc == SQLITE_ROW) {
        h->known = true;
        h->number = (uint64_t)sqlite3_column_int64(q, 0);
        h->same_invite = coord_column_is(q, 1, f->invite_id, 16);
        h->same_place = coord_column_is(q, 2, f->name, strlen(f->name)) &&
                        coord_column_is(q, 3, f->ipv4, 4) && coord_column_is(q, 4, f->ipv6, 16);
        whole = coord_column_copy(q, 5, epoch, sizeof(epoch));
        h->epoch = tn_get_be64(epoch);
        h->same_card = coord_column_is(q, 6, in->card, in->len);
    }
    coord_stmt_end(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return coord_stmt_write_failed(s, rc);
    return whole ? PROCEED : coord_stmt_write_failed(s, SQLITE_CORRUPT);
}

/* One question with a yes or no; the statement is bound. */
static uint8_t refuse_if_found(struct coord_store *s, int rc, sqlite3_stmt *q, uint8_t refusal)
{
    rc = coord_stmt_step(rc, q);
    coord_stmt_end(q);
    if (rc == SQLITE_ROW)
        return refusal;
    return rc == SQLITE_DONE ? PROCEED : coord_stmt_write_failed(s, rc);
}

static uint8_t refuse_used_invite(struct coord_store *s, const struct incoming *in,
                                  uint64_t network)
{
    sqlite3_stmt *q = s->stmt[S_INVITE_USED];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    return refuse_if_found(s, coord_bind_blob(rc, q, 2, in->facts->invite_id, 16), q,
                           TN_STATUS_INVITE_USED);
}

static uint8_t refuse_taken(struct coord_store *s, const struct incoming *in, uint64_t network)
{
    const struct tn_card_facts *f = in->facts;
    sqlite3_stmt *q = s->stmt[S_TAKEN];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    rc = coord_bind_text(rc, q, 2, f->name, strlen(f->name));
    rc = coord_bind_blob(rc, q, 3, f->ipv4, 4);
    rc = coord_bind_blob(rc, q, 4, f->ipv6, 16);
    rc = coord_bind_blob(rc, q, 5, f->wireguard_public, 32);
    return refuse_if_found(s, rc, q, TN_STATUS_TAKEN);
}

static uint8_t refuse_full_network(struct coord_store *s, uint64_t network)
{
    sqlite3_stmt *q = s->stmt[S_COUNT_ROWS];
    int rc = coord_stmt_step(coord_bind_number(SQLITE_OK, q, 1, network), q);
    uint64_t rows = 0, members = 0;

    if (rc == SQLITE_ROW) {
        rows = (uint64_t)sqlite3_column_int64(q, 0);
        members = (uint64_t)sqlite3_column_int64(q, 1);
    }
    coord_stmt_end(q);
    if (rc != SQLITE_ROW)
        return coord_stmt_write_failed(s, rc);
    /* Departed members' rows stay, so their number needs a bound of its own. */
    if (members >= s->limits.members ||
        rows >= (uint64_t)s->limits.members * COORD_STORE_ROWS_PER_MEMBER)
        return TN_STATUS_LIMIT;
    return PROCEED;
}

static uint8_t refuse_new_network(struct coord_store *s)
{
    uint64_t networks;
    int rc = coord_stmt_count(s, S_COUNT_NETWORKS, &networks);

    if (rc != SQLITE_OK)
        return coord_stmt_write_failed(s, rc);
    return networks >= s->limits.networks ? TN_STATUS_LIMIT : PROCEED;
}

static uint8_t add_network(struct coord_store *s, const struct incoming *in,
                           struct tn_store_place *p)
{
    sqlite3_stmt *q = s->stmt[S_ADD_NETWORK];
    int rc = coord_stmt_step(coord_bind_blob(SQLITE_OK, q, 1, in->facts->network_public, 32), q);

    coord_stmt_end(q);
    if (rc != SQLITE_DONE)
        return coord_stmt_write_failed(s, rc);
    p->network = (uint64_t)sqlite3_last_insert_rowid(s->db);
    p->roster_seq = 0;
    return PROCEED;
}

static uint8_t next_seq(struct coord_store *s, struct tn_store_place *p)
{
    sqlite3_stmt *q = s->stmt[S_NEXT_SEQ];
    int rc = coord_stmt_step(coord_bind_number(SQLITE_OK, q, 1, p->network), q);
    uint64_t seq = 0;

    if (rc == SQLITE_ROW) {
        seq = (uint64_t)sqlite3_column_int64(q, 0);
        rc = sqlite3_step(q);
    }
    coord_stmt_end(q);
    if (rc != SQLITE_DONE || seq == 0)
        return coord_stmt_write_failed(s, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc);
    p->roster_seq = seq;
    return PROCEED;
}

static uint8_t add_member(struct coord_store *s, const struct incoming *in,
                          const struct tn_store_place *p)
{
    const struct tn_card_facts *f = in->facts;
    sqlite3_stmt *q = s->stmt[S_ADD_MEMBER];
    uint8_t epoch[8];
    int rc = coord_bind_number(SQLITE_OK, q, 1, p->network);

    tn_put_be64(epoch, f->epoch);
    rc = coord_bind_number(rc, q, 2, p->roster_seq);
    rc = coord_bind_blob(rc, q, 3, f->invite_id, 16);
    rc = coord_bind_blob(rc, q, 4, f->identity, 32);
    rc = coord_bind_text(rc, q, 5, f->name, strlen(f->name));
    rc = coord_bind_blob(rc, q, 6, f->ipv4, 4);
    rc = coord_bind_blob(rc, q, 7, f->ipv6, 16);
    rc = coord_bind_blob(rc, q, 8, f->wireguard_public, 32);
    rc = coord_bind_blob(rc, q, 9, epoch, sizeof(epoch));
    rc = coord_bind_blob(rc, q, 10, in->card, in->len);
    rc = coord_stmt_step(rc, q);
    coord_stmt_end(q);
    return rc == SQLITE_DONE ? TN_STATUS_OK : coord_stmt_write_failed(s, rc);
}

static uint8_t change_member(struct coord_store *s, const struct incoming *in,
                             const struct held *h, const struct tn_store_place *p)
{
    const struct tn_card_facts *f = in->facts;
    sqlite3_stmt *q = s->stmt[S_CHANGE_MEMBER];
    uint8_t epoch[8];
    int rc = coord_bind_number(SQLITE_OK, q, 1, h->number);

    tn_put_be64(epoch, f->epoch);
    rc = coord_bind_number(rc, q, 2, p->roster_seq);
    rc = coord_bind_blob(rc, q, 3, f->wireguard_public, 32);
    rc = coord_bind_blob(rc, q, 4, epoch, sizeof(epoch));
    rc = coord_bind_number(rc, q, 5, f->left);
    rc = coord_bind_blob(rc, q, 6, in->card, in->len);
    rc = coord_stmt_step(rc, q);
    coord_stmt_end(q);
    return rc == SQLITE_DONE ? TN_STATUS_OK : coord_stmt_write_failed(s, rc);
}

/* ---- the two writes ---- */

/* Of a known identity, under its own invite or not. */
static uint8_t update_held(struct coord_store *s, const struct incoming *in, const struct held *h,
                           struct tn_store_place *p)
{
    const struct tn_card_facts *f = in->facts;
    uint8_t status;

    if (!h->same_invite || !h->same_place)
        return TN_STATUS_TAKEN;
    if (h->same_card)
        return TN_STATUS_OK;
    if (f->epoch <= h->epoch)
        return TN_STATUS_OLD_EPOCH;
    if (!f->left) {
        sqlite3_stmt *q = s->stmt[S_KEY_TAKEN];
        int rc = coord_bind_blob(SQLITE_OK, q, 1, f->wireguard_public, 32);

        status = refuse_if_found(s, coord_bind_number(rc, q, 2, h->number), q, TN_STATUS_TAKEN);
        if (status != PROCEED)
            return status;
    }
    status = next_seq(s, p);
    return status == PROCEED ? change_member(s, in, h, p) : status;
}

/* A newcomer: nothing is held under its identity. */
static uint8_t join_new(struct coord_store *s, const struct incoming *in, bool network_known,
                        struct tn_store_place *p)
{
    const struct tn_card_facts *f = in->facts;
    uint8_t status = refuse_used_invite(s, in, p->network);

    if (status != PROCEED)
        return status;
    if (f->left)
        return TN_STATUS_NO_SUCH_MEMBER;
    if (f->not_after_s < in->now_s)
        return TN_STATUS_INVITE_EXPIRED;
    if (tn_card_facts_clock_is_wrong(f, in->now_s))
        return TN_STATUS_CLOCK;
    status = refuse_taken(s, in, p->network);
    if (status == PROCEED)
        status = refuse_full_network(s, p->network);
    if (status == PROCEED && !network_known)
        status = add_network(s, in, p);
    if (status == PROCEED)
        status = next_seq(s, p);
    return status == PROCEED ? add_member(s, in, p) : status;
}

static uint8_t join_inside(struct coord_store *s, const struct incoming *in,
                           struct tn_store_place *p)
{
    struct held h;
    bool known;
    uint8_t status = find_network(s, in, p, &known);

    if (status != PROCEED)
        return status;
    if (!known) {
        status = refuse_new_network(s);
        return status == PROCEED ? join_new(s, in, false, p) : status;
    }
    status = find_held(s, in, p->network, &h);
    if (status != PROCEED)
        return status;
    return h.known ? update_held(s, in, &h, p) : join_new(s, in, true, p);
}

static uint8_t update_inside(struct coord_store *s, const struct incoming *in,
                             struct tn_store_place *p)
{
    struct held h;
    bool known;
    uint8_t status = find_network(s, in, p, &known);

    if (status != PROCEED)
        return status;
    if (!known)
        return TN_STATUS_NO_SUCH_MEMBER;
    status = find_held(s, in, p->network, &h);
    if (status != PROCEED)
        return status;
    return h.known ? update_held(s, in, &h, p) : TN_STATUS_NO_SUCH_MEMBER;
}

/* Runs `inside` in a transaction, and answers when it is on the disk. */
static uint8_t write_card(struct coord_store *s, const struct incoming *in,
                          uint8_t (*inside)(struct coord_store *, const struct incoming *,
                                            struct tn_store_place *),
                          struct tn_store_place *out)
{
    struct tn_store_place place = {0};
    uint8_t status;
    int rc;

    if (s->health.failed) {
        s->health.failures++;
        return TN_STATUS_STORE;
    }
    rc = coord_stmt_run(s, S_BEGIN);
    if (rc != SQLITE_DONE)
        return coord_stmt_write_failed(s, rc);
    status = inside(s, in, &place);
    if (status == TN_STATUS_OK) {
        rc = coord_stmt_run(s, S_COMMIT);
        if (rc != SQLITE_DONE)
            status = coord_stmt_write_failed(s, rc);
    }
    if (!sqlite3_get_autocommit(s->db)) {
        rc = coord_stmt_run(s, S_ROLLBACK);
        if (rc != SQLITE_DONE)
            coord_stmt_failed(s, rc, "undo a change of");
    }
    if (status == TN_STATUS_OK)
        *out = place;
    return status;
}

uint8_t coord_store_join(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                       size_t len, uint64_t now_s, struct tn_store_place *out)
{
    struct incoming in = {.facts = facts, .card = card, .len = len, .now_s = now_s};

    return write_card(ctx, &in, join_inside, out);
}

uint8_t coord_store_update(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                         size_t len, struct tn_store_place *out)
{
    struct incoming in = {.facts = facts, .card = card, .len = len};

    return write_card(ctx, &in, update_inside, out);
}
