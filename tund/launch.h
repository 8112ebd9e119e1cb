/* From a command to a daemon: the parent waits until the child is ready, or tells what
 * went wrong, and ends with the exit code that the child chose. */
#ifndef TUND_LAUNCH_H
#define TUND_LAUNCH_H

#include <stdbool.h>

#include "libtunnel/base/err.h"

struct launch {
    int fd; /* to the waiting parent; -1 in the foreground */
};

/* Forks; only the child returns, in a session of its own. A negative errno: nothing was forked. */
TN_MUST_CHECK int launch_detach(struct launch *l);
/* The parent exits with 0; standard input, output and error go to /dev/null. */
void launch_ready(struct launch *l);
/* The parent exits with this code. What is to be said was said on standard error. */
void launch_failed(struct launch *l, int exit_code);

#endif
