/* tund-igd as a child of the daemon: started for one job, listened to until it has ended, killed when it
 * takes too long or says too much. */
#ifndef TUND_GATEWAY_IGD_CHILD_H
#define TUND_GATEWAY_IGD_CHILD_H

#include <limits.h>
#include <uv.h>

#include "igdmsg.h"

#define IGD_CHILD_MS 6000 /* from its start to its end */

struct igd_child; /* heap; frees itself when its handles have closed */

/* Called once, when the child has ended; answer is lent, and NULL where there is none that could be
 * read (it crashed, was killed, or wrote something else). Not called after igd_child_kill. */
typedef void (*igd_child_done)(void *ctx, const struct igd_answer *answer);

/* 0 or a negative errno; `done` is then not called. */
TN_MUST_CHECK int igd_child_start(struct igd_child **out, uv_loop_t *loop, const char *program,
                                  const struct igd_job *job, igd_child_done done, void *ctx);
void igd_child_kill(struct igd_child *c); /* NULL is fine */

/* Where tund-igd is: beside us in a build, or where it was installed. False: nowhere. */
bool igd_child_find(char out[PATH_MAX]);

#endif
