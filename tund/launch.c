/* How it works: a pipe from child to parent carries one byte, the parent's exit code. If the
 * child dies before, the pipe ends empty, and that is a failure. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "options.h"

static _Noreturn void wait_for_child(int fd, pid_t child)
{
    uint8_t code;
    ssize_t n;

    do
        n = read(fd, &code, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(code);
    waitpid(child, NULL, 0);
    log_error("the daemon died before it was ready; run with -f to see why");
    _exit(TUND_EXIT_FAILED);
}

int launch_detach(struct launch *l)
{
    int fd[2];
    pid_t child;

    l->fd = -1;
    if (pipe2(fd, O_CLOEXEC))
        return -errno;
    child = fork();
    if (child < 0) {
        int err = -errno;

        close(fd[0]);
        close(fd[1]);
        return err;
    }
    if (child) {
        close(fd[1]);
        wait_for_child(fd[0], child);
    }
    close(fd[0]);
    l->fd = fd[1];
    setsid(); /* a fresh child leads no group, so this cannot fail */
    return 0;
}

static void tell_parent(struct launch *l, uint8_t code)
{
    if (l->fd < 0)
        return;
    if (write(l->fd, &code, 1) != 1)
        log_debug("nobody waits for the daemon");
    close(l->fd);
    l->fd = -1;
}

void launch_ready(struct launch *l)
{
    int null;

    if (l->fd < 0)
        return;
    log_to_syslog();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++) {
        if (dup2(null, fd) < 0)
            log_warn("descriptor %d stays open: %s", fd, strerror(errno));
    }
    if (null > 2)
        close(null);
    if (chdir("/"))
        log_warn("cannot leave the working directory: %s", strerror(errno));
    tell_parent(l, TUND_EXIT_OK);
}

void launch_failed(struct launch *l, int exit_code)
{
    tell_parent(l, (uint8_t)exit_code);
}
