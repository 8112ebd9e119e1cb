/* TAI64N: 8 bytes of seconds, 2^62 + TAI, and 4 bytes of nanoseconds, both big
 * endian. TAI is taken as unix time + 10 s, as WireGuard does everywhere: only
 * the order of one machine's own stamps matters.
 *
 * A stamp is the wall clock where that is ahead of the last stamp, else the last
 * stamp and a nanosecond. So a clock that is set back, or a chip without one,
 * costs nothing but realism. The ceiling makes it hold over a restart. */
#include "stamp.h"

#include "../base/bytes.h"

#define TAI64_EPOCH 0x400000000000000aull
#define NS_PER_S 1000000000u

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void tn_stamp_init(struct tn_stamp *s, uint64_t floor_ns)
{
    s->last_ns = floor_ns;
    s->ceiling_ns = floor_ns;
}

void tn_stamp_extend(struct tn_stamp *s, uint64_t ceiling_ns)
{
    s->ceiling_ns = later(s->ceiling_ns, ceiling_ns);
}

uint64_t tn_stamp_wanted(const struct tn_stamp *s, uint64_t unix_ns, uint64_t ahead_ns)
{
    uint64_t from = later(s->last_ns, unix_ns);

    return from > UINT64_MAX - ahead_ns ? UINT64_MAX : from + ahead_ns;
}

bool tn_stamp_is_low(const struct tn_stamp *s, uint64_t unix_ns, uint64_t margin_ns)
{
    uint64_t from = later(s->last_ns, unix_ns);

    return from >= s->ceiling_ns || s->ceiling_ns - from < margin_ns;
}

int tn_stamp_next(struct tn_stamp *s, uint64_t unix_ns, uint8_t out[TN_WG_STAMP_LEN])
{
    uint64_t ns;

    if (s->last_ns >= s->ceiling_ns)
        return TN_ESTATE;
    ns = later(unix_ns, s->last_ns + 1);
    if (ns > s->ceiling_ns)
        return TN_ESTATE;
    s->last_ns = ns;
    tn_put_be64(out, TAI64_EPOCH + ns / NS_PER_S);
    tn_put_be32(out + 8, (uint32_t)(ns % NS_PER_S));
    return 0;
}
