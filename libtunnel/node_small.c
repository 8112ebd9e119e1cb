/* What is special about a device, whose modem takes datagrams of 1024 bytes: packets to it (and, where we
 * are one, to everybody) are as long as fits, sealed and behind the relay's header. What is longer
 * is answered with ICMP, or goes as fragments: IPv6, whose links carry 1280 bytes in one piece,
 * and IPv4 that may be split. The same is done where a path carries less than the MTU (path/paths_size.c).
 * To a device nothing is padded, and the headers of ordinary UDP are left out: they would
 * cost bytes that are paid for. */
#include "node_small.h"

#include <string.h>

#include "base/ip.h"

_Static_assert(TN_DEVICE_MTU + TN_WG_DATA_OVERHEAD + TN_RELAY_HEADER_LEN == TN_DEVICE_DATAGRAM,
               "a full packet fills the datagram");
_Static_assert(TN_FRAG_PACKET_MAX <= 2 * (TN_DEVICE_MTU - TN_FRAG_HEADER_LEN),
               "two fragments carry what IPv6 asks of a link");
_Static_assert(TN_WG_HEADER_LEN + TN_RELAY_HEADER_LEN + TN_FRAG_HEADER_LEN <= TN_BUF_HEADROOM,
               "a fragment's headers fit in front of its packet");

static bool is_device(const struct tn_card *card)
{
    return (card->cert.flags & TN_CERT_DEVICE) != 0;
}

void tn_small_start(struct tn_node *n, uint32_t peer)
{
    struct tn_peer *p = &n->mem.peers[peer];

    p->is_device = is_device(&n->roster.members[p->member].card);
    p->small = p->is_device || is_device(&n->card);
    p->mtu = p->small ? TN_DEVICE_MTU : n->mtu;
}

enum tn_verdict tn_small_check(struct tn_node *n, struct tn_buf *b, uint16_t mtu)
{
    uint8_t *ip = tn_buf_data(b);
    size_t len = tn_ip_len(ip, b->len);
    bool v6 = ip[0] >> 4 == 6;

    if (!len) {
        n->counters.drop_malformed++;
        return TN_DROP;
    }
    b->len = len; /* what a link adds behind the packet is not part of it */
    if (len <= mtu || (len <= TN_FRAG_PACKET_MAX && (v6 || tn_ip_may_split(ip))))
        return TN_SEND;
    n->counters.drop_too_big++;
    b->len = tn_ip_too_big(ip, len, v6 ? TN_FRAG_PACKET_MAX : mtu);
    return b->len ? TN_DELIVER : TN_DROP;
}

static int split(struct tn_node *n, uint32_t peer, struct tn_buf *b, uint16_t mtu, struct tn_now now)
{
    struct tn_frag f = {.id = n->frag_id++, .total = (uint16_t)b->len};
    uint8_t *at;
    int err;

    f.parts = tn_frag_parts(f.total, mtu);
    if (!f.parts)
        return TN_ENOSPC;
    err = tn_frag_keep(&n->frags, peer, &f, tn_buf_data(b), now.us);
    if (err)
        return err;
    b->len = tn_frag_part_len(&f);
    at = tn_buf_push(b, TN_FRAG_HEADER_LEN);
    if (!at)
        return TN_ENOSPC;
    tn_frag_encode(at, &f);
    n->counters.tx_fragments++;
    return 0;
}

/* A device knows the squeezed form; of another member it is known once he has used it, in this session. */
int tn_small_send(struct tn_node *n, uint32_t peer, struct tn_buf *b, uint16_t mtu, struct tn_now now)
{
    const struct tn_peer *p = &n->mem.peers[peer];

    if (b->len > mtu)
        return split(n, peer, b, mtu, now);
    if (!p->small)
        return 0;
    if (p->is_device || p->squeezes)
        (void)tn_squeeze(b, n->card.cert.ipv4, n->roster.members[p->member].card.cert.ipv4);
    return 0;
}

bool tn_has_rest(const struct tn_node *n)
{
    return tn_frag_has_out(&n->frags);
}

bool tn_small_poll_rest(struct tn_node *n, struct tn_buf *b, struct tn_now now,
                        struct tn_route *route)
{
    struct tn_way way;
    uint32_t peer;

    for (;;) {
        b->off = TN_BUF_HEADROOM;
        b->len = tn_frag_next_out(&n->frags, tn_buf_data(b), &peer);
        if (!b->len)
            return false;
        if (tn_peer_at(n, peer) && tn_tx_way(n, peer, now, &way) &&
            !tn_tx_seal(n, peer, b, true, now) && !tn_tx_route(n, peer, &way, b, now, route)) {
            n->counters.tx_fragments++;
            return true;
        }
    }
}

static bool join(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now)
{
    struct tn_frag f;
    uint8_t *packet;

    if (tn_frag_decode(tn_buf_data(b), b->len, &f)) {
        n->counters.drop_malformed++;
        return false;
    }
    n->counters.rx_fragments++;
    packet = tn_frag_put(&n->frags, peer, &f, now.us);
    if (!packet)
        return false;
    *b = (struct tn_buf){.mem = packet, .cap = f.total, .len = f.total};
    return true;
}

bool tn_small_is(const struct tn_buf *b)
{
    const uint8_t *inner = tn_buf_data(b);

    return b->len && (inner[0] == TN_LINK_FRAGMENT || tn_is_squeezed(inner, b->len));
}

bool tn_small_restore(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now)
{
    struct tn_peer *p = &n->mem.peers[peer];

    if (*tn_buf_data(b) == TN_LINK_FRAGMENT)
        return join(n, peer, b, now);
    if (tn_unsqueeze(b, n->roster.members[p->member].card.cert.ipv4, n->card.cert.ipv4)) {
        n->counters.drop_malformed++;
        return false;
    }
    p->squeezes = true;
    return true;
}
