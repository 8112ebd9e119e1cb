/* The manager with a scripted gateway under a simulated clock: what the gateway forgets, verdicts,
 * other routers, ends. */
#include "fake_router.h"

/* ---- the gateway forgets ---- */

static void announce(struct fake *f, const char *hex)
{
    uint8_t msg[64];
    size_t len = unhex(msg, sizeof msg, hex);

    gateway_on_announcement(&f->g, GATEWAY_V4, msg, len, f->now_us);
}
#define PCP_ANNOUNCED_ANEW "02800000 00000000 00000000 000000000000000000000000"

static void an_announced_reboot_renews_everything_within_five_seconds(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    f.epoch_began_us = f.now_us;
    (void)gateway_take_changed(&f.g);
    announce(&f, PCP_ANNOUNCED_ANEW);
    fake_run(&f, TN_S(5));
    assert_int_equal(f.pcp_maps, 2);
    assert_true(gateway_take_changed(&f.g)); /* though it is the same mapping */
    assert_int_equal(fake_mapping(&f)->remade, 1);
    for (int i = 0; i < 100; i++) /* somebody plays it again and again */
        announce(&f, PCP_ANNOUNCED_ANEW);
    fake_run(&f, TN_S(4));
    assert_int_equal(f.pcp_maps, 2);
}

static void a_second_reboot_soon_after_is_not_missed_but_waits(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    f.epoch_began_us = f.now_us;
    announce(&f, PCP_ANNOUNCED_ANEW);
    fake_run(&f, TN_S(8));
    assert_int_equal(f.pcp_maps, 2);
    for (int i = 0; i < 100; i++) {
        f.epoch_began_us = f.now_us;
        announce(&f, PCP_ANNOUNCED_ANEW);
        fake_run(&f, TN_MS(10));
    }
    assert_int_equal(f.pcp_maps, 2);
    fake_run(&f, TN_S(7));
    assert_int_equal(f.pcp_maps, 3);
}

static void a_reboot_soon_after_another_outside_address_is_not_missed(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    f.outside = ip4(55, 2, 1, 77);
    for (int i = 0; i < 4; i++) /* before the first is answered, and after */
        announce(&f, "00800000 00000064 3702014d");
    fake_run(&f, TN_S(6));
    assert_int_equal(f.pcp_maps, 2);
    f.epoch_began_us = f.now_us;
    announce(&f, PCP_ANNOUNCED_ANEW);
    fake_run(&f, TN_S(15));
    assert_int_equal(f.pcp_maps, 3);
}

static void an_announcement_that_fits_renews_nothing(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    announce(&f, "02800000 00000000 000013ec 000000000000000000000000"); /* 5100 */
    announce(&f, "00800000 000013ec 37020102");
    announce(&f, "02800000 00000000 00000000"); /* cut */
    fake_run(&f, TN_S(10));
    assert_int_equal(f.pcp_maps, 1);
}

static void a_reboot_that_has_counted_past_the_old_epoch_is_seen_at_the_renewal(void **state)
{
    const struct gateway_want tcp = {.tcp = true, .internal_port = 8080};
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.epoch_began_us = f.now_us - TN_S(10);
    fake_run(&f, TN_S(1000));
    assert_int_equal(gateway_add(&f.g, &tcp, f.now_us), 1);
    fake_run(&f, TN_S(2550)); /* 50 s before the first mapping's renewal */
    assert_int_equal(f.pcp_maps, 2);
    f.epoch_began_us = f.now_us - TN_S(2000); /* above 1010, and yet too young */
    fake_run(&f, TN_S(51));
    assert_int_equal(f.pcp_maps, 4); /* the second one as well, long before its time */
}

static void an_outside_address_that_changes_is_followed(void **state)
{
    struct tn_addr now = ip4(55, 2, 1, 77);
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    (void)gateway_take_changed(&f.g);
    f.outside = now;
    announce(&f, "00800000 000013ec 3702014d"); /* NAT-PMP's announcement, while PCP holds the mapping */
    fake_run(&f, TN_S(5));
    assert_true(tn_addr_same_ip(&fake_mapping(&f)->external, &now));
    assert_true(gateway_take_changed(&f.g));
    assert_false(gateway_take_changed(&f.g));
}

static void an_outside_address_that_changes_with_a_reboot_does_not_wait_for_the_pause(void **state)
{
    struct tn_addr now = ip4(55, 2, 1, 77);
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    f.epoch_began_us = f.now_us;
    announce(&f, PCP_ANNOUNCED_ANEW);
    fake_run(&f, TN_S(6));
    assert_int_equal(f.pcp_maps, 2);
    f.outside = now;
    announce(&f, "00800000 00000006 3702014d");
    fake_run(&f, TN_S(1));
    assert_true(tn_addr_same_ip(&fake_mapping(&f)->external, &now));
    for (int i = 0; i < 100; i++) { /* a neighbour who makes addresses up */
        announce(&f, i & 1 ? "00800000 00000006 37020150" : "00800000 00000006 37020151");
        fake_run(&f, TN_MS(10));
    }
    assert_int_equal(f.pcp_maps, 3);
}

static void what_others_see_tells_of_a_new_address_too(void **state)
{
    struct tn_addr before = ip4(55, 2, 1, 2), now = ip4(55, 2, 1, 77);
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(100));
    gateway_on_observed(&f.g, &before, f.now_us);
    fake_run(&f, TN_S(10));
    assert_int_equal(f.pcp_maps, 1);
    f.outside = now;
    gateway_on_observed(&f.g, &now, f.now_us);
    fake_run(&f, 0);
    assert_int_equal(f.pcp_maps, 2);
    assert_true(tn_addr_same_ip(&fake_mapping(&f)->external, &now));
    gateway_on_observed(&f.g, &now, f.now_us);
    fake_run(&f, TN_S(10));
    assert_int_equal(f.pcp_maps, 2);
}

/* ---- verdicts ---- */

static void a_mapping_that_does_not_answer_is_deleted_asked_again_then_left(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    gateway_on_verdict(&f.g, 0, false, f.now_us);
    fake_run(&f, 0);
    assert_int_equal(f.pcp_deletes, 1);
    assert_int_equal(f.pcp_maps, 2);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    assert_int_equal(fake_mapping(&f)->verdict, GATEWAY_UNVERIFIED);
    gateway_on_verdict(&f.g, 0, false, f.now_us);
    fake_run(&f, 0);
    assert_int_equal(f.pcp_deletes, 2);
    assert_int_equal(f.pcp_maps, 2);
    assert_state(&f, GATEWAY_FAILED, GATEWAY_LIES, GATEWAY_NONE);
    assert_true(tn_addr_is_zero(&fake_mapping(&f)->external));
    fake_run(&f, TN_S(3500));
    assert_int_equal(f.pcp_maps, 2);
    fake_run(&f, TN_S(200)); /* after an hour once more */
    assert_int_equal(f.pcp_maps, 3);
}

static void a_mapping_that_answers_is_trusted_until_its_address_changes(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    gateway_on_verdict(&f.g, 0, false, f.now_us);
    fake_run(&f, 0);
    gateway_on_verdict(&f.g, 0, true, f.now_us);
    assert_int_equal(fake_mapping(&f)->verdict, GATEWAY_ANSWERED);
    fake_run(&f, TN_S(3601));
    assert_int_equal(fake_mapping(&f)->verdict, GATEWAY_ANSWERED);
    f.port_add = 1;
    fake_run(&f, TN_S(3601));
    assert_int_equal(fake_mapping(&f)->verdict, GATEWAY_UNVERIFIED);
    gateway_on_verdict(&f.g, 0, false, f.now_us); /* the good one in between counts: not left at once */
    fake_run(&f, 0);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED);
    gateway_on_verdict(&f.g, 5, false, f.now_us); /* no such mapping */
    gateway_on_verdict(&f.g, GATEWAY_NO_MAPPING, false, f.now_us);
}

/* ---- routers, ends ---- */

static void another_router_is_asked_anew_and_none_leaves_nothing(void **state)
{
    struct gateway_router router = {.address = ip4(10, 0, 0, 1), .own = ip4(10, 0, 0, 7)};
    struct fake f;
    uint8_t nonce[PCP_NONCE_LEN];

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    memcpy(nonce, fake_mapping(&f)->nonce, sizeof nonce);
    gateway_set_router(&f.g, GATEWAY_V4, NULL, f.now_us);
    assert_state(&f, GATEWAY_WAITING, GATEWAY_NO_ROUTER, GATEWAY_NONE);
    assert_true(tn_addr_is_zero(&fake_mapping(&f)->external));
    fake_run(&f, TN_S(10000));
    assert_int_equal(f.pcp_maps, 1);
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    fake_run(&f, 0);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    assert_memory_not_equal(fake_mapping(&f)->nonce, nonce, sizeof nonce);
    assert_memory_equal(f.last_pcp + 8, router.own.ip, 16);
    assert_int_equal(f.pcp_deletes, 0);
}

static void the_same_router_again_is_asked_whether_it_still_knows(void **state)
{
    struct gateway_router router = fake_router4();
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, TN_S(10));
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED);
    fake_run(&f, 0);
    gateway_tick(&f.g, f.now_us);
    fake_run(&f, 0);
    assert_int_equal(f.pcp_maps, 2);
}

static void a_host_with_a_public_address_needs_no_mapping(void **state)
{
    struct gateway_router router = {.address = ip4(55, 100, 1, 1), .own = ip4(55, 100, 1, 2)};
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_WAITING, GATEWAY_NOT_NEEDED, GATEWAY_NONE);
    assert_int_equal(f.datagrams + f.probes, 0);
}

static void an_ipv6_pinhole_is_asked_of_pcp(void **state)
{
    const uint8_t gw[16] = {0xfe, 0x80, [15] = 1}, own[16] = {0x2a, 0, [15] = 2};
    struct gateway_router router = {.address = tn_addr_v6(gw, 0), .own = tn_addr_v6(own, 0)};
    struct gateway_want want = {.family = GATEWAY_V6, .internal_port = 51820};
    struct fake f;

    fake_init(&f);
    f.pcp = f.natpmp = f.upnp = true;
    gateway_set_router(&f.g, GATEWAY_V6, &router, f.now_us);
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), 1);
    fake_run(&f, 0);
    assert_int_equal(gateway_at(&f.g, 1)->state, GATEWAY_MAPPED);
    assert_true(tn_addr_same_ip(&gateway_at(&f.g, 1)->external, &router.own));
    f.pcp = false; /* UPnP is there for IPv4 alone: gateway_pinhole_test.c has the other case */
    gateway_set_router(&f.g, GATEWAY_V6, NULL, f.now_us);
    gateway_set_router(&f.g, GATEWAY_V6, &router, f.now_us);
    fake_run(&f, TN_S(10));
    assert_int_equal(gateway_at(&f.g, 1)->state, GATEWAY_FAILED);
    assert_int_equal(gateway_at(&f.g, 1)->why, GATEWAY_NO_SERVICE);
}

static void at_the_end_every_mapping_is_deleted(void **state)
{
    const struct gateway_want tcp = {.tcp = true, .internal_port = 8080};
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    assert_int_equal(gateway_add(&f.g, &tcp, f.now_us), 1);
    assert_int_equal(gateway_add(&f.g, &tcp, f.now_us), TN_EEXIST);
    fake_run(&f, TN_S(3));
    gateway_stop(&f.g, f.now_us);
    assert_false(gateway_is_idle(&f.g));
    fake_run(&f, 0);
    assert_int_equal(f.pcp_deletes, 2);
    assert_memory_equal(f.last_pcp + 4, "\0\0\0\0", 4);
    assert_true(gateway_is_idle(&f.g));
    assert_int_equal(gateway_add(&f.g, &tcp, f.now_us), TN_ESTATE);
}

static void a_gateway_that_has_gone_does_not_hold_up_the_end(void **state)
{
    struct fake f;

    fake_init(&f);
    f.natpmp = f.knows_pcp_not = true;
    fake_run(&f, TN_S(3));
    f.silent = true;
    gateway_stop(&f.g, f.now_us);
    fake_run(&f, TN_S(2));
    assert_true(gateway_is_idle(&f.g));
}

static void the_table_has_an_end_and_a_place_is_used_again(void **state)
{
    struct gateway_want want = {.tcp = true};
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    for (uint16_t i = 1; i < GATEWAY_MAPPINGS; i++) {
        want.internal_port = (uint16_t)(1000 + i);
        assert_int_equal(gateway_add(&f.g, &want, f.now_us), i);
    }
    want.internal_port = 2000;
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), TN_ENOSPC);
    want.internal_port = 0;
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), TN_EINVAL);
    fake_run(&f, 0);
    gateway_remove(&f.g, 3, f.now_us);
    fake_run(&f, 0);
    assert_null(gateway_at(&f.g, 3));
    want.internal_port = 2000;
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_announced_reboot_renews_everything_within_five_seconds),
        cmocka_unit_test(a_second_reboot_soon_after_is_not_missed_but_waits),
        cmocka_unit_test(a_reboot_soon_after_another_outside_address_is_not_missed),
        cmocka_unit_test(an_announcement_that_fits_renews_nothing),
        cmocka_unit_test(a_reboot_that_has_counted_past_the_old_epoch_is_seen_at_the_renewal),
        cmocka_unit_test(an_outside_address_that_changes_is_followed),
        cmocka_unit_test(an_outside_address_that_changes_with_a_reboot_does_not_wait_for_the_pause),
        cmocka_unit_test(what_others_see_tells_of_a_new_address_too),
        cmocka_unit_test(a_mapping_that_does_not_answer_is_deleted_asked_again_then_left),
        cmocka_unit_test(a_mapping_that_answers_is_trusted_until_its_address_changes),
        cmocka_unit_test(another_router_is_asked_anew_and_none_leaves_nothing),
        cmocka_unit_test(the_same_router_again_is_asked_whether_it_still_knows),
        cmocka_unit_test(a_host_with_a_public_address_needs_no_mapping),
        cmocka_unit_test(an_ipv6_pinhole_is_asked_of_pcp),
        cmocka_unit_test(at_the_end_every_mapping_is_deleted),
        cmocka_unit_test(a_gateway_that_has_gone_does_not_hold_up_the_end),
        cmocka_unit_test(the_table_has_an_end_and_a_place_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
