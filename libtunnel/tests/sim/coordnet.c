/* The network is a table of packets under way; a step delivers the oldest one
 * that is due and lets everybody whose deadline has come tick. Each push into a
 * client is followed by a drain, as client.h asks for. */
#include "coordnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/member_fixture.h"
#include "libtunnel/base/bytes.h"
#include "libtunnel/cards.h"

static void must_be(bool yes, const char *what, int line)
{
    if (yes)
        return;
    fprintf(stderr, "coordnet.c:%d: %s does not hold\n", line, what);
    abort();
}
#define must(condition) must_be(condition, #condition, __LINE__)

struct tn_addr net_v4(uint8_t host, uint16_t port)
{
    return tn_addr_v4((uint8_t[]){55, 2, 0, host}, port);
}

struct tn_addr net_v6(uint8_t host, uint16_t port)
{
    uint8_t ip[16] = {0x2a, 0x00, 0, 0, 0, 0, 0, host};

    ip[15] = 1;
    return tn_addr_v6(ip, port);
}

void net_start_server(struct net *n)
{
    struct tn_server_memory mem = {
        .session = n->session,
        .session_count = NET_SESSIONS,
        .channel = n->channels,
        .channel_count = NET_CHANNELS,
        .key_bucket = n->bucket[0],
        .member_bucket = n->bucket[1],
        .channel_bucket = n->bucket[2],
        .bucket_len = NET_BUCKETS,
    };

    memcpy(n->cfg.private_key, n->server_private, 32);
    tn_rng_bytes(&n->rng, n->cfg.rng_seed, 32);
    n->cfg.store = tn_memstore_store(&n->store);
    n->cfg.cards = &tn_card_ops;
    must((tn_server_init(&n->server, &mem, &n->cfg, n->now)) == 0);
    n->server_up = true;
}

struct net *net_new(uint64_t seed)
{
    struct net *n = calloc(1, sizeof(*n));
    uint8_t bytes[32] = {0};

    must(n != NULL);
    tn_put_be64(bytes, seed);
    tn_rng_init(&n->rng, bytes);
    n->now.us = TN_S(1000);
    n->now.unix_ns = (uint64_t)NET_EPOCH_S * 1000000000u;
    n->delay_us = TN_MS(10);
    tn_rng_bytes(&n->rng, n->server_private, 32);
    must((tn_x25519_public(n->server_public, n->server_private)) == 0);
    n->server_at[0] = tn_addr_v4((uint8_t[]){55, 1, 0, 10}, 3478);
    n->server_at[1] = net_v6(200, 3478);
    n->server_at[2] = tn_addr_stream((uint8_t[]){0, 0, 0, 0}, 1);
    tn_memstore_init(&n->store);
    n->cfg.handshakes_per_s = 1000;
    net_start_server(n);
    return n;
}

void net_free(struct net *n)
{
    for (int i = 0; i < NET_CLIENTS; i++)
        must((n->client[i].c.events_lost) == 0);
    tn_server_wipe(&n->server);
    free(n);
}

size_t net_card(const struct net *n, unsigned network, unsigned number, uint64_t epoch,
                const uint8_t wireguard_public[32], uint8_t out[TN_MSG_CARD_MAX])
{
    struct tn_card card;
    uint8_t seed[32];
    size_t len;

    (void)n;
    must((fix_card(&card, network, number, epoch)) == 0);
    fix_seed(seed, FIX_SEED_IDENTITY, number);
    if (epoch != TN_EPOCH_LEFT)
        must((tn_card_sign_key(&card, seed, epoch, wireguard_public)) == 0);
    must((tn_card_encode(&card, out, TN_MSG_CARD_MAX, &len)) == 0);
    return len;
}

struct net_client *net_add(struct net *n, unsigned i, unsigned families)
{
    struct net_client *k = &n->client[i];
    struct tn_coord_client_config cfg = {.channel = k->channel, .channel_count = NET_ROWS};
    struct tn_addr none;
    uint8_t seed[32];

    memset(&none, 0, sizeof(none));
    memset(k, 0, sizeof(*k));
    k->used = true;
    k->at[0] = net_v4((uint8_t)(i + 1), 51820);
    k->at[1] = net_v6((uint8_t)(i + 1), 51820);
    k->at[2] = tn_addr_stream((uint8_t[]){55, 2, 0, (uint8_t)(i + 1)}, 1000 + i);
    tn_rng_bytes(&n->rng, k->private_key, 32);
    must((tn_x25519_public(k->public_key, k->private_key)) == 0);
    fix_seed(seed, FIX_SEED_IDENTITY, i);
    tn_ed25519_public(k->identity, seed);
    tn_rng_bytes(&n->rng, seed, 32);
    must((tn_coord_client_init(&k->c, &cfg, k->private_key, n->server_public, seed)) == 0);
    tn_coord_client_set_server(&k->c, families & 1 ? &n->server_at[0] : &none,
                               families & 2 ? &n->server_at[1] : &none, n->now);
    tn_coord_client_start(&k->c, n->now);
    return k;
}

struct net_packet *net_send(struct net *n, bool to_server, uint8_t port, const struct tn_addr *src,
                            const struct tn_addr *dst, const uint8_t *data, size_t len)
{
    struct net_packet *p = NULL;

    for (int i = 0; i < NET_FLIGHT && !p; i++)
        p = n->flight[i].used ? NULL : &n->flight[i];
    must(p != NULL);
    must(len >= 1 && len <= sizeof(p->data));
    p->used = true;
    p->to_server = to_server;
    p->at_us = n->now.us + n->delay_us;
    p->port = port;
    p->src = *src;
    p->dst = *dst;
    p->len = len;
    memcpy(p->data, data, len);
    if ((n->tap && !n->tap(n, p)) || tn_rng_below(&n->rng, 100) < n->loss_percent)
        p->used = false;
    return p;
}

void net_stream(struct net *n, unsigned i, bool up)
{
    struct net_client *k = &n->client[i];

    tn_coord_client_set_stream(&k->c, up ? &n->server_at[TN_FAMILY_STREAM] : NULL, n->now);
    net_drain(n, k);
}

static void net_take_events(struct net_client *k)
{
    struct tn_coord_event e;

    while (tn_coord_client_take_event(&k->c, &e)) {
        k->seen[e.kind]++;
        if (e.card)
            memcpy(k->card, e.card, e.card_len);
        if (e.cand)
            memcpy(k->cand, e.cand, e.cand_count * sizeof(e.cand[0]));
        k->last[e.kind] = e;
    }
}

void net_drain(struct net *n, struct net_client *k)
{
    uint8_t out[TN_CTL_MAX_LEN];
    struct tn_addr dst;
    size_t len;

    net_take_events(k);
    while ((len = tn_coord_client_poll_out(&k->c, n->now, out, sizeof(out), &dst)) > 0) {
        k->sent++;
        k->sent_bytes += len;
        net_send(n, true, 0, &k->at[tn_addr_family(&dst)], &dst, out, len);
    }
    net_take_events(k);
}

static void net_client_receive(struct net *n, struct net_client *k, struct net_packet *p)
{
    uint8_t mem[TN_BUF_HEADROOM + sizeof(p->data) + TN_BUF_TAILROOM];
    struct tn_buf b = {.mem = mem, .cap = sizeof(mem), .off = TN_BUF_HEADROOM, .len = p->len};
    bool linked = tn_link_is_frame(p->data, p->len);

    memcpy(tn_buf_data(&b), p->data, p->len);
    if (linked || p->data[0] == TN_CTL_RELAY) {
        if ((linked ? tn_coord_client_open_link(&k->c, &p->src, &b)
                    : tn_coord_client_open_relay(&k->c, &p->src, &b)) == 0) {
            k->relayed_in++;
            k->relayed_len = b.len;
            memcpy(k->relayed, tn_buf_data(&b), b.len);
        }
    } else if (tn_coord_client_on_datagram(&k->c, &p->src, p->data, p->len, n->now)) {
        n->count++;
    }
    net_drain(n, k);
}

static void net_deliver(struct net *n, struct net_packet *p)
{
    struct net_packet got = *p; /* its place may be used by an answer */
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    size_t count;

    p->used = false;
    if (got.to_server) {
        if (!n->server_up)
            return;
        count =
            tn_server_on_datagram(&n->server, got.port, &got.src, got.data, got.len, n->now, out);
        for (size_t i = 0; i < count; i++)
            net_send(n, false, out[i].port, &n->server_at[tn_addr_family(&out[i].dst)],
                     &out[i].dst, out[i].data, out[i].len);
        return;
    }
    for (int i = 0; i < NET_CLIENTS; i++) {
        struct net_client *k = &n->client[i];

        if (k->used && tn_addr_equal(&k->at[tn_addr_family(&got.dst)], &got.dst))
            net_client_receive(n, k, &got);
    }
}

void net_advance(struct net *n, uint64_t to_us)
{
    if (to_us <= n->now.us)
        return;
    n->now.unix_ns += (to_us - n->now.us) * 1000;
    n->now.us = to_us;
}

static uint64_t net_next(const struct net *n)
{
    uint64_t at = n->server_up ? tn_server_next_deadline(&n->server) : TN_NEVER;

    for (int i = 0; i < NET_CLIENTS; i++) {
        uint64_t own =
            n->client[i].used ? tn_coord_client_next_deadline(&n->client[i].c, NULL) : TN_NEVER;

        at = own < at ? own : at;
    }
    for (int i = 0; i < NET_FLIGHT; i++) {
        if (n->flight[i].used && n->flight[i].at_us < at)
            at = n->flight[i].at_us;
    }
    return at;
}

static void net_tick_server(struct net *n)
{
    struct tn_server_out o;

    if (!n->server_up || tn_server_next_deadline(&n->server) > n->now.us)
        return;
    tn_server_tick(&n->server, n->now);
    while (tn_server_news_next(&n->server, n->now, &o))
        net_send(n, false, o.port, &n->server_at[tn_addr_family(&o.dst)], &o.dst, o.data, o.len);
}

static void net_step(struct net *n)
{
    struct net_packet *p = NULL;

    for (int i = 0; i < NET_FLIGHT; i++) { /* oldest first */
        if (n->flight[i].used && n->flight[i].at_us <= n->now.us &&
            (!p || n->flight[i].at_us < p->at_us))
            p = &n->flight[i];
    }
    if (p)
        net_deliver(n, p);
    net_tick_server(n);
    for (int i = 0; i < NET_CLIENTS; i++) {
        struct net_client *k = &n->client[i];

        if (k->used && tn_coord_client_next_deadline(&k->c, NULL) <= n->now.us)
            tn_coord_client_tick(&k->c, n->now);
        if (k->used)
            net_drain(n, k);
    }
}

bool net_run_until(struct net *n, uint64_t for_us, bool (*until)(struct net *n))
{
    uint64_t end = n->now.us + for_us;
    unsigned still = 0;

    for (int i = 0; i < NET_CLIENTS; i++) {
        if (n->client[i].used)
            net_drain(n, &n->client[i]);
    }
    while (!until || !until(n)) {
        uint64_t at = net_next(n);

        if (at > end) {
            net_advance(n, end);
            return false;
        }
        still = at > n->now.us ? 0 : still + 1;
        must(still <= 1000);
        net_advance(n, at);
        net_step(n);
    }
    return true;
}

void net_run(struct net *n, uint64_t for_us)
{
    net_run_until(n, for_us, NULL);
}

bool net_all_connected(struct net *n)
{
    for (int i = 0; i < NET_CLIENTS; i++) {
        if (n->client[i].used && !n->client[i].seen[TN_COORD_EV_CONNECTED])
            return false;
    }
    return true;
}

bool net_all_joined(struct net *n)
{
    for (int i = 0; i < NET_CLIENTS; i++) {
        if (n->client[i].used && !n->client[i].seen[TN_COORD_EV_JOIN_RESULT])
            return false;
    }
    return true;
}

void net_join(struct net *n, unsigned i, unsigned network)
{
    struct net_client *k = &n->client[i];
    uint8_t card[TN_MSG_CARD_MAX];
    size_t len = net_card(n, network, i, 1, k->public_key, card);

    must((tn_coord_client_join(&k->c, card, len, n->now)) == 0);
}

struct net *net_of_members(uint64_t seed, unsigned count)
{
    struct net *n = net_new(seed);

    for (unsigned i = 0; i < count; i++) {
        net_add(n, i, 1);
        net_join(n, i, FIX_NETWORK);
    }
    must(net_run_until(n, TN_S(5), net_all_joined));
    for (unsigned i = 0; i < count; i++)
        must(n->client[i].last[TN_COORD_EV_JOIN_RESULT].status == TN_STATUS_OK);
    net_run(n, TN_MS(200));
    return n;
}

void net_wireguard(struct tn_buf *b, uint8_t *mem, size_t cap, size_t len)
{
    memset(mem, 0x77, cap);
    *b = (struct tn_buf){.mem = mem, .cap = cap, .off = 32, .len = len};
    memcpy(tn_buf_data(b), (uint8_t[]){4, 0, 0, 0}, 4);
}

int net_relay(struct net *n, unsigned i, uint16_t channel, size_t len)
{
    uint8_t mem[1600];
    struct tn_buf b;

    net_wireguard(&b, mem, sizeof(mem), len);
    return net_relay_buf(n, i, channel, &b);
}

int net_relay_buf(struct net *n, unsigned i, uint16_t channel, const struct tn_buf *message)
{
    struct net_client *k = &n->client[i];
    struct tn_buf b = *message;
    struct tn_addr dst;
    int err;

    err = tn_coord_client_push_relay(&k->c, channel, &b, &dst, n->now);
    if (!err)
        net_send(n, true, 0, &k->at[tn_addr_family(&dst)], &dst, tn_buf_data(&b), b.len);
    return err;
}

void net_put_cookie(struct net *n, const struct tn_addr *src, struct net_packet *init)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint8_t copy[TN_CTL_INIT_LEN];

    memcpy(copy, init->data, sizeof(copy));
    must(tn_server_on_datagram(&n->server, 0, src, copy, sizeof(copy), n->now, out) == 1);
    must(out[0].data[0] == TN_CTL_COOKIE);
    memcpy(init->data + 8, out[0].data + 8, TN_CTL_COOKIE_VALUE_LEN);
}

void net_crowd(struct net *n, unsigned count, bool confirm)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];

    for (unsigned i = 0; i < count; i++) {
        struct tn_addr src = tn_addr_v4((uint8_t[]){77, 0, (uint8_t)(i >> 8), (uint8_t)i}, 5000);
        uint8_t priv[32], stamp[TN_CTL_TAI64N_LEN] = {0}, data[64] = {0};
        struct tn_ctl_local local;
        struct tn_ctl_session s;
        struct tn_addr seen;
        struct net_packet p = {.len = TN_CTL_INIT_LEN};
        struct tn_ik ik;
        uint64_t unix_s;

        tn_rng_bytes(&n->rng, priv, 32);
        must(tn_ctl_local_init(&local, priv, n->server_public) == 0);
        must(tn_ctl_create_init(&ik, &local, &n->rng, i, NULL, stamp, p.data) == 0);
        net_put_cookie(n, &src, &p);
        if (tn_server_on_datagram(&n->server, 0, &src, p.data, p.len, n->now, out) != 1 || !confirm)
            continue;
        must(tn_ctl_consume_resp(&ik, &local, i, out[0].data, &s, &seen, &unix_s) == 0);
        memcpy(data + 16, (uint8_t[]){TN_MSG_PING, 0, 0, 1, 0, 0, 0, 0}, 8);
        must(tn_ctl_seal(&s, data, 8) == 0);
        tn_server_on_datagram(&n->server, 0, &src, data, 8 + TN_CTL_DATA_OVERHEAD, n->now, out);
    }
}
