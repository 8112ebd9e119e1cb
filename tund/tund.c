/* tund: see options.c for what it takes and daemon.h for what it is. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cipher.h"
#include "daemon.h"
#include "launch.h"
#include "log.h"
#include "notify.h"
#include "options.h"
#include "overlay.h"
#include "secure.h"

static int exit_code_of(int err)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
    case -ENODEV:
        return TUND_EXIT_DENIED;
    case -EBUSY:
    case -EEXIST:
    case -EADDRINUSE:
    case -EAGAIN:
        return TUND_EXIT_BUSY;
    case -ETIME:
        return TUND_EXIT_CLOCK;
    default:
        return TUND_EXIT_FAILED;
    }
}

/* A daemon leaves its working directory. */
static bool make_absolute(struct tund_options *opt)
{
    static char path[PATH_MAX];
    char cwd[PATH_MAX];

    if (!opt->state_dir || opt->state_dir[0] == '/')
        return true;
    if (!getcwd(cwd, sizeof cwd) ||
        snprintf(path, sizeof path, "%s/%s", cwd, opt->state_dir) >= (int)sizeof path)
        return false;
    opt->state_dir = path;
    return true;
}

/* From here on it ends in its own time: a second SIGTERM must not cut the cleaning up short. */
static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run(const struct tund_options *opt, struct launch *launch)
{
    static struct tund t;
    struct overlay *overlay = NULL;
    int code, err = tund_init(&t, opt);

    if (!err && opt->state_dir) {
        overlay = overlay_new(&t.hooks);
        if (!overlay)
            err = tund_fail(&t, -ENOMEM, "no memory");
    }
    if (!err)
        err = tund_open(&t);
    if (err) {
        log_error("%s", t.failure[0] ? t.failure : strerror(-err));
        code = exit_code_of(err);
    } else {
        launch_ready(launch);
        log_info("%s is up, UDP port %u", t.ifname, t.udp.port);
        notify_send("READY=1");
        code = tund_run(&t);
        notify_send("STOPPING=1");
    }
    block_signals();
    tund_free(&t);
    overlay_free(overlay);
    return code;
}

int main(int argc, char **argv)
{
    struct launch launch = {.fd = -1};
    struct tund_options opt;
    char why[160];
    int code, err;

    switch (options_parse(argc, argv, &opt, why, sizeof why)) {
    case OPTIONS_HELP:
        fputs(options_help, stdout);
        return TUND_EXIT_OK;
    case OPTIONS_VERSION:
        cipher_choose();
        printf("tund " TUND_VERSION "\npacket cipher: %s\n", tn_cipher_in_use()->name);
        return TUND_EXIT_OK;
    case OPTIONS_BAD:
        fprintf(stderr, "tund: %s\n", why);
        return TUND_EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    log_init("tund", opt.ifname, opt.log_level);
    signal(SIGPIPE, SIG_IGN);
    err = make_absolute(&opt) ? 0 : -ENAMETOOLONG;
    if (!err && !opt.foreground)
        err = launch_detach(&launch);
    if (!err)
        err = secure_process();
    if (err) {
        log_error("cannot start: %s", strerror(-err));
        launch_failed(&launch, TUND_EXIT_FAILED);
        return TUND_EXIT_FAILED;
    }
    cipher_choose();
    code = run(&opt, &launch);
    launch_failed(&launch, code);
    return code;
}
