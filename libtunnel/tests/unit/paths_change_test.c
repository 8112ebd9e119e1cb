/* One end's paths while the network changes: a stream that breaks off, a NAT that moves. */
#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths.h"
#include "libtunnel/path/paths_priv.h"
#include "vectors.h"

#define WISHES 256

static struct tn_paths paths;
static struct tn_rng rng;
static struct tn_now now;
static struct tn_path_wish wish[WISHES];
static size_t wishes, connects;
static struct tn_way peer, relay = {.via = TN_VIA_RELAY};

static struct tn_addr v4(uint8_t last)
{
    const uint8_t ip[4] = {198, 51, 100, last};

    return tn_addr_v4(ip, 5000);
}

static void pull(void)
{
    wishes = 0;
    tn_paths_tick(&paths, &now);
    while (wishes < WISHES && tn_paths_poll(&paths, &rng, &now, &wish[wishes]))
        wishes++;
    if (tn_paths_take_connect(&paths, &rng, &now))
        connects++;
}

/* Until then nothing comes in. What was wished for on the way is kept. */
static void silence(uint64_t us)
{
    uint64_t end_us = now.us + us;
    struct tn_path_wish kept[WISHES];
    size_t count = 0;

    while (tn_paths_next(&paths) <= end_us) {
        now.us = tn_paths_next(&paths) > now.us ? tn_paths_next(&paths) : now.us;
        pull();
        for (size_t i = 0; i < wishes && count < WISHES; i++)
            kept[count++] = wish[i];
    }
    now.us = end_us;
    memcpy(wish, kept, count * sizeof *kept);
    wishes = count;
}

static void answer_all(void)
{
    size_t count = wishes;
    struct tn_path_wish w[WISHES];

    memcpy(w, wish, count * sizeof *w);
    for (size_t i = 0; i < count; i++) {
        if (w[i].kind != TN_PATH_WISH_PING)
            continue;
        tn_paths_on_authentic(&paths, &w[i].to, w[i].size, &now);
        tn_paths_on_pong(&paths, &w[i].to, w[i].txid, w[i].size, NULL, &now);
    }
}

static void offer(struct tn_addr addr)
{
    const struct tn_cand_wire c = {.origin = TN_CAND_REFLEXIVE, .addr = addr};

    (void)tn_paths_offer(&paths, &c, 1, NULL, 0, &now);
}

static int begin(void **state)
{
    const struct tn_paths_config cfg = {.mtu = 1400};
    const uint8_t seed[32] = {1};

    (void)state;
    now.us = TN_S(100);
    connects = 0;
    tn_rng_init(&rng, seed);
    tn_paths_init(&paths, &cfg, &now);
    tn_paths_set_relay(&paths, true, &now);
    tn_paths_set_session(&paths, true, &now);
    return 0;
}

/* Direct, with a round-trip time of 40 ms. */
static int begin_direct(void **state)
{
    (void)begin(state);
    peer = (struct tn_way){.via = TN_VIA_DIRECT, .addr = v4(1)};
    offer(peer.addr);
    tn_paths_on_authentic(&paths, &peer, 32, &now);
    pull();
    now.us += TN_MS(40);
    answer_all();
    assert_int_equal(tn_paths_via(&paths), TN_VIA_DIRECT);
    return 0;
}

/* One packet out and one in, `times` times, so far apart. */
static void talk(unsigned times, uint64_t apart_us)
{
    for (unsigned i = 0; i < times; i++) {
        tn_paths_on_data_sent(&paths, 100, &now);
        tn_paths_on_authentic(&paths, &peer, 100, &now);
        now.us += apart_us;
        pull();
        answer_all();
    }
}

static void expect_route(uint8_t via)
{
    struct tn_way route;

    tn_paths_route(&paths, &now, &route);
    assert_int_equal(route.via, via);
}

static size_t pings_to(const struct tn_way *way)
{
    size_t count = 0;

    for (size_t i = 0; i < wishes; i++)
        count += wish[i].kind == TN_PATH_WISH_PING && wish[i].to.via == way->via &&
                 tn_addr_equal(&wish[i].to.addr, &way->addr);
    return count;
}

static void a_stream_that_breaks_off_is_asked_after_though_nothing_is_sent(void **state)
{
    (void)state;
    talk(100, TN_MS(5));
    assert_false(tn_paths_in_distress(&paths));
    silence(TN_MS(200));
    assert_int_equal(pings_to(&peer), 1);
    assert_true(tn_paths_in_distress(&paths));
    silence(TN_MS(250));
    expect_route(TN_VIA_RELAY);
}

static void an_answer_ends_the_distress(void **state)
{
    (void)state;
    talk(100, TN_MS(5));
    silence(TN_MS(200));
    answer_all();
    assert_false(tn_paths_in_distress(&paths));
    expect_route(TN_VIA_DIRECT);
    silence(TN_MS(600));
    assert_int_equal(pings_to(&peer), 0); /* the stream has ended, and its end was good */
}

static void a_stream_on_the_relay_is_asked_after_as_well(void **state)
{
    (void)state;
    peer = relay;
    talk(100, TN_MS(5));
    silence(TN_MS(200));
    assert_int_equal(pings_to(&relay), 1);
    assert_true(tn_paths_in_distress(&paths));
}

static void single_packets_make_no_ping(void **state)
{
    (void)state;
    talk(14, TN_MS(40));
    silence(TN_MS(300)); /* the next heartbeat is later */
    assert_int_equal(pings_to(&peer), 0);
    assert_false(tn_paths_in_distress(&paths));
}

static void a_nat_that_moved_sends_data_by_the_relay_and_asks_for_a_punch_at_once(void **state)
{
    (void)state;
    talk(10, TN_MS(5));
    connects = 0;
    tn_paths_on_moved(&paths, true, &now);
    expect_route(TN_VIA_RELAY);
    pull();
    assert_int_equal(connects, 1);
    assert_int_equal(pings_to(&peer), 1);
    answer_all(); /* it did not concern this path */
    expect_route(TN_VIA_DIRECT);
}

/* It waited in our socket while we slept, or was on its way to the address that we had. */
static void what_comes_in_after_a_change_does_not_make_the_old_path_good(void **state)
{
    size_t asked = 0;

    (void)state;
    talk(10, TN_MS(5));
    tn_paths_on_network_change(&paths, &now);
    for (unsigned i = 0; i < 20; i++) {
        tn_paths_on_authentic(&paths, &peer, 1400, &now);
        tn_paths_on_data_sent(&paths, 100, &now);
        expect_route(TN_VIA_RELAY);
        pull();
        asked += pings_to(&peer);
        now.us += TN_MS(5);
    }
    assert_in_range(asked, 2, 3); /* at once, and as it might be the peer's first by the new way */
}

static void after_a_change_an_answer_to_an_older_ping_proves_nothing(void **state)
{
    (void)state;
    talk(10, TN_MS(5));
    tn_paths_on_network_change(&paths, &now);
    pull();
    assert_int_equal(pings_to(&peer), 1);
    now.us += TN_MS(1);
    tn_paths_on_network_change(&paths, &now); /* another */
    answer_all();
    expect_route(TN_VIA_RELAY);
    pull();
    assert_int_equal(pings_to(&peer), 1);
    answer_all();
    expect_route(TN_VIA_DIRECT);
    tn_paths_on_authentic(&paths, &peer, 1400, &now);
    expect_route(TN_VIA_DIRECT);
}

static void a_nat_of_the_other_family_that_moved_changes_nothing(void **state)
{
    (void)state;
    talk(10, TN_MS(5));
    connects = 0;
    tn_paths_on_moved(&paths, false, &now);
    expect_route(TN_VIA_DIRECT);
    pull();
    assert_int_equal(connects + pings_to(&peer), 0);
}

/* The coordinator was dead, and TLS the last that was tried: that says nothing of the path to a peer. */
static void udp_that_is_back_leaves_a_good_path_as_it_is(void **state)
{
    (void)state;
    talk(10, TN_MS(5));
    connects = 0;
    tn_paths_on_udp_back(&paths, &now);
    expect_route(TN_VIA_DIRECT);
    pull();
    assert_int_equal(connects + pings_to(&peer), 0);
}

static void an_idle_path_behind_a_nat_that_moved_costs_nothing_until_it_is_used(void **state)
{
    (void)state;
    talk(10, TN_MS(5));
    silence(TN_S(3));
    connects = 0;
    tn_paths_on_moved(&paths, true, &now);
    pull();
    assert_int_equal(connects + pings_to(&peer), 0);
    expect_route(TN_VIA_RELAY);
    tn_paths_on_data_sent(&paths, 100, &now);
    pull();
    assert_int_equal(pings_to(&peer), 1);
}

static void the_last_rounds_are_kept_for_addresses_that_are_new(void **state)
{
    size_t punched = 0;

    (void)state;
    for (uint8_t i = 1; i <= 4; i++)
        offer(v4(i));
    for (unsigned round = 0; round < 2; round++) { /* all are silent */
        tn_paths_punch(&paths, 0, &now);
        silence(TN_S(2));
    }
    paths.round_tokens = TN_ROUND_TOKENS_KEPT;
    paths.round_refill_us = now.us;
    offer(v4(9));
    tn_paths_punch(&paths, 0, &now);
    pull();
    for (size_t i = 0; i < wishes; i++) {
        struct tn_addr fresh = v4(9);

        if (wish[i].kind != TN_PATH_WISH_PUNCH)
            continue;
        assert_true(tn_addr_equal(&wish[i].to.addr, &fresh));
        punched++;
    }
    assert_true(punched > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stream_that_breaks_off_is_asked_after_though_nothing_is_sent, begin_direct),
        cmocka_unit_test_setup(an_answer_ends_the_distress, begin_direct),
        cmocka_unit_test_setup(a_stream_on_the_relay_is_asked_after_as_well, begin),
        cmocka_unit_test_setup(single_packets_make_no_ping, begin_direct),
        cmocka_unit_test_setup(a_nat_that_moved_sends_data_by_the_relay_and_asks_for_a_punch_at_once, begin_direct),
        cmocka_unit_test_setup(what_comes_in_after_a_change_does_not_make_the_old_path_good, begin_direct),
        cmocka_unit_test_setup(after_a_change_an_answer_to_an_older_ping_proves_nothing, begin_direct),
        cmocka_unit_test_setup(a_nat_of_the_other_family_that_moved_changes_nothing, begin_direct),
        cmocka_unit_test_setup(udp_that_is_back_leaves_a_good_path_as_it_is, begin_direct),
        cmocka_unit_test_setup(an_idle_path_behind_a_nat_that_moved_costs_nothing_until_it_is_used, begin_direct),
        cmocka_unit_test_setup(the_last_rounds_are_kept_for_addresses_that_are_new, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
