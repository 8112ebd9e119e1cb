/* The control socket in the daemon.
 *
 * The socket is bound through /proc/self/fd/N of the state directory, so that it
 * lies in the very directory that was checked, and that the length of the
 * directory's name does not matter (108 bytes is all that a socket address has).
 *
 * A connection reads into one line buffer. Requests are answered in the handler;
 * while it streams (a user's pointer is set) reading goes on, to notice the end.
 *
 *     IDLE --line--> handler --answer--> IDLE      5 s without a whole line: closed
 *                       `--set_user--> STREAMING --set_user(NULL)--> IDLE
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_CHUNK 4096u

struct ctl_conn {
    struct ctl *ctl;
    struct ctl_conn *next;
    uv_pipe_t pipe;
    uv_timer_t idle;
    int open_handles;
    bool closing;
    void *user;
    char *line; /* grows up to CTL_LINE_MAX */
    size_t len, cap;
};

struct ctl {
    uv_pipe_t pipe;
    struct ctl_handler handler;
    struct ctl_conn *conns;
    unsigned conn_count;
    int dir_fd;
    bool closing;
};

/* ---- the end of a connection ---- */

static void free_if_done(struct ctl *c)
{
    if (!c->closing || c->conns || c->pipe.data)
        return;
    close(c->dir_fd);
    free(c);
}

static void on_conn_handle_closed(uv_handle_t *h)
{
    struct ctl_conn *conn = h->data;
    struct ctl *c = conn->ctl;
    struct ctl_conn **at = &c->conns;

    if (--conn->open_handles > 0)
        return;
    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    free(conn->line);
    free(conn);
    free_if_done(c);
}

static void end_conn(struct ctl_conn *conn)
{
    if (conn->closing)
        return;
    conn->closing = true;
    conn->ctl->conn_count--;
    conn->ctl->handler.on_close(conn->ctl->handler.ctx, conn);
    conn->user = NULL;
    uv_close((uv_handle_t *)&conn->idle, on_conn_handle_closed);
    uv_close((uv_handle_t *)&conn->pipe, on_conn_handle_closed);
}

static void on_idle(uv_timer_t *timer)
{
    end_conn(timer->data);
}

static void rearm(struct ctl_conn *conn)
{
    int err;

    if (conn->closing)
        return;
    if (conn->user)
        err = uv_timer_stop(&conn->idle);
    else
        err = uv_timer_start(&conn->idle, on_idle, CTL_IDLE_MS, 0);
    if (err)
        end_conn(conn);
}

/* ---- sending ---- */

struct ctl_write {
    uv_write_t req;
    char *text;
};

static void on_written(uv_write_t *req, int status)
{
    struct ctl_write *w = req->data;
    struct ctl_conn *conn = req->handle->data;

    free(w->text);
    free(w);
    if (status < 0)
        end_conn(conn);
}

void ctl_send(struct ctl_conn *conn, json_t *message)
{
    static char line_end[] = "\n"; /* what cannot be written at once is kept by reference */
    struct ctl_write *w = calloc(1, sizeof(*w));
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    uv_buf_t bufs[2];

    json_decref(message);
    if (conn->closing || !w || !text ||
        uv_stream_get_write_queue_size((uv_stream_t *)&conn->pipe) > CTL_QUEUE_MAX)
        goto cut;
    w->text = text;
    w->req.data = w;
    bufs[0] = uv_buf_init(text, (unsigned)strlen(text));
    bufs[1] = uv_buf_init(line_end, 1);
    if (uv_write(&w->req, (uv_stream_t *)&conn->pipe, bufs, 2, on_written) == 0)
        return;
cut:
    free(w);
    free(text);
    end_conn(conn);
}

void ctl_send_ok(struct ctl_conn *conn)
{
    ctl_send(conn, json_pack("{s:b}", "ok", 1));
}

void ctl_send_error(struct ctl_conn *conn, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ctl_send(conn, json_pack("{s:b,s:s}", "ok", 0, "error", text));
}

void ctl_set_user(struct ctl_conn *conn, void *user)
{
    conn->user = user;
    rearm(conn);
}

void *ctl_user(const struct ctl_conn *conn)
{
    return conn->user;
}

/* ---- reading ---- */

static void on_line(struct ctl_conn *conn, const char *line, size_t len)
{
    json_error_t where;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);

    if (!json_is_object(request))
        ctl_send_error(conn, "this is no request: one JSON object on one line is expected");
    else if (conn->user)
        ctl_send_error(conn, "the request before is still being answered");
    else
        conn->ctl->handler.on_request(conn->ctl->handler.ctx, conn, request);
    json_decref(request);
    rearm(conn);
}

/* Hands over every whole line, and keeps the rest. */
static void take_lines(struct ctl_conn *conn)
{
    size_t start = 0;
    char *end;

    while (!conn->closing && (end = memchr(conn->line + start, '\n', conn->len - start))) {
        size_t len = (size_t)(end - (conn->line + start));

        on_line(conn, conn->line + start, len);
        start += len + 1;
    }
    memmove(conn->line, conn->line + start, conn->len - start);
    conn->len -= start;
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct ctl_conn *conn = h->data;

    if (conn->cap - conn->len < READ_CHUNK && conn->cap < CTL_LINE_MAX) {
        char *line = realloc(conn->line, conn->cap ? conn->cap * 2 : READ_CHUNK);

        if (line) {
            conn->line = line;
            conn->cap = conn->cap ? conn->cap * 2 : READ_CHUNK;
        }
    }
    /* none left: libuv reports UV_ENOBUFS, and the connection ends */
    *buf = uv_buf_init(conn->line + conn->len, (unsigned)(conn->cap - conn->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ctl_conn *conn = stream->data;

    if (n < 0) {
        end_conn(conn);
        return;
    }
    conn->len += (size_t)n;
    take_lines(conn);
}

/* ---- the beginning ---- */

static bool is_allowed(uv_pipe_t *pipe)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct ctl *c = listener->data;
    struct ctl_conn *conn = status < 0 ? NULL : calloc(1, sizeof(*conn));

    if (!conn)
        return;
    conn->ctl = c;
    conn->pipe.data = conn;
    conn->idle.data = conn;
    if (uv_timer_init(listener->loop, &conn->idle) < 0) {
        free(conn);
        return;
    }
    conn->open_handles = 1;
    conn->next = c->conns;
    c->conns = conn;
    if (uv_pipe_init(listener->loop, &conn->pipe, 0) < 0) {
        conn->closing = true;
        uv_close((uv_handle_t *)&conn->idle, on_conn_handle_closed);
        return;
    }
    conn->open_handles = 2;
    c->conn_count++;
    if (uv_accept(listener, (uv_stream_t *)&conn->pipe) < 0 || c->conn_count > CTL_CONN_MAX ||
        !is_allowed(&conn->pipe) || uv_read_start((uv_stream_t *)&conn->pipe, on_alloc, on_read) < 0) {
        end_conn(conn);
        return;
    }
    rearm(conn);
}

static int make_socket(int dir_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    mode_t mask;
    int err = 0;
    int fd;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CTL_SOCKET_NAME, dir_fd);
    if (unlinkat(dir_fd, CTL_SOCKET_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    mask = umask(0177); /* 0600 from its first moment */
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        err = -errno;
    umask(mask);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

static void on_listener_closed(uv_handle_t *h)
{
    struct ctl *c = h->data;

    h->data = NULL;
    free_if_done(c);
}

int ctl_open(struct ctl **out, uv_loop_t *loop, int dir_fd, const struct ctl_handler *handler)
{
    struct ctl *c = calloc(1, sizeof(*c));
    int err;
    int fd;

    if (!c)
        return -ENOMEM;
    c->handler = *handler;
    c->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (c->dir_fd < 0 || (err = uv_pipe_init(loop, &c->pipe, 0)) < 0) {
        err = c->dir_fd < 0 ? -errno : err;
        if (c->dir_fd >= 0)
            close(c->dir_fd);
        free(c);
        return err;
    }
    c->pipe.data = c;
    fd = make_socket(c->dir_fd);
    err = fd < 0 ? fd : uv_pipe_open(&c->pipe, fd);
    if (err && fd >= 0)
        close(fd);
    if (!err)
        err = uv_listen((uv_stream_t *)&c->pipe, (int)CTL_CONN_MAX, on_connection);
    if (err) {
        ctl_close(c);
        return err;
    }
    *out = c;
    return 0;
}

void ctl_close(struct ctl *c)
{
    struct ctl_conn *next;

    if (!c || c->closing)
        return;
    c->closing = true;
    /* best effort: the next daemon replaces it, and nobody answers on it */
    (void)unlinkat(c->dir_fd, CTL_SOCKET_NAME, 0);
    for (struct ctl_conn *conn = c->conns; conn; conn = next) {
        next = conn->next;
        end_conn(conn);
    }
    uv_close((uv_handle_t *)&c->pipe, on_listener_closed);
}
