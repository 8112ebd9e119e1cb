/* A disk that fails at the k-th call, and a power cut at the k-th call, for every k of a life in
 * which a database is made, members join and change, and the log is folded back. Whatever happens:
 * the file opens again and is whole, and it holds every card that was acknowledged. */
#include "coord_store_fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "tund/coord_store_stmt.h"

#include "coord_child.h"
#include "coord_fault_vfs.h"

#define JOINS 5
#define CUTS_TO_TRY 3 /* different leftovers for each cut */

struct life {
    bool opened;
    uint64_t acked_epoch[JOINS + 1]; /* by member; 0: not acknowledged */
    uint8_t status[JOINS + 1];
    bool failed;
};

static struct sample at_epoch(uint32_t n, uint64_t epoch)
{
    struct sample s = sample(1, n);

    s.facts.epoch = epoch;
    seal(&s);
    return s;
}

static void live(const char *path, struct life *l)
{
    struct coord_store_limits limits = {.networks = 4, .members = 100};
    struct coord_store *s = NULL;
    struct why w = {""};
    struct tn_store t;

    memset(l, 0, sizeof(*l));
    if (coord_store_open(path, &limits, &s, &w)) {
        assert_true(w.text[0]);
        return;
    }
    l->opened = true;
    t = coord_store_interface(s);
    /* so that the log is folded into the database several times on the way */
    assert_int_equal(sqlite3_exec(s->db, "PRAGMA wal_autocheckpoint=8", NULL, NULL, NULL),
                     SQLITE_OK);
    for (uint32_t n = 1; n <= JOINS; n++) {
        struct sample one = at_epoch(n, 1), changed = at_epoch(n, 2);

        l->status[n] = join(t, &one, NULL);
        if (l->status[n] == TN_STATUS_OK)
            l->acked_epoch[n] = 1;
        if (l->status[n] == TN_STATUS_OK && n % 2 && update(t, &changed, NULL) == TN_STATUS_OK)
            l->acked_epoch[n] = 2;
    }
    l->failed = coord_store_health(s)->failed;
    coord_store_close(s);
}

/* What was acknowledged is there; what is there is whole. */
static void assert_kept(const char *path, const struct life *l)
{
    struct coord_store_limits limits = {.networks = 4, .members = 100};
    struct coord_store *s = NULL;
    struct why w = {""};
    struct tn_store t;
    int err = coord_store_open(path, &limits, &s, &w); /* with PRAGMA quick_check in it */

    if (err)
        print_error("after the fault: %s\n", w.text);
    assert_int_equal(err, 0);
    t = coord_store_interface(s);
    for (uint32_t n = 1; n <= JOINS; n++) {
        struct sample one = at_epoch(n, 1), changed = at_epoch(n, 2);
        struct tn_store_member m;
        int found = t.ops->member_by_identity(t.ctx, 1, one.facts.identity, &m);

        if (l->acked_epoch[n])
            assert_int_equal(found, 0);
        if (found)
            continue;
        if (l->acked_epoch[n] == 2)
            assert_memory_equal(m.card, changed.card, CARD_LEN);
        else
            assert_true(!memcmp(m.card, one.card, CARD_LEN) ||
                        !memcmp(m.card, changed.card, CARD_LEN));
    }
    coord_store_close(s);
}

static void in_fresh_dir(enum fault_mode mode, int at, int rc, uint64_t seed, struct life *l,
                         int *calls)
{
    struct temp_dir dir;
    char path[128];

    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    fault_begin(mode, at, rc, seed);
    live(path, l);
    *calls = fault_calls();
    if (mode == FAULT_CUT && fault_tripped())
        fault_power_back(path);
    fault_end();
    assert_kept(path, l);
    temp_remove(&dir);
}

static int count_calls(void)
{
    struct life l;
    int calls;

    in_fresh_dir(FAULT_NONE, 0, 0, 0, &l, &calls);
    assert_int_equal(l.acked_epoch[JOINS], 2);
    assert_true(calls > 60); /* else the layer is not in between */
    return calls;
}

static void a_disk_that_fails_at_any_call_never_makes_us_acknowledge_what_is_lost(void **state)
{
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC};
    int calls = count_calls();

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        bool refused = false, sticky = false;

        for (int at = 1; at <= calls; at++) {
            struct life l;
            int used;

            in_fresh_dir(FAULT_ERROR, at, codes[i], 0, &l, &used);
            for (uint32_t n = 1; l.opened && n <= JOINS; n++) {
                assert_true(l.status[n] == TN_STATUS_OK || l.status[n] == TN_STATUS_STORE);
                refused = refused || l.status[n] == TN_STATUS_STORE;
            }
            sticky = sticky || l.failed;
        }
        assert_true(refused);
        assert_true(sticky == (codes[i] == SQLITE_IOERR_FSYNC));
    }
}

static void a_power_cut_at_any_call_loses_nothing_acknowledged(void **state)
{
    int calls = count_calls();

    (void)state;
    for (int at = 1; at <= calls; at++) {
        for (uint64_t seed = 0; seed < CUTS_TO_TRY; seed++) {
            struct life l;
            int used;

            in_fresh_dir(FAULT_CUT, at, 0, (uint64_t)at * 16 + seed, &l, &used);
        }
    }
}

/* The layer itself: a store that does not sync before it answers must be found out. */
static void the_power_cut_finds_out_a_store_that_does_not_sync(void **state)
{
    struct temp_dir dir;
    char path[128];
    bool lost = false;

    (void)state;
    for (uint64_t seed = 0; seed < 20 && !lost; seed++) {
        struct coord_store_limits limits = {.networks = 4, .members = 100};
        struct coord_store *s = NULL;
        struct why w = {""};
        struct tn_store_member m;
        struct sample one = sample(1, 1);

        temp_make(&dir);
        temp_file(&dir, COORD_STORE_FILE, path);
        fault_begin(FAULT_CUT, 1000000, 0, seed);
        assert_int_equal(coord_store_open(path, &limits, &s, &w), 0);
        assert_int_equal(sqlite3_exec(s->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL),
                         SQLITE_OK);
        assert_int_equal(join(coord_store_interface(s), &one, NULL), TN_STATUS_OK);
        fault_cut_next();
        coord_store_close(s);
        fault_power_back(path);
        fault_end();
        assert_int_equal(coord_store_open(path, &limits, &s, &w), 0);
        struct tn_store t = coord_store_interface(s);

        lost = t.ops->member_by_identity(t.ctx, 1, one.facts.identity, &m) != 0;
        coord_store_close(s);
        temp_remove(&dir);
    }
    assert_true(lost);
}

/* Some thousand databases are made: in memory, so that the real disk does not set the pace. */
static int in_memory(void **state)
{
    (void)state;
    child_private_mounts();
    return mount("none", "/tmp", "tmpfs", 0, "size=64m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_fails_at_any_call_never_makes_us_acknowledge_what_is_lost),
        cmocka_unit_test(a_power_cut_at_any_call_loses_nothing_acknowledged),
        cmocka_unit_test(the_power_cut_finds_out_a_store_that_does_not_sync),
    };
    return cmocka_run_group_tests(tests, in_memory, NULL);
}
