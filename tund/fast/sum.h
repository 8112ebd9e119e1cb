/* The Internet checksum (RFC 1071) as a running sum. Sums are in memory order: 16-bit values that
 * are added to one go through htons first, and a folded sum is stored as it is. */
#ifndef TUND_FAST_SUM_H
#define TUND_FAST_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds len bytes at p; only the last piece of a sum may be of odd length. */
uint64_t fast_sum(const void *p, size_t len, uint64_t sum);
/* The same, and copies the bytes to `to`. */
uint64_t fast_sum_copy(void *to, const void *p, size_t len, uint64_t sum);
uint16_t fast_fold(uint64_t sum); /* not complemented */
/* The pseudo header of TCP and UDP, from an IP header of that version. */
uint64_t fast_sum_pseudo(const uint8_t *ip, bool v4, uint8_t proto, size_t l4_len);

#endif
