/* How it works: in this order, since each step needs what the next takes away:
 * sockets are open already (a port below 1024 needs a capability); the state
 * directory is made for --user where it is missing; then groups, group, user;
 * then all three capability sets, the bounding set and the ambient set; then no_new_privs.
 * Capabilities are set through the system call itself: libcap would be a
 * dependency for two structs. */
#include "coord_privs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int coord_user_find(const char *name, struct coord_user *out, struct why *w)
{
    struct passwd *p;

    if (!name) {
        *out = (struct coord_user){.uid = geteuid(), .gid = getegid()};
        return 0;
    }
    errno = 0;
    p = getpwnam(name);
    if (!p)
        return why_set(w, -ENOENT, "there is no user \"%s\": make one with `useradd --system %s`",
                       name, name);
    if (p->pw_uid != geteuid() && geteuid() != 0)
        return why_set(w, -EPERM, "only root can become user \"%s\": leave --user out, or use sudo",
                       name);
    *out = (struct coord_user){
        .uid = p->pw_uid, .gid = p->pw_gid, .change = p->pw_uid != geteuid()};
    return 0;
}

int coord_user_make_dir(const struct coord_user *u, const char *dir, struct why *w)
{
    int fd, err = 0;

    if (!u->change)
        return 0;
    if (mkdir(dir, 0700) < 0) {
        if (errno == EEXIST)
            return 0; /* whose it is, is looked at when it is opened */
        return why_set(w, -errno, "cannot make the state directory %s: %s", dir, strerror(errno));
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, u->uid, u->gid) < 0)
        err = why_set(w, -errno, "cannot hand %s over: %s", dir, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    /* Needs CAP_SETPCAP, which only root has; without it there is nothing to take. */
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
            return -errno;
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    if (syscall(SYS_capset, &head, none) < 0)
        return -errno;
    return 0;
}

static int change_user(const struct coord_user *u)
{
    if (setgroups(0, NULL) < 0)
        return -errno;
    if (setresgid(u->gid, u->gid, u->gid) < 0)
        return -errno;
    /* Capabilities outlive this call, so that the bounding set can be emptied after it. */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return -errno;
    if (setresuid(u->uid, u->uid, u->uid) < 0)
        return -errno;
    return 0;
}

static int raise_setpcap(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct some[2] = {{0}};

    some[0].permitted = some[0].effective = 1u << CAP_SETPCAP;
    return syscall(SYS_capset, &head, some) < 0 ? -errno : 0;
}

int coord_drop_privileges(const struct coord_user *u, struct why *w)
{
    int err = 0;

    if (u->change) {
        err = change_user(u);
        if (!err)
            err = raise_setpcap();
    }
    if (!err)
        err = drop_capabilities();
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        err = -errno;
    if (err)
        return why_set(w, err, "cannot give up privileges: %s", strerror(-err));
    if (u->change && u->uid != 0 && setuid(0) == 0)
        return why_set(w, -EPERM, "root could be had back after giving it up");
    return 0;
}
