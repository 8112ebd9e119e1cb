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

void sources_learn(struct sources *s, const struct tn_addr *remote, const struct tn_addr *local)
{
    uint32_t i = slot_of(remote);

    if (tn_addr_is_zero(local))
        return;
    s->row[i].remote = *remote;
    s->row[i].local = *local;
}

void sources_forget(struct sources *s, const struct tn_addr *remote)
{
    uint32_t i = slot_of(remote);

    if (tn_addr_equal(&s->row[i].remote, remote))
        memset(&s->row[i], 0, sizeof s->row[i]);
}

const struct tn_addr *sources_find(const struct sources *s, const struct tn_addr *remote)
{
    uint32_t i = slot_of(remote);

    return tn_addr_equal(&s->row[i].remote, remote) ? &s->row[i].local : NULL;
}
