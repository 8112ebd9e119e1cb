/* tundctl's end of the control socket (see ctl.h for what is said on it). */
#include "ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The directory was checked; this guards against a socket that another user was let to put there. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

int ctl_client_open(struct ctl_client *c, const struct state *s, struct why *w)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int err;

    *c = (struct ctl_client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0)
        return why_set(w, -errno, "no socket: %s", strerror(errno));
    snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CTL_SOCKET_NAME, s->dir_fd);
    if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        err = -errno;
        ctl_client_close(c);
        if (err == -ENOENT || err == -ECONNREFUSED)
            return why_set(w, -ECONNREFUSED, "no tund runs with the state in %s: `tundctl up` starts "
                           "it", s->dir);
        return why_set(w, err, "cannot reach tund in %s: %s", s->dir, strerror(-err));
    }
    if (!is_trusted(c->fd)) {
        ctl_client_close(c);
        return why_set(w, -EPERM, "the control socket in %s belongs to another user", s->dir);
    }
    return 0;
}

void ctl_client_close(struct ctl_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->line);
    *c = (struct ctl_client){.fd = -1};
}

int ctl_client_send(struct ctl_client *c, json_t *request, struct why *w)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0, done = 0;
    int err = 0;

    json_decref(request);
    if (!text)
        return why_set(w, -ENOMEM, "no memory");
    text[len++] = '\n'; /* in the place of the NUL */
    while (done < len) {
        ssize_t n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = why_set(w, -errno, "tund does not listen: %s", strerror(errno));
            break;
        }
        done += (size_t)n;
    }
    free(text);
    return err;
}

/* ---- reading ---- */

static int make_room(struct ctl_client *c)
{
    size_t cap = c->cap ? c->cap * 2 : 4096;
    char *line;

    if (c->taken) {
        memmove(c->line, c->line + c->taken, c->len - c->taken);
        c->len -= c->taken;
        c->taken = 0;
    }
    if (c->len < c->cap)
        return 0;
    if (cap > CTL_ANSWER_MAX)
        return -EPROTO;
    line = realloc(c->line, cap);
    if (!line)
        return -ENOMEM;
    c->line = line;
    c->cap = cap;
    return 0;
}

static int read_more(struct ctl_client *c, int64_t deadline_ms, struct why *w)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int64_t left = deadline_ms - now_ms();
    ssize_t n;
    int err;

    err = make_room(c);
    if (err)
        return why_set(w, err, "tund's answer is too long");
    err = poll(&p, 1, left > 0 ? (int)left : 0);
    if (err < 0)
        return why_set(w, -errno, errno == EINTR ? "interrupted" : "cannot wait for tund");
    if (err == 0)
        return why_set(w, -ETIMEDOUT, "tund does not answer: it is busy or hangs");
    n = recv(c->fd, c->line + c->len, c->cap - c->len, 0);
    if (n < 0 && errno != ECONNRESET)
        return why_set(w, -errno, "cannot read from tund: %s", strerror(errno));
    if (n <= 0)
        return why_set(w, -EPIPE, "tund has ended the connection");
    c->len += (size_t)n;
    return 0;
}

int ctl_client_next(struct ctl_client *c, json_t **out, int timeout_ms, struct why *w)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    json_error_t where;
    size_t line_len;
    json_t *message;
    char *end;

    while (!c->line || !(end = memchr(c->line + c->taken, '\n', c->len - c->taken))) {
        int err = read_more(c, deadline_ms, w);

        if (err)
            return err;
    }
    line_len = (size_t)(end - (c->line + c->taken));
    message = json_loadb(c->line + c->taken, line_len, JSON_REJECT_DUPLICATES, &where);
    c->taken += line_len + 1;
    if (!json_is_object(message)) {
        json_decref(message);
        return why_set(w, -EPROTO, "tund's answer cannot be read: is it of another version?");
    }
    *out = message;
    return 0;
}

bool ctl_is_answer(const json_t *message)
{
    return json_object_get(message, "ok") != NULL;
}

int ctl_check_answer(const json_t *message, struct why *w)
{
    const char *error = json_string_value(json_object_get(message, "error"));

    if (json_is_true(json_object_get(message, "ok")))
        return 0;
    return why_set(w, -EREMOTEIO, "%s", error ? error : "tund says no, and not why");
}

int ctl_ask(const struct state *s, json_t *request, int timeout_ms, json_t **answer, struct why *w)
{
    struct ctl_client c;
    json_t *got = NULL;
    int err = ctl_client_open(&c, s, w);

    if (err) {
        json_decref(request);
        return err;
    }
    err = ctl_client_send(&c, request, w);
    if (!err)
        err = ctl_client_next(&c, &got, timeout_ms, w);
    if (!err)
        err = ctl_check_answer(got, w);
    ctl_client_close(&c);
    if (err || !answer)
        json_decref(got);
    else
        *answer = got;
    return err;
}
