/* The control socket: who is heard, what a bad client can do (nothing), and the
 * client's own end. The daemon's side runs on a loop in this thread; clients are raw
 * sockets here, or tundctl's own in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tund/ctl.h"
#include "tund/ctl_client.h"
#include "tund/state.h"

struct fixture {
    char dir[64];
    struct state s;
    struct why why;
    uv_loop_t loop;
    struct ctl *ctl;
    unsigned requests, closed;
    struct ctl_conn *streaming;
    char mark;
};

/* ---- a little daemon ---- */

static void on_request(void *ctx, struct ctl_conn *c, json_t *request)
{
    struct fixture *f = ctx;
    const char *verb = json_string_value(json_object_get(request, "verb"));

    f->requests++;
    if (verb && strcmp(verb, "stream") == 0) {
        f->streaming = c;
        ctl_set_user(c, &f->mark);
        ctl_send(c, json_pack("{s:s}", "event", "begin"));
    } else if (verb && strcmp(verb, "no") == 0) {
        ctl_send_error(c, "no, because of %s", "reasons");
    } else if (verb && strcmp(verb, "flood") == 0) {
        char big[4096];

        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        for (int i = 0; i < 2000; i++)
            ctl_send(c, json_pack("{s:s}", "event", big));
    } else {
        ctl_send_ok(c);
    }
}

static void on_close(void *ctx, struct ctl_conn *c)
{
    struct fixture *f = ctx;

    f->closed++;
    if (ctl_user(c) == &f->mark)
        f->streaming = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct ctl_handler handler = {.ctx = f, .on_request = on_request, .on_close = on_close};

    strcpy(f->dir, "/tmp/tund-ctl-test-XXXXXX");
    if (!mkdtemp(f->dir) || state_open(&f->s, f->dir, false, &f->why) != 0 ||
        uv_loop_init(&f->loop) != 0 || ctl_open(&f->ctl, &f->loop, f->s.dir_fd, &handler) != 0)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    ctl_close(f->ctl);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&f->loop) != 0)
        return -1;
    state_close(&f->s);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
    if (system(cmd) != 0)
        return -1;
    free(f);
    return 0;
}

/* Runs the loop until the condition holds; fails after 10 s. */
#define run_until(f, condition)                                                                    \
    do {                                                                                           \
        uint64_t deadline = uv_hrtime() + 10000000000ull;                                          \
        while (!(condition)) {                                                                     \
            uv_run(&(f)->loop, UV_RUN_NOWAIT);                                                     \
            assert_true(uv_hrtime() < deadline);                                                   \
        }                                                                                          \
    } while (0)

/* ---- raw clients ---- */

static int dial(const struct fixture *f)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CTL_SOCKET_NAME, f->dir);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come so far; "" at the end of the connection. */
static bool heard(int fd, char *out, size_t cap)
{
    ssize_t n = recv(fd, out, cap - 1, MSG_DONTWAIT);

    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

static void assert_hears(struct fixture *f, int fd, const char *part)
{
    char got[1024] = "";

    run_until(f, heard(fd, got, sizeof(got)));
    if (!strstr(got, part))
        fail_msg("heard %s, not %s", got, part);
}

static void assert_cut_off(struct fixture *f, int fd)
{
    char got[65536];

    do {
        run_until(f, heard(fd, got, sizeof(got)) || errno == ECONNRESET);
    } while (got[0] && errno != ECONNRESET);
    close(fd);
}

/* ---- tests ---- */

static void a_request_is_answered_with_one_line(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);

    say(fd, "{\"verb\":\"x\"}\n");
    assert_hears(f, fd, "{\"ok\":true}\n");
    say(fd, "{\"verb\":\"no\"}\n");
    assert_hears(f, fd, "{\"ok\":false,\"error\":\"no, because of reasons\"}\n");
    close(fd);
    run_until(f, f->closed == 1);
}

static void a_request_in_pieces_and_two_in_one_piece_are_understood(void **state)
{
    struct fixture *f = *state;
    const char *text = "{\"verb\":\"x\"}\n";
    int fd = dial(f);

    for (size_t i = 0; text[i]; i++) {
        assert_int_equal(f->requests, 0);
        assert_int_equal(send(fd, text + i, 1, 0), 1);
        for (int k = 0; k < 3; k++)
            uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    run_until(f, f->requests == 1);
    say(fd, "{\"verb\":\"a\"}\n{\"verb\":\"b\"}\n");
    run_until(f, f->requests == 3);
    close(fd);
}

static void what_is_no_request_is_refused_and_reaches_nobody(void **state)
{
    static const char *const bad[] = {
        "\n", "hello\n", "[1,2]\n", "\"text\"\n", "{\"a\":1,\"a\":2}\n", "{\"a\":\n", "\xff\xfe\n",
        "{\"verb\":\"x\"} trailing\n", "{\"verb\":\"\xc3\x28\"}\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial(f);

        say(fd, bad[i]);
        assert_hears(f, fd, "this is no request");
        close(fd);
    }
    assert_int_equal(f->requests, 0);
}

static void an_endless_request_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char chunk[4096];
    int fd = dial(f);
    size_t sent = 0;

    memset(chunk, '{', sizeof(chunk));
    while (sent < 2 * CTL_LINE_MAX && f->closed == 0) {
        ssize_t n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    run_until(f, f->closed == 1);
    assert_int_equal(f->requests, 0);
    assert_cut_off(f, fd);
}

static void a_reader_that_does_not_read_is_cut_off(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);

    say(fd, "{\"verb\":\"flood\"}\n"); /* 8 MB */
    run_until(f, f->requests == 1);
    assert_int_equal(f->closed, 1); /* at once, not when it has been idle for long */
    assert_cut_off(f, fd);
}

static void a_client_that_says_nothing_is_cut_off_after_a_while(void **state)
{
    struct fixture *f = *state;
    uint64_t began = uv_hrtime();
    int quiet = dial(f), half = dial(f);

    say(half, "{\"verb\":");
    run_until(f, f->closed == 2);
    assert_true(uv_hrtime() - began >= (uint64_t)(CTL_IDLE_MS - 100) * 1000000);
    assert_cut_off(f, quiet);
    assert_cut_off(f, half);
}

static void no_more_than_so_many_are_served_at_a_time(void **state)
{
    struct fixture *f = *state;
    int fd[CTL_CONN_MAX + 5];

    for (unsigned i = 0; i < CTL_CONN_MAX + 5; i++)
        fd[i] = -1;
    for (unsigned i = 0; i < CTL_CONN_MAX; i++) {
        fd[i] = dial(f);
        say(fd[i], "{\"verb\":\"x\"}\n");
        assert_hears(f, fd[i], "true");
    }
    for (unsigned i = CTL_CONN_MAX; i < CTL_CONN_MAX + 5; i++) {
        fd[i] = dial(f);
        assert_cut_off(f, fd[i]);
    }
    close(fd[0]);
    run_until(f, f->closed == 6);
    fd[0] = dial(f);
    say(fd[0], "{\"verb\":\"x\"}\n");
    assert_hears(f, fd[0], "true");
    for (unsigned i = 0; i < CTL_CONN_MAX; i++)
        close(fd[i]);
}

static void a_stream_takes_no_second_request_and_its_end_is_noticed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);

    say(fd, "{\"verb\":\"stream\"}\n");
    assert_hears(f, fd, "begin");
    ctl_send(f->streaming, json_pack("{s:i}", "event", 1));
    assert_hears(f, fd, "{\"event\":1}");
    say(fd, "{\"verb\":\"x\"}\n");
    assert_hears(f, fd, "still being answered");
    assert_int_equal(f->requests, 1);
    close(fd);
    run_until(f, f->closed == 1);
    assert_null(f->streaming);
}

static void closing_the_daemons_end_ends_every_connection(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);

    say(fd, "{\"verb\":\"stream\"}\n");
    assert_hears(f, fd, "begin");
    ctl_close(f->ctl);
    f->ctl = NULL;
    assert_null(f->streaming);
    assert_cut_off(f, fd);
    assert_false(state_has(&f->s, CTL_SOCKET_NAME));
}

static void the_socket_is_for_its_owner_alone_and_replaces_a_stale_one(void **state)
{
    struct fixture *f = *state;
    const struct ctl_handler handler = {.ctx = f, .on_request = on_request, .on_close = on_close};
    struct stat st;
    int fd;

    assert_int_equal(fstatat(f->s.dir_fd, CTL_SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    ctl_close(f->ctl);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(state_write(&f->s, CTL_SOCKET_NAME, "stale", 5, &f->why), 0);
    assert_int_equal(ctl_open(&f->ctl, &f->loop, f->s.dir_fd, &handler), 0);
    fd = dial(f);
    say(fd, "{\"verb\":\"x\"}\n");
    assert_hears(f, fd, "true");
    close(fd);
}

/* In a child, as that user; its exit code. */
static int as_user(struct fixture *f, uid_t uid, int (*run)(struct fixture *f))
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(uid && setuid(uid) < 0 ? 99 : run(f));
    run_until(f, waitpid(pid, &status, WNOHANG) == pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ask_by_path(struct fixture *f)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char c;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CTL_SOCKET_NAME, f->dir);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return 2;
    /* a refused connection may be reset before this is sent */
    if (send(fd, "{\"verb\":\"x\"}\n", 13, MSG_NOSIGNAL) < 0)
        return 1;
    return recv(fd, &c, 1, 0) == 1 ? 0 : 1;
}

static void another_user_gets_no_answer_even_where_the_modes_let_him_in(void **state)
{
    struct fixture *f = *state;
    char path[128];

    assert_int_equal(geteuid(), 0);
    assert_int_equal(as_user(f, 65534, ask_by_path), 2); /* the directory is closed */
    snprintf(path, sizeof(path), "%s/" CTL_SOCKET_NAME, f->dir);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(as_user(f, 65534, ask_by_path), 2); /* the socket is */
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(as_user(f, 65534, ask_by_path), 1);
    assert_int_equal(f->requests, 0);
    assert_int_equal(as_user(f, 0, ask_by_path), 0);
    assert_int_equal(f->requests, 1);
    assert_int_equal(chmod(f->dir, 0700), 0);
}

/* ---- tundctl's end ---- */

static int client_asks(struct fixture *f)
{
    json_t *answer;

    if (ctl_ask(&f->s, json_pack("{s:s}", "verb", "x"), 2000, &answer, &f->why) != 0)
        return 1;
    json_decref(answer);
    if (ctl_ask(&f->s, json_pack("{s:s}", "verb", "no"), 2000, NULL, &f->why) != -EREMOTEIO ||
        strcmp(f->why.text, "no, because of reasons") != 0)
        return 2;
    return 0;
}

static void the_client_asks_and_is_answered(void **state)
{
    assert_int_equal(as_user(*state, 0, client_asks), 0);
}

static int client_reads_flood(struct fixture *f)
{
    struct ctl_client c;
    json_t *m;
    int n = 0;

    if (ctl_client_open(&c, &f->s, &f->why) != 0 ||
        ctl_client_send(&c, json_pack("{s:s}", "verb", "stream"), &f->why) != 0)
        return 1;
    while (n < 1 && ctl_client_next(&c, &m, 2000, &f->why) == 0) {
        n++;
        json_decref(m);
    }
    /* the daemon says nothing more: that is told, in time */
    if (ctl_client_next(&c, &m, 50, &f->why) != -ETIMEDOUT)
        return 2;
    ctl_client_close(&c);
    return n == 1 ? 0 : 3;
}

static void the_client_does_not_wait_for_ever(void **state)
{
    assert_int_equal(as_user(*state, 0, client_reads_flood), 0);
}

static void without_a_daemon_the_client_says_what_to_do(void **state)
{
    struct fixture *f = *state;

    ctl_close(f->ctl);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    f->ctl = NULL;
    assert_int_equal(ctl_ask(&f->s, json_pack("{s:s}", "verb", "x"), 100, NULL, &f->why),
                     -ECONNREFUSED);
    assert_non_null(strstr(f->why.text, "tundctl up"));
}

/* A listener that answers with what it is told to, from a child of ours. */
static void assert_client_refuses(struct fixture *f, const char *bytes, size_t len, int want)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), conn, status;
    pid_t pid;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CTL_SOCKET_NAME, f->dir);
    unlink(addr.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    pid = fork();
    if (pid == 0) {
        char asked = 0;

        conn = accept(fd, NULL, NULL);
        while (asked != '\n' && recv(conn, &asked, 1, 0) == 1) /* unread, it would be a reset */
            continue;
        _exit(send(conn, bytes, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : 1);
    }
    assert_int_equal(ctl_ask(&f->s, json_pack("{s:s}", "verb", "x"), 5000, NULL, &f->why), want);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fd);
}

static void an_answer_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;

    ctl_close(f->ctl);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    f->ctl = NULL;
    assert_client_refuses(f, "garbage\n", 8, -EPROTO);
    assert_client_refuses(f, "[]\n", 3, -EPROTO);
    assert_client_refuses(f, "{}\n", 3, -EREMOTEIO);
    assert_client_refuses(f, "{\"ok\":tr", 8, -EPIPE);
    assert_client_refuses(f, "{\"ok\":true}\n", 12, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_is_answered_with_one_line),
        T(a_request_in_pieces_and_two_in_one_piece_are_understood),
        T(what_is_no_request_is_refused_and_reaches_nobody),
        T(an_endless_request_is_cut_off),
        T(a_reader_that_does_not_read_is_cut_off),
        T(a_client_that_says_nothing_is_cut_off_after_a_while),
        T(no_more_than_so_many_are_served_at_a_time),
        T(a_stream_takes_no_second_request_and_its_end_is_noticed),
        T(closing_the_daemons_end_ends_every_connection),
        T(the_socket_is_for_its_owner_alone_and_replaces_a_stale_one),
        T(another_user_gets_no_answer_even_where_the_modes_let_him_in),
        T(the_client_asks_and_is_answered),
        T(the_client_does_not_wait_for_ever),
        T(without_a_daemon_the_client_says_what_to_do),
        T(an_answer_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
