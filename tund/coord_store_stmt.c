/* How it works: one table of statements makes both the enum and the text, so they
 * cannot drift apart; all are prepared once. See coord_store_sqlite.c for what a
 * lasting failure is and why. */
#include "coord_store_stmt.h"

#include <errno.h>
#include <string.h>

#include "coord_schema.h"

static const char *const statement_sql[S_COUNT] = {
#define STATEMENT_SQL(name, sql) [S_##name] = sql,
    STATEMENTS(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* ---- failures ---- */

/* After these nobody can say what is on the disk. */
static bool is_lasting(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB ||
           rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC || rc == SQLITE_IOERR_READ ||
           rc == SQLITE_IOERR_CORRUPTFS || rc == SQLITE_IOERR_DATA;
}

void coord_stmt_failed(struct coord_store *s, int rc, const char *doing)
{
    s->health.failures++;
    if (is_lasting(rc))
        s->health.failed = true;
    (void)coord_sqlite_why(&s->health.last, s->db, rc, doing, s->path);
}

uint8_t coord_stmt_write_failed(struct coord_store *s, int rc)
{
    coord_stmt_failed(s, rc, "write to");
    return coord_sqlite_errno(rc) == -EBUSY ? TN_STATUS_TRY_LATER : TN_STATUS_STORE;
}

/* ---- statements ---- */

void coord_stmt_end(sqlite3_stmt *q)
{
    /* Repeats the result of the last step, which was looked at already. */
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
}

int coord_bind_blob(int rc, sqlite3_stmt *q, int at, const void *data, size_t len)
{
    return rc == SQLITE_OK ? sqlite3_bind_blob(q, at, data, (int)len, SQLITE_STATIC) : rc;
}

int coord_bind_text(int rc, sqlite3_stmt *q, int at, const char *text, size_t len)
{
    return rc == SQLITE_OK ? sqlite3_bind_text(q, at, text, (int)len, SQLITE_STATIC) : rc;
}

int coord_bind_number(int rc, sqlite3_stmt *q, int at, uint64_t v)
{
    return rc == SQLITE_OK ? sqlite3_bind_int64(q, at, (sqlite3_int64)v) : rc;
}

int coord_stmt_step(int rc, sqlite3_stmt *q)
{
    return rc == SQLITE_OK ? sqlite3_step(q) : rc;
}

int coord_stmt_run(struct coord_store *s, enum coord_statement which)
{
    sqlite3_stmt *q = s->stmt[which];
    int rc = sqlite3_step(q);

    coord_stmt_end(q);
    return rc;
}

bool coord_column_is(sqlite3_stmt *q, int at, const void *data, size_t len)
{
    const void *value = sqlite3_column_blob(q, at);

    return value && (size_t)sqlite3_column_bytes(q, at) == len && memcmp(value, data, len) == 0;
}

bool coord_column_copy(sqlite3_stmt *q, int at, void *out, size_t len)
{
    const void *value = sqlite3_column_blob(q, at);

    if (!value || (size_t)sqlite3_column_bytes(q, at) != len)
        return false;
    memcpy(out, value, len);
    return true;
}

int coord_stmt_count(struct coord_store *s, enum coord_statement which, uint64_t *out)
{
    sqlite3_stmt *q = s->stmt[which];
    int rc = sqlite3_step(q);

    if (rc == SQLITE_ROW) {
        *out = (uint64_t)sqlite3_column_int64(q, 0);
        rc = SQLITE_OK;
    }
    coord_stmt_end(q);
    return rc;
}

int coord_stmt_prepare_all(struct coord_store *s, struct why *w)
{
    for (int i = 0; i < S_COUNT; i++) {
        int rc = sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->stmt[i], NULL);

        if (rc != SQLITE_OK)
            return coord_sqlite_why(w, s->db, rc, "use the tables of", s->path);
    }
    return 0;
}

void coord_stmt_finalize_all(struct coord_store *s)
{
    for (int i = 0; i < S_COUNT; i++)
        sqlite3_finalize(s->stmt[i]);
}
