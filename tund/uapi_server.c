/* How it works: a listening socket that `wg` finds by name, and up to CONNECTION_MAX
 * connections, each in one of three states:
 *
 *     IDLE ----- first byte -----> READING ----- whole request ----> ANSWERING
 *       ^                                                                |
 *       +------------------------ answer written ------------------------+
 *
 * READING and ANSWERING have ANSWER_TIMEOUT_MS; IDLE may last. While an answer is on its
 * way nothing more is read, so a slow reader holds up only himself. A request longer than
 * REQUEST_MAX, a timeout or an error closes the connection.
 *
 * Only root, or who runs the daemon, is served (socket 0600 in a directory that others cannot
 * write to, and SO_PEERCRED). inotify tells when somebody removes the socket: as with
 * wireguard-go, that ends the daemon. */
#include "uapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "uapi_parse.h"

#define SOCKET_DIR "/var/run/wireguard"
#define CONNECTION_MAX 32
#define BACKLOG 16
#define ANSWER_TIMEOUT_MS 5000
#define READ_ROOM 4096
#define REQUEST_MAX (4u << 20) /* some 60,000 allowed IPs */

struct connection {
    struct uapi *server;
    struct connection *next;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    struct uapi_text in, out;
    bool answering, closing;
    int open_handles;
};

struct uapi {
    struct tund *t;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    dev_t dev; /* of the socket that we made: another in its place is not ours to remove */
    ino_t ino;
    uv_pipe_t listener;
    uv_fs_event_t watch;
    struct connection *connections;
    int connection_count;
    bool closing;
    int open_handles; /* of the two above; connections count for themselves */
};

/* ---- connections ---- */

static void serve_next(struct connection *c);

static void free_server_if_done(struct uapi *u)
{
    if (u->closing && !u->open_handles && !u->connection_count)
        free(u);
}

static void on_connection_closed(uv_handle_t *h)
{
    struct connection *c = h->data;
    struct uapi *u = c->server;

    if (--c->open_handles)
        return;
    for (struct connection **at = &u->connections; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    u->connection_count--;
    uapi_text_free(&c->in);
    uapi_text_free(&c->out);
    free(c);
    free_server_if_done(u);
}

static void connection_close(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->pipe, on_connection_closed);
    uv_close((uv_handle_t *)&c->timer, on_connection_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    log_debug("userspace API: a client took too long");
    connection_close(timer->data);
}

static void on_room(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct connection *c = h->data;
    char *room = c->in.len < REQUEST_MAX ? uapi_text_room(&c->in, READ_ROOM) : NULL;

    *buf = uv_buf_init(room, room ? READ_ROOM : 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;

    if (n < 0) {
        connection_close(c);
        return;
    }
    if (!n)
        return;
    if (!c->in.len)
        uv_timer_start(&c->timer, on_timeout, ANSWER_TIMEOUT_MS, 0);
    c->in.len += (size_t)n;
    serve_next(c);
}

static void on_written(uv_write_t *w, int status)
{
    struct connection *c = w->data;

    uapi_text_free(&c->out);
    c->answering = false;
    if (status < 0) {
        connection_close(c);
        return;
    }
    if (c->closing)
        return;
    uv_timer_stop(&c->timer);
    if (c->in.len)
        uv_timer_start(&c->timer, on_timeout, ANSWER_TIMEOUT_MS, 0);
    if (uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read))
        connection_close(c);
    else
        serve_next(c);
}

static void take_off(struct uapi_text *text, size_t len)
{
    size_t rest = text->len - len;

    memmove(text->data, text->data + len, rest);
    explicit_bzero(text->data + rest, len);
    text->len = rest;
}

static void serve_next(struct connection *c)
{
    struct tund *t = c->server->t;
    size_t len = uapi_request_len(c->in.data, c->in.len);
    uv_buf_t buf;

    if (!len || c->closing || c->answering)
        return;
    uapi_handle(t, c->in.data, len, &c->out);
    take_off(&c->in, len);
    tund_pump(t);
    uv_read_stop((uv_stream_t *)&c->pipe);
    c->answering = true;
    c->write.data = c;
    buf = uv_buf_init(c->out.data, (unsigned)c->out.len);
    if (c->out.failed || uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written))
        connection_close(c);
}

static bool may_ask(const uv_pipe_t *pipe)
{
    struct ucred who;
    socklen_t len = sizeof who;
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)pipe, &fd) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
        return false;
    return who.uid == 0 || who.uid == geteuid();
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct uapi *u = listener->data;
    struct connection *c = status < 0 ? NULL : calloc(1, sizeof *c);

    if (!c)
        return;
    c->server = u;
    c->next = u->connections;
    u->connections = c;
    u->connection_count++;
    uv_pipe_init(&u->t->loop, &c->pipe, 0);
    uv_timer_init(&u->t->loop, &c->timer);
    c->pipe.data = c->timer.data = c;
    c->open_handles = 2;
    if (uv_accept(listener, (uv_stream_t *)&c->pipe) || u->connection_count > CONNECTION_MAX ||
        !may_ask(&c->pipe) || uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read))
        connection_close(c);
}

/* ---- the socket's name ---- */

/* -EPERM: others could put their own socket there. */
static int make_dir(void)
{
    struct stat st;

    if (mkdir(SOCKET_DIR, 0700) && errno != EEXIST)
        return -errno;
    if (lstat(SOCKET_DIR, &st))
        return -errno;
    if (!S_ISDIR(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    return 0;
}

/* Removes a socket that nobody listens on any more. */
static int clear_stale(const struct sockaddr_un *sa)
{
    struct stat st;
    int fd, err = 0;

    if (lstat(sa->sun_path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (!connect(fd, (const struct sockaddr *)sa, sizeof *sa) || errno != ECONNREFUSED)
        err = -EADDRINUSE;
    close(fd);
    if (!err && unlink(sa->sun_path))
        err = -errno;
    return err;
}

/* A listening descriptor, or a negative errno. */
static int make_socket(struct uapi *u)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    mode_t before;
    int fd, err = make_dir();

    memcpy(sa.sun_path, u->path, sizeof sa.sun_path);
    if (!err)
        err = clear_stale(&sa);
    if (err)
        return err;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    before = umask(0177);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa))
        err = -errno;
    umask(before);
    if (!err && lstat(u->path, &st))
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    u->dev = st.st_dev;
    u->ino = st.st_ino;
    return fd;
}

static bool is_ours(const struct uapi *u)
{
    struct stat st;

    return !lstat(u->path, &st) && st.st_dev == u->dev && st.st_ino == u->ino;
}

static void on_dir_changed(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct uapi *u = watch->data;

    if (u->closing || is_ours(u))
        return;
    uv_fs_event_stop(watch);
    if (u->t->opt.state_dir) {
        log_warn("%s was removed; wg cannot see this interface any more", u->path);
        return;
    }
    log_info("%s was removed: stopping", u->path);
    tund_stop(u->t, TUND_EXIT_OK);
}

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *h)
{
    struct uapi *u = h->data;

    u->open_handles--;
    free_server_if_done(u);
}

static int start_handles(struct uapi *u, int fd)
{
    int err;

    uv_pipe_init(&u->t->loop, &u->listener, 0);
    uv_fs_event_init(&u->t->loop, &u->watch);
    u->listener.data = u->watch.data = u;
    u->open_handles = 2;
    err = uv_pipe_open(&u->listener, fd);
    if (err) {
        close(fd);
        return err;
    }
    err = uv_listen((uv_stream_t *)&u->listener, BACKLOG, on_connection);
    return err ? err : uv_fs_event_start(&u->watch, on_dir_changed, SOCKET_DIR, 0);
}

static int explain(struct tund *t, const char *path, int err)
{
    switch (err) {
    case -EADDRINUSE:
        return tund_fail(t, err, "%s is served by another process; is %s running already?", path,
                         t->ifname);
    case -EEXIST:
        return tund_fail(t, err, "%s is in the way and no socket; remove it", path);
    case -EPERM:
        return tund_fail(t, err,
                         SOCKET_DIR " must be a directory of root that nobody else can write to");
    default:
        return tund_fail(t, err, "cannot serve %s: %s", path, strerror(-err));
    }
}

int uapi_open(struct uapi **out, struct tund *t)
{
    struct uapi *u = calloc(1, sizeof *u);
    int fd, err;

    if (!u)
        return tund_fail(t, -ENOMEM, "no memory");
    u->t = t;
    snprintf(u->path, sizeof u->path, SOCKET_DIR "/%.15s.sock", t->ifname);
    fd = make_socket(u);
    if (fd < 0) {
        err = explain(t, u->path, fd);
        free(u);
        return err;
    }
    err = start_handles(u, fd);
    if (err) {
        err = explain(t, u->path, err);
        uapi_close(u);
        return err;
    }
    *out = u;
    return 0;
}

void uapi_close(struct uapi *u)
{
    if (!u)
        return;
    u->closing = true;
    if (is_ours(u) && unlink(u->path))
        log_warn("%s could not be removed: %s", u->path, strerror(errno));
    for (struct connection *c = u->connections; c; c = c->next)
        connection_close(c);
    uv_close((uv_handle_t *)&u->listener, on_handle_closed);
    uv_close((uv_handle_t *)&u->watch, on_handle_closed);
}
