/* How it works: a table of subcommands. `run` is coord_loop.c; `status` and `url`
 * look into the state directory of a coordinator on this machine. Asked by root,
 * they do so as the directory's owner, so that root's rights open nothing that its owner
 * could have been tricked into putting there. */
#include "coord_main.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coord_key.h"
#include "coord_loop.h"
#include "coord_options.h"
#include "coord_report.h"
#include "coord_status.h"

static const char help_text[] =
    "Usage: tund-coord run --listen ADDR[:PORT] [OPTION]...\n"
    "       tund-coord status [--state DIR] [--json]\n"
    "       tund-coord url [--state DIR]\n"
    "The coordinator of tund networks: members find each other through it, and it relays\n"
    "sealed packets where no direct path can be had. It can read none of them.\n"
    "\n"
    "run      coordinates in the foreground until SIGTERM; prints its address when ready\n"
    "      --state DIR          keys and members (default " COORD_STATE_DIR_DEFAULT ")\n"
    "      --listen ADDR[:PORT] address of this machine; IPv6 in brackets; 0.0.0.0 is all of\n"
    "                           IPv4, [::] all of both; PORT 3478 unless told; repeatable\n"
    "      --alt-port N         the second UDP port (default: the one above PORT)\n"
    "      --tls-port N         TCP port for members whose networks block UDP (default 443, if it\n"
    "                           can be had; 0: none)\n"
    "      --tls-max N          TLS connections at one time (default 512)\n"
    "      --advertise HOST[:PORT]  by which members reach it (default: the first ADDR)\n"
    "      --max-networks N     networks that may be made here (default 16)\n"
    "      --max-members N      members of one network (default 256)\n"
    "      --max-sessions N     members connected at one time (default 4096)\n"
    "      --relay-rate BITS    per second and member, as in 20M (default 100M)\n"
    "      --user NAME          be this user once the ports are open (when started by root)\n"
    "      --log-level L        silent, error, warn, info, debug or trace (default info)\n"
    "status   tells what a running coordinator does; --json for programs\n"
    "url      prints the address that `tundctl create` wants\n"
    "      --version, --help\n"
    "\n"
    "Examples:\n"
    "  tund-coord run --state /var/lib/tund-coord --listen 0.0.0.0 --advertise vps.example.org\n"
    "  tund-coord run --state ~/coord --listen 192.168.1.10 --listen '[2001:db8::10]'\n"
    "  tund-coord status --state ~/coord --json\n"
    "Open UDP ports 3478 and 3479, and TCP port 443, in the firewall.\n"
    "\n"
    "Exit codes: 0 well; 1 failed, or not running; 2 wrong usage; 3 not permitted; 4 port or\n"
    "  state in use; 5 the clock is before 2024.\n";

/* Opens DIR and makes it the current directory, as its owner when we are root. */
static int enter_state(struct state *s, const char *dir, struct why *w)
{
    struct stat st;
    int err;

    if (geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0 &&
        (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0))
        return why_set(w, -errno, "cannot become the owner of %s: %s", dir, strerror(errno));
    err = state_open(s, dir, false, w);
    if (err == -ENOENT)
        return why_set(w, err, "there is no %s: --state names the directory that `tund-coord run` "
                       "was given", dir);
    if (err == -EACCES)
        return why_set(w, err, "cannot open %s: use sudo, or be the user who runs tund-coord", dir);
    if (!err && fchdir(s->dir_fd) < 0)
        err = why_set(w, -errno, "cannot enter %s: %s", dir, strerror(errno));
    return err;
}

static int fail(const struct why *w, int err)
{
    fprintf(stderr, "tund-coord: %s\n", w->text);
    return err == -EPERM || err == -EACCES ? COORD_EXIT_DENIED : COORD_EXIT_FAILED;
}

/* Standard output may be a full disk: then what was printed is not there. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return COORD_EXIT_OK;
    fprintf(stderr, "tund-coord: cannot write the answer: %s\n", strerror(errno));
    return COORD_EXIT_FAILED;
}

static int run_status(const struct coord_options *o)
{
    struct state s = {.dir_fd = -1, .lock_fd = {-1, -1}};
    struct why w = {""};
    json_t *report = NULL;
    int err = enter_state(&s, o->state_dir, &w);

    if (!err)
        err = coord_status_ask(&report, &w);
    if (!err && !o->json && !coord_report_print(report, stdout))
        err = why_set(&w, -EPROTO, "the coordinator that runs is of another version: --json shows "
                      "its answer as it is");
    if (!err && o->json) {
        (void)json_dumpf(report, stdout, JSON_INDENT(2)); /* finish_output looks at the stream */
        putchar('\n');
    }
    json_decref(report);
    state_close(&s);
    return err ? fail(&w, err) : finish_output();
}

static int run_url(const struct coord_options *o)
{
    struct state s = {.dir_fd = -1, .lock_fd = {-1, -1}};
    struct why w = {""};
    char url[TN_URL_SIZE];
    int err = enter_state(&s, o->state_dir, &w);

    if (!err)
        err = coord_url_load(&s, url, &w);
    state_close(&s);
    if (err)
        return fail(&w, err);
    puts(url);
    return finish_output();
}

static const struct {
    const char *name;
    enum coord_command command;
    int (*run)(const struct coord_options *o);
} commands[] = {
    {"run", COORD_RUN, coord_run},
    {"status", COORD_STATUS, run_status},
    {"url", COORD_URL, run_url},
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "tund-coord: %s%s; see `tund-coord --help`\n", what, which);
    return COORD_EXIT_USAGE;
}

int coord_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    struct coord_options o;
    struct why w;

    if (!name)
        return usage("say what to do: run, status or url", "");
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
        fputs(help_text, stdout);
        return finish_output();
    }
    if (!strcmp(name, "--version")) {
        puts("tund-coord " TUND_VERSION);
        return finish_output();
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name))
            continue;
        switch (coord_options_parse(commands[i].command, argc - 1, argv + 1, &o, &w)) {
        case COORD_PARSE_HELP:
            fputs(help_text, stdout);
            return finish_output();
        case COORD_PARSE_BAD:
            return usage(w.text, "");
        case COORD_PARSE_RUN:
            return commands[i].run(&o);
        }
    }
    return usage("unknown command ", name);
}
