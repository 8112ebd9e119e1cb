/* Pairs of members at a tund-coord: each joins, and the sender binds a channel to the receiver. */
#include "relayload.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/msg.h"

#include "../coord_e2e.h"

#define NETWORK 7
#define DAY_S 86400

static bool has_joined(void *ctx)
{
    return ((const struct member *)ctx)->join_status != -1;
}

static bool is_bound(void *ctx)
{
    return ((const struct member *)ctx)->bind_status != -1;
}

static void must(int status, const char *what)
{
    if (status == TN_STATUS_OK)
        return;
    fprintf(stderr, "relayload: %s: the coordinator answers status %d\n", what, status);
    exit(1);
}

static void server_of(const char *url, struct tn_url *u, struct tn_addr *server)
{
    uint8_t ip[4];

    if (tn_url_decode(u, url, strlen(url)) || inet_pton(AF_INET, u->host, ip) != 1) {
        fprintf(stderr, "relayload: %s is no coordinator's address with an IPv4 address in it\n", url);
        exit(1);
    }
    *server = tn_addr_v4(ip, u->port);
}

static struct member *join(const struct tn_url *u, const struct tn_addr *server,
                           const struct tn_addr *local, unsigned number)
{
    struct member *m = calloc(1, sizeof(*m));

    if (!m)
        abort();
    member_open_at(m, u->public_key, local, server, NETWORK, number);
    /* the same card in each run of a day, so that a coordinator that goes on knows it */
    m->card.joined_at_s -= m->card.joined_at_s % DAY_S;
    m->card.cert.not_after_s = m->card.joined_at_s + 2 * DAY_S;
    member_sign(m, NETWORK, number, 1);
    member_join(m);
    members_run_until(&m, 1, has_joined, m);
    must(m->join_status, "JOIN");
    return m;
}

static void connect_to(int fd, const struct tn_addr *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(server->port)};

    memcpy(&at.sin_addr, server->ip + 12, 4);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
        perror("relayload: connect");
        exit(1);
    }
}

void load_pairs_tund(struct load_pair *pair, unsigned count, const char *url,
                     const struct tn_addr *local, size_t payload)
{
    struct tn_addr server, to;
    struct tn_url u;

    server_of(url, &u, &server);
    for (unsigned i = 0; i < count; i++) {
        struct member *one = join(&u, &server, local, 2 * i + 1);
        struct member *two = join(&u, &server, local, 2 * i + 2);
        uint8_t mem[TN_BUF_HEADROOM + 64] = {0};
        struct tn_buf b = {.mem = mem, .cap = sizeof(mem), .off = TN_BUF_HEADROOM, .len = 32};
        uint16_t channel;

        assert_int_equal(
            tn_coord_client_bind(&one->client, two->card.identity, &channel, e2e_now()), 0);
        members_run_until(&one, 1, is_bound, one);
        must(one->bind_status, "BIND");
        assert_int_equal(tn_coord_client_push_relay(&one->client, channel, &b, &to, e2e_now()), 0);
        pair[i] = (struct load_pair){.from = one->fd, .to = two->fd, .head_len = 8 + 4,
                                     .arrives_len = 8 + payload};
        memcpy(pair[i].head, tn_buf_data(&b), 8);
        pair[i].head[8] = 4; /* WireGuard's type of a data message */
        connect_to(one->fd, &server);
    }
}

void load_idle_tund(unsigned count, const char *url, const struct tn_addr *local)
{
    struct tn_addr server;
    struct tn_url u;

    server_of(url, &u, &server);
    for (unsigned i = 0; i < count; i++) {
        struct tn_addr own = *local;
        struct member *m;

        tn_put_be32(own.ip + 12, tn_get_be32(local->ip + 12) + i);
        m = join(&u, &server, &own, i + 1);
        close(m->fd);
        free(m);
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}
