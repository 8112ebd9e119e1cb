#include "vectors.h"
#include "libtunnel/wg/allowed.h"

#define PEERS 5u
#define NODES 256u
#define PREFIXES 128u /* 2 n nodes are enough for n prefixes */

static struct tn_allowed_node nodes[NODES];
static uint32_t heads[PEERS];
static struct tn_allowed t;

static int set_up(void **state)
{
    (void)state;
    tn_allowed_init(&t, nodes, NODES, heads, PEERS);
    return 0;
}

static struct tn_prefix p4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t cidr)
{
    struct tn_prefix p = {.ip = {a, b, c, d}, .family = 4, .cidr = cidr};

    return p;
}

static struct tn_prefix p6(const char *hex, uint8_t cidr)
{
    struct tn_prefix p = {.family = 6, .cidr = cidr};

    unhex_exactly(p.ip, 16, hex);
    return p;
}

static void add(struct tn_prefix p, uint32_t peer)
{
    assert_int_equal(tn_allowed_insert(&t, &p, peer), 0);
}

static uint32_t look4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t ip[4] = {a, b, c, d};

    return tn_allowed_lookup4(&t, ip);
}

static uint32_t look6(const char *hex)
{
    uint8_t ip[16];

    unhex_exactly(ip, 16, hex);
    return tn_allowed_lookup6(&t, ip);
}

static void an_empty_table_allows_nothing(void **state)
{
    (void)state;
    assert_int_equal(look4(10, 0, 0, 1), TN_ALLOWED_NONE);
    assert_int_equal(look6("fd000000000000000000000000000001"), TN_ALLOWED_NONE);
}

static void the_longest_prefix_wins(void **state)
{
    (void)state;
    add(p4(0, 0, 0, 0, 0), 0);
    add(p4(10, 0, 0, 0, 8), 1);
    add(p4(10, 1, 0, 0, 16), 2);
    add(p4(10, 1, 2, 3, 32), 3);
    assert_int_equal(look4(192, 0, 2, 1), 0);
    assert_int_equal(look4(10, 2, 0, 1), 1);
    assert_int_equal(look4(10, 1, 2, 2), 2);
    assert_int_equal(look4(10, 1, 2, 3), 3);
    add(p6("00000000000000000000000000000000", 0), 0);
    add(p6("fd00aaaabbbb00000000000000000000", 48), 1);
    add(p6("fd00aaaabbbb00010000000000000000", 64), 2);
    add(p6("fd00aaaabbbb00010000000000000007", 128), 3);
    assert_int_equal(look6("20010db8000000000000000000000001"), 0);
    assert_int_equal(look6("fd00aaaabbbb00020000000000000007"), 1);
    assert_int_equal(look6("fd00aaaabbbb00010000000000000008"), 2);
    assert_int_equal(look6("fd00aaaabbbb00010000000000000007"), 3);
}

static void the_families_do_not_mix(void **state)
{
    (void)state;
    add(p4(0, 0, 0, 0, 0), 1);
    assert_int_equal(look6("00000000000000000000000000000000"), TN_ALLOWED_NONE);
    assert_int_equal(look6("00000000000000000000ffff0a000001"), TN_ALLOWED_NONE);
}

static void inserting_moves_a_prefix_from_its_owner(void **state)
{
    struct tn_prefix p = p4(10, 0, 0, 0, 24), out;
    uint32_t at = TN_ALLOWED_NONE;

    (void)state;
    add(p, 1);
    add(p4(10, 0, 0, 77, 24), 2); /* the same prefix: bits beyond it do not count */
    assert_int_equal(look4(10, 0, 0, 1), 2);
    assert_int_equal(tn_allowed_owner(&t, &p), 2);
    assert_false(tn_allowed_next(&t, 1, &at, &out));
    assert_true(tn_allowed_next(&t, 2, &at, &out));
    assert_memory_equal(out.ip, p.ip, 16);
    assert_int_equal(t.free_count, NODES - 1);
}

static void only_the_owner_can_remove_a_prefix(void **state)
{
    struct tn_prefix p = p4(10, 0, 0, 0, 24), other = p4(10, 0, 0, 0, 25);

    (void)state;
    add(p, 1);
    assert_int_equal(tn_allowed_remove(&t, &p, 2), TN_ENOENT);
    assert_int_equal(tn_allowed_remove(&t, &other, 1), TN_ENOENT);
    assert_int_equal(look4(10, 0, 0, 1), 1);
    assert_int_equal(tn_allowed_remove(&t, &p, 1), 0);
    assert_int_equal(tn_allowed_remove(&t, &p, 1), TN_ENOENT);
    assert_int_equal(look4(10, 0, 0, 1), TN_ALLOWED_NONE);
    assert_int_equal(t.free_count, NODES);
}

static void a_fork_has_no_owner_and_goes_with_its_branches(void **state)
{
    struct tn_prefix a = p4(10, 0, 0, 0, 32), b = p4(10, 0, 0, 128, 32), fork = p4(10, 0, 0, 0, 24);

    (void)state;
    add(a, 1);
    add(b, 2);
    assert_int_equal(t.free_count, NODES - 3);
    assert_int_equal(tn_allowed_owner(&t, &fork), TN_ALLOWED_NONE);
    assert_int_equal(tn_allowed_remove(&t, &fork, TN_ALLOWED_NONE), TN_EINVAL);
    assert_int_equal(look4(10, 0, 0, 5), TN_ALLOWED_NONE);
    assert_int_equal(tn_allowed_remove(&t, &a, 1), 0);
    assert_int_equal(t.free_count, NODES - 1);
    assert_int_equal(look4(10, 0, 0, 128), 2);
}

static void prefixes_that_cannot_be_are_refused(void **state)
{
    struct tn_prefix p = p4(10, 0, 0, 0, 33);

    (void)state;
    assert_int_equal(tn_allowed_insert(&t, &p, 1), TN_EINVAL);
    assert_int_equal(tn_allowed_remove(&t, &p, 1), TN_EINVAL);
    assert_int_equal(tn_allowed_owner(&t, &p), TN_ALLOWED_NONE);
    p = p6("fd000000000000000000000000000000", 129);
    assert_int_equal(tn_allowed_insert(&t, &p, 1), TN_EINVAL);
    p.family = 5;
    assert_int_equal(tn_allowed_insert(&t, &p, 1), TN_EINVAL);
    p = p4(10, 0, 0, 0, 8);
    assert_int_equal(tn_allowed_insert(&t, &p, PEERS), TN_EINVAL);
}

static void a_full_table_refuses_and_stays_as_it_was(void **state)
{
    struct tn_prefix p;
    uint32_t count = 0;

    (void)state;
    tn_allowed_init(&t, nodes, 4, heads, PEERS);
    for (uint8_t i = 0; i < 9; i++) {
        p = p4(i, 0, 0, 0, 32);
        if (tn_allowed_insert(&t, &p, i % PEERS) == 0)
            count++;
        else
            assert_int_equal(tn_allowed_insert(&t, &p, 1), TN_ENOSPC);
    }
    assert_int_equal(count, 2); /* 3 nodes; the next wants 2 and there is 1 */
    assert_int_equal(t.free_count, 1);
    assert_int_equal(look4(0, 0, 0, 0), 0);
    assert_int_equal(look4(1, 0, 0, 0), 1);
    assert_int_equal(look4(2, 0, 0, 0), TN_ALLOWED_NONE);
}

/* ---- random operations against a list that is searched from end to end ---- */

struct oracle_entry {
    struct tn_prefix p;
    uint32_t peer;
};

static struct oracle_entry oracle[PREFIXES];
static uint32_t oracle_count;
static uint64_t seed;

static uint32_t rnd(uint32_t bound)
{
    seed ^= seed << 13; /* xorshift64 */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % bound;
}

/* Prefixes from a small pool of bits, so that they nest, meet and collide. */
static struct tn_prefix random_prefix(void)
{
    struct tn_prefix p = {.family = rnd(2) ? 4 : 6};
    unsigned bits = p.family == 4 ? 32 : 128;

    for (unsigned i = 0; i < bits / 8; i++)
        p.ip[i] = rnd(4) ? 0 : (uint8_t)(rnd(2) ? 0x80u >> rnd(8) : rnd(256));
    p.cidr = (uint8_t)rnd(bits + 1);
    for (unsigned i = p.cidr; i < bits; i++)
        p.ip[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
    return p;
}

static bool same(const struct tn_prefix *a, const struct tn_prefix *b)
{
    return a->family == b->family && a->cidr == b->cidr && memcmp(a->ip, b->ip, 16) == 0;
}

static bool covers(const struct tn_prefix *p, uint8_t family, const uint8_t *ip)
{
    if (p->family != family)
        return false;
    for (unsigned i = 0; i < p->cidr; i++) {
        if ((p->ip[i / 8] ^ ip[i / 8]) & (0x80u >> (i % 8)))
            return false;
    }
    return true;
}

static uint32_t oracle_lookup(uint8_t family, const uint8_t *ip)
{
    uint32_t best = TN_ALLOWED_NONE;
    int best_cidr = -1;

    for (uint32_t i = 0; i < oracle_count; i++) {
        if (covers(&oracle[i].p, family, ip) && oracle[i].p.cidr > best_cidr) {
            best = oracle[i].peer;
            best_cidr = oracle[i].p.cidr;
        }
    }
    return best;
}

static uint32_t oracle_find(const struct tn_prefix *p)
{
    uint32_t i = 0;

    while (i < oracle_count && !same(&oracle[i].p, p))
        i++;
    return i;
}

static void check_against_oracle(void)
{
    uint32_t listed = 0;

    for (uint32_t peer = 0; peer < PEERS; peer++) {
        uint32_t at = TN_ALLOWED_NONE;
        struct tn_prefix p;

        while (tn_allowed_next(&t, peer, &at, &p)) {
            uint32_t i = oracle_find(&p);

            assert_true(i < oracle_count && oracle[i].peer == peer);
            listed++;
        }
    }
    assert_int_equal(listed, oracle_count);
    assert_true(NODES - t.free_count <= 2 * oracle_count);
    for (int i = 0; i < 40; i++) {
        struct tn_prefix p = random_prefix();

        for (unsigned b = 0; b < 16; b++) /* a random address, often below a prefix */
            p.ip[b] |= rnd(3) ? 0 : (uint8_t)rnd(256);
        if (i % 2 && oracle_count > 0)
            p = oracle[rnd(oracle_count)].p;
        assert_int_equal(p.family == 4 ? tn_allowed_lookup4(&t, p.ip)
                                       : tn_allowed_lookup6(&t, p.ip),
                         oracle_lookup(p.family, p.ip));
    }
}

static void random_step(void)
{
    struct tn_prefix p = random_prefix();
    uint32_t peer = rnd(PEERS), i;

    if (oracle_count > 0 && rnd(3) == 0)
        p = oracle[rnd(oracle_count)].p;
    i = oracle_find(&p);
    if (rnd(40) == 0) {
        tn_allowed_remove_by_peer(&t, peer);
        for (uint32_t j = oracle_count; j-- > 0;) {
            if (oracle[j].peer == peer)
                oracle[j] = oracle[--oracle_count];
        }
    } else if (rnd(3) == 0) {
        bool has = i < oracle_count && oracle[i].peer == peer;

        assert_int_equal(tn_allowed_remove(&t, &p, peer), has ? 0 : TN_ENOENT);
        if (has)
            oracle[i] = oracle[--oracle_count];
    } else if (i < oracle_count || oracle_count < PREFIXES) {
        assert_int_equal(tn_allowed_insert(&t, &p, peer), 0);
        if (i == oracle_count)
            oracle_count++;
        oracle[i] = (struct oracle_entry){.p = p, .peer = peer};
    }
}

static void random_operations_agree_with_a_linear_search(void **state)
{
    const char *given = getenv("TN_TEST_SEED");

    seed = given ? strtoull(given, NULL, 0) : 0x5eed0000a110edull;
    print_message("# seed 0x%llx (set TN_TEST_SEED to replay another)\n",
                  (unsigned long long)seed);
    for (int round = 0; round < 20; round++) {
        set_up(state);
        oracle_count = 0;
        for (int i = 0; i < 500; i++) {
            random_step();
            check_against_oracle();
        }
        for (uint32_t peer = 0; peer < PEERS; peer++)
            tn_allowed_remove_by_peer(&t, peer);
        assert_int_equal(t.free_count, NODES);
        assert_int_equal(t.root[0], TN_ALLOWED_NONE);
        assert_int_equal(t.root[1], TN_ALLOWED_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_table_allows_nothing, set_up),
        cmocka_unit_test_setup(the_longest_prefix_wins, set_up),
        cmocka_unit_test_setup(the_families_do_not_mix, set_up),
        cmocka_unit_test_setup(inserting_moves_a_prefix_from_its_owner, set_up),
        cmocka_unit_test_setup(only_the_owner_can_remove_a_prefix, set_up),
        cmocka_unit_test_setup(a_fork_has_no_owner_and_goes_with_its_branches, set_up),
        cmocka_unit_test_setup(prefixes_that_cannot_be_are_refused, set_up),
        cmocka_unit_test_setup(a_full_table_refuses_and_stays_as_it_was, set_up),
        cmocka_unit_test(random_operations_agree_with_a_linear_search),
    };

    return cmocka_run_group_tests_name("allowed", tests, NULL, NULL);
}
