#include <stdbool.h>

#include "vectors.h"
#include "libtunnel/wg/msg.h"
#include "libtunnel/wg/replay.h"

#define BITS ((uint64_t)TN_REPLAY_BITS)
#define LIMIT TN_WG_REJECT_AFTER_MESSAGES

struct step {
    uint64_t counter;
    int want;
};

static void run(const struct step *step, size_t count)
{
    struct tn_replay r;

    tn_replay_init(&r);
    for (size_t i = 0; i < count; i++) {
        int got = tn_replay_check(&r, step[i].counter);

        if (got != step[i].want || tn_replay_commit(&r, step[i].counter) != step[i].want)
            fail_msg("step %zu, counter %llu: %d, not %d", i, (unsigned long long)step[i].counter,
                     got, step[i].want);
    }
}

#define RUN(...)                                       \
    do {                                               \
        const struct step steps[] = {__VA_ARGS__};     \
        run(steps, sizeof(steps) / sizeof(steps[0]));  \
    } while (0)

static void the_truth_table_holds(void **state)
{
    (void)state;
    RUN({0, 0}, {1, 0}, {1, TN_EREPLAY}, {9, 0}, {8, 0}, {7, 0}, {7, TN_EREPLAY}, {BITS, 0},
        {BITS - 1, 0}, {BITS - 1, TN_EREPLAY}, {BITS - 2, 0}, {2, 0}, {2, TN_EREPLAY},
        {BITS + 16, 0}, {3, TN_EREPLAY}, {BITS + 16, TN_EREPLAY}, {BITS * 4, 0},
        {BITS * 4 - (BITS - 1), 0},    /* the oldest in the window */
        {10, TN_EREPLAY},              /* long gone */
        {BITS * 4 - BITS, TN_EREPLAY}, /* the first outside */
        {BITS * 4 - (BITS + 1), TN_EREPLAY}, {BITS * 4 - (BITS - 2), 0},
        {BITS * 4 + 1 - BITS, TN_EREPLAY}, {0, TN_EREPLAY}, {LIMIT, TN_EEXPIRED},
        {LIMIT - 1, 0}, {LIMIT, TN_EEXPIRED}, {LIMIT - 1, TN_EREPLAY}, {LIMIT - 2, 0},
        {LIMIT + 1, TN_EEXPIRED}, {LIMIT + 2, TN_EEXPIRED}, {LIMIT - 2, TN_EREPLAY},
        {LIMIT - 3, 0}, {0, TN_EREPLAY}, {UINT64_MAX, TN_EEXPIRED});
}

static void the_first_counter_may_be_any(void **state)
{
    (void)state;
    RUN({5, 0}, {4, 0}, {0, 0}, {5, TN_EREPLAY});
    RUN({BITS + 3, 0}, {3, TN_EREPLAY}, {4, 0});
    RUN({LIMIT - 1, 0}, {0, TN_EREPLAY});
}

static void every_counter_is_taken_once_whether_it_comes_up_or_down(void **state)
{
    struct tn_replay r;

    (void)state;
    tn_replay_init(&r);
    for (uint64_t i = 1; i <= BITS; i++)
        assert_int_equal(tn_replay_commit(&r, i), 0);
    assert_int_equal(tn_replay_commit(&r, 0), TN_EREPLAY); /* one beyond the window */
    for (uint64_t i = BITS; i >= 1; i--)
        assert_int_equal(tn_replay_commit(&r, i), TN_EREPLAY);

    tn_replay_init(&r);
    for (uint64_t i = BITS; i-- > 0;)
        assert_int_equal(tn_replay_commit(&r, i), 0);
    for (uint64_t i = 0; i < BITS; i++)
        assert_int_equal(tn_replay_commit(&r, i), TN_EREPLAY);
    assert_int_equal(tn_replay_commit(&r, BITS), 0);

    tn_replay_init(&r);
    assert_int_equal(tn_replay_commit(&r, BITS), 0);
    for (uint64_t i = BITS; i-- > 1;)
        assert_int_equal(tn_replay_commit(&r, i), 0);
    assert_int_equal(tn_replay_commit(&r, 0), TN_EREPLAY);
}

static void checking_changes_nothing(void **state)
{
    struct tn_replay r, before;

    (void)state;
    tn_replay_init(&r);
    assert_int_equal(tn_replay_commit(&r, 100), 0);
    before = r;
    assert_int_equal(tn_replay_check(&r, 1000000), 0);
    assert_int_equal(tn_replay_check(&r, 99), 0);
    assert_int_equal(tn_replay_check(&r, 100), TN_EREPLAY);
    assert_memory_equal(&r, &before, sizeof(r));
    assert_int_equal(tn_replay_commit(&r, 100), TN_EREPLAY);
    assert_int_equal(tn_replay_commit(&r, LIMIT), TN_EEXPIRED);
    assert_memory_equal(&r, &before, sizeof(r));
}

/* A model that remembers every counter, in a bit each: it fits the chip, too. */
#define MODEL_COUNTERS (1u << 19)
struct model {
    uint64_t greatest;
    bool any;
    uint8_t seen[MODEL_COUNTERS / 8];
};

static int model_check(const struct model *m, uint64_t counter)
{
    if (m->any && counter <= m->greatest &&
        (m->greatest - counter >= BITS || (m->seen[counter / 8] >> counter % 8 & 1)))
        return TN_EREPLAY;
    return 0;
}

static void random_walks_agree_with_a_model_that_remembers_all(void **state)
{
    static struct model m;
    uint64_t s = 0x9e3779b97f4a7c15ull; /* xorshift64 */
    struct tn_replay r;

    (void)state;
    memset(&m, 0, sizeof(m));
    tn_replay_init(&r);
    for (int i = 0; i < 400000; i++) {
        uint64_t jump, counter;

        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        jump = s >> 40;
        switch (s & 7) {
        case 0: counter = m.greatest + jump % (jump & 1 ? 3 * BITS : 40); break;
        case 1: counter = m.greatest + 1; break;
        case 2: counter = m.greatest + BITS - 16 + jump % 32; break;
        case 3: counter = m.greatest > BITS + 16 ? m.greatest - BITS + 16 - jump % 32 : 0; break;
        default: counter = m.greatest - jump % (m.greatest < 2 * BITS ? m.greatest + 1 : 2 * BITS);
        }
        if (counter >= MODEL_COUNTERS) {
            memset(&m, 0, sizeof(m));
            tn_replay_init(&r);
            continue;
        }
        assert_int_equal(tn_replay_commit(&r, counter), model_check(&m, counter));
        if (model_check(&m, counter) == 0) {
            m.seen[counter / 8] |= (uint8_t)(1 << counter % 8);
            if (!m.any || counter > m.greatest)
                m.greatest = counter;
            m.any = true;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_table_holds),
        cmocka_unit_test(the_first_counter_may_be_any),
        cmocka_unit_test(every_counter_is_taken_once_whether_it_comes_up_or_down),
        cmocka_unit_test(checking_changes_nothing),
        cmocka_unit_test(random_walks_agree_with_a_model_that_remembers_all),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
