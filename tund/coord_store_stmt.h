/* What the parts of the SQLite store share: its statements, how values are bound,
 * and what a failure leaves behind. Not for others; the store is coord_store_sqlite.h. */
#ifndef TUND_COORD_STORE_STMT_H
#define TUND_COORD_STORE_STMT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coord_store_sqlite.h"

/* What tn_store_member is made of. */
#define MEMBER "SELECT network, seq, identity, wireguard, left, card FROM member WHERE "

#define STATEMENTS(X)                                                                              \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(COUNT_NETWORKS, "SELECT count(*) FROM network")                                              \
    X(COUNT_MEMBERS, "SELECT count(*) FROM member WHERE left = 0")                                 \
    X(COUNT_ROWS, "SELECT count(*), count(*) FILTER (WHERE left = 0) FROM member "                 \
                  "WHERE network = ?1")                                                            \
    X(BY_WIREGUARD, MEMBER "wireguard = ?1 AND left = 0")                                          \
    X(BY_IDENTITY, MEMBER "network = ?1 AND identity = ?2")                                        \
    X(BY_IPV4, MEMBER "network = ?1 AND ipv4 = ?2 AND left = 0")                                   \
    X(BY_IPV6, MEMBER "network = ?1 AND ipv6 = ?2 AND left = 0")                                   \
    X(BY_NAME, MEMBER "network = ?1 AND name = ?2 AND left = 0")                                   \
    X(NEXT_AFTER, MEMBER "network = ?1 AND seq > ?2 "                                              \
                  "ORDER BY seq LIMIT 1")                                                          \
    X(ROSTER_SEQ, "SELECT roster_seq FROM network WHERE number = ?1")                              \
    X(FIND_NETWORK, "SELECT number, roster_seq FROM network WHERE public_key = ?1")                \
    X(ADD_NETWORK, "INSERT INTO network (public_key, roster_seq) VALUES (?1, 0)")                  \
    X(NEXT_SEQ, "UPDATE network SET roster_seq = roster_seq + 1 WHERE number = ?1 "                \
                "RETURNING roster_seq")                                                            \
    X(HELD, "SELECT number, invite, name, ipv4, ipv6, epoch, card FROM member "                    \
            "WHERE network = ?1 AND identity = ?2")                                                \
    X(INVITE_USED, "SELECT 1 FROM member WHERE network = ?1 AND invite = ?2")                      \
    X(TAKEN, "SELECT 1 FROM member WHERE network = ?1 AND name = ?2 AND left = 0 "                 \
             "UNION ALL SELECT 1 FROM member WHERE network = ?1 AND ipv4 = ?3 AND left = 0 "       \
             "UNION ALL SELECT 1 FROM member WHERE network = ?1 AND ipv6 = ?4 AND left = 0 "       \
             "UNION ALL SELECT 1 FROM member WHERE wireguard = ?5 AND left = 0 LIMIT 1")           \
    X(KEY_TAKEN, "SELECT 1 FROM member WHERE wireguard = ?1 AND left = 0 AND number <> ?2")        \
    X(ADD_MEMBER, "INSERT INTO member (network, seq, invite, identity, name, ipv4, ipv6, "         \
                  "wireguard, epoch, left, card) "                                                 \
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)")                           \
    X(CHANGE_MEMBER, "UPDATE member SET seq = ?2, wireguard = ?3, epoch = ?4, left = ?5, "         \
                     "card = ?6 WHERE number = ?1")

enum coord_statement {
#define STATEMENT_NAME(name, sql) S_##name,
    STATEMENTS(STATEMENT_NAME)
#undef STATEMENT_NAME
    S_COUNT,
};

struct coord_store {
    sqlite3 *db;
    sqlite3_stmt *stmt[S_COUNT];
    struct coord_store_limits limits;
    struct coord_store_health health;
    char *path; /* for messages */
};

/* 0 or a negative errno, with *w filled in. coord_stmt_finalize_all takes what there is. */
TN_MUST_CHECK int coord_stmt_prepare_all(struct coord_store *s, struct why *w);
void coord_stmt_finalize_all(struct coord_store *s);

/* Counts and describes a failure; one that leaves nobody knowing what is on the disk is kept. */
void coord_stmt_failed(struct coord_store *s, int rc, const char *doing);
/* The same for a write: the enum tn_status to answer with. */
uint8_t coord_stmt_write_failed(struct coord_store *s, int rc);

/* A statement is fetched from s->stmt, bound, stepped, read, and brought to its end. Binding and
 * stepping take the result so far and do nothing where that is an error already. Bound values must
 * stay where they are until coord_stmt_end. */
int coord_bind_blob(int rc, sqlite3_stmt *q, int at, const void *data, size_t len);
int coord_bind_text(int rc, sqlite3_stmt *q, int at, const char *text, size_t len);
int coord_bind_number(int rc, sqlite3_stmt *q, int at, uint64_t v);
int coord_stmt_step(int rc, sqlite3_stmt *q);
void coord_stmt_end(sqlite3_stmt *q);
/* Runs what gives no rows: SQLITE_DONE, or an error. */
int coord_stmt_run(struct coord_store *s, enum coord_statement which);
/* The number that a statement without parameters gives: SQLITE_OK, or an error. */
int coord_stmt_count(struct coord_store *s, enum coord_statement which, uint64_t *out);

bool coord_column_is(sqlite3_stmt *q, int at, const void *data, size_t len);
/* False where the column has another length. */
bool coord_column_copy(sqlite3_stmt *q, int at, void *out, size_t len);

#endif
