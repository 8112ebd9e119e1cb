/* Sessions and channels in the caller's arrays: free lists, three hash tables
 * with chains, and two lists by age.
 *
 * An index in a datagram is slot + random generation, so finding a session by it
 * is one array access. By key (INIT) and by member (CONNECT, relay) there are
 * tables, hashed under a secret key, so that nobody can fill one chain. A static
 * key has at most one tentative and one real session; a member one session.
 * Tentative sessions and guests stand in lists, oldest first: when room is
 * wanted, they go before any member does. */
#include <string.h>

#include "../base/bytes.h"
#include "../base/ct.h"
#include "server_priv.h"

uint32_t tn_server_hash(const struct tn_server *s, const void *data, size_t len)
{
    uint8_t h[4];

    tn_blake2s(h, sizeof(h), s->hash_key, sizeof(s->hash_key), data, len);
    return tn_get_be32(h);
}

static uint32_t *key_bucket(const struct tn_server *s, const uint8_t client_public[32])
{
    return &s->mem.key_bucket[tn_server_hash(s, client_public, 32) & (s->mem.bucket_len - 1)];
}

static uint32_t *member_bucket(const struct tn_server *s, uint64_t network,
                               const uint8_t identity[32])
{
    uint8_t key[40];

    tn_put_be64(key, network);
    memcpy(key + 8, identity, 32);
    return &s->mem.member_bucket[tn_server_hash(s, key, sizeof(key)) & (s->mem.bucket_len - 1)];
}

/* A session aims at its own chains only, and has a bounded number of channels: an unkeyed mix does. */
static uint32_t *channel_bucket(const struct tn_server *s, uint32_t owner, uint16_t number)
{
    uint32_t h = owner * 0x9e3779b1u ^ number * 0x85ebca6bu;

    h ^= h >> 15;
    return &s->mem.channel_bucket[h & (s->mem.bucket_len - 1)];
}

void tn_server_table_init(struct tn_server *s)
{
    memset(s->mem.session, 0, s->mem.session_count * sizeof(*s->mem.session));
    if (s->mem.channel_count)
        memset(s->mem.channel, 0, s->mem.channel_count * sizeof(*s->mem.channel));
    for (uint32_t i = 0; i < s->mem.bucket_len; i++) {
        s->mem.key_bucket[i] = TN_SERVER_NONE;
        s->mem.member_bucket[i] = TN_SERVER_NONE;
        s->mem.channel_bucket[i] = TN_SERVER_NONE;
    }
    while (((uint32_t)1 << s->slot_bits) < s->mem.session_count)
        s->slot_bits++;
    s->free_session = TN_SERVER_NONE;
    for (uint32_t i = s->mem.session_count; i-- > 0;) {
        s->mem.session[i].newer = s->free_session;
        s->free_session = i;
    }
    s->free_channel = TN_SERVER_NONE;
    for (uint32_t i = s->mem.channel_count; i-- > 0;) {
        s->mem.channel[i].owner = TN_SERVER_NONE;
        s->mem.channel[i].owner_next = s->free_channel;
        s->free_channel = i;
    }
    for (int list = 0; list < 2; list++)
        s->oldest[list] = s->newest[list] = TN_SERVER_NONE;
}

/* ---- lists by age ---- */

static void list_append(struct tn_server *s, enum tn_server_list list, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];

    x->older = s->newest[list];
    x->newer = TN_SERVER_NONE;
    if (x->older == TN_SERVER_NONE)
        s->oldest[list] = slot;
    else
        s->mem.session[x->older].newer = slot;
    s->newest[list] = slot;
}

static void list_remove(struct tn_server *s, enum tn_server_list list, uint32_t slot)
{
    const struct tn_server_session *x = &s->mem.session[slot];

    if (x->older == TN_SERVER_NONE)
        s->oldest[list] = x->newer;
    else
        s->mem.session[x->older].newer = x->newer;
    if (x->newer == TN_SERVER_NONE)
        s->newest[list] = x->older;
    else
        s->mem.session[x->newer].older = x->older;
}

/* ---- looking up ---- */

bool tn_server_is_live(const struct tn_server *s, const struct tn_server_session *x,
                       struct tn_now now)
{
    return x->state >= TN_SERVER_GUEST && x->heard_us &&
           now.us < x->heard_us + (x->life_us ? x->life_us : s->cfg.session_timeout_us);
}

uint32_t tn_server_by_index(const struct tn_server *s, uint32_t index)
{
    uint32_t slot = tn_ctl_index_slot(index, s->slot_bits);

    if (slot >= s->mem.session_count || s->mem.session[slot].state == TN_SERVER_FREE ||
        s->mem.session[slot].keys.local_index != index)
        return TN_SERVER_NONE;
    return slot;
}

uint32_t tn_server_by_key(const struct tn_server *s, const uint8_t client_public[32],
                          bool tentative)
{
    uint32_t slot = *key_bucket(s, client_public);

    while (slot != TN_SERVER_NONE) {
        const struct tn_server_session *x = &s->mem.session[slot];

        if ((x->state == TN_SERVER_TENTATIVE) == tentative &&
            memcmp(x->client_public, client_public, 32) == 0)
            break;
        slot = x->key_next;
    }
    return slot;
}

uint32_t tn_server_by_member(const struct tn_server *s, uint64_t network,
                             const uint8_t identity[32])
{
    uint32_t slot = *member_bucket(s, network, identity);

    while (slot != TN_SERVER_NONE) {
        const struct tn_server_session *x = &s->mem.session[slot];

        if (x->network == network && memcmp(x->identity, identity, 32) == 0)
            break;
        slot = x->member_next;
    }
    return slot;
}

/* ---- channels ---- */

struct tn_server_channel *tn_server_channel_find(const struct tn_server *s, uint32_t owner,
                                                 uint16_t number)
{
    uint32_t at = *channel_bucket(s, owner, number);

    while (at != TN_SERVER_NONE) {
        struct tn_server_channel *ch = &s->mem.channel[at];

        if (ch->owner == owner && ch->number == number)
            return ch;
        at = ch->hash_next;
    }
    return NULL;
}

static void channel_link(struct tn_server *s, uint32_t at, uint32_t owner)
{
    struct tn_server_channel *ch = &s->mem.channel[at];
    uint32_t *bucket = channel_bucket(s, owner, ch->number);

    ch->owner = owner;
    ch->hash_next = *bucket;
    *bucket = at;
    ch->owner_next = s->mem.session[owner].channels;
    s->mem.session[owner].channels = at;
}

static void channel_unhash(struct tn_server *s, uint32_t at)
{
    const struct tn_server_channel *ch = &s->mem.channel[at];
    uint32_t *link = channel_bucket(s, ch->owner, ch->number);

    while (*link != at)
        link = &s->mem.channel[*link].hash_next;
    *link = ch->hash_next;
}

struct tn_server_channel *tn_server_channel_take(struct tn_server *s, uint32_t owner,
                                                 uint16_t number)
{
    struct tn_server_session *x = &s->mem.session[owner];
    struct tn_server_channel *ch = tn_server_channel_find(s, owner, number);
    uint32_t at = s->free_channel;

    if (ch)
        return ch;
    if (at == TN_SERVER_NONE || x->channel_count >= s->cfg.channels_per_session)
        return NULL;
    ch = &s->mem.channel[at];
    s->free_channel = ch->owner_next;
    ch->number = number;
    ch->peer = TN_SERVER_NONE;
    channel_link(s, at, owner);
    x->channel_count++;
    s->gauge.channels++;
    return ch;
}

static void free_channels(struct tn_server *s, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t at;

    while ((at = x->channels) != TN_SERVER_NONE) {
        struct tn_server_channel *ch = &s->mem.channel[at];

        x->channels = ch->owner_next;
        channel_unhash(s, at);
        ch->owner = TN_SERVER_NONE;
        ch->owner_next = s->free_channel;
        s->free_channel = at;
        s->gauge.channels--;
    }
    x->channel_count = 0;
}

/* ---- states ---- */

/* Takes a session out of the list or the table that its state puts it in. */
static void leave_state(struct tn_server *s, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t *link;

    switch (x->state) {
    case TN_SERVER_TENTATIVE:
        list_remove(s, TN_SERVER_LIST_TENTATIVE, slot);
        s->gauge.tentative--;
        break;
    case TN_SERVER_GUEST:
        list_remove(s, TN_SERVER_LIST_GUEST, slot);
        s->gauge.guests--;
        break;
    case TN_SERVER_MEMBER:
        free_channels(s, slot);
        link = member_bucket(s, x->network, x->identity);
        while (*link != slot)
            link = &s->mem.session[*link].member_next;
        *link = x->member_next;
        s->gauge.members--;
        break;
    default:
        break;
    }
}

void tn_server_release(struct tn_server *s, uint32_t slot)
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t *link = key_bucket(s, x->client_public);

    leave_state(s, slot);
    while (*link != slot)
        link = &s->mem.session[*link].key_next;
    *link = x->key_next;
    tn_wipe(x, sizeof(*x));
    x->newer = s->free_session;
    s->free_session = slot;
}

static void evict(struct tn_server *s, enum tn_server_list list)
{
    tn_server_release(s, s->oldest[list]);
    s->counter.sessions_evicted++;
}

uint32_t tn_server_take_slot(struct tn_server *s, const uint8_t client_public[32])
{
    struct tn_server_session *x;
    uint32_t *bucket, slot;

    if (s->gauge.tentative >= s->cfg.tentative_max ||
        (s->free_session == TN_SERVER_NONE && s->gauge.tentative))
        evict(s, TN_SERVER_LIST_TENTATIVE);
    else if (s->free_session == TN_SERVER_NONE && s->gauge.guests)
        evict(s, TN_SERVER_LIST_GUEST);
    slot = s->free_session;
    if (slot == TN_SERVER_NONE)
        return TN_SERVER_NONE;
    x = &s->mem.session[slot];
    s->free_session = x->newer;
    memset(x, 0, sizeof(*x));
    x->state = TN_SERVER_TENTATIVE;
    x->channels = TN_SERVER_NONE;
    memcpy(x->client_public, client_public, 32);
    bucket = key_bucket(s, client_public);
    x->key_next = *bucket;
    *bucket = slot;
    list_append(s, TN_SERVER_LIST_TENTATIVE, slot);
    s->gauge.tentative++;
    return slot;
}

void tn_server_make_guest(struct tn_server *s, uint32_t slot)
{
    if (s->mem.session[slot].state == TN_SERVER_GUEST)
        return;
    leave_state(s, slot);
    s->mem.session[slot].state = TN_SERVER_GUEST;
    list_append(s, TN_SERVER_LIST_GUEST, slot);
    s->gauge.guests++;
    if (s->gauge.guests > s->cfg.guest_max)
        evict(s, TN_SERVER_LIST_GUEST); /* never this one: guest_max is at least 1 */
}

void tn_server_make_member(struct tn_server *s, uint32_t slot, uint64_t network,
                           const uint8_t identity[32])
{
    struct tn_server_session *x = &s->mem.session[slot];
    uint32_t *bucket;

    leave_state(s, slot);
    x->state = TN_SERVER_MEMBER;
    x->network = network;
    memcpy(x->identity, identity, 32);
    bucket = member_bucket(s, network, identity);
    x->member_next = *bucket;
    *bucket = slot;
    s->gauge.members++;
}

void tn_server_replace(struct tn_server *s, uint32_t old_slot, uint32_t new_slot)
{
    struct tn_server_session *from = &s->mem.session[old_slot];
    struct tn_server_session *to = &s->mem.session[new_slot];
    uint32_t at;

    if (to->state == TN_SERVER_MEMBER && from->state == TN_SERVER_MEMBER) {
        to->is_anew = true;
        while ((at = from->channels) != TN_SERVER_NONE) {
            from->channels = s->mem.channel[at].owner_next;
            channel_unhash(s, at);
            channel_link(s, at, new_slot);
        }
        to->channel_count = from->channel_count;
        from->channel_count = 0;
    }
    to->cand_count = from->cand_count;
    memcpy(to->cand, from->cand, sizeof(to->cand));
    to->rtt_us = from->rtt_us;
    to->life_us = from->life_us;
    to->relay = from->relay;
    to->share = from->share;
    to->requests = from->requests;
    for (int family = 0; family < TN_FAMILIES; family++) {
        if (tn_addr_is_zero(&to->seen[family].addr))
            to->seen[family] = from->seen[family];
    }
    tn_server_release(s, old_slot);
    s->counter.sessions_replaced++;
}
