/* Starting, watching and stopping the daemon.
 *
 * `tund` goes to the background by itself: its first process ends when the second
 * is ready (0) or has failed (its exit code), after saying why on the standard error
 * that it has from us. It is looked for beside this program, in ../sbin, and in
 * PATH. Whether it runs is told by its lock, not by its socket. */
#include "tundctl_daemon.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl_client.h"
#include "libtunnel/coord/msg.h"
#include "tundctl.h"
#include "tundctl_probe.h"

#define START_MS 5000
#define STOP_MS 10000
#define SLICE_MS 20
#define QUIET_MS 1500 /* this long nothing is said about waiting */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

/* ---- start ---- */

/* `tund` beside us, or in the sbin beside our bin; else whatever PATH has. */
static void find_tund(char out[PATH_MAX])
{
    static const char *const places[] = {"tund", "../sbin/tund"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
            if (snprintf(out, PATH_MAX, "%s/%s", self, places[i]) < PATH_MAX && access(out, X_OK) == 0)
                return;
        }
    }
    snprintf(out, PATH_MAX, "tund");
}

static int run_tund(const struct state *s, const char *ifname, struct why *w)
{
    char program[PATH_MAX], name[STATE_IFNAME_SIZE], dir[PATH_MAX], flag[] = "--state";
    char *argv[] = {program, name, flag, dir, NULL};
    int status;
    pid_t pid;

    find_tund(program);
    snprintf(name, sizeof(name), "%s", ifname);
    snprintf(dir, sizeof(dir), "%s", s->dir);
    pid = fork();
    if (pid < 0)
        return why_set(w, -errno, "cannot start tund: %s", strerror(errno));
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        unsetenv("WG_PROCESS_FOREGROUND"); /* it would never come back */
        execvp(program, argv);
        fprintf(stderr, "tundctl: cannot run %s: %s\n", program, strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return why_set(w, -errno, "cannot wait for tund: %s", strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return why_set(w, -ECHILD, "tund did not start: it said why above, or in the system log");
}

static int wait_for_socket(const struct state *s, struct why *w)
{
    int64_t deadline_ms = now_ms() + START_MS;
    int err;

    do {
        err = ctl_ask(s, json_pack("{s:s}", "verb", "version"), CTL_ANSWER_MS, NULL, w);
        if (err != -ECONNREFUSED)
            return err;
        pause_ms(SLICE_MS);
    } while (now_ms() < deadline_ms && !was_interrupted());
    return err;
}

bool daemon_runs(const struct state *s)
{
    struct ctl_client c;
    struct why ignored;

    if (ctl_client_open(&c, s, &ignored) != 0)
        return false;
    ctl_client_close(&c);
    return true;
}

int daemon_start(const struct state *s, const struct state_node *node, bool *started, struct why *w)
{
    int err;

    if (started)
        *started = false;
    if (daemon_runs(s))
        return wait_for_socket(s, w);
    err = run_tund(s, node->ifname, w);
    if (!err && started)
        *started = true;
    return err ? err : wait_for_socket(s, w);
}

/* ---- stop ---- */

int daemon_stop(struct state *s, struct why *w)
{
    int64_t deadline_ms = now_ms() + STOP_MS;
    struct why ignored;
    int err;

    do {
        err = state_lock(s, STATE_LOCK_DAEMON, false, w);
        if (!err) {
            state_unlock(s, STATE_LOCK_DAEMON);
            return 0;
        }
        if (err != -EBUSY)
            return err;
        err = ctl_ask(s, json_pack("{s:s}", "verb", "down"), CTL_ANSWER_MS, NULL, &ignored);
        /* one that does not listen is starting, or is ending already: ask again, more slowly */
        pause_ms(err ? 5 * SLICE_MS : SLICE_MS);
    } while (now_ms() < deadline_ms);
    return why_set(w, -EBUSY, "tund with the state in %s does not stop: end it yourself", s->dir);
}

/* ---- joining ---- */

struct wait {
    const struct tn_url *coordinator;
    char state[16], error[256];
    int status;
    bool was_connected, told;
    int64_t began_ms;
};

static void say_waiting(struct wait *t)
{
    if (t->told || now_ms() - t->began_ms < QUIET_MS)
        return;
    t->told = true;
    if (strcmp(t->state, "resolving") == 0)
        fprintf(stderr, "looking up %s ...\n", t->coordinator->host);
    else if (strcmp(t->state, "unresolved") == 0)
        fprintf(stderr, "looking up %s: %s; trying again ...\n", t->coordinator->host, t->error);
    else
        fprintf(stderr, "waiting for the coordinator %s, UDP port %u ...\n", t->coordinator->host,
                t->coordinator->port);
}

static void take_event(struct wait *t, const json_t *message)
{
    const json_t *c = json_object_get(message, "coordinator");
    const char *state = json_string_value(json_object_get(c, "state"));
    const char *error = json_string_value(json_object_get(c, "error"));

    if (!state)
        return;
    snprintf(t->state, sizeof(t->state), "%s", state);
    snprintf(t->error, sizeof(t->error), "%s", error ? error : "");
    t->status = (int)json_integer_value(json_object_get(c, "status"));
    t->was_connected |= json_is_true(json_object_get(c, "connected"));
}

/* 0: joined or refused; else why not (yet). */
static int watch(struct ctl_client *c, struct wait *t, int wait_ms, struct why *w)
{
    int64_t deadline_ms = now_ms() + wait_ms;

    while (strcmp(t->state, "joined") != 0 && strcmp(t->state, "refused") != 0) {
        int64_t left = deadline_ms - now_ms();
        json_t *message;
        int err;

        if (was_interrupted())
            return why_set(w, -EINTR, "interrupted");
        if (left <= 0)
            return why_set(w, -ETIMEDOUT, "no answer");
        say_waiting(t);
        err = ctl_client_next(c, &message, left < 200 ? (int)left : 200, w);
        if (err == -ETIMEDOUT)
            continue;
        if (err)
            return err;
        take_event(t, message);
        json_decref(message);
    }
    return 0;
}

/* Why the coordinator was never heard: its name, its address, or its key. */
static void explain_silence(const struct wait *t, struct why *w)
{
    const struct tn_url *c = t->coordinator;

    if (strcmp(t->state, "unresolved") == 0 || strcmp(t->state, "resolving") == 0) {
        why_set(w, -EHOSTUNREACH, "the coordinator's name %s cannot be looked up%s%s: is it written "
                "right, and is this machine on the Internet?", c->host, t->error[0] ? ": " : "",
                t->error);
        return;
    }
    if (probe_answers(c))
        why_set(w, -EHOSTUNREACH, "coordinator key mismatch: something answers at %s, UDP port %u, but "
                "it does not hold the key that the address names; ask the operator for the right "
                "tund:// address, or for a new invite", c->host, c->port);
    else
        why_set(w, -EHOSTUNREACH, "coordinator unreachable: nothing answers at %s, UDP port %u; does "
                "tund-coord run there, and does a firewall let UDP through?", c->host, c->port);
}

enum daemon_joined daemon_wait_joined(const struct state *s, const struct tn_url *coordinator,
                                      int wait_ms, uint8_t *status, struct why *w)
{
    struct wait t = {.coordinator = coordinator, .state = "resolving", .began_ms = now_ms()};
    struct ctl_client c;
    int err = ctl_client_open(&c, s, w);

    if (err)
        return DAEMON_DOUBTFUL;
    err = ctl_client_send(&c, json_pack("{s:s}", "verb", "watch"), w);
    if (!err)
        err = watch(&c, &t, wait_ms, w);
    ctl_client_close(&c);
    if (!err && strcmp(t.state, "joined") == 0)
        return DAEMON_JOINED;
    *status = (uint8_t)t.status;
    if (!err) {
        why_set(w, -EPERM, "%s", t.error);
        return *status == TN_STATUS_NO_ANSWER ? DAEMON_DOUBTFUL : DAEMON_REFUSED;
    }
    if (err != -ETIMEDOUT && err != -EINTR)
        return DAEMON_DOUBTFUL;
    if (t.was_connected) {
        why_set(w, err, "the coordinator was reached, but did not answer to the end");
        return DAEMON_DOUBTFUL;
    }
    if (err == -ETIMEDOUT)
        explain_silence(&t, w);
    return DAEMON_UNHEARD;
}
