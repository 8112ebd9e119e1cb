/* The state directory.
 *
 * Everything goes through a descriptor of the directory, which was checked once:
 * it belongs to us and nobody else can enter it, so no name in it can be put in
 * place by another user, and no path is ever walked again. O_NOFOLLOW and the
 * checks of a file's kind, owner and mode then guard against mistakes (a key
 * copied with mode 0644, a link into a backup).
 *
 * Replacing a file: write NAME.tmp, fsync it, rename it over NAME, fsync the
 * directory. A write or fsync that failed is never tried again with the same
 * file: the kernel may have dropped the dirty pages and would say yes. */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const lock_name[STATE_LOCK_COUNT] = {
    [STATE_LOCK_DAEMON] = "daemon.lock",
    [STATE_LOCK_CHANGE] = "change.lock",
};

/* Makes `path` and every missing parent, each for its owner alone. */
static int make_dirs(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof(part))
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static bool is_empty_dir(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int entries = 0;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (readdir(d))
        entries++;
    closedir(d);
    return entries <= 2; /* . and .. */
}

static int check_dir(struct state *s, bool create, struct why *w)
{
    struct stat st;

    if (fstat(s->dir_fd, &st) < 0)
        return why_set(w, -errno, "%s: %s", s->dir, strerror(errno));
    if (st.st_uid != geteuid())
        return why_set(w, -EPERM, "%s belongs to user %u, and we are user %u: use sudo, or another "
                       "--state", s->dir, (unsigned)st.st_uid, (unsigned)geteuid());
    if (!(st.st_mode & 077))
        return 0;
    if (create && is_empty_dir(s->dir_fd) && fchmod(s->dir_fd, 0700) == 0)
        return 0;
    return why_set(w, -EPERM, "%s is open to other users (mode %04o): it holds keys, so make it "
                   "private with `chmod 700 %s`", s->dir, (unsigned)(st.st_mode & 07777), s->dir);
}

int state_open(struct state *s, const char *dir, bool create, struct why *w)
{
    int err;

    *s = (struct state){.dir_fd = -1, .lock_fd = {-1, -1}};
    if (strlen(dir) == 0 || strlen(dir) >= sizeof(s->dir))
        return why_set(w, -ENAMETOOLONG, "the name of the state directory is empty or too long");
    memcpy(s->dir, dir, strlen(dir) + 1);
    if (create) {
        err = make_dirs(dir);
        if (err)
            return why_set(w, err, "cannot make the state directory %s: %s%s", dir, strerror(-err),
                           err == -EACCES ? " (use sudo)" : "");
    }
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0) {
        err = -errno;
        if (err == -ENOENT)
            return why_set(w, err, "there is no state in %s: `tundctl create` or `tundctl join` "
                           "makes it; --state names another directory", dir);
        return why_set(w, err, "cannot open the state directory %s: %s%s", dir, strerror(-err),
                       err == -EACCES ? " (use sudo)" : "");
    }
    err = check_dir(s, create, w);
    if (err)
        state_close(s);
    return err;
}

void state_close(struct state *s)
{
    for (int i = 0; i < STATE_LOCK_COUNT; i++)
        state_unlock(s, (enum state_lock)i);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->dir_fd = -1;
}

int state_lock(struct state *s, enum state_lock which, bool wait, struct why *w)
{
    const char *name = lock_name[which];
    int fd = openat(s->dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return why_set(w, -errno, "cannot lock %s/%s: %s", s->dir, name, strerror(errno));
    while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
        int err = errno;

        if (err == EINTR && wait)
            continue;
        close(fd);
        if (err == EWOULDBLOCK)
            return why_set(w, -EBUSY, "%s is in use by another %s", s->dir,
                           which == STATE_LOCK_DAEMON ? "tund" : "tundctl");
        return why_set(w, -err, "cannot lock %s/%s: %s", s->dir, name, strerror(err));
    }
    s->lock_fd[which] = fd;
    return 0;
}

void state_unlock(struct state *s, enum state_lock which)
{
    if (s->lock_fd[which] >= 0)
        close(s->lock_fd[which]);
    s->lock_fd[which] = -1;
}

/* ---- reading ---- */

static int check_file(struct state *s, const char *name, const struct stat *st, struct why *w)
{
    if (!S_ISREG(st->st_mode))
        return why_set(w, -EPERM, "%s/%s is not a plain file", s->dir, name);
    if (st->st_uid != geteuid())
        return why_set(w, -EPERM, "%s/%s belongs to user %u, and we are user %u", s->dir, name,
                       (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_mode & 077)
        return why_set(w, -EPERM, "%s/%s is open to other users (mode %04o): make it private with "
                       "`chmod 600`", s->dir, name, (unsigned)(st->st_mode & 07777));
    return 0;
}

static int open_checked(struct state *s, const char *name, struct stat *st, struct why *w)
{
    /* O_NONBLOCK: a FIFO in its place must not hang us */
    int fd = openat(s->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err;

    if (fd < 0) {
        err = -errno;
        if (err == -ELOOP)
            return why_set(w, -EPERM, "%s/%s is a symbolic link", s->dir, name);
        return why_set(w, err, "cannot open %s/%s: %s", s->dir, name, strerror(-err));
    }
    err = fstat(fd, st) < 0 ? why_set(w, -errno, "%s/%s: %s", s->dir, name, strerror(errno))
                            : check_file(s, name, st, w);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

int state_read(struct state *s, const char *name, void *buf, size_t cap, size_t *len, struct why *w)
{
    struct stat st;
    size_t got = 0;
    int err = 0;
    int fd = open_checked(s, name, &st, w);

    if (fd < 0)
        return fd;
    if (st.st_size < 0 || (size_t)st.st_size > cap) {
        err = why_set(w, -EFBIG, "%s/%s is too long to be ours (%lld bytes)", s->dir, name,
                      (long long)st.st_size);
        goto out;
    }
    while (got < cap) {
        ssize_t n = read(fd, (char *)buf + got, cap - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = why_set(w, -errno, "cannot read %s/%s: %s", s->dir, name, strerror(errno));
            goto out;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *len = got;
out:
    close(fd);
    return err;
}

bool state_has(const struct state *s, const char *name)
{
    struct stat st;

    return fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- writing ---- */

static int write_all(int fd, const void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, (const char *)data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* The new content, on the disk, under a name of its own. */
static int write_temp(int dir_fd, const char *temp, const void *data, size_t len)
{
    int err;
    int fd;

    if (unlinkat(dir_fd, temp, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    err = write_all(fd, data, len);
    if (!err && fsync(fd) < 0)
        err = -errno;
    if (close(fd) < 0 && !err)
        err = -errno;
    return err;
}

int state_write(struct state *s, const char *name, const void *data, size_t len, struct why *w)
{
    char temp[64];
    int err;

    if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
        return why_set(w, -ENAMETOOLONG, "%s: the name is too long", name);
    err = write_temp(s->dir_fd, temp, data, len);
    if (!err && renameat(s->dir_fd, temp, s->dir_fd, name) < 0)
        err = -errno;
    if (err) {
        /* best effort: the next write removes it as well */
        (void)unlinkat(s->dir_fd, temp, 0);
        return why_set(w, err, "cannot write %s/%s: %s", s->dir, name, strerror(-err));
    }
    if (fsync(s->dir_fd) < 0)
        return why_set(w, -errno, "cannot make %s/%s last: %s", s->dir, name, strerror(errno));
    return 0;
}

int state_remove(struct state *s, const char *name, struct why *w)
{
    if (unlinkat(s->dir_fd, name, 0) < 0) {
        if (errno == ENOENT)
            return 0;
        return why_set(w, -errno, "cannot remove %s/%s: %s", s->dir, name, strerror(errno));
    }
    if (fsync(s->dir_fd) < 0)
        return why_set(w, -errno, "cannot make the removal of %s/%s last: %s", s->dir, name,
                       strerror(errno));
    return 0;
}
