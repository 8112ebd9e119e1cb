/* Datagrams into a coordinator with three live members of two networks.
 *
 * The input is a list: how[1] length[2] bytes. `how` says who sends it:
 *   0 a stranger, as it is                   nothing but counters may change
 *   1 a stranger, aimed at a live session    the same
 *   2 a stranger, with a good cookie         an INIT that reaches the handshake
 *   3 a member, sealed as a request          one answer, and a PUNCH perhaps
 *   4 a member, as a relay frame             to the bound peer or to nobody
 *   5 time passes
 * Each input begins with the same picture of the coordinator. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordnet.h"
#include "libtunnel/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEPT offsetof(struct net, flight)

static struct net *n, *picture;
static struct tn_addr stranger;
static uint16_t channel;

static void begin(void)
{
    n = net_of_members(1, 2);
    net_add(n, 2, 1);
    net_join(n, 2, 2); /* of another network */
    if (tn_coord_client_bind(&n->client[0].c, n->client[1].identity, &channel, n->now))
        abort();
    net_run(n, TN_S(1));
    if (n->server.gauge.members != 3 || n->server.gauge.channels != 1)
        abort();
    stranger = net_v4(66, 6666);
    picture = malloc(sizeof(*picture));
    if (!picture)
        abort();
    memcpy(picture, n, KEPT);
}

/* Hands it in, in memory of its exact size. */
static size_t give(const struct tn_addr *src, const uint8_t *bytes, size_t len,
                   struct tn_server_out *out)
{
    static uint8_t *mem;
    size_t count;

    free(mem); /* the outputs of the call before point into it */
    mem = malloc(len ? len : 1);
    if (!mem)
        abort();
    memcpy(mem, bytes, len);
    count = tn_server_on_datagram(&n->server, 1, src, mem, len, n->now, out);
    if (count > TN_SERVER_OUT_MAX)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (out[i].len > TN_CTL_MAX_LEN && out[i].len > len)
            abort();
    }
    return count;
}

static void by_stranger(uint8_t *d, size_t len, bool aimed)
{
    static struct tn_server_session before[NET_SESSIONS];
    struct tn_server_gauges gauge = n->server.gauge;
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    size_t count;

    if (aimed && len >= 8)
        tn_put_be32(d + 4, n->client[0].c.session.remote_index);
    memcpy(before, n->session, sizeof(before));
    count = give(&stranger, d, len, out);
    if (count > 1 || (count && (out[0].len > len || !tn_addr_equal(&out[0].dst, &stranger))))
        abort();
    if (memcmp(before, n->session, sizeof(before)) ||
        memcmp(&gauge, &n->server.gauge, sizeof(gauge)))
        abort();
}

static void with_cookie(uint8_t *d, size_t len)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    uint32_t members = n->server.gauge.members;

    if (len < TN_CTL_INIT_LEN)
        return;
    memcpy(d, (uint8_t[]){TN_CTL_INIT, TN_CTL_VERSION, 0, 0}, 4);
    if (give(&stranger, d, TN_CTL_INIT_LEN, out) == 1 && out[0].data[0] == TN_CTL_COOKIE)
        memcpy(d + 8, out[0].data + 8, TN_CTL_COOKIE_VALUE_LEN);
    if (give(&stranger, d, TN_CTL_INIT_LEN, out) > 1)
        abort();
    if (n->server.gauge.members != members)
        abort();
}

static void by_member(const uint8_t *d, size_t len)
{
    uint8_t sealed[2048 + TN_CTL_DATA_OVERHEAD];
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct net_client *k = &n->client[0];
    size_t count;

    memcpy(sealed + TN_CTL_DATA_HEADER_LEN, d, len);
    if (tn_ctl_seal(&k->c.session, sealed, len))
        abort();
    count = give(&k->at[0], sealed, len + TN_CTL_DATA_OVERHEAD, out);
    if (count && (!tn_addr_equal(&out[0].dst, &k->at[0]) ||
                  tn_ctl_open(&k->c.session, out[0].data, out[0].len)))
        abort(); /* an answer is the member's to read */
    if (count == 2 && (!tn_addr_equal(&out[1].dst, &n->client[1].at[0]) ||
                       tn_ctl_open(&n->client[1].c.session, out[1].data, out[1].len)))
        abort(); /* and a PUNCH its peer's */
}

static void by_relay(uint8_t *d, size_t len)
{
    struct tn_server_out out[TN_SERVER_OUT_MAX];
    struct net_client *k = &n->client[0];
    size_t count;

    if (len >= TN_RELAY_HEADER_LEN)
        tn_relay_encode(d, tn_get_be16(d + 2) % 3, k->c.session.remote_index);
    count = give(&k->at[0], d, len, out);
    if (count > 1 || (count && (!tn_addr_equal(&out[0].dst, &n->client[1].at[0]) ||
                                out[0].len != len || out[0].data[0] != TN_CTL_RELAY)))
        abort();
}

static void pass_time(const uint8_t *d, size_t len)
{
    struct tn_server_out out;

    for (size_t i = 0; i < len && i < 16; i++) {
        net_advance(n, n->now.us + TN_MS(d[i]) * d[i]);
        tn_server_tick(&n->server, n->now);
        while (tn_server_news_next(&n->server, n->now, &out))
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t d[2048];

    if (!n)
        begin();
    memcpy(n, picture, KEPT);
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
        if (how < 2)
            by_stranger(d, len, how);
        else if (how == 2)
            with_cookie(d, len);
        else if (how == 3)
            by_member(d, len);
        else if (how == 4)
            by_relay(d, len);
        else
            pass_time(d, len);
    }
    return 0;
}
