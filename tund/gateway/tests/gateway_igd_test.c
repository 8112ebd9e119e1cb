/* The manager's side of UPnP, with a child whose answers are scripted. */
#include "fake_router.h"
#include "tund/gateway/gateway_inside.h"

static const struct gateway_mapping *run_upnp(struct fake *f, uint64_t for_us)
{
    f->silent = true; /* neither PCP nor NAT-PMP */
    f->upnp = true;
    fake_run(f, for_us);
    return fake_mapping(f);
}

static void upnp_is_looked_for_at_once_and_used_when_nothing_else_answers(void **state)
{
    struct tn_addr external = ip4(55, 2, 1, 2);
    const struct gateway_mapping *m;
    struct fake f;

    fake_init(&f);
    m = run_upnp(&f, TN_S(2));
    assert_int_equal(f.probes, 1); /* both at the same time */
    assert_true(f.datagrams > 1);
    fake_run(&f, TN_S(4));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(m->protocol, GATEWAY_UPNP);
    external.port = 51820;
    assert_true(tn_addr_equal(&m->external, &external));
    assert_int_equal(f.last_job.lease_s, 7200);
    assert_string_equal(f.last_job.description, "tund 00112233");
    assert_string_equal(f.last_job.location, "http://192.168.1.1:5000/x");
    assert_int_equal(f.probes, 1);
    /* nothing but writing it again shows whether the router still has it */
    fake_run(&f, TN_S(3600));
    assert_in_range(f.igd_maps, 6, 7);
}

static void a_found_upnp_is_not_used_when_pcp_maps(void **state)
{
    struct fake f;

    fake_init(&f);
    f.pcp = f.upnp = true;
    fake_run(&f, TN_S(10));
    assert_int_equal(fake_mapping(&f)->protocol, GATEWAY_PCP);
    assert_int_equal(f.probes, 1);
    assert_int_equal(f.igd_maps, 0);
}

static void only_the_first_probe_sweeps(void **state)
{
    struct gateway_router router = fake_router4();
    struct fake f;

    fake_init(&f);
    f.pcp = f.upnp = true;
    fake_jobs(&f);
    assert_true(f.last_job.sweep);
    fake_run(&f, TN_S(3));
    f.g.igd[GATEWAY_V4].service = GATEWAY_ABSENT;
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    fake_run(&f, TN_S(3));
    assert_int_equal(f.probes, 2);
    assert_false(f.last_job.sweep);
    router.address = ip4(192, 168, 1, 254); /* another router's table may hold some of ours too */
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    fake_run(&f, TN_S(3));
    assert_int_equal(f.probes, 3);
    assert_true(f.last_job.sweep);
}

static void a_router_that_knows_no_leases_gets_one_without_end(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    fake_init(&f);
    f.only_permanent = true;
    m = run_upnp(&f, TN_S(12));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_true(m->permanent);
    assert_int_equal(m->lease_s, 0);
    assert_int_equal(m->expires_us, TN_NEVER);
    assert_int_equal(f.igd_maps, 2);
    gateway_stop(&f.g, f.now_us); /* or it would stay for good */
    fake_run(&f, TN_S(3));
    assert_int_equal(f.igd_unmaps, 1);
    assert_true(gateway_is_idle(&f.g));
}

static void a_port_that_others_hold_is_left_to_them(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    fake_init(&f);
    f.igd_takes_us = TN_MS(10);
    f.igd_status = IGD_CONFLICT;
    f.igd_status_times = 2;
    m = run_upnp(&f, TN_S(5));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(f.igd_maps, 3);
    assert_int_not_equal(m->external.port, 51820);
    assert_true(m->rewritten);
    assert_int_equal(f.last_job.internal_port, 51820);
    fake_init(&f);
    f.igd_takes_us = TN_MS(10);
    f.igd_status = IGD_CONFLICT; /* for every port */
    m = run_upnp(&f, TN_S(5));
    assert_int_equal(m->state, GATEWAY_FAILED);
    assert_int_equal(m->why, GATEWAY_CONFLICT);
    assert_int_equal(m->code, IGD_CONFLICT);
    assert_int_equal(f.igd_maps, 9);
}

static void each_refusal_is_told(void **state)
{
    static const struct {
        uint16_t status;
        uint8_t why;
    } rows[] = {
        {IGD_NOT_AUTHORIZED, GATEWAY_REFUSED}, {IGD_NOT_CONNECTED, GATEWAY_NO_OUTSIDE},
        {IGD_REWRITTEN, GATEWAY_BAD_ANSWER},   {501, GATEWAY_REFUSED},
        {IGD_SAME_PORTS_ONLY, GATEWAY_CONFLICT}, {899, GATEWAY_REFUSED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gateway_mapping *m;
        struct fake f;

        fake_init(&f);
        f.igd_takes_us = TN_MS(10);
        f.igd_status = rows[i].status;
        m = run_upnp(&f, TN_S(8));
        assert_int_equal(m->state, GATEWAY_FAILED);
        assert_int_equal(m->why, rows[i].why);
        assert_int_equal(m->code, rows[i].status);
        assert_in_range(f.igd_maps, 1, 2);
    }
}

static void a_router_that_points_elsewhere_is_told_as_such(void **state)
{
    struct fake f;

    fake_init(&f);
    f.silent = true;
    f.igd_status = IGD_FOREIGN;
    fake_run(&f, TN_S(10));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
    assert_int_equal(fake_mapping(&f)->why, GATEWAY_FOREIGN_HOST);
}

static void a_child_that_dies_is_started_again_but_not_for_ever(void **state)
{
    struct fake f;

    fake_init(&f);
    run_upnp(&f, TN_S(3));
    f.igd_dies = true; /* the probe went well */
    fake_run(&f, TN_S(20));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
    assert_in_range(f.probes + f.igd_maps, 2, 4);
    fake_init(&f);
    f.igd_dies = true;
    run_upnp(&f, TN_S(1000));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
    assert_int_equal(fake_mapping(&f)->why, GATEWAY_UNREACHED);
    assert_int_equal(f.probes, 1);
}

static void a_restarted_router_is_searched_again(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    fake_init(&f);
    m = run_upnp(&f, TN_S(10));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    f.upnp = false; /* gone from the address that we know */
    fake_run(&f, TN_S(600));
    f.upnp = true;
    fake_run(&f, TN_S(700));
    assert_true(f.probes >= 2);
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(m->protocol, GATEWAY_UPNP);
}

static void an_answer_about_another_router_is_not_believed(void **state)
{
    struct gateway_router router = {.address = ip4(10, 0, 0, 1), .own = ip4(10, 0, 0, 7)};
    struct fake f;

    fake_init(&f);
    f.silent = f.upnp = true;
    fake_jobs(&f); /* the probe runs */
    gateway_set_router(&f.g, GATEWAY_V4, &router, f.now_us);
    f.now_us += TN_S(2);
    fake_igd(&f);
    assert_int_not_equal(f.g.igd[GATEWAY_V4].service, GATEWAY_THERE);
    fake_run(&f, TN_S(10));
    assert_int_equal(f.probes, 2);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED);
}

static void removing_while_the_child_maps_removes_what_it_mapped(void **state)
{
    struct fake f;

    fake_init(&f);
    run_upnp(&f, TN_S(5)); /* the map job is under way since 3.75 s */
    assert_true(f.job_running);
    assert_int_equal(f.last_job.op, IGD_MAP);
    gateway_stop(&f.g, f.now_us);
    assert_false(gateway_is_idle(&f.g));
    fake_run(&f, TN_S(5));
    assert_int_equal(f.igd_unmaps, 1);
    assert_int_equal(f.last_job.external_port, 51820);
    assert_true(gateway_is_idle(&f.g));
}

static void an_answer_for_a_mapping_that_went_is_not_its_successors(void **state)
{
    const struct gateway_want other = {.internal_port = 9, .only = GATEWAY_PCP};
    struct fake f;

    fake_init(&f);
    run_upnp(&f, TN_S(5));
    assert_true(f.job_running);
    gateway_refused(&f.g, &f.g.mapping[0], GATEWAY_REFUSED, 0, 600, f.now_us); /* however that came about */
    gateway_remove(&f.g, 0, f.now_us);
    assert_null(gateway_at(&f.g, 0));
    assert_int_equal(gateway_add(&f.g, &other, f.now_us), 0);
    fake_run(&f, TN_S(20));
    assert_false(f.job_running);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
}

static void what_waits_for_a_probe_ends_when_all_is_stopped(void **state)
{
    struct fake f;

    fake_init(&f);
    run_upnp(&f, TN_S(10));
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED);
    f.g.igd[GATEWAY_V4].service = GATEWAY_UNKNOWN;
    gateway_remove(&f.g, 0, f.now_us);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_ENDING);
    gateway_stop(&f.g, f.now_us);
    assert_true(gateway_is_idle(&f.g));
}

static void a_silent_mapping_under_renewal_is_deleted_all_the_same(void **state)
{
    struct fake f;

    fake_init(&f);
    run_upnp(&f, TN_S(10));
    fake_run(&f, TN_S(596)); /* the renewal's job began */
    assert_true(f.job_running);
    gateway_on_verdict(&f.g, 0, false, f.now_us);
    fake_run(&f, TN_S(10));
    assert_int_equal(f.igd_unmaps, 1);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_MAPPED); /* asked again, once */
}

static void a_users_question_waits_its_turn_and_is_answered(void **state)
{
    const struct gateway_order list = {.op = IGD_LIST};
    struct fake f;

    fake_init(&f);
    f.pcp = f.upnp = true;
    assert_int_equal(gateway_give_order(&f.g, &list), TN_ESTATE); /* not found yet */
    fake_run(&f, TN_S(3));
    assert_int_equal(gateway_give_order(&f.g, &list), 0);
    assert_int_equal(gateway_give_order(&f.g, &list), TN_ESTATE); /* one at a time */
    assert_false(gateway_order_is_running(&f.g));
    fake_jobs(&f);
    assert_true(gateway_order_is_running(&f.g));
    assert_int_equal(f.last_job.op, IGD_LIST);
    fake_run(&f, TN_S(3));
    assert_false(gateway_order_is_running(&f.g));
    assert_int_equal(gateway_give_order(&f.g, &list), 0);
}

static void without_the_helper_upnp_is_not_tried(void **state)
{
    struct fake f;

    fake_init(&f);
    f.g.config.upnp = false;
    run_upnp(&f, TN_S(100));
    assert_int_equal(f.probes, 0);
    assert_int_equal(fake_mapping(&f)->state, GATEWAY_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upnp_is_looked_for_at_once_and_used_when_nothing_else_answers),
        cmocka_unit_test(a_found_upnp_is_not_used_when_pcp_maps),
        cmocka_unit_test(only_the_first_probe_sweeps),
        cmocka_unit_test(a_router_that_knows_no_leases_gets_one_without_end),
        cmocka_unit_test(a_port_that_others_hold_is_left_to_them),
        cmocka_unit_test(each_refusal_is_told),
        cmocka_unit_test(a_router_that_points_elsewhere_is_told_as_such),
        cmocka_unit_test(a_child_that_dies_is_started_again_but_not_for_ever),
        cmocka_unit_test(a_restarted_router_is_searched_again),
        cmocka_unit_test(an_answer_about_another_router_is_not_believed),
        cmocka_unit_test(removing_while_the_child_maps_removes_what_it_mapped),
        cmocka_unit_test(an_answer_for_a_mapping_that_went_is_not_its_successors),
        cmocka_unit_test(what_waits_for_a_probe_ends_when_all_is_stopped),
        cmocka_unit_test(a_silent_mapping_under_renewal_is_deleted_all_the_same),
        cmocka_unit_test(a_users_question_waits_its_turn_and_is_answered),
        cmocka_unit_test(without_the_helper_upnp_is_not_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
