/* The coordinator's store (libtunnel/coord/store.h) in one SQLite file. */
#ifndef TUND_COORD_STORE_SQLITE_H
#define TUND_COORD_STORE_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/err.h"
#include "libtunnel/coord/store.h"

#include "why.h"

#define COORD_STORE_FILE "coord.db"
/* Rows of one network, those of departed members included, for each member that it may have. */
#define COORD_STORE_ROWS_PER_MEMBER 8

struct coord_store_limits {
    uint32_t networks;
    uint32_t members; /* of one network, at one time */
};

struct coord_store; /* heap */

/* How it went since the start, for the log and `tund-coord status`. */
struct coord_store_health {
    uint64_t failures; /* calls that could not read or write */
    bool failed;       /* the disk lied, or the file is damaged: no writes until a restart */
    struct why last;   /* of the last failure; empty when there was none */
};

/* 0, or a negative errno as coord_schema_open, with *w filled in. */
TN_MUST_CHECK int coord_store_open(const char *path, const struct coord_store_limits *limits,
                                   struct coord_store **out, struct why *w);
void coord_store_close(struct coord_store *s); /* NULL is fine */

struct tn_store coord_store_interface(struct coord_store *s);
const struct coord_store_health *coord_store_health(const struct coord_store *s);

#endif
