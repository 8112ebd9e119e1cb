/* How it works: one thread, one libuv loop. A datagram goes into the server
 * (libtunnel/coord/server.h), which rewrites it in place and says what to send
 * where; it is sent at once, through the way that the server names, or, if it is the relay's, at
 * the end of its batch (coord_batch.h). After each batch the timer is set to the server's next deadline. Nothing is allocated for a
 * datagram; all memory of the server is taken at the start.
 *
 * The start, each step of which can fail with a sentence:
 *   process (no dumps) -> user -> sockets -> privileges given up -> state directory,
 *   lock -> key -> database -> server -> places of before -> status socket -> address written -> ready
 * The end (SIGTERM, SIGINT) closes in the opposite order; SQLite's write-ahead log is folded
 * into the database, the status socket is removed, keys are wiped.
 *
 * A commit waits for the disk, on this thread: a relayed packet may wait behind a join for
 * as long as one fsync. Joins are rare, and the server limits how many one source gets. */
#include "coord_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "libtunnel/cards.h"
#include "libtunnel/coord/server.h"
#include "libtunnel/base/ct.h"

#include "coord_key.h"
#include "coord_net.h"
#include "coord_places.h"
#include "coord_privs.h"
#include "coord_report.h"
#include "coord_status.h"
#include "coord_store_sqlite.h"
#include "coord_streams.h"
#include "notify.h"
#include "secure.h"
#include "state.h"

#define CLOCK_FLOOR_S 1704067200 /* 2024-01-01: before it, a clock was never set */
#define CHANNELS_PER_SESSION 16  /* on average; one session may have 1024 */
#define STORE_COMPLAINT_US TN_S(60)
#define RELAY_BURST_MIN 65536

struct coord {
    const struct coord_options *o;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t term, intr;
    struct state state;
    struct coord_store *store;
    struct coord_net net;
    struct coord_streams streams;
    struct coord_places places;
    struct coord_status status;
    /* secrets: the server and its sessions, in locked pages */
    struct tn_server *server;
    void *arena;
    size_t arena_len;
    struct tn_server_memory mem;
    char url[TN_URL_SIZE];
    struct tn_now pass_now; /* the moment of what is taken in now */
    uint64_t started_us;
    uint64_t armed_us;        /* the deadline that the timer is set to */
    uint64_t store_failures;  /* already complained about */
    uint64_t store_complaint_us;
    bool loop_open, handles_open, running;
};

/* ---- the clock ---- */

static struct tn_now read_clock(void)
{
    struct timespec mono, real;

    clock_gettime(CLOCK_BOOTTIME, &mono);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct tn_now){
        .us = (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
        .unix_ns = (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec,
    };
}

/* ---- running ---- */

static void on_timer(uv_timer_t *t);

static void arm_timer(struct coord *c, struct tn_now now)
{
    uint64_t at = tn_server_next_deadline(c->server);

    if (at == c->armed_us)
        return;
    c->armed_us = at;
    if (at == TN_NEVER)
        (void)uv_timer_stop(&c->timer);
    else /* rounded up, so that the deadline has passed when it fires */
        (void)uv_timer_start(&c->timer, on_timer, at > now.us ? (at - now.us) / 1000 + 1 : 0, 0);
}

static void complain_about_store(struct coord *c, struct tn_now now)
{
    const struct coord_store_health *h = coord_store_health(c->store);

    if (h->failures == c->store_failures || now.us < c->store_complaint_us)
        return;
    log_error("%s%s", h->last.text,
              h->failed ? "; no member can join or change until tund-coord is started again" : "");
    c->store_failures = h->failures;
    c->store_complaint_us = now.us + STORE_COMPLAINT_US;
}

static void send_out(struct coord *c, const struct tn_server_out *o)
{
    if (o->turn)
        coord_net_dial(&c->net, o->port, o->turn, &o->dst, o->data, o->len);
    else if (tn_addr_is_stream(&o->dst))
        coord_streams_send(&c->streams, &o->dst, o->data, o->len);
    else
        coord_net_send(&c->net, o->port, &o->dst, o->data, o->len);
}

static void after_work(struct coord *c)
{
    struct tn_now now = read_clock();
    struct tn_server_out out;

    while (tn_server_news_next(c->server, now, &out))
        send_out(c, &out);
    complain_about_store(c, now);
    arm_timer(c, now);
}

static void on_timer(uv_timer_t *t)
{
    struct coord *c = t->data;

    c->armed_us = TN_NEVER; /* it has fired, and is not set now */
    tn_server_tick(c->server, read_clock());
    after_work(c);
}

static void on_datagram(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data,
                        size_t len)
{
    struct coord *c = ctx;
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    size_t count = tn_server_on_datagram(c->server, way, src, data, len, read_clock(), out);

    for (size_t i = 0; i < count; i++)
        send_out(c, &out[i]);
}

static void on_pass(void *ctx, uint64_t capacity)
{
    struct coord *c = ctx;

    c->pass_now = read_clock();
    tn_server_relay_pass(c->server, capacity);
}

static void send_by_stream(struct coord *c, const struct tn_server_flight *f)
{
    for (size_t done = 0, len; done < f->len; done += len) {
        len = f->segment < f->len - done ? f->segment : f->len - done;
        coord_streams_send(&c->streams, &f->dst, f->data + done, len);
    }
}

static bool on_train(void *ctx, struct tn_server_train *t, struct tn_server_flight *f)
{
    struct coord *c = ctx;

    t->now = c->pass_now;
    if (tn_addr_is_stream(t->src))
        return false; /* forged, see coord_net.c */
    while (tn_server_relay_next(c->server, t, f)) {
        if (!tn_addr_is_stream(&f->dst))
            return true;
        send_by_stream(c, f);
    }
    return false;
}

static void on_batch_end(void *ctx)
{
    after_work(ctx);
}

static void on_signal(uv_signal_t *s, int number)
{
    struct coord *c = s->data;

    log_info("%s: closing down", number == SIGTERM ? "SIGTERM" : "SIGINT");
    notify_send("STOPPING=1");
    uv_stop(&c->loop);
}

static json_t *report(void *ctx)
{
    struct coord *c = ctx;
    struct tn_store store = coord_store_interface(c->store);
    struct coord_report r = {
        .url = c->url,
        .uptime_s = (read_clock().us - c->started_us) / 1000000,
        .net = &c->net,
        .streams = &c->streams,
        .counters = tn_server_counters(c->server),
        .store = coord_store_health(c->store),
    };

    tn_server_gauges(c->server, &r.gauges);
    r.counts_known = store.ops->counts(store.ctx, &r.counts) == 0;
    return coord_report_json(&r);
}

/* ---- the start ---- */

static int exit_code(int err)
{
    switch (err) {
    case 0:
        return COORD_EXIT_OK;
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return COORD_EXIT_DENIED;
    case -EADDRINUSE:
    case -EBUSY:
        return COORD_EXIT_BUSY;
    case -ETIME:
        return COORD_EXIT_CLOCK;
    default:
        return COORD_EXIT_FAILED;
    }
}

static int start_process(struct why *w)
{
    int err = secure_process();

    if (err)
        return why_set(w, err, "cannot switch core dumps off: %s", strerror(-err));
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return why_set(w, -errno, "cannot ignore SIGPIPE: %s", strerror(errno));
    umask(077);
    if (time(NULL) < CLOCK_FLOOR_S)
        return why_set(w, -ETIME, "the clock is before 2024, so invites cannot be judged: set it, "
                       "with `timedatectl set-ntp true` or `date`, and start again");
    return 0;
}

static int start_loop(struct coord *c, struct why *w)
{
    int err = uv_loop_init(&c->loop);
    sigset_t none;

    if (err)
        return why_set(w, err, "cannot make an event loop: %s", uv_strerror(err));
    c->loop_open = true;
    err = uv_timer_init(&c->loop, &c->timer);
    if (!err)
        err = uv_signal_init(&c->loop, &c->term);
    if (!err)
        err = uv_signal_init(&c->loop, &c->intr);
    if (err)
        return why_set(w, err, "cannot make a timer: %s", uv_strerror(err));
    c->handles_open = true;
    c->timer.data = c->term.data = c->intr.data = c;
    c->armed_us = TN_NEVER;
    err = uv_signal_start(&c->term, on_signal, SIGTERM);
    if (!err)
        err = uv_signal_start(&c->intr, on_signal, SIGINT);
    sigemptyset(&none);
    /* Whoever started us may have blocked what we wait for; one that waits comes now. */
    if (!err && sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        err = -errno;
    return err ? why_set(w, err, "cannot wait for signals: %s", uv_strerror(err)) : 0;
}

/* Sockets first, then nobody's rights but the user's own. */
static int start_sockets(struct coord *c, struct why *w)
{
    struct coord_net_handler h = {.ctx = c, .on_datagram = on_datagram,
                                  .on_batch_end = on_batch_end,
                                  .on_pass = on_pass,
                                  .on_train = on_train};
    struct coord_user user;
    int err = coord_user_find(c->o->user, &user, w);

    if (!err)
        err = coord_net_open(&c->net, &c->loop, c->o, &h, w);
    if (!err)
        err = coord_streams_open(&c->streams, &c->loop, c->o, &h, w);
    if (!err)
        err = coord_user_make_dir(&user, c->o->state_dir, w);
    if (!err)
        err = coord_drop_privileges(&user, w);
    if (!err)
        err = start_process(w); /* a change of user makes a process dumpable again */
    return err;
}

static int start_state(struct coord *c, struct why *w)
{
    const char *dir = c->o->state_dir;
    int err = state_open(&c->state, dir, true, w);

    if (err == -EACCES && geteuid() == 0)
        return why_set(w, err, "cannot enter %s: tund-coord gives root's rights up, so root must "
                       "own it and others' directories above it must be open; or use --user", dir);
    if (err)
        return err;
    err = state_lock(&c->state, STATE_LOCK_DAEMON, false, w);
    if (err == -EBUSY)
        return why_set(w, err, "another tund-coord uses %s: end it, or name another --state", dir);
    if (err)
        return err;
    /* The database and the status socket are then named without a path. */
    if (fchdir(c->state.dir_fd) < 0)
        return why_set(w, -errno, "cannot enter %s: %s", dir, strerror(errno));
    return 0;
}

static int start_store(struct coord *c, struct why *w)
{
    struct coord_store_limits limits = {.networks = c->o->max_networks,
                                        .members = c->o->max_members};
    int err = coord_store_open(COORD_STORE_FILE, &limits, &c->store, w);

    /* The name of a new database must last as well as its content. */
    if (!err && fsync(c->state.dir_fd) < 0)
        err = why_set(w, -errno, "%s: %s", c->o->state_dir, strerror(errno));
    return err;
}

static int allocate(struct coord *c, struct why *w)
{
    uint32_t sessions = c->o->max_sessions, channels = sessions * CHANNELS_PER_SESSION;
    uint32_t buckets = 1;
    struct tn_server_memory *m = &c->mem;
    size_t head = (sizeof(struct tn_server) + 63) / 64 * 64;
    int locked;

    while (buckets < sessions)
        buckets *= 2;
    c->arena_len = head + (size_t)sessions * sizeof(*m->session);
    c->arena = secure_alloc(c->arena_len, &locked);
    *m = (struct tn_server_memory){
        .session_count = sessions,
        .channel_count = channels,
        .bucket_len = buckets,
        .channel = calloc(channels, sizeof(*m->channel)),
        .key_bucket = calloc(buckets, sizeof(uint32_t)),
        .member_bucket = calloc(buckets, sizeof(uint32_t)),
        .channel_bucket = calloc(buckets, sizeof(uint32_t)),
    };
    if (!c->arena || !m->channel || !m->key_bucket || !m->member_bucket || !m->channel_bucket)
        return why_set(w, -ENOMEM, "there is no memory for %u sessions: lower --max-sessions",
                       sessions);
    c->server = c->arena;
    m->session = (void *)((uint8_t *)c->arena + head);
    if (!locked)
        log_debug("memory could not be locked: keys may be swapped out (LimitMEMLOCK)");
    return 0;
}

static uint64_t relay_burst(uint64_t bytes_per_s)
{
    /* A tenth of a second of the rate, and no less than some full packets. */
    return bytes_per_s / 10 > RELAY_BURST_MIN ? bytes_per_s / 10 : RELAY_BURST_MIN;
}

/* Takes key and seed from locked memory into locked memory. */
static int start_server(struct coord *c, struct why *w)
{
    struct tn_server_config *cfg = secure_alloc(sizeof(*cfg), NULL);
    bool made = false;
    int err;

    if (!cfg)
        return why_set(w, -ENOMEM, "out of memory");
    cfg->store = coord_store_interface(c->store);
    cfg->cards = &tn_card_ops;
    cfg->dial_from[0] = coord_net_can_dial(&c->net, true);
    cfg->dial_from[1] = coord_net_can_dial(&c->net, false);
    cfg->relay_bytes_per_s = c->o->relay_rate_bits / 8;
    cfg->relay_burst_bytes = relay_burst(cfg->relay_bytes_per_s);
    err = coord_key_load(&c->state, cfg->private_key, &made, w);
    if (err)
        goto out;
    err = secure_random(cfg->rng_seed, sizeof(cfg->rng_seed));
    if (err) {
        (void)why_set(w, err, "the system gives no random numbers: %s", strerror(-err));
        goto out;
    }
    err = allocate(c, w);
    if (err)
        goto out;
    if (tn_server_init(c->server, &c->mem, cfg, read_clock())) {
        err = why_set(w, -EINVAL, "%s/%s is no key that can be used", c->state.dir, COORD_KEY_FILE);
        goto out;
    }
    c->running = true;
    if (made)
        log_info("made a new key in %s: keep a copy of it, for invites pin it", c->state.dir);
out:
    secure_free(cfg, sizeof(*cfg));
    return err;
}

/* Where members find us: what the operator says, else where we listen, else the address that this
 * host has towards the Internet. */
static int choose_address(struct coord *c, struct tn_url *u, struct why *w)
{
    static const uint8_t zero[16];
    struct tn_addr a = coord_net_bound(&c->net, 0);
    char text[ADDR_TEXT_LEN];
    bool v4 = tn_addr_is_v4(&a);

    u->port = c->o->advertise_port ? c->o->advertise_port : a.port;
    if (c->o->advertise_host[0]) {
        memcpy(u->host, c->o->advertise_host, sizeof(u->host));
        return 0;
    }
    if (memcmp(v4 ? a.ip + 12 : a.ip, zero, v4 ? 4 : 16) == 0) {
        a = coord_net_own_address(true);
        if (!v4 && tn_addr_is_zero(&a))
            a = coord_net_own_address(false);
        if (tn_addr_is_zero(&a))
            return why_set(w, -EADDRNOTAVAIL, "cannot tell by which address members reach this "
                           "machine: say it with --advertise HOST");
        if (tn_addr_is_private(&a))
            log_warn("members are told %s, a private address: say --advertise HOST if they come "
                     "from elsewhere", addr_ip_text(&a, text));
    }
    (void)addr_ip_text(&a, text);
    memcpy(u->host, text, strlen(text) + 1);
    return 0;
}

static int start_address(struct coord *c, struct why *w)
{
    struct tn_url u = {.port = 0};
    int err = choose_address(c, &u, w);

    if (err)
        return err;
    memcpy(u.public_key, c->server->public_key, sizeof(u.public_key));
    if (tn_url_encode(&u, c->url, sizeof(c->url), NULL))
        return why_set(w, -EINVAL, "\"%s\" cannot be a coordinator's address", u.host);
    return coord_url_save(&c->state, c->url, w);
}

static int start(struct coord *c, struct why *w)
{
    int err = start_process(w);

    if (!err)
        err = start_loop(c, w);
    if (!err)
        err = start_sockets(c, w);
    if (!err)
        err = start_state(c, w);
    if (!err)
        err = start_store(c, w);
    if (!err)
        err = start_server(c, w);
    if (!err)
        err = start_address(c, w);
    if (!err)
        err = coord_places_open(&c->places, &c->loop, &c->state, c->server, &c->net,
                                c->o->max_sessions, read_clock, w);
    if (!err)
        err = coord_status_open(&c->status, &c->loop, report, c, w);
    return err;
}

/* ---- the end ---- */

static void stop(struct coord *c)
{
    coord_status_close(&c->status);
    coord_places_close(&c->places);
    coord_net_close(&c->net);
    coord_streams_close(&c->streams);
    if (c->handles_open) {
        uv_close((uv_handle_t *)&c->timer, NULL);
        uv_close((uv_handle_t *)&c->term, NULL);
        uv_close((uv_handle_t *)&c->intr, NULL);
    }
    if (c->loop_open) {
        (void)uv_run(&c->loop, UV_RUN_DEFAULT); /* lets the closed handles go */
        if (uv_loop_close(&c->loop))
            log_warn("something was still open at the end");
    }
    if (c->running)
        tn_server_wipe(c->server);
    secure_free(c->arena, c->arena_len);
    free(c->mem.channel);
    free(c->mem.key_bucket);
    free(c->mem.member_bucket);
    free(c->mem.channel_bucket);
    coord_store_close(c->store);
    state_close(&c->state);
}

static void announce(struct coord *c)
{
    char text[ADDR_TEXT_LEN];

    for (unsigned i = 0; i < c->net.udp_count; i++) {
        struct tn_addr a = coord_net_bound(&c->net, i);

        log_info("listening on UDP %s", addr_text(&a, text));
    }
    for (unsigned i = 0; i < c->streams.listener_count; i++)
        log_info("listening on TCP %s, for TLS", addr_text(&c->streams.listener[i]->at, text));
    if (printf("coordinator %s\n", c->url) < 0 || fflush(stdout))
        log_warn("standard output is closed; `tund-coord url` tells the address");
    notify_send("READY=1");
}

int coord_run(const struct coord_options *o)
{
    struct coord c = {.o = o, .state = {.dir_fd = -1, .lock_fd = {-1, -1}}};
    struct why w = {""};
    int err;

    log_init("tund-coord", NULL, o->log_level);
    c.started_us = read_clock().us;
    err = start(&c, &w);
    if (err) {
        log_error("%s", w.text);
    } else {
        announce(&c);
        after_work(&c);
        (void)uv_run(&c.loop, UV_RUN_DEFAULT);
    }
    stop(&c);
    return exit_code(err);
}
