/* TCP connections as candidates of one end. */
#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths_priv.h"
#include "paths_fixture.h"
#include "vectors.h"

#define MTU 1400
#define WISHES 64

static struct tn_addr stream(uint64_t id)
{
    const uint8_t share[4] = {0, 0, 0, 1};

    return tn_addr_stream(share, id);
}

static struct tn_addr host(uint8_t last)
{
    const uint8_t ip[4] = {198, 51, 100, last};

    return tn_addr_v4(ip, 40000);
}

static int begin_as(bool relay_only)
{
    const struct tn_paths_config cfg = {.mtu = MTU, .relay_only = relay_only};

    return paths_begin(&cfg);
}

static int begin(void **state)
{
    (void)state;
    return begin_as(false);
}

static const struct tn_cand *candidate(const struct tn_addr *a)
{
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++) {
        const struct tn_cand *c = tn_paths_cand(&paths, i);

        if (c && tn_addr_equal(&c->addr, a))
            return c;
    }
    return NULL;
}

/* PINGs that go to `a` within `us`, of which `full` are long; each is answered after `rtt_us`, unless that is 0. */
static unsigned pings(const struct tn_addr *a, uint64_t us, uint64_t rtt_us, unsigned *full)
{
    uint64_t end_us = now.us + us;
    unsigned count = 0;

    *full = 0;
    for (; now.us < end_us; now.us += TN_MS(10)) {
        struct tn_path_wish w[WISHES];
        size_t wishes = 0;

        tn_paths_tick(&paths, &now);
        while (wishes < WISHES && tn_paths_poll(&paths, &rng, &now, &w[wishes]))
            wishes++;
        if (rtt_us)
            now.us += rtt_us;
        for (size_t i = 0; i < wishes; i++) {
            if (!tn_addr_equal(&w[i].to.addr, a))
                continue;
            assert_int_equal(w[i].kind, TN_PATH_WISH_PING); /* there is no NAT to be punched by that way */
            count++;
            *full += w[i].full;
            if (!rtt_us)
                continue;
            tn_paths_on_authentic(&paths, &w[i].to, w[i].size, &now);
            assert_true(tn_paths_on_pong(&paths, &w[i].to, w[i].txid, w[i].size, NULL, &now));
        }
    }
    return count;
}

static void expect(uint8_t via, const struct tn_addr *a)
{
    struct tn_way route;

    tn_paths_route(&paths, &now, &route);
    assert_int_equal(route.via, via);
    if (a)
        assert_true(tn_addr_equal(&route.addr, a));
}

static void it_is_asked_with_small_pings_until_something_authentic_comes(void **state)
{
    struct tn_addr a = stream(1);
    unsigned full;

    (void)state;
    assert_true(tn_paths_tcp_opened(&paths, &a, &now));
    assert_in_range(pings(&a, TN_S(3), 0, &full), 3, 10);
    assert_int_equal(full, 0);
    assert_int_equal(candidate(&a)->verdict, TN_CAND_SILENT);
    assert_int_equal(candidate(&a)->origin, TN_CAND_TCP);
    expect(TN_VIA_RELAY, NULL);
}

static void answered_in_full_size_it_carries_data(void **state)
{
    struct tn_addr a = stream(1);
    unsigned full;

    (void)state;
    assert_true(tn_paths_tcp_opened(&paths, &a, &now));
    assert_true(pings(&a, TN_S(1), TN_MS(40), &full) > 1);
    assert_true(full > 0);
    expect(TN_VIA_DIRECT, &a);
}

static void it_goes_with_its_connection(void **state)
{
    struct tn_addr a = stream(1), b = stream(2);
    unsigned full;

    (void)state;
    assert_true(tn_paths_tcp_opened(&paths, &a, &now));
    pings(&a, TN_S(1), TN_MS(40), &full);
    tn_paths_tcp_closed(&paths, &b, &now); /* none of ours */
    expect(TN_VIA_DIRECT, &a);
    tn_paths_tcp_closed(&paths, &a, &now);
    expect(TN_VIA_RELAY, NULL);
    assert_null(candidate(&a));
    assert_int_equal(tn_paths_via(&paths), TN_VIA_RELAY);
    assert_int_equal(pings(&a, TN_S(5), 0, &full), 0);
    tn_paths_set_relay(&paths, false, &now); /* nor is it what is left when nothing is */
    expect(TN_VIA_NONE, NULL);
}

static void one_that_the_peer_began_is_known_by_what_is_authentic(void **state)
{
    struct tn_addr a = stream(7);
    const struct tn_way from = {.via = TN_VIA_DIRECT, .addr = a};
    unsigned full;

    (void)state;
    tn_paths_on_authentic(&paths, &from, 32, &now);
    assert_int_equal(candidate(&a)->origin, TN_CAND_TCP);
    pings(&a, TN_S(1), TN_MS(40), &full);
    expect(TN_VIA_DIRECT, &a);
}

/* Nobody can name one: where a candidate has such an address, it came over the network, and is refused. */
static void none_comes_in_a_list(void **state)
{
    const struct tn_cand_wire c = {.origin = TN_CAND_HOST, .addr = stream(1)};
    unsigned full;

    (void)state;
    assert_int_equal(tn_paths_offer(&paths, &c, 1, NULL, 0, &now), 0);
    tn_paths_punch(&paths, 0, &now);
    assert_int_equal(pings(&c.addr, TN_S(2), 0, &full), 0);
}

static void udp_is_better_unless_it_is_slower_by_far(void **state)
{
    struct tn_addr a = stream(1), b = host(1);
    const struct tn_way from = {.via = TN_VIA_DIRECT, .addr = b};
    unsigned full;

    (void)state;
    assert_true(tn_paths_tcp_opened(&paths, &a, &now));
    pings(&a, TN_S(1), TN_MS(20), &full);
    expect(TN_VIA_DIRECT, &a);
    tn_paths_on_authentic(&paths, &from, 32, &now);
    pings(&b, TN_MS(100), TN_MS(40), &full);
    expect(TN_VIA_DIRECT, &b);
    begin(NULL);
    assert_true(tn_paths_tcp_opened(&paths, &a, &now));
    pings(&a, TN_S(1), TN_MS(20), &full);
    tn_paths_on_authentic(&paths, &from, 32, &now);
    pings(&b, TN_MS(100), TN_MS(200), &full);
    assert_int_equal(candidate(&b)->verdict, TN_CAND_CHECKED);
    assert_int_equal(tn_paths_via(&paths), TN_VIA_DIRECT);
    assert_true(tn_addr_equal(&tn_paths_direct(&paths)->addr, &a));
}

static void a_peer_that_is_reached_by_the_relay_alone_has_none(void **state)
{
    struct tn_addr a = stream(1);

    (void)state;
    assert_int_equal(begin_as(true), 0);
    assert_false(tn_paths_tcp_opened(&paths, &a, &now));
    assert_null(candidate(&a));
}

static void there_is_room_for_some_and_a_useless_one_makes_room(void **state)
{
    unsigned full, opened = 0;

    (void)state;
    for (uint64_t i = 1; i <= 20; i++) {
        struct tn_addr a = stream(i);

        opened += tn_paths_tcp_opened(&paths, &a, &now);
    }
    assert_int_equal(opened, TN_PATHS_PER_FAMILY);
    pings(&(struct tn_addr){0}, TN_S(3), 0, &full); /* all are silent now */
    assert_true(tn_paths_tcp_opened(&paths, &(struct tn_addr){.ip = {1, [15] = 99}, .port = 443}, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_asked_with_small_pings_until_something_authentic_comes, begin),
        cmocka_unit_test_setup(answered_in_full_size_it_carries_data, begin),
        cmocka_unit_test_setup(it_goes_with_its_connection, begin),
        cmocka_unit_test_setup(one_that_the_peer_began_is_known_by_what_is_authentic, begin),
        cmocka_unit_test_setup(none_comes_in_a_list, begin),
        cmocka_unit_test_setup(udp_is_better_unless_it_is_slower_by_far, begin),
        cmocka_unit_test_setup(a_peer_that_is_reached_by_the_relay_alone_has_none, begin),
        cmocka_unit_test_setup(there_is_room_for_some_and_a_useless_one_makes_room, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
