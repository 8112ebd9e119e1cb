/* The real program, end to end over loopback: join, look up, connect, relay; restarts and kills;
 * a full disk; and what it says when it cannot start. */
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/text.h"

#include "coord_e2e.h"

static struct coordinator coord;
static struct member one, two;

static int setup(void **state)
{
    (void)state;
    e2e_prepare(&coord);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (coord.pid)
        e2e_stop(&coord, SIGKILL);
    e2e_remove(&coord);
    return 0;
}

/* ---- conditions ---- */

static bool has_joined(void *m)
{
    return ((struct member *)m)->join_status >= 0;
}

static bool both_joined(void *unused)
{
    (void)unused;
    return one.join_status >= 0 && two.join_status >= 0;
}

static bool lookup_done(void *m)
{
    return ((struct member *)m)->lookup_status >= 0;
}

static bool connect_done(void *unused)
{
    (void)unused;
    return one.connect_status >= 0 && (one.connect_status != TN_STATUS_OK || two.punches > 0);
}

static bool both_bound(void *unused)
{
    (void)unused;
    return one.bind_status >= 0 && two.bind_status >= 0;
}

static bool both_connected(void *unused)
{
    (void)unused;
    return one.connected && two.connected;
}

static int frames_wanted;
static bool two_has_frames(void *unused)
{
    (void)unused;
    return two.frames >= frames_wanted;
}

static bool one_has_frame(void *unused)
{
    (void)unused;
    return one.frames >= 1;
}

/* ---- steps ---- */

static struct member *const pair[] = {&one, &two};

static void run_one(struct member *m, bool (*done)(void *))
{
    members_run_until(&m, 1, done, m);
}

static void run_pair(bool (*done)(void *))
{
    members_run_until(pair, 2, done, NULL);
}

static void open_pair(void)
{
    member_open(&one, &coord, coord.url.port, 1, 1);
    member_open(&two, &coord, coord.url.port, 1, 2);
    member_join(&one);
    member_join(&two);
    run_pair(both_joined);
    assert_int_equal(one.join_status, TN_STATUS_OK);
    assert_int_equal(two.join_status, TN_STATUS_OK);
}

static void close_pair(void)
{
    member_close(&one);
    member_close(&two);
}

static void bind_pair(uint16_t channel[2])
{
    assert_int_equal(tn_coord_client_bind(&one.client, two.card.identity, &channel[0], e2e_now()), 0);
    assert_int_equal(tn_coord_client_bind(&two.client, one.card.identity, &channel[1], e2e_now()), 0);
    run_pair(both_bound);
    assert_int_equal(one.bind_status, TN_STATUS_OK);
    assert_int_equal(two.bind_status, TN_STATUS_OK);
}

static void find_two(void)
{
    one.lookup_status = -1;
    assert_int_equal(tn_coord_client_lookup(&one.client, TN_BY_NAME, "m2", 2, 7, e2e_now()), 0);
    run_one(&one, lookup_done);
    assert_int_equal(one.lookup_status, TN_STATUS_OK);
    assert_memory_equal(one.found, two.card.identity, 32);
}

/* ---- tests ---- */

/* Reads a whole file of /proc, which has no size. */
static size_t slurp(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "r");
    size_t len;

    assert_non_null(f);
    len = fread(out, 1, cap - 1, f);
    out[len] = '\0';
    fclose(f);
    return len;
}

static void members_join_and_learn_their_own_address(void **state)
{
    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    open_pair();
    assert_int_equal(one.observed.port, one.port);
    assert_int_equal(one.observed.ip[12], 127);
    assert_int_equal(e2e_number(&coord, "store", "members"), 2);
    assert_int_equal(e2e_number(&coord, "store", "networks"), 1);
    assert_int_equal(e2e_number(&coord, "sessions", "members"), 2);
    find_two();
    close_pair();
    assert_int_equal(e2e_stop(&coord, SIGTERM), 0);
}

static void the_second_port_speaks_everything_too(void **state)
{
    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    member_open(&one, &coord, coord.alt_port, 1, 1);
    member_join(&one);
    run_one(&one, has_joined);
    assert_int_equal(one.join_status, TN_STATUS_OK);
    member_close(&one);
}

static void connect_punches_both_and_the_relay_carries_both_ways(void **state)
{
    uint16_t channel[2];

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    open_pair();
    assert_int_equal(tn_coord_client_connect(&one.client, two.card.identity, e2e_now()), 0);
    run_pair(connect_done);
    assert_int_equal(one.connect_status, TN_STATUS_OK);
    bind_pair(channel);
    for (frames_wanted = 1; frames_wanted <= 50; frames_wanted++) {
        size_t len = 32 + 16 * (size_t)(frames_wanted % 80);

        assert_true(member_relay(&one, channel[0], (uint8_t)frames_wanted, len));
        run_pair(two_has_frames);
        assert_int_equal(two.frame_len, len);
        assert_int_equal(two.frame[len - 1], frames_wanted);
    }
    assert_true(member_relay(&two, channel[1], 0x77, 148 - 148 % 16));
    run_pair(one_has_frame);
    assert_int_equal(one.frame[31], 0x77);
    assert_int_equal(e2e_number(&coord, "relayed", "packets"), 51);
    close_pair();
}

static void a_member_that_is_away_is_unreachable_at_once(void **state)
{
    uint64_t began;

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    open_pair();
    assert_int_equal(e2e_stop(&coord, SIGTERM), 0);
    member_close(&two); /* and so it does not come back */
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    member_close(&one);
    member_open(&one, &coord, coord.url.port, 1, 1);
    member_join(&one);
    run_one(&one, has_joined);
    assert_int_equal(tn_coord_client_connect(&one.client, two.card.identity, e2e_now()), 0);
    began = e2e_now().us;
    members_run_until(pair, 1, connect_done, NULL);
    assert_int_equal(one.connect_status, TN_STATUS_UNREACHABLE);
    assert_true(e2e_now().us - began < 2000000);
    member_close(&one);
}

static void refusals_say_which(void **state)
{
    (void)state;
    e2e_start(&coord, "127.0.0.1:0", "--max-networks 1", 0);
    member_open(&one, &coord, coord.url.port, 1, 1);
    member_join(&one);
    run_one(&one, has_joined);

    /* the invite of member 1, in the hands of somebody else */
    member_open(&two, &coord, coord.url.port, 1, 2);
    two.card.cert = one.card.cert;
    {
        uint8_t invite[32], identity[32], pub[32];

        memset(invite, 'v', 32);
        invite[1] = 1;
        invite[2] = 0;
        invite[3] = 1;
        memset(identity, 'i', 32);
        identity[1] = 1;
        identity[2] = 0;
        identity[3] = 2;
        assert_int_equal(tn_x25519_public(pub, two.private_key), 0);
        assert_int_equal(tn_card_sign_membership(&two.card, invite), 0);
        assert_int_equal(tn_card_sign_key(&two.card, identity, 1, pub), 0);
        assert_int_equal(tn_card_encode(&two.card, two.wire, sizeof(two.wire), &two.wire_len), 0);
    }
    member_join(&two);
    run_one(&two, has_joined);
    assert_int_equal(two.join_status, TN_STATUS_INVITE_USED);
    member_close(&two);

    member_open(&two, &coord, coord.url.port, 1, 3);
    two.card.cert.not_after_s = e2e_now().unix_ns / 1000000000 - 10;
    two.card.joined_at_s = two.card.cert.not_after_s - 5;
    member_sign(&two, 1, 3, 1);
    member_join(&two);
    run_one(&two, has_joined);
    assert_int_equal(two.join_status, TN_STATUS_INVITE_EXPIRED);
    member_close(&two);

    member_open(&two, &coord, coord.url.port, 1, 4);
    two.wire[two.wire_len - 1] ^= 1;
    member_join(&two);
    run_one(&two, has_joined);
    assert_int_equal(two.join_status, TN_STATUS_BAD_SIGNATURE);
    member_close(&two);

    member_open(&two, &coord, coord.url.port, 2, 1);
    member_join(&two);
    run_one(&two, has_joined);
    assert_int_equal(two.join_status, TN_STATUS_LIMIT);
    close_pair();
}

static void restart(int signal)
{
    char listen[32], alt[32];

    snprintf(listen, sizeof(listen), "127.0.0.1:%u", coord.url.port);
    snprintf(alt, sizeof(alt), "--alt-port %u", coord.alt_port);
    assert_int_equal(e2e_stop(&coord, signal), signal == SIGTERM ? 0 : -1);
    e2e_start(&coord, listen, alt, 0);
}

static void after_a_restart_members_come_back_by_themselves_and_all_is_known(void **state)
{
    static const int how[] = {SIGTERM, SIGKILL};
    uint8_t key[32];

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    memcpy(key, coord.url.public_key, 32);
    open_pair();
    for (size_t i = 0; i < 2; i++) {
        uint16_t channel[2];

        restart(how[i]);
        assert_memory_equal(coord.url.public_key, key, 32);
        one.connected = two.connected = false;
        one.bind_status = two.bind_status = -1;
        tn_coord_client_suspect(&one.client, e2e_now());
        tn_coord_client_suspect(&two.client, e2e_now());
        run_pair(both_connected);
        assert_int_equal(e2e_number(&coord, "store", "members"), 2);
        find_two();
        if (i == 0) {
            bind_pair(channel);
            frames_wanted = 1;
            assert_true(member_relay(&one, channel[0], 1, 64));
            run_pair(two_has_frames);
        }
    }
    close_pair();
}

static void joins_on_a_full_disk_are_refused_and_the_rest_goes_on(void **state)
{
    static char log[4096];
    unsigned n, refused = 0;

    (void)state;
    /* The database and its log fit, and not much more. */
    e2e_start(&coord, "127.0.0.1:0", NULL, 220);
    member_open(&one, &coord, coord.url.port, 1, 1);
    member_join(&one);
    run_one(&one, has_joined);
    assert_int_equal(one.join_status, TN_STATUS_OK);
    for (n = 2; n < 250 && !refused; n++) {
        member_open(&two, &coord, coord.url.port, 1, n);
        member_join(&two);
        run_one(&two, has_joined);
        if (two.join_status == TN_STATUS_STORE)
            refused = n;
        else
            assert_int_equal(two.join_status, TN_STATUS_OK);
        member_close(&two);
    }
    assert_true(refused > 2);
    member_open(&two, &coord, coord.url.port, 1, 2); /* one that was acknowledged */
    member_join(&two);
    run_one(&two, has_joined);
    assert_int_equal(two.join_status, TN_STATUS_OK);
    find_two();
    slurp(coord.log, log, sizeof(log));
    assert_non_null(strstr(log, "the disk is full: make room"));
    close_pair();
}

static void a_stopped_coordinator_leaves_key_members_and_address_only(void **state)
{
    static const char *const gone[] = {"coord.db-wal", "coord.db-shm", "status.sock"};
    char path[128], arguments[128], out[1024], want[TN_URL_SIZE];

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", "--advertise coord.example.org:5555", 0);
    assert_string_equal(coord.url.host, "coord.example.org");
    assert_int_equal(coord.url.port, 5555);
    assert_int_equal(e2e_stop(&coord, SIGTERM), 0);
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", coord.dir, gone[i]);
        assert_int_equal(access(path, F_OK), -1);
    }
    snprintf(arguments, sizeof(arguments), "url --state %s", coord.dir);
    assert_int_equal(e2e_run(arguments, out, sizeof(out)), 0);
    assert_int_equal(tn_url_encode(&coord.url, want, sizeof(want), NULL), 0);
    out[strcspn(out, "\n")] = '\0';
    assert_string_equal(out, want);
    snprintf(arguments, sizeof(arguments), "status --state %s", coord.dir);
    assert_int_equal(e2e_run(arguments, out, sizeof(out)), 1);
    assert_non_null(strstr(out, "no coordinator runs here"));
}

static void an_ipv6_address_is_printed_in_brackets(void **state)
{
    char arguments[128], out[1024];

    (void)state;
    e2e_start(&coord, "[::1]:0", NULL, 0);
    assert_string_equal(coord.url.host, "::1");
    snprintf(arguments, sizeof(arguments), "url --state %s", coord.dir);
    assert_int_equal(e2e_run(arguments, out, sizeof(out)), 0);
    assert_int_equal(strncmp(out, "tund://[::1]:", 13), 0);
    assert_int_equal(e2e_stop(&coord, SIGINT), 0);
}

static void assert_refuses(const char *arguments, int code, const char *says)
{
    char out[2048];
    int got = e2e_run(arguments, out, sizeof(out));

    if (got != code || !strstr(out, says))
        fail_msg("tund-coord %s: %d, %s", arguments, got, out);
    assert_null(strstr(out, "coordinator tund://"));
}

static void what_keeps_it_from_starting_is_said_with_what_to_do(void **state)
{
    char line[256], path[128];
    FILE *f;

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    snprintf(line, sizeof(line), "run --state %s --listen 127.0.0.1:0", coord.dir);
    assert_refuses(line, 4, "another tund-coord uses");
    snprintf(line, sizeof(line), "run --state %s.b --listen 127.0.0.1:%u", coord.dir,
             coord.url.port);
    assert_refuses(line, 4, "is in use");
    assert_int_equal(e2e_stop(&coord, SIGTERM), 0);

    snprintf(line, sizeof(line), "run --state %s --listen 127.0.0.1:0", coord.dir);
    assert_int_equal(chmod(coord.dir, 0755), 0);
    assert_refuses(line, 3, "chmod 700");
    assert_int_equal(chmod(coord.dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/key", coord.dir);
    assert_int_equal(chmod(path, 0644), 0);
    assert_refuses(line, 3, "chmod 600");
    assert_int_equal(chmod(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/coord.db", coord.dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("nothing that was a database", f);
    fclose(f);
    assert_refuses(line, 1, "coord.db");
    assert_refuses("run --listen 192.0.2.99", 1, "no address of this machine");
    assert_refuses("run --listen 127.0.0.1 --user no-such-user", 1, "useradd");
    assert_refuses("run", 2, "--listen is missing");
    assert_refuses("status --state /nonexistent", 1, "--state names the directory");
}

static void it_holds_no_privileges_and_tells_no_secret(void **state)
{
    static char text[65536];
    static const char *const where[] = {"cmdline", "environ"};
    char path[128], key[64];

    (void)state;
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    snprintf(path, sizeof(path), "%s/key", coord.dir);
    slurp(path, key, sizeof(key));
    key[40] = '\0'; /* enough of it to search for */
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)coord.pid, where[i]);
        size_t len = slurp(path, text, sizeof(text));

        assert_null(memmem(text, len, key, 40));
    }
    assert_null(memmem(text, slurp(coord.log, text, sizeof(text)), key, 40));
    snprintf(path, sizeof(path), "/proc/%d/status", (int)coord.pid);
    slurp(path, text, sizeof(text));
    assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)coord.pid);
    slurp(path, text, sizeof(text));
    assert_non_null(strstr(text, "Max core file size        0                    0"));
}

/* Root gives itself up; anybody else is told that only root can. */
static void with_user_it_runs_as_that_user(void **state)
{
    static char text[8192];
    struct passwd *nobody = getpwnam("nobody");
    char path[128], want[32];
    struct stat st;

    (void)state;
    assert_non_null(nobody);
    if (geteuid() != 0) {
        assert_refuses("run --listen 127.0.0.1:0 --user nobody", 3, "only root");
        return;
    }
    assert_int_equal(chown(coord.dir, nobody->pw_uid, nobody->pw_gid), 0);
    e2e_start(&coord, "127.0.0.1:0", "--user nobody", 0); /* which asks for its status, as root */
    snprintf(path, sizeof(path), "/proc/%d/status", (int)coord.pid);
    slurp(path, text, sizeof(text));
    snprintf(want, sizeof(want), "Uid:\t%u\t%u\t%u\t", nobody->pw_uid, nobody->pw_uid,
             nobody->pw_uid);
    assert_non_null(strstr(text, want));
    snprintf(path, sizeof(path), "%s/key", coord.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, nobody->pw_uid);
    assert_int_equal(e2e_stop(&coord, SIGTERM), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(members_join_and_learn_their_own_address),
        T(the_second_port_speaks_everything_too),
        T(connect_punches_both_and_the_relay_carries_both_ways),
        T(a_member_that_is_away_is_unreachable_at_once),
        T(refusals_say_which),
        T(after_a_restart_members_come_back_by_themselves_and_all_is_known),
        T(joins_on_a_full_disk_are_refused_and_the_rest_goes_on),
        T(a_stopped_coordinator_leaves_key_members_and_address_only),
        T(an_ipv6_address_is_printed_in_brackets),
        T(with_user_it_runs_as_that_user),
        T(what_keeps_it_from_starting_is_said_with_what_to_do),
        T(it_holds_no_privileges_and_tells_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
