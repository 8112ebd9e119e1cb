/* Writes that packets do not wait for.
 *
 * A sync of a file takes a quarter of a second on a disk that is busy. So what changes while the tunnel runs is
 * copied here, in the loop, and written by a thread of libuv's pool, one file at a time. What changes
 * again meanwhile is written again after it. What could not be written is tried again, with what it is then. */
#include "overlay_inside.h"

#include <stdlib.h>
#include <string.h>

#include "libtunnel/tunnel.h"
#include "log.h"

#define RETRY_MS 10000

static const struct tn_member *member_at(const void *ctx, uint32_t i)
{
    return tn_node_member(ctx, i);
}

static int copy(struct overlay_disk *d, const void *what, size_t len)
{
    d->what = malloc(len);
    if (!d->what)
        return why_set(&d->why, -ENOMEM, "no memory to write the state");
    memcpy(d->what, what, len);
    d->len = len;
    return 0;
}

/* In the loop: d->what becomes what the file is to hold. */
static int take(struct overlay *o, enum overlay_file file)
{
    struct overlay_disk *d = &o->disk;
    uint8_t *roster;
    int err;

    switch (file) {
    case OVERLAY_STAMP:
        return copy(d, &d->ceiling_ns, sizeof d->ceiling_ns);
    case OVERLAY_PATHS:
        return copy(d, &o->paths, sizeof o->paths);
    case OVERLAY_NETWORKS:
        return copy(d, &o->life.networks, sizeof o->life.networks);
    case OVERLAY_ROSTER:
    default:
        err = state_encode_roster(member_at, o->t->node, &roster, &d->len, &d->why);
        d->what = err ? NULL : roster;
        return err;
    }
}

/* In the worker, or in the loop while no worker runs. */
static int put(struct state *s, enum overlay_file file, const void *what, size_t len, struct why *w)
{
    uint64_t ceiling_ns;

    switch (file) {
    case OVERLAY_STAMP:
        memcpy(&ceiling_ns, what, sizeof ceiling_ns);
        return state_save_stamp(s, ceiling_ns, w);
    case OVERLAY_PATHS:
        return state_save_paths(s, what, w);
    case OVERLAY_NETWORKS:
        return state_save_networks(s, what, w);
    case OVERLAY_ROSTER:
    default:
        return state_write_roster(s, what, len, w);
    }
}

static void next(struct overlay *o);

static void on_retry(uv_timer_t *timer)
{
    struct overlay *o = timer->data;

    o->disk.resting = false;
    next(o);
}

static void done(struct overlay *o, int err)
{
    struct overlay_disk *d = &o->disk;

    if (err) {
        log_error("%s: it is tried again in %d s", d->why.text, RETRY_MS / 1000);
        d->wishes |= 1u << d->file;
        d->resting = uv_timer_start(&d->retry, on_retry, RETRY_MS, 0) == 0;
    } else if (d->file == OVERLAY_STAMP) {
        memcpy(&o->stamp_ceiling_ns, d->what, sizeof o->stamp_ceiling_ns);
        tn_node_extend_stamp(o->t->node, o->stamp_ceiling_ns);
    }
    free(d->what);
    d->what = NULL;
}

static void on_work(uv_work_t *work)
{
    struct overlay *o = work->data;
    struct overlay_disk *d = &o->disk;

    d->err = put(&o->state, d->file, d->what, d->len, &d->why);
    uv_sem_post(&d->written);
}

static void on_worked(uv_work_t *work, int cancelled)
{
    struct overlay *o = work->data;

    (void)cancelled; /* nobody does */
    if (!o->disk.running)
        return; /* overlay_disk_finish saw to it */
    uv_sem_wait(&o->disk.written);
    o->disk.running = false;
    done(o, o->disk.err);
    next(o);
    tund_pump(o->t); /* the initiations that waited for a ceiling */
}

static enum overlay_file first_wish(struct overlay_disk *d)
{
    unsigned file = 0;

    while (!(d->wishes & 1u << file))
        file++;
    d->wishes &= (uint8_t)~(1u << file);
    return (enum overlay_file)file;
}

static void next(struct overlay *o)
{
    struct overlay_disk *d = &o->disk;
    int err;

    if (d->running || d->resting || !d->wishes)
        return;
    d->file = first_wish(d);
    err = take(o, d->file);
    if (!err)
        err = uv_queue_work(&o->t->loop, &d->work, on_work, on_worked); /* d->err is the worker's from here on */
    d->running = !err;
    if (err)
        done(o, err);
}

int overlay_disk_open(struct overlay *o)
{
    int err = uv_sem_init(&o->disk.written, 0);

    if (!err)
        err = uv_timer_init(&o->t->loop, &o->disk.retry);
    o->disk.retry.data = o->disk.work.data = o;
    return err;
}

void overlay_disk_wish(struct overlay *o, enum overlay_file file)
{
    o->disk.wishes |= (uint8_t)(1u << file);
    next(o);
}

void overlay_disk_wish_stamp(struct overlay *o, uint64_t ceiling_ns)
{
    o->disk.ceiling_ns = ceiling_ns;
    overlay_disk_wish(o, OVERLAY_STAMP);
}

void overlay_disk_finish(struct overlay *o, bool write)
{
    struct overlay_disk *d = &o->disk;
    unsigned wishes;

    if (d->running) {
        uv_sem_wait(&d->written);
        d->running = false;
        done(o, d->err);
    }
    wishes = write ? d->wishes : 0;
    for (unsigned file = 0; file < OVERLAY_FILES; file++) {
        if (!(wishes & 1u << file))
            continue;
        d->file = (enum overlay_file)file;
        d->err = take(o, d->file);
        if (!d->err)
            d->err = put(&o->state, d->file, d->what, d->len, &d->why);
        done(o, d->err);
    }
    uv_close((uv_handle_t *)&d->retry, NULL);
    uv_sem_destroy(&d->written);
}
