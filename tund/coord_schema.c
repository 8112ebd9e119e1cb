/* How it works: the file says what it is by application_id ("tund") and
 * user_version. Both are read, and PRAGMA quick_check is run, before anything is
 * written, so that a foreign or damaged file stays as it was found. A new file
 * gets its tables, and an older one the steps that it lacks, in one transaction:
 * a crash in between leaves the form that was there before.
 *
 * Settings: WAL with synchronous=FULL (each commit is on the disk before it is
 * acknowledged), foreign keys, and what SQLite offers against a hostile or damaged file:
 * defensive, no trusted schema, no double-quoted strings, cell size checks, no
 * mmap (https://www.sqlite.org/security.html).
 *
 * The tables. A network's number is the store's own. A member's row is never
 * deleted: one that has left keeps its identity and invite, both of which stay used
 * for good, while the partial indexes free its name, addresses and key. Integers
 * of SQLite are signed, so an epoch, which may be 2^64-1, is 8 bytes, big endian. */
#include "coord_schema.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define APPLICATION_ID 0x74756e64 /* "tund" */
#define BUSY_TIMEOUT_MS 1000

/* Step i brings version i to i + 1. */
static const char *const steps[COORD_SCHEMA_VERSION] = {
    "CREATE TABLE network ("
    "  number INTEGER PRIMARY KEY,"
    "  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),"
    "  roster_seq INTEGER NOT NULL CHECK (roster_seq >= 0)"
    ") STRICT;"
    "CREATE TABLE member ("
    "  number INTEGER PRIMARY KEY,"
    "  network INTEGER NOT NULL REFERENCES network (number),"
    "  seq INTEGER NOT NULL CHECK (seq > 0),"
    "  invite BLOB NOT NULL CHECK (length(invite) = 16),"
    "  identity BLOB NOT NULL CHECK (length(identity) = 32),"
    "  name TEXT NOT NULL,"
    "  ipv4 BLOB NOT NULL CHECK (length(ipv4) = 4),"
    "  ipv6 BLOB NOT NULL CHECK (length(ipv6) = 16),"
    "  wireguard BLOB NOT NULL CHECK (length(wireguard) = 32),"
    "  epoch BLOB NOT NULL CHECK (length(epoch) = 8),"
    "  left INTEGER NOT NULL CHECK (left IN (0, 1)),"
    "  card BLOB NOT NULL CHECK (length(card) BETWEEN 1 AND 543),"
    "  UNIQUE (network, invite),"
    "  UNIQUE (network, identity),"
    "  UNIQUE (network, seq)"
    ") STRICT;"
    "CREATE UNIQUE INDEX member_name ON member (network, name) WHERE left = 0;"
    "CREATE UNIQUE INDEX member_ipv4 ON member (network, ipv4) WHERE left = 0;"
    "CREATE UNIQUE INDEX member_ipv6 ON member (network, ipv6) WHERE left = 0;"
    "CREATE UNIQUE INDEX member_wireguard ON member (wireguard) WHERE left = 0;",
};

/* ---- errors ---- */

int coord_sqlite_errno(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static const char *advice(int err)
{
    switch (err) {
    case -EBUSY:
        return "another process works on it: end that one, and try again";
    case -ENOSPC:
        return "the disk is full: make room; nothing that was acknowledged is lost";
    case -EROFS:
    case -EACCES:
        return "the directory must be writable for tund-coord's user";
    case -EBADMSG:
        return "restore the file from a backup; members' cards are in it";
    default:
        return "look at the disk and the system's log (dmesg)";
    }
}

int coord_sqlite_why(struct why *w, sqlite3 *db, int rc, const char *doing, const char *path)
{
    int err = coord_sqlite_errno(rc);
    int sys = db ? sqlite3_system_errno(db) : 0;
    bool say_sys = sys && (err == -EIO || err == -EACCES);

    return why_set(w, err, "cannot %s %s: %s%s%s; %s", doing, path,
                   db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), say_sys ? ": " : "",
                   say_sys ? strerror(sys) : "", advice(err));
}

/* ---- single statements ---- */

/* First column of the first row: as a number, and as text where `text` is not NULL. */
static int ask(sqlite3 *db, const char *sql, sqlite3_int64 *number, char *text, size_t cap)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        if (number)
            *number = sqlite3_column_int64(stmt, 0);
        if (text) {
            const char *value = (const char *)sqlite3_column_text(stmt, 0);
            size_t len = value ? strlen(value) : 0;

            if (len >= cap)
                len = cap - 1;
            if (len)
                memcpy(text, value, len);
            text[len] = '\0';
        }
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_NOTADB; /* every question asked here has an answer */
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- what the file is ---- */

struct file_kind {
    sqlite3_int64 application, version, tables;
};

static int read_kind(sqlite3 *db, struct file_kind *k)
{
    int rc = ask(db, "PRAGMA application_id", &k->application, NULL, 0);

    if (rc == SQLITE_OK)
        rc = ask(db, "PRAGMA user_version", &k->version, NULL, 0);
    if (rc == SQLITE_OK)
        rc = ask(db, "SELECT count(*) FROM sqlite_schema", &k->tables, NULL, 0);
    return rc;
}

static int judge(const struct file_kind *k, const char *path, struct why *w)
{
    bool fresh = k->application == 0 && k->version == 0 && k->tables == 0;

    if (!fresh && k->application != APPLICATION_ID)
        return why_set(w, -EBADMSG, "%s is some other program's database: move it away, or name "
                       "another --state", path);
    if (k->version > COORD_SCHEMA_VERSION)
        return why_set(w, -EPROTONOSUPPORT, "%s is from a newer tund-coord (form %lld; this one "
                       "knows up to %d): install that one, or name another --state", path,
                       (long long)k->version, COORD_SCHEMA_VERSION);
    if (!fresh && k->version < 1)
        return why_set(w, -EBADMSG, "%s has no version: restore it from a backup", path);
    return 0;
}

static int check_intact(sqlite3 *db, const char *path, struct why *w)
{
    char verdict[160];
    int rc = ask(db, "PRAGMA quick_check(1)", NULL, verdict, sizeof(verdict));

    if (rc != SQLITE_OK)
        return coord_sqlite_why(w, db, rc, "check", path);
    if (strcmp(verdict, "ok"))
        return why_set(w, -EBADMSG, "%s is damaged (%s): restore it from a backup; members' cards "
                       "are in it", path, verdict);
    return 0;
}

/* ---- settings and tables ---- */

static int set_safe(sqlite3 *db)
{
    static const struct {
        int option, value;
    } setting[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; i < sizeof(setting) / sizeof(setting[0]) && rc == SQLITE_OK; i++)
        rc = sqlite3_db_config(db, setting[i].option, setting[i].value, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;", NULL, NULL, NULL);
    return rc;
}

static int set_durable(sqlite3 *db, const char *path, struct why *w)
{
    char mode[16] = "";
    int rc = ask(db, "PRAGMA journal_mode=WAL", NULL, mode, sizeof(mode));

    if (rc == SQLITE_OK && strcmp(mode, "wal"))
        return why_set(w, -EROFS, "%s: this file system cannot hold a write-ahead log (mode is %s): "
                       "name a --state on a local disk that can be written", path, mode);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216;", NULL,
                          NULL, NULL);
    return rc == SQLITE_OK ? 0 : coord_sqlite_why(w, db, rc, "set up", path);
}

static int upgrade(sqlite3 *db, const char *path, struct why *w)
{
    sqlite3_int64 version;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    /* Asked again: another process may have done it while we waited for the lock. */
    if (rc == SQLITE_OK)
        rc = ask(db, "PRAGMA user_version", &version, NULL, 0);
    for (; rc == SQLITE_OK && version < COORD_SCHEMA_VERSION; version++)
        rc = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
    _Static_assert(APPLICATION_ID == 1953853028 && COORD_SCHEMA_VERSION == 1, "as written below");
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA application_id=1953853028; PRAGMA user_version=1; COMMIT",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    (void)coord_sqlite_why(w, db, rc, "make the tables in", path);
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* closing would do the same */
    return coord_sqlite_errno(rc);
}

int coord_schema_open(const char *path, sqlite3 **db, struct why *w)
{
    struct file_kind kind;
    sqlite3 *d = NULL;
    int rc, err;

    rc = sqlite3_open_v2(path, &d,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                             SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW,
                         NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(d, BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK)
        rc = set_safe(d);
    if (rc == SQLITE_OK)
        rc = read_kind(d, &kind);
    if (rc != SQLITE_OK) {
        err = coord_sqlite_why(w, d, rc, "open", path);
        goto out;
    }
    err = judge(&kind, path, w);
    if (!err)
        err = check_intact(d, path, w);
    if (!err)
        err = set_durable(d, path, w);
    if (!err && kind.version < COORD_SCHEMA_VERSION)
        err = upgrade(d, path, w);
    if (err)
        goto out;
    *db = d;
    return 0;
out:
    sqlite3_close(d);
    return err;
}
