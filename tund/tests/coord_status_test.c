#include "coord_store_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <uv.h>

#include "tund/coord_status.h"

#include "coord_child.h"

static struct temp_dir dir;
static int asked;

static int setup(void **state)
{
    (void)state;
    temp_make(&dir);
    asked = 0;
    return chdir(dir.path);
}

static int teardown(void **state)
{
    (void)state;
    if (chdir("/"))
        return -1;
    temp_remove(&dir);
    return 0;
}

static json_t *answer(void *ctx)
{
    asked++;
    return json_pack("{s:s}", "hello", (const char *)ctx);
}

static json_t *no_memory(void *ctx)
{
    (void)ctx;
    asked++;
    return NULL;
}

static void ask_and_expect(void *arg)
{
    json_t *report = NULL;
    struct why w = {""};
    int err = coord_status_ask(&report, &w);

    if (!arg) { /* nothing but a sentence */
        CHECK(err == -EBADMSG);
        CHECK(strstr(w.text, "cut short"));
        return;
    }
    CHECK(err == 0);
    CHECK(!strcmp(json_string_value(json_object_get(report, "hello")), arg));
    json_decref(report);
}

/* Serves until `count` have asked. */
static void serve(uv_loop_t *loop, int count)
{
    while (asked < count)
        assert_int_not_equal(uv_run(loop, UV_RUN_ONCE), 0);
}

static void finish(uv_loop_t *loop, struct coord_status *s)
{
    coord_status_close(s);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void whoever_connects_gets_the_report(void **state)
{
    struct coord_status s = {.open = false};
    char text[] = "there";
    struct why w;
    uv_loop_t loop;
    struct stat st;
    pid_t pid[3];

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_status_open(&s, &loop, answer, text, &w), 0);
    assert_int_equal(stat(COORD_STATUS_SOCKET, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (int i = 0; i < 3; i++)
        pid[i] = child_start(ask_and_expect, text);
    serve(&loop, 3);
    for (int i = 0; i < 3; i++)
        assert_true(child_ended_well(pid[i]));
    finish(&loop, &s);
    assert_int_equal(stat(COORD_STATUS_SOCKET, &st), -1);
}

static void a_report_that_cannot_be_made_is_told_as_such(void **state)
{
    struct coord_status s = {.open = false};
    struct why w;
    uv_loop_t loop;
    pid_t pid;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_status_open(&s, &loop, no_memory, NULL, &w), 0);
    pid = child_start(ask_and_expect, NULL);
    serve(&loop, 1);
    uv_run(&loop, UV_RUN_NOWAIT); /* the connection closes */
    assert_true(child_ended_well(pid));
    finish(&loop, &s);
}

static void where_none_runs_the_asker_is_told_what_to_do(void **state)
{
    json_t *report = NULL;
    struct why w = {""};

    (void)state;
    assert_int_equal(coord_status_ask(&report, &w), -ENOENT);
    assert_non_null(strstr(w.text, "tund-coord run"));
    assert_null(report);
}

static void the_socket_of_a_killed_coordinator_is_replaced(void **state)
{
    struct coord_status s = {.open = false};
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = COORD_STATUS_SOCKET};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[] = "again";
    json_t *report = NULL;
    struct why w = {""};
    uv_loop_t loop;
    pid_t pid;

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    close(fd); /* the file stays, and nobody is behind it */
    assert_int_equal(coord_status_ask(&report, &w), -ECONNREFUSED);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_status_open(&s, &loop, answer, text, &w), 0);
    pid = child_start(ask_and_expect, text);
    serve(&loop, 1);
    assert_true(child_ended_well(pid));
    finish(&loop, &s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(whoever_connects_gets_the_report),
        T(a_report_that_cannot_be_made_is_told_as_such),
        T(where_none_runs_the_asker_is_told_what_to_do),
        T(the_socket_of_a_killed_coordinator_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
