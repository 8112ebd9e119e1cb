/* The state directory of one instance: small files that only their owner can
 * read, replaced as a whole or not at all. What is in the files: state_record.h. */
#ifndef TUND_STATE_H
#define TUND_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "libtunnel/base/err.h"
#include "why.h"

#define STATE_DIR_DEFAULT "/var/lib/tund"

/* Two locks, both released when the process ends however it ends. */
enum state_lock {
    STATE_LOCK_DAEMON, /* one daemon owns the directory; held as long as it runs */
    STATE_LOCK_CHANGE, /* one tundctl changes what the daemon does not write */
    STATE_LOCK_COUNT,
};

struct state {
    int dir_fd; /* -1: not open */
    int lock_fd[STATE_LOCK_COUNT];
    char dir[PATH_MAX]; /* as it was given, for messages */
};

/* All functions return 0 or a negative errno, and have then filled *w.
 *
 * Opens the directory, which must be ours (effective uid) and closed to others. With `create` it
 * and its parents are made where they are missing, and an empty one of ours that others could read
 * is closed to them. -ENOENT, -EPERM, -ENOTDIR, -EACCES, ... */
TN_MUST_CHECK int state_open(struct state *s, const char *dir, bool create, struct why *w);
void state_close(struct state *s); /* gives the locks up; twice is fine */

/* -EBUSY: another process has it (`wait` false). */
TN_MUST_CHECK int state_lock(struct state *s, enum state_lock which, bool wait, struct why *w);
void state_unlock(struct state *s, enum state_lock which);

/* Reads a whole file. -ENOENT: there is none (the only error without a sentence for the user);
 * -EPERM: a link, not a plain file, another's, or open to others; -EFBIG: more than cap bytes. */
TN_MUST_CHECK int state_read(struct state *s, const char *name, void *buf, size_t cap, size_t *len,
                             struct why *w);
/* Replaces a file: after a power cut at any moment the old or the new content is there, whole. On
 * failure the old one stays (but for a failure of the very last step, when it may be the new one). */
TN_MUST_CHECK int state_write(struct state *s, const char *name, const void *data, size_t len,
                              struct why *w);
/* No file is no error. */
TN_MUST_CHECK int state_remove(struct state *s, const char *name, struct why *w);
bool state_has(const struct state *s, const char *name);

#endif
