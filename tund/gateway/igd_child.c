/* How it works: the child's standard output is a pipe; its end and the child's exit may come in either
 * order, and after both the answer is decoded. The child limits itself (igd_sandbox.h); here
 * stands what must hold although it may be taken over by a router: a bounded buffer, a clock and SIGKILL. */
#include "igd_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "igd_words.h"

struct igd_child {
    uv_process_t process;
    uv_pipe_t pipe;
    uv_timer_t timer;
    int open_handles;
    bool exited, at_end, spoiled, closing;
    igd_child_done done;
    void *ctx;
    size_t len;
    uint8_t data[IGD_ANSWER_MAX + 1];
    struct igd_answer answer;
};

static void on_closed(uv_handle_t *h)
{
    struct igd_child *c = h->data;

    if (--c->open_handles == 0)
        free(c);
}

static void close_all(struct igd_child *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->process, on_closed);
    uv_close((uv_handle_t *)&c->pipe, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void finish(struct igd_child *c)
{
    bool good;

    if (!c->exited || !c->at_end || c->closing)
        return;
    good = !c->spoiled && igdmsg_decode(&c->answer, c->data, c->len) == 0;
    c->done(c->ctx, good ? &c->answer : NULL);
    close_all(c);
}

static void end_it(struct igd_child *c)
{
    c->spoiled = true;
    if (!c->exited)
        (void)uv_process_kill(&c->process, SIGKILL); /* it may have ended in this moment */
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal)
{
    struct igd_child *c = process->data;

    c->exited = true;
    if (status != 0 || signal != 0)
        c->spoiled = true;
    finish(c);
}

static void on_timer(uv_timer_t *timer)
{
    struct igd_child *c = timer->data;

    end_it(c);
    c->at_end = true; /* something else may hold its end of the pipe */
    finish(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct igd_child *c = h->data;

    *buf = uv_buf_init((char *)c->data + c->len, (unsigned)(sizeof c->data - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct igd_child *c = stream->data;

    if (n > 0) {
        c->len += (size_t)n;
        if (c->len <= IGD_ANSWER_MAX)
            return;
        n = -EFBIG;
    }
    if (n == 0)
        return;
    if (n != UV_EOF)
        end_it(c);
    (void)uv_read_stop(stream);
    c->at_end = true;
    finish(c);
}

static int spawn(struct igd_child *c, uv_loop_t *loop, const char *program, const struct igd_job *job)
{
    struct igd_words words;
    char name[PATH_MAX], *args[IGD_WORDS + 2], *env[] = {NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->pipe},
        {.flags = UV_IGNORE},
    };
    uv_process_options_t options = {.exit_cb = on_exit_of_child, .file = name, .args = args, .env = env,
                                    .cwd = "/", .stdio_count = 3, .stdio = stdio};

    snprintf(name, sizeof name, "%s", program);
    igd_words_write(job, &words);
    args[0] = name;
    for (int i = 0; i < IGD_WORDS; i++)
        args[i + 1] = words.text[i];
    args[IGD_WORDS + 1] = NULL;
    return uv_spawn(loop, &c->process, &options);
}

int igd_child_start(struct igd_child **out, uv_loop_t *loop, const char *program,
                    const struct igd_job *job, igd_child_done done, void *ctx)
{
    struct igd_child *c = calloc(1, sizeof *c);
    int err;

    if (!c)
        return -ENOMEM;
    c->done = done;
    c->ctx = ctx;
    c->process.data = c->pipe.data = c->timer.data = c;
    err = uv_pipe_init(loop, &c->pipe, 0);
    if (err) {
        free(c);
        return err;
    }
    uv_timer_init(loop, &c->timer);
    err = spawn(c, loop, program, job);
    c->open_handles = 3; /* uv_spawn makes a handle also where it fails */
    if (!err)
        err = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
    if (!err)
        err = uv_timer_start(&c->timer, on_timer, IGD_CHILD_MS, 0);
    if (err) {
        igd_child_kill(c);
        return err;
    }
    *out = c;
    return 0;
}

void igd_child_kill(struct igd_child *c)
{
    if (!c || c->closing)
        return;
    if (!c->exited && c->process.pid > 0)
        (void)uv_process_kill(&c->process, SIGKILL);
    close_all(c);
}

bool igd_child_find(char out[PATH_MAX])
{
    static const char *const places[] = {"gateway/tund-igd", "../libexec/tund/tund-igd"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; slash && i < sizeof places / sizeof places[0]; i++) {
            if (snprintf(out, PATH_MAX, "%s/%s", self, places[i]) < PATH_MAX && access(out, X_OK) == 0)
                return true;
        }
    }
    snprintf(out, PATH_MAX, "%s", TUND_LIBEXEC "/tund-igd");
    return access(out, X_OK) == 0;
}
