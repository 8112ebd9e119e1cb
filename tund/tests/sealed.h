/* A sealed place for tests that make interfaces: own network and mount namespaces,
 * without any link to the machine's, and an empty /run. Without root, a user
 * namespace comes first. */
#ifndef TUND_TESTS_SEALED_H
#define TUND_TESTS_SEALED_H

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tund/netlink.h"

static inline bool sealed_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return done;
}

static inline bool sealed_become_root(void)
{
    unsigned uid = geteuid(), gid = getegid();
    char map[64];

    if (uid == 0)
        return true;
    if (unshare(CLONE_NEWUSER) || !sealed_write("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (!sealed_write("/proc/self/uid_map", map))
        return false;
    snprintf(map, sizeof map, "0 %u 1", gid);
    return sealed_write("/proc/self/gid_map", map);
}

/* Once, at the start of a test program. */
static inline bool sealed_enter(void)
{
    return sealed_become_root() && !unshare(CLONE_NEWNET | CLONE_NEWNS) &&
           !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
           !mount("none", "/run", "tmpfs", 0, "mode=0755");
}

/* The same, with the loopback up. */
static inline bool sealed_enter_with_loopback(void)
{
    struct nl n;
    int err;

    if (!sealed_enter() || nl_open(&n))
        return false;
    err = nl_link_up(&n, "lo", 0);
    nl_close(&n);
    return !err;
}

#endif
