/* Handshakes at the coordinator are limited by source; one source's excess is not another's loss. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "coordnet.h"

#define SOURCES 2000

/* An INIT with a good cookie, which costs the coordinator its curve operations and fails there. */
static void knock(struct net *n, const struct tn_addr *src)
{
    uint8_t data[TN_CTL_INIT_LEN] = {TN_CTL_INIT, TN_CTL_VERSION};
    struct tn_server_out out[TN_SERVER_OUT_MAX];

    assert_int_equal(tn_server_on_datagram(&n->server, 0, src, data, sizeof(data), n->now, out), 1);
    assert_int_equal(out[0].len, TN_CTL_COOKIE_LEN);
    memcpy(data + 8, out[0].data + 8, TN_CTL_COOKIE_VALUE_LEN);
    data[24] = 9; /* X25519's base point */
    assert_int_equal(tn_server_on_datagram(&n->server, 0, src, data, sizeof(data), n->now, out), 0);
}

static void a_source_beyond_its_share_is_met_with_silence(void **state)
{
    struct net *n = net_new(1);
    struct tn_addr src = net_v4(77, 1000);

    (void)state;
    n->cfg.handshakes_per_s = 0; /* the default */
    net_start_server(n);
    for (int i = 0; i < 150; i++) { /* 100 at once, from whatever port */
        src.port++;
        knock(n, &src);
    }
    assert_int_equal(tn_server_counters(&n->server)->drop_handshake, 100);
    assert_int_equal(tn_server_counters(&n->server)->drop_shake_rate, 50);
    net_free(n);
}

static void many_sources_at_once_do_not_use_up_each_others_share(void **state)
{
    struct net *n = net_new(2);

    (void)state;
    n->cfg.handshakes_per_s = 1; /* 5 at once */
    net_start_server(n);
    for (unsigned i = 0; i < SOURCES; i++) {
        const uint8_t ip[4] = {55, 1, (uint8_t)(i / 256), (uint8_t)i};
        struct tn_addr src = tn_addr_v4(ip, 1000);

        knock(n, &src);
    }
    assert_true(tn_server_counters(&n->server)->drop_shake_rate < SOURCES / 100);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_beyond_its_share_is_met_with_silence),
        cmocka_unit_test(many_sources_at_once_do_not_use_up_each_others_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
