/* A token bucket is kept as one number, the time at which it is full again
 * (the "virtual scheduling" form of ITU-T I.371's generic cell rate algorithm):
 * each token taken moves that time on by 1/rate; it may not be further away
 * than burst/rate. A time in the past is a full bucket, which is what a source
 * never seen has, so old entries need no collecting.
 *
 * The table is a set-associative cache: a keyed hash of the source chooses a set
 * of TN_LIMIT_WAYS entries. */
#include "limit.h"

#include <string.h>

#include "../base/bytes.h"
#include "../base/now.h"

#define TOKEN_US (TN_S(1) / TN_LIMIT_PER_SECOND)
#define DEPTH_US (TOKEN_US * TN_LIMIT_BURST)

#define LOAD_DEPTH_US TN_MS(250) /* a burst of a quarter second's worth is no load */
#define LOAD_HOLD_US TN_S(1)

static uint32_t hash_source(const struct tn_limit *l, const uint8_t source[8])
{
    uint8_t hash[4];

    tn_blake2s(hash, sizeof(hash), l->key, sizeof(l->key), source, 8);
    return tn_get_le32(hash) % l->sets;
}

void tn_limit_init(struct tn_limit *l, struct tn_limit_entry *entry, uint32_t count,
                   struct tn_rng *rng)
{
    l->entry = entry;
    l->sets = count / TN_LIMIT_WAYS;
    tn_rng_bytes(rng, l->key, sizeof(l->key));
    memset(entry, 0, sizeof(*entry) * count);
    memset(l->last_source, 0, sizeof(l->last_source));
    l->last_set = hash_source(l, l->last_source);
}

static void source_of(const struct tn_addr *from, uint8_t out[8])
{
    /* The last 8 bytes of a mapped IPv4 address are 0000ffff and the address; as an IPv6 /64
     * that is a prefix which is never assigned. */
    memcpy(out, tn_addr_is_v4(from) ? from->ip + 8 : from->ip, 8);
}

static struct tn_limit_entry *find_set(struct tn_limit *l, const uint8_t source[8])
{
    if (memcmp(l->last_source, source, sizeof(l->last_source)) != 0) {
        memcpy(l->last_source, source, sizeof(l->last_source));
        l->last_set = hash_source(l, source);
    }
    return l->entry + (size_t)l->last_set * TN_LIMIT_WAYS;
}

/* The source's entry or one that is free; NULL: neither, or the bucket is empty. */
static struct tn_limit_entry *find_entry(struct tn_limit *l, const uint8_t source[8], uint64_t now_us)
{
    struct tn_limit_entry *set = find_set(l, source);
    struct tn_limit_entry *found = NULL;

    for (uint32_t i = 0; i < TN_LIMIT_WAYS; i++) {
        if (set[i].full_us <= now_us)
            found = &set[i];
        else if (memcmp(set[i].source, source, sizeof(set[i].source)) == 0) {
            found = &set[i];
            break;
        }
    }
    return found && found->full_us + TOKEN_US <= now_us + DEPTH_US ? found : NULL;
}

bool tn_limit_has(struct tn_limit *l, const struct tn_addr *from, uint64_t now_us)
{
    uint8_t source[8];

    source_of(from, source);
    return find_entry(l, source, now_us) != NULL;
}

bool tn_limit_allow(struct tn_limit *l, const struct tn_addr *from, uint64_t now_us)
{
    struct tn_limit_entry *found;
    uint8_t source[8];

    source_of(from, source);
    found = find_entry(l, source, now_us);
    if (!found)
        return false;
    if (found->full_us <= now_us) {
        memcpy(found->source, source, sizeof(source));
        found->full_us = now_us;
    }
    found->full_us += TOKEN_US;
    return true;
}

void tn_load_init(struct tn_load *l, uint32_t per_second)
{
    l->per_second = per_second > 0 ? per_second : 1;
    l->full_us = 0;
    l->until_us = 0;
}

bool tn_load_take(struct tn_load *l, uint64_t now_us)
{
    uint64_t token_us = TN_S(1) / l->per_second;

    if (l->full_us < now_us)
        l->full_us = now_us;
    if (l->full_us + token_us > now_us + LOAD_DEPTH_US)
        return false;
    l->full_us += token_us;
    return true;
}

bool tn_load_has(const struct tn_load *l, uint64_t now_us)
{
    struct tn_load copy = *l;

    return tn_load_take(&copy, now_us);
}

bool tn_load_on_handshake(struct tn_load *l, uint64_t now_us)
{
    if (!tn_load_take(l, now_us))
        l->until_us = now_us + LOAD_HOLD_US;
    return tn_load_is_high(l, now_us);
}

bool tn_load_is_high(const struct tn_load *l, uint64_t now_us)
{
    return now_us < l->until_us;
}
