#include "coord_store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tund/coord_key.h"

static struct temp_dir dir;
static struct state st;
static uint8_t key[32];
static bool made;
static struct why why;

static int setup(void **state)
{
    (void)state;
    temp_make(&dir);
    made = false;
    why.text[0] = '\0';
    return state_open(&st, dir.path, true, &why);
}

static int teardown(void **state)
{
    (void)state;
    state_close(&st);
    temp_remove(&dir);
    return 0;
}

static void write_key(const char *text, mode_t mode)
{
    char path[128];
    int fd;

    temp_file(&dir, COORD_KEY_FILE, path);
    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void the_first_start_makes_a_key_that_only_its_owner_can_read(void **state)
{
    char path[128];
    struct stat s;
    uint8_t again[32];

    (void)state;
    assert_int_equal(coord_key_load(&st, key, &made, &why), 0);
    assert_true(made);
    temp_file(&dir, COORD_KEY_FILE, path);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_int_equal(s.st_size, 45);
    assert_int_equal(coord_key_load(&st, again, &made, &why), 0);
    assert_false(made);
    assert_memory_equal(key, again, 32);
}

static void two_first_starts_make_two_keys(void **state)
{
    uint8_t first[32];
    char path[128];

    (void)state;
    assert_int_equal(coord_key_load(&st, first, &made, &why), 0);
    temp_file(&dir, COORD_KEY_FILE, path);
    unlink(path);
    assert_int_equal(coord_key_load(&st, key, &made, &why), 0);
    assert_memory_not_equal(first, key, 32);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
    (void)state;
    write_key("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n", 0640);
    assert_int_equal(coord_key_load(&st, key, &made, &why), -EPERM);
    assert_non_null(strstr(why.text, "chmod 600"));
    write_key("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n", 0600);
    assert_int_equal(coord_key_load(&st, key, &made, &why), 0);
    assert_memory_equal(key, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32);
}

static void what_is_no_key_is_refused_and_kept(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "short\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", /* all zero: a key that everybody has */
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWF=\n", /* stray bits */
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW!=\n",
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE= ",
    };
    uint8_t before[32];
    char path[128];
    struct stat s;

    (void)state;
    memset(key, 0x5a, 32);
    memcpy(before, key, 32);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_key(bad[i], 0600);
        assert_int_equal(coord_key_load(&st, key, &made, &why), -EBADMSG);
        assert_non_null(strstr(why.text, "restore it from a backup"));
        assert_memory_equal(key, before, 32);
        temp_file(&dir, COORD_KEY_FILE, path);
        assert_int_equal(stat(path, &s), 0);
        assert_int_equal(s.st_size, strlen(bad[i]));
    }
    write_key("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\nmore\n", 0600);
    assert_int_equal(coord_key_load(&st, key, &made, &why), -EFBIG);
}

static void a_link_or_a_fifo_is_no_key_file(void **state)
{
    char path[128];

    (void)state;
    temp_file(&dir, COORD_KEY_FILE, path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(coord_key_load(&st, key, &made, &why), -EPERM);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(coord_key_load(&st, key, &made, &why), -EPERM);
}

static void the_address_is_kept_and_found_again(void **state)
{
    static const char url[] = "tund://coord.example.org:3478/"
                              "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE";
    char got[TN_URL_SIZE], path[128];
    struct stat before, after;

    (void)state;
    assert_int_equal(coord_url_load(&st, got, &why), -ENOENT);
    assert_non_null(strstr(why.text, "tund-coord run"));
    assert_int_equal(coord_url_save(&st, url, &why), 0);
    assert_int_equal(coord_url_load(&st, got, &why), 0);
    assert_string_equal(got, url);
    temp_file(&dir, COORD_URL_FILE, path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(coord_url_save(&st, url, &why), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* not written again */
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(coord_url_load(&st, got, &why), -EBADMSG);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(coord_url_load(&st, got, &why), -EBADMSG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_start_makes_a_key_that_only_its_owner_can_read),
        T(two_first_starts_make_two_keys),
        T(a_key_that_others_can_read_is_refused),
        T(what_is_no_key_is_refused_and_kept),
        T(a_link_or_a_fifo_is_no_key_file),
        T(the_address_is_kept_and_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
