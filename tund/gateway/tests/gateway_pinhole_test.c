/* An IPv6 firewall that knows no PCP, opened by UPnP. */
#include "fake_router.h"

#define OWN 1u /* number of the pinhole; the mapping of fake_init is 0 */

static struct gateway_router router6(uint8_t last)
{
    const uint8_t gateway[16] = {0xfe, 0x80, [15] = last}, own[16] = {0x2a, [15] = 2};

    return (struct gateway_router){.address = tn_addr_v6(gateway, 0), .own = tn_addr_v6(own, 0), .scope = 3};
}

/* A pinhole is wanted; the gateway knows neither PCP nor NAT-PMP. */
static const struct gateway_mapping *start(struct fake *f)
{
    const struct gateway_want want = {.internal_port = 51820, .family = GATEWAY_V6};
    const struct gateway_router router = router6(1);

    fake_init(f);
    f->silent = f->upnp = f->firewall.there = true;
    f->firewall.pinhole = 7;
    f->igd_takes_us = TN_MS(10);
    gateway_set_router(&f->g, GATEWAY_V6, &router, f->now_us);
    assert_int_equal(gateway_add(&f->g, &want, f->now_us), OWN);
    return gateway_at(&f->g, OWN);
}

static void it_is_opened_when_pcp_does_not_answer(void **state)
{
    struct tn_addr external = router6(1).own;
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(3));
    assert_int_equal(f.firewall.probes, 0); /* PCP is still being asked */
    fake_run(&f, TN_S(2));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(m->protocol, GATEWAY_UPNP);
    external.port = 51820;
    assert_true(tn_addr_equal(&m->external, &external));
    assert_int_equal(m->lease_s, 7200);
    assert_int_equal(m->verdict, GATEWAY_UNVERIFIED);
    assert_int_equal(f.firewall.probes, 1);
    assert_int_equal(f.firewall.pinholes, 1);
    assert_int_equal(f.last_job.pinhole, IGD_NO_PINHOLE);
    assert_int_equal(f.last_job.internal_port, 51820);
    assert_int_equal(f.last_job.scope, 3);
    assert_string_equal(f.last_job.location, "http://[fe80::1]:5000/x");
    assert_int_equal(gateway_at(&f.g, 0)->state, GATEWAY_MAPPED); /* the other family is not in its way */
}

static void pcp_is_preferred_and_then_nothing_is_searched(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    f.silent = false;
    f.pcp = true;
    fake_run(&f, TN_S(60));
    assert_int_equal(m->protocol, GATEWAY_PCP);
    assert_int_equal(f.firewall.probes, 0);
}

static void it_is_renewed_and_closed_by_its_number(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(5));
    fake_run(&f, TN_S(3600));
    assert_in_range(f.firewall.pinholes, 6, 8);
    assert_int_equal(m->pinhole, 7);
    assert_int_equal(m->remade, 0);
    gateway_stop(&f.g, f.now_us);
    fake_run(&f, TN_S(1));
    assert_true(gateway_is_idle(&f.g));
    assert_int_equal(f.firewall.unpinholes, 1);
    assert_int_equal(f.last_job.op == IGD_UNMAP ? f.last_job.pinhole : 7, 7);
}

static void a_short_lease_is_renewed_at_half_its_life(void **state)
{
    struct fake f;

    (void)start(&f);
    f.lease_max_s = 100;
    fake_run(&f, TN_S(5));
    assert_int_equal(f.firewall.pinholes, 1);
    fake_run(&f, TN_S(48));
    assert_int_equal(f.firewall.pinholes, 1);
    fake_run(&f, TN_S(4));
    assert_int_equal(f.firewall.pinholes, 2);
    assert_int_equal(f.last_job.op == IGD_MAP && !tn_addr_is_v4(&f.last_job.gateway) ? f.last_job.pinhole : 7, 7);
}

static void another_number_means_that_it_had_been_forgotten(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(5));
    f.firewall.pinhole = 8;
    fake_run(&f, TN_S(601));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(m->pinhole, 8);
    assert_int_equal(m->remade, 1);
}

static void what_the_firewall_says_of_it_is_the_verdict(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(5));
    f.firewall.works = IGD_WORKS;
    fake_run(&f, TN_S(601));
    assert_int_equal(m->verdict, GATEWAY_ANSWERED);
    f.firewall.works = IGD_WORKS_NOT;
    fake_run(&f, TN_S(650)); /* closed, opened again, and the same */
    assert_int_equal(m->state, GATEWAY_FAILED);
    assert_int_equal(m->why, GATEWAY_LIES);
    assert_int_equal(f.firewall.unpinholes, 2);
}

static void each_refusal_is_told(void **state)
{
    static const struct {
        uint16_t status;
        uint8_t why;
    } rows[] = {
        {606, GATEWAY_REFUSED}, {701, GATEWAY_FULL}, {702, GATEWAY_OPEN}, {703, GATEWAY_REFUSED},
        {705, GATEWAY_REFUSED}, {708, GATEWAY_REFUSED}, {501, GATEWAY_REFUSED},
        {IGD_FIREWALL_OFF, GATEWAY_OPEN}, {IGD_BAD_PINHOLE, GATEWAY_BAD_ANSWER},
        {IGD_FOREIGN, GATEWAY_FOREIGN_HOST}, {IGD_NO_ANSWER, GATEWAY_NO_SERVICE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gateway_mapping *m;
        struct fake f;

        m = start(&f);
        f.firewall.status = rows[i].status;
        fake_run(&f, TN_S(8));
        assert_int_equal(m->state, GATEWAY_FAILED);
        assert_int_equal(m->why, rows[i].why);
        assert_int_equal(m->code, rows[i].status);
        assert_int_equal(f.firewall.probes, 1);
        f.firewall.status = IGD_OK; /* it is asked again, later */
        fake_run(&f, TN_S(1900));
        assert_int_equal(m->state, GATEWAY_MAPPED);
    }
}

static void a_firewall_that_says_no_after_a_yes_is_told_as_well(void **state)
{
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(5));
    f.firewall.status = 606;
    fake_run(&f, TN_S(601));
    assert_int_equal(m->state, GATEWAY_FAILED);
    assert_int_equal(m->why, GATEWAY_REFUSED);
    assert_int_equal(m->code, 606);
    assert_int_equal(m->pinhole, IGD_NO_PINHOLE);
}

static void another_router_is_searched_anew_and_the_old_answer_is_not_its(void **state)
{
    const struct gateway_router router = router6(9);
    const struct gateway_mapping *m;
    struct fake f;

    m = start(&f);
    fake_run(&f, TN_S(3));
    f.igd_takes_us = TN_S(2);
    fake_run(&f, TN_S(2)); /* the search is under way */
    assert_int_equal(f.firewall.probes, 1);
    assert_true(f.job_running);
    gateway_set_router(&f.g, GATEWAY_V6, &router, f.now_us);
    fake_run(&f, TN_S(3));
    assert_int_equal(m->state, GATEWAY_ASKING);
    fake_run(&f, TN_S(10));
    assert_int_equal(m->state, GATEWAY_MAPPED);
    assert_int_equal(f.firewall.probes, 2);
    assert_int_equal(f.last_job.gateway.ip[15], 9);
}

static void nat_pmp_has_no_ipv6(void **state)
{
    struct gateway_want want = {.internal_port = 99, .family = GATEWAY_V6, .only = GATEWAY_NATPMP};
    struct fake f;

    (void)start(&f);
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), TN_EINVAL);
    want.only = GATEWAY_UPNP;
    assert_int_equal(gateway_add(&f.g, &want, f.now_us), 2);
    fake_run(&f, TN_S(1)); /* PCP is not waited for */
    assert_int_equal(gateway_at(&f.g, 2)->state, GATEWAY_MAPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_opened_when_pcp_does_not_answer),
        cmocka_unit_test(pcp_is_preferred_and_then_nothing_is_searched),
        cmocka_unit_test(it_is_renewed_and_closed_by_its_number),
        cmocka_unit_test(a_short_lease_is_renewed_at_half_its_life),
        cmocka_unit_test(another_number_means_that_it_had_been_forgotten),
        cmocka_unit_test(what_the_firewall_says_of_it_is_the_verdict),
        cmocka_unit_test(each_refusal_is_told),
        cmocka_unit_test(a_firewall_that_says_no_after_a_yes_is_told_as_well),
        cmocka_unit_test(another_router_is_searched_anew_and_the_old_answer_is_not_its),
        cmocka_unit_test(nat_pmp_has_no_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
