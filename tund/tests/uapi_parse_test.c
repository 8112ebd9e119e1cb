/* The userspace API's text: what is read, what is refused, and cuts at every length. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/uapi_parse.h"

#define KEY "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33"

/* The set operation of the API's own documentation, and the two signs of allowed_ip. */
static const char whole[] =
    "set=1\n"
    "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n"
    "fwmark=0\n"
    "listen_port=12912\n"
    "replace_peers=true\n"
    "public_key=" KEY "\n"
    "protocol_version=1\n"
    "preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n"
    "replace_allowed_ips=true\n"
    "allowed_ip=192.168.4.4/32\n"
    "allowed_ip=+2001:db8::/32\n"
    "endpoint=[abcd:23::33]:51820\n"
    "persistent_keepalive_interval=111\n"
    "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n"
    "update_only=true\n"
    "allowed_ip=-0.0.0.0/0\n"
    "public_key=662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58\n"
    "remove=true\n"
    "\n";

/* The kinds of a request's operations, or its error. */
static int parse_all(const char *text, size_t len, struct uapi_op *ops, int cap)
{
    struct uapi_parser p;
    int r = uapi_parser_init(&p, text, len);
    int n = 0;

    if (r)
        return r;
    while (n < cap && (r = uapi_parser_next(&p, &ops[n])) > 0)
        n++;
    return r < 0 ? r : n;
}

static void a_whole_request_yields_its_operations_in_order(void **state)
{
    static const enum uapi_kind kinds[] = {
        UAPI_PRIVATE_KEY,   UAPI_FWMARK,     UAPI_LISTEN_PORT,         UAPI_REPLACE_PEERS,
        UAPI_PUBLIC_KEY,    UAPI_PROTOCOL_VERSION, UAPI_PRESHARED_KEY, UAPI_REPLACE_ALLOWED_IPS,
        UAPI_ALLOWED_IP,    UAPI_ALLOWED_IP, UAPI_ENDPOINT,            UAPI_KEEPALIVE,
        UAPI_PUBLIC_KEY,    UAPI_UPDATE_ONLY, UAPI_ALLOWED_IP,         UAPI_PUBLIC_KEY,
        UAPI_REMOVE};
    const int count = sizeof kinds / sizeof kinds[0];
    struct uapi_op op[32];

    assert_int_equal(parse_all(whole, sizeof whole - 1, op, 32), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(op[i].kind, kinds[i]);
    assert_int_equal(op[0].key[0], 0xe8);
    assert_int_equal(op[2].number, 12912);
    assert_int_equal(op[4].key[31], 0x33);
    assert_true(op[8].v4 && op[8].bits == 32 && op[8].ip[3] == 4 && !op[8].minus);
    assert_true(!op[9].v4 && op[9].bits == 32 && op[9].ip[0] == 0x20 && !op[9].minus);
    assert_true(!tn_addr_is_v4(&op[10].addr) && op[10].addr.port == 51820);
    assert_int_equal(op[11].number, 111);
    assert_true(op[14].minus && op[14].v4 && op[14].bits == 0);
}

static void a_request_is_complete_with_its_empty_line_and_not_before(void **state)
{
    for (size_t len = 0; len < sizeof whole - 1; len++)
        assert_int_equal(uapi_request_len(whole, len), 0);
    assert_int_equal(uapi_request_len(whole, sizeof whole - 1), sizeof whole - 1);
    assert_int_equal(uapi_request_len("get=1\n\nget=1\n\n", 14), 7);
    assert_int_equal(uapi_request_len("\n\n", 2), 2);
}

/* A copy of its own, so that a sanitizer sees every byte too far. */
static void cut_at_each_length_a_request_is_refused_or_read(void **state)
{
    struct uapi_op op[32];

    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *copy = malloc(len ? len : 1);
        int n;

        memcpy(copy, whole, len);
        n = parse_all(copy, len, op, 32);
        assert_true(n < 18);
        /* Only whole lines are ever taken. */
        if (n >= 0)
            assert_int_equal(copy[len - 1], '\n');
        free(copy);
    }
}

static void each_flipped_bit_is_refused_or_read(void **state)
{
    static char copy[sizeof whole];
    struct uapi_op op[32];

    for (size_t i = 0; i < (sizeof whole - 1) * 8; i++) {
        memcpy(copy, whole, sizeof whole);
        copy[i / 8] ^= (char)(1 << i % 8);
        assert_true(parse_all(copy, sizeof whole - 1, op, 32) <= 18);
    }
}

static void a_get_has_nothing_after_it(void **state)
{
    struct uapi_op op[2];

    assert_int_equal(parse_all("get=1\n\n", 7, op, 2), 0);
    assert_int_equal(parse_all("get=1\nfwmark=1\n\n", 16, op, 2), -EINVAL);
}

static void what_is_neither_get_nor_set_is_refused(void **state)
{
    static const char *const texts[] = {"\n\n", "get=2\n\n", "set=0\n\n", "GET=1\n\n", "get=1 \n\n",
                                        "gets=1\n\n"};
    struct uapi_op op[2];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse_all(texts[i], strlen(texts[i]), op, 2), -EINVAL);
}

static void check_line(const char *before, const char *line, int wanted)
{
    struct uapi_op op[4];
    char text[512];
    int n = snprintf(text, sizeof text, "set=1\n%s%s\n\n", before, line);
    int got = parse_all(text, (size_t)n, op, 4);

    if (got != wanted)
        fail_msg("%s: got %d, wanted %d", line, got, wanted);
}

static void bad_values_are_refused(void **state)
{
    static const char *const lines[] = {
        "private_key=", "private_key=00", ("private_key=" KEY "0"), "listen_port=65536",
        "listen_port=-1", "listen_port=", "listen_port=1 ", "listen_port=0x10", "fwmark=4294967296",
        "replace_peers=false", "replace_peers=", "unknown=1", "=1", "public_key=x", "remove=true"};
    static const char *const peer_lines[] = {
        "endpoint=1.2.3.4", "endpoint=1.2.3.4:0", "endpoint=1.2.3.4:65536", "endpoint=[::1]",
        "endpoint=host:1", "persistent_keepalive_interval=65536", "persistent_keepalive_interval=off",
        "allowed_ip=1.2.3.4", "allowed_ip=1.2.3.4/33", "allowed_ip=::/129", "allowed_ip=/1",
        "allowed_ip=1.2.3.4/", "allowed_ip=+-1.2.3.4/8", "allowed_ip=1.2.3.4/8/8", "allowed_ip=-",
        "protocol_version=2", "protocol_version=0", "remove=1", "update_only=false",
        "replace_allowed_ips=1", "listen_port=1", ("private_key=" KEY)};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        check_line("", lines[i], -EINVAL);
    for (size_t i = 0; i < sizeof peer_lines / sizeof peer_lines[0]; i++)
        check_line("public_key=" KEY "\n", peer_lines[i], -EINVAL);
    check_line("", "listen_port", -EPROTO);
    check_line("", "listen_port=65535", 1);
    check_line("", "fwmark=4294967295", 1);
    check_line("public_key=" KEY "\n", "allowed_ip=::/0", 2);
}

static void a_nul_or_an_endless_value_is_refused(void **state)
{
    static const char nul[] = "set=1\nlisten_port=1\0002\n\n";
    struct uapi_op op[2];
    char line[400];

    assert_int_equal(parse_all(nul, sizeof nul - 1, op, 2), -EINVAL);
    memset(line, '1', sizeof line);
    memcpy(line, "listen_port=", 12);
    line[sizeof line - 1] = 0;
    check_line("", line, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_request_yields_its_operations_in_order),
        cmocka_unit_test(a_request_is_complete_with_its_empty_line_and_not_before),
        cmocka_unit_test(cut_at_each_length_a_request_is_refused_or_read),
        cmocka_unit_test(each_flipped_bit_is_refused_or_read),
        cmocka_unit_test(a_get_has_nothing_after_it),
        cmocka_unit_test(what_is_neither_get_nor_set_is_refused),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(a_nul_or_an_endless_value_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
