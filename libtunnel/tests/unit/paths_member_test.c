/* Ways through another member, event by event: who is asked, what is chosen, what makes room for what. */
#include "libtunnel/path/linkmsg.h"
#include "libtunnel/path/paths_priv.h"
#include "paths_fixture.h"
#include "vectors.h"

#define MTU 1400
#define WISHES 64

static struct tn_path_wish wish[WISHES];
static size_t wishes;

static struct tn_addr member(uint8_t last)
{
    const uint8_t ip[4] = {10, 77, 0, last};

    return tn_addr_v4(ip, 0);
}

static struct tn_addr outside(uint8_t last)
{
    const uint8_t ip[4] = {198, 51, 100, last};

    return tn_addr_v4(ip, 1000);
}

static int begin(void **state)
{
    const struct tn_paths_config cfg = {.mtu = MTU};

    (void)state;
    return paths_begin(&cfg);
}

static void pull(void)
{
    wishes = 0;
    tn_paths_tick(&paths, &now);
    while (wishes < WISHES && tn_paths_poll(&paths, &rng, &now, &wish[wishes]))
        wishes++;
}

/* The last wish of that kind by that way, or NULL. */
static const struct tn_path_wish *find(uint8_t via, const struct tn_addr *addr, bool full)
{
    for (size_t i = wishes; i--;) {
        if (wish[i].to.via == via && (!addr || tn_addr_equal(&wish[i].to.addr, addr)) &&
            wish[i].kind == TN_PATH_WISH_PING && wish[i].full == full)
            return &wish[i];
    }
    return NULL;
}

/* Answers each of its PINGs after rtt_us, until a long one was answered. */
static void check_way(uint8_t via, const struct tn_addr *addr, uint64_t rtt_us)
{
    for (int tries = 0; tries < 4; tries++) {
        bool full = false;

        pull();
        now.us += rtt_us;
        for (size_t i = 0; i < wishes; i++) {
            if (wish[i].to.via != via || !tn_addr_equal(&wish[i].to.addr, addr) || wish[i].kind != TN_PATH_WISH_PING)
                continue;
            tn_paths_on_authentic(&paths, &wish[i].to, wish[i].size, &now);
            assert_true(tn_paths_on_pong(&paths, &wish[i].to, wish[i].txid, wish[i].size, NULL, &now));
            full = full || wish[i].full;
        }
        if (full)
            return;
    }
    fail_msg("no long PING was sent");
}

static void check_member(uint8_t last, uint64_t rtt_us)
{
    struct tn_addr m = member(last);

    tn_paths_offer_member(&paths, &m, &now);
    check_way(TN_VIA_MEMBER, &m, rtt_us);
}

static void relay_takes(uint64_t rtt_us)
{
    struct tn_addr none = {0};

    tn_paths_on_data_sent(&paths, 100, &now);
    pull();
    now.us += rtt_us;
    assert_non_null(find(TN_VIA_RELAY, &none, false));
    tn_paths_on_authentic(&paths, &(struct tn_way){.via = TN_VIA_RELAY}, 32, &now);
    assert_true(tn_paths_on_pong(&paths, &(struct tn_way){.via = TN_VIA_RELAY}, find(TN_VIA_RELAY, &none, false)->txid,
                                 TN_LINK_MIN_LEN, NULL, &now));
}

static uint8_t via(void)
{
    struct tn_way route;

    tn_paths_route(&paths, &now, &route);
    return route.via;
}

static void it_is_asked_with_a_small_ping_first_and_carries_forty_bytes_less(void **state)
{
    struct tn_addr m = member(3);
    struct tn_way route;

    (void)state;
    tn_paths_offer_member(&paths, &m, &now);
    pull();
    assert_non_null(find(TN_VIA_MEMBER, &m, false));
    assert_null(find(TN_VIA_MEMBER, &m, true));
    begin(state);
    check_member(3, TN_MS(10));
    assert_int_equal(find(TN_VIA_MEMBER, &m, true)->size, MTU - 40);
    tn_paths_route(&paths, &now, &route);
    assert_int_equal(route.via, TN_VIA_MEMBER);
    assert_int_equal(route.mtu, MTU - 40);
    assert_true(tn_addr_equal(&route.addr, &m));
    assert_null(tn_paths_direct(&paths));
    assert_int_equal(tn_paths_in_use(&paths)->origin, TN_CAND_MEMBER);
}

static void a_member_is_taken_only_where_it_beats_the_relay(void **state)
{
    (void)state;
    relay_takes(TN_MS(20));
    check_member(3, TN_MS(110)); /* 110 + 25 against 20 + 100 */
    assert_int_equal(via(), TN_VIA_RELAY);
    begin(state);
    relay_takes(TN_MS(20));
    check_member(3, TN_MS(70));
    assert_int_equal(via(), TN_VIA_MEMBER);
}

static void a_direct_path_is_taken_before_a_member_and_a_slow_one_is_left_for_it(void **state)
{
    struct tn_addr a = outside(1);
    const struct tn_cand_wire c = {.origin = TN_CAND_REFLEXIVE, .addr = a};

    (void)state;
    check_member(3, TN_MS(20));
    assert_int_equal(via(), TN_VIA_MEMBER);
    tn_paths_offer(&paths, &c, 1, NULL, 0, &now);
    tn_paths_on_authentic(&paths, &(struct tn_way){.via = TN_VIA_DIRECT, .addr = a}, 32, &now);
    check_way(TN_VIA_DIRECT, &a, TN_MS(21));
    assert_int_equal(via(), TN_VIA_DIRECT);
    begin(state);
    tn_paths_offer(&paths, &c, 1, NULL, 0, &now);
    tn_paths_on_authentic(&paths, &(struct tn_way){.via = TN_VIA_DIRECT, .addr = a}, 32, &now);
    check_way(TN_VIA_DIRECT, &a, TN_MS(300));
    assert_int_equal(via(), TN_VIA_DIRECT);
    check_member(3, TN_MS(20));
    assert_int_equal(via(), TN_VIA_MEMBER);
}

static void one_that_is_wanted_is_wanted_while_there_is_data_and_no_good_direct_path(void **state)
{
    struct tn_addr a = outside(1);
    const struct tn_cand_wire c = {.origin = TN_CAND_REFLEXIVE, .addr = a};

    (void)state;
    assert_false(tn_paths_wants_member(&paths, &now)); /* nothing was sent */
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_true(tn_paths_wants_member(&paths, &now));
    tn_paths_set_mode(&paths, TN_MODE_DIRECT, &now);
    assert_false(tn_paths_wants_member(&paths, &now));
    tn_paths_set_mode(&paths, TN_MODE_RELAY, &now);
    assert_true(tn_paths_wants_member(&paths, &now));
    tn_paths_set_mode(&paths, TN_MODE_AUTO, &now);
    tn_paths_offer(&paths, &c, 1, NULL, 0, &now);
    tn_paths_on_authentic(&paths, &(struct tn_way){.via = TN_VIA_DIRECT, .addr = a}, 32, &now);
    check_way(TN_VIA_DIRECT, &a, TN_MS(21));
    tn_paths_on_data_sent(&paths, 100, &now);
    assert_false(tn_paths_wants_member(&paths, &now));
}

static void who_is_withdrawn_is_left_at_once(void **state)
{
    struct tn_addr m = member(3);

    (void)state;
    check_member(3, TN_MS(20));
    assert_int_equal(via(), TN_VIA_MEMBER);
    assert_true(tn_paths_withdraw_member(&paths, &m, &now));
    assert_int_equal(via(), TN_VIA_RELAY);
    assert_false(tn_paths_withdraw_member(&paths, &m, &now));
    pull();
    assert_null(find(TN_VIA_MEMBER, &m, false));
}

static unsigned members(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < TN_PATHS_CAND_MAX; i++)
        count += tn_paths_cand(&paths, i) && tn_paths_cand(&paths, i)->origin == TN_CAND_MEMBER;
    return count;
}

static void there_are_two_at_most_and_addresses_keep_their_places(void **state)
{
    struct tn_addr m;
    struct tn_cand_wire c[8];

    (void)state;
    for (uint8_t i = 0; i < 8; i++)
        c[i] = (struct tn_cand_wire){.origin = TN_CAND_REFLEXIVE, .addr = outside((uint8_t)(i + 1))};
    for (uint8_t i = 3; i < 9; i++) {
        m = member(i);
        tn_paths_offer_member(&paths, &m, &now);
    }
    assert_int_equal(members(), TN_PATHS_MEMBERS);
    assert_int_equal(tn_paths_offer(&paths, c, 8, NULL, 0, &now), 8);
    assert_int_equal(members(), TN_PATHS_MEMBERS);
}

/* Its first answers may be late, since it has to find the peer itself. */
static void one_that_is_silent_is_asked_again_when_it_is_offered_again(void **state)
{
    struct tn_addr m = member(3);
    unsigned asked = 0;

    (void)state;
    for (int s = 0; s < 60; s++) {
        tn_paths_on_data_sent(&paths, 100, &now);
        tn_paths_offer_member(&paths, &m, &now);
        for (int i = 0; i < 20; i++) {
            pull();
            now.us += TN_MS(50);
            if (find(TN_VIA_MEMBER, &m, false))
                asked++;
            assert_null(find(TN_VIA_MEMBER, &m, true));
        }
    }
    assert_in_range(asked, 20, 80);
    now.us += TN_S(20);
    check_member(3, TN_MS(10));
    assert_int_equal(via(), TN_VIA_MEMBER);
}

static void a_punch_is_never_sent_to_a_member(void **state)
{
    struct tn_addr m = member(3);

    (void)state;
    tn_paths_offer_member(&paths, &m, &now);
    tn_paths_punch(&paths, 0, &now);
    for (int i = 0; i < 40; i++) {
        pull();
        for (size_t k = 0; k < wishes; k++)
            assert_int_equal(wish[k].kind, TN_PATH_WISH_PING);
        now.us += TN_MS(50);
    }
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_asked_with_a_small_ping_first_and_carries_forty_bytes_less),
        T(a_member_is_taken_only_where_it_beats_the_relay),
        T(a_direct_path_is_taken_before_a_member_and_a_slow_one_is_left_for_it),
        T(one_that_is_wanted_is_wanted_while_there_is_data_and_no_good_direct_path),
        T(who_is_withdrawn_is_left_at_once),
        T(there_are_two_at_most_and_addresses_keep_their_places),
        T(one_that_is_silent_is_asked_again_when_it_is_offered_again),
        T(a_punch_is_never_sent_to_a_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
