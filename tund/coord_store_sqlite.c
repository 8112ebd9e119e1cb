/* How it works: every statement is prepared once, at the start; values are only
 * ever bound (coord_store_stmt.c). Reads are here, the two writes in
 * coord_store_write.c. With WAL and synchronous=FULL a write is on the disk when
 * COMMIT returns, and only then is it acknowledged.
 *
 * When it fails: a full disk or a lock is told to the asker (status 13 or 12),
 * and tried again with the next request. When the disk did not sync, or the file
 * turns out damaged, the kernel may already have dropped what it could not
 * write, and a later "ok" would prove nothing: from then on writes are refused until
 * the program is started anew and has checked the file. Reads, and so the relay
 * and lookups, go on. */
#include "coord_store_sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coord_schema.h"
#include "coord_store_stmt.h"
#include "coord_store_write.h"

/* ---- reads ---- */

static int op_counts(void *ctx, struct tn_store_counts *out)
{
    struct coord_store *s = ctx;
    struct tn_store_counts c;
    int rc = coord_stmt_count(s, S_COUNT_NETWORKS, &c.networks);

    if (rc == SQLITE_OK)
        rc = coord_stmt_count(s, S_COUNT_MEMBERS, &c.members);
    if (rc != SQLITE_OK) {
        coord_stmt_failed(s, rc, "read");
        return TN_ESTATE;
    }
    *out = c;
    return 0;
}

/* A row of MEMBER. False: it is not as we write them. */
static bool read_member(sqlite3_stmt *q, struct tn_store_member *m)
{
    int len = sqlite3_column_bytes(q, 5);

    memset(m, 0, sizeof(*m));
    m->network = (uint64_t)sqlite3_column_int64(q, 0);
    m->seq = (uint64_t)sqlite3_column_int64(q, 1);
    m->left = sqlite3_column_int(q, 4) != 0;
    if (len < 1 || (size_t)len > sizeof(m->card))
        return false;
    m->card_len = (uint16_t)len;
    return coord_column_copy(q, 2, m->identity, sizeof(m->identity)) &&
           coord_column_copy(q, 3, m->wireguard_public, sizeof(m->wireguard_public)) &&
           coord_column_copy(q, 5, m->card, m->card_len);
}

/* Takes a bound statement to its end. */
static int fetch_member(struct coord_store *s, int rc, sqlite3_stmt *q, struct tn_store_member *out)
{
    struct tn_store_member m;
    int result = TN_ESTATE;

    rc = coord_stmt_step(rc, q);
    if (rc == SQLITE_DONE)
        result = TN_ENOENT;
    else if (rc != SQLITE_ROW)
        coord_stmt_failed(s, rc, "read");
    else if (!read_member(q, &m))
        coord_stmt_failed(s, SQLITE_CORRUPT, "understand");
    else
        result = 0;
    coord_stmt_end(q);
    if (result == 0)
        *out = m;
    return result;
}

static int op_by_wireguard(void *ctx, const uint8_t wireguard_public[32],
                           struct tn_store_member *out)
{
    sqlite3_stmt *q = ((struct coord_store *)ctx)->stmt[S_BY_WIREGUARD];

    return fetch_member(ctx, coord_bind_blob(SQLITE_OK, q, 1, wireguard_public, 32), q, out);
}

static int op_by_identity(void *ctx, uint64_t network, const uint8_t identity[32],
                          struct tn_store_member *out)
{
    sqlite3_stmt *q = ((struct coord_store *)ctx)->stmt[S_BY_IDENTITY];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    return fetch_member(ctx, coord_bind_blob(rc, q, 2, identity, 32), q, out);
}

static int op_by_address(void *ctx, uint64_t network, const uint8_t ip[16],
                         struct tn_store_member *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool v4 = memcmp(ip, mapped, sizeof(mapped)) == 0;
    sqlite3_stmt *q = ((struct coord_store *)ctx)->stmt[v4 ? S_BY_IPV4 : S_BY_IPV6];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    return fetch_member(ctx, coord_bind_blob(rc, q, 2, v4 ? ip + 12 : ip, v4 ? 4 : 16), q, out);
}

static int op_by_name(void *ctx, uint64_t network, const char *name, size_t len,
                      struct tn_store_member *out)
{
    sqlite3_stmt *q = ((struct coord_store *)ctx)->stmt[S_BY_NAME];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    return fetch_member(ctx, coord_bind_text(rc, q, 2, name, len), q, out);
}

static int op_next_after(void *ctx, uint64_t network, uint64_t seq, struct tn_store_member *out)
{
    sqlite3_stmt *q = ((struct coord_store *)ctx)->stmt[S_NEXT_AFTER];
    int rc = coord_bind_number(SQLITE_OK, q, 1, network);

    if (seq > INT64_MAX)
        seq = INT64_MAX; /* SQLite's integers are signed; no seq is near that */
    return fetch_member(ctx, coord_bind_number(rc, q, 2, seq), q, out);
}

static int op_roster_seq(void *ctx, uint64_t network, uint64_t *out)
{
    struct coord_store *s = ctx;
    sqlite3_stmt *q = s->stmt[S_ROSTER_SEQ];
    int rc = coord_stmt_step(coord_bind_number(SQLITE_OK, q, 1, network), q);
    uint64_t seq = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;

    coord_stmt_end(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        coord_stmt_failed(s, rc, "read");
        return TN_ESTATE;
    }
    *out = seq;
    return 0;
}

/* ---- life ---- */

int coord_store_open(const char *path, const struct coord_store_limits *limits,
                     struct coord_store **out, struct why *w)
{
    struct coord_store *s = calloc(1, sizeof(*s));
    int err;

    if (s)
        s->path = strdup(path);
    if (!s || !s->path) {
        free(s);
        return why_set(w, -ENOMEM, "out of memory");
    }
    s->limits = *limits;
    err = coord_schema_open(path, &s->db, w);
    if (!err)
        err = coord_stmt_prepare_all(s, w);
    if (err) {
        coord_store_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void coord_store_close(struct coord_store *s)
{
    if (!s)
        return;
    coord_stmt_finalize_all(s);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

struct tn_store coord_store_interface(struct coord_store *s)
{
    static const struct tn_store_ops ops = {
        .counts = op_counts,
        .member_by_wireguard = op_by_wireguard,
        .member_by_identity = op_by_identity,
        .member_by_address = op_by_address,
        .member_by_name = op_by_name,
        .member_next_after = op_next_after,
        .roster_seq = op_roster_seq,
        .member_join = coord_store_join,
        .member_update = coord_store_update,
    };

    return (struct tn_store){.ops = &ops, .ctx = s};
}

const struct coord_store_health *coord_store_health(const struct coord_store *s)
{
    return &s->health;
}
