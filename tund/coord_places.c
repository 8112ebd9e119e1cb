/* How it works: twice a second the places of all live members are written down, if any has changed. The file
 * is replaced whole, but not flushed to the disk: nobody waits for it, and it outlives the process,
 * which is what ends most often. Those of the last run that are not back yet are written behind, so that
 * two ends in short succession lose nobody; after STARTS_MAX starts a silent one is forgotten.
 *
 *   file    "tund places 1\n"  { key[32] index[4] address[18] socket[1] local[16] starts[1] }
 *           check[16], BLAKE2s of all before
 *
 * Calling goes in ROUNDS rounds, since a call may be lost; who is back is not called again. It is paced, for
 * each call brings a handshake. */
#include "coord_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/crypto/crypto.h"

#include "log.h"

#define ROW_LEN 72u
#define CHECK_LEN 16u
#define STARTS_MAX 8
#define ROUNDS 3
#define STEP_MS 20
#define CALLS_PER_STEP 20
#define ROUND_MS 1500
#define WRITE_US TN_MS(500)
#define TEMP_FILE COORD_PLACES_FILE ".tmp"

static const char magic[] = "tund places 1\n";
#define MAGIC_LEN (sizeof(magic) - 1)

struct coord_place {
    struct tn_server_place at; /* its port is of the ways of this run */
    uint8_t starts;
};

/* ---- the file ---- */

static uint8_t *write_row(const struct coord_places *p, const struct tn_server_place *at,
                          uint8_t starts, uint8_t *out)
{
    memcpy(out, at->client_public, 32);
    tn_put_be32(out + 32, at->index);
    tn_addr_encode(&at->addr, out + 36);
    out[54] = p->net->way[at->port].socket;
    memcpy(out + 55, p->net->way[at->port].local.ip, 16);
    out[71] = starts;
    return out + ROW_LEN;
}

static bool read_row(struct coord_places *p, const uint8_t *row, struct coord_place *out)
{
    struct tn_addr local = {.port = 0};

    memcpy(out->at.client_public, row, 32);
    out->at.index = tn_get_be32(row + 32);
    tn_addr_decode(row + 36, &out->at.addr);
    memcpy(local.ip, row + 55, 16);
    out->starts = (uint8_t)(row[71] + 1);
    if (row[54] >= p->net->udp_count || row[71] >= STARTS_MAX || tn_addr_is_zero(&out->at.addr) ||
        tn_addr_is_stream(&out->at.addr) || !out->at.addr.port)
        return false;
    out->at.port = coord_net_way(p->net, row[54], &local);
    return true;
}

/* All that there is to write but the check, into p->file; its length. */
static size_t fill(struct coord_places *p)
{
    struct tn_now now = p->clock();
    struct tn_server_place at;
    uint8_t *out = p->file + MAGIC_LEN;
    uint32_t slot = 0;

    memcpy(p->file, magic, MAGIC_LEN);
    while (tn_server_place_next(p->server, &slot, now, &at))
        out = write_row(p, &at, 0, out);
    for (uint32_t i = 0; i < p->count && out + ROW_LEN + CHECK_LEN <= p->file + p->file_cap; i++) {
        if (!tn_server_has(p->server, p->place[i].at.client_public, now))
            out = write_row(p, &p->place[i].at, p->place[i].starts, out);
    }
    return (size_t)(out - p->file);
}

static int replace_file(struct coord_places *p, size_t len)
{
    int dir = p->state->dir_fd, err = 0;
    int fd = openat(dir, TEMP_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t done;

    if (fd < 0)
        return -errno;
    done = write(fd, p->file, len);
    if (done < 0)
        err = -errno;
    else if ((size_t)done != len)
        err = -ENOSPC;
    if (close(fd) < 0 && !err)
        err = -errno;
    if (!err && renameat(dir, TEMP_FILE, dir, COORD_PLACES_FILE) < 0)
        err = -errno;
    return err;
}

static void save(struct coord_places *p)
{
    size_t len = fill(p);
    uint8_t *swap = p->written;
    int err;

    p->next_write_us = p->clock().us + WRITE_US;
    if (len == p->written_len && !memcmp(p->file, p->written, len))
        return;
    tn_blake2s(p->file + len, CHECK_LEN, NULL, 0, p->file, len);
    err = replace_file(p, len + CHECK_LEN);
    if (err && !p->has_failed)
        log_warn("cannot write %s/%s: %s; after a restart members come back later", p->state->dir,
                 COORD_PLACES_FILE, strerror(-err));
    p->has_failed = err != 0;
    if (err)
        return;
    p->written = p->file;
    p->file = swap;
    p->written_len = len;
}

static bool is_whole(const uint8_t *file, size_t len)
{
    uint8_t check[CHECK_LEN];

    if (len < MAGIC_LEN + CHECK_LEN || (len - MAGIC_LEN - CHECK_LEN) % ROW_LEN ||
        memcmp(file, magic, MAGIC_LEN) != 0)
        return false;
    tn_blake2s(check, sizeof(check), NULL, 0, file, len - CHECK_LEN);
    return tn_ct_equal(check, file + len - CHECK_LEN, CHECK_LEN);
}

static void load(struct coord_places *p)
{
    struct why w = {""};
    size_t len = 0;
    int err = state_read(p->state, COORD_PLACES_FILE, p->file, p->file_cap, &len, &w);

    if (err == -ENOENT)
        return;
    if (err || !is_whole(p->file, len)) {
        log_warn("%s/%s is not used: %s", p->state->dir, COORD_PLACES_FILE,
                 err ? w.text : "it is not whole");
        return;
    }
    for (size_t at = MAGIC_LEN; at + CHECK_LEN < len; at += ROW_LEN) {
        if (read_row(p, p->file + at, &p->place[p->count]))
            p->count++;
    }
}

/* ---- calling ---- */

static void call(struct coord_places *p, const struct tn_server_place *at)
{
    uint8_t out[TN_CTL_LOST_LEN];

    coord_net_send(p->net, at->port, &at->addr, out, tn_ctl_lost_encode(at->index, NULL, out));
}

static void on_timer(uv_timer_t *t)
{
    struct coord_places *p = t->data;
    struct tn_now now = p->clock();
    unsigned step = 0;
    uint64_t wait = STEP_MS;

    while (p->round < ROUNDS && p->at < p->count && step < CALLS_PER_STEP) {
        const struct coord_place *x = &p->place[p->at++];

        if (tn_server_has(p->server, x->at.client_public, now))
            continue;
        call(p, &x->at);
        step++;
    }
    if (p->round < ROUNDS && p->at == p->count) {
        p->round = p->count ? p->round + 1 : ROUNDS;
        p->at = 0;
        wait = ROUND_MS;
    }
    if (now.us >= p->next_write_us)
        save(p);
    if (p->round == ROUNDS && wait < WRITE_US / 1000)
        wait = WRITE_US / 1000;
    (void)uv_timer_start(&p->timer, on_timer, wait, 0);
}

/* ---- life ---- */

int coord_places_open(struct coord_places *p, uv_loop_t *loop, struct state *state,
                      const struct tn_server *server, struct coord_net *net, uint32_t sessions,
                      struct tn_now (*clock)(void), struct why *w)
{
    int err;

    *p = (struct coord_places){
        .state = state, .server = server, .net = net, .clock = clock,
        .file_cap = MAGIC_LEN + CHECK_LEN + 2 * (size_t)sessions * ROW_LEN};
    p->file = malloc(p->file_cap);
    p->written = malloc(p->file_cap);
    p->place = calloc(2 * (size_t)sessions, sizeof(*p->place));
    if (!p->file || !p->written || !p->place)
        return why_set(w, -ENOMEM, "there is no memory for the places of %u sessions", sessions);
    err = uv_timer_init(loop, &p->timer);
    if (err)
        return why_set(w, err, "cannot make a timer: %s", uv_strerror(err));
    p->timer.data = p;
    p->is_open = true;
    load(p);
    if (p->count)
        log_info("%u members of before are called", p->count);
    return uv_timer_start(&p->timer, on_timer, 0, 0);
}

void coord_places_close(struct coord_places *p)
{
    if (p->is_open) {
        save(p);
        uv_close((uv_handle_t *)&p->timer, NULL);
        p->is_open = false;
    }
    free(p->file);
    free(p->written);
    free(p->place);
    p->file = p->written = NULL;
    p->place = NULL;
}
