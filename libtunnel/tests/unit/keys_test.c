#include "vectors.h"
#include "libtunnel/wg/keys.h"

static struct tn_keys k;
static const uint64_t start_us = TN_S(1000);

static int set_up(void **state)
{
    (void)state;
    tn_keys_init(&k);
    return 0;
}

static struct tn_session session(uint32_t local_index, bool initiator, uint64_t birth_us)
{
    struct tn_session s = {.local_index = local_index,
                           .remote_index = local_index + 1000,
                           .initiator = initiator,
                           .birth_us = birth_us};

    memset(s.send_key, (int)local_index, 32);
    memset(s.recv_key, (int)local_index + 1, 32);
    return s;
}

static void install(uint32_t local_index, bool initiator, uint64_t birth_us)
{
    struct tn_session s = session(local_index, initiator, birth_us);

    tn_keys_install(&k, &s);
}

static unsigned receive(uint32_t local_index, uint64_t counter, uint64_t now_us)
{
    struct tn_keypair *kp = tn_keys_find(&k, local_index);
    unsigned news = 99;

    assert_non_null(kp);
    assert_int_equal(tn_keys_check_received(kp, now_us, counter), 0);
    assert_int_equal(tn_keys_commit_received(&k, kp, now_us, counter, &news), 0);
    return news;
}

static uint32_t sending(uint64_t now_us)
{
    struct tn_keypair *kp = tn_keys_for_sending(&k, now_us);

    return kp ? kp->session.local_index : 0;
}

static bool holds(uint32_t previous, uint32_t current, uint32_t next)
{
    const uint8_t role[3] = {k.previous, k.current, k.next};
    const uint32_t want[3] = {previous, current, next};

    for (int i = 0; i < 3; i++) {
        if ((role[i] == TN_KEYS_NONE ? 0 : k.pair[role[i]].session.local_index) != want[i])
            return false;
    }
    return true;
}

static void without_a_session_nothing_is_found(void **state)
{
    (void)state;
    assert_null(tn_keys_for_sending(&k, start_us));
    assert_null(tn_keys_find(&k, 0)); /* an empty slot is no session with index 0 */
    assert_true(tn_keys_youngest_us(&k) == TN_NEVER);
}

static void the_initiator_uses_a_new_session_at_once(void **state)
{
    (void)state;
    install(1, true, start_us);
    assert_true(holds(0, 1, 0));
    assert_int_equal(sending(start_us), 1);
    install(2, true, start_us + 1);
    assert_true(holds(1, 2, 0));
    assert_int_equal(sending(start_us + 1), 2);
    install(3, true, start_us + 2);
    assert_true(holds(2, 3, 0));
    assert_null(tn_keys_find(&k, 1));
}

static void the_responder_waits_for_the_first_authenticated_packet(void **state)
{
    (void)state;
    install(1, false, start_us);
    assert_true(holds(0, 0, 1));
    assert_int_equal(sending(start_us), 0);
    assert_int_equal(receive(1, 0, start_us + 1), TN_KEYS_CONFIRMED);
    assert_true(holds(0, 1, 0));
    assert_int_equal(sending(start_us + 1), 1);
    assert_int_equal(receive(1, 1, start_us + 2), 0); /* confirmed once */
}

static void confirming_moves_current_to_previous(void **state)
{
    (void)state;
    install(1, true, start_us);
    install(2, false, start_us + 1);
    assert_true(holds(0, 1, 2));
    assert_int_equal(sending(start_us + 1), 1); /* still the old one */
    assert_int_equal(receive(1, 0, start_us + 2), 0); /* old packets do not confirm the new */
    assert_true(holds(0, 1, 2));
    assert_int_equal(receive(2, 0, start_us + 3), TN_KEYS_CONFIRMED);
    assert_true(holds(1, 2, 0));
    assert_int_equal(receive(1, 1, start_us + 4), 0); /* late packets of the old are taken */
}

static void a_responder_s_new_session_replaces_an_unconfirmed_one(void **state)
{
    (void)state;
    install(1, true, start_us);
    install(2, true, start_us);
    assert_true(holds(1, 2, 0));
    install(3, false, start_us);
    assert_true(holds(0, 2, 3)); /* previous goes, so that three are enough */
    install(4, false, start_us);
    assert_true(holds(0, 2, 4));
}

static void when_both_begin_at_once_both_sessions_receive(void **state)
{
    (void)state;
    install(1, false, start_us); /* answered the peer's */
    install(2, true, start_us);  /* and got the answer to ours */
    assert_true(holds(1, 2, 0));
    assert_int_equal(sending(start_us), 2);
    assert_int_equal(receive(1, 0, start_us), 0); /* the peer sends with what it began */
    assert_int_equal(sending(start_us), 2);
}

static void an_unconfirmed_session_outlives_our_own_new_one(void **state)
{
    (void)state;
    install(1, true, start_us);
    install(2, false, start_us);
    install(3, true, start_us);
    assert_true(holds(2, 3, 0));
}

static void counters_count_up_from_zero_in_each_session(void **state)
{
    uint64_t counter = 99;
    bool rekey;

    (void)state;
    install(1, true, start_us);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(tn_keys_plan_send(tn_keys_find(&k, 1), start_us, &counter, &rekey), 0);
        assert_true(counter == i);
        assert_false(rekey);
    }
    install(2, true, start_us);
    assert_int_equal(tn_keys_plan_send(tn_keys_find(&k, 2), start_us, &counter, &rekey), 0);
    assert_true(counter == 0);
}

static void only_the_initiator_asks_for_a_rekey_after_two_minutes(void **state)
{
    uint64_t counter;
    bool rekey;

    (void)state;
    install(1, true, start_us);
    assert_int_equal(
        tn_keys_plan_send(tn_keys_find(&k, 1), start_us + TN_S(120) - 1, &counter, &rekey), 0);
    assert_false(rekey);
    assert_int_equal(
        tn_keys_plan_send(tn_keys_find(&k, 1), start_us + TN_S(120), &counter, &rekey), 0);
    assert_true(rekey);
    tn_keys_wipe(&k);
    install(1, false, start_us);
    assert_int_equal(receive(1, 0, start_us), TN_KEYS_CONFIRMED);
    assert_int_equal(
        tn_keys_plan_send(tn_keys_find(&k, 1), start_us + TN_S(179), &counter, &rekey), 0);
    assert_false(rekey);
}

static void message_counts_end_a_session(void **state)
{
    struct tn_keypair *kp;
    uint64_t counter = 7;
    bool rekey = false;

    (void)state;
    install(1, false, start_us);
    receive(1, 0, start_us);
    kp = tn_keys_find(&k, 1);
    kp->send_counter = TN_WG_REKEY_AFTER_MESSAGES - 1;
    assert_int_equal(tn_keys_plan_send(kp, start_us, &counter, &rekey), 0);
    assert_false(rekey);
    assert_int_equal(tn_keys_plan_send(kp, start_us, &counter, &rekey), 0);
    assert_true(rekey); /* the responder asks too */
    kp->send_counter = TN_WG_REJECT_AFTER_MESSAGES - 1;
    assert_int_equal(tn_keys_plan_send(kp, start_us, &counter, &rekey), 0);
    assert_true(counter == TN_WG_REJECT_AFTER_MESSAGES - 1);
    assert_int_equal(tn_keys_plan_send(kp, start_us, &counter, &rekey), TN_ENOKEY);
    assert_true(counter == TN_WG_REJECT_AFTER_MESSAGES - 1);
    assert_null(tn_keys_for_sending(&k, start_us));
}

static void after_three_minutes_a_session_neither_sends_nor_receives(void **state)
{
    const uint64_t dead_us = start_us + TN_S(180);
    struct tn_keypair *kp;
    uint64_t counter;
    unsigned news = 99;
    bool rekey;

    (void)state;
    install(1, true, start_us);
    kp = tn_keys_find(&k, 1);
    assert_int_equal(sending(dead_us - 1), 1);
    assert_int_equal(tn_keys_check_received(kp, dead_us - 1, 5), 0);
    assert_int_equal(sending(dead_us), 0);
    assert_int_equal(tn_keys_plan_send(kp, dead_us, &counter, &rekey), TN_ENOKEY);
    assert_int_equal(tn_keys_check_received(kp, dead_us, 5), TN_EEXPIRED);
    assert_int_equal(tn_keys_commit_received(&k, kp, dead_us, 5, &news), TN_EEXPIRED);
    assert_int_equal(news, 99);
    tn_keys_expire(&k, dead_us - 1);
    assert_non_null(tn_keys_find(&k, 1));
    tn_keys_expire(&k, dead_us);
    assert_null(tn_keys_find(&k, 1));
}

static void the_initiator_that_only_receives_asks_once_in_the_last_minute(void **state)
{
    (void)state;
    install(1, true, start_us);
    assert_int_equal(receive(1, 0, start_us + TN_S(165) - 1), 0);
    assert_int_equal(receive(1, 1, start_us + TN_S(165)), TN_KEYS_WANTS_REKEY);
    assert_int_equal(receive(1, 2, start_us + TN_S(166)), 0);
    install(2, true, start_us + TN_S(167));
    assert_int_equal(receive(2, 0, start_us + TN_S(167) + TN_S(165)), TN_KEYS_WANTS_REKEY);
}

static void a_responder_never_asks_upon_receiving(void **state)
{
    (void)state;
    install(1, false, start_us);
    assert_int_equal(receive(1, 0, start_us), TN_KEYS_CONFIRMED);
    assert_int_equal(receive(1, 1, start_us + TN_S(179)), 0);
}

static void a_duplicate_in_one_batch_is_refused_at_commit(void **state)
{
    struct tn_keypair *kp;
    unsigned news = 99;

    (void)state;
    install(1, false, start_us);
    kp = tn_keys_find(&k, 1);
    assert_int_equal(tn_keys_check_received(kp, start_us, 0), 0);
    assert_int_equal(tn_keys_check_received(kp, start_us, 0), 0);
    assert_int_equal(tn_keys_commit_received(&k, kp, start_us, 0, &news), 0);
    assert_int_equal(news, TN_KEYS_CONFIRMED);
    assert_int_equal(tn_keys_commit_received(&k, kp, start_us, 0, &news), TN_EREPLAY);
    assert_int_equal(news, TN_KEYS_CONFIRMED); /* untouched */
}

static void a_forged_packet_neither_moves_the_window_nor_confirms(void **state)
{
    struct tn_session peer = session(1, false, start_us);
    struct tn_keys before;
    uint8_t msg[32];

    (void)state;
    install(1, false, start_us);
    before = k;
    memset(peer.send_key, 0x77, 32); /* not the key that the peer would have */
    tn_session_seal(&peer, 1000000, msg, 0);
    assert_int_equal(tn_keys_check_received(tn_keys_find(&k, 1), start_us, 1000000), 0);
    assert_int_equal(tn_session_open(&tn_keys_find(&k, 1)->session, msg, sizeof(msg)), TN_EAUTH);
    assert_memory_equal(&k, &before, sizeof(k));
}

static bool memory_holds_key_of(uint32_t local_index)
{
    uint8_t needle[32];

    memset(needle, (int)local_index, sizeof(needle));
    for (size_t i = 0; i + 32 <= sizeof(k); i++) {
        if (memcmp((uint8_t *)&k + i, needle, 32) == 0)
            return true;
    }
    return false;
}

static void displaced_and_expired_keys_are_wiped(void **state)
{
    (void)state;
    install(10, true, start_us);
    install(20, true, start_us);
    install(30, true, start_us);
    assert_false(memory_holds_key_of(10));
    assert_true(memory_holds_key_of(20));
    tn_keys_wipe(&k);
    assert_false(memory_holds_key_of(20) || memory_holds_key_of(30));
    assert_true(holds(0, 0, 0));

    install(40, false, start_us);
    install(50, false, start_us);
    assert_false(memory_holds_key_of(40));
    tn_keys_expire(&k, start_us + TN_S(180));
    assert_false(memory_holds_key_of(50));
    assert_true(holds(0, 0, 0));
}

static void the_youngest_session_is_the_last_handshake(void **state)
{
    (void)state;
    install(1, true, start_us);
    install(2, true, start_us + 5);
    install(3, false, start_us + 9);
    assert_true(tn_keys_youngest_us(&k) == start_us + 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_session_nothing_is_found, set_up),
        cmocka_unit_test_setup(the_initiator_uses_a_new_session_at_once, set_up),
        cmocka_unit_test_setup(the_responder_waits_for_the_first_authenticated_packet, set_up),
        cmocka_unit_test_setup(confirming_moves_current_to_previous, set_up),
        cmocka_unit_test_setup(a_responder_s_new_session_replaces_an_unconfirmed_one, set_up),
        cmocka_unit_test_setup(when_both_begin_at_once_both_sessions_receive, set_up),
        cmocka_unit_test_setup(an_unconfirmed_session_outlives_our_own_new_one, set_up),
        cmocka_unit_test_setup(counters_count_up_from_zero_in_each_session, set_up),
        cmocka_unit_test_setup(only_the_initiator_asks_for_a_rekey_after_two_minutes, set_up),
        cmocka_unit_test_setup(message_counts_end_a_session, set_up),
        cmocka_unit_test_setup(after_three_minutes_a_session_neither_sends_nor_receives, set_up),
        cmocka_unit_test_setup(the_initiator_that_only_receives_asks_once_in_the_last_minute,
                               set_up),
        cmocka_unit_test_setup(a_responder_never_asks_upon_receiving, set_up),
        cmocka_unit_test_setup(a_duplicate_in_one_batch_is_refused_at_commit, set_up),
        cmocka_unit_test_setup(a_forged_packet_neither_moves_the_window_nor_confirms, set_up),
        cmocka_unit_test_setup(displaced_and_expired_keys_are_wiped, set_up),
        cmocka_unit_test_setup(the_youngest_session_is_the_last_handshake, set_up),
    };

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
