/* The manager with a scripted gateway under a simulated clock: PCP and NAT-PMP, and each of their errors. */
#include "fake_router.h"
#include "tund/gateway/natpmp.h"

static void pcp_is_asked_first_for_7200_s_and_renewed_at_half_life(void **state)
{
    struct tn_addr external = ip4(55, 2, 1, 2);
    struct fake f;

    fake_init(&f);
    f.pcp = f.natpmp = f.upnp = true;
    fake_run(&f, 0);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    external.port = 51820;
    assert_true(tn_addr_equal(&fake_mapping(&f)->external, &external));
    assert_int_equal(fake_mapping(&f)->lease_s, 7200);
    assert_int_equal(fake_mapping(&f)->verdict, GATEWAY_UNVERIFIED);
    assert_memory_equal(f.last_pcp + 4, "\0\0\x1c\x20", 4);
    fake_run(&f, TN_S(3599));
    assert_int_equal(f.pcp_maps, 1);
    fake_run(&f, TN_S(2));
    assert_int_equal(f.pcp_maps, 2);
    fake_run(&f, TN_S(36000));
    assert_int_equal(f.pcp_maps, 12);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    assert_int_equal(f.natpmp_maps + f.igd_maps, 0);
}

static void a_rewritten_port_is_kept_and_asked_for_from_then_on(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.port_add = 7;
    fake_run(&f, 0);
    assert_int_equal(fake_mapping(&f)->external.port, 51827);
    assert_true(fake_mapping(&f)->rewritten);
    f.port_add = 0;
    fake_run(&f, TN_S(3601));
    assert_int_equal(f.last_pcp[42] << 8 | f.last_pcp[43], 51827);
    assert_int_equal(fake_mapping(&f)->external.port, 51827);
}

static void a_wrong_nonce_maps_nothing(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.nonce_xor = 1;
    fake_run(&f, TN_S(30));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_NO_SERVICE, GATEWAY_NONE);
    assert_true(tn_addr_is_zero(&fake_mapping(&f)->external));
}

static void the_nonce_is_the_same_after_a_restart_and_another_nodes_differs(void **state)
{
    struct gateway_config config = {.seed = 1, .nonce_key = {1}};
    struct gateway_router router = fake_router4();
    const struct gateway_want want = {.internal_port = 51820};
    struct fake f, again;

    fake_init(&f);
    fake_init(&again);
    assert_memory_equal(fake_mapping(&f)->nonce, fake_mapping(&again)->nonce, PCP_NONCE_LEN);
    gateway_init(&again.g, &config);
    gateway_set_router(&again.g, GATEWAY_V4, &router, 0);
    assert_int_equal(gateway_add(&again.g, &want, 0), 0);
    assert_memory_not_equal(fake_mapping(&f)->nonce, fake_mapping(&again)->nonce, PCP_NONCE_LEN);
}

static void natpmp_is_used_where_pcp_is_refused(void **state)
{
    struct fake f;

    fake_init(&f);
    f.natpmp = f.knows_pcp_not = true;
    fake_run(&f, 0);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_NATPMP);
    assert_int_equal(fake_mapping(&f)->external.port, 51820);
    assert_int_equal(f.natpmp_maps, 1);
    fake_run(&f, TN_S(3601));
    assert_int_equal(f.natpmp_maps, 2);
}

static void natpmp_is_used_where_pcp_is_ignored(void **state)
{
    struct fake f;

    fake_init(&f);
    f.natpmp = true;
    fake_run(&f, TN_MS(300));
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_NATPMP);
}

static void a_silent_gateway_is_asked_four_times_at_doubling_intervals(void **state)
{
    struct fake f;

    fake_init(&f);
    f.silent = true;
    fake_run(&f, TN_S(10));
    /* PCP, then PCP and NAT-PMP three times */
    assert_int_equal(f.datagrams, 7);
    assert_int_equal(f.first_us[1] - f.first_us[0], TN_MS(250));
    assert_int_equal(f.first_us[3] - f.first_us[1], TN_MS(500));
    assert_int_equal(f.first_us[5] - f.first_us[3], TN_MS(1000));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_NO_SERVICE, GATEWAY_NONE);
    f.silent = false;
    f.pcp = true; /* its owner has switched it on */
    fake_run(&f, TN_S(1800));
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
}

static void a_host_that_refuses_the_port_is_not_asked_again(void **state)
{
    struct fake f;

    fake_init(&f);
    f.silent = true;
    f.igd_takes_us = 0;
    fake_datagrams(&f);
    gateway_on_refused(&f.g, GATEWAY_V4, f.now_us);
    fake_run(&f, TN_S(10));
    assert_int_equal(f.datagrams, 1);
    assert_state(&f, GATEWAY_FAILED, GATEWAY_NO_SERVICE, GATEWAY_NONE);
}

static void each_error_of_pcp_is_told_and_not_repeated_at_once(void **state)
{
    static const struct {
        uint8_t result;
        uint8_t why;
    } rows[] = {
        {PCP_NOT_AUTHORIZED, GATEWAY_REFUSED},     {PCP_MALFORMED_REQUEST, GATEWAY_BAD_ANSWER},
        {PCP_UNSUPP_OPTION, GATEWAY_BAD_ANSWER},   {PCP_MALFORMED_OPTION, GATEWAY_BAD_ANSWER},
        {PCP_NETWORK_FAILURE, GATEWAY_NO_OUTSIDE}, {PCP_NO_RESOURCES, GATEWAY_FULL},
        {PCP_UNSUPP_PROTOCOL, GATEWAY_REFUSED},    {PCP_USER_EX_QUOTA, GATEWAY_FULL},
        {PCP_CANNOT_PROVIDE_EXTERNAL, GATEWAY_CONFLICT}, {PCP_ADDRESS_MISMATCH, GATEWAY_MISMATCH},
        {PCP_EXCESSIVE_REMOTE_PEERS, GATEWAY_REFUSED},   {200, GATEWAY_REFUSED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake f;
        unsigned asked;

        fake_init(&f);
        f.pcp = true;
        f.pcp_result = rows[i].result;
        f.error_lifetime_s = 900;
        fake_run(&f, TN_S(10));
        assert_state(&f, GATEWAY_FAILED, (enum gateway_why)rows[i].why, GATEWAY_NONE);
        assert_int_equal(fake_mapping(&f)->code, rows[i].result);
        asked = f.pcp_maps;
        assert_in_range(asked, 1, 2);
        fake_run(&f, TN_S(600));
        assert_int_equal(f.pcp_maps, asked);
        f.pcp_result = PCP_SUCCESS;
        fake_run(&f, TN_S(1800));
        assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    }
}

static void versions_and_operations_that_it_lacks_mean_that_it_speaks_no_pcp(void **state)
{
    const uint8_t results[] = {PCP_UNSUPP_VERSION, PCP_UNSUPP_OPCODE};

    for (size_t i = 0; i < 4; i++) {
        struct fake f;

        fake_init(&f);
        f.pcp = f.natpmp = true;
        f.pcp_result = results[i % 2];
        f.pcp_version = i < 2 ? PCP_VERSION : 1;
        fake_run(&f, TN_S(4));
        assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_NATPMP);
    }
}

static void when_no_port_can_be_had_any_other_is_asked_for_once(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.pcp_result = PCP_CANNOT_PROVIDE_EXTERNAL;
    fake_datagrams(&f);
    assert_int_equal(f.pcp_maps, 2);
    assert_int_equal(f.last_pcp[42] << 8 | f.last_pcp[43], 0);
}

/* The answer to a renewal: what was held is gone, and nobody may be told of it any more. */
static void a_held_port_that_is_lost_is_not_told_any_more(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.lease_max_s = 100;
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    f.pcp_result = PCP_CANNOT_PROVIDE_EXTERNAL;
    f.silent_after_pcp_map = f.pcp_maps + 1;
    fake_run(&f, TN_MS(40100)); /* to half of its life, and a try more */
    assert_state(&f, GATEWAY_ASKING, GATEWAY_WELL, GATEWAY_PCP);
    assert_true(tn_addr_is_zero(&fake_mapping(&f)->external));
    assert_int_equal(f.last_pcp[42] << 8 | f.last_pcp[43], 0);
    f.pcp_result = PCP_SUCCESS;
    f.silent_after_pcp_map = 0;
    fake_run(&f, TN_S(1));
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    assert_int_equal(fake_mapping(&f)->external.port, 30000);
}

static void each_error_of_natpmp_is_told(void **state)
{
    static const struct {
        uint16_t result;
        uint8_t why;
    } rows[] = {
        {NATPMP_NOT_AUTHORIZED, GATEWAY_REFUSED},
        {NATPMP_NETWORK_FAILURE, GATEWAY_NO_OUTSIDE},
        {NATPMP_OUT_OF_RESOURCES, GATEWAY_FULL},
        {77, GATEWAY_REFUSED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake f;

        fake_init(&f);
        f.natpmp = f.knows_pcp_not = true;
        f.natpmp_result = rows[i].result;
        fake_run(&f, TN_S(10));
        assert_state(&f, GATEWAY_FAILED, (enum gateway_why)rows[i].why, GATEWAY_NONE);
        assert_int_equal(fake_mapping(&f)->code, rows[i].result);
        assert_true(f.natpmp_asks + f.natpmp_maps <= 3);
    }
}

static void a_success_without_a_port_or_an_address_is_no_mapping(void **state)
{
    struct fake f;

    fake_init(&f);
    f.natpmp = f.knows_pcp_not = f.port_zero = true; /* as some RouterOS */
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_BAD_ANSWER, GATEWAY_NONE);
    fake_init(&f);
    f.pcp = f.port_zero = true;
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_BAD_ANSWER, GATEWAY_NONE);
    fake_init(&f);
    f.pcp = true;
    f.outside = ip4(224, 0, 0, 1);
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_BAD_ANSWER, GATEWAY_NONE);
    fake_init(&f);
    f.pcp = true;
    f.lease_max_s = 0;
    fake_run(&f, TN_S(10));
    assert_state(&f, GATEWAY_FAILED, GATEWAY_BAD_ANSWER, GATEWAY_NONE);
}

static void an_endless_lease_is_renewed_as_one_of_a_day(void **state)
{
    uint8_t msg[PCP_MAP_LEN] = {2, 0x81, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x13, 0x88}; /* epoch 5000 */
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    /* an unsolicited update with the right nonce (RFC 6887 section 14.2) */
    memcpy(msg + 24, f.last_pcp + 24, 18);
    msg[42] = 0x75; /* 30000 */
    msg[43] = 0x30;
    memcpy(msg + 44, f.outside.ip, 16);
    gateway_on_datagram(&f.g, GATEWAY_V4, msg, sizeof msg, f.now_us);
    assert_int_equal(fake_mapping(&f)->external.port, 30000);
    assert_int_equal(fake_mapping(&f)->lease_s, 86400);
    assert_int_equal(fake_mapping(&f)->due_us - f.now_us, TN_S(43200));
}

static void a_short_lease_is_renewed_in_time_and_not_in_a_storm(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.lease_max_s = 4;
    fake_run(&f, TN_S(61));
    assert_int_equal(f.pcp_maps, 31);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
    fake_init(&f);
    f.pcp = true;
    f.lease_max_s = 1;
    fake_run(&f, TN_S(60));
    assert_in_range(f.pcp_maps, 30, 70);
}

static void a_lease_that_is_not_renewed_ends_and_comes_back(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    fake_run(&f, 0);
    f.silent = true;
    fake_run(&f, TN_S(7000));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED); /* until its end */
    assert_true(f.datagrams > 8);
    fake_run(&f, TN_S(300));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
    assert_true(tn_addr_is_zero(&fake_mapping(&f)->external));
    f.silent = false;
    fake_run(&f, TN_S(120));
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_WELL, GATEWAY_PCP);
}

static void a_private_outside_address_is_a_second_nat(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = true;
    f.outside = ip4(100, 64, 3, 2);
    fake_run(&f, 0);
    assert_state(&f, GATEWAY_MAPPED, GATEWAY_PRIVATE, GATEWAY_PCP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcp_is_asked_first_for_7200_s_and_renewed_at_half_life),
        cmocka_unit_test(a_rewritten_port_is_kept_and_asked_for_from_then_on),
        cmocka_unit_test(a_wrong_nonce_maps_nothing),
        cmocka_unit_test(the_nonce_is_the_same_after_a_restart_and_another_nodes_differs),
        cmocka_unit_test(natpmp_is_used_where_pcp_is_refused),
        cmocka_unit_test(natpmp_is_used_where_pcp_is_ignored),
        cmocka_unit_test(a_silent_gateway_is_asked_four_times_at_doubling_intervals),
        cmocka_unit_test(a_host_that_refuses_the_port_is_not_asked_again),
        cmocka_unit_test(each_error_of_pcp_is_told_and_not_repeated_at_once),
        cmocka_unit_test(versions_and_operations_that_it_lacks_mean_that_it_speaks_no_pcp),
        cmocka_unit_test(when_no_port_can_be_had_any_other_is_asked_for_once),
        cmocka_unit_test(a_held_port_that_is_lost_is_not_told_any_more),
        cmocka_unit_test(each_error_of_natpmp_is_told),
        cmocka_unit_test(a_success_without_a_port_or_an_address_is_no_mapping),
        cmocka_unit_test(an_endless_lease_is_renewed_as_one_of_a_day),
        cmocka_unit_test(a_short_lease_is_renewed_in_time_and_not_in_a_storm),
        cmocka_unit_test(a_lease_that_is_not_renewed_ends_and_comes_back),
        cmocka_unit_test(a_private_outside_address_is_a_second_nat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
