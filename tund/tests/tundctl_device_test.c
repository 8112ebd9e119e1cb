/* invite --device: the directory and its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tund/tundctl_device.h"

static char base[64], dir[80], file[160];
static struct why why;

static int make_base(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "%s/device-XXXXXX", P_tmpdir);
    if (!mkdtemp(base))
        return -1;
    snprintf(dir, sizeof dir, "%s/electron-1", base);
    snprintf(file, sizeof file, "%s/%s", dir, DEVICE_CONFIG_NAME);
    return 0;
}

static int remove_base(void **state)
{
    char beside[176];

    (void)state;
    snprintf(beside, sizeof beside, "%s.new", file);
    if ((unlink(file) < 0 && errno != ENOENT && errno != ENOTDIR) ||
        (unlink(beside) < 0 && errno != ENOENT && errno != ENOTDIR) ||
        (rmdir(dir) < 0 && errno != ENOENT && errno != ENOTDIR) ||
        (unlink(dir) < 0 && errno != ENOENT))
        return -1;
    return rmdir(base);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void expect_text(const char *want)
{
    char got[64] = "";
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    assert_non_null(fgets(got, sizeof got, f));
    fclose(f);
    assert_string_equal(got, want);
}

static int put(bool force, const char *text, int err)
{
    struct device_out o;
    int opened = device_out_open(&o, dir, force, &why);

    if (opened)
        return opened;
    assert_int_equal(write(o.fd, text, strlen(text)), (ssize_t)strlen(text));
    return device_out_close(&o, dir, err, &why);
}

static unsigned files_in(const char *path)
{
    DIR *d = opendir(path);
    unsigned count = 0;
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void directory_and_file_are_made_for_the_owner_alone(void **state)
{
    (void)state;
    umask(0);
    assert_int_equal(put(false, "one", 0), 0);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(file), 0600);
    expect_text("one");
}

static void a_file_that_is_there_is_kept_unless_force_is_given(void **state)
{
    (void)state;
    assert_int_equal(put(false, "one", 0), 0);
    assert_int_equal(put(false, "two", 0), -EEXIST);
    assert_non_null(strstr(why.text, "--force"));
    expect_text("one");
    assert_int_equal(put(true, "two", 0), 0);
    expect_text("two");
    assert_int_equal(mode_of(file), 0600);
    assert_int_equal(files_in(dir), 1);
}

static void what_fails_leaves_the_old_file_and_no_half(void **state)
{
    (void)state;
    assert_int_equal(put(false, "half", -EIO), -EIO);
    assert_int_equal(files_in(dir), 0);
    assert_int_equal(put(false, "one", 0), 0);
    assert_int_equal(put(true, "half", -EIO), -EIO);
    expect_text("one");
    assert_int_equal(files_in(dir), 1);
}

static void what_an_earlier_attempt_left_is_no_hindrance(void **state)
{
    char beside[176];
    int fd;

    (void)state;
    assert_int_equal(put(false, "one", 0), 0);
    snprintf(beside, sizeof beside, "%s.new", file);
    fd = open(beside, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(put(true, "two", 0), 0);
    expect_text("two");
    assert_int_equal(mode_of(file), 0600);
}

static void a_link_is_not_followed(void **state)
{
    char elsewhere[96];

    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", base);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(symlink(elsewhere, file), 0);
    assert_int_equal(put(false, "one", 0), -EEXIST);
    assert_int_equal(put(true, "two", 0), 0); /* takes the link's place */
    assert_int_equal(access(elsewhere, F_OK), -1);
    expect_text("two");
}

static void what_is_no_directory_is_told(void **state)
{
    int fd = open(dir, O_WRONLY | O_CREAT, 0600);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(put(false, "one", 0), -ENOTDIR);
    assert_non_null(strstr(why.text, dir));
}

static void the_text_is_a_header_with_the_invite(void **state)
{
    const struct tn_cert cert = {.ipv4 = {10, 77, 0, 9}, .name = "electron-1", .network = "home"};
    char invite[TN_INVITE_TEXT_SIZE], text[DEVICE_CONFIG_SIZE], want[TN_INVITE_TEXT_SIZE + 64];
    size_t len;

    (void)state;
    memset(invite, 'x', sizeof invite - 1); /* the longest there can be */
    invite[sizeof invite - 1] = '\0';
    len = device_config_text(text, &cert, invite, "2026-12-24 18:00 CET", 999999999);
    assert_in_range(len, sizeof invite, sizeof text - 1);
    assert_int_equal(len, strlen(text));
    snprintf(want, sizeof want, "#define TUND_INVITE \\\n    \"%s\"\n", invite);
    assert_non_null(strstr(text, want));
    assert_non_null(strstr(text, "#define TUND_DEVICE_NAME \"electron-1\"\n"));
    assert_non_null(strstr(text, "10.77.0.9"));
    assert_non_null(strstr(text, "2026-12-24 18:00 CET"));
    assert_non_null(strstr(text, "#define TUND_BUDGET 999999999u "));
    assert_string_equal(text + len - 7, "#endif\n");
    (void)device_config_text(text, &cert, invite, "2026-12-24 18:00 CET", 0);
    assert_null(strstr(text, "TUND_BUDGET"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directory_and_file_are_made_for_the_owner_alone),
        TEST(a_file_that_is_there_is_kept_unless_force_is_given),
        TEST(what_fails_leaves_the_old_file_and_no_half),
        TEST(what_an_earlier_attempt_left_is_no_hindrance),
        TEST(a_link_is_not_followed),
        TEST(what_is_no_directory_is_told),
        TEST(the_text_is_a_header_with_the_invite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
