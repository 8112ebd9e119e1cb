/* The replay window. A ring of TN_REPLAY_BITS bits holds, at counter modulo its
 * size, whether that counter was seen. Moving ahead clears the bits that the
 * window now covers for the first time; nothing is shifted. RFC 6479 does the
 * same by whole words and so gives up one word of the window; clearing by bits
 * costs two masks and keeps the window exact. */
#include "replay.h"

#include <string.h>

#include "msg.h"

#define WORDS (TN_REPLAY_BITS / 32u)

void tn_replay_init(struct tn_replay *r)
{
    memset(r, 0, sizeof(*r));
}

static uint32_t bit_of(uint64_t counter)
{
    return (uint32_t)1 << (counter & 31);
}

static uint32_t word_of(uint64_t counter)
{
    return (uint32_t)(counter / 32) & (WORDS - 1);
}

int tn_replay_check(const struct tn_replay *r, uint64_t counter)
{
    if (counter >= TN_WG_REJECT_AFTER_MESSAGES)
        return TN_EEXPIRED;
    if (counter >= r->next)
        return 0;
    if (r->next - counter > TN_REPLAY_BITS)
        return TN_EREPLAY;
    return (r->ring[word_of(counter)] & bit_of(counter)) ? TN_EREPLAY : 0;
}

/* Clears the bits of the counters first..last; fewer than TN_REPLAY_BITS of them. */
static void clear_range(struct tn_replay *r, uint64_t first, uint64_t last)
{
    uint32_t head = ~(bit_of(first) - 1);                    /* from first's bit up */
    uint32_t tail = (bit_of(last) - 1) | bit_of(last);       /* up to last's bit */

    if (first / 32 == last / 32) {
        r->ring[word_of(first)] &= ~(head & tail);
        return;
    }
    r->ring[word_of(first)] &= ~head;
    for (uint64_t c = (first / 32 + 1) * 32; c / 32 < last / 32; c += 32)
        r->ring[word_of(c)] = 0;
    r->ring[word_of(last)] &= ~tail;
}

int tn_replay_commit(struct tn_replay *r, uint64_t counter)
{
    int rc = tn_replay_check(r, counter);

    if (rc)
        return rc;
    if (counter >= r->next) {
        if (counter - r->next >= TN_REPLAY_BITS)
            memset(r->ring, 0, sizeof(r->ring));
        else
            clear_range(r, r->next, counter);
        r->next = counter + 1;
    }
    r->ring[word_of(counter)] |= bit_of(counter);
    return 0;
}
