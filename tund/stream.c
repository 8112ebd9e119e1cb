/* How it works: one descriptor under uv_poll, and a stage that says what its events mean.
 *
 *   CONNECTING --writable--> PROXY --200--> TLS --handshake--> OPEN
 *        |`----- without a proxy -----------^                   ^
 *        `------ without TLS -----------------------------------'
 *   any --error, end, nonsense--> ENDED (on_end was called; only stream_close follows)
 *
 * Out: stream_send puts a frame into the queue and asks for "writable". When that comes, up to
 * one TLS record of whole frames is taken from the queue and written; nothing that was taken is
 * dropped any more. TCP_NOTSENT_LOWAT makes the kernel say "writable" only while it has
 * little that was never sent, so packets wait where the oldest can be dropped, and TCP
 * inside this TCP learns of a full link as it would from a router with a short queue.
 *
 * In: records are read until there is nothing, and their frames handed over in place. */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/base/ct.h"

#include "frames.h"
#include "proxy.h"
#include "tls.h"
#include "udp_msg.h"

#define RECORD_MAX 16384 /* RFC 8446 section 5.1 */
#define QUEUE_LEN 49152  /* some 32 full packets */
#define NOTSENT_LOWAT 16384
#define USER_TIMEOUT_MS 15000
#define READS_PER_WAKE 16
#define LISTEN_BACKLOG 8

enum stage { CONNECTING, PROXY, TLS, OPEN, ENDED };

struct stream {
    struct stream_handler handler;
    uv_poll_t poll;
    int fd, polled; /* the events that are asked for */
    int error;      /* of connect */
    enum stage stage;
    bool closing, tls_wants_write;
    struct ssl_st *tls;
    char *preamble;
    size_t preamble_sent;
    uint8_t in[RECORD_MAX + FRAME_MAX];
    size_t in_len;
    uint8_t out[RECORD_MAX];
    size_t out_len, out_done;
    struct frame_queue queue;
    uint8_t queue_mem[QUEUE_LEN];
};

static void on_event(uv_poll_t *poll, int status, int events);

static void end(struct stream *s, const char *why)
{
    if (s->stage == ENDED || s->closing)
        return;
    s->stage = ENDED;
    (void)uv_poll_stop(&s->poll);
    s->handler.on_end(s->handler.ctx, s, why);
}

/* Asks for the events that the stage waits for. */
static void arm(struct stream *s)
{
    int want = UV_READABLE;
    bool more = s->out_len || s->queue.used;

    if (s->closing || s->stage == ENDED)
        return;
    if (s->stage == CONNECTING || (s->stage == PROXY && s->preamble))
        want = UV_WRITABLE;
    else if (s->tls_wants_write || (s->stage == OPEN && more))
        want |= UV_WRITABLE;
    if (want == s->polled)
        return;
    s->polled = want;
    if (uv_poll_start(&s->poll, want, on_event))
        end(s, "the loop does not watch it");
}

/* True: something was done. Else it waits for the descriptor, or has ended. `n` is what a function of
 * tls.h returned. */
static bool went_well(struct stream *s, int n, const char *why)
{
    s->tls_wants_write = n == TLS_WAITS_TO_WRITE;
    if (n == TLS_OVER)
        end(s, why);
    return n > 0;
}

/* ---- stages ---- */

static void connecting(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    s->error = error;
    if (error) {
        end(s, strerror(error));
        return;
    }
    s->stage = s->preamble ? PROXY : s->tls ? TLS : OPEN;
    if (s->stage == OPEN)
        s->handler.on_open(s->handler.ctx, s);
}

static void forget_preamble(struct stream *s)
{
    if (s->preamble)
        tn_wipe(s->preamble, strlen(s->preamble));
    free(s->preamble);
    s->preamble = NULL;
}

static void ask_proxy(struct stream *s)
{
    size_t left = strlen(s->preamble) - s->preamble_sent;
    ssize_t n = send(s->fd, s->preamble + s->preamble_sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        end(s, strerror(errno));
    if (n > 0)
        s->preamble_sent += (size_t)n;
    if (n == (ssize_t)left)
        forget_preamble(s);
}

static void hear_proxy(struct stream *s)
{
    ssize_t n = recv(s->fd, s->in + s->in_len, PROXY_ANSWER_MAX - s->in_len, MSG_DONTWAIT);
    int status;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(s, n ? strerror(errno) : "closed by the proxy");
        return;
    }
    s->in_len += (size_t)n;
    status = proxy_answer(s->in, s->in_len);
    if (status == 0)
        return;
    s->in_len = 0;
    if (status == 200)
        s->stage = TLS;
    else
        end(s, status == 407 || status == 401 ? "the proxy wants a name and a password (--proxy-auth)"
               : status == 403 ? "the proxy does not allow it"
               : status < 0    ? "this is no HTTP proxy"
                               : "the proxy cannot connect");
}

static void shake(struct stream *s)
{
    const char *why = NULL;

    if (!went_well(s, tls_handshake(s->tls, &why), why))
        return;
    s->stage = OPEN;
    s->handler.on_open(s->handler.ctx, s);
}

/* Hands over the whole frames that have come. */
static void deliver(struct stream *s)
{
    size_t done = 0, data_len;
    ssize_t n = 0;
    uint8_t *data;

    while (s->stage == OPEN && !s->closing &&
           (n = frame_next(s->in + done, s->in_len - done, &data, &data_len)) > 0) {
        s->handler.on_datagram(s->handler.ctx, s, data, data_len);
        done += (size_t)n;
    }
    if (done && !s->closing)
        s->handler.on_batch_end(s->handler.ctx, s);
    if (n < 0) {
        end(s, "bytes that are no frame");
        return;
    }
    s->in_len -= done;
    memmove(s->in, s->in + done, s->in_len);
}

/* What recv and send give, in the words of tls.h. */
static int plain_result(ssize_t n, int waits, const char **why)
{
    if (n > 0)
        return (int)n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return waits;
    *why = n < 0 ? strerror(errno) : "closed by the other end";
    return TLS_OVER;
}

static int read_some(struct stream *s, void *out, int cap, const char **why)
{
    if (s->tls)
        return tls_read(s->tls, out, cap, why);
    return plain_result(recv(s->fd, out, (size_t)cap, MSG_DONTWAIT), TLS_WAITS, why);
}

static int write_some(struct stream *s, const void *data, int len, const char **why)
{
    if (s->tls)
        return tls_write(s->tls, data, len, why);
    return plain_result(send(s->fd, data, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL), TLS_WAITS_TO_WRITE, why);
}

static void read_records(struct stream *s)
{
    for (int i = 0; i < READS_PER_WAKE && s->stage == OPEN && !s->closing; i++) {
        /* room for a whole record: OpenSSL then keeps nothing back that no event would tell of */
        const char *why = NULL;
        int n = read_some(s, s->in + s->in_len, RECORD_MAX, &why);

        if (!went_well(s, n, why))
            return;
        s->in_len += (size_t)n;
        deliver(s);
    }
}

static void write_record(struct stream *s)
{
    const char *why = NULL;
    int n;

    if (!s->out_len) {
        s->out_len = frame_queue_take(&s->queue, s->out, sizeof(s->out));
        s->out_done = 0;
    }
    if (!s->out_len)
        return;
    n = write_some(s, s->out + s->out_done, (int)(s->out_len - s->out_done), &why);
    if (!went_well(s, n, why))
        return;
    s->out_done += (size_t)n;
    if (s->out_done == s->out_len)
        s->out_len = 0;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct stream *s = poll->data;

    if (status < 0)
        s->polled = 0; /* libuv stopped the handle; what is wrong shows in what follows */
    if (s->stage == CONNECTING)
        connecting(s);
    if (s->stage == PROXY && s->preamble)
        ask_proxy(s);
    else if (s->stage == PROXY)
        hear_proxy(s);
    if (s->stage == TLS)
        shake(s);
    if (s->stage == OPEN && !s->closing)
        read_records(s);
    if (s->stage == OPEN && !s->closing && (events & UV_WRITABLE))
        write_record(s);
    arm(s);
}

/* ---- life ---- */

/* A socket of that family with a mark; on `port`, where that is not 0, or where it is to be shared. */
static int open_socket(bool v4, uint32_t fwmark, bool shared, uint16_t port)
{
    struct tn_addr any = {0};
    union udp_sockaddr sa;
    int one = 1, err;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (v4)
        any = tn_addr_v4((const uint8_t[4]){0}, port);
    any.port = port;
    if ((!fwmark || setsockopt(fd, SOL_SOCKET, SO_MARK, &fwmark, sizeof(fwmark)) == 0) &&
        (v4 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
        (!shared || (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                     setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0 &&
                     bind(fd, &sa.sa, udp_to_sockaddr(&any, v4, &sa)) == 0)))
        return fd;
    err = -errno;
    close(fd);
    return err;
}

int stream_connect_from(uint16_t port, const struct tn_addr *to, uint32_t fwmark)
{
    bool v4 = tn_addr_is_v4(to);
    union udp_sockaddr sa;
    socklen_t len = udp_to_sockaddr(to, v4, &sa);
    int err, fd = open_socket(v4, fwmark, port != 0, port);

    if (fd < 0)
        return fd;
    if (connect(fd, &sa.sa, len) == 0 || errno == EINPROGRESS)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

int stream_connect(const struct tn_addr *to, uint32_t fwmark)
{
    return stream_connect_from(0, to, fwmark);
}

int stream_listen(bool v4, uint32_t fwmark, uint16_t *port)
{
    union udp_sockaddr sa;
    socklen_t len = sizeof(sa);
    int err, fd = open_socket(v4, fwmark, true, 0);

    if (fd < 0)
        return fd;
    if (listen(fd, LISTEN_BACKLOG) == 0 && getsockname(fd, &sa.sa, &len) == 0) {
        *port = udp_from_sockaddr(&sa).port;
        return fd;
    }
    err = -errno;
    close(fd);
    return err;
}

static int set_options(int fd)
{
    int one = 1, lowat = NOTSENT_LOWAT, timeout_ms = USER_TIMEOUT_MS;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms)) < 0)
        return -errno;
    return 0;
}

static void dispose(struct stream *s)
{
    tls_end(s->tls);
    forget_preamble(s);
    tn_wipe(s->in, sizeof(s->in));
    free(s);
}

static int prepare(struct stream *s, const struct stream_config *config)
{
    s->tls = config->tls ? tls_begin(config->tls, s->fd, config->server, config->sni) : NULL;
    if (config->tls && !s->tls)
        return -ENOMEM;
    if (config->preamble && !(s->preamble = strdup(config->preamble)))
        return -ENOMEM;
    s->stage = !config->server ? CONNECTING : s->tls ? TLS : OPEN;
    frame_queue_init(&s->queue, s->queue_mem, sizeof(s->queue_mem));
    return set_options(s->fd);
}

int stream_new(struct stream **out, uv_loop_t *loop, int fd, const struct stream_config *config,
               const struct stream_handler *handler)
{
    struct stream *s = malloc(sizeof(*s));
    int err;

    if (!s)
        return -ENOMEM;
    /* the arrays are not touched before they are used, and take no memory until then */
    memset(s, 0, offsetof(struct stream, in));
    s->in_len = s->out_len = s->out_done = 0;
    s->handler = *handler;
    s->fd = fd;
    s->poll.data = s;
    err = prepare(s, config);
    if (!err)
        err = uv_poll_init(loop, &s->poll, fd);
    if (err) {
        dispose(s);
        return err;
    }
    s->poll.data = s;
    arm(s);
    *out = s;
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    dispose(h->data);
}

void stream_close(struct stream *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    if (s->stage == OPEN && s->tls)
        tls_goodbye(s->tls);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}

bool stream_is_open(const struct stream *s)
{
    return s && s->stage == OPEN && !s->closing;
}

int stream_error(const struct stream *s)
{
    return s->error;
}

int stream_send(struct stream *s, const void *data, size_t len)
{
    if (!stream_is_open(s))
        return -ENOTCONN;
    if (frame_queue_push(&s->queue, data, len))
        return -EMSGSIZE;
    arm(s);
    return 0;
}

void stream_flush(struct stream *s)
{
    if (stream_is_open(s))
        write_record(s);
}

uint64_t stream_dropped(const struct stream *s)
{
    return s->queue.dropped;
}
