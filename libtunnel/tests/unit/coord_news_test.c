/* Members hear at once that their roster has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"
#include "libtunnel/coord/server_priv.h"
#include "member_fixture.h"

#define CROWD 100 /* more than go in one burst */

static unsigned heard(const struct net *n, unsigned i)
{
    return n->client[i].seen[TN_COORD_EV_ROSTER_SEQ];
}

static uint64_t told(const struct net *n)
{
    return tn_server_counters(&n->server)->news;
}

/* Three members, who were told of each other. PINGs are 15 s apart, so what they hear in the next seconds is news. */
static struct net *begin(uint64_t seed)
{
    struct net *n = net_of_members(seed, 3);

    net_run(n, TN_S(2));
    return n;
}

static void join(struct net *n, unsigned i, unsigned network)
{
    net_add(n, i, 1);
    net_join(n, i, network);
    net_run(n, TN_S(3));
    assert_true(net_all_joined(n));
}

static struct tn_server_session *session_of(struct net *n, unsigned i)
{
    for (uint32_t slot = 0; slot < n->server.mem.session_count; slot++) {
        struct tn_server_session *x = &n->server.mem.session[slot];

        if (x->state == TN_SERVER_MEMBER && !memcmp(x->identity, n->client[i].identity, 32))
            return x;
    }
    fail_msg("member %u has no session", i);
    return NULL;
}

static void who_is_connected_hears_of_a_new_member(void **state)
{
    struct net *n = begin(1);
    unsigned before[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        before[i] = heard(n, i);
    join(n, 3, FIX_NETWORK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(heard(n, i), before[i] + 1);
        assert_int_equal(n->client[i].last[TN_COORD_EV_ROSTER_SEQ].seq, 4);
    }
    net_free(n);
}

static void a_join_that_changes_nothing_is_no_news(void **state)
{
    struct net *n = begin(2);
    uint64_t before = told(n);

    (void)state;
    assert_true(before > 0);
    n->client[0].seen[TN_COORD_EV_JOIN_RESULT] = 0;
    net_join(n, 0, FIX_NETWORK);
    net_run(n, TN_S(3));
    assert_int_equal(n->client[0].seen[TN_COORD_EV_JOIN_RESULT], 1);
    assert_int_equal(told(n), before);
    net_free(n);
}

static void another_network_hears_nothing(void **state)
{
    struct net *n = begin(3);
    unsigned before = heard(n, 0);

    (void)state;
    join(n, 4, FIX_NETWORK + 1);
    join(n, 5, FIX_NETWORK + 1);
    assert_int_equal(heard(n, 0), before);
    assert_true(heard(n, 4) > 0);
    net_free(n);
}

static void who_pays_for_bytes_is_told_nothing(void **state)
{
    struct net *n = begin(4);
    unsigned before = heard(n, 1);

    (void)state;
    session_of(n, 1)->life_us = TN_S(3600);
    join(n, 3, FIX_NETWORK);
    assert_int_equal(heard(n, 1), before);
    assert_true(heard(n, 0) > 0);
    net_free(n);
}

/* More members than the fixture has slots for: the first, again and again. */
static void fill_slots(struct net *n)
{
    static struct tn_server_session many[NET_SESSIONS + CROWD];

    memcpy(many, n->session, sizeof n->session);
    for (unsigned i = 0; i < CROWD; i++)
        many[NET_SESSIONS + i] = *session_of(n, 0);
    n->server.mem.session = many;
    n->server.mem.session_count = NET_SESSIONS + CROWD;
}

static unsigned drain(struct net *n)
{
    struct tn_server_out out;
    unsigned count = 0;

    while (tn_server_news_next(&n->server, n->now, &out))
        count++;
    return count;
}

static void many_are_told_in_bursts_and_a_change_meanwhile_is_the_next_rounds(void **state)
{
    struct net *n = begin(5);
    uint64_t network = session_of(n, 0)->network, began = n->now.us, last_us = 0;
    unsigned count = 0, bursts = 0;

    (void)state;
    fill_slots(n);
    tn_server_news_add(&n->server, network, 50, n->now);
    while (n->now.us - began < TN_S(5)) {
        unsigned now = drain(n);

        last_us = now ? n->now.us : last_us;
        assert_in_range(now, 0, 64);
        bursts += now > 0;
        count += now;
        if (bursts == 1 && now)
            tn_server_news_add(&n->server, network, 51, n->now);
        net_advance(n, n->now.us + TN_MS(5));
    }
    assert_int_equal(count, 2 * (3 + CROWD));
    assert_int_equal(bursts, 4);
    assert_in_range(last_us - began, TN_S(1), TN_S(2));
    net_free(n);
}

static void a_row_that_another_network_takes_ends_its_round(void **state)
{
    struct net *n = begin(6);
    uint64_t network = session_of(n, 0)->network;

    (void)state;
    fill_slots(n);
    tn_server_news_add(&n->server, network, 50, n->now);
    assert_int_equal(drain(n), 64);
    tn_server_news_add(&n->server, network + TN_SERVER_NEWS_ROWS, 7, n->now);
    net_advance(n, n->now.us + TN_S(1));
    assert_int_equal(drain(n), 0); /* nobody is of that network */
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_connected_hears_of_a_new_member),
        cmocka_unit_test(a_join_that_changes_nothing_is_no_news),
        cmocka_unit_test(another_network_hears_nothing),
        cmocka_unit_test(who_pays_for_bytes_is_told_nothing),
        cmocka_unit_test(many_are_told_in_bursts_and_a_change_meanwhile_is_the_next_rounds),
        cmocka_unit_test(a_row_that_another_network_takes_ends_its_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
