/* The coordinator's database file: opened, checked, and brought to the form that
 * coord_store_sqlite.c works on. */
#ifndef TUND_COORD_SCHEMA_H
#define TUND_COORD_SCHEMA_H

#include <sqlite3.h>

#include "libtunnel/base/err.h"

#include "why.h"

/* The form of the tables that this program knows; kept in the file as user_version. */
#define COORD_SCHEMA_VERSION 1

/* Opens the file, making it where there is none. 0, or a negative errno with *w filled in:
 * -EBUSY another process has it, -EBADMSG damaged or not a coordinator's, -EPROTONOSUPPORT from a
 * newer tund-coord, -ENOSPC, -EACCES, -EROFS, -EIO. On failure nothing stays open, and a file
 * that is not ours is unchanged. */
TN_MUST_CHECK int coord_schema_open(const char *path, sqlite3 **db, struct why *w);

/* What a result code of SQLite is as an errno, and a sentence for it. */
int coord_sqlite_errno(int rc);
int coord_sqlite_why(struct why *w, sqlite3 *db, int rc, const char *doing, const char *path);

#endif
