/* How it works: 64 bits at a time, as two halves that are added to 64-bit sums and so cannot
 * overflow below 2^32 additions; four sums keep a superscalar machine busy. Byte order does not
 * matter to a one's complement sum until it is stored (RFC 1071, 2 B). */
#include "sum.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t halves(uint64_t x)
{
    return (x & UINT32_MAX) + (x >> 32);
}

static uint64_t sum_tail(const uint8_t *p, size_t len, uint64_t sum)
{
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t x;

        memcpy(&x, p, sizeof x);
        sum += halves(x);
    }
    if (len) {
        uint64_t x = 0;

        memcpy(&x, p, len);
        sum += halves(x);
    }
    return sum;
}

uint64_t fast_sum(const void *from, size_t len, uint64_t sum)
{
    const uint8_t *p = from;
    uint64_t a = 0, b = 0, c = 0, d = 0, x[4];

    for (; len >= sizeof x; p += sizeof x, len -= sizeof x) {
        memcpy(x, p, sizeof x);
        a += halves(x[0]);
        b += halves(x[1]);
        c += halves(x[2]);
        d += halves(x[3]);
    }
    return sum_tail(p, len, sum + a + b + c + d);
}

uint64_t fast_sum_copy(void *to, const void *from, size_t len, uint64_t sum)
{
    const uint8_t *p = from;
    uint8_t *q = to;
    uint64_t a = 0, b = 0, c = 0, d = 0, x[4];

    for (; len >= sizeof x; p += sizeof x, q += sizeof x, len -= sizeof x) {
        memcpy(x, p, sizeof x);
        memcpy(q, x, sizeof x);
        a += halves(x[0]);
        b += halves(x[1]);
        c += halves(x[2]);
        d += halves(x[3]);
    }
    memcpy(q, p, len);
    return sum_tail(p, len, sum + a + b + c + d);
}

uint16_t fast_fold(uint64_t sum)
{
    sum = halves(sum);
    sum = halves(sum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint64_t fast_sum_pseudo(const uint8_t *ip, bool v4, uint8_t proto, size_t l4_len)
{
    uint64_t sum = (uint64_t)htons(proto) + htons((uint16_t)l4_len);

    return v4 ? fast_sum(ip + 12, 8, sum) : fast_sum(ip + 8, 32, sum);
}
