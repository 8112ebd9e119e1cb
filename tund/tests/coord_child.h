/* Tests that need a process of their own: to kill it, or to give it mounts that nobody else sees.
 * In the child cmocka's asserts would jump back into the parent's list of tests, so CHECK ends it. */
#ifndef TUND_COORD_CHILD_H
#define TUND_COORD_CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sealed.h"

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s (errno %s)\n", __FILE__, __LINE__, #what, strerror(errno)); \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Forks; the child runs `body` and leaves with 0, or by a CHECK. */
static inline pid_t child_start(void (*body)(void *), void *arg)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        /* a test that fails leaves no child behind */
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        body(arg);
        _exit(0);
    }
    return pid;
}

static inline bool child_ended_well(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* In the child: mounts made from here on are its own. Works for root and for others. */
static inline void child_private_mounts(void)
{
    CHECK(sealed_become_root());
    CHECK(unshare(CLONE_NEWNS) == 0);
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

#endif
