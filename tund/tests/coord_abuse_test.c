/* Whoever sends what proves nothing: every byte that the real program sends back is counted against
 * those that it got, and its memory is watched.
 *
 * A padded STUN request, which is always answered, follows each batch: when its answer is there, so is
 * whatever the batch brought forth. Randomness is from a seed, which is printed when a test fails. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/beat.h"
#include "libtunnel/path/stun.h"

#include "coord_e2e.h"

#define BATCH 32
#define GARBAGE 100000
#define RSS_GROWTH_KIB 1024
#define DATAGRAM_MAX 1500

static struct coordinator coord;
static uint64_t seed, rng;
static int fd;

static uint32_t rnd(void)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33);
}

static void rnd_fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)rnd();
}

/* Every test has a seed of its own; COORD_ABUSE_SEED repeats a run. */
static int setup(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *given = getenv("COORD_ABUSE_SEED");

    (void)state;
    seed = given ? strtoull(given, NULL, 0) : e2e_now().unix_ns;
    rng = seed;
    e2e_prepare(&coord);
    e2e_start(&coord, "127.0.0.1:0", NULL, 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(fd);
    if (coord.pid)
        assert_int_equal(e2e_stop(&coord, SIGTERM), 0);
    e2e_remove(&coord);
    return 0;
}

static void send_it(uint16_t port, const uint8_t *data, size_t len)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

/* What came back before the answer to the barrier. */
struct answers {
    unsigned count;
    size_t bytes;
    size_t longest;
};

static struct answers barrier(uint16_t port)
{
    uint8_t txid[TN_STUN_TXID_LEN], request[TN_STUN_MAX_LEN], data[2048];
    struct answers a = {0};
    struct tn_addr mapped;
    size_t len;

    rnd_fill(txid, sizeof(txid));
    len = tn_stun_request(false, txid, request, sizeof(request));
    send_it(port, request, len);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, E2E_DEADLINE_MS) != 1)
            fail_msg("no answer to the barrier; seed %llu", (unsigned long long)seed);
        n = recv(fd, data, sizeof(data), 0);
        assert_true(n >= 0);
        if (tn_stun_consume_answer(data, (size_t)n, txid, &mapped) == 0) {
            assert_true((size_t)n <= len);
            return a;
        }
        a.count++;
        a.bytes += (size_t)n;
        if ((size_t)n > a.longest)
            a.longest = (size_t)n;
    }
}

/* What no one who has proven nothing may get an answer to. */
static size_t make_garbage(uint8_t *out)
{
    static const uint8_t first[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x40, 0x80,
                                    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0xff};
    size_t len = rnd() % 4 ? rnd() % 200 : rnd() % DATAGRAM_MAX;

    rnd_fill(out, len);
    if (len > 0 && rnd() % 4)
        out[0] = first[rnd() % sizeof(first)];
    if (len > 3 && rnd() % 2)
        memcpy(out + 1, (uint8_t[]){rnd() % 2 ? 1 : 0, 0, 0}, 3);
    if (len > 8 && rnd() % 4 == 0)
        tn_put_be32(out + 4, 0x2112a442); /* STUN's cookie, with anything around it */
    return len;
}

/* An INIT of the right length may get a COOKIE, a STUN request of the right form its answer, and a BEAT in a
 * session that is nobody's LOST. */
static bool may_be_answered(const uint8_t *d, size_t len)
{
    return (len == TN_CTL_BEAT_LEN && d[0] == TN_CTL_BEAT) || (len == TN_CTL_INIT_LEN && d[0] == TN_CTL_INIT) ||
           (len >= TN_STUN_V4_LEN && d[0] == 0 && d[1] == 1);
}

static void garbage_gets_nothing_and_leaves_nothing(void **state)
{
    uint8_t data[DATAGRAM_MAX];
    long before = e2e_rss_kib(&coord), after;

    (void)state;
    for (int sent = 0; sent < GARBAGE;) {
        uint16_t port = rnd() % 2 ? coord.url.port : coord.alt_port;
        struct answers a;

        for (int i = 0; i < BATCH; i++) {
            size_t len = make_garbage(data);

            if (may_be_answered(data, len))
                continue;
            send_it(port, data, len);
            sent++;
        }
        a = barrier(port);
        if (a.count)
            fail_msg("%u answers of up to %zu bytes to garbage; seed %llu", a.count, a.longest,
                     (unsigned long long)seed);
    }
    after = e2e_rss_kib(&coord);
    print_message("# RSS %ld KiB before and %ld KiB after %d datagrams\n", before, after, GARBAGE);
    assert_true(after - before < RSS_GROWTH_KIB);
}

/* One at a time, so that each answer belongs to one datagram. */
static void assert_no_more_back_than(const uint8_t *data, size_t len, uint16_t port)
{
    struct answers a;

    send_it(port, data, len);
    a = barrier(port);
    if (a.count > 1 || a.bytes > len)
        fail_msg("%zu bytes brought %u datagrams, %zu bytes; seed %llu", len, a.count, a.bytes,
                 (unsigned long long)seed);
}

static size_t make_init(uint8_t *out)
{
    rnd_fill(out, TN_CTL_INIT_LEN);
    memcpy(out, (uint8_t[]){TN_CTL_INIT, TN_CTL_VERSION, 0, 0}, 4);
    if (rnd() % 2)
        memset(out + 8, 0, TN_CTL_COOKIE_VALUE_LEN);
    return TN_CTL_INIT_LEN;
}

static void what_is_almost_right_never_gets_more_than_it_brought(void **state)
{
    uint8_t data[DATAGRAM_MAX + 1], txid[TN_STUN_TXID_LEN] = {9};

    (void)state;
    for (int i = 0; i < 3000; i++) {
        size_t len;

        if (i % 2)
            len = make_init(data);
        else
            len = tn_stun_request(i % 4 == 0, txid, data, sizeof(data));
        if (rnd() % 2)
            data[rnd() % len] ^= (uint8_t)(1u << rnd() % 8);
        if (rnd() % 4 == 0) /* longer, or shorter */
            len = rnd() % 2 ? len + rnd() % 8 : rnd() % len;
        assert_no_more_back_than(data, len, i % 3 ? coord.url.port : coord.alt_port);
    }
}

static void an_unpadded_stun_request_is_not_answered_at_any_length(void **state)
{
    uint8_t data[TN_STUN_MAX_LEN], txid[TN_STUN_TXID_LEN] = {9};
    struct answers a;

    (void)state;
    for (size_t len = 0; len < TN_STUN_V4_LEN; len++) {
        tn_stun_request(false, txid, data, sizeof(data));
        if (len >= TN_STUN_HEADER_LEN)
            tn_put_be16(data + 2, (uint16_t)(len - TN_STUN_HEADER_LEN));
        send_it(coord.url.port, data, len);
        a = barrier(coord.url.port);
        assert_int_equal(a.count, 0);
    }
}

/* Whatever it sends, sent back to it from where it went, dies out (no loop of answers). */
static void its_own_answers_sent_back_are_not_answered(void **state)
{
    uint8_t init[TN_CTL_INIT_LEN], request[TN_STUN_MAX_LEN], got[2048];
    uint8_t txid[TN_STUN_TXID_LEN] = {7};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = tn_stun_request(false, txid, request, sizeof(request));

    (void)state;
    make_init(init);
    p.fd = fd;
    for (int i = 0; i < 2; i++) {
        ssize_t n;

        if (i)
            send_it(coord.url.port, init, sizeof(init));
        else
            send_it(coord.url.port, request, len);
        assert_int_equal(poll(&p, 1, E2E_DEADLINE_MS), 1);
        n = recv(fd, got, sizeof(got), 0);
        assert_true(n > 0);
        for (int port = 0; port < 2; port++) {
            struct answers a;

            send_it(port ? coord.alt_port : coord.url.port, got, (size_t)n);
            a = barrier(port ? coord.alt_port : coord.url.port);
            assert_int_equal(a.count, 0);
        }
    }
}

/* ---- a real session as the bait ---- */

static struct member victim;

static bool joined(void *m)
{
    return ((struct member *)m)->join_status >= 0;
}

/* Data of every kind for sessions and channels that somebody else has, or nobody. */
static void strangers_frames_reach_nobody(void **state)
{
    struct member *m = &victim;
    uint8_t data[DATAGRAM_MAX];

    (void)state;
    member_open(m, &coord, coord.url.port, 1, 1);
    member_join(m);
    members_run_until(&m, 1, joined, m);
    for (int i = 0; i < 20000; i++) {
        size_t len = 16 + 16 * (rnd() % 60);

        rnd_fill(data, len);
        memcpy(data, (uint8_t[]){rnd() % 2 ? TN_CTL_RELAY : TN_CTL_DATA, TN_CTL_VERSION, 0,
                                 (uint8_t)rnd()},
               4);
        if (rnd() % 2) /* the true index of a session, from a wrong address */
            tn_put_be32(data + 4, m->client.session.remote_index);
        memcpy(data + 8, (uint8_t[]){4, 0, 0, 0}, 4);
        send_it(coord.url.port, data, len);
        if (i % BATCH == 0)
            assert_int_equal(barrier(coord.url.port).count, 0);
    }
    assert_int_equal(barrier(coord.url.port).count, 0);
    assert_int_equal(e2e_number(&coord, "relayed", "packets"), 0);
    while (recv(m->fd, data, sizeof(data), MSG_DONTWAIT) > 0)
        assert_int_equal(data[0], TN_CTL_DATA); /* answers to its own requests may be under way */
    assert_true(e2e_number(&coord, "drops", "relay_source") > 0);
    member_close(m);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(garbage_gets_nothing_and_leaves_nothing),
        T(what_is_almost_right_never_gets_more_than_it_brought),
        T(an_unpadded_stun_request_is_not_answered_at_any_length),
        T(its_own_answers_sent_back_are_not_answered),
        T(strangers_frames_reach_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
