/* Cryptokey routing against a list that is searched from end to end: the input is a program of
 * insertions, removals and lookups. */
#include <stdlib.h>
#include <string.h>

#include "libtunnel/wg/allowed.h"

#define PEERS 3u
#define NODES 64u
#define PREFIXES (NODES / 2)

struct entry {
    struct tn_prefix p;
    uint32_t peer;
};

static struct tn_allowed_node nodes[NODES];
static uint32_t heads[PEERS];
static struct tn_allowed t;
static struct entry oracle[PREFIXES];
static uint32_t count;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool covers(const struct tn_prefix *p, uint8_t family, const uint8_t *ip)
{
    for (unsigned i = 0; i < p->cidr; i++) {
        if ((p->ip[i / 8] ^ ip[i / 8]) & (0x80u >> (i % 8)))
            return false;
    }
    return p->family == family;
}

static uint32_t find(const struct tn_prefix *p)
{
    uint32_t i = 0;

    while (i < count && (oracle[i].p.family != p->family || oracle[i].p.cidr != p->cidr ||
                         !covers(p, p->family, oracle[i].p.ip)))
        i++;
    return i;
}

static void check_lookup(uint8_t family, const uint8_t ip[16])
{
    uint32_t want = TN_ALLOWED_NONE;
    int cidr = -1;

    for (uint32_t i = 0; i < count; i++) {
        if (covers(&oracle[i].p, family, ip) && oracle[i].p.cidr > cidr) {
            want = oracle[i].peer;
            cidr = oracle[i].p.cidr;
        }
    }
    must((family == 4 ? tn_allowed_lookup4(&t, ip) : tn_allowed_lookup6(&t, ip)) == want);
}

static void check_lists(void)
{
    uint32_t listed = 0;

    for (uint32_t peer = 0; peer < PEERS; peer++) {
        uint32_t at = TN_ALLOWED_NONE;
        struct tn_prefix p;

        while (tn_allowed_next(&t, peer, &at, &p)) {
            uint32_t i = find(&p);

            must(i < count && oracle[i].peer == peer && ++listed <= count);
        }
    }
    must(listed == count);
    must(NODES - t.free_count <= 2 * count);
}

static void insert(const struct tn_prefix *p, uint32_t peer)
{
    uint32_t i = find(p);

    if (i == count && count == PREFIXES)
        return;
    must(tn_allowed_insert(&t, p, peer) == 0);
    oracle[i] = (struct entry){.p = *p, .peer = peer};
    if (i == count)
        count++;
}

static void remove_one(const struct tn_prefix *p, uint32_t peer)
{
    uint32_t i = find(p);
    bool has = i < count && oracle[i].peer == peer;

    must(tn_allowed_remove(&t, p, peer) == (has ? 0 : TN_ENOENT));
    if (has)
        oracle[i] = oracle[--count];
}

static void remove_peer(uint32_t peer)
{
    tn_allowed_remove_by_peer(&t, peer);
    for (uint32_t i = count; i-- > 0;) {
        if (oracle[i].peer == peer)
            oracle[i] = oracle[--count];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tn_allowed_init(&t, nodes, NODES, heads, PEERS);
    count = 0;
    /* one step: operation and family, peer, cidr, 3 bytes that are spread over the address */
    for (; size >= 6; data += 6, size -= 6) {
        uint8_t family = data[0] & 1 ? 4 : 6;
        struct tn_prefix p = {.family = family};
        uint32_t peer = data[1] % PEERS;

        p.cidr = (uint8_t)(data[2] % (family == 4 ? 33 : 129));
        p.ip[0] = data[3];
        p.ip[family == 4 ? 1 : 8] = data[4];
        p.ip[family == 4 ? 3 : 15] = data[5];
        switch (data[0] >> 1 & 7) {
        case 0:
        case 1:
        case 2:
            insert(&p, peer);
            break;
        case 3:
        case 4:
            remove_one(&p, peer);
            break;
        case 5:
            remove_peer(peer);
            break;
        default:
            check_lookup(family, p.ip);
        }
        check_lists();
    }
    return 0;
}
