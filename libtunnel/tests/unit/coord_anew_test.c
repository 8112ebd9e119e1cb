/* Whoever a device spoke with hears that it has begun anew, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"
#include "libtunnel/coord/server_priv.h"
#include "member_fixture.h"

#define ANEW_LEN (TN_CTL_DATA_OVERHEAD + TN_MSG_HEADER_LEN + 32)

static unsigned heard(const struct net *n, unsigned i)
{
    return n->client[i].seen[TN_COORD_EV_ANEW];
}

static void bind(struct net *n, unsigned i, unsigned to)
{
    uint16_t channel;

    assert_int_equal(tn_coord_client_bind(&n->client[i].c, n->client[to].identity, &channel, n->now), 0);
}

/* 0, which is a device, has channels to 1 and 2, and 1 has one to 3. */
static struct net *bound(uint64_t seed)
{
    struct net *n = net_of_members(seed, 4);

    bind(n, 0, 1);
    bind(n, 0, 2);
    bind(n, 1, 3);
    net_run(n, TN_S(1));
    return n;
}

/* The machine of member i starts again, with its key and nothing else. */
static void restart(struct net *n, unsigned i)
{
    struct net_client *k = &n->client[i];
    struct tn_coord_client_config cfg = {.channel = k->channel, .channel_count = NET_ROWS};
    struct tn_addr none = {.port = 0};
    uint8_t seed[32];

    memset(k->channel, 0, sizeof(k->channel));
    tn_rng_bytes(&n->rng, seed, 32);
    assert_int_equal(tn_coord_client_init(&k->c, &cfg, k->private_key, n->server_public, seed), 0);
    tn_coord_client_set_server(&k->c, &n->server_at[0], &none, n->now);
    tn_coord_client_start(&k->c, n->now);
    net_join(n, i, FIX_NETWORK);
    net_run(n, TN_S(1));
}

static void whom_a_device_spoke_with_hears_at_once_that_it_has_begun_anew(void **state)
{
    struct net *n = bound(1);

    (void)state;
    net_run(n, TN_S(3700)); /* and others have made new sessions */
    assert_true(tn_server_counters(&n->server)->sessions_replaced >= 3);
    for (unsigned i = 0; i < 4; i++)
        n->client[i].seen[TN_COORD_EV_ANEW] = 0;
    restart(n, 0);
    assert_int_equal(heard(n, 1), 1);
    assert_memory_equal(n->client[1].last[TN_COORD_EV_ANEW].identity, n->client[0].identity, 32);
    assert_int_equal(heard(n, 2), 1);
    assert_int_equal(heard(n, 3) + heard(n, 0), 0);
    net_join(n, 0, FIX_NETWORK); /* it joins again in the same session */
    net_run(n, TN_S(1));
    assert_int_equal(heard(n, 1), 1);
    net_free(n);
}

static void that_another_member_begins_anew_is_told_nobody(void **state)
{
    struct net *n = bound(3);

    (void)state;
    restart(n, 1);
    assert_int_equal(heard(n, 3), 0);
    assert_int_equal(tn_server_counters(&n->server)->anew, 0);
    net_free(n);
}

static void a_device_that_the_coordinator_did_not_have_is_told_of_to_nobody(void **state)
{
    struct net *n = bound(2);

    (void)state;
    net_start_server(n);
    net_run(n, TN_S(60));
    assert_true(net_all_connected(n));
    net_join(n, 0, FIX_NETWORK);
    net_run(n, TN_S(1));
    assert_int_equal(tn_server_counters(&n->server)->anew, 0);
    net_free(n);
}

static void who_is_away_is_not_told(void **state)
{
    struct net *n = bound(4);
    uint8_t bye[TN_CTL_MAX_LEN];
    struct tn_addr dst;
    size_t len = tn_coord_client_bye(&n->client[1].c, n->now, bye, sizeof(bye), &dst);

    (void)state;
    assert_true(len > 0);
    net_send(n, true, 0, &n->client[1].at[0], &dst, bye, len);
    n->client[1].used = false;
    net_run(n, TN_MS(100));
    restart(n, 0);
    assert_int_equal(heard(n, 2), 1);
    assert_int_equal(tn_server_counters(&n->server)->anew, 1);
    net_free(n);
}

static bool keep_anew(struct net *n, struct net_packet *p)
{
    if (!p->to_server && p->len == ANEW_LEN && tn_addr_equal(&p->dst, &n->client[1].at[0]))
        n->kept = *p;
    return true;
}

static void a_forged_or_repeated_one_is_not_heard(void **state)
{
    struct net *n = bound(5);

    (void)state;
    n->tap = keep_anew;
    restart(n, 0);
    assert_int_equal(n->kept.data[0], TN_CTL_DATA);
    n->tap = NULL;
    for (size_t i = 0; i <= n->kept.len; i++) {
        struct net_packet p = n->kept;

        if (i < p.len)
            p.data[i] ^= 1; /* the last one is as it was */
        net_send(n, false, 0, &p.src, &p.dst, p.data, p.len);
        net_run(n, TN_MS(50));
    }
    assert_int_equal(heard(n, 1), 1);
    net_free(n);
}

static void what_is_to_be_told_has_a_bound_and_ends_with_the_session(void **state)
{
    struct net *n = bound(6);
    uint32_t slot = tn_ctl_index_slot(n->client[0].c.session.remote_index, n->server.slot_bits);
    struct tn_server_session *x = &n->server.mem.session[slot];
    struct tn_server_out out;
    unsigned told = 0;

    (void)state;
    for (unsigned i = 0; i < TN_SERVER_ANEW_ROWS; i++) {
        x->is_anew = true;
        tn_server_anew_add(&n->server, slot);
        tn_server_anew_add(&n->server, slot); /* it is anew once */
    }
    assert_int_equal(n->server.anew.count, TN_SERVER_ANEW_ROWS);
    assert_true(tn_server_next_deadline(&n->server) <= n->now.us);
    while (tn_server_news_next(&n->server, n->now, &out))
        told++;
    assert_int_equal(told, TN_SERVER_ANEW_ROWS);
    x->is_anew = true;
    tn_server_anew_add(&n->server, slot);
    assert_int_equal(n->server.anew.count, 2);
    tn_server_release(&n->server, slot);
    assert_false(tn_server_news_next(&n->server, n->now, &out));
    assert_int_equal(n->server.anew.count, 0);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_a_device_spoke_with_hears_at_once_that_it_has_begun_anew),
        cmocka_unit_test(that_another_member_begins_anew_is_told_nobody),
        cmocka_unit_test(a_device_that_the_coordinator_did_not_have_is_told_of_to_nobody),
        cmocka_unit_test(who_is_away_is_not_told),
        cmocka_unit_test(a_forged_or_repeated_one_is_not_heard),
        cmocka_unit_test(what_is_to_be_told_has_a_bound_and_ends_with_the_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
