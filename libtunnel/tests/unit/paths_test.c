/* One end's paths, event by event. */
#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths_priv.h"
#include "paths_fixture.h"
#include "vectors.h"

#define MTU 1400
#define WISHES 256

static struct tn_path_wish wish[WISHES];
static size_t wishes;

static struct tn_addr v4(uint8_t last, uint16_t port)
{
    const uint8_t ip[4] = {198, 51, 100, last};

    return tn_addr_v4(ip, port);
}

static struct tn_way direct(struct tn_addr addr)
{
    return (struct tn_way){.via = TN_VIA_DIRECT, .addr = addr};
}

static int begin(void **state)
{
    const struct tn_paths_config cfg = {.mtu = MTU};

    (void)state;
    return paths_begin(&cfg);
}

static size_t offer(struct tn_addr addr)
{
    const struct tn_cand_wire c = {.origin = TN_CAND_REFLEXIVE, .addr = addr};

    return tn_paths_offer(&paths, &c, 1, NULL, 0, &now);
}

/* Ticks and collects the wishes. */
static void pull(void)
{
    wishes = 0;
    tn_paths_tick(&paths, &now);
    while (wishes < WISHES && tn_paths_poll(&paths, &rng, &now, &wish[wishes]))
        wishes++;
    assert_true(wishes < WISHES);
}

/* Goes on to a moment, tick by tick, and collects everything on the way. */
static void go_on(uint64_t us)
{
    uint64_t end_us = now.us + us;
    size_t count = 0;

    for (;;) {
        uint64_t next_us = tn_paths_next(&paths);

        if (next_us <= now.us) {
            struct tn_path_wish w;

            tn_paths_tick(&paths, &now);
            while (tn_paths_poll(&paths, &rng, &now, &w)) {
                assert_true(count < WISHES);
                wish[count++] = w;
            }
            (void)tn_paths_take_connect(&paths, &rng, &now);
            assert_true(tn_paths_next(&paths) > now.us);
            continue;
        }
        if (next_us > end_us)
            break;
        now.us = next_us;
    }
    now.us = end_us;
    wishes = count;
}

static void answer(const struct tn_path_wish *w, uint64_t after_us)
{
    now.us += after_us;
    tn_paths_on_authentic(&paths, &w->to, w->size, &now);
    assert_true(tn_paths_on_pong(&paths, &w->to, w->txid, w->size, NULL, &now));
}

/* Brings a candidate to CHECKED with that round-trip time. */
static void check_candidate(struct tn_addr addr, uint64_t rtt_us)
{
    struct tn_way from = direct(addr);
    struct tn_path_wish small = {0}, full = {0};

    offer(addr);
    tn_paths_on_authentic(&paths, &from, 32, &now);
    pull();
    for (size_t i = 0; i < wishes; i++) {
        if (wish[i].to.via != TN_VIA_DIRECT || !tn_addr_equal(&wish[i].to.addr, &addr))
            continue;
        if (wish[i].full)
            full = wish[i];
        else
            small = wish[i];
    }
    assert_true(small.size == 32 && full.size == MTU);
    answer(&small, rtt_us);
    answer(&full, 0);
}

static void expect_route(uint8_t via, const struct tn_addr *addr)
{
    struct tn_way route;

    tn_paths_route(&paths, &now, &route);
    assert_int_equal(route.via, via);
    if (addr)
        assert_true(tn_addr_equal(&route.addr, addr));
}

static void with_nothing_known_there_is_no_route(void **state)
{
    (void)state;
    tn_paths_set_relay(&paths, false, &now);
    expect_route(TN_VIA_NONE, NULL);
    offer(v4(1, 1000));
    tn_paths_punch(&paths, 0, &now);
    expect_route(TN_VIA_NONE, NULL);
    tn_paths_set_relay(&paths, true, &now);
    expect_route(TN_VIA_RELAY, NULL);
}

static void a_round_keeps_the_times_of_the_protocol(void **state)
{
    static const struct {
        uint32_t at_ms;
        uint8_t kind;
        bool low;
    } want[] = {
        {0, TN_PATH_WISH_PUNCH, true},    {30, TN_PATH_WISH_PUNCH, false},
        {30, TN_PATH_WISH_PING, false},   {50, TN_PATH_WISH_PUNCH, false},
        {70, TN_PATH_WISH_PUNCH, false},  {80, TN_PATH_WISH_PING, false},
        {130, TN_PATH_WISH_PING, false},  {230, TN_PATH_WISH_PING, false},
        {430, TN_PATH_WISH_PING, false},  {830, TN_PATH_WISH_PING, false},
    };
    uint64_t from_us = now.us;
    size_t at = 0;

    (void)state;
    offer(v4(1, 1000));
    tn_paths_punch(&paths, TN_MS(30), &now);
    for (uint64_t ms = 0; ms < 3000; ms++) {
        now.us = from_us + TN_MS(ms);
        pull();
        for (size_t i = 0; i < wishes; i++, at++) {
            assert_true(at < sizeof(want) / sizeof(want[0]));
            assert_int_equal(ms, want[at].at_ms);
            assert_int_equal(wish[i].kind, want[at].kind);
            assert_int_equal(wish[i].low_ttl, want[at].low);
            assert_false(wish[i].full); /* nothing has come from there */
        }
    }
    assert_int_equal(at, sizeof(want) / sizeof(want[0]));
    assert_int_equal(tn_paths_cand(&paths, 0)->verdict, TN_CAND_SILENT);
}

static void three_silent_rounds_are_followed_by_ten_minutes_of_silence(void **state)
{
    (void)state;
    offer(v4(1, 1000));
    for (int round = 0; round < 3; round++) {
        tn_paths_punch(&paths, 0, &now);
        go_on(TN_S(3));
        assert_int_equal(wishes, 10);
    }
    for (int i = 0; i < 59; i++) {
        offer(v4(1, 1000)); /* a coordinator that insists */
        tn_paths_punch(&paths, 0, &now);
        go_on(TN_S(10));
        assert_int_equal(wishes, 0);
    }
    go_on(TN_S(10));
    tn_paths_punch(&paths, 0, &now);
    go_on(TN_S(3));
    assert_int_equal(wishes, 10);
}

static void candidates_that_must_not_be_probed_are_shown_and_left_alone(void **state)
{
    const struct tn_cand_wire own = {.origin = TN_CAND_HOST, .addr = v4(7, 41641)};
    const uint8_t loop[4] = {127, 0, 0, 1};
    const struct tn_cand_wire bad[] = {
        {.origin = TN_CAND_HOST, .addr = tn_addr_v4(loop, 4000)},
        {.origin = TN_CAND_MAPPED, .addr = v4(9, 53)},
        own,
    };
    struct tn_way from = direct(bad[0].addr);

    (void)state;
    assert_int_equal(tn_paths_offer(&paths, bad, 3, &own, 1, &now), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tn_paths_cand(&paths, i)->verdict, TN_CAND_REFUSED);
    tn_paths_punch(&paths, 0, &now);
    tn_paths_on_authentic(&paths, &from, 32, &now);
    tn_paths_on_network_change(&paths, &now);
    go_on(TN_S(5));
    assert_int_equal(wishes, 0);
}

static void at_most_eight_candidates_a_family_are_kept(void **state)
{
    const uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    size_t v4_count = 0, v6_count = 0, added = 0;

    (void)state;
    for (uint8_t i = 0; i < 20; i++)
        added += offer(v4(i, 1000));
    assert_int_equal(added, 8);
    assert_int_equal(offer(v4(0, 1000)), 0); /* known */
    for (uint16_t i = 0; i < 20; i++)
        v6_count += offer(tn_addr_v6(ip6, (uint16_t)(1000 + i)));
    assert_int_equal(v6_count, 8);
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        v4_count += tn_addr_is_v4(&tn_paths_cand(&paths, i)->addr);
    assert_int_equal(v4_count, 8);
    assert_null(tn_paths_cand(&paths, TN_PATHS_CAND_MAX));
}

static void the_longest_silent_one_makes_room_and_a_good_one_never(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 7; i++) {
        now.us += 1000;
        offer(v4(i, 1000));
    }
    tn_paths_punch(&paths, 0, &now);
    go_on(TN_S(3));
    check_candidate(v4(7, 1000), TN_MS(20));
    for (uint8_t i = 8; i < 15; i++)
        assert_int_equal(offer(v4(i, 1000)), 1);
    assert_int_equal(offer(v4(16, 1000)), 0); /* one is good, the others are new */
    assert_int_equal(tn_paths_cand(&paths, 7)->verdict, TN_CAND_CHECKED);
    for (size_t i = 0; i < 7; i++) {
        struct tn_addr want = v4((uint8_t)(8 + i), 1000);

        assert_true(tn_addr_equal(&tn_paths_cand(&paths, i)->addr, &want));
    }
}

static void a_list_of_victims_gets_a_bounded_number_of_packets(void **state)
{
    size_t packets = 0;

    (void)state;
    for (int i = 0; i < 600; i++) { /* ten minutes of a coordinator that lies each second */
        for (uint8_t k = 0; k < 8; k++)
            offer(v4((uint8_t)(i * 8 + k), (uint16_t)(1000 + i)));
        tn_paths_punch(&paths, 0, &now);
        go_on(TN_S(1));
        packets += wishes;
    }
    print_message("# ten minutes of lies: %zu packets\n", packets);
    assert_true(packets <= (TN_ROUND_TOKENS_MAX + 60) * 10);
}

static void a_spoofed_source_makes_a_candidate_and_no_more(void **state)
{
    struct tn_addr good = v4(1, 1000);
    struct tn_way unknown = direct(v4(251, 9999));
    size_t packets = 0;

    (void)state;
    check_candidate(good, TN_MS(20));
    for (uint16_t i = 0; i < 1000; i++) {
        struct tn_way from = direct(v4((uint8_t)(i % 250), (uint16_t)(2000 + i)));

        tn_paths_on_authentic(&paths, &from, 100, &now);
        go_on(TN_MS(10));
        packets += wishes;
        tn_paths_on_authentic(&paths, &(struct tn_way){.via = TN_VIA_DIRECT, .addr = good}, 100,
                              &now);
        expect_route(TN_VIA_DIRECT, &good);
    }
    assert_true(packets < 400);
    go_on(TN_S(3)); /* until their rounds are over and they could make room */
    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        assert_true(!paths.cand[i].used || paths.cand[i].c.verdict != TN_CAND_NEW);
    paths.round_tokens = 0;
    tn_paths_on_authentic(&paths, &unknown, 100, &now);
    assert_null(tn_table_find(&paths, &unknown.addr)); /* nor does it push out what is known */
}

static void only_a_pong_from_where_the_ping_went_counts(void **state)
{
    struct tn_way from, elsewhere = direct(v4(2, 2000));
    const struct tn_way relay = {.via = TN_VIA_RELAY};
    struct tn_path_wish ping = {0};

    (void)state;
    offer(v4(1, 1000));
    offer(v4(2, 2000));
    tn_paths_punch(&paths, 0, &now);
    go_on(TN_MS(50));
    for (size_t i = 0; i < wishes; i++)
        if (wish[i].kind == TN_PATH_WISH_PING && tn_addr_equal(&wish[i].to.addr, &paths.cand[0].c.addr))
            ping = wish[i];
    assert_int_equal(ping.size, TN_LINK_MIN_LEN);
    from = ping.to;
    assert_false(tn_paths_on_pong(&paths, &elsewhere, ping.txid, TN_LINK_MIN_LEN, NULL, &now));
    assert_false(tn_paths_on_pong(&paths, &relay, ping.txid, TN_LINK_MIN_LEN, NULL, &now));
    assert_false(tn_paths_on_pong(&paths, &from, ping.txid ^ 1, TN_LINK_MIN_LEN, NULL, &now));
    assert_false(tn_paths_on_pong(&paths, &from, ping.txid, MTU, NULL, &now));
    assert_true(tn_paths_on_pong(&paths, &from, ping.txid, TN_LINK_MIN_LEN, NULL, &now));
    assert_false(tn_paths_on_pong(&paths, &from, ping.txid, TN_LINK_MIN_LEN, NULL, &now)); /* once */
    assert_int_equal(paths.cand[0].c.verdict, TN_CAND_ANSWERED_SMALL);
    expect_route(TN_VIA_RELAY, NULL);
}

static void a_pong_that_is_too_late_counts_for_nothing(void **state)
{
    struct tn_way from = direct(v4(1, 1000));

    (void)state;
    tn_paths_on_authentic(&paths, &from, 32, &now);
    pull();
    assert_true(wishes >= 1 && wish[0].kind == TN_PATH_WISH_PING);
    now.us += TN_PONG_VALID_US + 1;
    assert_false(tn_paths_on_pong(&paths, &from, wish[0].txid, wish[0].size, NULL, &now));
}

static void traffic_changes_path_only_for_a_real_gain(void **state)
{
    struct tn_addr slow = v4(1, 1000), near = v4(2, 1000), fast = v4(3, 1000);

    (void)state;
    check_candidate(slow, TN_MS(30));
    expect_route(TN_VIA_DIRECT, &slow);
    check_candidate(near, TN_MS(28)); /* a tenth of 30 is 3 */
    expect_route(TN_VIA_DIRECT, &slow);
    check_candidate(fast, TN_MS(10));
    expect_route(TN_VIA_DIRECT, &fast);
}

static void an_address_that_cannot_be_reached_is_left_at_once(void **state)
{
    struct tn_addr addr = v4(1, 1000);
    struct tn_path_event event;

    (void)state;
    tn_paths_on_data_sent(&paths, 100, &now);
    check_candidate(addr, TN_MS(20));
    assert_true(tn_paths_take_event(&paths, &event));
    assert_int_equal(event.via, TN_VIA_DIRECT);
    assert_int_equal(event.search_us, TN_MS(20));
    tn_paths_on_send_error(&paths, &addr, &now);
    expect_route(TN_VIA_RELAY, NULL);
    assert_true(tn_paths_take_event(&paths, &event));
    assert_int_equal(event.via, TN_VIA_RELAY);
    assert_false(tn_paths_take_event(&paths, &event));
    assert_true(tn_paths_take_connect(&paths, &rng, &now));
    assert_int_equal(tn_paths_cand(&paths, 0)->verdict, TN_CAND_LOST);
}

static void connect_is_wanted_less_and_less_often_while_data_flows(void **state)
{
    uint64_t last_us = 0, wait_us = TN_S(1);
    int count = 0;

    (void)state;
    for (uint64_t ms = 0; ms < 400000; ms += 100) {
        now.us += TN_MS(100);
        tn_paths_on_data_sent(&paths, 100, &now);
        pull();
        if (!tn_paths_take_connect(&paths, &rng, &now))
            continue;
        if (count++ > 0) {
            assert_in_range(now.us - last_us, wait_us * 3 / 4, wait_us * 5 / 4 + TN_MS(100));
            wait_us = wait_us * 2 > TN_S(60) ? TN_S(60) : wait_us * 2;
        } else {
            assert_int_equal(ms, 0);
        }
        last_us = now.us;
    }
    assert_in_range(count, 9, 14);
}

static void connect_is_not_wanted_without_data(void **state)
{
    (void)state;
    pull();
    assert_false(tn_paths_take_connect(&paths, &rng, &now));
    tn_paths_on_network_change(&paths, &now); /* nobody ever talked to this peer */
    assert_false(tn_paths_take_connect(&paths, &rng, &now));
    tn_paths_on_data_sent(&paths, 1, &now);
    assert_true(tn_paths_take_connect(&paths, &rng, &now));
    go_on(TN_S(100));
    assert_false(tn_paths_take_connect(&paths, &rng, &now));
    assert_true(tn_paths_next(&paths) == TN_NEVER); /* nothing is left to wait for */
}

static void a_punch_from_the_other_end_saves_our_own_connect(void **state)
{
    (void)state;
    offer(v4(1, 1000));
    tn_paths_punch(&paths, TN_MS(20), &now);
    tn_paths_on_data_sent(&paths, 1, &now);
    assert_false(tn_paths_take_connect(&paths, &rng, &now));
    now.us += TN_MS(1020);
    tn_paths_on_data_sent(&paths, 1, &now);
    assert_true(tn_paths_take_connect(&paths, &rng, &now));
}

static void the_hot_doors_leave_the_deadline_alone(void **state)
{
    struct tn_addr addr = v4(1, 1000);
    struct tn_way from = direct(addr);
    uint64_t next_us;

    (void)state;
    tn_paths_on_data_sent(&paths, 100, &now);
    check_candidate(addr, TN_MS(20));
    for (int i = 0; i < 1000; i++) {
        now.us += 100;
        tn_paths_on_data_sent(&paths, 100, &now);
        tn_paths_on_authentic(&paths, &from, 100, &now);
        next_us = tn_paths_next(&paths);
        tn_paths_renew_next(&paths);
        assert_true(next_us == tn_paths_next(&paths));
    }
    assert_int_equal(tn_paths_cand(&paths, 0)->out_packets, 1000 + 2);
    assert_int_equal(tn_paths_cand(&paths, 0)->in_packets, 1000 + 3);
}

/* Data flows on a direct path, and from now on nothing comes in. */
static struct tn_addr begin_silence(uint64_t rtt_us)
{
    struct tn_addr addr = v4(1, 1000);
    struct tn_way from = direct(addr);

    paths.relay.c.rtt_us = TN_MS(400); /* too slow to be compared with */
    tn_paths_on_data_sent(&paths, 100, &now);
    check_candidate(addr, rtt_us);
    for (int i = 0; i < 20; i++) {
        go_on(TN_MS(20));
        tn_paths_on_data_sent(&paths, 100, &now);
        tn_paths_on_authentic(&paths, &from, 100, &now);
        for (size_t w = 0; w < wishes; w++)
            (void)tn_paths_on_pong(&paths, &wish[w].to, wish[w].txid, wish[w].size, NULL, &now);
    }
    return addr;
}

static void data_that_gets_no_answer_makes_a_ping_at_once(void **state)
{
    struct tn_addr addr = begin_silence(TN_MS(200));
    uint64_t rtt_us = tn_paths_direct(&paths)->rtt_us;

    (void)state;
    paths.cand[0].row[TN_ROW_BEAT] = TN_NEVER; /* it would come in between */
    now.us += 3 * rtt_us;
    tn_paths_on_data_sent(&paths, 100, &now);
    pull();
    assert_int_equal(wishes, 0);
    now.us += 1;
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_int_equal(tn_paths_next(&paths), 0);
    pull();
    assert_int_equal(wishes, 1);
    assert_true(wish[0].kind == TN_PATH_WISH_PING && !wish[0].full);
    assert_true(tn_addr_equal(&wish[0].to.addr, &addr));
    now.us += TN_MS(260); /* its answer may still come, so there are no more */
    tn_paths_on_data_sent(&paths, 100, &now);
    pull();
    assert_int_equal(wishes, 0);
}

static void data_leaves_a_path_in_doubt_before_it_is_lost(void **state)
{
    struct tn_addr addr = begin_silence(TN_MS(40));

    (void)state;
    now.us += TN_MS(251);
    tn_paths_on_data_sent(&paths, 100, &now);
    go_on(TN_MS(150) - 1);
    expect_route(TN_VIA_DIRECT, &addr);
    go_on(1);
    expect_route(TN_VIA_RELAY, NULL);
    assert_int_equal(tn_paths_via(&paths), TN_VIA_DIRECT); /* it may still come back */
    tn_paths_set_relay(&paths, false, &now);
    expect_route(TN_VIA_DIRECT, &addr);
    tn_paths_set_relay(&paths, true, &now);
    go_on(2 * TN_RETRY_US);
    assert_int_equal(tn_paths_via(&paths), TN_VIA_RELAY);
}

static void a_path_in_doubt_is_used_again_when_it_answers(void **state)
{
    struct tn_addr addr = begin_silence(TN_MS(40));

    (void)state;
    now.us += TN_MS(251);
    tn_paths_on_data_sent(&paths, 100, &now);
    go_on(TN_MS(150));
    expect_route(TN_VIA_RELAY, NULL);
    assert_true(wishes > 0 && wish[0].kind == TN_PATH_WISH_PING);
    answer(&wish[0], 0);
    expect_route(TN_VIA_DIRECT, &addr);
}

static void a_peer_that_speaks_by_the_relay_is_followed_until_the_path_answers(void **state)
{
    const struct tn_way relay = {.via = TN_VIA_RELAY};
    struct tn_addr addr = begin_silence(TN_MS(40));

    (void)state;
    now.us += TN_MS(250);
    tn_paths_on_authentic(&paths, &relay, 100, &now);
    expect_route(TN_VIA_DIRECT, &addr); /* it was heard just now */
    now.us += 1;
    tn_paths_on_authentic(&paths, &relay, 100, &now);
    expect_route(TN_VIA_RELAY, NULL);
    pull();
    assert_int_equal(wishes, 1);
    answer(&wish[0], TN_MS(40));
    expect_route(TN_VIA_DIRECT, &addr);
    go_on(TN_MS(300)); /* it works, whatever the peer does: no swinging to and fro */
    tn_paths_on_authentic(&paths, &relay, 100, &now);
    expect_route(TN_VIA_DIRECT, &addr);
    go_on(TN_MS(200)); /* until a PING is missed */
    expect_route(TN_VIA_RELAY, NULL);
}

static void who_makes_room_takes_its_deadline_along(void **state)
{
    struct tn_addr lost = v4(100, 1000);
    uint64_t next_us;

    (void)state;
    check_candidate(lost, TN_MS(20));
    tn_paths_on_send_error(&paths, &lost, &now); /* from now on it is looked at again and again */
    for (uint8_t i = 1; i <= 8; i++)
        offer(v4(i, 1000));
    assert_null(tn_table_find(&paths, &lost));
    next_us = tn_paths_next(&paths);
    tn_paths_renew_next(&paths);
    assert_true(next_us == tn_paths_next(&paths));
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_nothing_known_there_is_no_route),
        TEST(a_round_keeps_the_times_of_the_protocol),
        TEST(three_silent_rounds_are_followed_by_ten_minutes_of_silence),
        TEST(candidates_that_must_not_be_probed_are_shown_and_left_alone),
        TEST(at_most_eight_candidates_a_family_are_kept),
        TEST(the_longest_silent_one_makes_room_and_a_good_one_never),
        TEST(a_list_of_victims_gets_a_bounded_number_of_packets),
        TEST(a_spoofed_source_makes_a_candidate_and_no_more),
        TEST(only_a_pong_from_where_the_ping_went_counts),
        TEST(a_pong_that_is_too_late_counts_for_nothing),
        TEST(traffic_changes_path_only_for_a_real_gain),
        TEST(an_address_that_cannot_be_reached_is_left_at_once),
        TEST(connect_is_wanted_less_and_less_often_while_data_flows),
        TEST(connect_is_not_wanted_without_data),
        TEST(a_punch_from_the_other_end_saves_our_own_connect),
        TEST(the_hot_doors_leave_the_deadline_alone),
        TEST(data_that_gets_no_answer_makes_a_ping_at_once),
        TEST(data_leaves_a_path_in_doubt_before_it_is_lost),
        TEST(a_path_in_doubt_is_used_again_when_it_answers),
        TEST(a_peer_that_speaks_by_the_relay_is_followed_until_the_path_answers),
        TEST(who_makes_room_takes_its_deadline_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
