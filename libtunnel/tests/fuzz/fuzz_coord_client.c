/* Datagrams into a member with a live session, and into one that is shaking
 * hands.
 *
 * The input is a list: how[1] length[2] bytes. `how` says what comes:
 *   0 bytes from the coordinator's address, not authentic   nothing may change; a LOST hurries
 *   1 the same, aimed at the session                        the same
 *   2 a sealed message from a coordinator gone mad          events, bounded
 *   3 a relayed frame                                       header pulled, or refused
 *   4 time passes
 *   5 the same as 0, while a new handshake is under way     a cookie is all that may be taken
 * Each input begins with the same picture of the member. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordnet.h"
#include "libtunnel/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEPT offsetof(struct net, flight)

static struct net *n, *picture;

static void begin(void)
{
    struct tn_cand_wire own = {TN_CAND_HOST, net_v4(1, 51820)};
    uint16_t channel;

    n = net_of_members(1, 2);
    if (tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &channel, n->now) ||
        tn_coord_client_lookup(&n->client[0].c, TN_BY_NAME, "x", 1, 1, n->now) ||
        tn_coord_client_sync(&n->client[0].c, 0, n->now) ||
        tn_coord_client_connect(&n->client[0].c, n->client[1].identity, n->now))
        abort();
    tn_coord_client_candidates(&n->client[0].c, &own, 1, n->now); /* none of these is answered yet */
    picture = malloc(sizeof(*picture));
    if (!picture)
        abort();
    memcpy(picture, n, KEPT);
}

/* Pulls dry, as the node does; neither events nor datagrams may be without end. */
static void drain(struct tn_coord_client *c)
{
    uint8_t out[TN_CTL_MAX_LEN];
    struct tn_coord_event e;
    struct tn_addr dst;
    unsigned count = 0;
    size_t len;

    do {
        while (tn_coord_client_take_event(c, &e)) {
            if (e.card_len > TN_MSG_CARD_MAX || e.cand_count > TN_CANDLIST_MAX || ++count > 100)
                abort();
            if (e.card_len && !e.card)
                abort();
        }
        len = tn_coord_client_poll_out(c, n->now, out, sizeof(out), &dst);
        if (len > sizeof(out) || ++count > 100 ||
            (len && !tn_addr_equal(&dst, &n->server_at[0])))
            abort();
    } while (len);
}

static int give(struct tn_coord_client *c, const uint8_t *bytes, size_t len)
{
    uint8_t *mem = malloc(len ? len : 1);
    int err;

    if (!mem)
        abort();
    memcpy(mem, bytes, len);
    err = tn_coord_client_on_datagram(c, &n->server_at[0], mem, len, n->now);
    drain(c); /* a card points into mem */
    free(mem);
    return err;
}

static void not_authentic(struct tn_coord_client *c, uint8_t *d, size_t len, bool aimed)
{
    static struct tn_coord_client before;

    if (aimed && len >= 8)
        tn_put_be32(d + 4, c->session_ok ? c->session.local_index : c->client_index);
    drain(c);
    before = *c;
    if (len > 1 && d[0] == TN_CTL_LOST && d[1] == TN_CTL_VERSION) { /* it may hurry a question, no more */
        (void)give(c, d, len);
        if (!c->session_ok || memcmp(before.session.recv_key, c->session.recv_key, 32) ||
            memcmp(&before.session.window, &c->session.window, sizeof(before.session.window)) ||
            before.heard_us != c->heard_us || before.event_count < c->event_count)
            abort();
        return;
    }
    if (give(c, d, len) == 0)
        abort();
    before.dropped++;
    if (memcmp(&before, c, sizeof(before)))
        abort();
}

static void shaking(struct tn_coord_client *c, uint8_t *d, size_t len)
{
    bool had_session;

    if (c->state != TN_COORD_SHAKING) {
        tn_coord_client_stop(c);
        tn_coord_client_start(c, n->now);
        drain(c);
    }
    had_session = c->session_ok;
    if (len >= 8)
        tn_put_be32(d + 4, c->client_index);
    if (give(c, d, len) == 0 && d[0] != TN_CTL_COOKIE)
        abort();
    if (c->session_ok != had_session)
        abort();
}

static void sealed(struct tn_coord_client *c, const uint8_t *d, size_t len)
{
    uint8_t out[2048 + TN_CTL_DATA_OVERHEAD];
    uint32_t slot = tn_ctl_index_slot(c->session.remote_index, n->server.slot_bits);

    if (!c->session_ok || slot >= NET_SESSIONS)
        return;
    memcpy(out + TN_CTL_DATA_HEADER_LEN, d, len);
    if (tn_ctl_seal(&n->session[slot].keys, out, len))
        abort();
    (void)!give(c, out, len + TN_CTL_DATA_OVERHEAD);
}

static void relayed(struct tn_coord_client *c, uint8_t *d, size_t len)
{
    struct tn_buf b = {.mem = d, .cap = len, .off = 0, .len = len};
    int err;

    if (len >= TN_RELAY_HEADER_LEN)
        tn_relay_encode(d, tn_get_be16(d + 2) % 2, c->session.local_index);
    err = tn_coord_client_open_relay(c, &n->server_at[0], &b);
    if (b.len != len - (err ? 0 : TN_RELAY_HEADER_LEN))
        abort();
}

static void pass_time(struct tn_coord_client *c, const uint8_t *d, size_t len)
{
    for (size_t i = 0; i < len && i < 32; i++) {
        net_advance(n, n->now.us + TN_MS(d[i]) * d[i]);
        tn_coord_client_tick(c, n->now);
        drain(c);
        if (tn_coord_client_next_deadline(c, NULL) <= n->now.us)
            abort(); /* it would spin */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tn_coord_client *c;
    uint8_t d[2048];

    if (!n)
        begin();
    memcpy(n, picture, KEPT);
    c = &n->client[0].c;
    drain(c);
    while (size >= 3) {
        uint8_t how = data[0] % 6;
        size_t len = tn_get_be16(data + 1) % sizeof(d);

        data += 3;
        size -= 3;
        if (len > size)
            len = size;
        memcpy(d, data, len);
        data += len;
        size -= len;
        if (how < 2 && c->session_ok)
            not_authentic(c, d, len, how);
        else if (how == 2)
            sealed(c, d, len);
        else if (how == 3)
            relayed(c, d, len);
        else if (how == 4)
            pass_time(c, d, len);
        else if (how == 5)
            shaking(c, d, len);
    }
    return 0;
}
