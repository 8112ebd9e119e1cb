/* Membership and the coordinator's answers. The roster verifies every card
 * itself; each member of it but ourselves is a peer with its two addresses.
 *
 *   coordinator up -> JOIN (the same card again is harmless) -> SYNC what is new
 *   roster_seq grew, in any keepalive answer                 -> SYNC
 *   a stranger knocks through the relay, or an address nobody here owns is
 *   spoken to                                                -> LOOKUP, rarely
 *   a member's paths want it                                 -> CONNECT; PUNCH comes to the other
 *
 * A coordinator that lies gives cards that do not verify: they are dropped. */
#include "node.h"

#include <string.h>

#include "node_tcp.h"
#include "node_via.h"

#define LOOKUP_GAP_US TN_MS(200)
#define SUSPECT_GAP_US TN_S(5)
#define DISTRESS_GAP_US TN_S(1) /* where a path that worked just now does not */
#define MOVED_GAP_US TN_S(1)
#define NS_PER_S 1000000000u
/* On a metered link: a renewal with its JOIN costs 1 KB, an attempt without an answer half of that. */
#define METERED_RENEW_US TN_S(7 * 86400)
#define METERED_BACKOFF_MAX_US TN_S(900)
#define NEWCOMER_US TN_S(10) /* so long a handshake may take */

const struct tn_member *tn_node_member(const struct tn_node *n, uint32_t i)
{
    return n->overlay && i < n->roster.count ? &n->roster.members[i] : NULL;
}

const struct tn_roster *tn_node_roster(const struct tn_node *n)
{
    return &n->roster;
}

uint32_t tn_node_member_peer(const struct tn_node *n, uint32_t member)
{
    const struct tn_member *m = tn_node_member(n, member);

    if (!m || m->left)
        return TN_NO_PEER;
    return tn_node_peer_find(n, m->card.wireguard_public);
}

bool tn_overlay_owns(const struct tn_node *n, const struct tn_addr *a)
{
    const struct tn_cert *c = &n->card.cert;
    uint32_t mask;

    if (!n->overlay)
        return false;
    if (!tn_addr_is_v4(a))
        return memcmp(a->ip, c->ipv6, 8) == 0;
    mask = ~(UINT32_MAX >> c->ipv4_bits);
    return ((tn_get_be32(a->ip + 12) ^ tn_get_be32(c->ipv4)) & mask) == 0;
}

/* ---- roster to peers ---- */

static bool is_own(const struct tn_node *n, const struct tn_member *m)
{
    return !memcmp(m->card.identity, n->card.identity, sizeof n->card.identity);
}

/* Its old key, or the member itself, is gone. */
static void drop_peer_of(struct tn_node *n, uint32_t member)
{
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        const struct tn_peer *p = tn_peer_look(n, i);

        if (p && p->is_member && p->member == member)
            tn_node_peer_remove(n, i);
    }
}

static int add_peer_of(struct tn_node *n, uint32_t member, struct tn_now now)
{
    const struct tn_member *m = &n->roster.members[member];
    struct tn_addr a4 = tn_card_address4(&m->card);
    struct tn_addr a6 = tn_card_address6(&m->card);
    uint32_t peer;
    int err = tn_node_peer_add(n, m->card.wireguard_public, now, &peer);

    if (err)
        return err;
    n->mem.peers[peer].member = member;
    err = tn_node_allowed_add(n, peer, a4.ip + 12, true, 32);
    if (!err)
        err = tn_node_allowed_add(n, peer, a6.ip, false, 128);
    if (err) {
        tn_node_peer_remove(n, peer);
        return err;
    }
    tn_path_start(n, peer, now);
    return 0;
}

/* A card that the roster took in. A table that is full leaves the member in the roster, not reachable. */
static int apply(struct tn_node *n, const struct tn_roster_result *r, struct tn_now now)
{
    uint32_t member = (uint32_t)r->index;
    const struct tn_member *m = &n->roster.members[member];

    if (r->change == TN_ROSTER_KNOWN)
        return 0;
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_MEMBER, .member = member});
    if (is_own(n, m) || (TN_VIA_RELAYS > 0 && r->change == TN_ROSTER_UPDATED && tn_via_keep(n, member, now)))
        return 0;
    if (r->change != TN_ROSTER_ADDED)
        drop_peer_of(n, member);
    return m->left ? 0 : add_peer_of(n, member, now);
}

/* When its last session ran out, or will. */
static uint64_t idle_since_us(const struct tn_node *n, const struct tn_member *m)
{
    uint32_t slot = tn_node_peer_find(n, m->card.wireguard_public);
    uint64_t made_us;

    if (slot == TN_NO_PEER)
        return 0;
    made_us = tn_keys_youngest_us(&n->mem.peers[slot].keys);
    return made_us == TN_NEVER ? n->mem.peers[slot].added_us + NEWCOMER_US
                               : made_us + TN_WG_REJECT_AFTER_TIME_US;
}

/* Of a roster that holds only who is spoken with, whoever is idle longest goes. A session that lives is
 * not given up, so that nobody who knocks can push out those we speak with. */
static void make_room(struct tn_node *n, struct tn_now now)
{
    const struct tn_member *m = NULL, *idle = NULL;
    uint64_t since_us = now.us;
    size_t index;

    while ((m = tn_roster_next(&n->roster, m))) {
        if (is_own(n, m) || idle_since_us(n, m) >= since_us)
            continue;
        since_us = idle_since_us(n, m);
        idle = m;
    }
    if (!idle)
        return;
    index = tn_roster_index(&n->roster, idle);
    drop_peer_of(n, (uint32_t)index);
    if (n->has_coordinator)
        tn_coord_client_unbind(&n->coord, tn_relay_find(n->mem.channels, n->mem.channel_cap,
                                                        idle->card.identity));
    tn_roster_forget(&n->roster, index);
}

/* 0: it is in the roster, new or not. */
static int offer(struct tn_node *n, const uint8_t *data, size_t len, uint64_t now_s,
                 struct tn_roster_result *result, struct tn_now now)
{
    struct tn_card card;
    int err = tn_card_decode(&card, data, len);

    if (!err)
        err = tn_roster_offer(&n->roster, &card, now_s, result);
    if (err == TN_ENOSPC && tn_node_is_metered(n)) { /* and its signatures have held */
        make_room(n, now);
        err = tn_roster_offer(&n->roster, &card, now_s, result);
    }
    if (!err)
        err = apply(n, result, now);
    return err;
}

int tn_node_set_card(struct tn_node *n, const struct tn_card *card, struct tn_now now)
{
    struct tn_roster_result result;
    int err;

    if (!n->mem.members || !n->mem.channels)
        return TN_ENOSPC;
    if (!n->local.has_key || memcmp(card->wireguard_public, n->local.pub, 32))
        return TN_EINVAL;
    err = tn_card_verify(card, NULL);
    if (err)
        return err;
    n->card = *card;
    n->overlay = true;
    tn_roster_init(&n->roster, n->mem.members, n->mem.member_cap, card->cert.network_public);
    err = tn_roster_offer(&n->roster, card, 0, &result);
    if (!err)
        err = apply(n, &result, now);
    return err;
}

int tn_node_load_member(struct tn_node *n, const uint8_t *card, size_t len, struct tn_now now)
{
    struct tn_roster_result result;

    return n->overlay ? offer(n, card, len, 0, &result, now) : TN_ESTATE;
}

/* ---- the coordinator ---- */

void tn_node_set_coordinator(struct tn_node *n, const struct tn_coordinator *c, struct tn_now now)
{
    struct tn_coord_client_config cfg = {
        .keepalive_us = n->keepalive_us,
        .stamp_ns = n->stamp.last_ns,
        .beats = tn_node_is_metered(n),
        .renew_us = tn_node_is_metered(n) ? METERED_RENEW_US : 0,
        .backoff_max_us = tn_node_is_metered(n) ? METERED_BACKOFF_MAX_US : 0,
        .channel = n->mem.channels,
        .channel_count = n->mem.channel_cap,
    };
    uint8_t seed[32];

    if (n->has_coordinator && !memcmp(c->public_key, n->coordinator.public_key, 32)) {
        n->coordinator = *c;
        tn_coord_client_set_server(&n->coord, &c->v4, &c->v6, now);
        return;
    }
    if (!n->overlay)
        return;
    tn_rng_bytes(&n->rng, seed, sizeof seed);
    n->coordinator = *c;
    n->has_coordinator =
        !tn_coord_client_init(&n->coord, &cfg, n->local.priv, c->public_key, seed);
    tn_wipe(seed, sizeof seed);
    if (!n->has_coordinator)
        return;
    tn_path_relay_changed(n, false, now); /* binds the channels of the members we know */
    tn_reach_announce(n, now);
    tn_coord_client_set_server(&n->coord, &c->v4, &c->v6, now);
    tn_coord_client_start(&n->coord, now);
    tn_overlay_drain(n, now);
}

void tn_node_set_stream(struct tn_node *n, const struct tn_addr *a, struct tn_now now)
{
    if (!n->has_coordinator)
        return;
    tn_coord_client_set_stream(&n->coord, a, now);
    tn_overlay_drain(n, now);
}

void tn_node_set_keepalive(struct tn_node *n, uint64_t keepalive_us, struct tn_now now)
{
    n->keepalive_us = keepalive_us;
    if (n->has_coordinator)
        tn_coord_client_set_keepalive(&n->coord, keepalive_us, now);
}

void tn_node_set_candidates(struct tn_node *n, const struct tn_cand_wire *c, uint8_t count,
                            struct tn_now now)
{
    if (count > TN_CANDLIST_SEND_MAX)
        count = TN_CANDLIST_SEND_MAX;
    memcpy(n->own, c, count * sizeof *c);
    n->own_count = count;
    tn_reach_refresh(n, now);
    tn_reach_announce(n, now);
}

int tn_node_publish_card(struct tn_node *n, const struct tn_card *card, struct tn_now now)
{
    uint8_t data[TN_CARD_MAX_LEN];
    size_t len;
    int err;

    if (!n->has_coordinator)
        return TN_ESTATE;
    err = tn_card_encode(card, data, sizeof data, &len);
    return err ? err : tn_coord_client_update(&n->coord, data, len, now);
}

void tn_node_coord_info(const struct tn_node *n, struct tn_coord_info *out)
{
    *out = (struct tn_coord_info){
        .configured = n->has_coordinator,
        .connected = n->connected,
        .member = n->member,
        .observed_v4 = n->observed[0],
        .observed_v6 = n->observed[1],
        .rtt_us = n->coord_rtt_us,
        .roster_seq = n->roster_seq,
        .last_status = n->last_status,
    };
    if (!n->has_coordinator)
        return;
    out->endpoint = n->coord.server[n->coord.home];
    out->wants_stream = tn_coord_client_wants_stream(&n->coord);
}

const char *tn_node_status_text(uint8_t status)
{
    return tn_status_text(status);
}

uint16_t tn_overlay_channel(struct tn_node *n, uint32_t member, struct tn_now now)
{
    uint16_t channel = 0;

    if (!n->has_coordinator ||
        tn_coord_client_bind(&n->coord, n->roster.members[member].card.identity, &channel, now))
        return 0;
    return channel;
}

void tn_overlay_connect(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    const struct tn_member *m = tn_node_member(n, n->mem.peers[peer].member);
    int err;

    if (!m || !n->connected)
        return;
    err = tn_coord_client_connect(&n->coord, m->card.identity, now);
    (void)err; /* a full table of requests: the paths ask again, with their back-off */
}

/* Paths say so for as long as it looks so to them, and a peer that is away looks so too. */
void tn_overlay_suspect(struct tn_node *n, bool distress, struct tn_now now)
{
    uint64_t gap_us = distress ? DISTRESS_GAP_US : SUSPECT_GAP_US;

    if (!n->has_coordinator || (n->suspect_us && now.us < n->suspect_us + gap_us))
        return;
    n->suspect_us = now.us;
    tn_coord_client_suspect(&n->coord, now);
}

/* The NAT in front of us has another place for us: what it had let in before, it does not any more. */
static void on_observed(struct tn_node *n, const struct tn_addr *a, struct tn_now now)
{
    bool v4 = tn_addr_is_v4(a), moved = !tn_addr_is_zero(&n->observed[v4 ? 0 : 1]);

    n->observed[v4 ? 0 : 1] = *a;
    tn_reach_refresh(n, now);
    if (!moved || now.us < n->next_moved_us)
        return;
    n->next_moved_us = now.us + MOVED_GAP_US;
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p || !p->is_member)
            continue;
        tn_paths_on_moved(p->paths, v4, &now);
        tn_path_settle(n, i, now);
    }
}

static void lookup(struct tn_node *n, enum tn_msg_by by, const void *key, size_t len,
                   enum tn_lookup_reason why, struct tn_now now)
{
    if (!n->connected || !n->member || now.us < n->next_lookup_us[why])
        return;
    n->next_lookup_us[why] = now.us + LOOKUP_GAP_US;
    if (tn_coord_client_lookup(&n->coord, by, key, len, why, now))
        n->counters.drop_load++;
}

void tn_overlay_on_stranger(struct tn_node *n, const uint8_t wireguard_public[32],
                            struct tn_now now)
{
    lookup(n, TN_BY_WIREGUARD, wireguard_public, 32, TN_LOOKUP_STRANGER, now);
}

void tn_overlay_on_unknown_address(struct tn_node *n, const uint8_t ip[16], struct tn_now now)
{
    if (n->overlay)
        lookup(n, TN_BY_ADDRESS, ip, 16, TN_LOOKUP_ADDRESS, now);
}

static void sync_roster(struct tn_node *n, struct tn_now now)
{
    if (n->syncing || !n->member || tn_node_is_metered(n))
        return;
    if (n->roster_seq < n->synced_seq)
        n->synced_seq = 0; /* it began anew: ask for everything */
    if (n->roster_seq > n->synced_seq)
        n->syncing = !tn_coord_client_sync(&n->coord, n->synced_seq, now);
}

/* ---- the client's events ---- */

/* With each new session, since the coordinator may have lost us (a backup of its state, put back);
 * what is being published already goes on its own way, and must not be lost by this. */
static void join(struct tn_node *n, struct tn_now now)
{
    uint8_t data[TN_CARD_MAX_LEN];
    size_t len;

    if (tn_coord_client_is_publishing(&n->coord))
        return;
    if (!tn_card_encode(&n->card, data, sizeof data, &len) &&
        tn_coord_client_join(&n->coord, data, len, now))
        n->last_status = TN_STATUS_MALFORMED;
}

static void on_connected(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    join(n, now);
    if (n->connected)
        return; /* keys were made anew */
    n->connected = true;
    tn_lan_coordinator_changed(n, now);
    if (!tn_addr_is_zero(&e->addr))
        n->observed[tn_addr_is_v4(&e->addr) ? 0 : 1] = e->addr;
    tn_reach_refresh(n, now);
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_COORD_UP, .addr = e->addr});
    tn_path_relay_changed(n, true, now);
}

static void on_disconnected(struct tn_node *n, struct tn_now now)
{
    n->syncing = false;
    n->member = false;
    if (!n->connected)
        return;
    n->connected = false;
    tn_lan_coordinator_changed(n, now);
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_COORD_DOWN});
    tn_path_relay_changed(n, false, now);
}

static void on_joined(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    bool again = n->member; /* keys were made anew */

    if (again && (e->status == TN_STATUS_TRY_LATER || e->status == TN_STATUS_STORE))
        return; /* it could not look, which says nothing about us */
    n->last_status = e->status;
    n->member = e->status == TN_STATUS_OK;
    if (!again || !n->member)
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_JOINED, .status = e->status});
    if (!n->member)
        return;
    if (!again)
        tn_reach_changed_network(n, now); /* what was asked before may have been lost */
    n->roster_seq = e->seq;
    sync_roster(n, now);
}

static void on_card(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    struct tn_roster_result result;
    uint32_t peer;

    if (offer(n, e->card, e->card_len, now.unix_ns / NS_PER_S, &result, now)) {
        n->counters.drop_auth++;
        return;
    }
    if (!is_own(n, &n->roster.members[result.index]))
        (void)tn_overlay_channel(n, (uint32_t)result.index, now); /* if it was refused till now */
    if (!e->of_lookup || e->token == TN_LOOKUP_ADDRESS)
        return;
    /* somebody wants to speak to us whom we did not know: now we can answer by speaking first */
    peer = tn_node_member_peer(n, (uint32_t)result.index);
    if (peer != TN_NO_PEER)
        tn_tx_want_handshake(n, peer, now);
}

static uint32_t peer_of(const struct tn_node *n, const uint8_t identity[32])
{
    const struct tn_member *m = tn_roster_find_identity(&n->roster, identity);

    return m ? tn_node_member_peer(n, (uint32_t)tn_roster_index(&n->roster, m)) : TN_NO_PEER;
}

/* What we send under the session that we have with it is lost, and so may an initiation be that is out. */
static void on_anew(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    uint32_t peer = peer_of(n, e->identity);
    struct tn_peer *p = tn_peer_at(n, peer);

    if (!p || !(tn_keys_for_sending(&p->keys, now.us) || tn_timers_is_shaking(&p->timers)))
        return;
    tn_timers_hurry(&p->timers, now.us);
    tn_sched_update(n, peer);
}

static void on_candidates(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    uint32_t peer = peer_of(n, e->identity);

    if (peer == TN_NO_PEER) {
        lookup(n, TN_BY_IDENTITY, e->identity, 32, TN_LOOKUP_PUNCH, now);
        return;
    }
    if (e->status == TN_STATUS_OK) {
        tn_path_punch(n, peer, e->cand, e->cand_count, e->delay_ms, now);
        return;
    }
    if (e->status != TN_STATUS_UNREACHABLE && e->status != TN_STATUS_NO_SUCH_MEMBER)
        return;
    n->mem.peers[peer].reachable = false;
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_UNREACHABLE, .peer = peer});
}

static void on_event(struct tn_node *n, const struct tn_coord_event *e, struct tn_now now)
{
    switch (e->kind) {
    case TN_COORD_EV_CONNECTED:
        on_connected(n, e, now);
        break;
    case TN_COORD_EV_DISCONNECTED:
        on_disconnected(n, now);
        break;
    case TN_COORD_EV_RESOLVE:
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_COORD_RESOLVE, .status = e->status != TN_STATUS_OK});
        break;
    case TN_COORD_EV_STREAM:
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_COORD_STREAM});
        break;
    case TN_COORD_EV_OBSERVED:
        on_observed(n, &e->addr, now);
        break;
    case TN_COORD_EV_ROSTER_SEQ:
        n->roster_seq = e->seq;
        sync_roster(n, now);
        break;
    case TN_COORD_EV_RTT:
        n->coord_rtt_us = e->rtt_us;
        break;
    case TN_COORD_EV_JOIN_RESULT:
        on_joined(n, e, now);
        break;
    case TN_COORD_EV_UPDATE_RESULT:
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_UPDATED, .status = e->status});
        if (e->status != TN_STATUS_OK && !n->member)
            join(n, now); /* it had to wait */
        break;
    case TN_COORD_EV_CARD:
        on_card(n, e, now);
        break;
    case TN_COORD_EV_SYNC_DONE:
        n->syncing = false;
        if (e->status == TN_STATUS_OK)
            n->synced_seq = e->seq;
        sync_roster(n, now);
        break;
    case TN_COORD_EV_CONNECT_RESULT:
    case TN_COORD_EV_PUNCH:
        on_candidates(n, e, now);
        break;
    case TN_COORD_EV_ANEW:
        on_anew(n, e, now);
        break;
    case TN_COORD_EV_CHECK_RESULT:
        tn_reach_result(n, e, now);
        break;
    case TN_COORD_EV_MAPPING_LOST:
        tn_event_push(n, &(struct tn_event){.kind = TN_EV_MAPPING_LOST});
        break;
    case TN_COORD_EV_LOOKUP_FAILED:
    case TN_COORD_EV_BIND_RESULT:
        break; /* who asked, asks again; frames on a refused channel are told by the counters */
    }
}

void tn_overlay_drain(struct tn_node *n, struct tn_now now)
{
    struct tn_coord_event e;

    while (n->has_coordinator && tn_coord_client_take_event(&n->coord, &e))
        on_event(n, &e, now);
    if (TN_PATHS_PER_FAMILY > 0)
        tn_tcp_watch_udp(n, now);
}

/* ---- the machine's network ---- */

void tn_on_send_error(struct tn_node *n, const struct tn_addr *to, struct tn_now now)
{
    if (n->has_coordinator)
        tn_coord_client_on_unreachable(&n->coord, to, now);
    for (uint32_t i = 0; n->overlay && i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p || !p->is_member)
            continue;
        tn_paths_on_send_error(p->paths, to, &now);
        tn_path_settle(n, i, now);
    }
    tn_overlay_drain(n, now);
}

void tn_on_network_change(struct tn_node *n, struct tn_now now)
{
    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p)
            continue;
        tn_keys_expire(&p->keys, now.us);
        if (p->is_member)
            tn_paths_on_network_change(p->paths, &now);
        tn_path_settle(n, i, now);
    }
    n->suspect_us = 0;
    tn_reach_changed_network(n, now);
    tn_overlay_suspect(n, true, now);
    tn_overlay_drain(n, now);
}
