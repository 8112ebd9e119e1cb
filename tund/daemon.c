/* How it works: the daemon's life. tund_open makes everything in an order in which a
 * failure leaves nothing behind that tund_free does not know: the overlay's wishes, the
 * node in one locked mapping, TUN, sockets, timer, userspace API, and at last the
 * overlay itself. tund_run is the loop; daemon_pump.c is what happens in it. tund_free
 * closes every handle, lets the loop see that, and wipes the node.
 *
 * The process stays in the network namespace in which it was started, and so do its
 * sockets, also those made later; only the TUN can be moved away. */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/base/ct.h"

#include "daemon_pump.h"
#include "log.h"
#include "secure.h"
#include "uapi.h"

#define MTU_PLAIN 1420
#define MTU_OVERLAY 1400
#define ALLOWED_PER_PEER 8
#define CHANNEL_MAX 65535u
#define FRAGMENTS 64 /* packets under way in halves, from and to devices */
#define CLOCK_FLOOR_S 1704067200u /* 2024-01-01: before that, the clock was never set */
#define PACKET_MEM_LEN (TN_BUF_HEADROOM + TUN_PACKET_MAX + TN_BUF_TAILROOM)

int tund_fail(struct tund *t, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(t->failure, sizeof t->failure, fmt, ap);
    va_end(ap);
    return err;
}

void tund_stop(struct tund *t, int exit_code)
{
    if (!t->stopping)
        t->exit_code = exit_code;
    t->stopping = true;
    uv_stop(&t->loop);
}

/* ---- the node's memory ---- */

static size_t place(size_t *total, size_t count, size_t size)
{
    size_t at = (*total + 63) & ~(size_t)63;

    *total = at + count * size;
    return at;
}

static uint32_t table_len(uint32_t peers)
{
    uint32_t len = 16;

    while (len < 2 * peers)
        len *= 2;
    return len;
}

/* One mapping: the node, then its arrays. What is not used is not touched, and so takes no memory. */
static int alloc_node(struct tund *t)
{
    struct tn_node_memory *m = &t->mem;
    size_t total = 0, node, peers, heap, table, allowed, head, members, channels, fragments, paths;
    int locked;
    uint8_t *base;

    m->peer_cap = t->opt.peers;
    m->peer_table_len = table_len(m->peer_cap);
    m->allowed_cap = 2 * ALLOWED_PER_PEER * m->peer_cap;
    m->channel_cap = m->member_cap < CHANNEL_MAX ? m->member_cap : CHANNEL_MAX;
    node = place(&total, 1, tn_node_sizeof());
    heap = place(&total, m->peer_cap, sizeof *m->peer_heap);
    table = place(&total, m->peer_table_len, sizeof *m->peer_table);
    head = place(&total, m->peer_cap, sizeof *m->allowed_head);
    peers = place(&total, m->peer_cap, tn_peer_sizeof());
    allowed = place(&total, m->allowed_cap, sizeof *m->allowed);
    paths = place(&total, m->member_cap ? m->peer_cap : 0, tn_paths_sizeof());
    members = place(&total, m->member_cap, sizeof *m->members);
    channels = place(&total, m->channel_cap, sizeof *m->channels);
    m->fragment_cap = m->member_cap ? FRAGMENTS : 0;
    fragments = place(&total, m->fragment_cap, sizeof *m->fragments);
    base = secure_alloc(total, &locked);
    if (!base)
        return tund_fail(t, -ENOMEM, "no memory for %u peers; give a smaller --peers", m->peer_cap);
    if (!locked)
        log_debug("keys are not locked into memory: RLIMIT_MEMLOCK is too small");
    t->arena = base;
    t->arena_len = total;
    t->node = (struct tn_node *)(base + node);
    m->peers = (struct tn_peer *)(base + peers);
    m->peer_heap = (uint32_t *)(base + heap);
    m->peer_table = (uint32_t *)(base + table);
    m->allowed = (struct tn_allowed_node *)(base + allowed);
    m->allowed_head = (uint32_t *)(base + head);
    m->paths = m->member_cap ? (struct tn_paths *)(base + paths) : NULL;
    m->members = m->member_cap ? (struct tn_member *)(base + members) : NULL;
    m->channels = m->channel_cap ? (struct tn_relay_channel *)(base + channels) : NULL;
    m->fragments = m->fragment_cap ? (struct tn_frag_row *)(base + fragments) : NULL;
    return 0;
}

static int open_node(struct tund *t)
{
    struct tn_node_config cfg = {.stamp_ceiling_ns = UINT64_MAX};
    int err = 0;

    t->mtu = t->opt.mtu ? t->opt.mtu : t->opt.state_dir ? MTU_OVERLAY : MTU_PLAIN;
    t->mem.member_cap = t->opt.state_dir ? t->opt.peers : 0;
    cfg.mtu = t->mtu;
    if (t->hooks.configure)
        err = t->hooks.configure(t->hooks.ctx, t, &cfg);
    if (!err)
        err = alloc_node(t);
    if (err)
        return err;
    t->mtu = cfg.mtu;
    err = secure_random(cfg.rng_seed, sizeof cfg.rng_seed);
    if (err) {
        t->node = NULL;
        return tund_fail(t, err, "no random numbers: %s", strerror(-err));
    }
    err = tn_node_init(t->node, &t->mem, &cfg);
    tn_wipe(cfg.rng_seed, sizeof cfg.rng_seed);
    if (err) {
        t->node = NULL;
        return tund_fail(t, -EINVAL, "an MTU of %u and %u peers cannot be", t->mtu, t->mem.peer_cap);
    }
    if (stage_init(&t->stage, t->mem.peer_cap))
        return tund_fail(t, -ENOMEM, "no memory");
    return 0;
}

/* ---- the outside ---- */

static int explain_tun(struct tund *t, int err)
{
    switch (err) {
    case -ENOENT:
    case -ENODEV:
    case -ENXIO:
        return tund_fail(t, -ENODEV,
                         "there is no /dev/net/tun; load the module (modprobe tun), or give the "
                         "container that device");
    case -EPERM:
    case -EACCES:
        return tund_fail(t, err,
                         "not allowed to make a network interface; run as root (CAP_NET_ADMIN)");
    case -EBUSY:
        return tund_fail(t, err, "interface %s is in use by another program; choose another name",
                         t->opt.ifname);
    case -EEXIST:
        return tund_fail(t, err, "there is an interface %s already; choose another name, or: ip link "
                         "delete %s", t->opt.ifname, t->opt.ifname);
    default:
        return tund_fail(t, err, "cannot make interface %s: %s", t->opt.ifname, strerror(-err));
    }
}

static int open_tun(struct tund *t)
{
    int err = io_open_tun(t->io, t->opt.ifname, t->mtu);

    if (err)
        return explain_tun(t, err);
    memcpy(t->ifname, t->tun.ifname, sizeof t->ifname);
    err = nl_open(&t->nl);
    if (err)
        return tund_fail(t, err, "cannot talk to the kernel's routing: %s", strerror(-err));
    err = nl_link_no_link_local(&t->nl, t->ifname);
    if (err)
        log_debug("%s may get an IPv6 link-local address: %s", t->ifname, strerror(-err));
    return 0;
}

static int open_udp(struct tund *t)
{
    const struct udp_config config = {.port = t->opt.port};
    struct udp_handler handler;
    char offloads[IO_DESCRIBE_LEN];
    int err;

    tund_pump_udp_handler(t, &handler);
    err = udp_open(&t->udp, &t->loop, &config, &handler);
    if (err == -EADDRINUSE)
        return tund_fail(t, err, "UDP port %u is in use; choose another with --port, or see who has "
                         "it: ss -lunp", t->opt.port);
    if (err)
        return tund_fail(t, err, "cannot open a UDP socket: %s", strerror(-err));
    io_describe(t->io, offloads, sizeof offloads);
    log_debug("offloads: %s", offloads);
    return 0;
}

static int open_uapi(struct tund *t)
{
    int err = uapi_open(&t->uapi, t);

    if (err && t->opt.state_dir) {
        /* An overlay node does without; it may be one of several of that name, each in a
         * network namespace of its own. */
        log_info("wg cannot see this interface: %s", t->failure);
        return 0;
    }
    return err;
}

static void on_signal(uv_signal_t *s, int number)
{
    struct tund *t = s->data;

    if (number == SIGHUP && !t->opt.foreground)
        return;
    log_info("stopping");
    tund_stop(t, TUND_EXIT_OK);
}

/* Whatever stopped the process (a shell, a frozen machine image) let time pass without us. */
static void on_continued(uv_signal_t *s, int number)
{
    tund_pump_continued(s->data);
}

static int start_handles(struct tund *t)
{
    struct {
        uv_signal_t *handle;
        int number;
        uv_signal_cb cb;
    } signals[] = {{&t->sigterm, SIGTERM, on_signal},
                   {&t->sigint, SIGINT, on_signal},
                   {&t->sighup, SIGHUP, on_signal},
                   {&t->sigcont, SIGCONT, on_continued}};
    int err;

    t->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->timer_fd < 0)
        return -errno;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        err = uv_signal_init(&t->loop, signals[i].handle);
        if (err)
            return err;
        t->handle_count++;
        signals[i].handle->data = t;
        err = uv_signal_start(signals[i].handle, signals[i].cb, signals[i].number);
        if (err)
            return err;
    }
    err = uv_poll_init(&t->loop, &t->timer_poll, t->timer_fd);
    if (err)
        return err;
    t->handle_count++;
    err = uv_poll_init(&t->loop, &t->tun_poll, t->tun.fd);
    if (err)
        return err;
    t->handle_count++;
    return tund_pump_start(t);
}

static int open_rest(struct tund *t)
{
    int err = start_handles(t);

    if (!err)
        err = nl_monitor_start(&t->monitor, &t->loop, t->ifname, tund_pump_network_changed, t);
    if (err)
        return tund_fail(t, err, "cannot start: %s", strerror(-err));
    err = open_uapi(t);
    if (!err && t->hooks.start)
        err = t->hooks.start(t->hooks.ctx, t);
    if (!err) {
        t->started = true;
        tund_pump(t);
    }
    return err;
}

/* ---- life ---- */

int tund_init(struct tund *t, const struct tund_options *opt)
{
    int err;

    memset(t, 0, sizeof *t);
    t->opt = *opt;
    t->tun.fd = t->nl.fd = t->timer_fd = -1;
    t->timer_us = TN_NEVER;
    err = uv_loop_init(&t->loop);
    if (err)
        return tund_fail(t, err, "no event loop: %s", strerror(-err));
    t->loop_open = true;
    t->out_mem = secure_alloc(PACKET_MEM_LEN, NULL);
    t->tun_mem = secure_alloc(PACKET_MEM_LEN, NULL);
    t->io = io_new(&t->tun, &t->udp, opt->threads, tund_pump_send_now, t);
    if (!t->out_mem || !t->tun_mem || !t->io)
        return tund_fail(t, -ENOMEM, "no memory");
    return 0;
}

int tund_open(struct tund *t)
{
    struct timespec wall;
    int err;

    clock_gettime(CLOCK_REALTIME, &wall);
    if (wall.tv_sec < (time_t)CLOCK_FLOOR_S)
        return tund_fail(t, -ETIME, "the clock says that it is before 2024, and peers refuse handshakes "
                         "from the past; set it first (date, or an NTP client)");
    err = open_node(t);
    if (!err)
        err = open_tun(t);
    if (!err)
        err = open_udp(t);
    if (!err)
        err = open_rest(t);
    return err;
}

int tund_run(struct tund *t)
{
    if (!t->stopping)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    return t->exit_code;
}

static void close_handles(struct tund *t)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&t->sigterm, (uv_handle_t *)&t->sigint,
                              (uv_handle_t *)&t->sighup, (uv_handle_t *)&t->sigcont,
                              (uv_handle_t *)&t->timer_poll, (uv_handle_t *)&t->tun_poll};

    for (int i = 0; i < t->handle_count; i++)
        uv_close(handles[i], NULL);
    t->handle_count = 0;
}

static void close_loop(struct tund *t)
{
    int err;

    uv_run(&t->loop, UV_RUN_DEFAULT);
    err = uv_loop_close(&t->loop);
    if (err)
        log_error("a handle was left open: %s", strerror(-err));
    t->loop_open = false;
}

void tund_free(struct tund *t)
{
    t->stopping = true;
    if (t->hooks.on_stop)
        t->hooks.on_stop(t->hooks.ctx);
    uapi_close(t->uapi);
    t->uapi = NULL;
    nl_monitor_stop(t->monitor);
    t->monitor = NULL;
    udp_close(&t->udp);
    close_handles(t);
    if (t->loop_open)
        close_loop(t);
    tun_close(&t->tun);
    nl_close(&t->nl);
    if (t->timer_fd >= 0)
        close(t->timer_fd);
    stage_free(&t->stage);
    if (t->node)
        tn_node_wipe(t->node);
    t->node = NULL;
    secure_free(t->arena, t->arena_len);
    io_free(t->io);
    t->io = NULL;
    secure_free(t->out_mem, PACKET_MEM_LEN);
    secure_free(t->tun_mem, PACKET_MEM_LEN);
    t->arena = t->out_mem = t->tun_mem = NULL;
}
