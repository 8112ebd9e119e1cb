/* The store of coord/store.h in two arrays. The order of the checks is the
 * order of the table there; every search is linear. A network exists from its
 * first member on, and its number is its place in the array plus one. */
#include "memstore.h"

#include <string.h>

void tn_memstore_init(struct tn_memstore *m)
{
    memset(m, 0, sizeof(*m));
    m->network_max = TN_MEMSTORE_NETWORKS;
    m->member_max = TN_MEMSTORE_MEMBERS;
}

static int give(const struct tn_memstore_member *e, struct tn_store_member *out)
{
    if (!e)
        return TN_ENOENT;
    memset(out, 0, sizeof(*out));
    out->network = e->network;
    out->seq = e->seq;
    memcpy(out->identity, e->facts.identity, 32);
    memcpy(out->wireguard_public, e->facts.wireguard_public, 32);
    out->left = e->facts.left;
    out->card_len = e->card_len;
    memcpy(out->card, e->card, e->card_len);
    return 0;
}

static int counts(void *ctx, struct tn_store_counts *out)
{
    const struct tn_memstore *m = ctx;
    struct tn_store_counts c = {.networks = m->network_count};

    if (m->broken)
        return TN_ESTATE;
    for (uint32_t i = 0; i < m->member_count; i++)
        c.members += !m->member[i].facts.left;
    *out = c;
    return 0;
}

static struct tn_memstore_member *find_identity(struct tn_memstore *m, uint64_t network,
                                                const uint8_t identity[32])
{
    for (uint32_t i = 0; i < m->member_count; i++) {
        struct tn_memstore_member *e = &m->member[i];

        if (e->network == network && !memcmp(e->facts.identity, identity, 32))
            return e;
    }
    return NULL;
}

static struct tn_memstore_member *find_wireguard(struct tn_memstore *m, const uint8_t key[32])
{
    for (uint32_t i = 0; i < m->member_count; i++) {
        if (!m->member[i].facts.left && !memcmp(m->member[i].facts.wireguard_public, key, 32))
            return &m->member[i];
    }
    return NULL;
}

static int member_by_wireguard(void *ctx, const uint8_t key[32], struct tn_store_member *out)
{
    struct tn_memstore *m = ctx;

    return m->broken ? TN_ESTATE : give(find_wireguard(m, key), out);
}

static int member_by_identity(void *ctx, uint64_t network, const uint8_t identity[32],
                              struct tn_store_member *out)
{
    struct tn_memstore *m = ctx;

    return m->broken ? TN_ESTATE : give(find_identity(m, network, identity), out);
}

static int member_by_address(void *ctx, uint64_t network, const uint8_t ip[16],
                             struct tn_store_member *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct tn_memstore *m = ctx;
    const struct tn_memstore_member *found = NULL;
    bool v4 = !memcmp(ip, mapped, sizeof(mapped));

    if (m->broken)
        return TN_ESTATE;
    for (uint32_t i = 0; i < m->member_count && !found; i++) {
        const struct tn_memstore_member *e = &m->member[i];

        if (e->network == network && !e->facts.left &&
            (v4 ? !memcmp(e->facts.ipv4, ip + 12, 4) : !memcmp(e->facts.ipv6, ip, 16)))
            found = e;
    }
    return give(found, out);
}

static int member_by_name(void *ctx, uint64_t network, const char *name, size_t len,
                          struct tn_store_member *out)
{
    const struct tn_memstore *m = ctx;
    const struct tn_memstore_member *found = NULL;

    if (m->broken)
        return TN_ESTATE;
    for (uint32_t i = 0; i < m->member_count && !found; i++) {
        const struct tn_memstore_member *e = &m->member[i];

        if (e->network == network && !e->facts.left && len <= TN_MSG_NAME_MAX &&
            !memcmp(e->facts.name, name, len) && e->facts.name[len] == '\0')
            found = e;
    }
    return give(found, out);
}

static int member_next_after(void *ctx, uint64_t network, uint64_t seq,
                             struct tn_store_member *out)
{
    const struct tn_memstore *m = ctx;
    const struct tn_memstore_member *found = NULL;

    if (m->broken)
        return TN_ESTATE;
    for (uint32_t i = 0; i < m->member_count; i++) {
        const struct tn_memstore_member *e = &m->member[i];

        if (e->network == network && e->seq > seq && (!found || e->seq < found->seq))
            found = e;
    }
    return give(found, out);
}

static int roster_seq(void *ctx, uint64_t network, uint64_t *out)
{
    const struct tn_memstore *m = ctx;

    if (m->broken)
        return TN_ESTATE;
    *out = network && network <= m->network_count ? m->network[network - 1].seq : 0;
    return 0;
}

/* Number of the network, 0 when it is not known. */
static uint64_t find_network(const struct tn_memstore *m, const uint8_t network_public[32])
{
    for (uint32_t i = 0; i < m->network_count; i++) {
        if (!memcmp(m->network[i].network_public, network_public, 32))
            return i + 1;
    }
    return 0;
}

static void put(struct tn_memstore *m, struct tn_memstore_member *e,
                const struct tn_card_facts *facts, const uint8_t *card, size_t len)
{
    e->facts = *facts;
    e->seq = ++m->network[e->network - 1].seq;
    e->card_len = (uint16_t)len;
    memcpy(e->card, card, len);
    m->writes++;
}

static bool is_same_card(const struct tn_memstore_member *e, const uint8_t *card, size_t len)
{
    return e->card_len == len && !memcmp(e->card, card, len);
}

static uint8_t update(struct tn_memstore *m, struct tn_memstore_member *e,
                      const struct tn_card_facts *facts, const uint8_t *card, size_t len,
                      struct tn_store_place *out)
{
    const struct tn_memstore_member *other = find_wireguard(m, facts->wireguard_public);

    if (memcmp(e->facts.invite_id, facts->invite_id, 16) ||
        memcmp(e->facts.ipv4, facts->ipv4, 4) || memcmp(e->facts.ipv6, facts->ipv6, 16) ||
        memcmp(e->facts.name, facts->name, sizeof(facts->name)))
        return TN_STATUS_TAKEN;
    if (!is_same_card(e, card, len)) {
        if (facts->epoch <= e->facts.epoch)
            return TN_STATUS_OLD_EPOCH;
        if (!facts->left && other && other != e)
            return TN_STATUS_TAKEN;
        put(m, e, facts, card, len);
    }
    out->network = e->network;
    out->roster_seq = m->network[e->network - 1].seq;
    return TN_STATUS_OK;
}

/* What speaks against a new member; the network may be 0: not there yet. */
static uint8_t refuse_new(struct tn_memstore *m, uint64_t network,
                          const struct tn_card_facts *facts, uint64_t now_s)
{
    uint32_t members = 0;
    bool used = false, taken = find_wireguard(m, facts->wireguard_public) != NULL;

    for (uint32_t i = 0; i < m->member_count; i++) {
        const struct tn_card_facts *f = &m->member[i].facts;

        if (!network || m->member[i].network != network)
            continue;
        used |= !memcmp(f->invite_id, facts->invite_id, 16);
        members += !f->left;
        taken |= !f->left &&
                 (!memcmp(f->ipv4, facts->ipv4, 4) || !memcmp(f->ipv6, facts->ipv6, 16) ||
                  !memcmp(f->name, facts->name, sizeof(f->name)));
    }
    if (used)
        return TN_STATUS_INVITE_USED;
    if (facts->left)
        return TN_STATUS_NO_SUCH_MEMBER;
    if (facts->not_after_s < now_s)
        return TN_STATUS_INVITE_EXPIRED;
    if (tn_card_facts_clock_is_wrong(facts, now_s))
        return TN_STATUS_CLOCK;
    if (taken)
        return TN_STATUS_TAKEN;
    return members >= m->member_max || m->member_count == TN_MEMSTORE_MEMBERS ? TN_STATUS_LIMIT
                                                                              : TN_STATUS_OK;
}

static uint8_t member_join(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                           size_t len, uint64_t now_s, struct tn_store_place *out)
{
    struct tn_memstore *m = ctx;
    struct tn_memstore_member *e;
    uint64_t network;
    uint8_t status;

    if (m->broken)
        return TN_STATUS_STORE;
    network = find_network(m, facts->network_public);
    if (!network && m->network_count >= m->network_max)
        return TN_STATUS_LIMIT;
    e = network ? find_identity(m, network, facts->identity) : NULL;
    if (e)
        return update(m, e, facts, card, len, out);
    status = refuse_new(m, network, facts, now_s);
    if (status)
        return status;
    if (!network) {
        memcpy(m->network[m->network_count].network_public, facts->network_public, 32);
        network = ++m->network_count;
    }
    e = &m->member[m->member_count++];
    e->network = network;
    put(m, e, facts, card, len);
    out->network = network;
    out->roster_seq = m->network[network - 1].seq;
    return TN_STATUS_OK;
}

static uint8_t member_update(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                             size_t len, struct tn_store_place *out)
{
    struct tn_memstore *m = ctx;
    struct tn_memstore_member *e;
    uint64_t network;

    if (m->broken)
        return TN_STATUS_STORE;
    network = find_network(m, facts->network_public);
    e = network ? find_identity(m, network, facts->identity) : NULL;
    return e ? update(m, e, facts, card, len, out) : TN_STATUS_NO_SUCH_MEMBER;
}

struct tn_store tn_memstore_store(struct tn_memstore *m)
{
    static const struct tn_store_ops ops = {
        .counts = counts,
        .member_by_wireguard = member_by_wireguard,
        .member_by_identity = member_by_identity,
        .member_by_address = member_by_address,
        .member_by_name = member_by_name,
        .member_next_after = member_next_after,
        .roster_seq = roster_seq,
        .member_join = member_join,
        .member_update = member_update,
    };

    return (struct tn_store){.ops = &ops, .ctx = m};
}
