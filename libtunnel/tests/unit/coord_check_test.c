/* Dial-backs of the coordinator: where they go, what they cost, and that nobody can be hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordnet.h"
#include "member_fixture.h"

#define IP_UDP_V4 28
#define IP_UDP_V6 48

static struct tn_server_out out[TN_SERVER_OUT_MAX];

/* A CHECK of client i for `addr`, in at the server as from `src`; how many datagrams came out. */
static size_t check(struct net *n, unsigned i, const struct tn_addr *addr, uint8_t from,
                    const struct tn_addr *src)
{
    static uint8_t d[TN_CTL_MAX_LEN];
    struct tn_msg m = {.type = TN_MSG_CHECK, .request_id = 9, .from = from, .observed = *addr,
                       .nonce = {1, 2, 3, 4, 5, 6, 7, 8}};
    size_t len;

    assert_int_equal(tn_msg_encode(&m, d + TN_CTL_DATA_HEADER_LEN, TN_MSG_MAX_LEN, &len), 0);
    assert_int_equal(tn_ctl_seal(&n->client[i].c.session, d, len), 0);
    return tn_server_on_datagram(&n->server, 3, src, d, len + TN_CTL_DATA_OVERHEAD, n->now, out);
}

/* The answer is the last; its status. */
static struct tn_msg answer_of(struct net *n, unsigned i, size_t count)
{
    struct tn_server_out *last = &out[count - 1];
    struct tn_msg m;

    assert_in_range(count, 1, TN_SERVER_OUT_MAX);
    assert_int_equal(tn_ctl_open(&n->client[i].c.session, last->data, last->len), 0);
    assert_int_equal(tn_msg_decode(last->data + TN_CTL_DATA_HEADER_LEN,
                                   last->len - TN_CTL_DATA_OVERHEAD, &m), 0);
    assert_int_equal(m.type, TN_MSG_CHECK | TN_MSG_ANSWER);
    assert_int_equal(m.request_id, 9);
    return m;
}

static struct net *net_that_dials(uint64_t seed, uint8_t can)
{
    struct net *n = net_of_members(seed, 2);

    n->server.cfg.dial_from[0] = can;
    n->server.cfg.dial_from[1] = can;
    return n;
}

static void a_member_is_dialled_from_each_place_that_it_names(void **state)
{
    struct net *n = net_that_dials(1, TN_DIAL_ALL);
    struct tn_addr at = n->client[0].at[0], mapped = at;
    uint8_t from, nonce[TN_DIAL_NONCE_LEN];
    size_t count;

    (void)state;
    mapped.port = 50123; /* any port of its own address */
    count = check(n, 0, &mapped, TN_DIAL_ALL, &at);
    assert_int_equal(count, 4);
    assert_int_equal(answer_of(n, 0, count).from, TN_DIAL_ALL);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tn_addr_equal(&out[i].dst, &mapped));
        assert_int_equal(out[i].port, 3);
        assert_true(tn_ctl_dial_decode(out[i].data, out[i].len, &from, nonce));
        assert_int_equal(from, 1 << i);
        assert_int_equal(out[i].turn, i ? from : 0);
        assert_memory_equal(nonce, ((uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}), sizeof(nonce));
    }
    assert_true(tn_addr_equal(&out[3].dst, &at));
    assert_int_equal(out[3].turn, 0);
    net_free(n);
}

static void the_answer_says_what_a_small_coordinator_cannot(void **state)
{
    struct net *n = net_that_dials(2, TN_DIAL_PORT);
    struct tn_addr at = n->client[0].at[0];
    size_t count = check(n, 0, &at, TN_DIAL_PORT | TN_DIAL_ADDRESS, &at);

    (void)state;
    assert_int_equal(count, 2);
    assert_int_equal(answer_of(n, 0, count).from, TN_DIAL_PORT);
    count = check(n, 0, &at, TN_DIAL_ADDRESS, &at);
    assert_int_equal(count, 1);
    assert_int_equal(answer_of(n, 0, count).from, 0);
    net_free(n);
}

static void nobody_else_is_ever_dialled(void **state)
{
    struct net *n = net_that_dials(3, TN_DIAL_ALL);
    struct tn_addr at = n->client[0].at[0];
    struct tn_addr others[] = {n->client[1].at[0], n->client[0].at[1], net_v4(250, at.port),
                               net_v6(7, 700), {.port = 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        size_t count = check(n, 0, &others[i], TN_DIAL_ALL, &at);

        assert_int_equal(count, 1);
        assert_int_equal(answer_of(n, 0, count).status, TN_STATUS_ELSEWHERE);
    }
    others[0] = at;
    others[0].port = 53; /* a port that is never probed */
    assert_int_equal(check(n, 0, &others[0], TN_DIAL_ALL, &at), 1);
    assert_int_equal(tn_server_counters(&n->server)->dials, 0);
    net_free(n);
}

static void a_guest_is_not_dialled(void **state)
{
    struct net *n = net_that_dials(4, TN_DIAL_ALL);
    struct net_client *guest = net_add(n, 2, 1);

    (void)state;
    net_run(n, TN_S(1));
    assert_int_equal(check(n, 2, &guest->at[0], TN_DIAL_ALL, &guest->at[0]), 1);
    assert_int_equal(answer_of(n, 2, 1).status, TN_STATUS_NOT_MEMBER);
    net_free(n);
}

static void all_that_a_check_causes_weighs_no_more_than_itself(void **state)
{
    struct net *n = net_that_dials(5, TN_DIAL_ALL);
    size_t in = TN_CTL_DATA_OVERHEAD + TN_MSG_HEADER_LEN + TN_MSG_CHECK_BODY_LEN;

    (void)state;
    for (int family = 0; family < 2; family++) {
        size_t header = family ? IP_UDP_V6 : IP_UDP_V4, bytes = 0;
        struct tn_addr at = family ? net_v6(9, 900) : n->client[0].at[0];
        size_t count = check(n, 0, &at, TN_DIAL_ALL, &at);

        assert_int_equal(count, 4);
        for (size_t i = 0; i < count; i++)
            bytes += out[i].len + header;
        assert_in_range(bytes, 1, in + header);
    }
    net_free(n);
}

static void a_flood_of_checks_runs_dry(void **state)
{
    struct net *n = net_that_dials(6, TN_DIAL_ALL);
    struct tn_addr at = n->client[0].at[0];
    unsigned served = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        served += check(n, 0, &at, TN_DIAL_ALL, &at) != 0;
    assert_in_range(served, 1, 20); /* 800 units, 40 each */
    net_free(n);
}

/* ---- the member's end ---- */

static void the_client_tells_which_were_sent(void **state)
{
    struct net *n = net_that_dials(7, TN_DIAL_PORT);
    struct net_client *k = &n->client[0];

    (void)state;
    assert_int_equal(tn_coord_client_check(&k->c, 0x1122334455667788u, TN_DIAL_PORT | TN_DIAL_ADDRESS,
                                           &k->at[0], n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->seen[TN_COORD_EV_CHECK_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].seq, 0x1122334455667788u);
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].from, TN_DIAL_PORT);
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].status, TN_STATUS_OK);
    net_free(n);
}

/* An address of the family that is not at home is dialled from that family, and home stays home. */
static void the_other_family_is_asked_by_the_other_family(void **state)
{
    struct net *n = net_that_dials(8, TN_DIAL_PORT);
    struct net_client *k = net_add(n, 2, 3);
    uint8_t home;

    (void)state;
    net_join(n, 2, FIX_NETWORK);
    net_run(n, TN_S(2));
    home = k->c.home;
    assert_int_equal(tn_coord_client_check(&k->c, 1, TN_DIAL_PORT, &k->at[!home], n->now), 0);
    net_run(n, TN_S(1));
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].status, TN_STATUS_OK);
    assert_int_equal(k->c.home, home);
    for (unsigned i = 0; i < NET_SESSIONS; i++) {
        if (n->session[i].state == TN_SERVER_MEMBER && !memcmp(n->session[i].identity, k->identity, 32))
            assert_int_equal(n->session[i].home, home);
    }
    net_free(n);
}

static void a_coordinator_that_is_silent_is_told_as_such(void **state)
{
    struct net *n = net_that_dials(9, TN_DIAL_PORT);
    struct net_client *k = &n->client[0];

    (void)state;
    n->server_up = false;
    assert_int_equal(tn_coord_client_check(&k->c, 5, TN_DIAL_PORT, &k->at[0], n->now), 0);
    net_run(n, TN_S(60));
    assert_int_equal(k->seen[TN_COORD_EV_CHECK_RESULT], 1);
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].seq, 5);
    assert_int_equal(k->last[TN_COORD_EV_CHECK_RESULT].status, TN_STATUS_NO_ANSWER);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_dialled_from_each_place_that_it_names),
        cmocka_unit_test(the_answer_says_what_a_small_coordinator_cannot),
        cmocka_unit_test(nobody_else_is_ever_dialled),
        cmocka_unit_test(a_guest_is_not_dialled),
        cmocka_unit_test(all_that_a_check_causes_weighs_no_more_than_itself),
        cmocka_unit_test(a_flood_of_checks_runs_dry),
        cmocka_unit_test(the_client_tells_which_were_sent),
        cmocka_unit_test(the_other_family_is_asked_by_the_other_family),
        cmocka_unit_test(a_coordinator_that_is_silent_is_told_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
