/* The NAT check against every kind of NAT of the simulated world, with two addresses of the
 * coordinator and with one, and with loss. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "libtunnel/path/natcheck.h"
#include "simnode.h"

#define FIRST_PORT 20000 /* of the host's sockets */

struct net {
    struct world *w;
    struct tn_natcheck c;
    struct tn_natcheck_result r;
    struct tn_rng rng;
    int server[2], host;
    bool two_addresses;
};

static void on_request(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                       uint8_t *data, size_t len)
{
    struct net *n = ctx;
    uint8_t out[TN_STUN_MAX_LEN];
    int which = tn_addr_same_ip(dst, &n->w->host[n->server[0]].ip) ? 0 : 1;
    struct tn_addr other = n->w->host[n->server[n->two_addresses ? !which : which]].ip;
    size_t answer;

    other.port = dst->port == 3478 ? 3479 : 3478;
    answer = tn_stun_answer(data, len, src, &other, out, sizeof out);
    world_send(n->w, n->server[which], dst->port, src, 0, out, answer);
}

static void on_answer(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                      uint8_t *data, size_t len)
{
    struct net *n = ctx;

    tn_natcheck_on_datagram(&n->c, (uint8_t)(dst->port - FIRST_PORT), src, data, len, &n->w->now);
}

static void begin(struct net *n, uint64_t seed, bool two_addresses)
{
    memset(n, 0, sizeof *n);
    n->w = world_new(seed);
    n->two_addresses = two_addresses;
    n->server[0] = world_add_host(n->w, "55.1.0.10", -1, 0, on_request, n);
    n->server[1] = world_add_host(n->w, "55.1.0.11", -1, 0, on_request, n);
    tn_rng_init(&n->rng, (uint8_t[32]){(uint8_t)seed});
}

static void check(struct net *n, int nat)
{
    struct tn_addr local[TN_NATCHECK_SOCKETS], server = world_ip("55.1.0.10");
    struct tn_natcheck_out out;

    server.port = 3478;
    n->host = world_add_host(n->w, nat < 0 ? "55.2.1.10" : "192.168.1.10", nat, 10000, on_answer, n);
    for (uint16_t i = 0; i < TN_NATCHECK_SOCKETS; i++) {
        local[i] = n->w->host[n->host].ip;
        local[i].port = (uint16_t)(FIRST_PORT + i);
    }
    tn_natcheck_init(&n->c, &server, local, &n->rng, &n->w->now);
    while (!tn_natcheck_is_over(&n->c)) {
        uint64_t at = tn_natcheck_next(&n->c);

        while (tn_natcheck_poll(&n->c, &n->w->now, &out))
            world_send(n->w, n->host, (uint16_t)(FIRST_PORT + out.socket), &out.to, 0, out.data,
                       out.len);
        if (tn_natcheck_is_over(&n->c))
            break;
        at = tn_natcheck_next(&n->c) < world_next(n->w) ? tn_natcheck_next(&n->c) : world_next(n->w);
        world_advance(n->w, at > n->w->now.us ? at : n->w->now.us + 1);
    }
    tn_natcheck_result(&n->c, &n->r);
}

static struct world_nat *add_nat(struct net *n, enum world_mapping m)
{
    return &n->w->nat[world_add_nat(n->w, "55.2.1.2", -1, m, WORLD_FILTER_APDF)];
}

static void each_mapping_is_told_with_two_addresses(void **state)
{
    static const struct {
        enum world_mapping mapping;
        uint8_t want;
    } rows[] = {
        {WORLD_MAP_EIM, TN_NAT_ENDPOINT}, {WORLD_MAP_ADM, TN_NAT_ADDRESS}, {WORLD_MAP_APDM, TN_NAT_PORT}};
    struct net n;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(&n, sim_seed(400 + i), true);
        add_nat(&n, rows[i].mapping);
        check(&n, 0);
        assert_int_equal(n.r.nat.mapping, rows[i].want);
        assert_true(n.r.nat.sure);
        assert_false(n.r.nat.hairpin);
        assert_int_equal(n.r.answered, TN_NATCHECK_SOCKETS - 1);
        world_free(n.w);
    }
}

static void with_one_address_it_says_what_it_cannot_tell(void **state)
{
    static const struct {
        enum world_mapping mapping;
        uint8_t want;
        bool sure;
    } rows[] = {{WORLD_MAP_EIM, TN_NAT_ENDPOINT, false},
                {WORLD_MAP_ADM, TN_NAT_ENDPOINT, false},
                {WORLD_MAP_APDM, TN_NAT_PORT, true}};
    struct net n;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(&n, sim_seed(410 + i), false);
        add_nat(&n, rows[i].mapping);
        check(&n, 0);
        assert_int_equal(n.r.nat.mapping, rows[i].want);
        assert_int_equal(n.r.nat.sure, rows[i].sure);
        world_free(n.w);
    }
}

static void no_nat_is_no_nat(void **state)
{
    struct net n;

    (void)state;
    begin(&n, sim_seed(420), true);
    check(&n, -1);
    assert_int_equal(n.r.nat.mapping, TN_NAT_NONE);
    assert_true(n.r.took_us < 100000);
    world_free(n.w);
}

static void a_network_without_udp_is_known_within_five_seconds(void **state)
{
    struct net n;

    (void)state;
    begin(&n, sim_seed(421), true);
    add_nat(&n, WORLD_MAP_EIM)->blocks_direct = true;
    check(&n, 0);
    assert_int_equal(n.r.nat.mapping, TN_NAT_BLOCKED);
    assert_in_range(n.r.took_us, 1, TN_S(5));
    assert_int_equal(n.r.answered, 0);
    world_free(n.w);
}

static void hairpin_is_seen(void **state)
{
    struct net n;

    (void)state;
    begin(&n, sim_seed(422), true);
    n.w->nat[world_add_nat(n.w, "55.2.1.2", -1, WORLD_MAP_EIM, WORLD_FILTER_EIF)].hairpin = true;
    check(&n, 0);
    assert_true(n.r.nat.hairpin);
    world_free(n.w);
}

static void ports_that_are_kept_counted_or_drawn_are_told_apart(void **state)
{
    struct net n;

    (void)state;
    for (int step = -3; step <= 5; step++) {
        struct world_nat *nat;

        if (!step)
            continue;
        begin(&n, sim_seed(430), true);
        nat = add_nat(&n, WORLD_MAP_APDM);
        nat->step = step;
        nat->next_port = 30000;
        check(&n, 0);
        assert_int_equal(n.r.nat.ports, TN_NAT_PORTS_SEQUENTIAL);
        assert_int_equal(n.r.nat.step, step);
        world_free(n.w);
    }
    begin(&n, sim_seed(431), true);
    add_nat(&n, WORLD_MAP_EIM);
    check(&n, 0);
    assert_int_equal(n.r.nat.ports, TN_NAT_PORTS_PRESERVED);
    world_free(n.w);
    begin(&n, sim_seed(432), true);
    add_nat(&n, WORLD_MAP_APDM); /* from all ports */
    check(&n, 0);
    assert_int_equal(n.r.nat.ports, TN_NAT_PORTS_RANDOM);
    assert_int_equal(n.r.nat.last_port, 0);
    world_free(n.w);
}

/* How much of blocks of all sizes and places is within what was inferred, and how much else. */
static void a_block_of_ports_is_inferred(void **state)
{
    static const uint16_t sizes[] = {512, 1008, 2016, 4096};
    unsigned whole = 0, runs = 0;
    struct net n;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        unsigned size = sizes[seed % 4], first, covered;
        struct world_nat *nat;

        begin(&n, 5000 + seed, true);
        first = 1024 + tn_rng_below(&n.rng, 64512 - size);
        nat = add_nat(&n, WORLD_MAP_APDM);
        nat->first_port = (uint16_t)first;
        nat->last_port = (uint16_t)(first + size - 1);
        check(&n, 0);
        assert_int_equal(n.r.nat.ports, TN_NAT_PORTS_RANDOM);
        assert_int_not_equal(n.r.nat.last_port, 0);
        assert_in_range(n.r.nat.last_port - n.r.nat.first_port + 1u, size / 2, 2 * size);
        covered = (n.r.nat.last_port < first + size - 1 ? n.r.nat.last_port : first + size - 1) -
                  (n.r.nat.first_port > first ? n.r.nat.first_port : first) + 1;
        whole += 100 * covered >= 90 * size;
        runs++;
        world_free(n.w);
    }
    assert_in_range(100 * whole / runs, 85, 100); /* nine tenths of the block, most of the time */
}

static void loss_makes_it_slower_not_wrong(void **state)
{
    struct net n;

    (void)state;
    for (uint64_t seed = 440; seed < 460; seed++) {
        begin(&n, sim_seed(seed), true);
        add_nat(&n, WORLD_MAP_APDM)->step = 1;
        n.w->host[n.server[0]].loss_ppm = 200000;
        check(&n, 0);
        assert_int_equal(n.r.nat.mapping, TN_NAT_PORT);
        assert_in_range(n.r.took_us, 1, TN_S(5));
        world_free(n.w);
    }
}

static void answers_of_strangers_count_for_nothing(void **state)
{
    struct net n;
    struct tn_addr stranger = world_ip("66.6.6.6"), local[TN_NATCHECK_SOCKETS] = {{.port = 0}};
    struct tn_addr server = world_ip("55.1.0.10");
    struct tn_natcheck_out out;
    uint8_t answer[TN_STUN_MAX_LEN];
    size_t len;

    (void)state;
    begin(&n, 1, true);
    server.port = 3478;
    tn_natcheck_init(&n.c, &server, local, &n.rng, &n.w->now);
    assert_true(tn_natcheck_poll(&n.c, &n.w->now, &out));
    len = tn_stun_answer(out.data, out.len, &server, NULL, answer, sizeof answer);
    stranger.port = 3478;
    assert_false(tn_natcheck_on_datagram(&n.c, 0, &stranger, answer, len, &n.w->now));
    assert_false(tn_natcheck_on_datagram(&n.c, 1, &server, answer, len, &n.w->now));
    answer[8] ^= 1; /* another transaction */
    assert_false(tn_natcheck_on_datagram(&n.c, 0, &server, answer, len, &n.w->now));
    answer[8] ^= 1;
    assert_true(tn_natcheck_on_datagram(&n.c, 0, &server, answer, len, &n.w->now));
    assert_false(tn_natcheck_on_datagram(&n.c, 0, &server, answer, len, &n.w->now)); /* once */
    world_free(n.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mapping_is_told_with_two_addresses),
        cmocka_unit_test(with_one_address_it_says_what_it_cannot_tell),
        cmocka_unit_test(no_nat_is_no_nat),
        cmocka_unit_test(a_network_without_udp_is_known_within_five_seconds),
        cmocka_unit_test(hairpin_is_seen),
        cmocka_unit_test(ports_that_are_kept_counted_or_drawn_are_told_apart),
        cmocka_unit_test(a_block_of_ports_is_inferred),
        cmocka_unit_test(loss_makes_it_slower_not_wrong),
        cmocka_unit_test(answers_of_strangers_count_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
