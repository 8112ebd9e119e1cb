/* How it works: a direct-mapped table. The hash is one multiplication, since it is made for each
 * datagram: only endpoints from which an authenticated datagram came get in, so nobody outside
 * picks the keys, and the worst that a collision does is that the system chooses the source. */
#include "sources.h"

#include <string.h>

static uint32_t slot_of(const struct tn_addr *a)
{
    uint64_t high, low;

    memcpy(&high, a->ip, sizeof high);
    memcpy(&low, a->ip + sizeof high, sizeof low);
    low ^= (high << 23 | high >> 41) ^ (uint64_t)a->port << 7;
    return (uint32_t)(low * 0x9e3779b97f4a7c15u >> 40) & (SOURCES_COUNT - 1);
}

void sources_clear(struct sources *s)
{
    memset(s, 0, sizeof *s);
}

static bool may_ask(struct sources *s, uint64_t now_us)
{
    uint64_t second = now_us / 1000000u;

    if (s->second != second) {
        s->second = second;
        s->asks = 0;
    }
    return s->asks++ < SOURCES_ASKS;
}

void sources_learn(struct sources *s, const struct udp_source *from, uint64_t now_us,
                   sources_judge *judge, void *ctx)
{
    uint32_t i = slot_of(&from->remote);
    struct udp_source *had = &s->row[i].from;

    if (tn_addr_is_zero(&from->local))
        return;
    if (had->ifindex == from->ifindex && tn_addr_equal(&had->remote, &from->remote) &&
        tn_addr_equal(&had->local, &from->local))
        return;
    if (!may_ask(s, now_us))
        return;
    *had = *from;
    s->row[i].is_kept = judge(ctx, from);
}

void sources_forget(struct sources *s, const struct tn_addr *remote)
{
    uint32_t i = slot_of(remote);

    if (tn_addr_equal(&s->row[i].from.remote, remote))
        memset(&s->row[i], 0, sizeof s->row[i]);
}

bool sources_find(const struct sources *s, const struct tn_addr *remote, const struct tn_addr **local)
{
    uint32_t i = slot_of(remote);
    bool is_known = tn_addr_equal(&s->row[i].from.remote, remote);

    *local = is_known && s->row[i].is_kept ? &s->row[i].from.local : NULL;
    return is_known;
}
