/* A look-up on a detached thread.
 *
 * Loop and thread share nothing but a socket pair: the thread owns its `job`,
 * sends the result as one message and frees the job. When the loop's end is
 * closed before that, the message finds nobody and is dropped. */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREAD_STACK_LEN (256u * 1024u)

struct job {
    int fd;
    uint16_t port;
    char host[256];
};

struct resolve {
    uv_poll_t poll;
    int fd;
    void (*cb)(void *ctx, const struct resolve_result *r);
    void *ctx;
};

/* ---- the thread ---- */

static void keep(struct resolve_result *r, const struct addrinfo *a, uint16_t port)
{
    const void *sa = a->ai_addr;

    if (r->count == RESOLVE_MAX)
        return;
    if (a->ai_family == AF_INET) {
        const struct sockaddr_in *in = sa;

        r->addr[r->count++] = tn_addr_v4((const uint8_t *)&in->sin_addr, port);
    } else if (a->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = sa;

        r->addr[r->count++] = tn_addr_v6(in6->sin6_addr.s6_addr, port);
    }
}

static void *look_up(void *arg)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct resolve_result result = {0};
    struct addrinfo *list = NULL;
    struct job *job = arg;

    result.error = getaddrinfo(job->host, NULL, &hints, &list);
    if (!result.error) {
        for (const struct addrinfo *a = list; a; a = a->ai_next)
            keep(&result, a, job->port);
        freeaddrinfo(list);
    }
    /* EPIPE: nobody waits any more */
    (void)send(job->fd, &result, sizeof(result), MSG_NOSIGNAL);
    close(job->fd);
    free(job);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct job *job)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    int err = pthread_attr_init(&attr);

    if (err)
        return -err;
    sigfillset(&all);
    err = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (!err)
        err = pthread_attr_setstacksize(&attr, THREAD_STACK_LEN);
    if (!err)
        err = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!err) {
        err = pthread_create(&thread, &attr, look_up, job);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
    return -err;
}

/* ---- the loop ---- */

static void on_closed(uv_handle_t *h)
{
    struct resolve *r = h->data;

    close(r->fd);
    free(r);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct resolve *r = poll->data;
    struct resolve_result result;
    ssize_t n = recv(r->fd, &result, sizeof(result), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof(result))
        result = (struct resolve_result){.error = EAI_SYSTEM};
    uv_close((uv_handle_t *)poll, on_closed);
    r->cb(r->ctx, &result);
}

static int watch(struct resolve *r, uv_loop_t *loop)
{
    int err = uv_poll_init(loop, &r->poll, r->fd);

    if (err)
        return err;
    r->poll.data = r;
    return uv_poll_start(&r->poll, UV_READABLE, on_readable);
}

int resolve_start(struct resolve **out, uv_loop_t *loop, const char *host, uint16_t port,
                  void (*cb)(void *ctx, const struct resolve_result *r), void *ctx)
{
    struct resolve *r = calloc(1, sizeof(*r));
    struct job *job = calloc(1, sizeof(*job));
    int pair[2] = {-1, -1};
    int err = -ENOMEM;

    if (!r || !job)
        goto fail;
    err = -ENAMETOOLONG;
    if (strlen(host) >= sizeof(job->host))
        goto fail;
    memcpy(job->host, host, strlen(host) + 1);
    job->port = port;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        err = -errno;
        goto fail;
    }
    r->fd = pair[0];
    r->cb = cb;
    r->ctx = ctx;
    job->fd = pair[1];
    err = start_thread(job);
    if (err)
        goto fail;
    job = NULL; /* the thread's */
    pair[1] = -1;
    err = watch(r, loop);
    if (err && r->poll.data) {
        uv_close((uv_handle_t *)&r->poll, on_closed);
        return err;
    }
    if (err)
        goto fail;
    *out = r;
    return 0;
fail:
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
    free(job);
    free(r);
    return err;
}

void resolve_stop(struct resolve *r)
{
    if (r)
        uv_close((uv_handle_t *)&r->poll, on_closed);
}
