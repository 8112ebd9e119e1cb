/* The store under rough treatment: two processes, kill -9, a full disk, a disk that cannot be
 * written, files that are not what they should be. The rule: what was acknowledged is there. */
#include "coord_store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "coord_child.h"

#define MANY 100000

/* ---- in children ---- */

static struct coord_store *child_store(const char *path)
{
    struct coord_store_limits limits = {.networks = MANY, .members = MANY};
    struct coord_store *s = NULL;
    struct why w = {""};
    int err = coord_store_open(path, &limits, &s, &w);

    if (err)
        fprintf(stderr, "store: %s\n", w.text);
    CHECK(err == 0);
    return s;
}

struct contest {
    char path[128];
    uint32_t me;   /* 0 or 1 */
    uint32_t rounds;
    int ready[2];  /* pipe: a byte for each contestant that is ready */
    int go[2][2];  /* a pipe for each: a byte when it may go */
    int result[2]; /* pipe: one byte a round */
};

/* Member 1000 * (me + 1) + round, with the invite of that round. */
static void contestant(void *arg)
{
    struct contest *c = arg;
    struct coord_store *s = child_store(c->path);
    struct tn_store t = coord_store_interface(s);

    for (uint32_t i = 0; i < c->rounds; i++) {
        struct sample mine = sample(1, 1000 * (c->me + 1) + i);
        uint8_t status;
        char byte = 0;

        fill(mine.facts.invite_id, 16, 0x99, i);
        seal(&mine);
        CHECK(write(c->ready[1], &byte, 1) == 1);
        CHECK(read(c->go[c->me][0], &byte, 1) == 1);
        do
            status = join(t, &mine, NULL);
        while (status == TN_STATUS_TRY_LATER); /* which the client does as well */
        CHECK(write(c->result[1], &status, 1) == 1);
    }
    coord_store_close(s);
}

static void two_processes_with_one_invite_make_exactly_one_member(void **state)
{
    struct contest c = {.rounds = 40};
    struct temp_dir dir;
    struct coord_store *s;
    struct tn_store_counts counts;
    pid_t pid[2];

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, c.path);
    coord_store_close(store_open(&dir, MANY, MANY));
    assert_int_equal(pipe(c.ready), 0);
    assert_int_equal(pipe(c.go[0]), 0);
    assert_int_equal(pipe(c.go[1]), 0);
    assert_int_equal(pipe(c.result), 0);
    for (c.me = 0; c.me < 2; c.me++)
        pid[c.me] = child_start(contestant, &c);
    for (uint32_t i = 0; i < c.rounds; i++) {
        uint8_t status[2];
        char byte;

        for (int k = 0; k < 2; k++)
            assert_int_equal(read(c.ready[0], &byte, 1), 1);
        for (int k = 0; k < 2; k++)
            assert_int_equal(write(c.go[k][1], &byte, 1), 1);
        for (int k = 0; k < 2; k++)
            assert_int_equal(read(c.result[0], &status[k], 1), 1);
        assert_true((status[0] == TN_STATUS_OK && status[1] == TN_STATUS_INVITE_USED) ||
                    (status[1] == TN_STATUS_OK && status[0] == TN_STATUS_INVITE_USED));
    }
    assert_true(child_ended_well(pid[0]));
    assert_true(child_ended_well(pid[1]));
    for (int k = 0; k < 2; k++) {
        close(c.ready[k]);
        close(c.go[0][k]);
        close(c.go[1][k]);
        close(c.result[k]);
    }
    s = store_open(&dir, MANY, MANY);
    struct tn_store t = coord_store_interface(s);

    assert_int_equal(t.ops->counts(t.ctx, &counts), 0);
    assert_int_equal(counts.members, c.rounds);
    coord_store_close(s);
    temp_remove(&dir);
}

struct joiner {
    char path[128];
    uint32_t first;
    int acks; /* end of a pipe: each number joined and acknowledged */
};

static void join_for_ever(void *arg)
{
    struct joiner *j = arg;
    struct tn_store t = coord_store_interface(child_store(j->path));

    for (uint32_t n = j->first;; n++) {
        struct sample s = sample(1, n);

        CHECK(join(t, &s, NULL) == TN_STATUS_OK);
        CHECK(write(j->acks, &n, sizeof(n)) == sizeof(n));
    }
}

static bool is_member(struct tn_store t, uint32_t n)
{
    struct sample s = sample(1, n);
    struct tn_store_member m;

    return t.ops->member_by_wireguard(t.ctx, s.facts.wireguard_public, &m) == 0 &&
           m.card_len == sizeof(s.card) && memcmp(m.card, s.card, sizeof(s.card)) == 0;
}

/* Kills a joining process after so many acknowledgements; returns the last one that it gave. */
static uint32_t join_and_kill(const char *path, uint32_t first, uint32_t after)
{
    struct joiner j = {.first = first};
    uint32_t n, last = first - 1;
    int fd[2], status;
    pid_t pid;

    strcpy(j.path, path);
    assert_int_equal(pipe(fd), 0);
    j.acks = fd[1];
    pid = child_start(join_for_ever, &j);
    close(fd[1]);
    while (read(fd[0], &n, sizeof(n)) == sizeof(n)) {
        last = n;
        if (n == first + after)
            kill(pid, SIGKILL); /* and read on, what it still acknowledged */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(fd[0]);
    return last;
}

static void after_kill_9_every_acknowledged_join_is_there(void **state)
{
    struct temp_dir dir;
    char path[128];
    uint32_t next = 1;

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t last = join_and_kill(path, next, round * 7 % 40);
        struct coord_store *s = store_open(&dir, MANY, MANY);
        struct tn_store t = coord_store_interface(s);
        struct tn_store_counts c;

        for (uint32_t n = 1; n <= last; n++)
            assert_true(is_member(t, n));
        /* One more may be in: committed, and killed before it could say so. */
        assert_int_equal(t.ops->counts(t.ctx, &c), 0);
        assert_true(c.members == last || c.members == last + 1);
        next = (uint32_t)c.members + 1;
        coord_store_close(s);
    }
    temp_remove(&dir);
}

/* ---- disks ---- */

static void fill_disk(const char *path, long leave_kib)
{
    static char block[1024];
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    off_t size = 0;

    CHECK(fd >= 0);
    while (write(fd, block, sizeof(block)) == sizeof(block))
        size += (off_t)sizeof(block);
    CHECK(errno == ENOSPC);
    CHECK(ftruncate(fd, size - leave_kib * 1024) == 0);
    close(fd);
}

static void on_a_full_disk(void *arg)
{
    const char *dir = arg;
    char path[128], filler[128];
    struct coord_store *s;
    struct tn_store t;
    uint32_t n;
    uint8_t status;

    child_private_mounts();
    CHECK(mount("none", dir, "tmpfs", 0, "size=1024k,mode=700") == 0);
    snprintf(path, sizeof(path), "%s/%s", dir, COORD_STORE_FILE);
    snprintf(filler, sizeof(filler), "%s/filler", dir);
    s = child_store(path);
    t = coord_store_interface(s);
    fill_disk(filler, 200);
    for (n = 1; n < 5000; n++) {
        struct sample one = sample(1, n);

        status = join(t, &one, NULL);
        if (status != TN_STATUS_OK)
            break;
    }
    CHECK(status == TN_STATUS_STORE);
    CHECK(n > 3);
    CHECK(coord_store_health(s)->failures > 0 && coord_store_health(s)->last.text[0]);
    for (uint32_t i = 1; i < n; i++)
        CHECK(is_member(t, i));
    CHECK(!is_member(t, n));
    CHECK(unlink(filler) == 0); /* somebody makes room: on it goes, without a restart */
    struct sample again = sample(1, n);

    CHECK(join(t, &again, NULL) == TN_STATUS_OK);
    coord_store_close(s);
    s = child_store(path);
    t = coord_store_interface(s);
    for (uint32_t i = 1; i <= n; i++)
        CHECK(is_member(t, i));
    coord_store_close(s);
}

static void a_full_disk_is_said_and_loses_nothing(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_make(&dir);
    assert_true(child_ended_well(child_start(on_a_full_disk, dir.path)));
    temp_remove(&dir);
}

static void on_a_read_only_disk(void *arg)
{
    const char *dir = arg;
    struct coord_store_limits limits = {.networks = 1, .members = 1};
    struct coord_store *s = NULL;
    struct why w = {""};
    char path[128];
    int err;

    child_private_mounts();
    CHECK(mount(dir, dir, NULL, MS_BIND, NULL) == 0);
    CHECK(mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    snprintf(path, sizeof(path), "%s/%s", dir, COORD_STORE_FILE);
    err = coord_store_open(path, &limits, &s, &w);
    CHECK(err == -EROFS || err == -EACCES);
    CHECK(strstr(w.text, "must be writable"));
}

static void a_read_only_directory_is_refused_with_what_to_do(void **state)
{
    struct temp_dir dir;

    (void)state;
    temp_make(&dir);
    assert_true(child_ended_well(child_start(on_a_read_only_disk, dir.path)));
    /* and one that was written before */
    coord_store_close(store_open(&dir, 1, 1));
    assert_true(child_ended_well(child_start(on_a_read_only_disk, dir.path)));
    temp_remove(&dir);
}

/* ---- files ---- */

/* Runs SQL on the file as somebody else would. */
static void alter(const struct temp_dir *dir, const char *sql)
{
    char path[128];
    sqlite3 *db;

    temp_file(dir, COORD_STORE_FILE, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int try_open(const struct temp_dir *dir, struct why *w)
{
    struct coord_store_limits limits = {.networks = 1, .members = 1};
    struct coord_store *s = NULL;
    char path[128];
    int err;

    temp_file(dir, COORD_STORE_FILE, path);
    err = coord_store_open(path, &limits, &s, w);
    assert_true((err == 0) == (s != NULL));
    coord_store_close(s);
    return err;
}

static void a_database_from_a_newer_version_is_left_alone(void **state)
{
    struct temp_dir dir;
    struct why w = {""};

    (void)state;
    temp_make(&dir);
    coord_store_close(store_open(&dir, 1, 1));
    alter(&dir, "PRAGMA user_version=2");
    assert_int_equal(try_open(&dir, &w), -EPROTONOSUPPORT);
    assert_non_null(strstr(w.text, "newer tund-coord"));
    alter(&dir, "PRAGMA user_version=1");
    assert_int_equal(try_open(&dir, &w), 0);
    temp_remove(&dir);
}

static void another_programs_database_is_left_alone(void **state)
{
    struct temp_dir dir;
    struct why w = {""};
    struct stat before, after;
    char path[128];

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    alter(&dir, "CREATE TABLE recipe (cake TEXT)");
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(try_open(&dir, &w), -EBADMSG);
    assert_non_null(strstr(w.text, "some other program"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    temp_remove(&dir);
}

static void what_is_no_database_at_all_is_named_as_such(void **state)
{
    struct temp_dir dir;
    struct why w = {""};
    char path[128];
    FILE *f;

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 500; i++)
        fputs("this is not a database; ", f);
    fclose(f);
    assert_int_equal(try_open(&dir, &w), -EBADMSG);
    assert_non_null(strstr(w.text, "backup"));
    temp_remove(&dir);
}

static void a_database_that_is_a_link_is_refused(void **state)
{
    struct temp_dir dir;
    struct why w = {""};
    char path[128];

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(try_open(&dir, &w), -EACCES);
    temp_remove(&dir);
}

/* Flips bits all over a filled database: opening either refuses it, or it works and never hands
 * out what cannot be a member. */
static void flipped_bits_never_crash_and_never_invent_a_member(void **state)
{
    struct temp_dir dir;
    struct coord_store *s;
    static uint8_t image[1 << 20], bad[1 << 20];
    char path[128];
    size_t size, refused = 0;
    FILE *f;

    (void)state;
    temp_make(&dir);
    temp_file(&dir, COORD_STORE_FILE, path);
    s = store_open(&dir, MANY, MANY);
    for (uint32_t n = 1; n <= 60; n++) {
        struct sample one = sample(1, n);

        assert_int_equal(join(coord_store_interface(s), &one, NULL), TN_STATUS_OK);
    }
    coord_store_close(s);
    f = fopen(path, "r");
    assert_non_null(f);
    size = fread(image, 1, sizeof(image), f);
    fclose(f);
    for (size_t at = 0; at < size; at += at < 200 ? 3 : 61) {
        struct coord_store_limits limits = {.networks = MANY, .members = MANY};
        struct why w = {""};

        memcpy(bad, image, size);
        bad[at] ^= (uint8_t)(1 << at % 8);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(bad, 1, size, f), size);
        fclose(f);
        s = NULL;
        if (coord_store_open(path, &limits, &s, &w)) {
            assert_true(w.text[0]);
            refused++;
            continue;
        }
        struct tn_store t = coord_store_interface(s);
        struct tn_store_member m = {.seq = 0};
        size_t walked = 0;

        while (t.ops->member_next_after(t.ctx, 1, m.seq, &m) == 0) {
            assert_in_range(m.card_len, 1, TN_MSG_CARD_MAX);
            assert_true(++walked <= 60);
        }
        coord_store_close(s);
    }
    assert_true(refused > 20);
    temp_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_with_one_invite_make_exactly_one_member),
        cmocka_unit_test(after_kill_9_every_acknowledged_join_is_there),
        cmocka_unit_test(a_full_disk_is_said_and_loses_nothing),
        cmocka_unit_test(a_read_only_directory_is_refused_with_what_to_do),
        cmocka_unit_test(a_database_from_a_newer_version_is_left_alone),
        cmocka_unit_test(another_programs_database_is_left_alone),
        cmocka_unit_test(what_is_no_database_at_all_is_named_as_such),
        cmocka_unit_test(a_database_that_is_a_link_is_refused),
        cmocka_unit_test(flipped_bits_never_crash_and_never_invent_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
