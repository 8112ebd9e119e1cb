/* The coordinator as a running process: `tund-coord run`. */
#ifndef TUND_COORD_LOOP_H
#define TUND_COORD_LOOP_H

#include "coord_options.h"

/* Runs until SIGTERM or SIGINT. Prints one line on standard output when ready, and logs what goes
 * wrong; gives the exit code (enum coord_exit). */
int coord_run(const struct coord_options *o);

#endif
