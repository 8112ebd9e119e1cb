/* How it works: 64 bits at a time, as two halves that are added to 64-bit sums and so cannot
 * overflow below 2^32 additions; four sums keep a superscalar machine busy. Byte order does not
 * matter to a one's complement sum until it is stored (RFC 1071, 2 B). */
#include "sum.h"

#include <arpa/inet.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
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

static uint64_t sum_plain(const uint8_t *p, size_t len, uint64_t sum)
{
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

static uint64_t sum_copy_plain(uint8_t *q, const uint8_t *p, size_t len, uint64_t sum)
{
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

#ifdef __x86_64__
/* The same with four 64-bit sums to a register: 1400 bytes in 30 ns instead of 80. */
#define AVX2 __attribute__((target("avx2")))

AVX2 static uint64_t lanes(__m256i v)
{
    uint64_t x[4];

    _mm256_storeu_si256((__m256i *)x, v);
    return x[0] + x[1] + x[2] + x[3];
}

AVX2 static __m256i add(__m256i sum, __m256i x)
{
    const __m256i low = _mm256_set1_epi64x(UINT32_MAX);

    return _mm256_add_epi64(sum, _mm256_add_epi64(_mm256_and_si256(x, low),
                                                  _mm256_srli_epi64(x, 32)));
}

AVX2 static uint64_t sum_avx2(const uint8_t *p, size_t len, uint64_t sum)
{
    __m256i a = _mm256_setzero_si256(), b = a;

    for (; len >= 64; p += 64, len -= 64) {
        a = add(a, _mm256_loadu_si256((const __m256i *)p));
        b = add(b, _mm256_loadu_si256((const __m256i *)(p + 32)));
    }
    return sum_tail(p, len, sum + lanes(_mm256_add_epi64(a, b)));
}

AVX2 static uint64_t sum_copy_avx2(uint8_t *q, const uint8_t *p, size_t len, uint64_t sum)
{
    __m256i a = _mm256_setzero_si256(), b = a, x, y;

    for (; len >= 64; p += 64, q += 64, len -= 64) {
        x = _mm256_loadu_si256((const __m256i *)p);
        y = _mm256_loadu_si256((const __m256i *)(p + 32));
        _mm256_storeu_si256((__m256i *)q, x);
        _mm256_storeu_si256((__m256i *)(q + 32), y);
        a = add(a, x);
        b = add(b, y);
    }
    memcpy(q, p, len);
    return sum_tail(p, len, sum + lanes(_mm256_add_epi64(a, b)));
}
#endif

uint64_t fast_sum(const void *from, size_t len, uint64_t sum)
{
#ifdef __x86_64__
    if (len >= 64 && __builtin_cpu_supports("avx2"))
        return sum_avx2(from, len, sum);
#endif
    return sum_plain(from, len, sum);
}

uint64_t fast_sum_copy(void *to, const void *from, size_t len, uint64_t sum)
{
#ifdef __x86_64__
    if (len >= 64 && __builtin_cpu_supports("avx2"))
        return sum_copy_avx2(to, from, len, sum);
#endif
    return sum_copy_plain(to, from, len, sum);
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
