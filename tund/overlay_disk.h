/* Writes to the disk that packets do not wait for: inside of overlay*.c only. They log what fails, and try again. */
#ifndef TUND_OVERLAY_DISK_H
#define TUND_OVERLAY_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "libtunnel/base/err.h"
#include "why.h"

struct overlay;

/* What is written while the tunnel runs, the most urgent first. */
enum overlay_file {
    OVERLAY_STAMP,
    OVERLAY_ROSTER,
    OVERLAY_PATHS,    /* which ways the user allows */
    OVERLAY_NETWORKS, /* what was learned about networks */
    OVERLAY_FILES,
};
struct overlay_disk { /* private to overlay_disk.c */
    uv_work_t work;
    uv_sem_t written; /* the worker is done with `what` */
    uv_timer_t retry;
    uint8_t wishes; /* bit by enum overlay_file */
    bool running, resting;
    enum overlay_file file; /* what runs, with its content: owned */
    void *what;
    size_t len;
    int err;
    struct why why;
    uint64_t ceiling_ns; /* that OVERLAY_STAMP is to hold */
};

TN_MUST_CHECK int overlay_disk_open(struct overlay *o);
/* To be written as it is when a worker is free. */
void overlay_disk_wish(struct overlay *o, enum overlay_file file);
void overlay_disk_wish_stamp(struct overlay *o, uint64_t ceiling_ns);
/* Waits for what is being written; then the rest, unless it is to be forgotten. Ends what open began. */
void overlay_disk_finish(struct overlay *o, bool write);

#endif
