/* How it works: a table of connections. A connection's stream address holds its row, and a number that is
 * never used again, so that what is sent to one that has gone reaches nobody else.
 *
 * A connection counts as proven when the server first sends a sealed message (first byte 93) by it,
 * which it does only in a session; each such message proves it anew. A timer looks every second for
 * those that have proven nothing for too long. When the table is full, the oldest that has proven
 * nothing makes room; where all have, the newcomer is turned away. */
#include "coord_streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/coord/msg.h"
#include "libtunnel/crypto/crypto.h"
#include "libtunnel/path/stun.h"

#include "secure.h"
#include "stream.h"
#include "tls_server.h"
#include "udp_msg.h"

#define SWEEP_MS 1000
#define ACCEPTS_PER_WAKE 16
#define BACKLOG 128
#define OTHER_DESCRIPTORS 64 /* sockets, database, loop */

struct coord_stream {
    struct coord_streams *owner;
    struct stream *stream;
    struct tn_addr addr; /* its stream address */
    struct tn_addr from; /* where it was connected from */
    uint64_t since_us;   /* accepted, or proven */
    bool proven;
};

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- the table ---- */

static uint32_t row_of(const struct tn_addr *a)
{
    return (uint32_t)a->ip[14] << 8 | a->ip[15];
}

static void forget(struct coord_stream *x)
{
    struct coord_streams *c = x->owner;

    c->dropped += stream_dropped(x->stream);
    stream_close(x->stream);
    c->row[row_of(&x->addr)] = NULL;
    c->used--;
    free(x);
}

static bool same_share(const struct coord_stream *x, const uint8_t share[4])
{
    return memcmp(x->addr.ip + 4, share, 4) == 0;
}

/* A free row, if need be that of the oldest that has proven nothing; -1: there is none for this
 * source. */
static int find_row(struct coord_streams *c, const uint8_t share[4])
{
    struct coord_stream *oldest = NULL;
    unsigned same = 0;
    int free_row = -1;

    for (uint32_t i = 0; i < c->max; i++) {
        struct coord_stream *x = c->row[i];

        if (!x) {
            free_row = (int)i;
            continue;
        }
        same += same_share(x, share);
        if (!x->proven && (!oldest || x->since_us < oldest->since_us))
            oldest = x;
    }
    if (same >= COORD_STREAMS_PER_SOURCE)
        return -1;
    if (free_row < 0 && oldest) {
        free_row = (int)row_of(&oldest->addr);
        forget(oldest);
    }
    return free_row;
}

/* One host, or one home: an IPv4 address, an IPv6 /64. Keyed, so that nobody aims at another's. */
static void make_share(const struct coord_streams *c, const struct tn_addr *a, uint8_t share[4])
{
    uint8_t hash[32];

    tn_blake2s(hash, sizeof(hash), c->share_key, sizeof(c->share_key), a->ip,
               tn_addr_is_v4(a) ? 16 : 8);
    memcpy(share, hash, 4);
}

static bool is_within_rate(struct coord_streams *c, const uint8_t share[4])
{
    uint32_t n = (uint32_t)share[0] << 8 | share[1];
    uint64_t now = now_us(), passed = (now - c->rate[n % COORD_STREAM_RATE_ROWS].at_us) / 1000;
    uint64_t left = c->rate[n % COORD_STREAM_RATE_ROWS].left + passed * COORD_STREAM_RATE / 1000;

    if (left > 5 * COORD_STREAM_RATE)
        left = 5 * COORD_STREAM_RATE;
    if (!left)
        return false;
    c->rate[n % COORD_STREAM_RATE_ROWS].at_us = now;
    c->rate[n % COORD_STREAM_RATE_ROWS].left = (uint32_t)left - 1;
    return true;
}

/* ---- a connection ---- */

static void on_open(void *ctx, struct stream *s)
{
    (void)ctx;
    (void)s;
}

/* Where the connection comes from, for who wants to be connected to by TCP himself. It proves nothing. */
static void answer_stun(struct coord_stream *x, struct stream *s, const uint8_t *request, size_t request_len)
{
    uint8_t out[TN_STUN_MAX_LEN];
    size_t len = tn_stun_answer(request, request_len, &x->from, NULL, out, sizeof(out));

    if (len && stream_send(s, out, len))
        x->owner->dropped++;
}

static void on_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct coord_stream *x = ctx;
    struct coord_streams *c = x->owner;

    if (tn_stun_is_message(data, len)) {
        answer_stun(x, s, data, len);
        return;
    }
    if (!c->passing && c->handler.on_pass)
        c->handler.on_pass(c->handler.ctx, 0);
    c->passing = true;
    c->handler.on_datagram(c->handler.ctx, COORD_WAY_STREAM, &x->addr, data, len);
}

static void on_batch_end(void *ctx, struct stream *s)
{
    struct coord_stream *x = ctx;

    (void)s;
    x->owner->passing = false;
    x->owner->handler.on_batch_end(x->owner->handler.ctx);
}

static void on_end(void *ctx, struct stream *s, const char *why)
{
    (void)s;
    (void)why; /* the public Internet ends connections in every way there is */
    forget(ctx);
}

static const struct stream_handler handler = {.on_open = on_open,
                                              .on_datagram = on_datagram,
                                              .on_batch_end = on_batch_end,
                                              .on_end = on_end};

/* False: the descriptor is the caller's still. */
static bool take(struct coord_streams *c, int fd, const struct tn_addr *from)
{
    const struct stream_config config = {.tls = c->tls, .server = true};
    struct stream_handler h = handler;
    struct coord_stream *x;
    uint8_t share[4];
    int row;

    make_share(c, from, share);
    if (!is_within_rate(c, share))
        return false;
    row = find_row(c, share);
    x = row < 0 ? NULL : calloc(1, sizeof(*x));
    if (!x)
        return false;
    h.ctx = x;
    x->owner = c;
    x->since_us = now_us();
    x->from = *from;
    x->addr = tn_addr_stream(share, ++c->next_id << 16 | (uint32_t)row);
    if (stream_new(&x->stream, c->loop, fd, &config, &h)) {
        free(x);
        return false;
    }
    c->row[row] = x;
    c->used++;
    c->accepted++;
    return true;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct coord_listener *l = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        union udp_sockaddr sa;
        socklen_t len = sizeof(sa);
        int fd = accept4(l->fd, &sa.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct tn_addr from;

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            (void)uv_poll_stop(poll); /* until the sweep */
        if (fd < 0)
            return;
        from = udp_from_sockaddr(&sa);
        if (take(l->owner, fd, &from))
            continue;
        l->owner->refused++;
        close(fd);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct coord_streams *c = timer->data;
    uint64_t now = now_us();

    for (uint32_t i = 0; i < c->max; i++) {
        struct coord_stream *x = c->row[i];

        if (x && now - x->since_us >
                     (x->proven ? COORD_STREAM_SILENCE_US : COORD_STREAM_PROOF_US))
            forget(x);
    }
    for (unsigned i = 0; i < c->listener_count; i++)
        (void)uv_poll_start(&c->listener[i]->poll, UV_READABLE, on_connection);
}

void coord_streams_send(struct coord_streams *c, const struct tn_addr *to, const void *data,
                        size_t len)
{
    struct coord_stream *x = row_of(to) < c->max ? c->row[row_of(to)] : NULL;

    if (!x || !tn_addr_equal(&x->addr, to) || stream_send(x->stream, data, len)) {
        c->dropped++;
        return;
    }
    if (*(const uint8_t *)data == TN_CTL_DATA) {
        x->proven = true;
        x->since_us = now_us();
    }
}

/* ---- life ---- */

static int listen_fd(const struct tn_addr *at, int *out)
{
    bool v4 = tn_addr_is_v4(at);
    union udp_sockaddr sa;
    socklen_t len = udp_to_sockaddr(at, v4, &sa);
    /* [::] means both families, as for UDP */
    int one = 1, only = !v4 && memcmp(at->ip, (uint8_t[16]){0}, 16) != 0, err;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        (!v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0) ||
        bind(fd, &sa.sa, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, &sa.sa, &len) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    *out = fd;
    return 0;
}

static int add_listener(struct coord_streams *c, const struct tn_addr *at)
{
    struct coord_listener *l = calloc(1, sizeof(*l));
    int err = l ? listen_fd(at, &l->fd) : -ENOMEM;

    if (!err) {
        err = uv_poll_init(c->loop, &l->poll, l->fd);
        if (err)
            close(l->fd);
    }
    if (err) {
        free(l);
        return err;
    }
    l->owner = c;
    l->at = *at;
    l->poll.data = l;
    c->listener[c->listener_count++] = l;
    return uv_poll_start(&l->poll, UV_READABLE, on_connection);
}

static int refuse(const struct coord_options *o, const struct tn_addr *at, int err, struct why *w)
{
    char text[ADDR_TEXT_LEN];

    (void)addr_text(at, text);
    if (!o->tls_port_given) {
        log_info("no TLS on %s (%s): members whose networks block UDP cannot connect", text,
                 strerror(-err));
        return 0;
    }
    if (err == -EADDRINUSE)
        return why_set(w, err, "TCP port %s is in use: `ss -tlnp sport = :%u` shows by which "
                       "program; end that, or choose another --tls-port", text, at->port);
    if (err == -EACCES)
        return why_set(w, err, "TCP port %s: ports below 1024 are root's; choose another --tls-port, "
                       "or use sudo", text);
    return why_set(w, err, "cannot listen on TCP port %s: %s", text, strerror(-err));
}

/* As many as there are descriptors for. */
static uint32_t how_many(const struct coord_options *o)
{
    struct rlimit r;
    uint32_t max = o->tls_max;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < (rlim_t)max + OTHER_DESCRIPTORS)
        max = r.rlim_cur > 2 * OTHER_DESCRIPTORS ? (uint32_t)r.rlim_cur - OTHER_DESCRIPTORS
                                                 : OTHER_DESCRIPTORS;
    if (max < o->tls_max)
        log_warn("only %u TLS connections: the limit of open files is too low for %u", max,
                 o->tls_max);
    return max;
}

/* What the listeners need. */
static int prepare(struct coord_streams *c, const struct coord_options *o, struct why *w)
{
    int err = secure_random(c->share_key, sizeof(c->share_key));

    if (err)
        return why_set(w, err, "the system gives no random numbers: %s", strerror(-err));
    c->max = how_many(o);
    c->row = calloc(c->max, sizeof(c->row[0]));
    c->sweep = malloc(sizeof(*c->sweep));
    if (!c->row || !c->sweep)
        return why_set(w, -ENOMEM, "there is no memory for %u TLS connections", c->max);
    err = uv_timer_init(c->loop, c->sweep);
    if (err) {
        free(c->sweep);
        c->sweep = NULL;
        return why_set(w, err, "no timer: %s", strerror(-err));
    }
    c->sweep->data = c;
    err = uv_timer_start(c->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    if (err)
        return why_set(w, err, "no timer: %s", strerror(-err));
    return tls_server_new(&c->tls, w);
}

int coord_streams_open(struct coord_streams *c, uv_loop_t *loop, const struct coord_options *o,
                       const struct coord_net_handler *h, struct why *w)
{
    int err = 0;

    memset(c, 0, sizeof(*c));
    c->loop = loop;
    c->handler = *h;
    for (unsigned i = 0; i < o->listen_count && o->tls_port && !err; i++) {
        struct tn_addr at = o->listen[i];

        at.port = o->tls_port;
        err = add_listener(c, &at);
        if (err)
            err = refuse(o, &at, err, w);
    }
    if (!err && c->listener_count)
        err = prepare(c, o, w);
    if (err)
        coord_streams_close(c);
    return err;
}

static void on_listener_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_sweep_closed(uv_handle_t *h)
{
    free(h);
}

void coord_streams_close(struct coord_streams *c)
{
    for (uint32_t i = 0; c->row && i < c->max; i++) {
        if (c->row[i])
            forget(c->row[i]);
    }
    for (unsigned i = 0; i < c->listener_count; i++) {
        uv_close((uv_handle_t *)&c->listener[i]->poll, on_listener_closed);
        close(c->listener[i]->fd);
    }
    c->listener_count = 0;
    if (c->sweep)
        uv_close((uv_handle_t *)c->sweep, on_sweep_closed);
    c->sweep = NULL;
    free(c->row);
    c->row = NULL;
    tls_free(c->tls);
    c->tls = NULL;
}
