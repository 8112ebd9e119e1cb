/* Members that relay for other members (PROTOCOL.md section 5.6).
 *
 * Through one. A member whose card says that it relays, and whom we reach directly, is offered to the paths of a peer
 * as one more way (path/paths_member.c), while the user sends something to that peer and it has no good direct
 * path. Those who relay but are not reached directly are *woken*: looked for as if there were data for them. It
 * is the user's data alone that wakes, so nobody is kept awake by who was woken himself; and nobody is looked for where
 * bytes are paid for.
 *
 *     to B by M      datagram for B, sealed | VIA header | sealed for M | to where M is reached
 *     from A by M    opened with M's session, VIA_FROM header off, and the walk in begins again, once
 *
 * As one. VIA from a member who reaches us directly becomes VIA_FROM to a member whom we reach directly, in the same
 * buffer and of the same length. A relay by the coordinator at either side would gain nothing, and one by a third
 * member might go in circles: neither is taken. Only members of our roster are at either end, as only they have
 * sessions with us, and nothing is kept of what passes.
 *
 * What passes has a rate, and each sender a fair share of it (coord/share.h), in passes of a twentieth of a second. An
 * eighth of each pass is kept for those that have not taken that much of it. */
#include "node_via.h"

#include <string.h>

#define LOOK_US TN_S(1)
#define SAID_US TN_S(5)
#define TURN_US TN_S(10) /* so long those have who are to be reached, before others are tried */
#define WAKE_GAP_US TN_MS(100)
#define PASS_US TN_MS(50)
#define PASSES_PER_S 20u

_Static_assert(TN_VIAMSG_OVERHEAD == TN_VIAMSG_HEADER_LEN + TN_WG_DATA_OVERHEAD, "what a way through a member costs");
_Static_assert(TN_FRAG_HEADER_LEN + 2 * TN_WG_HEADER_LEN + TN_VIAMSG_HEADER_LEN <= TN_BUF_HEADROOM,
               "all headers fit in front of a packet");
_Static_assert(2 * (TN_TAG_LEN + TN_WG_PADDING - 1) <= TN_BUF_TAILROOM, "padding and tag, twice");

void tn_via_init(struct tn_node *n)
{
    n->via.rate = TN_RELAY_RATE_DEFAULT;
}

void tn_node_set_relay_rate(struct tn_node *n, uint64_t rate)
{
    n->via.rate = rate ? rate : TN_RELAY_RATE_DEFAULT;
}

struct tn_addr tn_forward_to(const struct tn_node *n)
{
    return n->via.to;
}

/* ---- who relays ---- */

static const struct tn_card *card_of(const struct tn_node *n, const struct tn_peer *p)
{
    return &n->roster.members[p->member].card;
}

static uint32_t find(const struct tn_via_state *v, uint32_t peer)
{
    uint32_t i = 0;

    while (i < v->count && v->relay[i] != peer)
        i++;
    return i;
}

/* The member with that overlay address; TN_NO_PEER: nobody, or one that is never relayed. */
static uint32_t member_at(const struct tn_node *n, const uint8_t ipv4[4])
{
    uint32_t peer = tn_allowed_lookup4(&n->allowed, ipv4);
    const struct tn_peer *p = peer == TN_ALLOWED_NONE ? NULL : tn_peer_look(n, peer);

    return p && p->is_member && !p->small ? peer : TN_NO_PEER;
}

uint32_t tn_node_relay_at(const struct tn_node *n, const struct tn_addr *member)
{
    uint32_t peer = tn_addr_is_v4(member) ? member_at(n, member->ip + 12) : TN_NO_PEER;

    return peer != TN_NO_PEER && find(&n->via, peer) < n->via.count ? peer : TN_NO_PEER;
}

/* Where it is reached directly; NULL: it is not. */
static const struct tn_cand *direct_to(const struct tn_node *n, uint32_t peer)
{
    const struct tn_peer *p = peer == TN_NO_PEER ? NULL : tn_peer_look(n, peer);

    return p && p->is_member ? tn_paths_direct(p->paths) : NULL;
}

void tn_via_check(struct tn_node *n, uint32_t peer, struct tn_way *way, struct tn_now now)
{
    struct tn_paths *p = n->mem.peers[peer].paths;

    if (direct_to(n, tn_node_relay_at(n, &way->addr)))
        return;
    if (!tn_paths_withdraw_member(p, &way->addr, &now))
        return;
    tn_paths_route(p, &now, way);
    if (way->via == TN_VIA_MEMBER && !direct_to(n, tn_node_relay_at(n, &way->addr)))
        way->via = TN_VIA_NONE; /* two in a row: the next packet finds out */
}

static void withdraw(struct tn_node *n, uint32_t relay, struct tn_now now)
{
    struct tn_addr member = tn_card_address4(card_of(n, &n->mem.peers[relay]));

    for (uint32_t i = 0; i < n->mem.peer_cap; i++) {
        struct tn_peer *p = tn_peer_at(n, i);

        if (!p || !p->is_member || i == relay)
            continue;
        if (tn_paths_withdraw_member(p->paths, &member, &now))
            tn_path_settle(n, i, now);
    }
}

void tn_via_lost(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    if (find(&n->via, peer) < n->via.count)
        withdraw(n, peer, now);
}

/* Who used it notices with the next packet that it is not there. */
void tn_via_forget(struct tn_node *n, uint32_t peer)
{
    uint32_t i = find(&n->via, peer);

    if (i < n->via.count)
        n->via.relay[i] = n->via.relay[--n->via.count];
}

void tn_via_card(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    const struct tn_peer *p = &n->mem.peers[peer];
    bool relays = tn_card_relays(card_of(n, p)) && !p->small, did = find(&n->via, peer) < n->via.count;

    if (did && !relays) {
        tn_via_forget(n, peer);
        withdraw(n, peer, now);
    }
    if (relays && !did && n->via.count < TN_VIA_RELAYS)
        n->via.relay[n->via.count++] = peer;
}

bool tn_via_keep(struct tn_node *n, uint32_t member, struct tn_now now)
{
    uint32_t peer = tn_node_member_peer(n, member);

    if (peer == TN_NO_PEER)
        return false;
    tn_via_card(n, peer, now);
    return true;
}

int tn_node_renew_card(struct tn_node *n, const struct tn_card *card, struct tn_now now)
{
    struct tn_roster_result result;
    uint8_t data[TN_CARD_MAX_LEN];
    size_t len;
    int err;

    if (!n->overlay)
        return TN_ESTATE;
    if (memcmp(card->identity, n->card.identity, 32) || memcmp(card->wireguard_public, n->card.wireguard_public, 32))
        return TN_EINVAL;
    err = tn_roster_offer(&n->roster, card, 0, &result);
    if (!err)
        err = tn_card_encode(card, data, sizeof data, &len);
    if (err)
        return err;
    n->card = *card;
    tn_event_push(n, &(struct tn_event){.kind = TN_EV_MEMBER, .member = (uint32_t)result.index});
    if (!n->connected)
        return 0; /* JOIN brings it */
    return n->member ? tn_coord_client_update(&n->coord, data, len, now)
                     : tn_coord_client_join(&n->coord, data, len, now);
}

/* ---- looking for a way ---- */

void tn_via_said(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    n->mem.peers[peer].said_us = now.us;
}

/* As if there were data for it: a session, and a search for a direct path. */
static void wake(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    tn_paths_on_data_sent(p->paths, 0, &now);
    if (!tn_keys_for_sending(&p->keys, now.us))
        tn_tx_want_handshake(n, peer, now);
    if (!tn_paths_next(p->paths))
        tn_sched_want(n, peer, TN_WANTS_PATHS);
    tn_sched_update(n, peer);
}

/* Of those that are reached directly, the nearest but `not_this`. */
static uint32_t nearest(const struct tn_node *n, uint32_t peer, uint32_t not_this)
{
    uint32_t at = TN_NO_PEER, best_us = UINT32_MAX;

    for (uint32_t i = 0; i < n->via.count; i++) {
        uint32_t relay = n->via.relay[i];
        const struct tn_cand *c = direct_to(n, relay);

        if (!c || relay == peer || relay == not_this || c->rtt_us >= best_us)
            continue;
        best_us = c->rtt_us;
        at = relay;
    }
    return at;
}

static void wake_others(struct tn_node *n, uint32_t peer, uint32_t wanted, struct tn_now now)
{
    uint32_t first = n->via.count ? (uint32_t)(now.us / TURN_US) % n->via.count : 0;

    for (uint32_t i = 0; i < n->via.count && wanted; i++) {
        uint32_t relay = n->via.relay[(first + i) % n->via.count];

        if (relay == peer || direct_to(n, relay))
            continue;
        wake(n, relay, now);
        wanted--;
    }
}

_Static_assert(TN_PATHS_MEMBERS <= 2, "tn_via_tick looks no further");

void tn_via_tick(struct tn_node *n, uint32_t peer, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];
    uint32_t offered = 0, relay = TN_NO_PEER;

    if (now.us < p->via_next_us || !n->via.count || n->nat.reserved || !p->said_us || now.us - p->said_us > SAID_US ||
        !tn_paths_wants_member(p->paths, &now))
        return;
    p->via_next_us = now.us + LOOK_US;
    while (offered < TN_PATHS_MEMBERS) {
        struct tn_addr member;

        relay = nearest(n, peer, relay); /* there are two at most */
        if (relay == TN_NO_PEER)
            break;
        member = tn_card_address4(card_of(n, &n->mem.peers[relay]));
        tn_paths_offer_member(p->paths, &member, &now);
        wake(n, relay, now);
        offered++;
    }
    wake_others(n, peer, TN_PATHS_MEMBERS - offered, now);
}

/* ---- through a member ---- */

/* Sealed once more in place, for `to`, who is reached at `c`. */
static int seal_for(struct tn_node *n, uint32_t to, const struct tn_cand *c, struct tn_buf *b, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[to];
    size_t len = b->len;
    int err;

    if (len > (c->mtu ? c->mtu : n->mtu))
        return TN_ENOSPC;
    err = tn_tx_seal(n, to, b, false, now);
    if (err) {
        tn_tx_want_handshake(n, to, now);
        return err;
    }
    p->tx_bytes += b->len;
    tn_paths_on_data_sent(p->paths, len, &now);
    tn_path_settle_later(n, to, now);
    return 0;
}

int tn_via_push(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                struct tn_now now, struct tn_route *route)
{
    uint32_t relay = tn_node_relay_at(n, &way->addr);
    const struct tn_cand *c = direct_to(n, relay);
    struct tn_viamsg m = {.len = (uint16_t)b->len};
    uint8_t *at;

    if (!c || b->len > UINT16_MAX)
        return TN_ENOENT;
    memcpy(m.ipv4, card_of(n, &n->mem.peers[peer])->cert.ipv4, 4);
    at = tn_buf_push(b, TN_VIAMSG_HEADER_LEN);
    if (!at)
        return TN_ENOSPC;
    tn_viamsg_encode(&m, at);
    route->to = c->addr;
    if (seal_for(n, relay, c, b, now))
        return TN_ENOENT;
    n->counters.tx_via++;
    return 0;
}

/* ---- as the member ---- */

static bool may_take(struct tn_node *n, struct tn_peer *from, size_t len, struct tn_now now)
{
    struct tn_via_state *v = &n->via;
    uint64_t most = v->rate / PASSES_PER_S, kept;

    if (!v->share.pass || now.us - v->pass_us >= PASS_US) {
        tn_share_begin(&v->share, most);
        v->pass_us = now.us;
        v->taken = 0;
    }
    if (!tn_share_take(&v->share, &from->via_part, len))
        return false;
    kept = from->via_part.taken > most / 8 ? most / 8 : 0; /* for who comes late and wants little */
    if (v->taken + len > most - kept)
        return false;
    v->taken += len;
    return true;
}

/* For the next that comes; a few a second, as a handshake is longer than what asks for it. */
static void wake_for(struct tn_node *n, uint32_t to, struct tn_now now)
{
    if (now.us < n->via.wake_us)
        return;
    n->via.wake_us = now.us + WAKE_GAP_US;
    wake(n, to, now);
}

static bool is_wireguard(const struct tn_buf *b, const struct tn_viamsg *m)
{
    return tn_wg_classify(tn_buf_data(b) + TN_VIAMSG_HEADER_LEN, m->len) != TN_WG_NONE;
}

/* False: it is dropped. The length stays what it was, padding and all. */
static bool forward(struct tn_node *n, uint32_t peer, const struct tn_viamsg *m, struct tn_buf *b, struct tn_now now)
{
    uint32_t to = member_at(n, m->ipv4);
    struct tn_peer *from = &n->mem.peers[peer];
    struct tn_viamsg out = {.from = true, .len = m->len};
    const struct tn_cand *c;

    if (!tn_card_relays(&n->card) || from->small || to == TN_NO_PEER || to == peer || !is_wireguard(b, m))
        return false;
    c = direct_to(n, to);
    if (!c) {
        wake_for(n, to, now);
        return false;
    }
    if (!may_take(n, from, b->len, now))
        return false;
    memcpy(out.ipv4, card_of(n, from)->cert.ipv4, 4);
    tn_viamsg_encode(&out, tn_buf_data(b));
    n->via.to = c->addr;
    return !seal_for(n, to, c, b, now);
}

/* ---- what comes through one ---- */

/* Whose session it is, must be who the relay says it is from. */
static bool is_of(const struct tn_node *n, const struct tn_buf *b, const struct tn_viamsg *m, uint32_t peer)
{
    const uint8_t *msg = tn_buf_data(b) + TN_VIAMSG_HEADER_LEN;

    if (tn_wg_classify(msg, m->len) == TN_WG_INITIATION)
        return true; /* it says itself */
    return is_wireguard(b, m) && peer != TN_NO_PEER && (tn_wg_receiver(msg) & n->slot_mask) == peer;
}

enum tn_verdict tn_via_on_message(struct tn_node *n, uint32_t peer, const struct tn_way *way, struct tn_buf *b,
                                  struct tn_now now)
{
    struct tn_way through = {.via = TN_VIA_MEMBER};
    struct tn_viamsg m;

    if (tn_viamsg_decode(tn_buf_data(b), b->len, &m)) {
        n->counters.drop_malformed++;
        return TN_CONSUMED;
    }
    if (way->via != TN_VIA_DIRECT) {
        n->counters.drop_via++;
        return TN_CONSUMED;
    }
    if (!m.from) {
        if (forward(n, peer, &m, b, now)) {
            n->counters.forwarded++;
            return TN_FORWARD;
        }
        n->counters.drop_via++;
        return TN_CONSUMED;
    }
    if (find(&n->via, peer) == n->via.count || !is_of(n, b, &m, member_at(n, m.ipv4))) {
        n->counters.drop_via++;
        return TN_CONSUMED;
    }
    n->counters.rx_via++;
    through.addr = tn_card_address4(card_of(n, &n->mem.peers[peer]));
    b->off += TN_VIAMSG_HEADER_LEN;
    b->len = m.len;
    return tn_rx_carried(n, b, &through, now, &n->via.from);
}
