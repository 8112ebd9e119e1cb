/* Look-ups on a thread of their own: answered once, or abandoned at once. The linker puts a
 * name server in between that is as slow as the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "tund/resolve.h"

static sem_t gate; /* the slow server answers once for each post */
static atomic_uint asked, answered;

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    if (strcmp(host, "slow") != 0)
        return __real_getaddrinfo(host, service, hints, list);
    atomic_fetch_add(&asked, 1);
    while (sem_wait(&gate) != 0)
        ;
    atomic_fetch_add(&answered, 1);
    return EAI_AGAIN;
}

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
    uint64_t deadline = uv_hrtime() + 10000000000ull;
    struct got got = {0};

    for (unsigned i = 0; i < 20; i++) {
        struct resolve *r;
        uv_loop_t loop;

        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(resolve_start(&r, &loop, "slow", 1, on_result, &got), 0);
        resolve_stop(r);
        uv_run(&loop, UV_RUN_DEFAULT); /* ends, though nobody has answered */
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_int_equal(atomic_load(&answered), 0);
    }
    while (atomic_load(&asked) < 20)
        assert_true(uv_hrtime() < deadline);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(sem_post(&gate), 0);
    while (atomic_load(&answered) < 20)
        assert_true(uv_hrtime() < deadline);
    assert_int_equal(got.calls, 0);
}

static void a_slow_failure_is_told_when_it_comes(void **state)
{
    unsigned before = atomic_load(&answered);
    struct got got = {0};
    struct resolve *r;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(resolve_start(&r, &loop, "slow", 1, on_result, &got), 0);
    for (int i = 0; i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(got.calls, 0);
    assert_int_equal(sem_post(&gate), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(got.calls, 1);
    assert_int_equal(got.result.error, EAI_AGAIN);
    assert_int_equal(atomic_load(&answered), before + 1);
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
        cmocka_unit_test(a_slow_failure_is_told_when_it_comes),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
    };

    if (sem_init(&gate, 0, 0) != 0)
        return 1;

    return cmocka_run_group_tests(tests, NULL, NULL);
}
