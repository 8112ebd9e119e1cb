/* How it works: a report is some 2 KiB, and a new unix socket takes far more
 * without blocking; so it is written with one call and the connection closed, and no
 * connection is ever kept. Whoever cannot take it at once gets nothing. Access is by the
 * state directory's mode (0700) and the socket's own (0600, by umask). */
#include "coord_status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define REPORT_MAX 65536
#define ANSWER_TIMEOUT_S 5

/* ---- the coordinator's side ---- */

static void on_closed(uv_handle_t *h)
{
    free(h);
}

static void send_report(struct coord_status *s, uv_stream_t *to)
{
    json_t *report = s->report(s->ctx);
    char *text = report ? json_dumps(report, JSON_COMPACT) : NULL;

    if (text) {
        uv_buf_t buf = uv_buf_init(text, (unsigned)strlen(text));

        /* A short or failed write leaves the asker with JSON that is cut, which it will say. */
        (void)uv_try_write(to, &buf, 1);
    }
    free(text);
    json_decref(report);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct coord_status *s = listener->data;
    uv_pipe_t *client;

    if (status < 0)
        return;
    client = malloc(sizeof(*client));
    if (!client)
        return;
    if (uv_pipe_init(listener->loop, client, 0)) {
        free(client);
        return;
    }
    if (uv_accept(listener, (uv_stream_t *)client) == 0)
        send_report(s, (uv_stream_t *)client);
    uv_close((uv_handle_t *)client, on_closed);
}

int coord_status_open(struct coord_status *s, uv_loop_t *loop, json_t *(*report)(void *ctx),
                      void *ctx, struct why *w)
{
    int err;

    s->ctx = ctx;
    s->report = report;
    if (unlink(COORD_STATUS_SOCKET) < 0 && errno != ENOENT)
        return why_set(w, -errno, "cannot replace %s: %s", COORD_STATUS_SOCKET, strerror(errno));
    err = uv_pipe_init(loop, &s->pipe, 0);
    if (err)
        return why_set(w, err, "cannot make a socket: %s", uv_strerror(err));
    s->pipe.data = s;
    s->open = true;
    err = uv_pipe_bind(&s->pipe, COORD_STATUS_SOCKET);
    if (!err && chmod(COORD_STATUS_SOCKET, 0600) < 0)
        err = -errno;
    if (!err)
        err = uv_listen((uv_stream_t *)&s->pipe, BACKLOG, on_connection);
    if (err) {
        coord_status_close(s);
        return why_set(w, err, "cannot listen on %s in the state directory: %s",
                       COORD_STATUS_SOCKET, uv_strerror(err));
    }
    return 0;
}

void coord_status_close(struct coord_status *s)
{
    if (!s->open)
        return;
    s->open = false;
    uv_close((uv_handle_t *)&s->pipe, NULL);
    /* libuv does so too; one that is left is replaced at the next start */
    (void)unlink(COORD_STATUS_SOCKET);
}

/* ---- the asker's side ---- */

static int read_all(int fd, char *text, size_t cap, size_t *len)
{
    *len = 0;
    while (*len < cap) {
        ssize_t n = read(fd, text + *len, cap - *len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return 0;
        *len += (size_t)n;
    }
    return -EFBIG;
}

static int ask_text(char *text, size_t cap, size_t *len)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = COORD_STATUS_SOCKET};
    struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_S};
    int err, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        err = -errno;
    else
        err = read_all(fd, text, cap, len);
    close(fd);
    return err;
}

int coord_status_ask(json_t **report, struct why *w)
{
    char *text = malloc(REPORT_MAX);
    size_t len = 0;
    int err = text ? ask_text(text, REPORT_MAX, &len) : -ENOMEM;

    if (err == -ENOENT || err == -ECONNREFUSED) {
        (void)why_set(w, err, "no coordinator runs here: start it with `tund-coord run`");
    } else if (err) {
        (void)why_set(w, err, "the coordinator does not answer: %s", strerror(-err));
    } else {
        *report = json_loadb(text, len, 0, NULL);
        if (!*report)
            err = why_set(w, -EBADMSG, "the coordinator's answer was cut short: ask again");
    }
    free(text);
    return err;
}
