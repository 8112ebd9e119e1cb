/* Each node is pumped after whatever was pushed into it: datagrams out, events
 * out, until both are dry; then the world sleeps until the earliest of the
 * next arrival and everybody's deadlines. */
#include "simnode.h"
#include "simsearch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/cards.h"
#include "libtunnel/path/stun.h"

#define COORD_PORT 3478
#define SESSIONS 32
#define CHANNELS 256
#define BUCKETS 64
#define STAMP_BLOCK_NS (600ull * 1000000000u)

static void *must(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (!p)
        abort();
    return p;
}

static void check(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "simulation: %s: %d\n", what, err);
        abort();
    }
}

struct sim *sim_new(uint64_t seed)
{
    struct sim *s = must(1, sizeof *s);

    s->w = world_new(seed);
    s->next_host = 1;
    tn_rng_bytes(&s->w->rng, s->network_seed, 32);
    tn_ed25519_public(s->network_public, s->network_seed);
    return s;
}

static void free_memory(struct tn_node_memory *m)
{
    free(m->peers);
    free(m->peer_heap);
    free(m->peer_table);
    free(m->allowed);
    free(m->allowed_head);
    free(m->paths);
    free(m->members);
    free(m->channels);
    free(m->fragments);
}

void sim_free(struct sim *s)
{
    for (int i = 0; i < SIM_NODES; i++) {
        if (!s->node[i].used)
            continue;
        tn_node_wipe(s->node[i].node);
        free(s->node[i].node);
        free_memory(&s->node[i].mem);
    }
    sim_coordinator_stop(s);
    world_free(s->w);
    free(s);
}

/* ---- the coordinator ---- */

static bool holds(const uint8_t *data, size_t len, const uint8_t *what, size_t what_len)
{
    for (size_t i = 0; what_len && i + what_len <= len; i++) {
        if (!memcmp(data + i, what, what_len))
            return true;
    }
    return false;
}

static void coord_receive(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                          uint8_t *data, size_t len)
{
    struct simcoord *c = ctx;
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    bool relayed = len && data[0] == TN_CTL_RELAY;
    size_t count;

    if (!c->up)
        return;
    if (tn_stun_is_message(data, len)) {
        uint8_t answer[TN_STUN_MAX_LEN];
        size_t n = tn_stun_answer(data, len, src, NULL, answer, sizeof answer);

        if (n)
            world_send(c->sim->w, c->host, dst->port, src, 0, answer, n);
        return;
    }
    if (holds(data, len, c->canary, c->canary_len))
        c->canary_seen++;
    count = tn_server_on_datagram(c->server, 0, src, data, len, c->sim->w->now, out);
    for (size_t i = 0; i < count; i++) {
        if (c->tamper && !c->tamper(c->tamper_ctx, c->sim, &out[i]))
            continue;
        c->relayed += relayed;
        world_send(c->sim->w, out[i].turn == TN_DIAL_ADDRESS ? c->other_host : c->host,
                   (uint16_t)(dst->port + (out[i].turn != 0)), &out[i].dst, 0, out[i].data,
                   out[i].len);
    }
}

void sim_coordinator_tick(struct sim *s)
{
    struct simcoord *c = &s->coord;
    struct tn_server_out o;

    tn_server_tick(c->server, s->w->now);
    while (tn_server_news_next(c->server, s->w->now, &o))
        if (!c->loses_news)
            world_send(s->w, c->host, COORD_PORT, &o.dst, 0, o.data, o.len);
}

void sim_coordinator_start(struct sim *s)
{
    struct simcoord *c = &s->coord;
    struct tn_server_config cfg = {.store = tn_memstore_store(&c->store), .cards = &tn_card_ops};

    c->mem = (struct tn_server_memory){
        .session = must(SESSIONS, sizeof *c->mem.session),
        .session_count = SESSIONS,
        .channel = must(CHANNELS, sizeof *c->mem.channel),
        .channel_count = CHANNELS,
        .key_bucket = must(BUCKETS, sizeof *c->mem.key_bucket),
        .member_bucket = must(BUCKETS, sizeof *c->mem.member_bucket),
        .channel_bucket = must(BUCKETS, sizeof *c->mem.channel_bucket),
        .bucket_len = BUCKETS,
    };
    c->server = must(1, sizeof *c->server);
    cfg.dial_from[0] = TN_DIAL_PORT | (c->other_host >= 0 ? TN_DIAL_ADDRESS : 0);
    memcpy(cfg.private_key, c->private_key, 32);
    tn_rng_bytes(&s->w->rng, cfg.rng_seed, 32);
    check(tn_server_init(c->server, &c->mem, &cfg, s->w->now), "server");
    c->up = true;
    s->w->host[c->host].down = false;
}

void sim_coordinator_stop(struct sim *s)
{
    struct simcoord *c = &s->coord;

    if (!c->server)
        return;
    c->up = false;
    s->w->host[c->host].down = true;
    tn_server_wipe(c->server);
    free(c->server);
    c->server = NULL;
    free(c->mem.session);
    free(c->mem.channel);
    free(c->mem.key_bucket);
    free(c->mem.member_bucket);
    free(c->mem.channel_bucket);
}

void sim_add_coordinator(struct sim *s, const char *ip, uint32_t delay_us)
{
    struct simcoord *c = &s->coord;

    c->sim = s;
    c->other_host = -1;
    tn_memstore_init(&c->store);
    tn_rng_bytes(&s->w->rng, c->private_key, 32);
    tn_x25519_clamp(c->private_key);
    check(tn_x25519_public(c->public_key, c->private_key), "coordinator key");
    c->host = world_add_host(s->w, ip, -1, delay_us, coord_receive, c);
    sim_coordinator_start(s);
}

void sim_add_coordinator_address(struct sim *s, const char *ip, uint32_t delay_us)
{
    s->coord.other_host = world_add_host(s->w, ip, -1, delay_us, coord_receive, &s->coord);
    sim_coordinator_stop(s);
    sim_coordinator_start(s);
}

/* ---- nodes ---- */

static void take_packet(struct simnode *n, const struct tn_buf *b)
{
    uint64_t now = n->sim->w->now.us;

    n->delivered++;
    n->delivered_bytes += b->len;
    if (n->last_delivered_us && now - n->last_delivered_us > n->longest_gap_us)
        n->longest_gap_us = now - n->last_delivered_us;
    n->last_delivered_us = now;
    n->last_len = b->len < sizeof n->last ? b->len : sizeof n->last;
    memcpy(n->last, tn_buf_data(b), n->last_len);
    if (n->on_packet)
        n->on_packet(n->packet_ctx, tn_buf_data(b), b->len);
}

static void send_datagram(struct simnode *n, const struct tn_buf *b, const struct tn_route *route)
{
    if (b->len > n->longest_out)
        n->longest_out = b->len;
    bool detour = n->search.detour && tn_addr_equal(&n->search.to, &route->to);

    n->punches_sent += b->len == 4 && *tn_buf_data(b) == TN_CTL_PUNCH;
    if (tn_addr_is_lan(&route->to))
        n->on_lan(n, b);
    else if (tn_addr_is_stream(&route->to))
        n->on_stream(n, &route->to, b);
    else
        world_send(n->sim->w, n->host, detour ? n->search.detour : SIM_PORT, &route->to,
                   route->ttl, tn_buf_data(b), b->len);
}

static void node_receive(void *ctx, const struct tn_addr *src, const struct tn_addr *dst,
                         uint8_t *data, size_t len)
{
    struct simnode *n = ctx;
    uint8_t mem[WORLD_DATAGRAM + TN_BUF_HEADROOM + TN_BUF_TAILROOM];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};
    uint32_t peer;

    if (dst->port != SIM_PORT && !sim_take_search(n, src, dst, data, len))
        return;
    if (len > n->longest_in)
        n->longest_in = len;
    memcpy(tn_buf_data(&b), data, len);
    switch (tn_from_net(n->node, &b, src, n->sim->w->now, &peer)) {
    case TN_DELIVER:
        take_packet(n, &b);
        break;
    case TN_FORWARD:
        n->forwarded++;
        send_datagram(n, &b, &(struct tn_route){.to = tn_forward_to(n->node)});
        break;
    default:
        break;
    }
    sim_pump(n->sim, (int)(n - n->sim->node));
}

static void push_packet(struct simnode *n, const uint8_t *packet, size_t len)
{
    uint8_t mem[SIM_PACKET_LEN + TN_BUF_HEADROOM + TN_BUF_TAILROOM];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem, .off = TN_BUF_HEADROOM, .len = len};
    struct tn_route route;
    uint32_t peer = TN_NO_PEER;

    memcpy(tn_buf_data(&b), packet, len);
    switch (tn_from_tun(n->node, &b, n->sim->w->now, &route, &peer)) {
    case TN_SEND:
        send_datagram(n, &b, &route);
        break;
    case TN_DELIVER:
        n->answered++;
        take_packet(n, &b);
        break;
    case TN_STAGE:
        for (int i = 0; i < SIM_STAGED; i++) {
            if (n->staged[i].used)
                continue;
            n->staged[i].used = true;
            n->staged[i].peer = peer;
            n->staged[i].len = len;
            memcpy(n->staged[i].data, packet, len);
            break;
        }
        break;
    default:
        break;
    }
}

static void flush_staged(struct simnode *n, uint32_t peer, bool send)
{
    for (int i = 0; i < SIM_STAGED; i++) {
        if (!n->staged[i].used || n->staged[i].peer != peer)
            continue;
        n->staged[i].used = false;
        if (send)
            push_packet(n, n->staged[i].data, n->staged[i].len);
    }
}

static void on_event(struct simnode *n, const struct tn_event *e)
{
    n->events[e->kind]++;
    n->last_event[e->kind] = *e;
    switch (e->kind) {
    case TN_EV_SESSION:
        flush_staged(n, e->peer, true);
        break;
    case TN_EV_GAVE_UP:
        flush_staged(n, e->peer, false);
        break;
    case TN_EV_STAMP:
        n->stamp_ceiling_ns = e->unix_ns;
        tn_node_extend_stamp(n->node, e->unix_ns);
        break;
    case TN_EV_SEARCH:
        sim_begin_search(n, e);
        break;
    case TN_EV_PATH:
        if (e->path == TN_PATH_DIRECT)
            n->direct_at_us = n->sim->w->now.us;
        else if (e->path == TN_PATH_RELAY)
            n->relay_at_us = n->sim->w->now.us;
        break;
    default:
        break;
    }
}

void sim_pump(struct sim *s, int i)
{
    struct simnode *n = &s->node[i];
    uint8_t mem[2048];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    struct tn_event e;
    int budget = 10000;
    bool more = true;

    while (more) {
        more = false;
        while (tn_poll_out(n->node, &b, s->w->now, &route)) {
            send_datagram(n, &b, &route);
            if (!--budget) {
                fprintf(stderr, "simulation: node %d never runs dry\n", i);
                abort();
            }
        }
        while (tn_poll_event(n->node, &e)) {
            on_event(n, &e);
            more = true;
        }
    }
}

static void open_memory(struct simnode *n)
{
    n->mem = (struct tn_node_memory){
        .peers = must(SIM_PEERS, tn_peer_sizeof()),
        .peer_cap = SIM_PEERS,
        .peer_heap = must(SIM_PEERS, sizeof(uint32_t)),
        .peer_table = must(2 * SIM_PEERS, sizeof(uint32_t)),
        .peer_table_len = 2 * SIM_PEERS,
        .allowed = must(4 * SIM_PEERS, sizeof(struct tn_allowed_node)),
        .allowed_cap = 4 * SIM_PEERS,
        .allowed_head = must(SIM_PEERS, sizeof(uint32_t)),
        .paths = must(SIM_PEERS, tn_paths_sizeof()),
        .members = must(SIM_PEERS, sizeof(struct tn_member)),
        .member_cap = SIM_PEERS,
        .channels = must(SIM_PEERS, sizeof(struct tn_relay_channel)),
        .channel_cap = SIM_PEERS,
        .fragments = must(SIM_FRAGMENTS, sizeof(struct tn_frag_row)),
        .fragment_cap = SIM_FRAGMENTS,
    };
    n->node = must(1, tn_node_sizeof());
}

static void start_node(struct simnode *n, bool overlay)
{
    struct tn_node_config cfg = {.mtu = overlay ? 1400 : 1420,
                                 .stamp_ns = n->stamp_ceiling_ns,
                                 .pays_for_bytes = n->card.cert.flags & TN_CERT_DEVICE,
                                 .stamp_ceiling_ns = overlay ? 0 : UINT64_MAX};

    open_memory(n);
    if (overlay) { /* as a program does: a ceiling is on the disk before the first stamp */
        uint64_t wall = n->sim->w->now.unix_ns;

        n->stamp_ceiling_ns = (wall > cfg.stamp_ns ? wall : cfg.stamp_ns) + STAMP_BLOCK_NS;
        cfg.stamp_ceiling_ns = n->stamp_ceiling_ns;
    }
    tn_rng_bytes(&n->sim->w->rng, cfg.rng_seed, 32);
    check(tn_node_init(n->node, &n->mem, &cfg), "node");
    check(tn_node_set_private_key(n->node, n->wg_priv), "private key");
}

static int new_node(struct sim *s, const char *ip, int nat, uint32_t delay_us)
{
    int i = 0;

    while (s->node[i].used)
        i++;
    if (i == SIM_NODES)
        abort();
    s->node[i] = (struct simnode){.sim = s, .used = true};
    s->node[i].host = world_add_host(s->w, ip, nat, delay_us, node_receive, &s->node[i]);
    tn_rng_bytes(&s->w->rng, s->node[i].wg_priv, 32);
    tn_x25519_clamp(s->node[i].wg_priv);
    check(tn_x25519_public(s->node[i].wg_pub, s->node[i].wg_priv), "public key");
    return i;
}

int sim_add_plain(struct sim *s, const char *ip, int nat, uint32_t delay_us)
{
    int i = new_node(s, ip, nat, delay_us);

    start_node(&s->node[i], false);
    return i;
}

struct tn_addr sim_inner_address(const struct sim *s, int i)
{
    uint8_t ip[4] = {10, 66, 0, (uint8_t)(i + 1)};

    return s->node[i].card.epoch ? tn_card_address4(&s->node[i].card) : tn_addr_v4(ip, 0);
}

static uint32_t add_plain_peer(struct sim *s, int a, int b, const uint8_t psk[32])
{
    struct tn_addr inner = sim_inner_address(s, b);
    uint32_t slot = sim_peer_slot(s, a, b);

    if (slot != TN_NO_PEER)
        return slot; /* a is where it was; b has restarted */
    check(tn_node_peer_add(s->node[a].node, s->node[b].wg_pub, s->w->now, &slot), "peer");
    if (psk)
        tn_node_peer_set_psk(s->node[a].node, slot, psk);
    check(tn_node_allowed_add(s->node[a].node, slot, inner.ip + 12, true, 32), "allowed");
    return slot;
}

void sim_peer_plain(struct sim *s, int a, int b, const uint8_t psk[32])
{
    struct tn_addr endpoint = s->w->host[s->node[b].host].ip;

    endpoint.port = SIM_PORT;
    tn_node_peer_set_endpoint(s->node[a].node, add_plain_peer(s, a, b, psk), &endpoint);
    add_plain_peer(s, b, a, psk);
}

void sim_make_cert(struct sim *s, const char *name, const uint8_t invite_seed[32],
                   struct tn_cert *cert)
{
    uint8_t ipv4[4] = {10, 77, 0, s->next_host};
    uint8_t interface_id[8] = {0, 0, 0, 0, 0, 0, 0, s->next_host};

    s->next_host++;
    *cert = (struct tn_cert){.not_after_s = s->w->now.unix_ns / 1000000000u + 3600, .ipv4_bits = 24};
    tn_rng_bytes(&s->w->rng, cert->invite_id, sizeof cert->invite_id);
    tn_ed25519_public(cert->invite_public, invite_seed);
    memcpy(cert->ipv4, ipv4, 4);
    tn_network_address6(cert->ipv6, s->network_public, interface_id);
    snprintf(cert->name, sizeof cert->name, "%s", name);
    snprintf(cert->network, sizeof cert->network, "home");
    check(tn_cert_sign(cert, s->network_seed), "certificate");
}

static void start_member(struct sim *s, struct simnode *n)
{
    struct tn_coordinator c = {.v4 = s->w->host[s->coord.host].ip};
    struct tn_cand_wire host = {.origin = TN_CAND_HOST, .addr = s->w->host[n->host].ip};

    start_node(n, true);
    check(tn_node_set_card(n->node, &n->card, s->w->now), "card");
    c.v4.port = COORD_PORT;
    host.addr.port = SIM_PORT;
    memcpy(c.public_key, s->coord.public_key, 32);
    tn_node_set_candidates(n->node, &host, 1, s->w->now);
    tn_node_set_coordinator(n->node, &c, s->w->now);
    sim_pump(s, (int)(n - s->node));
}

static int add_member(struct sim *s, const char *name, uint8_t flags, const char *ip, int nat,
                      uint32_t delay_us)
{
    int i = new_node(s, ip, nat, delay_us);
    struct simnode *n = &s->node[i];
    uint8_t invite_seed[32];

    tn_rng_bytes(&s->w->rng, invite_seed, 32);
    tn_rng_bytes(&s->w->rng, n->identity_seed, 32);
    sim_make_cert(s, name, invite_seed, &n->card.cert);
    n->card.cert.flags = flags;
    check(tn_cert_sign(&n->card.cert, s->network_seed), "certificate");
    tn_ed25519_public(n->card.identity, n->identity_seed);
    n->card.joined_at_s = s->w->now.unix_ns / 1000000000u;
    check(tn_card_sign_membership(&n->card, invite_seed), "membership");
    check(tn_card_sign_key(&n->card, n->identity_seed, 1, n->wg_pub), "key");
    start_member(s, n);
    return i;
}

int sim_add_member(struct sim *s, const char *name, const char *ip, int nat, uint32_t delay_us)
{
    return add_member(s, name, 0, ip, nat, delay_us);
}

int sim_add_device(struct sim *s, const char *name, const char *ip, int nat, uint32_t delay_us)
{
    return add_member(s, name, TN_CERT_DEVICE, ip, nat, delay_us);
}

void sim_restart(struct sim *s, int i)
{
    struct simnode *n = &s->node[i];

    tn_node_wipe(n->node);
    free(n->node);
    free_memory(&n->mem);
    memset(n->staged, 0, sizeof n->staged);
    if (n->card.epoch)
        start_member(s, n);
    else
        start_node(n, false);
}

/* ---- traffic ---- */

void sim_send(struct sim *s, int from, int to, size_t len, uint32_t tag)
{
    uint8_t packet[SIM_PACKET_LEN] = {0x45, 0};
    struct tn_addr src = sim_inner_address(s, from), dst = sim_inner_address(s, to);

    if (len < 28 || len > sizeof packet)
        abort();
    packet[2] = (uint8_t)(len >> 8);
    packet[3] = (uint8_t)len;
    packet[8] = 64;
    packet[9] = 253; /* for experiments, RFC 3692 */
    memcpy(packet + 12, src.ip + 12, 4);
    memcpy(packet + 16, dst.ip + 12, 4);
    tn_put_be32(packet + 20, tag);
    memset(packet + 24, 0x5a, len - 24);
    sim_send_packet(s, from, packet, len);
}

void sim_send_packet(struct sim *s, int from, const uint8_t *packet, size_t len)
{
    push_packet(&s->node[from], packet, len);
    sim_pump(s, from);
}

bool sim_last_tag_is(const struct simnode *n, uint32_t tag)
{
    return n->last_len >= 24 && tn_get_be32(n->last + 20) == tag;
}

uint32_t sim_peer_slot(const struct sim *s, int from, int to)
{
    return tn_node_peer_find(s->node[from].node, s->node[to].wg_pub);
}

enum tn_path_kind sim_path(const struct sim *s, int from, int to)
{
    struct tn_peer_info info;
    uint32_t slot = sim_peer_slot(s, from, to);

    if (slot == TN_NO_PEER || !tn_node_peer_info(s->node[from].node, slot, &info))
        return TN_PATH_NONE;
    return info.path;
}
