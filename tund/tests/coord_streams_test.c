/* The coordinator's TLS connections, and what bounds them, on loopback in a network namespace of their own.
 * The clock can be put forward; the sweep then comes within a second. */
#include <errno.h>
#include <netinet/in.h>
#include <time.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/coord/msg.h"
#include "libtunnel/path/stun.h"

#include "tund/coord_streams.h"
#include "tund/stream.h"
#include "tund/tls.h"

#include "sealed.h"

#define PORT 4433
#define CLIENTS 80

static uv_loop_t loop;
static struct ssl_ctx_st *client_tls;
static struct coord_streams streams;
static struct {
    int count;
    uint8_t way, first;
    struct tn_addr src;
} seen;
static struct client {
    struct stream *s;
    int opened, ended, count;
    uint16_t port; /* that it connects from */
    uint8_t last[64];
    size_t len;
} clients[CLIENTS];
static time_t ahead_s;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int result = __real_clock_gettime(id, ts);

    ts->tv_sec += ahead_s;
    return result;
}

/* ---- both ends ---- */

static void server_datagram(void *ctx, uint8_t way, const struct tn_addr *src, uint8_t *data, size_t len)
{
    seen.count++;
    seen.way = way;
    seen.src = *src;
    seen.first = data[0];
}

static void server_batch_end(void *ctx)
{
}

static void client_open(void *ctx, struct stream *s)
{
    ((struct client *)ctx)->opened++;
}

static void client_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct client *k = ctx;

    k->count++;
    k->len = len < sizeof(k->last) ? len : sizeof(k->last);
    memcpy(k->last, data, k->len);
}

static void client_batch_end(void *ctx, struct stream *s)
{
}

static void client_end(void *ctx, struct stream *s, const char *why)
{
    ((struct client *)ctx)->ended++;
}

static void begin(uint32_t max)
{
    const struct coord_net_handler h = {.on_datagram = server_datagram, .on_batch_end = server_batch_end};
    struct coord_options o = {.listen_count = 1, .tls_port = PORT, .tls_port_given = true, .tls_max = max};
    struct why w = {""};

    memset(&seen, 0, sizeof(seen));
    memset(clients, 0, sizeof(clients));
    ahead_s = 0;
    assert_true(coord_parse_listen("127.0.0.1", 3478, &o.listen[0]));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(coord_streams_open(&streams, &loop, &o, &h, &w), 0);
}

static void finish(void)
{
    for (int i = 0; i < CLIENTS; i++)
        stream_close(clients[i].s);
    coord_streams_close(&streams);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static struct client *dial(int i)
{
    const struct tn_addr at = tn_addr_v4((const uint8_t[]){127, 0, 0, 1}, PORT);
    const struct stream_config config = {.tls = client_tls};
    const struct stream_handler h = {.ctx = &clients[i],
                                     .on_open = client_open,
                                     .on_datagram = client_datagram,
                                     .on_batch_end = client_batch_end,
                                     .on_end = client_end};
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    int fd = stream_connect(&at, 0);

    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    clients[i].port = ntohs(sa.sin_port);
    assert_int_equal(stream_new(&clients[i].s, &loop, fd, &config, &h), 0);
    return &clients[i];
}

static bool is_settled(const struct client *k)
{
    return k->opened || k->ended;
}

static struct client *dial_and_wait(int i)
{
    struct client *k = dial(i);

    while (!is_settled(k))
        uv_run(&loop, UV_RUN_ONCE);
    return k;
}

/* Says something, so that the server's end is known in seen.src. */
static void speak(struct client *k)
{
    int before = seen.count;

    assert_int_equal(stream_send(k->s, "\x90\x01", 2), 0);
    while (seen.count == before)
        uv_run(&loop, UV_RUN_ONCE);
}

static void refill(void)
{
    for (int i = 0; i < COORD_STREAM_RATE_ROWS; i++)
        streams.rate[i].left = 5 * COORD_STREAM_RATE;
}

/* One at least. */
static void sweep(void)
{
    for (uint64_t until = uv_hrtime() + 1100000000u; uv_hrtime() < until;)
        uv_run(&loop, UV_RUN_ONCE);
}

/* ---- tests ---- */

static void a_datagram_has_a_stream_address_and_an_answer_goes_back_there(void **state)
{
    struct client *a, *b;
    struct tn_addr first;

    begin(8);
    a = dial_and_wait(0);
    b = dial_and_wait(1);
    speak(a);
    assert_int_equal(seen.way, COORD_WAY_STREAM);
    assert_true(tn_addr_is_stream(&seen.src));
    assert_int_equal(seen.first, 0x90);
    first = seen.src;
    speak(b);
    assert_false(tn_addr_equal(&first, &seen.src));
    assert_memory_equal(first.ip, seen.src.ip, 8); /* one source, one budget */
    coord_streams_send(&streams, &first, "\x91", 1);
    while (!a->count)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(b->count, 0);
    assert_int_equal(streams.used, 2);
    finish();
}

/* STUN by a stream tells where the connection comes from; it proves nothing. */
static void stun_is_answered_with_where_the_connection_comes_from(void **state)
{
    const uint8_t txid[TN_STUN_TXID_LEN] = {1, 2, 3};
    uint8_t request[TN_STUN_V4_LEN];
    struct tn_addr mapped;
    struct client *k;

    begin(8);
    k = dial_and_wait(0);
    assert_int_equal(tn_stun_request(false, txid, request, sizeof(request)), sizeof(request));
    assert_int_equal(stream_send(k->s, request, sizeof(request)), 0);
    while (!k->count)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(tn_stun_consume_answer(k->last, k->len, txid, &mapped), 0);
    assert_true(tn_addr_is_v4(&mapped) && mapped.ip[12] == 127 && mapped.port == k->port);
    assert_int_equal(seen.count, 0); /* the server never sees it */
    request[0] = 1; /* an answer is never answered, nor what is cut */
    assert_int_equal(stream_send(k->s, request, sizeof(request)), 0);
    request[0] = 0;
    assert_int_equal(stream_send(k->s, request, TN_STUN_HEADER_LEN), 0);
    speak(k);
    assert_int_equal(k->count, 1);
    assert_int_equal(seen.count, 1);
    ahead_s = 11;
    sweep();
    assert_int_equal(streams.used, 0);
    finish();
}

static void what_is_sent_to_one_that_has_gone_reaches_nobody(void **state)
{
    struct client *b;
    struct tn_addr gone;

    begin(1);
    speak(dial_and_wait(0));
    gone = seen.src;
    stream_close(clients[0].s);
    clients[0].s = NULL;
    while (streams.used)
        uv_run(&loop, UV_RUN_ONCE);
    b = dial_and_wait(1); /* in the same row */
    coord_streams_send(&streams, &gone, "\x91", 1);
    assert_int_equal(streams.dropped, 1);
    speak(b);
    assert_int_equal(b->count, 0);
    finish();
}

static void who_proves_nothing_is_closed_and_who_does_stays_while_he_does(void **state)
{
    struct client *silent, *proven;

    begin(8);
    silent = dial_and_wait(0);
    proven = dial_and_wait(1);
    speak(proven);
    coord_streams_send(&streams, &seen.src, "\x93\x01", 2);
    sweep();
    assert_int_equal(silent->ended + proven->ended, 0);
    ahead_s = 11;
    sweep();
    assert_int_equal(silent->ended, 1);
    assert_int_equal(proven->ended, 0);
    ahead_s = 80;
    coord_streams_send(&streams, &seen.src, "\x93\x01", 2); /* proves it anew */
    ahead_s = 160;
    sweep();
    assert_int_equal(proven->ended, 0);
    ahead_s = 180;
    sweep();
    assert_int_equal(proven->ended, 1);
    assert_int_equal(streams.used, 0);
    finish();
}

static void a_full_table_makes_room_by_the_oldest_that_proved_nothing(void **state)
{
    struct client *proven, *idle, *next;

    begin(2);
    proven = dial_and_wait(0);
    speak(proven);
    coord_streams_send(&streams, &seen.src, "\x93\x01", 2);
    idle = dial_and_wait(1);
    next = dial_and_wait(2);
    while (!idle->ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(next->opened, 1);
    speak(next);
    coord_streams_send(&streams, &seen.src, "\x93\x01", 2);
    assert_int_equal(dial_and_wait(3)->opened, 0); /* everybody has proven */
    assert_int_equal(proven->ended + next->ended, 0);
    assert_int_equal(streams.refused, 1);
    finish();
}

static void one_source_has_so_many_and_no_more(void **state)
{
    begin(128);
    for (int i = 0; i < COORD_STREAMS_PER_SOURCE; i++) {
        refill();
        assert_int_equal(dial_and_wait(i)->opened, 1);
    }
    refill();
    assert_int_equal(dial_and_wait(COORD_STREAMS_PER_SOURCE)->opened, 0);
    assert_int_equal(streams.used, COORD_STREAMS_PER_SOURCE);
    finish();
}

static void one_source_makes_so_many_a_second(void **state)
{
    begin(128);
    ahead_s = 1;
    for (int i = 0; i < 5 * COORD_STREAM_RATE; i++)
        (void)dial(i);
    while (streams.accepted < 5 * COORD_STREAM_RATE)
        uv_run(&loop, UV_RUN_ONCE);
    for (int i = 5 * COORD_STREAM_RATE; i < 5 * COORD_STREAM_RATE + 20; i++)
        (void)dial_and_wait(i);
    assert_true(streams.refused > 0);
    finish();
}

static void a_port_that_is_taken_is_an_error_only_if_it_was_asked_for(void **state)
{
    const struct coord_net_handler h = {.on_datagram = server_datagram, .on_batch_end = server_batch_end};
    struct coord_options o = {.listen_count = 1, .tls_port = PORT, .tls_max = 4};
    struct coord_streams second;
    struct why w = {""};

    begin(4);
    assert_true(coord_parse_listen("127.0.0.1", 3478, &o.listen[0]));
    assert_int_equal(coord_streams_open(&second, &loop, &o, &h, &w), 0);
    assert_int_equal(second.listener_count, 0);
    coord_streams_close(&second);
    o.tls_port_given = true;
    assert_int_equal(coord_streams_open(&second, &loop, &o, &h, &w), -EADDRINUSE);
    assert_non_null(strstr(w.text, "TCP port 127.0.0.1:4433 is in use"));
    o.tls_port = 0;
    assert_int_equal(coord_streams_open(&second, &loop, &o, &h, &w), 0);
    assert_int_equal(second.listener_count, 0);
    coord_streams_close(&second);
    finish();
}

static int set_up(void **state)
{
    struct why w;

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || !sealed_enter_with_loopback())
        return -1;
    return tls_client_new(&client_tls, &w);
}

static int tear_down(void **state)
{
    tls_free(client_tls);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_has_a_stream_address_and_an_answer_goes_back_there),
        cmocka_unit_test(stun_is_answered_with_where_the_connection_comes_from),
        cmocka_unit_test(what_is_sent_to_one_that_has_gone_reaches_nobody),
        cmocka_unit_test(who_proves_nothing_is_closed_and_who_does_stays_while_he_does),
        cmocka_unit_test(a_full_table_makes_room_by_the_oldest_that_proved_nothing),
        cmocka_unit_test(one_source_has_so_many_and_no_more),
        cmocka_unit_test(one_source_makes_so_many_a_second),
        cmocka_unit_test(a_port_that_is_taken_is_an_error_only_if_it_was_asked_for),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
