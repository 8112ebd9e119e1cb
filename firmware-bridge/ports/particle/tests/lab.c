#include "lab.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libtunnel/base/ip.h"
#include "libtunnel/cards.h"
#include "libtunnel/coord/server.h"
#include "libtunnel/node.h"
#include "memstore.h"

#define PEERS 4
#define SESSIONS 8
#define BUCKETS 8

struct lab {
    uint8_t network_seed[32], coord_private[32], coord_public[32], laptop_private[32];
    int coord_fd, laptop_fd;
    struct tn_addr coord_at, laptop_at;
    struct tn_memstore store;
    struct tn_server server;
    struct tn_server_session session[SESSIONS];
    struct tn_server_channel channel[SESSIONS];
    uint32_t bucket[3][BUCKETS];
    struct tn_node *node;
    struct tn_node_memory mem;
    struct tn_card card;
    struct tn_cert device;
    char invite[TN_INVITE_TEXT_SIZE];
    uint8_t last[2048];
    size_t last_len, longest_in;
    void (*on_packet)(struct lab *l, const uint8_t *packet, size_t len);
    uint8_t next_host;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "lab: %s\n", what);
    abort();
}

static struct tn_now now(void)
{
    struct timespec mono, wall;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct tn_now){
        .us = (uint64_t)mono.tv_sec * 1000000u + (uint64_t)mono.tv_nsec / 1000u,
        .unix_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec};
}

static void random_bytes(void *out, size_t len)
{
    must(getrandom(out, len, 0) == (ssize_t)len, "no random numbers");
}

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count, size);

    must(p != NULL, "no memory");
    return p;
}

/* ---- sockets ---- */

static struct tn_addr from_sockaddr(const struct sockaddr_in *a)
{
    return tn_addr_v4((const uint8_t *)&a->sin_addr, ntohs(a->sin_port));
}

static int open_socket(struct tn_addr *at)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    must(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a) &&
             !getsockname(fd, (struct sockaddr *)&a, &len),
         "no socket");
    *at = from_sockaddr(&a);
    return fd;
}

static void send_to(int fd, const struct tn_addr *to, const uint8_t *data, size_t len)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(to->port)};

    memcpy(&a.sin_addr, to->ip + 12, 4);
    must(sendto(fd, data, len, 0, (struct sockaddr *)&a, sizeof a) == (ssize_t)len, "cannot send");
}

static ssize_t receive(int fd, uint8_t *data, size_t cap, struct tn_addr *from)
{
    struct sockaddr_in a;
    socklen_t a_len = sizeof a;
    ssize_t len = recvfrom(fd, data, cap, 0, (struct sockaddr *)&a, &a_len);

    if (len >= 0)
        *from = from_sockaddr(&a);
    return len;
}

/* ---- members ---- */

static void make_cert(struct lab *l, const char *name, uint8_t flags, uint8_t invite_seed[32],
                      struct tn_cert *cert)
{
    uint8_t host = ++l->next_host, interface_id[8] = {0, 0, 0, 0, 0, 0, 0, host};
    uint8_t ipv4[4] = {10, 77, 0, host}, network_public[32];

    random_bytes(invite_seed, 32);
    tn_ed25519_public(network_public, l->network_seed);
    *cert = (struct tn_cert){
        .flags = flags, .not_after_s = now().unix_ns / 1000000000u + 3600, .ipv4_bits = 24};
    random_bytes(cert->invite_id, sizeof cert->invite_id);
    tn_ed25519_public(cert->invite_public, invite_seed);
    memcpy(cert->ipv4, ipv4, 4);
    tn_network_address6(cert->ipv6, network_public, interface_id);
    snprintf(cert->name, sizeof cert->name, "%s", name);
    snprintf(cert->network, sizeof cert->network, "home");
    must(!tn_cert_sign(cert, l->network_seed), "no certificate");
}

const char *lab_invite(struct lab *l, const char *name)
{
    struct tn_invite invite = {.coordinator.port = l->coord_at.port};

    make_cert(l, name, TN_CERT_DEVICE, invite.invite_seed, &invite.cert);
    l->device = invite.cert;
    memcpy(invite.coordinator.public_key, l->coord_public, 32);
    snprintf(invite.coordinator.host, sizeof invite.coordinator.host, "127.0.0.1");
    must(!tn_invite_encode(&invite, l->invite, sizeof l->invite, NULL), "no invite");
    return l->invite;
}

static void make_laptop_card(struct lab *l)
{
    uint8_t invite_seed[32], identity_seed[32], pub[32];

    make_cert(l, "laptop", 0, invite_seed, &l->card.cert);
    random_bytes(identity_seed, 32);
    random_bytes(l->laptop_private, 32);
    tn_x25519_clamp(l->laptop_private);
    tn_ed25519_public(l->card.identity, identity_seed);
    l->card.joined_at_s = now().unix_ns / 1000000000u;
    must(!tn_x25519_public(pub, l->laptop_private) &&
             !tn_card_sign_membership(&l->card, invite_seed) &&
             !tn_card_sign_key(&l->card, identity_seed, 1, pub),
         "no card");
}

static void open_server(struct lab *l)
{
    struct tn_server_memory mem = {.session = l->session,
                                   .session_count = SESSIONS,
                                   .channel = l->channel,
                                   .channel_count = SESSIONS,
                                   .key_bucket = l->bucket[0],
                                   .member_bucket = l->bucket[1],
                                   .channel_bucket = l->bucket[2],
                                   .bucket_len = BUCKETS};
    struct tn_server_config cfg = {.store = tn_memstore_store(&l->store), .cards = &tn_card_ops};

    tn_memstore_init(&l->store);
    random_bytes(l->coord_private, 32);
    tn_x25519_clamp(l->coord_private);
    must(!tn_x25519_public(l->coord_public, l->coord_private), "no key");
    memcpy(cfg.private_key, l->coord_private, 32);
    random_bytes(cfg.rng_seed, 32);
    must(!tn_server_init(&l->server, &mem, &cfg, now()), "no coordinator");
}

static void open_laptop(struct lab *l)
{
    struct tn_node_config cfg = {
        .mtu = 1400, .stamp_ceiling_ns = UINT64_MAX, .keepalive_us = TN_MS(500)};
    struct tn_coordinator c = {.v4 = l->coord_at};

    l->mem = (struct tn_node_memory){
        .peers = zeroed(PEERS, tn_peer_sizeof()),
        .peer_cap = PEERS,
        .peer_heap = zeroed(PEERS, sizeof(uint32_t)),
        .peer_table = zeroed(2 * PEERS, sizeof(uint32_t)),
        .peer_table_len = 2 * PEERS,
        .allowed = zeroed(4 * PEERS, sizeof(struct tn_allowed_node)),
        .allowed_cap = 4 * PEERS,
        .allowed_head = zeroed(PEERS, sizeof(uint32_t)),
        .paths = zeroed(PEERS, tn_paths_sizeof()),
        .members = zeroed(PEERS, sizeof(struct tn_member)),
        .member_cap = PEERS,
        .channels = zeroed(PEERS, sizeof(struct tn_relay_channel)),
        .channel_cap = PEERS,
    };
    l->node = zeroed(1, tn_node_sizeof());
    random_bytes(cfg.rng_seed, 32);
    memcpy(c.public_key, l->coord_public, 32);
    must(!tn_node_init(l->node, &l->mem, &cfg) &&
             !tn_node_set_private_key(l->node, l->laptop_private) &&
             !tn_node_set_card(l->node, &l->card, now()),
         "no laptop");
    tn_node_set_coordinator(l->node, &c, now());
}

struct lab *lab_new(void)
{
    struct lab *l = zeroed(1, sizeof *l);

    must(!tn_crypto_init(), "no crypto");
    random_bytes(l->network_seed, 32);
    l->coord_fd = open_socket(&l->coord_at);
    l->laptop_fd = open_socket(&l->laptop_at);
    open_server(l);
    make_laptop_card(l);
    open_laptop(l);
    return l;
}

void lab_free(struct lab *l)
{
    close(l->coord_fd);
    close(l->laptop_fd);
    tn_node_wipe(l->node);
    tn_server_wipe(&l->server);
    free(l->node);
    free(l->mem.peers);
    free(l->mem.peer_heap);
    free(l->mem.peer_table);
    free(l->mem.allowed);
    free(l->mem.allowed_head);
    free(l->mem.paths);
    free(l->mem.members);
    free(l->mem.channels);
    free(l);
}

/* ---- datagrams ---- */

static void step_server(struct lab *l)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct tn_addr from;
    uint8_t data[2048];
    ssize_t len;

    while ((len = receive(l->coord_fd, data, sizeof data, &from)) >= 0) {
        size_t count =
            tn_server_on_datagram(&l->server, 0, &from, data, (size_t)len, now(), out);

        if ((size_t)len > l->longest_in)
            l->longest_in = (size_t)len;
        for (size_t i = 0; i < count; i++)
            send_to(l->coord_fd, &out[i].dst, out[i].data, out[i].len);
    }
    if (tn_server_next_deadline(&l->server) <= now().us)
        tn_server_tick(&l->server, now());
    while (tn_server_news_next(&l->server, now(), out))
        send_to(l->coord_fd, &out[0].dst, out[0].data, out[0].len);
}

static void pump_laptop(struct lab *l)
{
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    struct tn_event e;
    bool more = true;

    while (more) {
        more = false;
        while (tn_poll_out(l->node, &b, now(), &route))
            send_to(l->laptop_fd, &route.to, tn_buf_data(&b), b.len);
        while (tn_poll_event(l->node, &e))
            more = true;
    }
}

static void step_laptop(struct lab *l)
{
    uint8_t mem[2048];
    struct tn_addr from;
    uint32_t peer;
    ssize_t len;

    while ((len = receive(l->laptop_fd, mem + 64, sizeof mem - 128, &from)) >= 0) {
        struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = 64, .len = (size_t)len};

        if (tn_from_net(l->node, &b, &from, now(), &peer) == TN_DELIVER) {
            memcpy(l->last, tn_buf_data(&b), b.len);
            l->last_len = b.len;
            if (l->on_packet)
                l->on_packet(l, l->last, l->last_len);
        }
        pump_laptop(l);
    }
    if (tn_next_deadline(l->node, NULL) <= now().us)
        tn_tick(l->node, now());
    pump_laptop(l);
}

void lab_step(struct lab *l)
{
    step_server(l);
    step_laptop(l);
    step_server(l);
}

bool lab_knows_device(const struct lab *l)
{
    for (uint32_t i = 0; tn_node_member(l->node, i); i++) {
        if (!strcmp(tn_node_member(l->node, i)->card.cert.name, l->device.name))
            return true;
    }
    return false;
}

size_t lab_longest_in(const struct lab *l)
{
    return l->longest_in;
}

/* ---- packets ---- */

struct tn_addr lab_laptop_address(const struct lab *l)
{
    return tn_addr_v4(l->card.cert.ipv4, 0);
}

struct tn_addr lab_device_address(const struct lab *l)
{
    return tn_addr_v4(l->device.ipv4, 0);
}

void lab_watch(struct lab *l, void (*on_packet)(struct lab *l, const uint8_t *packet, size_t len))
{
    l->on_packet = on_packet;
}

void lab_send(struct lab *l, const uint8_t *packet, size_t len)
{
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = 64, .len = len};
    struct tn_route route;
    uint32_t peer;

    must(len <= 1500, "a packet of that size");
    memcpy(mem + 64, packet, len);
    if (tn_from_tun(l->node, &b, now(), &route, &peer) == TN_SEND)
        send_to(l->laptop_fd, &route.to, tn_buf_data(&b), b.len);
    pump_laptop(l); /* without a session it is lost: the test sends again */
}

void lab_ping(struct lab *l, size_t size, uint16_t seq)
{
    uint8_t ip[984] = {0}, *icmp = ip + 20;

    must(size >= 28 && size <= 984, "a ping of that size");
    memset(icmp, 0x5a, size - 20);
    ip[0] = 0x45;
    tn_put_be16(ip + 2, (uint16_t)size);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 1;
    memcpy(ip + 12, l->card.cert.ipv4, 4);
    memcpy(ip + 16, l->device.ipv4, 4);
    tn_put_be16(ip + 10, tn_ip_checksum(tn_ip_sum(0, ip, 20)));
    icmp[0] = 8;
    icmp[1] = 0;
    tn_put_be16(icmp + 2, 0);
    tn_put_be16(icmp + 4, 77);
    tn_put_be16(icmp + 6, seq);
    tn_put_be16(icmp + 2, tn_ip_checksum(tn_ip_sum(0, icmp, size - 20)));
    lab_send(l, ip, size);
}

bool lab_ponged(const struct lab *l, size_t size, uint16_t seq)
{
    return l->last_len == size && l->last[9] == 1 && l->last[20] == 0 &&
           tn_get_be16(l->last + 26) == seq &&
           tn_ip_checksum(tn_ip_sum(0, l->last + 20, size - 20)) == 0;
}
