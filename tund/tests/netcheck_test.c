/* The network check on a loopback of its own: a coordinator's sockets that answer, silence, and
 * what an HTTP answer means. */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tund/coord_net.h"
#include "tund/netcheck_inside.h"

#include "sealed.h"

static uv_loop_t loop;
static struct coord_net net;
static struct netcheck_result got;
static int calls;

/* What the name server has for NAT64_NAME; NULL: nothing. */
static const char *nat64_told;

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    if (strcmp(host, NAT64_NAME) != 0 || !nat64_told)
        return EAI_NONAME;
    return __real_getaddrinfo(nat64_told, service, hints, list);
}

static void on_datagram(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data, size_t len)
{
}

static void on_batch_end(void *ctx)
{
}

static const struct coord_net_handler handler = {.on_datagram = on_datagram, .on_batch_end = on_batch_end};

static void on_checked(void *ctx, const struct netcheck_result *r)
{
    calls++;
    got = *r;
    coord_net_close(ctx);
}

static void begin(void)
{
    memset(&net, 0, sizeof net);
    memset(&got, 0, sizeof got);
    calls = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
}

static void end(void)
{
    uv_run(&loop, UV_RUN_DEFAULT); /* ends only when every handle is closed */
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_loopback_has_no_nat(void **state)
{
    struct coord_options o = {.listen_count = 2};
    struct tn_addr v4, v6 = {.port = 0};
    struct netcheck *n;
    struct why w;

    (void)state;
    begin();
    nat64_told = "2001:db8:122:344:c0:0:aa00::";
    assert_true(coord_parse_listen("127.0.0.5", 34780, &o.listen[0]));
    assert_true(coord_parse_listen("127.0.0.6", 34780, &o.listen[1]));
    assert_int_equal(coord_net_open(&net, &loop, &o, &handler, &w), 0);
    v4 = o.listen[0];
    assert_int_equal(netcheck_start(&n, &loop, &v4, &v6, on_checked, &net), 0);
    end();
    assert_int_equal(calls, 1);
    assert_true(got.family[0].tried);
    assert_false(got.family[1].tried);
    assert_int_equal(got.family[0].check.nat.mapping, TN_NAT_NONE);
    assert_int_equal(got.family[0].check.answered, TN_NATCHECK_SOCKETS - 1);
    assert_int_equal(got.family[0].mtu, 1500);
    assert_int_equal(got.tcp443, NETCHECK_TCP_REFUSED);
    assert_false(got.portal);
    assert_int_equal(got.nat64.len, 64);
    nat64_told = NULL;
}

static void silence_is_known_in_time(void **state)
{
    struct tn_addr v4 = tn_addr_v4((uint8_t[]){127, 0, 0, 9}, 9), v6 = {.port = 0};
    struct netcheck *n;

    (void)state;
    begin();
    assert_int_equal(netcheck_start(&n, &loop, &v4, &v6, on_checked, &net), 0);
    end();
    assert_int_equal(calls, 1);
    assert_int_equal(got.family[0].check.nat.mapping, TN_NAT_BLOCKED);
    assert_int_equal(got.family[0].mtu, 0);
    assert_int_equal(got.nat64.len, 0);
    assert_in_range(got.took_ms, 1, NETCHECK_MAX_MS + 500);
}

static void one_that_is_stopped_never_calls_back(void **state)
{
    struct tn_addr v4 = tn_addr_v4((uint8_t[]){127, 0, 0, 9}, 9), none = {.port = 0};
    struct netcheck *n;

    (void)state;
    begin();
    assert_int_equal(netcheck_start(&n, &loop, &none, &none, on_checked, &net), -EINVAL);
    assert_int_equal(netcheck_start(&n, &loop, &v4, &none, on_checked, &net), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    netcheck_stop(n);
    end();
    assert_int_equal(calls, 0);
}

static void redirects_are_told_from_all_else(void **state)
{
    static const struct {
        const char *answer, *to; /* NULL: no redirect */
    } rows[] = {
        {"HTTP/1.1 302 Found\r\nServer: x\r\nLocation: http://login.example.net/a?b\r\n\r\n", "login.example.net"},
        {"HTTP/1.0 307 T\nlocation:https://10.0.0.1:8443/\n\n", "10.0.0.1"},
        {"HTTP/1.1 301 Moved\r\nLocation: https://192.0.2.1/\r\n\r\n", NULL}, /* to itself */
        {"HTTP/1.1 301 Moved\r\nLocation: /here\r\n\r\n", NULL},
        {"HTTP/1.1 302 Found\r\n\r\n", NULL},
        {"HTTP/1.1 200 OK\r\nLocation: http://login.example.net/\r\n\r\n", NULL},
        {"HTTP/1.1 302 Found\r\nLocation: http://cut.example", NULL}, /* who knows what comes behind */
        {"SSH-2.0-OpenSSH_9.2", NULL},
        {"", NULL},
        {"HTTP/1.1 302 Found\r\nLocation: http://a\x01\x80z/\r\n", "a"},
    };
    char to[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is = netcheck_is_redirect(rows[i].answer, strlen(rows[i].answer), "192.0.2.1", to, sizeof to);

        assert_int_equal(is, rows[i].to != NULL);
        if (is)
            assert_string_equal(to, rows[i].to);
    }
}

static void the_report_has_every_key(void **state)
{
    static const uint8_t filtering[2] = {TN_NAT_FILTER_PORT, TN_NAT_FILTER_UNKNOWN};
    struct netcheck_result r = {.server[0] = tn_addr_v4((uint8_t[]){192, 0, 2, 1}, 3478), .took_ms = 7};
    json_t *report, *v4;

    (void)state;
    r.family[0].tried = true;
    r.family[0].check.nat = (struct tn_nat){.mapping = TN_NAT_PORT, .ports = TN_NAT_PORTS_RANDOM,
                                            .first_port = 4096, .last_port = 4607};
    report = netcheck_json(&r, filtering);
    assert_non_null(report);
    v4 = json_object_get(report, "v4");
    assert_string_equal(json_string_value(json_object_get(v4, "mapping")), "address-and-port-dependent");
    assert_string_equal(json_string_value(json_object_get(v4, "filtering")), "address-and-port-dependent");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(v4, "port_range"), 1)), 4607);
    assert_true(json_is_null(json_object_get(report, "v6")));
    assert_true(json_is_null(json_object_get(v4, "mtu")));
    json_decref(report);
}

static int enter(void **state)
{
    (void)state;
    return sealed_enter_with_loopback() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loopback_has_no_nat),
        cmocka_unit_test(silence_is_known_in_time),
        cmocka_unit_test(one_that_is_stopped_never_calls_back),
        cmocka_unit_test(redirects_are_told_from_all_else),
        cmocka_unit_test(the_report_has_every_key),
    };

    return cmocka_run_group_tests(tests, enter, NULL);
}
