/* The state directory: who may read it, and what a power cut leaves. The system
 * calls that change the disk are wrapped by the linker, so that each can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tund/state.h"

/* ---- a disk that fails at the n-th step ---- */

static int steps_left = -1; /* -1: never fails; 0: every step fails from now on */
static size_t bytes_left = SIZE_MAX; /* that may still be written */
static bool die; /* do not fail there, but end at once, as with the power */

static bool step_fails(void)
{
    if (steps_left < 0)
        return false;
    if (steps_left == 0 && die)
        _exit(42);
    if (steps_left == 0)
        return true;
    steps_left--;
    return false;
}

ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __real_unlinkat(int fd, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_unlinkat(int fd, const char *name, int flags);

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    if (fd <= 2)
        return __real_write(fd, buf, len);
    if (step_fails() || (bytes_left == 0 && len > 0)) {
        errno = ENOSPC;
        return -1;
    }
    if (len > bytes_left)
        len = bytes_left;
    if (bytes_left != SIZE_MAX)
        bytes_left -= len;
    return __real_write(fd, buf, len);
}

int __wrap_fsync(int fd)
{
    if (step_fails()) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
    if (step_fails()) {
        errno = EIO;
        return -1;
    }
    return __real_renameat(a, from, b, to);
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    if (step_fails()) {
        errno = EIO;
        return -1;
    }
    return __real_unlinkat(fd, name, flags);
}

/* ---- a directory of its own for each test ---- */

struct fixture {
    char dir[64];
    struct state s;
    struct why why;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/tund-state-test-XXXXXX");
    if (!mkdtemp(f->dir) || state_open(&f->s, f->dir, false, &f->why) != 0)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char cmd[128];

    steps_left = -1;
    bytes_left = SIZE_MAX;
    state_close(&f->s);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
    if (system(cmd) != 0)
        return -1;
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    assert_int_equal(state_write(&f->s, name, text, strlen(text), &f->why), 0);
}

static void assert_content(struct fixture *f, const char *name, const char *text)
{
    char buf[256];
    size_t len = 0;

    assert_int_equal(state_read(&f->s, name, buf, sizeof(buf), &len, &f->why), 0);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(buf, text, len);
}

static void in_dir(struct fixture *f, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, name);
}

/* ---- reading and writing ---- */

static void what_was_written_is_read_back_and_private(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[128];

    put(f, "key", "first");
    assert_content(f, "key", "first");
    put(f, "key", "and the second");
    assert_content(f, "key", "and the second");
    in_dir(f, "key", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_false(state_has(&f->s, "key.tmp"));
}

static void a_missing_file_is_said_to_be_missing(void **state)
{
    struct fixture *f = *state;
    char buf[8];
    size_t len = 77;

    assert_int_equal(state_read(&f->s, "none", buf, sizeof(buf), &len, &f->why), -ENOENT);
    assert_int_equal(len, 77);
    assert_int_equal(state_remove(&f->s, "none", &f->why), 0);
}

static void a_file_that_is_too_long_is_not_read(void **state)
{
    struct fixture *f = *state;
    char buf[4];
    size_t len;

    put(f, "key", "12345");
    assert_int_equal(state_read(&f->s, "key", buf, sizeof(buf), &len, &f->why), -EFBIG);
}

static void old_or_new_is_there_whichever_step_fails(void **state)
{
    struct fixture *f = *state;
    int failed = 0;

    for (int step = 0; step < 20; step++) {
        char buf[32];
        size_t len;
        int err;

        put(f, "key", "the old one");
        steps_left = step;
        err = state_write(&f->s, "key", "the new one!", 12, &f->why);
        steps_left = -1;
        assert_int_equal(state_read(&f->s, "key", buf, sizeof(buf), &len, &f->why), 0);
        if (err) {
            failed++;
            assert_true((len == 11 && !memcmp(buf, "the old one", 11)) ||
                        (len == 12 && !memcmp(buf, "the new one!", 12)));
        } else {
            assert_int_equal(len, 12);
            assert_memory_equal(buf, "the new one!", 12);
        }
    }
    /* unlink, write, fsync, rename, fsync of the directory: each was made to fail */
    assert_int_equal(failed, 5);
}

static void old_is_there_wherever_the_disk_is_full(void **state)
{
    struct fixture *f = *state;

    put(f, "key", "the old one");
    for (size_t n = 0; n < 12; n++) {
        bytes_left = n;
        assert_int_equal(state_write(&f->s, "key", "the new one!", 12, &f->why), -ENOSPC);
        bytes_left = SIZE_MAX;
        assert_content(f, "key", "the old one");
        assert_false(state_has(&f->s, "key.tmp"));
    }
}

static void old_or_new_is_there_after_a_power_cut_at_any_step(void **state)
{
    struct fixture *f = *state;

    for (int step = 0; step < 5; step++) {
        char buf[32];
        size_t len;
        pid_t pid;
        int status;

        put(f, "key", "the old one");
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            die = true;
            steps_left = step;
            _exit(state_write(&f->s, "key", "the new one!", 12, &f->why) != 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        assert_int_equal(state_read(&f->s, "key", buf, sizeof(buf), &len, &f->why), 0);
        assert_true((len == 11 && !memcmp(buf, "the old one", 11)) ||
                    (len == 12 && !memcmp(buf, "the new one!", 12)));
        put(f, "key", "and it can be written again");
    }
}

static void a_temporary_file_left_behind_is_in_nobodys_way(void **state)
{
    struct fixture *f = *state;

    put(f, "key.tmp", "half of someth");
    put(f, "key", "whole");
    assert_content(f, "key", "whole");
    assert_false(state_has(&f->s, "key.tmp"));
}

/* ---- what is refused ---- */

static void assert_refused(struct fixture *f, const char *name, const char *word)
{
    char buf[64];
    size_t len;

    assert_int_equal(state_read(&f->s, name, buf, sizeof(buf), &len, &f->why), -EPERM);
    assert_non_null(strstr(f->why.text, word));
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];

    put(f, "key", "secret");
    in_dir(f, "key", path);
    assert_int_equal(chmod(path, 0640), 0);
    assert_refused(f, "key", "open to other users");
    assert_int_equal(chmod(path, 0604), 0);
    assert_refused(f, "key", "open to other users");
    assert_int_equal(chmod(path, 0400), 0);
    assert_content(f, "key", "secret");
}

static void another_users_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];

    assert_int_equal(geteuid(), 0);
    put(f, "key", "secret");
    in_dir(f, "key", path);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_refused(f, "key", "belongs to user 12345");
}

static void a_link_a_directory_a_fifo_and_a_device_are_refused(void **state)
{
    struct fixture *f = *state;
    char path[128], target[128];

    put(f, "real", "secret");
    in_dir(f, "real", target);
    in_dir(f, "link", path);
    assert_int_equal(symlink(target, path), 0);
    assert_refused(f, "link", "symbolic link");
    in_dir(f, "dir", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(f, "dir", "not a plain file");
    in_dir(f, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(f, "fifo", "not a plain file");
    in_dir(f, "null", path);
    if (mknod(path, S_IFCHR | 0600, 1 * 256 + 3) == 0)
        assert_refused(f, "null", "not a plain file");
}

static void writing_over_a_link_replaces_the_link_and_not_its_target(void **state)
{
    struct fixture *f = *state;
    char path[128], target[128];

    put(f, "victim", "untouched");
    in_dir(f, "victim", target);
    in_dir(f, "key", path);
    assert_int_equal(symlink(target, path), 0);
    put(f, "key", "new");
    assert_content(f, "key", "new");
    assert_content(f, "victim", "untouched");
}

/* ---- the directory ---- */

static void a_directory_open_to_others_or_anothers_is_refused(void **state)
{
    struct fixture *f = *state;
    struct state s;

    put(f, "key", "secret");
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(state_open(&s, f->dir, false, &f->why), -EPERM);
    assert_non_null(strstr(f->why.text, "chmod 700"));
    /* not even when it may be made: it has files in it */
    assert_int_equal(state_open(&s, f->dir, true, &f->why), -EPERM);
    assert_int_equal(chmod(f->dir, 0700), 0);
    assert_int_equal(chown(f->dir, 12345, 12345), 0);
    assert_int_equal(state_open(&s, f->dir, true, &f->why), -EPERM);
    assert_non_null(strstr(f->why.text, "belongs to user 12345"));
    assert_int_equal(s.dir_fd, -1);
    assert_int_equal(chown(f->dir, 0, 0), 0);
}

static void an_empty_directory_of_ours_is_closed_to_others(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    struct state s;

    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(state_open(&s, f->dir, true, &f->why), 0);
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    state_close(&s);
}

static void missing_directories_are_made_private(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    struct state s;
    char path[128];

    in_dir(f, "a/b/c/", path);
    assert_int_equal(state_open(&s, path, false, &f->why), -ENOENT);
    assert_int_equal(state_open(&s, path, true, &f->why), 0);
    state_close(&s);
    in_dir(f, "a", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void a_lock_has_one_holder_and_goes_with_it(void **state)
{
    struct fixture *f = *state;
    struct state other;
    int status;
    pid_t pid;

    assert_int_equal(state_open(&other, f->dir, false, &f->why), 0);
    assert_int_equal(state_lock(&f->s, STATE_LOCK_DAEMON, false, &f->why), 0);
    assert_int_equal(state_lock(&other, STATE_LOCK_DAEMON, false, &f->why), -EBUSY);
    assert_int_equal(state_lock(&other, STATE_LOCK_CHANGE, false, &f->why), 0);
    state_unlock(&f->s, STATE_LOCK_DAEMON);
    assert_int_equal(state_lock(&other, STATE_LOCK_DAEMON, false, &f->why), 0);
    state_close(&other);
    pid = fork();
    if (pid == 0) /* dies with the lock held */
        _exit(state_lock(&f->s, STATE_LOCK_DAEMON, false, &f->why) != 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(state_lock(&f->s, STATE_LOCK_DAEMON, false, &f->why), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_written_is_read_back_and_private),
        T(a_missing_file_is_said_to_be_missing),
        T(a_file_that_is_too_long_is_not_read),
        T(old_or_new_is_there_whichever_step_fails),
        T(old_is_there_wherever_the_disk_is_full),
        T(old_or_new_is_there_after_a_power_cut_at_any_step),
        T(a_temporary_file_left_behind_is_in_nobodys_way),
        T(a_file_that_others_can_read_is_refused),
        T(another_users_file_is_refused),
        T(a_link_a_directory_a_fifo_and_a_device_are_refused),
        T(writing_over_a_link_replaces_the_link_and_not_its_target),
        T(a_directory_open_to_others_or_anothers_is_refused),
        T(an_empty_directory_of_ours_is_closed_to_others),
        T(missing_directories_are_made_private),
        T(a_lock_has_one_holder_and_goes_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
