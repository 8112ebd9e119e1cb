/* The device's life, and the way of a datagram through it.
 *
 *   in    bridge_on_datagram -> tn_from_net -> an inner packet -> ip.c, which may answer in place
 *         -> tn_from_tun -> `ready`, which bridge_poll hands out first
 *   out   bridge_udp_send -> queue -> bridge_poll -> tn_from_tun -> a datagram, or the packet waits
 *         for TN_EV_SESSION
 *   else  bridge_poll -> tn_poll_out: handshakes, keepalives, the coordinator's control messages
 *
 * Handshake stamps are numbers: no clock is needed. Each boot takes the ceiling that is stored as
 * its floor, and stores one that is 2^40 above before the first datagram; a handshake takes one
 * number. So whatever was given out before the last power cut was lower, and 2^24 boots fit. */
#include "inside.h"

#include <string.h>

#define LOOKUP_WAIT_US TN_S(5) /* so long a packet waits for the card of its destination */
#define STAMP_BLOCK ((uint64_t)1 << 40)

size_t bridge_sizeof(void)
{
    return sizeof(struct bridge);
}

static int store_stamp(struct bridge *b, uint64_t above)
{
    uint8_t record[8];
    int err;

    if (above < b->ceiling_ns)
        above = b->ceiling_ns;
    tn_put_be64(record, above + STAMP_BLOCK);
    err = bridge_store_save(b->storage, BRIDGE_REGION_STAMP, record, sizeof record);
    if (err)
        return TN_ESTATE;
    b->ceiling_ns = above + STAMP_BLOCK;
    tn_node_extend_stamp(&b->node, b->ceiling_ns);
    return 0;
}

static int load_stamp(const struct bridge_storage *s, uint64_t *floor)
{
    uint8_t record[8];
    size_t len = 0;
    int err = bridge_store_load(s, BRIDGE_REGION_STAMP, record, sizeof record, &len);

    *floor = !err && len == sizeof record ? tn_get_be64(record) : 0;
    return err == TN_ESTATE ? err : 0;
}

static int open_node(struct bridge *b, const uint8_t rng_seed[32])
{
    const struct tn_node_memory mem = {
        .peers = b->peers,
        .peer_cap = BRIDGE_PEERS,
        .peer_heap = b->heap,
        .peer_table = b->table,
        .peer_table_len = BRIDGE_TABLE_LEN,
        .allowed = b->allowed,
        .allowed_cap = 4 * BRIDGE_PEERS,
        .allowed_head = b->allowed_head,
        .paths = b->paths,
        .members = b->members,
        .member_cap = BRIDGE_PEERS + 1,
        .channels = b->channels,
        .channel_cap = BRIDGE_PEERS,
        .fragments = b->fragments,
        .fragment_cap = BRIDGE_FRAGMENTS,
    };
    struct tn_node_config cfg = {.mtu = BRIDGE_MTU,
                                 .stamp_ns = b->ceiling_ns,
                                 .keepalive_us = TN_S(bridge_life_keepalive_s(b)),
                                 .pays_for_bytes = true};
    int err;

    memcpy(cfg.rng_seed, rng_seed, 32);
    err = tn_node_init(&b->node, &mem, &cfg);
    tn_wipe(cfg.rng_seed, sizeof cfg.rng_seed);
    return err;
}

int bridge_init(struct bridge *b, const struct bridge_config *cfg, uint64_t now_us)
{
    struct tn_card card;
    int err;

    memset(b, 0, sizeof *b);
    b->storage = cfg->storage;
    b->boot_us = b->budget.at_us = now_us;
    b->buf = (struct tn_buf){.mem = b->mem, .cap = sizeof b->mem, .off = TN_BUF_HEADROOM};
    err = load_stamp(b->storage, &b->ceiling_ns);
    if (!err)
        err = bridge_settings_load(b);
    if (!err)
        err = open_node(b, cfg->rng_seed);
    if (!err)
        err = store_stamp(b, 0);
    if (!err)
        err = bridge_identity_load(b, &card);
    return err ? err : bridge_start(b, &card, now_us);
}

int bridge_start(struct bridge *b, const struct tn_card *card, uint64_t now_us)
{
    int err = tn_node_set_private_key(&b->node, b->id.wireguard_private);

    if (!err)
        err = tn_node_set_card(&b->node, card, bridge_now(now_us));
    if (err)
        return err;
    b->ipv4 = tn_card_address4(card);
    b->ipv6 = tn_card_address6(card);
    b->is_member = b->resolve = true;
    return 0;
}

void bridge_wipe(struct bridge *b)
{
    tn_wipe(b, sizeof *b);
}

/* ---- the coordinator ---- */

const char *bridge_coordinator(const struct bridge *b, uint16_t *port)
{
    if (!b->is_member)
        return NULL;
    *port = b->id.coordinator_port;
    return b->id.coordinator_host;
}

void bridge_set_coordinator(struct bridge *b, const struct tn_addr *a, uint64_t now_us)
{
    struct tn_coordinator c = {0};

    if (!b->is_member)
        return;
    memcpy(c.public_key, b->id.coordinator_public, 32);
    if (tn_addr_is_v4(a))
        c.v4 = *a;
    else
        c.v6 = *a;
    tn_node_set_coordinator(&b->node, &c, bridge_now(now_us));
}

bool bridge_take_resolve(struct bridge *b)
{
    bool is_wanted = b->resolve;

    b->resolve = false;
    return is_wanted;
}

void bridge_on_network_change(struct bridge *b, uint64_t now_us)
{
    tn_on_network_change(&b->node, bridge_now(now_us));
}

/* ---- events ---- */

static void flush(struct bridge *b, uint32_t peer, bool is_lost)
{
    for (size_t i = 0; i < BRIDGE_QUEUE; i++) {
        struct bridge_packet *p = &b->queue[i];

        if (!p->len || !p->waits || p->peer != peer)
            continue;
        p->waits = false;
        if (is_lost)
            p->len = 0;
    }
}

static void on_event(struct bridge *b, const struct tn_event *e, uint64_t now_us)
{
    switch (e->kind) {
    case TN_EV_SESSION:
        flush(b, e->peer, false);
        break;
    case TN_EV_GAVE_UP:
        flush(b, e->peer, true);
        break;
    case TN_EV_MEMBER:
        flush(b, TN_NO_PEER, false);
        break;
    case TN_EV_STAMP: /* when the storage refuses, the node asks again with the next handshake */
        if (store_stamp(b, e->unix_ns))
            b->storage_failures++;
        break;
    case TN_EV_COORD_RESOLVE:
        b->resolve = true;
        break;
    case TN_EV_MAPPING_LOST:
        bridge_life_on_lost(b, now_us);
        break;
    case TN_EV_DIALLED:
        bridge_life_on_dialled(b, e->unix_ns, e->status, now_us);
        break;
    case TN_EV_JOINED:
        b->refused = e->status != TN_STATUS_OK;
        break;
    default:
        break;
    }
}

static void drain_events(struct bridge *b, uint64_t now_us)
{
    struct tn_event e;

    while (tn_poll_event(&b->node, &e))
        on_event(b, &e, now_us);
}

/* ---- in ---- */

uint8_t *bridge_buffer(struct bridge *b)
{
    b->buf.off = TN_BUF_HEADROOM;
    b->buf.len = 0;
    b->ready = false;
    return tn_buf_data(&b->buf);
}

static uint32_t on_the_air(const struct tn_addr *a, size_t len)
{
    return (uint32_t)len + BRIDGE_IP_UDP_LEN + (tn_addr_is_v4(a) ? 0 : 20);
}

static bool is_relayed(const uint8_t *data, size_t len)
{
    return len && (data[0] == TN_CTL_RELAY || tn_link_is_frame(data, len));
}

/* A packet that came in fragments lies in the node's memory; it is answered in ours. */
static bool take_packet(struct bridge *b)
{
    if (b->buf.mem != b->mem) {
        memcpy(b->mem + TN_BUF_HEADROOM, tn_buf_data(&b->buf), b->buf.len);
        b->buf = (struct tn_buf){
            .mem = b->mem, .cap = sizeof b->mem, .off = TN_BUF_HEADROOM, .len = b->buf.len};
    }
    return bridge_ip_input(b);
}

void bridge_on_datagram(struct bridge *b, const struct tn_addr *src, size_t len, uint64_t now_us)
{
    struct tn_now now = bridge_now(now_us);
    uint32_t peer;

    if (!b->is_member || len > BRIDGE_DATAGRAM_MAX)
        return;
    b->rx_bytes += on_the_air(src, len);
    if (b->budget.level == BRIDGE_SPENT && is_relayed(tn_buf_data(&b->buf), len))
        return; /* whatever it is, it would be answered */
    b->buf.off = TN_BUF_HEADROOM;
    b->buf.len = len;
    b->ready = tn_from_net(&b->node, &b->buf, src, now, &peer) == TN_DELIVER && take_packet(b) &&
               tn_from_tun(&b->node, &b->buf, now, &b->route, &peer) == TN_SEND;
    drain_events(b, now_us);
}

/* ---- out ---- */

int bridge_udp_send(struct bridge *b, uint16_t port, const struct tn_addr *to, const void *data,
                    size_t len, uint64_t now_us)
{
    (void)now_us;
    if (!b->is_member)
        return TN_ESTATE;
    if (len > bridge_udp_max(to) || !port || !to->port)
        return TN_EINVAL;
    if (b->budget.level != BRIDGE_FINE)
        return TN_ELIMIT;
    for (size_t i = 0; i < BRIDGE_QUEUE; i++) {
        struct bridge_packet *p = &b->queue[i];

        if (p->len)
            continue;
        p->waits = false;
        p->until_us = 0;
        p->len = (uint16_t)bridge_ip_udp(b, p->data, port, to, data, len);
        return 0;
    }
    return TN_ENOSPC;
}

/* Nobody here has its destination: the node asks the coordinator, and the card makes it go on. */
static bool is_looked_up(struct bridge_packet *p, enum tn_verdict verdict, struct tn_now now)
{
    if (verdict != TN_DROP || p->peer != TN_NO_PEER)
        return false;
    if (!p->until_us)
        p->until_us = now.us + LOOKUP_WAIT_US;
    return now.us < p->until_us;
}

/* A packet that need not wait any more. */
static bool poll_queue(struct bridge *b, struct tn_now now)
{
    for (size_t i = 0; i < BRIDGE_QUEUE; i++) {
        struct bridge_packet *p = &b->queue[i];
        enum tn_verdict verdict;

        if (!p->len || p->waits)
            continue;
        b->buf.off = TN_BUF_HEADROOM;
        b->buf.len = p->len;
        memcpy(tn_buf_data(&b->buf), p->data, p->len);
        p->peer = TN_NO_PEER;
        verdict = tn_from_tun(&b->node, &b->buf, now, &b->route, &p->peer);
        p->waits = verdict == TN_STAGE || is_looked_up(p, verdict, now);
        if (!p->waits)
            p->len = 0;
        if (verdict == TN_SEND)
            return true;
    }
    return false;
}

/* A packet of the other stack. One that has no session is lost, and sent again by its sender. */
static bool poll_stack(struct bridge *b, struct tn_now now)
{
    uint32_t peer;

    while (b->stack) {
        b->buf.off = TN_BUF_HEADROOM;
        b->buf.len = b->stack->poll(b->stack->ctx, tn_buf_data(&b->buf), BRIDGE_MTU);
        if (!b->buf.len)
            return false;
        if (tn_from_tun(&b->node, &b->buf, now, &b->route, &peer) == TN_SEND)
            return true;
    }
    return false;
}

bool bridge_poll(struct bridge *b, struct bridge_out *out, uint64_t now_us)
{
    struct tn_now now = bridge_now(now_us);
    bool found = b->ready;

    b->ready = false;
    if (!found && b->is_member) {
        drain_events(b, now_us);
        found = poll_queue(b, now) || tn_poll_out(&b->node, &b->buf, now, &b->route);
        if (!found) {
            drain_events(b, now_us);
            found = poll_queue(b, now) || poll_stack(b, now);
        }
    }
    if (!found) {
        bridge_budget_count(b, now_us);
        return false;
    }
    out->to = b->route.to;
    out->data = tn_buf_data(&b->buf);
    out->len = b->buf.len;
    b->tx_bytes += on_the_air(&out->to, out->len);
    return true;
}

static void expire_queue(struct bridge *b, uint64_t now_us)
{
    for (size_t i = 0; i < BRIDGE_QUEUE; i++) {
        struct bridge_packet *p = &b->queue[i];

        if (p->len && p->waits && p->peer == TN_NO_PEER && p->until_us <= now_us)
            p->len = 0;
    }
}

static uint64_t queue_deadline(const struct bridge *b)
{
    uint64_t at = TN_NEVER;

    for (size_t i = 0; i < BRIDGE_QUEUE; i++) {
        const struct bridge_packet *p = &b->queue[i];

        if (p->len && p->waits && p->peer == TN_NO_PEER && p->until_us < at)
            at = p->until_us;
    }
    return at;
}

void bridge_tick(struct bridge *b, uint64_t now_us)
{
    expire_queue(b, now_us);
    bridge_budget_count(b, now_us);
    bridge_life_tick(b, now_us);
    if (b->is_member)
        tn_tick(&b->node, bridge_now(now_us));
    if (b->stack)
        b->stack->tick(b->stack->ctx, now_us);
    drain_events(b, now_us);
}

uint64_t bridge_next_deadline(const struct bridge *b)
{
    uint64_t at = queue_deadline(b), node, life, stack;

    if (!b->is_member)
        return at;
    node = tn_next_deadline(&b->node, NULL);
    life = bridge_life_deadline(b);
    stack = b->stack ? b->stack->deadline(b->stack->ctx) : TN_NEVER;
    at = node < at ? node : at;
    at = stack < at ? stack : at;
    at = life < at ? life : at;
    return bridge_budget_deadline(b) < at ? bridge_budget_deadline(b) : at;
}

/* ---- another stack ---- */

void bridge_set_stack(struct bridge *b, const struct bridge_stack *s)
{
    b->stack = s;
}

uint32_t bridge_random(struct bridge *b)
{
    return tn_rng_u32(&b->node.rng);
}

/* ---- to look at ---- */

const char *bridge_state_name(enum bridge_state s)
{
    static const char *const name[] = {
        [BRIDGE_EMPTY] = "empty",
        [BRIDGE_OFFLINE] = "offline",
        [BRIDGE_ONLINE] = "online",
        [BRIDGE_REFUSED] = "refused",
    };

    return name[s];
}

static uint8_t live_sessions(const struct bridge *b, uint64_t now_us)
{
    uint8_t count = 0;

    for (uint32_t i = 0; i < BRIDGE_PEERS; i++) {
        uint64_t youngest = b->peers[i].used ? tn_keys_youngest_us(&b->peers[i].keys) : TN_NEVER;

        count += youngest != TN_NEVER && now_us - youngest < TN_S(180);
    }
    return count;
}

void bridge_info(const struct bridge *b, struct bridge_info *out, uint64_t now_us)
{
    struct tn_coord_info coord;

    *out = (struct bridge_info){
        .name = "", .network = "", .uptime_us = now_us - b->boot_us, .dropped = b->dropped,
        .storage_failures = b->storage_failures};
    if (!b->is_member)
        return;
    tn_node_coord_info(&b->node, &coord);
    out->state = b->refused                             ? BRIDGE_REFUSED
                 : coord.connected && coord.member ? BRIDGE_ONLINE
                                                   : BRIDGE_OFFLINE;
    out->join_status = coord.last_status;
    out->name = b->node.card.cert.name;
    out->network = b->node.card.cert.network;
    out->ipv4 = b->ipv4;
    out->ipv6 = b->ipv6;
    out->observed = tn_addr_is_zero(&coord.observed_v4) ? coord.observed_v6 : coord.observed_v4;
    out->tx_bytes = b->tx_bytes;
    out->rx_bytes = b->rx_bytes;
    out->handshakes = (uint32_t)tn_node_counters(&b->node)->handshakes;
    out->nat_lifetime_s = (uint16_t)b->life.carrier[0].life.alive_s;
    out->keepalive_s = (uint16_t)bridge_life_keepalive_s(b);
    out->budget_bytes = b->budget.per_day;
    out->used_bytes = b->budget.used;
    out->level = b->budget.level;
    out->peers = live_sessions(b, now_us);
}
