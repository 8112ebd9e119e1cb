/* Look-ups on a thread of their own: answered once, or abandoned at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tund/resolve.h"

struct got {
    unsigned calls;
    struct resolve_result result;
};

static void on_result(void *ctx, const struct resolve_result *r)
{
    struct got *got = ctx;

    got->calls++;
    got->result = *r;
}

static void look_up(const char *host, struct got *got)
{
    struct resolve *r;
    uv_loop_t loop;

    memset(got, 0, sizeof(*got));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(resolve_start(&r, &loop, host, 3478, on_result, got), 0);
    uv_run(&loop, UV_RUN_DEFAULT); /* ends when the look-up has */
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(got->calls, 1);
}

static void a_name_of_the_hosts_file_is_found(void **state)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    struct tn_addr v4 = tn_addr_v4(loopback, 3478);
    bool found = false;
    struct got got;

    look_up("localhost", &got);
    assert_int_equal(got.result.error, 0);
    assert_in_range(got.result.count, 1, RESOLVE_MAX);
    for (unsigned i = 0; i < got.result.count; i++) {
        assert_int_equal(got.result.addr[i].port, 3478);
        found |= tn_addr_equal(&got.result.addr[i], &v4);
    }
    assert_true(found);
}

static void a_name_that_cannot_be_is_an_error_and_no_address(void **state)
{
    struct got got;

    look_up("no such host", &got);
    assert_int_not_equal(got.result.error, 0);
    assert_int_equal(got.result.count, 0);
}

static void an_abandoned_look_up_comes_to_nobody_and_holds_nobody_up(void **state)
{
    struct got got = {0};

    for (int i = 0; i < 50; i++) {
        uint64_t began = uv_hrtime();
        struct resolve *r;
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        /* whether there is a name server or not: this may take seconds, or nothing */
        assert_int_equal(resolve_start(&r, &loop, "name.invalid", 1, on_result, &got), 0);
        resolve_stop(r);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_true(uv_hrtime() - began < 1000000000ull);
    }
    assert_int_equal(got.calls, 0);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    char host[400];
    struct resolve *r;
    uv_loop_t loop;

    memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(resolve_start(&r, &loop, host, 1, on_result, NULL), -ENAMETOOLONG);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_of_the_hosts_file_is_found),
        cmocka_unit_test(a_name_that_cannot_be_is_an_error_and_no_address),
        cmocka_unit_test(an_abandoned_look_up_comes_to_nobody_and_holds_nobody_up),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
