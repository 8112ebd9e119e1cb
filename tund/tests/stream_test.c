/* Streams over real TCP, on the loopback interface of a network namespace of their own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
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

#include "tund/frames.h"
#include "tund/stream.h"
#include "tund/tls_server.h"

#include "sealed.h"

#define TURNS_MAX 200000

static uv_loop_t loop;
static SSL_CTX *client_tls, *server_tls;
static int listener;
static struct tn_addr at;

/* One end, and what has happened to it. */
struct end {
    struct stream *s;
    int opened, ended, batches, count;
    char why[128];
    uint8_t first[FRAME_DATAGRAM_MAX];
    size_t len, bytes;
    uint32_t number; /* of the latest datagram */
    bool in_order;
};

static void on_open(void *ctx, struct stream *s)
{
    struct end *e = ctx;

    e->opened++;
}

static void on_datagram(void *ctx, struct stream *s, uint8_t *data, size_t len)
{
    struct end *e = ctx;
    uint32_t number = e->number;

    if (len >= 4)
        memcpy(&number, data, 4);
    e->in_order = e->in_order && (len < 4 || number > e->number);
    e->number = number;
    e->count++;
    e->bytes += len;
    e->len = len;
    memcpy(e->first, data, len);
}

static void on_batch_end(void *ctx, struct stream *s)
{
    struct end *e = ctx;

    e->batches++;
}

static void on_end(void *ctx, struct stream *s, const char *why)
{
    struct end *e = ctx;

    e->ended++;
    snprintf(e->why, sizeof(e->why), "%s", why);
}

static const struct stream_handler handler = {
    .on_open = on_open, .on_datagram = on_datagram, .on_batch_end = on_batch_end, .on_end = on_end};

static void begin(struct end *e, int fd, SSL_CTX *tls, bool server, const char *preamble)
{
    struct stream_config config = {.tls = tls, .server = server, .preamble = preamble};
    struct stream_handler h = handler;

    memset(e, 0, sizeof(*e));
    e->in_order = true;
    h.ctx = e;
    assert_true(fd >= 0);
    assert_int_equal(stream_new(&e->s, &loop, fd, &config, &h), 0);
}

static void run_until(const int *value, int least)
{
    for (int turns = 0; *value < least; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static int accept_one(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void open_pair(struct end *client, struct end *server)
{
    int fd;

    begin(client, stream_connect(&at, 0), client_tls, false, NULL);
    fd = accept_one();
    set_nonblocking(fd);
    begin(server, fd, server_tls, true, NULL);
    run_until(&client->opened, 1);
    run_until(&server->opened, 1);
}

static void finish(struct end *e)
{
    stream_close(e->s);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* ---- tests ---- */

static void datagrams_of_every_size_come_whole_and_in_order(void **state)
{
    struct end client, server;
    uint8_t data[FRAME_DATAGRAM_MAX + 1];

    open_pair(&client, &server);
    memset(data, 0x5a, sizeof(data));
    for (uint32_t n = 4; n <= FRAME_DATAGRAM_MAX; n += 7) {
        memcpy(data, &n, 4);
        assert_int_equal(stream_send(client.s, data, n), 0);
        assert_int_equal(stream_send(server.s, data, FRAME_DATAGRAM_MAX - n + 4), 0);
        run_until(&server.count, server.count + 1);
        run_until(&client.count, client.count + 1);
        assert_int_equal(server.len, n);
        assert_memory_equal(server.first, data, n);
    }
    assert_true(server.in_order && client.in_order);
    assert_true(server.batches > 0 && server.batches <= server.count);
    assert_int_equal(stream_send(client.s, data, sizeof(data)), -EMSGSIZE);
    finish(&client);
    run_until(&server.ended, 1);
    finish(&server);
}

/* The loop does not run while so much is sent: the link is full. */
static void overfill(struct end *client, struct end *server)
{
    uint8_t data[1400] = {0};

    for (uint32_t n = 1; n <= 1000; n++) {
        memcpy(data, &n, 4);
        assert_int_equal(stream_send(client->s, data, sizeof(data)), 0);
    }
    while (server->number < 1000)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(server->count + (int)stream_dropped(client->s), 1000);
    assert_in_range(server->count, 30, 40);
    assert_true(server->in_order);
    finish(client);
    finish(server);
}

static void a_stream_that_cannot_keep_up_loses_the_oldest(void **state)
{
    struct end client, server;

    open_pair(&client, &server);
    overfill(&client, &server);
}

static void nobody_there_is_told(void **state)
{
    struct tn_addr nobody = at;
    struct end client;

    nobody.port = 9;
    begin(&client, stream_connect(&nobody, 0), client_tls, false, NULL);
    assert_int_equal(stream_send(client.s, "x", 1), -ENOTCONN);
    run_until(&client.ended, 1);
    assert_string_equal(client.why, "Connection refused");
    finish(&client);
}

/* What a listener that speaks something else makes of a client. */
static void speak(const char *preamble, const char *answer, struct end *client)
{
    char heard[1024] = "";
    int fd;

    begin(client, stream_connect(&at, 0), client_tls, false, preamble);
    fd = accept_one();
    if (preamble) {
        while (!strstr(heard, "\r\n\r\n")) {
            uv_run(&loop, UV_RUN_NOWAIT);
            (void)recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT | MSG_PEEK);
        }
        assert_string_equal(heard, preamble);
    }
    assert_int_equal(write(fd, answer, strlen(answer)), (ssize_t)strlen(answer));
    run_until(&client->ended, 1);
    close(fd);
    finish(client);
}

static void what_is_no_tls_ends_it(void **state)
{
    struct end client;

    speak(NULL, "SSH-2.0-OpenSSH_9.2\r\n", &client);
    assert_int_equal(client.opened, 0);
    assert_true(client.why[0]);
}

#define ASK "CONNECT coord:443 HTTP/1.1\r\n\r\n"

static void a_proxy_that_refuses_is_quoted(void **state)
{
    struct end client;

    speak(ASK, "HTTP/1.0 407 Proxy Authentication Required\r\nX: y\r\n\r\n<html>", &client);
    assert_string_equal(client.why, "the proxy wants a name and a password (--proxy-auth)");
    speak(ASK, "HTTP/1.0 403 Access violation\r\n\r\n", &client);
    assert_string_equal(client.why, "the proxy does not allow it");
    speak(ASK, "HTTP/1.0 500 Unable to connect\r\n\r\n", &client);
    assert_string_equal(client.why, "the proxy cannot connect");
    speak(ASK, "220 mail.example.org ESMTP\r\n", &client);
    assert_string_equal(client.why, "this is no HTTP proxy");
}

static void tls_begins_when_the_proxy_has_connected(void **state)
{
    static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct end client, server;
    char heard[sizeof(ASK)];
    ssize_t n = 0;
    int fd;

    begin(&client, stream_connect(&at, 0), client_tls, false, ASK);
    fd = accept_one();
    while (n < (ssize_t)strlen(ASK)) {
        ssize_t more;

        uv_run(&loop, UV_RUN_NOWAIT);
        more = recv(fd, heard + n, sizeof(heard) - (size_t)n, MSG_DONTWAIT);
        n += more > 0 ? more : 0;
    }
    assert_memory_equal(heard, ASK, strlen(ASK));
    for (size_t i = 0; i < strlen(answer); i++) { /* byte by byte, as a slow proxy might */
        assert_int_equal(write(fd, answer + i, 1), 1);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    set_nonblocking(fd);
    begin(&server, fd, server_tls, true, NULL);
    run_until(&client.opened, 1);
    run_until(&server.opened, 1);
    assert_int_equal(stream_send(client.s, "hello", 5), 0);
    run_until(&server.count, 1);
    finish(&client);
    finish(&server);
}

static void older_tls_is_refused(void **state)
{
    SSL_CTX *old = SSL_CTX_new(TLS_client_method());
    struct end client, server;
    int fd;

    assert_non_null(old);
    assert_int_equal(SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION), 1);
    begin(&client, stream_connect(&at, 0), old, false, NULL);
    fd = accept_one();
    set_nonblocking(fd);
    begin(&server, fd, server_tls, true, NULL);
    run_until(&server.ended, 1);
    run_until(&client.ended, 1);
    assert_int_equal(server.opened + client.opened, 0);
    finish(&client);
    finish(&server);
    SSL_CTX_free(old);
}

/* Bytes inside TLS that are no frames, from a client of another make. */
static void what_is_no_frame_ends_it(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(at.port)};
    struct end server;
    SSL *ssl = SSL_new(client_tls);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    accepted = accept_one();
    set_nonblocking(accepted);
    set_nonblocking(fd);
    begin(&server, accepted, server_tls, true, NULL);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    while (SSL_connect(ssl) != 1)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(SSL_write(ssl, "\0\1x\0\0", 5), 5); /* a good one, then one of no bytes */
    run_until(&server.ended, 1);
    assert_int_equal(server.count, 1);
    assert_string_equal(server.why, "bytes that are no frame");
    SSL_free(ssl);
    close(fd);
    finish(&server);
}

/* ---- without TLS, between members ---- */

/* A listening socket of ours, and its port's other socket that connects to `at`. */
static void open_plain_pair(struct end *client, struct end *server, uint16_t port)
{
    int fd;

    begin(client, stream_connect_from(port, &at, 0), NULL, false, NULL);
    fd = accept_one();
    set_nonblocking(fd);
    begin(server, fd, NULL, true, NULL);
    assert_true(stream_is_open(server->s));
    run_until(&client->opened, 1);
    assert_int_equal(stream_error(client->s), 0);
}

static void without_tls_datagrams_come_as_well(void **state)
{
    struct end client, server;
    uint8_t data[FRAME_DATAGRAM_MAX] = {0};

    open_plain_pair(&client, &server, 0);
    for (uint32_t n = 4; n <= FRAME_DATAGRAM_MAX; n += 97) {
        memcpy(data, &n, 4);
        assert_int_equal(stream_send(client.s, data, n), 0);
        assert_int_equal(stream_send(server.s, data, FRAME_DATAGRAM_MAX), 0);
        run_until(&server.count, server.count + 1);
        run_until(&client.count, client.count + 1);
        assert_int_equal(server.len, n);
        assert_memory_equal(server.first, data, n);
    }
    assert_true(server.in_order && client.in_order && server.opened == 0);
    finish(&client);
    run_until(&server.ended, 1);
    assert_string_equal(server.why, "closed by the other end");
    finish(&server);
}

static void without_tls_it_loses_the_oldest_as_well(void **state)
{
    struct end client, server;

    open_plain_pair(&client, &server, 0);
    overfill(&client, &server);
}

static void a_refusal_has_its_number(void **state)
{
    struct tn_addr nobody = at;
    struct end client;

    nobody.port = 9;
    begin(&client, stream_connect(&nobody, 0), NULL, false, NULL);
    run_until(&client.ended, 1);
    assert_int_equal(stream_error(client.s), ECONNREFUSED);
    finish(&client);
}

static void one_port_listens_and_connects_to_several(void **state)
{
    struct end client[2], server[2];
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    struct tn_addr self = at;
    uint16_t port;
    int fd = stream_listen(true, 0, &port), fd6, peer;

    assert_true(fd >= 0 && port != 0);
    open_plain_pair(&client[0], &server[0], port);
    peer = stream_connect_from(port, &(struct tn_addr){.ip = {[10] = 0xff, 0xff, 127, 0, 0, 2}, .port = at.port}, 0);
    assert_true(peer < 0 || close(peer) == 0); /* another address, same port: no matter who is there */
    self.port = port;
    begin(&client[1], stream_connect(&self, 0), NULL, false, NULL); /* and somebody connects to it meanwhile */
    run_until(&client[1].opened, 1);
    peer = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    begin(&server[1], peer, NULL, true, NULL);
    assert_int_equal(stream_send(server[1].s, "hello", 5), 0);
    run_until(&client[1].count, 1);
    assert_int_equal(stream_send(client[0].s, "hello", 5), 0);
    run_until(&server[0].count, 1);
    fd6 = stream_listen(false, 0, &port);
    assert_true(fd6 >= 0);
    close(fd6);
    close(fd);
    for (int i = 0; i < 2; i++) {
        finish(&client[i]);
        finish(&server[i]);
    }
}

static void without_tls_what_is_no_frame_ends_it(void **state)
{
    struct end server;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(at.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    accepted = accept_one();
    set_nonblocking(accepted);
    begin(&server, accepted, NULL, true, NULL);
    assert_int_equal(write(fd, "\0\1x\0\0", 5), 5);
    run_until(&server.ended, 1);
    assert_int_equal(server.count, 1);
    assert_string_equal(server.why, "bytes that are no frame");
    close(fd);
    finish(&server);
}

/* ---- the place ---- */

static int set_up(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    struct why w;

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || !sealed_enter_with_loopback() || uv_loop_init(&loop) ||
        tls_client_new(&client_tls, &w) || tls_server_new(&server_tls, &w))
        return -1;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&sa, sizeof(sa)) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&sa, &len))
        return -1;
    at = tn_addr_v4((const uint8_t[]){127, 0, 0, 1}, ntohs(sa.sin_port));
    return 0;
}

static int tear_down(void **state)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    close(listener);
    tls_free(client_tls);
    tls_free(server_tls);
    return uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_every_size_come_whole_and_in_order),
        cmocka_unit_test(a_stream_that_cannot_keep_up_loses_the_oldest),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(what_is_no_tls_ends_it),
        cmocka_unit_test(a_proxy_that_refuses_is_quoted),
        cmocka_unit_test(tls_begins_when_the_proxy_has_connected),
        cmocka_unit_test(older_tls_is_refused),
        cmocka_unit_test(what_is_no_frame_ends_it),
        cmocka_unit_test(without_tls_datagrams_come_as_well),
        cmocka_unit_test(without_tls_it_loses_the_oldest_as_well),
        cmocka_unit_test(a_refusal_has_its_number),
        cmocka_unit_test(one_port_listens_and_connects_to_several),
        cmocka_unit_test(without_tls_what_is_no_frame_ends_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
