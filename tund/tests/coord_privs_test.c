#include "coord_store_fixture.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "tund/coord_privs.h"

#include "coord_child.h"

/* A line of /proc/self/status, after its name. */
static void status_line(const char *name, char out[128])
{
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");

    CHECK(f);
    out[0] = '\0';
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            strcpy(out, line + strlen(name) + 2);
    }
    fclose(f);
    CHECK(out[0]);
}

static void check_nothing_left(void)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    char value[128];

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        status_line(sets[i], value);
        CHECK(!strcmp(value, "0000000000000000\n"));
    }
    status_line("NoNewPrivs", value);
    CHECK(!strcmp(value, "1\n"));
}

static void stay(void *arg)
{
    struct coord_user u;
    struct why w;

    (void)arg;
    CHECK(sealed_become_root());
    CHECK(coord_user_find(NULL, &u, &w) == 0);
    CHECK(!u.change);
    CHECK(coord_drop_privileges(&u, &w) == 0);
    check_nothing_left();
    CHECK(geteuid() == 0);
}

static void root_that_stays_root_has_no_capability(void **state)
{
    (void)state;
    assert_true(child_ended_well(child_start(stay, NULL)));
}

static void an_unknown_user_is_named(void **state)
{
    struct coord_user u;
    struct why w = {""};

    (void)state;
    assert_int_equal(coord_user_find("no-such-user-here", &u, &w), -ENOENT);
    assert_non_null(strstr(w.text, "no-such-user-here"));
}

/* Only real root can become somebody else; others are told so. */
static void become_nobody(void *arg)
{
    const char *parent = arg;
    struct coord_user u;
    struct why w = {""};
    struct stat st;
    char dir[128], value[128];

    if (geteuid() != 0) {
        CHECK(coord_user_find("nobody", &u, &w) == -EPERM);
        CHECK(strstr(w.text, "only root"));
        return;
    }
    snprintf(dir, sizeof(dir), "%s/state", parent);
    CHECK(coord_user_find("nobody", &u, &w) == 0);
    CHECK(u.change);
    CHECK(coord_user_make_dir(&u, dir, &w) == 0);
    CHECK(stat(dir, &st) == 0);
    CHECK(st.st_uid == u.uid && st.st_gid == u.gid && (st.st_mode & 07777) == 0700);
    CHECK(coord_user_make_dir(&u, dir, &w) == 0); /* it is there */
    CHECK(rmdir(dir) == 0);
    CHECK(coord_drop_privileges(&u, &w) == 0);
    check_nothing_left();
    CHECK(geteuid() == u.uid && getuid() == u.uid && getegid() == u.gid);
    CHECK(getgroups(0, NULL) == 0);
    status_line("Uid", value);
    CHECK(!strchr(value, '0') || u.uid > 9);
    CHECK(setuid(0) < 0);
}

static void with_a_user_nothing_of_root_remains(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_make(&dir);
    assert_true(child_ended_well(child_start(become_nobody, dir.path)));
    temp_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_that_stays_root_has_no_capability),
        cmocka_unit_test(an_unknown_user_is_named),
        cmocka_unit_test(with_a_user_nothing_of_root_remains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
