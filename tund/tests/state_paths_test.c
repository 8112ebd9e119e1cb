/* Which ways are allowed to whom, in memory and on disk. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/path/mode.h"
#include "tund/state_paths.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddee"
static const char good[] = "{\"version\": 1, \"paths\": {\"" HEX "01\": \"relay\", \"" HEX "02\": \"direct\"}}";

static const uint8_t *identity(uint32_t i)
{
    static uint8_t id[32];

    memset(id, 0, sizeof id);
    memcpy(id, &i, sizeof i);
    return id;
}

static void what_was_put_is_found_and_auto_takes_it_away(void **state)
{
    struct state_paths p = {.count = 0};

    (void)state;
    assert_int_equal(state_paths_find(&p, identity(1)), TN_MODE_AUTO);
    assert_true(state_paths_put(&p, identity(1), TN_MODE_RELAY));
    assert_true(state_paths_put(&p, identity(2), TN_MODE_DIRECT));
    assert_true(state_paths_put(&p, identity(2), TN_MODE_RELAY));
    assert_int_equal(p.count, 2);
    assert_true(state_paths_put(&p, identity(1), TN_MODE_AUTO));
    assert_true(state_paths_put(&p, identity(3), TN_MODE_AUTO));
    assert_int_equal(p.count, 1);
    assert_int_equal(state_paths_find(&p, identity(1)), TN_MODE_AUTO);
    assert_int_equal(state_paths_find(&p, identity(2)), TN_MODE_RELAY);
}

static void a_full_table_refuses_one_more(void **state)
{
    struct state_paths p = {.count = 0};

    (void)state;
    for (uint32_t i = 0; i < STATE_PATHS_MAX; i++)
        assert_true(state_paths_put(&p, identity(i), TN_MODE_RELAY));
    assert_false(state_paths_put(&p, identity(STATE_PATHS_MAX), TN_MODE_RELAY));
    assert_true(state_paths_put(&p, identity(0), TN_MODE_DIRECT));
    assert_true(state_paths_put(&p, identity(STATE_PATHS_MAX), TN_MODE_AUTO));
}

static void a_file_by_hand_is_read(void **state)
{
    uint8_t id[32];
    struct state_paths p;

    (void)state;
    assert_int_equal(state_paths_decode(&p, good, sizeof good - 1), 0);
    assert_int_equal(p.count, 2);
    for (unsigned i = 0; i < 32; i++)
        id[i] = (uint8_t)(0x11 * (i % 16));
    id[31] = 1;
    assert_int_equal(state_paths_find(&p, id), TN_MODE_RELAY);
    id[31] = 2;
    assert_int_equal(state_paths_find(&p, id), TN_MODE_DIRECT);
}

static void what_is_no_such_file_is_refused_whole(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"version\": 1}", "{\"version\": 1, \"paths\": []}",
        "{\"version\": 2, \"paths\": {}}", "{\"paths\": {}}",
        "{\"version\": 1, \"paths\": {\"" HEX "\": \"relay\"}}",
        "{\"version\": 1, \"paths\": {\"" HEX "0102\": \"relay\"}}",
        "{\"version\": 1, \"paths\": {\"" HEX "0g\": \"relay\"}}",
        "{\"version\": 1, \"paths\": {\"" HEX "01\": \"fast\"}}",
        "{\"version\": 1, \"paths\": {\"" HEX "01\": 2}}",
        "{\"version\": 1, \"paths\": {\"" HEX "01\": \"relay\", \"" HEX "01\": \"relay\"}}",
    };
    struct state_paths p = {.count = 77};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(state_paths_decode(&p, bad[i], strlen(bad[i])), -EBADMSG);
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_int_equal(state_paths_decode(&p, good, len), -EBADMSG);
    assert_int_equal(p.count, 77);
}

static void what_is_saved_is_loaded(void **state)
{
    static struct state_paths p, got;
    char dir[] = "/tmp/tund-paths-XXXXXX";
    struct state s;
    struct why why;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(state_open(&s, dir, true, &why), 0);
    got.count = 5;
    assert_int_equal(state_load_paths(&s, &got, &why), 0);
    assert_int_equal(got.count, 0); /* there is no file */
    for (uint32_t i = 0; i < STATE_PATHS_MAX; i++)
        assert_true(state_paths_put(&p, identity(i), i % 2 ? TN_MODE_RELAY : TN_MODE_DIRECT));
    assert_int_equal(state_save_paths(&s, &p, &why), 0);
    assert_int_equal(state_load_paths(&s, &got, &why), 0);
    assert_int_equal(got.count, STATE_PATHS_MAX);
    for (uint32_t i = 0; i < STATE_PATHS_MAX; i++)
        assert_int_equal(state_paths_find(&got, identity(i)), i % 2 ? TN_MODE_RELAY : TN_MODE_DIRECT);
    assert_int_equal(state_write(&s, "paths", "{", 1, &why), 0);
    assert_int_equal(state_load_paths(&s, &got, &why), -EBADMSG);
    assert_non_null(strstr(why.text, "damaged"));
    assert_int_equal(state_remove(&s, "paths", &why), 0);
    state_close(&s);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_auto_takes_it_away),
        cmocka_unit_test(a_full_table_refuses_one_more),
        cmocka_unit_test(a_file_by_hand_is_read),
        cmocka_unit_test(what_is_no_such_file_is_refused_whole),
        cmocka_unit_test(what_is_saved_is_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
