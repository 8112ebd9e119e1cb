/* Threads that seal and open beside the one that owns the node. They sleep unless they help: whether they
 * do is measured while there is traffic, again and again, and what wins is used. */
#ifndef TUND_FAST_WORKERS_H
#define TUND_FAST_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/job.h"

#define FAST_WORKERS_MAX 7u

struct fast_workers; /* heap */

/* As many as may help on this machine: two processors are left to the owner and to whom he works for. */
unsigned fast_workers_wanted(void);
/* always: they are used for every large batch, else while they help. NULL: no memory. Fewer, or none,
 * where the system gives no more. */
struct fast_workers *fast_workers_new(unsigned threads, bool always);
void fast_workers_free(struct fast_workers *w); /* NULL is fine */
unsigned fast_workers_count(const struct fast_workers *w);

/* Is it worth while now to gather jobs for fast_workers_run? Asked before each batch. */
bool fast_workers_gather(struct fast_workers *w);
/* Runs all jobs, in any order, and returns when they are done. */
void fast_workers_run(struct fast_workers *w, struct tn_job *job, uint32_t count);
/* Did they win, when last measured? */
bool fast_workers_help(const struct fast_workers *w);

#endif
